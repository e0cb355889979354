"""Endpoints that come and go, with `externalTrafficPolicy` Local and Cluster, and nodes that are left out."""

import time

import pytest

from tests.netns.observer import A_BLINK, Observer
from tests.netns.site import EXCLUDE, NODES, Site, until


async def silent(site: Site, observer: Observer, address: str) -> None:
    """Until nobody says that it announces an address, and nobody answers for it."""
    await until(lambda: not site.owners(address), "nobody announces it")
    await until(lambda: not observer.owners(address, questions=5), "nobody answers for it")


def declined(site: Site, node: str) -> dict[str, str]:
    """Why a node does not announce Services, by name."""
    return {row["service"]: row["reason"] for row in site.status(node)["declined"]}


async def test_local_traffic_follows_its_endpoints(site: Site) -> None:
    addresses = site.address("n1", "n2"), site.address("n1", "n2", family=6)
    names = [await site.serve(a, on=["n2"], externalTrafficPolicy="Local") for a in addresses]
    async with Observer(site.lab, addresses) as observer:
        since = time.monotonic()
        for address in addresses:
            await observer.one(address, "n2")
        for nodes, owner in ((["n2", "n3"], "n2"), (["n3"], "n3"), (["n3", "n1"], "n1")):
            for name in names:
                site.endpoints(name, nodes)
            for address in addresses:
                await observer.one(address, owner)
                assert await observer.silence(address, since) < A_BLINK
        for name in names:
            site.endpoints(name, [])
        for address in addresses:
            await silent(site, observer, address)
        for name in names:
            site.endpoints(name, ["n2"])
        for address in addresses:
            await observer.one(address, "n2")


async def test_cluster_traffic_is_announced_wherever_the_endpoints_are(site: Site) -> None:
    address = site.address("n1", "n3")
    name = await site.serve(address, on=["n2"])
    async with Observer(site.lab, [address]) as observer:
        await observer.one(address, "n1")
        since = time.monotonic()
        site.endpoints(name, ["n3"])
        # Whoever serves this has seen that.
        await site.serve(site.address("n1"))
        assert await observer.silence(address, since) < A_BLINK
        assert observer.everyone(address, since) == {"n1"}
        site.endpoints(name, [])
        await silent(site, observer, address)
        await until(lambda: declined(site, "n1").get(f"shop/{name}") == "notOwner", "n1 says why")


@pytest.mark.parametrize("policy", ["Local", "Cluster"])
async def test_an_excluded_node_announces_nothing_whatever_its_endpoints(site: Site, policy: str) -> None:
    address = site.address("n1", "n2", "n3")
    site.node("n1", labels={EXCLUDE: ""})
    await site.serve(address, on=NODES, externalTrafficPolicy=policy)
    async with Observer(site.lab, [address]) as observer:
        await observer.one(address, "n2")
        site.node("n2", labels={EXCLUDE: ""})
        await observer.one(address, "n3")
        site.node("n3", labels={EXCLUDE: ""})
        await silent(site, observer, address)
        site.node("n1")
        await observer.one(address, "n1")


async def test_a_deleted_service_is_answered_for_by_nobody(site: Site) -> None:
    addresses = site.address("n1"), site.address("n1", family=6)
    names = [await site.serve(address) for address in addresses]
    async with Observer(site.lab, addresses) as observer:
        for name, address in zip(names, addresses, strict=True):
            await observer.one(address, "n1")
            site.delete(name)
            await silent(site, observer, address)
