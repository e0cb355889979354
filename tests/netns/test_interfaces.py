"""Interfaces that are selected, excluded, appear, vanish, change their name or their MAC, and lose their carrier."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from tests.netns.observer import A_BLINK, OBSERVER, Observer, cached
from tests.netns.site import NODES, Site, configuration, until
from tests.netns.traffic import traffic

SECOND = "eth1"
# In seconds: how long members may take until they agree, on a busy machine.
MOMENT = 1.5


@contextmanager
def network(site: Site, *hosts: str) -> Iterator[None]:
    """A second network: `eth1` on each of these hosts."""
    lab = site.lab
    lab.run("switch", "ip", "link", "add", "br1", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
    try:
        lab.run("switch", "ip", "link", "set", "br1", "up")
        for host in hosts:
            add(site, host)
        yield
    finally:
        for host in (*NODES, OBSERVER):
            lab.run("switch", "ip", "link", "del", f"q-{host}", check=False)
        lab.run("switch", "ip", "link", "del", "br1")


@pytest.fixture
async def second(site: Site) -> AsyncIterator[Site]:
    """All nodes have the second network, and use it."""
    with network(site, *NODES, OBSERVER):
        await until(lambda: all(used(site, node, SECOND) for node in NODES), "all have found it")
        yield site


def add(site: Site, host: str, name: str = SECOND) -> None:
    """Plug a host into the second network."""
    ends = ("type", "veth", "peer", "name", f"q-{host}", "netns", site.lab.namespace("switch"))
    site.lab.run(host, "ip", "link", "add", name, "address", second_mac(site, host), *ends)
    site.lab.run("switch", "ip", "link", "set", f"q-{host}", "master", "br1", "up")
    site.lab.run(host, "ip", "link", "set", name, "up")


def second_mac(site: Site, host: str) -> str:
    """What a host has on the second network."""
    return site.lab.mac(host).replace("02:00", "02:01", 1)


def used(site: Site, node: str, name: str) -> bool:
    """Whether a node announces on an interface of this name."""
    return any(row["name"] == name and row["used"] for row in site.status(node).get("links", ()))


def why(site: Site, node: str, name: str) -> str | None:
    """Why a node does not announce there."""
    return next((row["reason"] for row in site.status(node).get("links", ()) if row["name"] == name), None)


async def test_an_interface_that_appears_carries_what_is_announced_already(site: Site) -> None:
    addresses = site.address("n1"), site.address("n1", family=6)
    for address in addresses:
        await site.serve(address)
    with network(site, OBSERVER):
        async with (
            Observer(site.lab, addresses, interface=SECOND) as there,
            Observer(site.lab, addresses) as here,
        ):
            since = time.monotonic()
            add(site, "n1")
            for address in addresses:
                await there.one(address, second_mac(site, "n1"))
                # The first may have gone out before the switch forwarded on the new port.
                await until(partial(there.unasked, address, second_mac(site, "n1")), "it is said unasked")
            # Another MAC: whoever asks is told, and whoever knows is told unasked.
            site.lab.run("n1", "ip", "link", "set", SECOND, "address", "02:02:00:00:00:01")
            for address in addresses:
                await there.one(address, "02:02:00:00:00:01")
                await until(partial(there.unasked, address, "02:02:00:00:00:01"), "it is said unasked again")
            # Another name is another interface to those who select one by name; here none does.
            site.lab.run("n1", "ip", "link", "set", SECOND, "down")
            site.lab.run("n1", "ip", "link", "set", SECOND, "name", "lan7")
            site.lab.run("n1", "ip", "link", "set", "lan7", "up")
            await until(lambda: used(site, "n1", "lan7") and not used(site, "n1", SECOND), "it is known by its name")
            for address in addresses:
                await there.one(address, "02:02:00:00:00:01")
            site.lab.run("n1", "ip", "link", "del", "lan7")
            await until(lambda: why(site, "n1", "lan7") is None and not used(site, "n1", "lan7"), "it is gone")
            for address in addresses:
                await until(lambda: not there.owners(address), "nobody answers there")  # noqa: B023
                await here.one(address, "n1")
                assert await here.silence(address, since) < A_BLINK


async def test_only_a_selected_interface_carries_an_address(second: Site) -> None:
    site = second
    await site.adopt(configuration(advertisement={"interfaces": [SECOND]}))
    addresses = site.address("n1"), site.address("n1", family=6)
    async with (
        Observer(site.lab, addresses, interface=SECOND) as there,
        Observer(site.lab, addresses) as here,
    ):
        for address in addresses:
            await site.serve(address)
            await there.one(address, second_mac(site, "n1"))
        # By name: what has it is what is meant, whatever had it before.
        site.lab.run("n1", "ip", "link", "del", SECOND)
        for address in addresses:
            await until(lambda: site.owners(address) not in ([], ["n1"]), "another node takes over")  # noqa: B023
        add(site, "n1")
        for address in addresses:
            await there.one(address, second_mac(site, "n1"))
            assert here.everyone(address) == set()


async def test_an_excluded_interface_carries_nothing(second: Site) -> None:
    site = second
    addresses = site.address("n1"), site.address("n1", family=6)
    async with (
        Observer(site.lab, addresses, interface=SECOND) as there,
        Observer(site.lab, addresses) as here,
    ):
        for address in addresses:
            await site.serve(address)
            await there.one(address, second_mac(site, "n1"))
        since = time.monotonic()
        await site.adopt(configuration(settings={"announcements": {"excludedInterfaces": ["^lo$", "^eth[1-9]"]}}))
        for address in addresses:
            await until(lambda: not there.owners(address), "nobody answers there")  # noqa: B023
            await here.one(address, "n1")
            assert await here.silence(address, since) < A_BLINK
        assert why(site, "n1", SECOND) == "excluded"


async def test_a_node_whose_selected_interface_has_no_carrier_leaves_the_address_to_another(second: Site) -> None:
    site = second
    await site.adopt(configuration(advertisement={"interfaces": [SECOND]}))
    address = site.address("n1", "n2")
    await site.serve(address)
    async with Observer(site.lab, [address], interface=SECOND) as there:
        await there.one(address, second_mac(site, "n1"))
        site.lab.run("switch", "ip", "link", "set", "q-n1", "down")
        await there.one(address, second_mac(site, "n2"))
        # Nobody has died of it: the group meets elsewhere.
        await site.together()
        site.lab.run("switch", "ip", "link", "set", "q-n1", "up")
        await there.one(address, second_mac(site, "n1"))


async def test_all_links_of_all_nodes_down_and_back(site: Site) -> None:
    addresses = site.address("n1", "n2"), site.address("n2", family=6)
    for address in addresses:
        await site.serve(address)
    async with traffic(site, *addresses) as (_, observer):
        for node in NODES:
            site.lab.cut(node)
        await until(lambda: all(site.knows(node) == {node} for node in NODES), "each is alone")
        assert not any(observer.owners(address) for address in addresses)
        since = time.monotonic()
        for node in NODES:
            site.lab.restore(node)
        for address, owner in zip(addresses, ("n1", "n2"), strict=True):
            await observer.one(address, owner)
            await until(lambda: cached(site.lab, address) == owner, "the client follows")  # noqa: B023
            # The others were looked for before anything was announced.
            assert observer.division(address, since) < MOMENT
        await site.together()
