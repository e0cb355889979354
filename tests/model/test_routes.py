"""All routes of a node as one value: what it holds, what becomes of it, and what leads from one to another."""

from hypothesis import given
from hypothesis import strategies as st

from reconciler.addresses.address_range import AddressRange, prefix_of
from reconciler.addresses.family import Address, parse_address
from reconciler.model.advertisements import Community
from reconciler.model.announcements import (
    Active,
    L2Announcement,
    RouteAnnouncement,
    Routes,
    prefix_number,
    prefix_of_number,
    route_number,
)
from reconciler.model.origin import Origin
from reconciler.model.peers import BGPPeer
from tests import strategies

_PREFIXES = ("192.0.2.0/24", "192.0.2.1/32", "192.0.2.0/32", "0.0.0.0/0", "2001:db8::/64", "2001:db8::/128", "::/0")


def route(prefix: str, peer: str = "tor", local_pref: int | None = None, communities: str = "") -> RouteAnnouncement:
    found = tuple(Community.parse(text) for text in communities.split())
    return RouteAnnouncement(AddressRange.parse(prefix), peer, local_pref, found)


_routes = st.builds(
    route,
    st.sampled_from(_PREFIXES),
    st.sampled_from(["spine", "tor"]),
    st.sampled_from([None, 100]),
    st.sampled_from(["", "65000:1"]),
)


def known(routes: list[RouteAnnouncement]) -> dict[tuple[int, str], RouteAnnouncement]:
    return {(prefix_number(one.prefix), one.peer): one for one in routes}


@given(st.lists(_routes))
def test_of_each_prefix_and_peer_there_is_one_route_the_last(several: list[RouteAnnouncement]) -> None:
    routes, expected = Routes.of(several), known(several)
    assert list(routes) == [expected[key] for key in sorted(expected)]
    assert len(routes) == len(expected)
    assert bool(routes) == bool(expected)
    for one in several:
        assert routes.get(one.prefix, one.peer) == expected[prefix_number(one.prefix), one.peer]
        assert routes.get(one.prefix, "nobody") is None
    assert [told.route for told in routes.toward(["tor"])] == [one for one in routes if one.peer == "tor"]


@given(st.lists(_routes), st.lists(_routes))
def test_what_leads_from_some_routes_to_others_leads_there(
    several: list[RouteAnnouncement], others: list[RouteAnnouncement]
) -> None:
    before, after = Routes.of(several), Routes.of(others)
    changes = after.since(before)
    told = [one.route for one in changes.told]
    assert changes.withdrawn == [one for one in before if after.get(one.prefix, one.peer) is None]
    assert told == [one for one in after if before.get(one.prefix, one.peer) != one]
    assert before.after(changes.withdrawn, told) == after
    assert (before == after) == (not told and not changes.withdrawn)


def test_a_route_is_withdrawn_whatever_its_attributes_are() -> None:
    before = Routes.of([route("192.0.2.1/32", local_pref=100), route("192.0.2.1/32", "spine")])
    assert list(before.after([route("192.0.2.1/32")], [])) == [route("192.0.2.1/32", "spine")]
    assert not before.after([route("192.0.2.1/32"), route("192.0.2.1/32", "spine")], [])
    assert list(before.after([route("192.0.2.0/24")], [])) == list(before)


def test_where_a_route_comes_from_is_no_part_of_it() -> None:
    one, place = route("192.0.2.1/32"), Origin("bgp.yaml", 3, 1)
    explained = Routes.of([one], {one: place})
    assert explained == Routes.of([one])
    assert explained.since(Routes.of([one])) == ([], [])
    assert explained.since(Routes()).told == [(one, place)]


def test_routes_are_no_more_than_routes() -> None:
    assert Routes() != []
    assert repr(Routes.of([route("192.0.2.1/32")])).startswith("Routes.of([RouteAnnouncement(")


@given(strategies.any_addresses(), strategies.any_addresses(), st.integers(0, 128), st.integers(0, 128))
def test_prefixes_are_numbers_in_their_order(one: Address, other: Address, bits: int, other_bits: int) -> None:
    prefixes = [prefix_of(one, min(bits, one.family.bits)), prefix_of(other, min(other_bits, other.family.bits))]
    numbers = [prefix_number(prefix) for prefix in prefixes]
    assert [prefix_of_number(number) for number in numbers] == prefixes
    assert sorted(prefixes) == [prefix_of_number(number) for number in sorted(numbers)]
    assert numbers[0] == route_number(one.family, one.value, one.family.bits - min(bits, one.family.bits))


L2, TOR, SPINE = L2Announcement(parse_address("192.0.2.1")), BGPPeer("tor", 64512), BGPPeer("spine", 64512)


def test_two_announcers_together_do_what_both_do() -> None:
    routes = Routes.of([route("192.0.2.1/32")])
    by_layer2, by_bgp = Active(frozenset({L2})), Active(peers=frozenset({TOR}), routes=routes)
    for together in (by_layer2.beside(by_bgp), by_bgp.beside(by_layer2)):
        assert together == Active(frozenset({L2}), frozenset({TOR}), routes)
        assert together.announcements is by_layer2.announcements
        assert together.routes is routes
    other = Active(frozenset({L2Announcement(parse_address("192.0.2.2"))}), frozenset({SPINE}))
    assert len(by_layer2.beside(other).announcements) == 2
    assert by_bgp.beside(other).peers == {TOR, SPINE}
