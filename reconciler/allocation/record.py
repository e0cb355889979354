"""An Allocation of which the part that concerns few Services is written anew."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from itertools import chain, groupby
from operator import attrgetter

import msgspec

from reconciler.allocation.decisions import Allocation, Remark
from reconciler.allocation.outcome import PartialOutcome, remarks_on_deprecation
from reconciler.allocation.pool_choice import PoolChoices
from reconciler.allocation.refusals import Explainer
from reconciler.allocation.rows import Rows
from reconciler.model.observed import Service, ServiceKey

_by_service = attrgetter("service")


class _Remarks(msgspec.Struct, frozen=True, gc=False):
    """All that is remarked of one Service."""

    service: ServiceKey
    remarks: tuple[Remark, ...]


class Record:
    """What is decided about each Service. What does not change is the same object in one Allocation and the next."""

    __slots__ = ("_allocation", "_assignments", "_ignored", "_losses", "_refusals", "_remark_rows", "_remarks")

    def __init__(self, allocation: Allocation) -> None:
        self._allocation = allocation
        self._assignments = Rows(allocation.assignments)
        self._refusals = Rows(allocation.refusals)
        self._losses = Rows(allocation.losses)
        self._ignored = Rows(allocation.ignored)
        by_key = groupby(allocation.remarks, key=_by_service)
        self._remarks = Rows(tuple(_Remarks(key, tuple(remarks)) for key, remarks in by_key))
        self._remark_rows = self._remarks.all()

    def write(
        self,
        concerned: Mapping[ServiceKey, Service],
        outcome: PartialOutcome,
        explainer: Explainer,
        choices: PoolChoices,
    ) -> None:
        """From now on this is all that is decided about these Services."""
        refusals = {refusal.service: refusal for refusal in outcome.explain(explainer, choices)}
        losses = {loss.service: loss for loss in outcome.losses}
        ignored = {found.service: found for found in outcome.ignored}
        remarks = _remarks(concerned, outcome, losses.keys())
        for key in concerned:
            self._assignments.put(key, outcome.assignments.get(key))
            self._refusals.put(key, refusals.get(key))
            self._losses.put(key, losses.get(key))
            self._ignored.put(key, ignored.get(key))
            self._remarks.put(key, _Remarks(key, tuple(remarks[key])) if key in remarks else None)

    def erase(self, keys: Iterable[ServiceKey]) -> None:
        """Nothing is decided about these Services any more."""
        for key in keys:
            for rows in (self._assignments, self._refusals, self._losses, self._ignored, self._remarks):
                rows.put(key, None)

    def read(self) -> Allocation:
        """All decisions; the same object as before when none has changed."""
        before, rows = self._allocation, self._remarks.all()
        if rows is self._remark_rows:
            remarks = before.remarks
        else:
            remarks = tuple(chain.from_iterable(row.remarks for row in rows))
        self._remark_rows = rows
        after = Allocation(
            assignments=self._assignments.all(),
            refusals=self._refusals.all(),
            losses=self._losses.all(),
            remarks=remarks,
            ignored=self._ignored.all(),
        )
        # Equal tuples are the same objects here, so this looks into none of them.
        if after != before:
            self._allocation = after
        return self._allocation


def _remarks(
    concerned: Mapping[ServiceKey, Service], outcome: PartialOutcome, losers: Set[ServiceKey]
) -> dict[ServiceKey, list[Remark]]:
    found: dict[ServiceKey, list[Remark]] = defaultdict(list)
    for remark in outcome.remarks:
        found[remark.service].append(remark)
    for key, service in concerned.items():
        if service.deprecated_annotations:
            assignment = outcome.assignments.get(key)
            addresses, pool = (assignment.addresses, assignment.pool) if assignment else ((), "")
            found[key] += remarks_on_deprecation(service, addresses, pool, is_loser=key in losers)
    return {key: remarks for key, remarks in found.items() if remarks}
