"""What a configuration says about Services on the nodes there are, and what the ones before it still say."""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from reconciler.addresses.family import Family
from reconciler.model.advertisements import BGPAdvertisement, L2Advertisement
from reconciler.model.desired import DesiredState, short_revision
from reconciler.model.observed import Endpoint, Members, Node, NodeName, Service
from reconciler.placement.advertisements import Matching
from reconciler.placement.candidates import Candidates
from reconciler.placement.decisions import DeclineReason, Protocol
from reconciler.placement.election import Elections
from reconciler.placement.layer2 import L2Coverage
from reconciler.placement.routes import BGPCoverage, NodeRoutes
from reconciler.placement.subjects import PoolTable, Subject, Unannounceable, read_subject


class Covered(msgspec.Struct, frozen=True, gc=False):
    """
    A Service that has addresses of ours, and what covers it. `families` are those of its pool.

    `age` is 0 where the present configuration says so, and N where it is the Nth of the former ones.
    """

    subject: Subject
    l2: L2Coverage
    bgp: BGPCoverage
    families: frozenset[Family]
    age: int = 0


class Rules:
    """One configuration on the nodes there are."""

    def __init__(self, desired: DesiredState, candidates: Candidates, elections: Elections) -> None:
        self.desired = desired
        self._pools = PoolTable(desired.pools)
        self._families = {pool.name: frozenset(r.family for r in pool.addresses.ranges) for pool in desired.pools}
        self.l2: Matching[L2Advertisement, L2Coverage] = Matching(
            desired.l2_advertisements, lambda found: L2Coverage(found, candidates, elections)
        )
        self.bgp: Matching[BGPAdvertisement, BGPCoverage] = Matching(
            desired.bgp_advertisements, lambda found: BGPCoverage(found, candidates)
        )

    def read(self, service: Service, endpoints: tuple[Endpoint, ...]) -> Covered | Unannounceable:
        """One Service with everything that does not depend on the node."""
        subject = read_subject(service, endpoints, self._pools)
        return subject if isinstance(subject, Unannounceable) else self._cover(subject)

    def _cover(self, subject: Subject) -> Covered:
        pool, labels = subject.pool, subject.service.labels
        return Covered(subject, self.l2.covering(pool, labels), self.bgp.covering(pool, labels), self._families[pool])

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


class Rulebook:
    """
    The configuration in force, and those before it, the latest first, for what only they still have words for.

    A Service with an address that is in no pool any more goes on under the first of them that has it: its status is
    the controller's to change, and until then its clients use the address. Everything else is as the configuration in
    force says, which nodes may announce included, and which peers there are.
    """

    def __init__(
        self,
        desired: DesiredState,
        nodes: Iterable[Node],
        members: Members,
        *,
        former: tuple[DesiredState, ...] = (),
        lb_class: str = "",
        ignore_exclude_label: bool = False,
        elections: Elections | None = None,
    ) -> None:
        met = Elections() if elections is None else elections
        self.candidates = Candidates(
            nodes, members, ignore_exclude_label=ignore_exclude_label, drain_taints=desired.settings.drain.taints
        )
        self.present = Rules(desired, self.candidates, met)
        self._former = tuple(Rules(earlier, self._who_has(earlier, members), met) for earlier in former)
        self._lb_class = lb_class

    def _who_has(self, earlier: DesiredState, members: Members) -> Candidates:
        """Who has started since does not know of it, and would be silent where it is elected."""
        short = short_revision(earlier.revision)
        return self.candidates.among(m for m in members if m.former is None or short in m.former)

    def is_ours(self, service: Service) -> bool:
        """Whether the Service is for us to announce, or to say why not: MetalLB leaves other classes alone."""
        return service.is_load_balancer and (service.load_balancer_class or "") == self._lb_class

    def read(self, service: Service, endpoints: tuple[Endpoint, ...]) -> Covered | Unannounceable:
        """One Service with everything that does not depend on the node."""
        found = self.present.read(service, endpoints)
        if isinstance(found, Unannounceable) and found.reason is DeclineReason.NOT_IN_ONE_POOL:
            for age, rules in enumerate(self._former, start=1):
                earlier = rules.read(service, endpoints)
                if isinstance(earlier, Covered):
                    return replace(earlier, age=age)
        return found

    def behind(self, covered: Covered) -> Rules:
        """The rules under which a Service is covered."""
        return self._former[covered.age - 1] if covered.age else self.present

    def former_of(self, ages: Iterable[int]) -> tuple[DesiredState, ...]:
        """The former configurations of those ages, the latest first."""
        return tuple(self._former[age - 1].desired for age in sorted(set(ages)) if age)

    @property
    def tells_routes(self) -> bool:
        """Whether anything is announced by BGP at all."""
        return self.present.bgp.is_used or any(rules.bgp.is_used for rules in self._former)

    def routes_of(self, node: NodeName) -> NodeRoutes:
        """A node's peers, and its routes as yet empty."""
        return NodeRoutes(node, self.present.desired.peers, self.candidates)
