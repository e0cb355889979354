"""Routes as every router has them, with all that they carry, and what becomes of them when a session goes."""

from dataclasses import replace
from functools import partial
from ipaddress import ip_network

import pytest

from reconciler.bgp.events import Ended
from reconciler.bgp.routes import RouteAttributes
from tests.bgp.interop.features import ROUTERS
from tests.bgp.interop.talk import RouterTalk, Speaker, until
from tests.routers.bird import Bird
from tests.routers.frr import Frr

every_router = pytest.mark.parametrize("router", ROUTERS)
RICH = RouteAttributes(
    communities=(65001 << 16 | 5, 0xFFFFFF01),
    large_communities=((65001, 1, 2), (4200000001, 4294967295, 0)),
)


@every_router
async def test_communities_arrive(speaker: Speaker, router: str) -> None:
    talk = speaker.open("ebgp", router)
    talk.announce("198.51.100.7/32", "2001:db8:1::7/128", attributes=RICH)
    for route in (await talk.table("198.51.100.7/32", "2001:db8:1::7/128")).values():
        assert route.communities == {"65001:5", "65535:65281"}
        assert route.large_communities == {"65001:1:2", "4200000001:4294967295:0"}


@every_router
async def test_hundreds_of_communities_arrive(speaker: Speaker, router: str) -> None:
    talk = speaker.open("ebgp", router)
    many = RouteAttributes(
        communities=tuple(65001 << 16 | number for number in range(400)),
        large_communities=tuple((65001, 7, number) for number in range(150)),
    )
    talk.announce("198.51.100.7/32", attributes=many)
    route = await talk.route("198.51.100.7/32")
    if isinstance(talk.router, Bird):
        # It prints no more than fits into a line.
        has_all = "bgp_community.len = 400 && bgp_large_community.len = 150"
        assert "198.51.100.7/32" in talk.router.ask(f"show route where {has_all}")
        return
    assert route.communities == {f"65001:{number}" for number in range(400)}
    assert route.large_communities == {f"65001:7:{number}" for number in range(150)}


@every_router
async def test_the_local_preference_is_for_ibgp_only(speaker: Speaker, router: str) -> None:
    preferred = RouteAttributes(local_pref=4294967295)
    inner, outer = speaker.open("ibgp", router), speaker.open("ebgp", router)
    inner.announce("198.51.100.7/32", attributes=preferred)
    outer.announce("198.51.100.7/32", attributes=preferred)
    assert (await inner.route("198.51.100.7/32")).local_pref == 4294967295
    # BIRD has one for all.
    assert (await outer.route("198.51.100.7/32")).local_pref == (100 if router == "bird" else None)


@every_router
async def test_prefixes_of_all_lengths(speaker: Speaker, router: str) -> None:
    prefixes = [f"{_first(32, length)}/{length}" for length in (1, 7, 8, 9, 16, 17, 24, 25, 31, 32)]
    prefixes += [f"{_first(128, length)}/{length}" for length in (3, 32, 33, 64, 65, 127, 128)]
    talk = speaker.open("ebgp", router)
    talk.announce(*prefixes)
    await talk.table(*prefixes)


def _first(width: int, length: int) -> str:
    """The network of so many bits that one address is in."""
    inside = "198.51.100.255" if width == 32 else "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"
    return str(ip_network(f"{inside}/{length}", strict=False).network_address)


@every_router
async def test_what_changes_is_told_and_the_session_stays(speaker: Speaker, router: str) -> None:
    talk = speaker.open("ebgp", router)
    talk.announce("198.51.100.7/32", "198.51.100.8/32")
    await talk.table("198.51.100.7/32", "198.51.100.8/32")
    talk.announce("198.51.100.7/32", attributes=RICH)
    talk.withdraw("198.51.100.8/32")
    await until(lambda: _communities(talk) == [{"65001:5", "65535:65281"}], lambda: _communities(talk))
    talk.announce("198.51.100.8/32")
    await talk.table("198.51.100.7/32", "198.51.100.8/32")
    assert talk.neighbor.counts().established == 1


def _communities(talk: RouterTalk) -> list[frozenset[str]]:
    return [route.communities for route in talk.routes().values()]


