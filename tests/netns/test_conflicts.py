"""Other hosts with an address of ours: before it is announced, afterwards, and on a node of our own."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from reconciler.l2 import ndp
from tests.l2.addresses import ip, mac
from tests.l2.questions import arp_packet
from tests.netns.observer import A_BLINK, Observer, cached, send_frame
from tests.netns.site import NETWORK4, NETWORK6, Site, configuration, until

# Seconds. For one an answer withdraws a new address, because nobody uses it yet; for half of one two claims are one. A
# busy machine makes more of it.
WATCHED = 2.0
MOMENT = 1.0


def claim(site: Site, address: str, host: str) -> None:
    """A host says that an address is its own: by a gratuitous ARP request, or an unsolicited advertisement."""
    octets, hardware = ip(address), mac(site.lab.mac(host))
    if len(octets) == 4:
        frame = arp_packet(octets, sender=octets, sender_mac=hardware)
    else:
        frame = ndp.unsolicited(hardware, octets, source=None)
    send_frame(site.lab, host, frame)


def conflict(site: Site, node: str, address: str) -> dict[str, object]:
    """What the node's status says of it; empty where it says nothing."""
    rows = site.status(node).get("conflicts", ())
    return next((row for row in rows if row["address"] == address), {})


def states(site: Site, node: str, addresses: tuple[str, ...]) -> set[str | None]:
    """What a node says of these."""
    return {site.state(node, address) for address in addresses}


def told(site: Site, name: str, reason: str) -> Callable[[], str]:
    """The message of the last Event of that reason about a Service, empty where there is none."""
    return lambda: next((message for found, message in reversed(site.events(name)) if found == reason), "")


@contextmanager
def held_by_a_stranger(site: Site) -> Iterator[tuple[str, str]]:
    """An address of either family that n1 wins, and that another host has; or has had, when it gives them back."""
    addresses = site.address("n1", "n2"), site.address("n1", "n2", family=6)
    site.burn(*addresses)
    for address in addresses:
        site.lab.run("stranger", "ip", "addr", "add", address, "dev", "eth0", "nodad")
    try:
        yield addresses
    finally:
        give_back(site)


def give_back(site: Site) -> None:
    """The other host has none of our addresses any more."""
    site.lab.run("stranger", "ip", "-4", "addr", "flush", "to", NETWORK4, "dev", "eth0", check=False)
    site.lab.run("stranger", "ip", "-6", "addr", "flush", "to", NETWORK6, "dev", "eth0", check=False)
    site.lab.run("stranger", "ip", "addr", "replace", f"{site.lab.address('stranger')}/24", "dev", "eth0")


async def test_what_a_host_has_is_not_announced_before_it_is_free(site: Site) -> None:
    with held_by_a_stranger(site) as addresses:
        async with Observer(site.lab, addresses) as observer:
            for address in addresses:
                await observer.one(address, "stranger")
            names = [site.create(address) for address in addresses]
            for name, address in zip(names, addresses, strict=True):
                await until(lambda: site.state("n1", address) == "in-use", "it is found in use")  # noqa: B023
                message = await until(told(site, name, "AddressInUse"), "an Event says so")
                assert site.lab.mac("stranger") in message
                found = conflict(site, "n1", address)
                assert (found["mac"], found["member"]) == (site.lab.mac("stranger"), None)
                # A host that is busy may answer the probe too late; then it is heard a moment later.
                assert observer.division(address) < MOMENT
            assert site.roles["n1"].metric("lb_reconciler_conflicts") == 2
            give_back(site)
            for name, address in zip(names, addresses, strict=True):
                await observer.one(address, "n1")
                await until(told(site, name, "AddressFree"), "an Event says that it is free")
                assert conflict(site, "n1", address) == {}


async def test_what_a_host_has_is_not_announced_by_whoever_comes_next(site: Site) -> None:
    with held_by_a_stranger(site) as addresses:
        async with Observer(site.lab, addresses) as observer:
            for address in addresses:
                site.create(address)
            await until(lambda: states(site, "n1", addresses) == {"in-use"}, "n1 finds them in use")
            site.kill("n1")
            await until(lambda: states(site, "n2", addresses) == {"in-use"}, "n2 finds them in use")
            site.start("n1")
            await until(lambda: states(site, "n1", addresses) == {"in-use"}, "n1 finds them in use again")
            for address in addresses:
                assert observer.division(address) < MOMENT


@pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
async def test_a_host_that_claims_an_address_later_does_not_get_it(site: Site, family: int) -> None:
    address = site.address("n1", family=family)
    name = await site.serve(address)
    # A client that is answered nothing by the node, but knows where to send.
    site.lab.run("client", "ping", "-c", "1", "-W", "1", address, check=False)
    await until(lambda: cached(site.lab, address) == "n1", "the client knows the owner")
    await asyncio.sleep(WATCHED)
    async with Observer(site.lab, [address]) as observer:
        since = time.monotonic()
        claim(site, address, "stranger")
        message = await until(told(site, name, "AddressConflict"), "an Event says so")
        assert site.lab.mac("stranger") in message
        await until(lambda: cached(site.lab, address) == "n1", "the client believes the owner")
        found = conflict(site, "n1", address)
        assert (found["mac"], found["interface"]) == (site.lab.mac("stranger"), "eth0")
        assert site.state("n1", address) == "announced"
        await observer.one(address, "n1")
        assert await observer.silence(address, since) < A_BLINK


async def test_an_address_is_given_up_where_the_settings_say_so(site: Site) -> None:
    await site.adopt(configuration(settings={"announcements": {"onConflict": "yield"}}))
    addresses = site.address("n1"), site.address("n1", family=6)
    site.burn(*addresses)
    names = [await site.serve(address) for address in addresses]
    await asyncio.sleep(WATCHED)
    async with Observer(site.lab, addresses) as observer:
        for name, address in zip(names, addresses, strict=True):
            claim(site, address, "stranger")
            await until(told(site, name, "AddressConflict"), "the first claim is answered")
            assert site.state("n1", address) == "announced"
            # Two claims within half a second are one.
            await asyncio.sleep(WATCHED)
            claim(site, address, "stranger")
            await until(lambda: site.state("n1", address) == "yielded", "it is given up")  # noqa: B023
            await until(lambda: not observer.owners(address, questions=10), "nobody answers for it")  # noqa: B023
            await until(told(site, name, "AddressYielded"), "an Event says so")


async def test_another_speaker_on_a_node_of_ours_is_told_apart(site: Site) -> None:
    address = site.address("n1")
    name = await site.serve(address)
    # For three seconds after a take-over a member may be handing it over.
    end = time.monotonic() + 10

    def is_reported() -> str:
        claim(site, address, "n2")
        return told(site, name, "AddressConflict")()

    message = await until(is_reported, "an Event says so", patience=end - time.monotonic())
    assert "n2" in message
    assert "MetalLB" in message
    assert conflict(site, "n1", address)["member"] == "n2"
    assert site.owners(address) == ["n1"]
