"""What placement has to know of a configuration and a cluster, worked out once for all nodes and all Services."""

from functools import cached_property
from operator import attrgetter

from reconciler.model.desired import DesiredState
from reconciler.model.observed import Members, ObservedState, Service, ServiceKey
from reconciler.placement.election import Elections
from reconciler.placement.rules import Covered, Rulebook
from reconciler.placement.subjects import Unannounceable


class Survey:
    """The rules, and the Services of ours as they apply to them."""

    def __init__(
        self,
        desired: DesiredState,
        observed: ObservedState,
        members: Members,
        *,
        former: tuple[DesiredState, ...] = (),
        lb_class: str = "",
        ignore_exclude_label: bool = False,
        elections: Elections | None = None,
    ) -> None:
        self.rulebook = Rulebook(
            desired,
            observed.nodes,
            members,
            former=former,
            lb_class=lb_class,
            ignore_exclude_label=ignore_exclude_label,
            elections=elections,
        )
        self.candidates = self.rulebook.candidates
        self._observed = observed

    def read(self, service: Service) -> Covered | Unannounceable:
        """One Service with everything that does not depend on the node."""
        return self.rulebook.read(service, self._observed.endpoints.get(service.key, ()))

    @cached_property
    def services(self) -> tuple[Covered | Unannounceable, ...]:
        """All Services of ours, by key."""
        ordered = sorted(self._observed.services, key=attrgetter("key"))
        return tuple(self.read(service) for service in ordered if self.rulebook.is_ours(service))

    @cached_property
    def covered(self) -> tuple[Covered, ...]:
        """Those of them that can be announced as far as they themselves are concerned, by key."""
        return tuple(service for service in self.services if isinstance(service, Covered))

    @cached_property
    def former(self) -> tuple[DesiredState, ...]:
        """The former configurations without which some Service would not be announced."""
        return self.rulebook.former_of(service.age for service in self.covered)

    def find(self, key: ServiceKey) -> Service | None:
        """The Service of that key, ours or not."""
        return next((service for service in self._observed.services if service.key == key), None)