@every_router
async def test_messages_of_the_agreed_length_are_filled(speaker: Speaker, router: str) -> None:
    talk = speaker.open("ebgp", router)
    prefixes = [f"198.51.{block}.{number}/32" for block in range(100, 110) for number in range(256)]
    talk.announce(*prefixes)
    agreement = await talk.established()
    # GoBGP does not offer extended messages.
    assert agreement.max_length == (4096 if router == "gobgp" else 65535)
    await talk.table(*prefixes)
    octets_each = 5
    messages = len(prefixes) * octets_each // agreement.max_length + 1
    assert talk.neighbor.rib.updates <= messages + 1


# GoBGP never asks: it keeps what it was told.
@pytest.mark.parametrize("router", ["frr", "bird"])
async def test_a_router_asks_again(speaker: Speaker, router: str) -> None:
    talk = speaker.open("ebgp", router)
    prefixes = ("198.51.100.7/32", "2001:db8:1::7/128")
    talk.announce(*prefixes)
    talk.settle()
    await talk.table(*prefixes)
    updates = talk.neighbor.rib.updates
    refresh(talk)
    await until(lambda: talk.neighbor.counts().route_refreshes_received >= 2, talk.neighbor.counts)
    await until(lambda: talk.neighbor.rib.updates >= updates + 2, lambda: talk.neighbor.rib.updates)
    await talk.table(*prefixes)
    assert talk.ends == []


def refresh(talk: RouterTalk) -> None:
    """Let a router ask for everything again, in both families."""
    match talk.router:
        case Frr():
            talk.router.ask(f"clear bgp ipv4 unicast {talk.us} soft in")
            talk.router.ask(f"clear bgp ipv6 unicast {talk.us} soft in")
        case Bird():
            talk.router.ask(f"reload in {talk.router.protocol(talk.us)}")
        case _:
            raise NotImplementedError


@every_router
async def test_a_speaker_that_restarts_keeps_its_routes(speaker: Speaker, router: str) -> None:
    first = speaker.open("ebgp", router, lambda ours: replace(ours, graceful_restart=True))
    kept, gone = "198.51.100.7/32", "2001:db8:1::7/128"
    first.announce(kept, gone, "198.51.100.8/32")
    first.settle()
    assert (await first.established()).graceful_restart is not None
    await first.table(kept, gone, "198.51.100.8/32")
    await first.neighbor.leave()
    there = speaker.site.router(router)
    await until(lambda: not there.session(first.us).is_established, "the end of the session")
    # BIRD does not show what is stale.
    stale = None if router == "bird" else True
    await until(lambda: [route.is_stale for route in first.routes().values()] == [stale] * 3, first.routes)
    second = speaker.open("ebgp", router, lambda ours: replace(ours, graceful_restart=True), again=first)
    second.announce(kept)
    await second.established()
    await until(lambda: second.routes()[kept].is_stale in (None, False), second.routes)
    # What it has not heard of again stays until it is told that it has heard everything.
    assert gone in second.routes()
    second.settle()
    await second.route(kept)


@every_router
async def test_a_speaker_that_leaves_a_router_without_graceful_restart(speaker: Speaker, router: str) -> None:
    talk = speaker.open("forgetful", router, lambda ours: replace(ours, graceful_restart=True))
    talk.announce("198.51.100.7/32")
    assert (await talk.established()).graceful_restart is None
    await talk.route("198.51.100.7/32")
    await talk.neighbor.leave()
    await talk.table()


def _is_leaving(talk: RouterTalk) -> bool:
    return _communities(talk) == [{"65535:0"}]


@every_router
async def test_who_drains_asks_for_another_way(speaker: Speaker, router: str) -> None:
    inner, outer = speaker.open("ibgp", router), speaker.open("ebgp", router)
    for talk in (inner, outer):
        talk.announce("198.51.100.7/32", attributes=RouteAttributes(local_pref=200))
        await talk.route("198.51.100.7/32")
        talk.neighbor.rib.leave(is_leaving=True)
        talk.neighbor.tell()
    for talk in (inner, outer):
        await until(partial(_is_leaving, talk), talk.routes)
    assert (await inner.route("198.51.100.7/32")).local_pref == 0
    assert not [event for event in inner.events if isinstance(event, Ended)]
