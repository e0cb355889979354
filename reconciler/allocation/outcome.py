"""What a pass has decided so far, and the Allocation that comes of it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from operator import attrgetter

from msgspec.structs import replace

from reconciler.addresses.family import Address
from reconciler.allocation import losses
from reconciler.allocation.decisions import Allocation, Assignment, Ignored, Loss, Refusal, Remark
from reconciler.allocation.ledger import Ledger
from reconciler.allocation.pool_choice import PoolChoices
from reconciler.allocation.reasons import Reason
from reconciler.allocation.refusals import Explainer
from reconciler.allocation.requests import Asking
from reconciler.model.observed import Service, ServiceKey

_by_service = attrgetter("service")


class Outcome(ABC):
    """
    Collects decisions; refusals are explained at the end, by the state that a pass leaves.

    `refused` are the requests that could not be met, each with what the Service holds meanwhile.
    """

    def __init__(self) -> None:
        self.refused: list[tuple[Asking, tuple[Address, ...]]] = []
        self.losses: list[Loss] = []
        self.remarks: list[Remark] = []
        self.ignored: list[Ignored] = []

    @abstractmethod
    def assign(self, asking: Asking, addresses: tuple[Address, ...], pool: str) -> None:
        """The Service holds these addresses, whatever was said of it before."""

    def refuse(self, asking: Asking, kept: tuple[Address, ...] = ()) -> None:
        """The request could not be met; `kept` is what the Service holds meanwhile."""
        self.refused.append((asking, kept))

    def clear(self, service: Service, loss: Loss) -> None:
        """The Service loses all that its status holds; a status that somebody else wrote is left alone."""
        if service.is_ours:
            self.losses.append(loss)

    def lose(self, loss: Loss) -> None:
        """The Service loses this, whoever wrote its status."""
        self.losses.append(loss)

    def change(self, loss: Loss, kept: tuple[Address, ...]) -> None:
        """The Service loses what its status holds, except what it keeps; nothing is said if that is all of it."""
        if lost := losses.without(kept, loss):
            self.losses.append(replace(loss, addresses=lost))

    def remark(self, remark: Remark) -> None:
        """Something is to be said that changes nothing."""
        self.remarks.append(remark)

    def ignore(self, service: Service, reason: Reason) -> None:
        """The Service is not for us to serve."""
        self.ignored.append(Ignored(service.key, reason))

    def explain(self, explainer: Explainer, choices: PoolChoices) -> list[Refusal]:
        """The refusals, and the losses that come with them."""
        self.losses += [losses.of_traces(asking.service) for asking, _ in self.refused if has_traces(asking.service)]
        return [explainer.refusal(asking, choices.of(asking), kept) for asking, kept in self.refused]


class WholeOutcome(Outcome):
    """That of a pass over all Services, in order of their keys; the place of an Asking is the place among them."""

    def __init__(self, services: Sequence[Service]) -> None:
        super().__init__()
        self._services = services
        # What the Service at each place holds. The Assignments are made at the end, in the order in which the Services
        # lie in memory: made in the order of their age, a hundred thousand of them take half as long again.
        self._addresses: list[tuple[Address, ...]] = [()] * len(services)
        self._pools: list[str] = [""] * len(services)

    def assign(self, asking: Asking, addresses: tuple[Address, ...], pool: str) -> None:
        """The Service holds these addresses, whatever was said of it before."""
        self._addresses[asking.place] = addresses
        self._pools[asking.place] = pool

    def allocation(self, ledger: Ledger, choices: PoolChoices) -> Allocation:
        """Everything, each list in order of keys."""
        refusals = self.explain(Explainer(ledger), choices)
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
            losses=tuple(sorted(self.losses, key=_by_service)),
            remarks=tuple(sorted(self.remarks, key=_by_service)),
            ignored=tuple(self.ignored),
        )

    def _remark_on_deprecation(self) -> None:
        lost = {loss.service for loss in self.losses}
        for place, service in enumerate(self._services):
            if service.deprecated_annotations:
                addresses, pool = self._addresses[place], self._pools[place]
                self.remarks += remarks_on_deprecation(service, addresses, pool, is_loser=service.key in lost)


class PartialOutcome(Outcome):
    """That of a pass which decides about few of the Services; what each of them holds is in `assignments`."""

    def __init__(self) -> None:
        super().__init__()
        self.assignments: dict[ServiceKey, Assignment] = {}

    def assign(self, asking: Asking, addresses: tuple[Address, ...], pool: str) -> None:
        """The Service holds these addresses, whatever was said of it before."""
        key = asking.service.key
        self.assignments[key] = Assignment(key, addresses, pool)


def remarks_on_deprecation(
    service: Service, addresses: tuple[Address, ...], pool: str, *, is_loser: bool
) -> list[Remark]:
    """Legacy annotations are mentioned when the Service is about to be written anyway."""
    is_written = (addresses, pool) == (service.ingress, service.allocated_pool)
    if not (is_loser or (addresses and not is_written)):
        return []
    return [
        Remark(service.key, "Warning", "deprecatedAnnotation", f"Service uses deprecated annotation {name}")
        for name in service.deprecated_annotations
    ]


def has_traces(service: Service) -> bool:
    """Whether nothing is held, but the annotation of an earlier assignment is still there."""
    return not service.ingress and service.allocated_pool is not None
