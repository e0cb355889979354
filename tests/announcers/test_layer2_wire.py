"""The announcer among real kernels: whose MAC is in the client's neighbour cache, and who is told what."""

import pytest

from reconciler.announcers.port import ReportKind
from reconciler.cli.lab import Lab
from reconciler.l2 import arp, ndp
from reconciler.l2.port import ClaimKind
from reconciler.model.settings import AnnouncementSettings, OnConflict
from tests.announcers.listening_port import octets
from tests.announcers.wire import Speaker, answer, cached, resolve, seen, send_frame

V4, V6 = "192.0.2.100", "2001:db8::100"
ONCE = AnnouncementSettings(gratuitous_duration=0.0, refresh_interval=0.0)
BOTH = pytest.mark.parametrize("address", [V4, V6])


@pytest.fixture
def lab_hosts() -> tuple[str, ...]:
    return "n1", "n2", "host", "client"


async def in_cache(lab: Lab, address: str, host_mac: str) -> None:
    """Wait until the client's kernel has this MAC for an address."""
    await seen(lambda: cached(lab, address) == host_mac)


def give(lab: Lab, address: str) -> None:
    """A kernel on the network has the address from now on."""
    lab.run("host", "ip", "addr", "add", f"{address}/{64 if ':' in address else 24}", "dev", "eth0", "nodad")


def take_away(lab: Lab, address: str) -> None:
    lab.run("host", "ip", "addr", "del", f"{address}/{64 if ':' in address else 24}", "dev", "eth0")


def claim(lab: Lab, address: str) -> None:
    """A host announces that it has the address."""
    mac = bytes.fromhex(lab.mac("host").replace(":", ""))
    announced = octets(address)
    frame = ndp.unsolicited(mac, announced, source=None) if ":" in address else arp.gratuitous_request(mac, announced)
    send_frame(lab, "host", frame)


@BOTH
async def test_the_clients_cache_follows_a_take_over(lab: Lab, address: str) -> None:
    async with Speaker(lab, "n1") as first, Speaker(lab, "n2") as second:
        await first.announce(address)
        resolve(lab, address)
        await in_cache(lab, address, lab.mac("n1"))
        # At once, within the second in which a neighbour ignores what looks like an ordinary answer.
        await second.announce(address)
        await first.withdraw(address)
        await in_cache(lab, address, lab.mac("n2"))
        await first.announce(address)
        await second.withdraw(address)
        await in_cache(lab, address, lab.mac("n1"))


@BOTH
async def test_an_address_that_a_host_has_is_not_announced_until_it_is_free(lab: Lab, address: str) -> None:
    give(lab, address)
    async with Speaker(lab, "n1") as speaker:
        await speaker.announce(address, is_new=True)
        await seen(lambda: speaker.has_reported(ReportKind.IN_USE))
        assert speaker.reported(ReportKind.IN_USE).mac == lab.mac("host")
        resolve(lab, address)
        await in_cache(lab, address, lab.mac("host"))
        # Asked again, it still answers.
        before = len(speaker.claims)
        speaker.skip(10.0)
        await seen(lambda: len(speaker.claims) > before)
        speaker.skip(1.0)
        assert speaker.standing() == "in-use"
        take_away(lab, address)
        speaker.skip(10.0)
        speaker.skip(1.0)
        assert speaker.has_reported(ReportKind.FREE_AGAIN)
        await in_cache(lab, address, lab.mac("n1"))


@BOTH
async def test_a_new_address_that_nobody_has_is_announced(lab: Lab, address: str) -> None:
    async with Speaker(lab, "n1") as speaker:
        await speaker.announce(address, is_new=True)
        assert speaker.standing() == "probing"
        await seen(lambda: speaker.has_reported(ReportKind.ANNOUNCED))
        assert await answer(lab, address) == lab.mac("n1")
        await speaker.withdraw(address)
        assert await answer(lab, address) is None


