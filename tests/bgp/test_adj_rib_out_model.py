"""Whatever happens in whatever order: a peer knows in the end what it should know, and is told nothing twice."""

from ipaddress import ip_network

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from reconciler.bgp.adj_rib_out import AdjRibOut
from reconciler.bgp.dialect import Dialect
from reconciler.bgp.families import Family, Prefix
from reconciler.bgp.routes import GRACEFUL_SHUTDOWN, RouteAttributes
from tests.bgp.receiver import Network, Receiver, Route

ASN = 4_200_000_000
HOPS = {Family.IPV4: bytes((192, 0, 2, 10)), Family.IPV6: bytes.fromhex("20010db8") + bytes(12)}

# Few prefixes, so that they meet; messages so short that even these take several.
PREFIXES: list[tuple[Family, Prefix]] = [
    *((Family.IPV4, bytes((32, 198, 51, 100, n))) for n in range(12)),
    *((Family.IPV4, bytes((length, *[10] * ((length + 7) // 8)))) for length in (0, 8, 16, 24)),
    *((Family.IPV6, bytes((128, 32, *[0] * 14, n))) for n in range(6)),
    *((Family.IPV6, bytes((length, *[32] * (length // 8)))) for length in (8, 48, 64)),
]
ATTRIBUTES = [
    RouteAttributes(),
    RouteAttributes(local_pref=200),
    RouteAttributes(communities=(1, GRACEFUL_SHUTDOWN)),
    RouteAttributes(communities=(5,), large_communities=((1, 2, 3), (1, 2, 4))),
    # Too many for a short message.
    RouteAttributes(large_communities=tuple((1, 2, number) for number in range(12))),
]
prefixes, attributes = st.sampled_from(PREFIXES), st.sampled_from(ATTRIBUTES)


@st.composite
def dialects(draw: st.DrawFn) -> Dialect:
    hops = {family: hop for family, hop in HOPS.items() if draw(st.booleans())}
    if draw(st.booleans()) and Family.IPV4 in hops:
        hops[Family.IPV4] = HOPS[Family.IPV6] * 2
    return Dialect(
        local_asn=ASN,
        is_ibgp=draw(st.booleans()),
        four_octet_as=True,
        max_length=draw(st.sampled_from([140, 180, 4096])),
        next_hops=hops,
        without_next_hop=frozenset(draw(st.sets(st.sampled_from(Family)))) - hops.keys(),
        enhanced_refresh=draw(st.booleans()),
    )


def expected(route: RouteAttributes, next_hop: bytes, *, is_ibgp: bool, is_leaving: bool) -> Route:
    communities = sorted({*route.communities, GRACEFUL_SHUTDOWN} if is_leaving else route.communities)
    preference = 100 if route.local_pref is None else route.local_pref
    return Route(
        next_hop,
        () if is_ibgp else (ASN,),
        None if not is_ibgp else 0 if is_leaving else preference,
        tuple(communities),
        route.large_communities,
    )


def network(prefix: Prefix, family: Family) -> Network:
    return ip_network((prefix[1:].ljust(4 if family is Family.IPV4 else 16, b"\0"), prefix[0]))


class Telling(RuleBasedStateMachine):
    """A rib, a peer that keeps what it is told, and what it should be told as plain tables."""

    def __init__(self) -> None:
        super().__init__()
        self.rib = AdjRibOut()
        self.wanted: dict[tuple[Family, Prefix], RouteAttributes] = {}
        self.is_settled = self.is_leaving = False
        self.dialect: Dialect | None = None
        self.receiver = Receiver()
        # Since all was told the last time: the peer has asked again, or we have changed our mind about leaving.
        self.may_repeat = False
        self.refreshed: list[Family] = []

    @rule(where=prefixes, route=attributes)
    def announce(self, where: tuple[Family, Prefix], route: RouteAttributes) -> None:
        self.wanted[where] = route
        self.rib.announce(*where, route)

    @rule(some=st.lists(prefixes), route=attributes)
    def announce_many(self, some: list[tuple[Family, Prefix]], route: RouteAttributes) -> None:
        for where in some:
            self.announce(where, route)

    @rule(where=prefixes)
    def withdraw(self, where: tuple[Family, Prefix]) -> None:
        self.wanted.pop(where, None)
        self.rib.withdraw(*where)

    @rule()
    def settled(self) -> None:
        self.is_settled = True
        self.rib.settled()

    @rule(is_leaving=st.booleans())
    def leave(self, is_leaving: bool) -> None:
        self.may_repeat = self.may_repeat or is_leaving != self.is_leaving
        self.is_leaving = is_leaving
        self.rib.leave(is_leaving=is_leaving)

    @initialize(dialect=dialects())
    def begin(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.rib.begin(dialect)
        self.receiver = Receiver(dialect.max_length)
        self.may_repeat = False
        self.refreshed = []

    @rule(dialect=st.one_of(st.none(), dialects(), dialects(), dialects()))
    def end(self, dialect: Dialect | None) -> None:
        self.dialect = None
        if dialect is not None:
            self.begin(dialect)
        else:
            self.rib.end()

    @precondition(lambda self: self.dialect is not None)
    @rule(family=st.sampled_from(Family))
    def refresh(self, family: Family) -> None:
        assert self.dialect is not None
        self.may_repeat = True
        if family in {*self.dialect.next_hops, *self.dialect.without_next_hop}:
            self.refreshed.append(family)
        self.rib.refresh(family)

    @rule(limit=st.sampled_from([0, 140, 400]))
    def take(self, limit: int) -> None:
        before = len(self.receiver.lengths)
        is_more_expected = self.dialect is not None and not self.rib.is_all_told
        data = self.rib.take(limit)
        assert bool(data) == is_more_expected
        self.receiver.receive(data)
        lengths = self.receiver.lengths[before:]
        assert sum(lengths[1:]) <= limit
        if not self.may_repeat:
            assert not self.receiver.repeated

    @rule()
    def take_all(self) -> None:
        while self.dialect is not None and not self.rib.is_all_told:
            self.take(1 << 16)
        self.take(0)
        self._check()

    def _check(self) -> None:
        if self.dialect is None:
            return
        known = self.receiver.table
        for (family, prefix), route in self.wanted.items():
            hop = self.dialect.next_hops.get(family)
            if hop is None or (len(route.large_communities) > 2 and self.dialect.max_length < 200):
                assert network(prefix, family) not in known
            else:
                assert known[network(prefix, family)] == expected(
                    route, hop, is_ibgp=self.dialect.is_ibgp, is_leaving=self.is_leaving
                )
        assert known.keys() <= {network(prefix, family) for family, prefix in self.wanted}
        families = {*self.dialect.next_hops, *self.dialect.without_next_hop}
        ended = [family for word, family in self.receiver.told if word == "end"]
        assert sorted(ended) == (sorted(families) if self.is_settled else [])
        self._check_marks()
        self.may_repeat = False
        self.receiver.repeated.clear()

    def _check_marks(self) -> None:
        assert self.dialect is not None
        for family in Family:
            # Those of one family may stand between those of the other.
            marks = [word for word, of in self.receiver.told if of is family and word.endswith("refresh")]
            assert marks == ["begin refresh", "end refresh"] * (len(marks) // 2)
            assert len(marks) <= 2 * self.refreshed.count(family)
        if not self.dialect.enhanced_refresh:
            assert not any(word.endswith("refresh") for word, _ in self.receiver.told)

    @invariant()
    def counts(self) -> None:
        assert self.rib.wanted == len(self.wanted)
        assert self.rib.told == (len(self.receiver.table) if self.dialect is not None else 0)


TestTelling = Telling.TestCase
TestTelling.settings = settings(max_examples=100, stateful_step_count=80, deadline=None)
