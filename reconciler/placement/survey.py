"""What placement has to know of a configuration and a cluster, worked out once for all nodes and all Services."""

from functools import cached_property
from operator import attrgetter

import msgspec

from reconciler.model.advertisements import BGPAdvertisement, L2Advertisement
from reconciler.model.desired import DesiredState
from reconciler.model.observed import Members, NodeName, ObservedState, Service, ServiceKey
from reconciler.placement.advertisements import Matching
from reconciler.placement.candidates import Candidates
from reconciler.placement.decisions import Protocol
from reconciler.placement.election import Elections
from reconciler.placement.layer2 import L2Coverage
from reconciler.placement.routes import BGPCoverage, NodeRoutes
from reconciler.placement.subjects import PoolTable, Subject, Unannounceable, read_subject


class Covered(msgspec.Struct, frozen=True, gc=False):
    """A Service that has addresses of ours, and what covers it."""

    subject: Subject
    l2: L2Coverage
    bgp: BGPCoverage


class Survey:
    """The nodes, the pools, the advertisements and the Services of ours as placement sees them."""

    def __init__(
        self,
        desired: DesiredState,
        observed: ObservedState,
        members: Members,
        *,
        lb_class: str = "",
        ignore_exclude_label: bool = False,
        elections: Elections | None = None,
    ) -> None:
        met = Elections() if elections is None else elections
        self.desired = desired
        self.candidates = Candidates(observed.nodes, members, ignore_exclude_label=ignore_exclude_label)
        self._observed = observed
        self._lb_class = lb_class
        self._pools = PoolTable(desired.pools)
        self.families_of_pool = {
            pool.name: frozenset(r.family for r in pool.addresses.ranges) for pool in desired.pools
        }
        self.l2: Matching[L2Advertisement, L2Coverage] = Matching(
            desired.l2_advertisements, lambda found: L2Coverage(found, self.candidates, met)
        )
        self.bgp: Matching[BGPAdvertisement, BGPCoverage] = Matching(
            desired.bgp_advertisements, lambda found: BGPCoverage(found, self.candidates)
        )

    def is_ours(self, service: Service) -> bool:
        """Whether the Service is for us to announce, or to say why not: MetalLB leaves other classes alone."""
        return service.is_load_balancer and (service.load_balancer_class or "") == self._lb_class

    def read(self, service: Service) -> Covered | Unannounceable:
        """One Service with everything that does not depend on the node."""
        subject = read_subject(service, self._observed.endpoints, self._pools)
        return subject if isinstance(subject, Unannounceable) else self._cover(subject)

    def _cover(self, subject: Subject) -> Covered:
        pool, labels = subject.pool, subject.service.labels
        return Covered(subject, self.l2.covering(pool, labels), self.bgp.covering(pool, labels))

    @cached_property
    def services(self) -> tuple[Covered | Unannounceable, ...]:
        """All Services of ours, by key."""
        ordered = sorted(self._observed.services, key=attrgetter("key"))
        return tuple(self.read(service) for service in ordered if self.is_ours(service))

    @cached_property
    def covered(self) -> tuple[Covered, ...]:
        """Those of them that can be announced as far as they themselves are concerned, by key."""
        return tuple(service for service in self.services if isinstance(service, Covered))

    def find(self, key: ServiceKey) -> Service | None:
        """The Service of that key, ours or not."""
        return next((service for service in self._observed.services if service.key == key), None)

    def protocols_of(self, pool: str | None) -> tuple[Protocol, ...]:
        """
        The protocols that owe an answer for the addresses of a pool: those with an advertisement of it.

        Where nothing advertises the pool, or no pool is known, all protocols that the configuration uses at all; both
        if it uses neither.
        """
        covering = self._protocols(
            l2=pool is not None and bool(self.l2.of_pool(pool)), bgp=pool is not None and bool(self.bgp.of_pool(pool))
        )
        return covering or self._protocols(l2=self.l2.is_used, bgp=self.bgp.is_used) or tuple(Protocol)

    @staticmethod
    def _protocols(*, l2: bool, bgp: bool) -> tuple[Protocol, ...]:
        return (*((Protocol.L2,) if l2 else ()), *((Protocol.BGP,) if bgp else ()))

    def routes_of(self, node: NodeName) -> NodeRoutes:
        """A node's peers, and its routes as yet empty."""
        return NodeRoutes(node, self.desired.peers, self.candidates)