@BOTH
async def test_a_host_that_claims_it_later_does_not_keep_the_clients(lab: Lab, address: str) -> None:
    # It says it once: what the client hears next is the defence.
    async with Speaker(lab, "n1", ONCE) as speaker:
        await speaker.announce(address)
        resolve(lab, address)
        await in_cache(lab, address, lab.mac("n1"))
        claim(lab, address)
        await seen(lambda: speaker.has_reported(ReportKind.CLAIMED))
        assert speaker.reported(ReportKind.CLAIMED).mac == lab.mac("host")
        await in_cache(lab, address, lab.mac("n1"))
        # A second one soon after has the last word only until we may speak again.
        claim(lab, address)
        await in_cache(lab, address, lab.mac("host"))
        speaker.skip(10.0)
        await in_cache(lab, address, lab.mac("n1"))


@BOTH
async def test_with_yield_a_host_that_insists_gets_it(lab: Lab, address: str) -> None:
    async with Speaker(lab, "n1", AnnouncementSettings(on_conflict=OnConflict.YIELD)) as speaker:
        await speaker.announce(address)
        give(lab, address)
        claim(lab, address)
        await seen(lambda: speaker.has_reported(ReportKind.CLAIMED))
        speaker.skip(1.0)
        claim(lab, address)
        await seen(lambda: speaker.has_reported(ReportKind.YIELDED))
        resolve(lab, address)
        await in_cache(lab, address, lab.mac("host"))
        speaker.skip(5.0)
        assert cached(lab, address) == lab.mac("host")


async def test_a_host_that_asks_whether_an_ipv4_address_is_free_hears_that_it_is_not(lab: Lab) -> None:
    async with Speaker(lab, "n1") as speaker:
        await speaker.announce(V4)
        printed = lab.run("host", "arping", "-D", "-c", "1", "-w", "2", "-I", "eth0", V4, check=False)
        assert "Received 1 response" in printed
        await seen(lambda: speaker.has_reported(ReportKind.CLAIMED))
        assert speaker.claims[0].kind is ClaimKind.ARP_PROBE


async def test_a_kernel_that_detects_duplicates_does_not_take_an_ipv6_address(lab: Lab) -> None:
    async with Speaker(lab, "n1") as speaker:
        await speaker.announce(V6)
        lab.run("host", "sysctl", "-qw", "net.ipv6.conf.all.accept_dad=1", "net.ipv6.conf.eth0.accept_dad=1")
        lab.run("host", "ip", "addr", "add", f"{V6}/64", "dev", "eth0")
        await seen(lambda: "dadfailed" in lab.run("host", "ip", "-6", "addr", "show", "dev", "eth0"))
        await seen(lambda: speaker.has_reported(ReportKind.CLAIMED))
        assert speaker.claims[0].kind is ClaimKind.DAD_SOLICITATION


@BOTH
async def test_an_owner_whose_cable_is_back_wins_the_clients_again(lab: Lab, address: str) -> None:
    # Each says it once: what wins the clients in the end can only come from the cable.
    async with Speaker(lab, "n1", ONCE) as first, Speaker(lab, "n2", ONCE) as second:
        await first.announce(address)
        resolve(lab, address)
        await in_cache(lab, address, lab.mac("n1"))
        lab.cut("n1")
        await second.announce(address)
        await in_cache(lab, address, lab.mac("n2"))
        # Both agree that the second goes; nobody told the first that the clients had left it.
        await second.withdraw(address)
        lab.restore("n1")
        await in_cache(lab, address, lab.mac("n1"))


@BOTH
async def test_a_link_that_gets_another_mac_tells_the_clients(lab: Lab, address: str) -> None:
    async with Speaker(lab, "n1", ONCE) as speaker:
        await speaker.announce(address)
        resolve(lab, address)
        await in_cache(lab, address, lab.mac("n1"))
        lab.run("n1", "ip", "link", "set", "eth0", "address", "02:00:00:00:00:77")
        await in_cache(lab, address, "02:00:00:00:00:77")


async def test_what_lingers_is_answered_and_leaves_the_cache_to_the_successor(lab: Lab) -> None:
    async with Speaker(lab, "n1") as first, Speaker(lab, "n2") as second:
        await first.announce(V4)
        resolve(lab, V4)
        await in_cache(lab, V4, lab.mac("n1"))
        first.announcer.linger([first.announcer.announced()[0].address])
        assert await answer(lab, V4) == lab.mac("n1")
        await second.announce(V4)
        await in_cache(lab, V4, lab.mac("n2"))
        first.announcer.again()
        first.skip(5.0)
        await first.withdraw(V4)
        assert cached(lab, V4) == lab.mac("n2")
