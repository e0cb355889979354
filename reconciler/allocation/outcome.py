"""What a pass has decided so far, and the Allocation that comes of it."""

from collections.abc import Sequence
from operator import attrgetter

from msgspec.structs import replace

from reconciler.addresses.family import Address
from reconciler.allocation import losses
from reconciler.allocation.decisions import Allocation, Assignment, Ignored, Loss, Remark
from reconciler.allocation.ledger import Ledger
from reconciler.allocation.pool_choice import PoolChoices
from reconciler.allocation.reasons import Reason
from reconciler.allocation.refusals import Explainer
from reconciler.allocation.requests import Asking
from reconciler.model.observed import Service

_by_service = attrgetter("service")


class Outcome:
    """Collects the decisions of a pass; refusals are explained at its end, by the state that it leaves."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._services = services
        # What the Service at each place holds. The Assignments are made at the end, in the order in which the Services
        # lie in memory: made in the order of their age, a hundred thousand of them take half as long again.
        self._addresses: list[tuple[Address, ...]] = [()] * len(services)
        self._pools: list[str] = [""] * len(services)
        self._refused: list[tuple[Asking, tuple[Address, ...]]] = []
        self._losses: list[Loss] = []
        self._remarks: list[Remark] = []
        self._ignored: list[Ignored] = []
        self._deprecated: list[int] = []

    def assign(self, place: int, addresses: tuple[Address, ...], pool: str) -> None:
        """The Service at that place holds these addresses, whatever was said of it before."""
        self._addresses[place] = addresses
        self._pools[place] = pool

    def refuse(self, asking: Asking, kept: tuple[Address, ...] = ()) -> None:
        """The request could not be met; `kept` is what the Service holds meanwhile."""
        self._refused.append((asking, kept))

    def clear(self, service: Service, loss: Loss) -> None:
        """The Service loses all that its status holds; a status that somebody else wrote is left alone."""
        if service.is_ours:
            self._losses.append(loss)

    def change(self, loss: Loss, kept: tuple[Address, ...]) -> None:
        """The Service loses what its status holds, except what it keeps; nothing is said if that is all of it."""
        if lost := losses.without(kept, loss):
            self._losses.append(replace(loss, addresses=lost))

    def remark(self, remark: Remark) -> None:
        """Something is to be said that changes nothing."""
        self._remarks.append(remark)

    def ignore(self, service: Service, reason: Reason) -> None:
        """The Service is not for us to serve."""
        self._ignored.append(Ignored(service.key, reason))

    def note_deprecation(self, place: int) -> None:
        """The Service at that place uses legacy annotations."""
        self._deprecated.append(place)

    def allocation(self, ledger: Ledger, choices: PoolChoices) -> Allocation:
        """Everything, each list in order of keys."""
        explainer = Explainer(ledger)
        refusals = [explainer.refusal(asking, choices.of(asking), kept) for asking, kept in self._refused]
        self._losses += [losses.of_traces(asking.service) for asking, _ in self._refused if _has_traces(asking.service)]
        self._remark_on_deprecation()
        return Allocation(
            assignments=tuple(
                [
                    Assignment(service.key, addresses, pool)
                    for service, addresses, pool in zip(self._services, self._addresses, self._pools, strict=True)
                    if addresses
                ]
            ),
            refusals=tuple(sorted(refusals, key=_by_service)),
            losses=tuple(sorted(self._losses, key=_by_service)),
            remarks=tuple(sorted(self._remarks, key=_by_service)),
            ignored=tuple(self._ignored),
        )

    def _remark_on_deprecation(self) -> None:
        """Legacy annotations are mentioned when the Service is about to be written anyway."""
        lost = {loss.service for loss in self._losses}
        for place in self._deprecated:
            service, addresses, pool = self._services[place], self._addresses[place], self._pools[place]
            is_written = (addresses, pool) == (service.ingress, service.allocated_pool)
            if service.key in lost or (addresses and not is_written):
                self._remarks += [
                    Remark(service.key, "Warning", "deprecatedAnnotation", f"Service uses deprecated annotation {name}")
                    for name in service.deprecated_annotations
                ]


def _has_traces(service: Service) -> bool:
    return not service.ingress and service.allocated_pool is not None
