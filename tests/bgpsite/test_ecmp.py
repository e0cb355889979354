"""Clients of an address that all nodes announce: they reach all of them, and none that is gone or drained."""

import asyncio
import time
from collections.abc import Iterable

from tests.bgpsite.configuration import FRR, configuration
from tests.bgpsite.flows import Flows, requested, serving, web
from tests.bgpsite.site import CLIENT, ROUTERS, BGPSite
from tests.netns.site import EXCLUDE, NODES, until

# Three times 300 ms until BFD has noticed, and as long as two busy processors take for the rest. Without BFD it would
# be the hold time, which is a minute.
SOON = 5.0
MAINTENANCE = "example.com/maintenance"


async def spread_over(flows: Flows, nodes: Iterable[str]) -> None:
    """Wait until these nodes have answered every address since now, and assert that no other has."""
    since, wanted = time.monotonic(), set(nodes)
    await until(lambda: all(by >= wanted for by in flows.spread(since).values()), f"{wanted} answer")
    assert all(by == wanted for by in flows.spread(since).values())


async def an_address_of_each(site: BGPSite) -> dict[str, tuple[str, str]]:
    """
    By router, addresses of both families that the client reaches by it, and that all nodes announce.

    Changes of routes cost nothing but for IPv6 at FRR: it deletes a route before it adds the new one.
    """
    found = {router: (site.vip(), site.vip(6)) for router in ROUTERS}
    for router, addresses in found.items():
        site.lead(router, *addresses)
        await site.served(*addresses)
    return found


async def test_flows_use_all_nodes_and_leave_one_that_is_cut_off(site: BGPSite) -> None:
    """
    RFC 5880 to 5882 with 300 ms x 3: nobody may be taken for dead because the machine is busy. What 50 ms x 3 come to
    is measured by `benchmarks/ecmp.py`.
    """
    before = site.connections()
    await site.adopt(configuration(site.peers(frr={"bfdProfile": "steady"}, bird={"bfdProfile": "steady"})))
    await site.sessions(bfd="up")
    assert site.connections() == before
    by_router = await an_address_of_each(site)
    addresses = [address for pair in by_router.values() for address in pair]
    with serving(site.lab, NODES):
        async with web(site.lab, NODES), Flows(site.lab.namespace(CLIENT), addresses) as flows:
            since = time.monotonic()
            await spread_over(flows, NODES)
            for address, _ in by_router.values():
                assert set(await requested(site.lab, CLIENT, address, 60)) == set(NODES)
            assert await flows.lost(since) == 0
            since = time.monotonic()
            await asyncio.to_thread(site.lab.cut, "n2")
            await site.heard(addresses, {"n1", "n3"})
            gone = time.monotonic()
            await spread_over(flows, {"n1", "n3"})
            for loss in (await flows.losses(since)).values():
                assert loss.lost > 0
                assert loss.window < SOON
            site.lab.restore("n2")
            await site.sessions(bfd="up")
            await site.heard(addresses, NODES)
            await spread_over(flows, NODES)
            assert await flows.lost(gone, by_router[FRR][1]) == 0


async def test_a_drained_node_is_left_without_loss(site: BGPSite) -> None:
    await site.adopt(configuration(site.peers(), settings={"drain": {"taints": [MAINTENANCE]}}))
    by_router = await an_address_of_each(site)
    addresses = [address for pair in by_router.values() for address in pair]
    drains: dict[str, dict[str, object]] = {
        "n1": {"labels": {EXCLUDE: ""}},
        "n3": {"taints": [{"key": MAINTENANCE, "effect": "NoSchedule"}]},
    }
    before = site.connections()
    with serving(site.lab, NODES):
        async with Flows(site.lab.namespace(CLIENT), addresses) as flows:
            since = time.monotonic()
            await spread_over(flows, NODES)
            for node, change in drains.items():
                others = set(NODES) - {node}
                site.node(node, **change)
                await site.heard(addresses, others)
                await spread_over(flows, others)
                site.node(node)
                await site.heard(addresses, NODES)
            assert await flows.lost(since, by_router[FRR][1]) == 0
    assert site.connections() == before
