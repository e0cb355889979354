"""All requests together → Allocation. The class tells the order in which they are met."""

from collections.abc import Iterable
from operator import attrgetter

from reconciler.allocation import losses
from reconciler.allocation.decisions import Allocation
from reconciler.allocation.ledger import Ledger
from reconciler.allocation.outcome import WholeOutcome
from reconciler.allocation.pool_choice import PoolChoices
from reconciler.allocation.requests import Asking
from reconciler.allocation.shared_room import Found
from reconciler.allocation.steps import Steps
from reconciler.model.desired import DesiredState
from reconciler.model.observed import ObservedState, ServiceKey

_by_key = attrgetter("key")


def allocate(
    desired: DesiredState,
    observed: ObservedState,
    *,
    lb_class: str = "",
    pinned: frozenset[ServiceKey] = frozenset(),
) -> Allocation:
    """
    Decide which Service holds which addresses.

    Args:
        desired: The pools; nothing else of it matters here.
        observed: The Services, in any order, and the labels of their namespaces. Their ingress is the whole memory.
        lb_class: The `spec.loadBalancerClass` that is ours; empty means Services without one.
        pinned: Services that keep their present ingress whatever the configuration says. The others are decided
            around them.
    """
    return WholePass(desired, observed, lb_class=lb_class, pinned=pinned).run()


class WholePass:
    """
    One allocation of everything.

    Pinned Services come first. Then all holders are confirmed before anybody is given anything: those whose status we
    wrote before others, so that nobody takes an address away by writing it into a status; those with more ingress
    entries first, then the older, then by key. Then come holders that have to be served anew, in the same order, and
    last the pending Services, the older first, then by key.

    What it leaves behind is for who goes on from there: the ledger, and `served`, what was found for the `pending`
    Services, in their order, None for those that were refused. `is_contested` is that of the steps.
    """

    def __init__(
        self, desired: DesiredState, observed: ObservedState, *, lb_class: str, pinned: frozenset[ServiceKey]
    ) -> None:
        self.services = sorted(observed.services, key=_by_key)
        self.ledger = Ledger(desired.pools)
        self.choices = PoolChoices(self.ledger, observed)
        self._outcome = WholeOutcome(self.services)
        self.steps = Steps(self.ledger, self.choices, self._outcome, lb_class=lb_class, pinned=pinned)
        self.pending: list[Asking] = []
        self.served: list[Found | None] = []
        self.is_contested = False

    def run(self) -> Allocation:
        """Take all steps."""
        steps = self.steps
        holders, self.pending = steps.sort_out(self.services)
        if self.ledger.pools:
            for asking in holders:
                steps.confirm(asking)
            self.is_contested = steps.is_contested
            steps.serve_claims()
            steps.grow()
            self._serve_pending()
        else:
            self._refuse_all(holders)
        return self._outcome.allocation(self.ledger, self.choices)

    def _refuse_all(self, holders: Iterable[Asking]) -> None:
        for asking in holders:
            self._outcome.clear(asking.service, losses.for_want_of_pools(asking.service))
            self._outcome.refuse(asking)
        for asking in self.pending:
            self._outcome.refuse(asking)

    def _serve_pending(self) -> None:
        for asking in self.pending:
            found = self.steps.find(asking, self.choices.of(asking))
            self.served.append(found)
            if found is None:
                self._outcome.refuse(asking)
                continue
            pool, addresses = found
            self.ledger.hold(pool, addresses, asking)
            self._outcome.assign(asking, addresses, pool.pool.name)
