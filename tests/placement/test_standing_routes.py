"""Routes that many Services make together, kept one Service at a time, beside what they are from nothing."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from reconciler.addresses.address_range import prefix_of
from reconciler.addresses.family import Family, parse_address
from reconciler.model.advertisements import Community
from reconciler.model.announcements import RouteAnnouncement, Routes
from reconciler.model.observed import ServiceKey
from reconciler.model.origin import Origin
from reconciler.placement.routes import Offer, Offers
from reconciler.placement.standing_routes import StandingRoutes, Teller, placed_by


def offer(peer: str, length: int, *, local_pref: int = 0, community: int = 0, line: int = 1) -> Offer:
    communities = (Community(community),) if community else ()
    return Offer(Family.IPV4, length, peer, local_pref, communities, Origin("bgp.yaml", line, 1))


# Two of them are equal, and still not the same: they come from two advertisements.
_OFFERS = (
    Offers((offer("tor", 32), offer("tor", 24, local_pref=100, community=1))),
    Offers((offer("spine", 24, community=2, line=2), offer("tor", 24, local_pref=200, line=2))),
    Offers((offer("tor", 24, community=1, line=3),)),
    Offers((offer("tor", 24, community=1, line=4),)),
    Offers(),
)
_ADDRESSES = tuple(parse_address(text) for text in ("192.0.2.1", "192.0.2.2", "198.51.100.1", "2001:db8::1"))
_SERVICES = [ServiceKey(f"shop/{name}") for name in "abcd"]
_tellers = st.builds(
    lambda addresses, offers: Teller(tuple(sorted(addresses)), offers),
    st.sets(st.sampled_from(_ADDRESSES), min_size=1),
    st.sampled_from(_OFFERS),
)
_puts = st.lists(st.tuples(st.sampled_from(_SERVICES), st.none() | _tellers), max_size=12)


def from_nothing(tellers: dict[ServiceKey, Teller]) -> Routes:
    """By the rules: the highest preference and all communities that any Service gives to a prefix and peer."""
    several: dict[tuple[object, str], list[Offer]] = {}
    for teller in tellers.values():
        for address in teller.addresses:
            for one in teller.offers.of(address.family):
                several.setdefault((prefix_of(address, one.length), one.peer), []).append(one)
    return Routes.of(
        RouteAnnouncement(
            prefix,  # type: ignore[arg-type]  # half of the key
            peer,
            max(one.local_pref for one in offers) or None,
            tuple(sorted({community for one in offers for community in one.communities})),
        )
        for (prefix, peer), offers in several.items()
    )


@given(st.lists(_puts, min_size=1, max_size=4), st.data())
def test_whatever_services_come_and_go(
    passes: list[list[tuple[ServiceKey, Teller | None]]], data: st.DataObject
) -> None:
    standing, known = StandingRoutes(), dict[ServiceKey, Teller]()
    for puts in passes:
        before = standing.routes
        was = list(before)
        for service, teller in puts:
            was_told = known.get(service)
            is_news = teller is not was_told if teller is None else not teller.tells_like(was_told)
            assert standing.put(service, teller) == is_news
            known = {key: one for key, one in {**known, service: teller}.items() if one is not None}
        standing.settle()
        assert standing.routes == from_nothing(known)
        assert dict(standing.tellers.items()) == known
        assert list(before) == was
        if data.draw(st.booleans()):
            # Somebody has equal ones, compares them, and leaves them here.
            from_nothing(known).since(standing.routes)
    for service in known:
        standing.put(service, None)
    standing.settle()
    assert not standing.routes
    assert not len(standing.tellers)
    assert not standing._shares, "nothing is remembered of what is gone"


@given(_puts)
def test_every_service_has_its_part_in_the_routes(puts: list[tuple[ServiceKey, Teller | None]]) -> None:
    standing = StandingRoutes()
    for service, teller in puts:
        standing.put(service, teller)
    standing.settle()
    placed = list(placed_by(standing.tellers, standing.routes))
    assert [(one.service, one.address) for one in placed] == sorted((one.service, one.address) for one in placed)
    assert {one.announcement for one in placed} == set(standing.routes)
    counts = Counter(one.service for one in placed)
    for service, teller in standing.tellers.items():
        assert counts[service] == sum(len(teller.offers.of(address.family)) for address in teller.addresses)


def test_of_several_advertisements_behind_a_route_the_first_is_pointed_at() -> None:
    standing = StandingRoutes()
    for service, offers in zip(_SERVICES, reversed(_OFFERS), strict=False):
        standing.put(service, Teller(_ADDRESSES[:1], offers))
    standing.settle()
    assert {(told.route.peer, str(told.origin)) for told in standing.routes.toward(None)} == {
        ("spine", "bgp.yaml:2:1"),
        ("tor", "bgp.yaml:2:1"),
    }
    standing.put(_SERVICES[3], None)
    standing.settle()
    assert [str(told.origin) for told in standing.routes.toward(None)] == ["bgp.yaml:3:1"]
