"""What the kernel of a client makes of our announcements and answers: the table of its neighbour cache, seen whole."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.announcers.wire import resolve
from tests.l2.addresses import ip, mac
from tests.l2.wire import packet_socket
from tests.netns.observer import OBSERVER, Observer, cached, neighbor
from tests.netns.site import EXCLUDE, Site, until

STATES = ("reachable", "stale", "failed")


async def test_every_entry_of_a_client_follows_a_take_over(site: Site) -> None:
    held = {
        (state, family): site.address("n1", "n3", family=family)
        for state in STATES
        for family in (4, 6)
        # A failed entry for IPv6 is no entry: nothing can be learnt without a question.
        if (state, family) != ("failed", 6)
    }
    for address in held.values():
        await site.serve(address)
    for (state, _), address in held.items():
        # Set at the same moment as another takes over: the kernel believes less of what it hears in the first second.
        link = () if state == "failed" else ("lladdr", site.lab.mac("n1"))
        site.lab.run("client", "ip", "neigh", "replace", address, *link, "dev", "eth0", "nud", state)
    site.node("n1", labels={EXCLUDE: ""})
    for (state, family), address in held.items():
        await until(lambda: cached(site.lab, address) == "n3", f"an entry that was {state} follows, IPv{family}")  # noqa: B023


@pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
async def test_a_client_that_makes_sure_is_answered_without_asking_everybody(site: Site, family: int) -> None:
    address = site.address("n1", family=family)
    await site.serve(address)
    # How long a client waits for a sign of life of another kind, before it asks.
    kind = f"net.ipv{family}.neigh.eth0.delay_first_probe_time"
    site.lab.run("client", "sysctl", "-qw", f"{kind}=0" if family == 4 else f"{kind}=1")
    with packet_socket(site.lab, OBSERVER) as overheard:
        site.lab.run(
            "client", "ip", "neigh", "replace", address, "lladdr", site.lab.mac("n1"), "dev", "eth0", "nud", "stale"
        )
        resolve(site.lab, address)
        await until(lambda: neighbor(site.lab, address)["state"] == "REACHABLE", "it is reachable again")
        assert cached(site.lab, address) == "n1"
        # Whatever reached the observer was for everybody.
        client = mac(site.lab.mac("client"))
        assert not [frame for frame in _frames(overheard) if frame[6:12] == client and ip(address) in frame]


async def test_arping_is_answered(site: Site) -> None:
    v4 = site.address("n1")
    await site.serve(v4)
    upper = site.lab.mac("n1").upper()
    broadcast = await on(site, "arping", "-b", "-c", "2", "-I", "eth0", v4)
    assert broadcast.count(upper) == 2
    unicast = await on(site, "arping", "-c", "2", "-I", "eth0", v4)
    assert unicast.count(upper) == 2
    # A host that would like to have the address learns that it is taken.
    assert upper in await on(site, "arping", "-D", "-c", "1", "-I", "eth0", v4)


async def test_ndisc6_is_answered(site: Site) -> None:
    address = site.address("n1", family=6)
    await site.serve(address)
    assert site.lab.mac("n1").upper() in await on(site, "ndisc6", "-1", "-q", address, "eth0")


async def test_a_client_that_wants_an_address_of_ours_learns_that_it_is_taken(site: Site) -> None:
    address = site.address("n1", family=6)
    await site.serve(address)
    client = site.lab
    client.run("client", "sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=1")
    try:
        client.run("client", "ip", "addr", "add", f"{address}/128", "dev", "eth0")
        await until(
            lambda: "dadfailed" in client.run("client", "ip", "-6", "addr", "show", "dev", "eth0"), "it is refused"
        )
    finally:
        client.run("client", "ip", "addr", "del", f"{address}/128", "dev", "eth0")
        client.run("client", "sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=0")
    async with Observer(site.lab, [address]) as observer:
        await observer.one(address, "n1")


async def on(site: Site, *command: str) -> str:
    """What a command on the client prints, in capitals."""
    return (await asyncio.to_thread(site.lab.run, "client", *command, check=False)).upper()


def _frames(source: socket.socket) -> Iterator[bytes]:
    """What has arrived."""
    source.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            yield source.recv(2048)
