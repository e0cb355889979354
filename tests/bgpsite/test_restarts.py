"""Speakers that end, in order or not, and come back: what becomes of their routes, and of the traffic."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from tests.bgpsite.configuration import BIRD, FRR, configuration
from tests.bgpsite.flows import Flows, serving
from tests.bgpsite.site import CLIENT, ROUTERS, BGPSite, host_prefix
from tests.netns.site import NODES, until

GRACEFUL_SHUTDOWN = "65535:0"
_PAUSE = 0.02


@dataclass(frozen=True)
class Sight:
    """What a router has of one node at a time, and whether its kernel sends packets there."""

    is_there: bool
    is_told_to_go: bool
    is_used: bool


class Sights:
    """Of one address and one node at both routers; each is written down when it differs from the one before."""

    def __init__(self, site: BGPSite, node: str, address: str) -> None:
        self._site, self._node, self._address = site, node, address
        self.of: dict[str, list[Sight]] = {router: [] for router in ROUTERS}

    def look(self) -> None:
        for router, seen in self.of.items():
            route = self._site.routes(router, host_prefix(self._address)).get(self._node)
            is_told_to_go = route is not None and GRACEFUL_SHUTDOWN in route.communities
            sight = Sight(route is not None, is_told_to_go, self._node in self._site.next_hops(router, self._address))
            if not seen or seen[-1] != sight:
                seen.append(sight)

    async def follow(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(_PAUSE)


@asynccontextmanager
async def watched(site: BGPSite, node: str, addresses: Sequence[str]) -> AsyncIterator[Sights]:
    """Look at both routers for as long as the block runs, the first time and the last time included."""
    sights = Sights(site, node, addresses[0])
    sights.look()
    following = asyncio.create_task(sights.follow())
    try:
        yield sights
    finally:
        following.cancel()
        await asyncio.wait({following})
        sights.look()


@pytest.mark.parametrize("keeper", ROUTERS)
async def test_routes_of_a_speaker_that_ends(shared_site: BGPSite, keeper: str) -> None:
    """The keeper has agreed on graceful restart, and has BFD; the other router has neither of them."""
    site, other = shared_site, BIRD if keeper == FRR else FRR
    changes: dict[str, dict[str, object]] = {keeper: {"bfdProfile": "steady"}, other: {"enableGracefulRestart": None}}
    drain = {"bgp": {"drain": {"wait": "2s"}}}
    await site.settled(configuration(site.peers(**changes), settings=drain))
    await site.sessions(names=(keeper,), bfd="up", gracefulRestart=True)
    await site.sessions(names=(other,), bfd=None, gracefulRestart=False)
    addresses = site.vip(), site.vip(6)
    await site.served(*addresses)
    site.lead(keeper, *addresses)
    with serving(site.lab, NODES):
        async with Flows(site.lab.namespace(CLIENT), addresses) as flows:
            since = time.monotonic()
            async with watched(site, "n3", addresses) as sights:
                await site.stop("n3")
                await site.heard(addresses, {"n1", "n2"}, (other,))
            has_left_in_order(sights, keeper, other)
            end = site.lab.address("n3")
            await until(lambda: "the speaker of node n3 ends" in site.routers[other].session(end).said, "it said why")
            await comes_back(site, addresses, keeper)
            async with watched(site, "n3", addresses) as sights:
                site.kill("n3")
                await site.heard(addresses, {"n1", "n2"}, (other,))
            assert sights.of[keeper] == [Sight(is_there=True, is_told_to_go=False, is_used=True)]
            assert not any(sight.is_told_to_go for sight in sights.of[other])
            await comes_back(site, addresses, keeper)
            assert set(flows.spread(since)[addresses[0]]) == set(NODES)
            assert await flows.lost(since) == 0


def has_left_in_order(sights: Sights, keeper: str, other: str) -> None:
    there = Sight(is_there=True, is_told_to_go=False, is_used=True)
    assert sights.of[keeper] == [there]
    seen = sights.of[other]
    assert seen[0] == there
    assert seen[-1] == Sight(is_there=False, is_told_to_go=False, is_used=False)
    # What BIRD does with the community is up to its filters. FRR uses the others at once.
    assert {sight.is_used for sight in seen if sight.is_told_to_go} >= {other == BIRD}


async def comes_back(site: BGPSite, addresses: Sequence[str], keeper: str) -> None:
    """Start the speaker, and wait until both routers have the routes from itself."""
    async with watched(site, "n3", addresses) as sights:
        site.start("n3")
        await site.sessions()
        await site.sessions(names=(keeper,), bfd="up")
        await site.heard(addresses, NODES)
        await until(lambda: not is_stale(site, addresses), "no route is stale")
    assert sights.of[keeper] == [Sight(is_there=True, is_told_to_go=False, is_used=True)]


def is_stale(site: BGPSite, addresses: Sequence[str]) -> bool:
    """Whether FRR still has one of them from before; BIRD does not tell."""
    return any(site.routes(FRR, host_prefix(address))["n3"].is_stale for address in addresses)
