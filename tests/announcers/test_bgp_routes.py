"""The table of routes: what reaches which peer, in any order of events."""

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.family import Family
from reconciler.announcers.bgp_guard import ExportGuard
from reconciler.announcers.bgp_routes import RouteTable, attributes_of, key_of
from reconciler.bgp.families import Family as RouteFamily
from reconciler.bgp.families import prefix_text
from reconciler.bgp.routes import RouteAttributes
from reconciler.model.advertisements import Community
from reconciler.model.announcements import RouteAnnouncement, Routes, prefix_number
from tests.announcers.bgp_doubles import Rib, configured, route
from tests.strategies import address_ranges

PEERS = ("a", "b")
_PREFERENCES = st.sampled_from((None, 50))
PREFIXES = ("10.0.0.1/32", "10.0.0.2/32", "10.0.0.0/30", "10.0.1.1/32", "fc00::1/128")
# From all that is asked for to nothing of it.
GUARDS = tuple(
    ExportGuard([one])
    for one in (
        configured("10.0.0.0/16", "fc00::/64", lengths=((32, 128), (30, 128))),
        configured("10.0.0.0/24", "fc00::/64", lengths=((32, 128), (30, 128))),
        configured("10.0.0.0/24", "fc00::/64"),
        configured("10.0.1.0/24"),
    )
)


def test_attributes_are_split_by_kind_and_sorted() -> None:
    communities = tuple(Community.parse(one) for one in ("65000:2", "large:1:2:3", "65000:1", "large:1:2:2", "65000:1"))
    expected = RouteAttributes(None, (65000 << 16 | 1, 65000 << 16 | 2), ((1, 2, 2), (1, 2, 3)))
    assert attributes_of(None, communities) == expected
    assert attributes_of(200, ()) == RouteAttributes(200)
    assert attributes_of(None, communities) is attributes_of(None, communities)


@given(address_ranges())
def test_the_octets_of_a_prefix_are_those_of_its_text(span: AddressRange) -> None:
    host_bits = (span.last - span.first).bit_length()
    first = span.first >> host_bits << host_bits
    prefix = AddressRange(span.family, first, first + (1 << host_bits) - 1)
    family, octets = key_of(prefix_number(prefix))
    assert (family is RouteFamily.IPV4) == (prefix.family is Family.IPV4)
    assert AddressRange.parse(prefix_text(family, octets)) == prefix


def test_all_peers_share_the_octets_of_a_prefix() -> None:
    table, ribs = RouteTable(), {name: Rib() for name in PEERS}
    table.guarded_by(GUARDS[0])
    for name, rib in ribs.items():
        table.carry(name, rib)
    prefix = AddressRange.parse("10.0.0.1/32")
    for name in PEERS:
        table.announce(RouteAnnouncement(prefix, name))
    assert table.settle() == ["a", "b"]
    assert table.settle() == []


def test_more_prefixes_than_the_pools_can_hold() -> None:
    table, rib = RouteTable(), Rib()
    table.guarded_by(_Mistaken([configured("10.0.0.0/30")]))
    table.carry("tor", rib)
    for last in range(6):
        table.announce(route(f"10.9.9.{last}/32"))
    table.settle()
    assert sorted(rib.table) == [f"10.9.9.{last}/32" for last in range(4)]
    complaint = "10.9.9.4/32 is not announced: it is one of more than 4 prefixes, and the pools cannot hold so many"
    assert table.of("tor").complaint() == f"{complaint} (and 1 more)"
    table.withdraw(route("10.9.9.0/32"))
    table.withdraw(route("10.9.9.1/32"))
    table.settle()
    assert sorted(rib.table) == [f"10.9.9.{last}/32" for last in range(2, 6)]
    assert table.of("tor").complaint() is None


class _Mistaken(ExportGuard):
    """Lets everything pass."""

    def refusal(self, prefix: AddressRange) -> str | None:  # noqa: ARG002 - that is the mistake
        return None


Step = tuple[str, object]


@st.composite
def histories(draw: st.DrawFn) -> list[list[Step]]:
    """Passes: each prefix and peer is asked for or withdrawn once at most; peers open and close between the two."""
    passes = []
    for _ in range(draw(st.integers(1, 6))):
        asked = draw(st.lists(st.tuples(st.sampled_from(PREFIXES), st.sampled_from(PEERS)), unique=True, max_size=8))
        routes = [(draw(st.sampled_from(("announce", "withdraw"))), route(*one, draw(_PREFERENCES))) for one in asked]
        peers = [(draw(st.sampled_from(("open", "close"))), name) for name in draw(st.sets(st.sampled_from(PEERS)))]
        passes.append([
            ("guard", draw(st.sampled_from(GUARDS))),
            *(step for step in routes if step[0] == "withdraw"),
            *peers,
            *(step for step in routes if step[0] == "announce"),
        ])  # fmt: skip
    return passes


@settings(max_examples=150, deadline=None)
@given(histories())
def test_every_open_peer_hears_of_all_that_is_wanted_and_may_leave(history: list[list[Step]]) -> None:
    table, model, ribs = RouteTable(), _Model(), dict[str, Rib]()
    for steps in history:
        for kind, what in steps:
            match kind, what:
                case "guard", ExportGuard() as guard:
                    table.guarded_by(guard)
                    model.guard = guard
                case "announce", RouteAnnouncement() as one:
                    table.announce(one)
                    model.wanted[one.prefix, one.peer] = one
                case "withdraw", RouteAnnouncement() as one:
                    table.withdraw(one)
                    model.wanted.pop((one.prefix, one.peer), None)
                case "open", str(name):
                    ribs[name] = Rib()
                    table.carry(name, ribs[name])
                case "close", str(name):
                    ribs.pop(name, None)
                    table.carry_nowhere(name)
                case _:
                    raise AssertionError(kind)
        assert set(table.settle()) <= ribs.keys()
        assert table.routes == Routes.of(model.wanted.values())
        for name, rib in ribs.items():
            assert rib.table == model.told(name)
            assert rib.is_settled
        for name in PEERS:
            assert (table.of(name).complaint() is None) == (not list(model.refused(name)))


class _Model:
    """The same, from nothing each time."""

    def __init__(self) -> None:
        self.guard = ExportGuard()
        self.wanted: dict[tuple[AddressRange, str], RouteAnnouncement] = {}

    def told(self, peer: str) -> dict[str, RouteAttributes]:
        return {
            str(one.prefix): RouteAttributes(one.local_pref)
            for one in self.wanted.values()
            if one.peer == peer and self.guard.refusal(one.prefix) is None
        }

    def refused(self, peer: str) -> Iterator[RouteAnnouncement]:
        return (one for one in self.wanted.values() if one.peer == peer and self.guard.refusal(one.prefix) is not None)
