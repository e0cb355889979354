"""Which addresses would go on being held while nobody announces them any more: no plan shows that by itself."""

from collections.abc import Iterable, Iterator

from reconciler.addresses.family import Address, Family
from reconciler.model.desired import DesiredState
from reconciler.model.observed import ObservedState, Service
from reconciler.placement.candidates import hosts
from reconciler.placement.election import Elections
from reconciler.placement.place import speakers
from reconciler.placement.routes import BGPCoverage, NodeRoutes
from reconciler.placement.rules import Covered
from reconciler.placement.survey import Survey
from reconciler.plan.guard import Silenced


def announces_alike(before: DesiredState, after: DesiredState) -> bool:
    """Whether two configurations make every node announce the same for the same statuses."""
    return before is after or (
        before.l2_advertisements == after.l2_advertisements
        and before.bgp_advertisements == after.bgp_advertisements
        and before.peers == after.peers
        and before.pools == after.pools
        and before.settings.drain == after.settings.drain
    )


def announces_nothing(desired: DesiredState) -> bool:
    """Whether no node announces anything under a configuration."""
    return not desired.l2_advertisements and not desired.bgp_advertisements


def silenced(
    before: DesiredState,
    after: DesiredState,
    observed: ObservedState,
    observed_after: ObservedState,
    *,
    lb_class: str = "",
) -> Silenced:
    """
    The addresses that some node announces and none would afterwards.

    Every node that is ready counts as alive, all its links as up. The cost grows with the Services and their endpoints
    and not with the nodes: whether anybody speaks for a Service is told without asking who.

    Args:
        before: The configuration in force.
        after: The one that may follow.
        observed: The cluster with its endpoints, as `before` has settled it.
        observed_after: The same cluster as `after` would settle it.
        lb_class: The `loadBalancerClass` we serve; empty for Services without one.
    """
    if observed is observed_after and announces_alike(before, after):
        return frozenset()
    earlier, later = _Voices(before, observed, lb_class), _Voices(after, observed_after, lb_class)
    services = {service.key: service for service in observed_after.services}
    return frozenset(
        (service.key, address)
        for service in observed.services
        for address in _unheard(service, services.get(service.key), earlier, later)
    )


def _unheard(service: Service, then: Service | None, earlier: "_Voices", later: "_Voices") -> Iterator[Address]:
    heard = earlier.heard(service)
    if not heard:
        return
    still = later.heard(then) if then else ()
    yield from (address for address in heard if address not in still)


class _Voices:
    """Whether anybody announces a Service, and which of its addresses."""

    def __init__(self, desired: DesiredState, observed: ObservedState, lb_class: str) -> None:
        members = speakers(observed)
        self._survey = Survey(desired, observed, members, lb_class=lb_class, elections=Elections())
        self._routes = {member.node: self._survey.rulebook.routes_of(member.node) for member in members}
        self._families: dict[tuple[BGPCoverage, frozenset[Family]], frozenset[Family]] = {}

    def heard(self, service: Service) -> tuple[Address, ...]:
        """The addresses of a Service that at least one node announces."""
        if not service.ingress or not self._survey.rulebook.is_ours(service):
            return ()
        found = self._survey.read(service)
        if not isinstance(found, Covered):
            return ()
        addresses = found.subject.addresses
        if found.l2.electorate(found.subject) is not None:
            return addresses
        families = self._families_by_bgp(found)
        return tuple(address for address in addresses if address.family in families)

    def _families_by_bgp(self, found: Covered) -> frozenset[Family]:
        """The families of which some node tells some peer."""
        subject = found.subject
        if not self._survey.rulebook.tells_routes or not subject.is_healthy:
            return frozenset()
        families = found.families
        if subject.service.is_local:
            able = [self._routes[node] for node in hosts(subject.endpoints) if node in self._routes]
            speaking = [node for node in able if node.declined(subject, node.offers(found.bgp, families)) is None]
            return _told(speaking, found.bgp, families)
        known = self._families.get((found.bgp, families))
        if known is None:
            known = self._families[found.bgp, families] = _told(self._routes.values(), found.bgp, families)
        return known


def _told(nodes: Iterable[NodeRoutes], coverage: BGPCoverage, families: frozenset[Family]) -> frozenset[Family]:
    """The families of a pool in which one of the nodes has something to say, to somebody who takes it."""
    found: set[Family] = set()
    for node in nodes:
        offers = node.offers(coverage, families)
        found.update(family for family in Family if offers.of(family))
        if len(found) == len(Family):
            break
    return frozenset(found)
