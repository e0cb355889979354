"""Another host with an address of ours: what the announcer asks of its links, and what it reports."""

import asyncio
from collections.abc import Callable

import pytest

from reconciler.announcers.port import ReportKind
from reconciler.l2.port import ClaimKind
from reconciler.model.announcements import Active
from reconciler.model.observed import NodeName
from reconciler.model.settings import AnnouncementSettings, OnConflict
from tests.announcers.listening_port import Network, announcement, changed, link

V4, V6 = "192.0.2.100", "2001:db8::100"
ETH0, ETH1 = link("eth0"), link("eth1")
ONCE = AnnouncementSettings(gratuitous_duration=0.0, refresh_interval=0.0)
YIELD = AnnouncementSettings(gratuitous_duration=0.0, refresh_interval=0.0, on_conflict=OnConflict.YIELD)
MEMBER = bytes.fromhex("02000000000b")
MEMBERS = {MEMBER: NodeName("worker-2")}


async def owner(settings: AnnouncementSettings = ONCE) -> Network:
    """Somebody who has announced an address for a while."""
    network = Network(ETH0, settings=settings)
    await network.announce(V4)
    network.wait(100.0)
    network.said()
    network.told()
    return network


@pytest.mark.parametrize("address", [V4, V6])
async def test_a_new_address_is_probed_on_every_link_before_it_is_announced(address: str) -> None:
    network = Network(ETH0, ETH1, settings=ONCE)
    await network.announce(address, is_new=True)
    assert network.said() == [("eth0", f"probe {address}"), ("eth1", f"probe {address}")]
    assert (network.answering(address), network.watching(address)) == ([], ["eth0", "eth1"])
    assert network.facts() == [(address, "probing", "")]
    assert network.announcer.active() == Active(frozenset({announcement(address)}))
    network.wait(0.014)
    assert (network.said(), network.told()) == ([], [])
    network.wait(0.001)
    assert (network.answering(address), network.watching(address)) == (["eth0", "eth1"], [])
    assert {what for _, what in network.said()} == {f"announce {address}"}
    assert network.told() == [(ReportKind.ANNOUNCED, address)]


async def test_an_address_in_use_is_not_announced_until_it_is_free() -> None:
    network = Network(ETH0, settings=ONCE)
    await network.announce(V4, is_new=True)
    network.claim(V4)
    (report,) = network.reports
    assert (report.kind, report.mac, report.interface) == (ReportKind.IN_USE, "02:00:00:00:00:99", "eth0")
    assert "192.0.2.100 is not announced: the host 02:00:00:00:00:99 uses it" in report.message
    network.told()
    network.said()
    network.wait(9.9)
    assert (network.answering(V4), network.watching(V4), network.said()) == ([], ["eth0"], [])
    network.wait(0.1)
    assert network.said() == [("eth0", f"probe {V4}")]
    network.wait(1.0)
    assert network.answering(V4) == ["eth0"]
    assert network.said() == [("eth0", f"announce {V4}")] * 2
    assert network.told() == [(ReportKind.FREE_AGAIN, V4), (ReportKind.ANNOUNCED, V4)]


async def test_an_answer_that_comes_late_withdraws_it() -> None:
    network = Network(ETH0, settings=AnnouncementSettings())
    await network.announce(V4, is_new=True)
    network.wait(0.5)
    network.told()
    network.said()
    network.claim(V4)
    assert network.answering(V4) == []
    assert network.watching(V4) == ["eth0"]
    assert "is withdrawn" in network.reports[0].message
    assert network.told() == [(ReportKind.IN_USE, V4)]
    assert announcement(V4).address.packed not in network.announcer.announced_octets
    (fact,) = network.announcer.announced()
    assert (fact.standing, fact.mac, fact.interfaces) == ("in-use", "02:00:00:00:00:99", ())
    network.wait(9.0)
    assert network.said() == []


async def test_an_address_that_is_withdrawn_while_it_is_probed_is_forgotten() -> None:
    network = Network(ETH0)
    await network.announce(V4, is_new=True)
    await network.withdraw(V4)
    assert network.watching(V4) == []
    network.said()
    network.wait(100.0)
    assert (network.said(), network.told(), network.announcer.deadline()) == ([], [], None)


async def test_a_link_that_appears_while_it_is_probed_is_asked_too() -> None:
    network = Network(ETH0, settings=ONCE)
    await network.announce(V4, is_new=True)
    network.said()
    network.set_links(ETH0, ETH1)
    assert network.said() == [("eth1", f"probe {V4}")]
    network.claim(V4, on="eth1")
    assert network.watching(V4) == ["eth0", "eth1"]
    network.set_links(ETH0, ETH1, link("eth2"))
    assert network.watching(V4) == ["eth0", "eth1", "eth2"]
    assert network.answering(V4) == []


async def test_links_that_come_and_go_do_not_make_an_address_in_use_ours() -> None:
    network = Network(ETH0, settings=ONCE)
    await network.announce(V4)
    network.wait(0.1)
    network.set_links()
    network.set_links(ETH0)
    assert network.answering(V4) == ["eth0"]
    await network.announce(V6, is_new=True)
    network.claim(V6)
    network.said()
    network.set_links()
    network.set_links(ETH0)
    assert network.answering(V6) == []
    assert ("eth0", f"probe {V6}") in network.said()


async def test_a_claim_is_defended_on_every_link_once_in_the_interval() -> None:
    network = Network(ETH0, ETH1, settings=ONCE)
    await network.announce(V4)
    network.said()
    network.told()
    network.claim(V4, on="eth1")
    assert network.said() == [(name, f"announce {V4}") for name in ("eth0", "eth0", "eth1", "eth1")]
    (report,) = network.reports
    assert (report.kind, report.mac, report.member, report.interface) == (
        ReportKind.CLAIMED,
        "02:00:00:00:00:99",
        None,
        "eth1",
    )
    network.told()
    network.claim(V4)
    assert (network.said(), network.told()) == ([], [])
    network.wait(10.0)
    assert len(network.said()) == 4
    assert network.told() == [(ReportKind.CLAIMED, V4)]
    network.wait(100.0)
    assert network.told() == [(ReportKind.CLAIM_OVER, V4)]
    assert network.answering(V4) == ["eth0", "eth1"]


@pytest.mark.parametrize("kind", [ClaimKind.ARP_PROBE, ClaimKind.DAD_SOLICITATION])
async def test_a_probe_of_what_we_own_is_reported_and_not_defended(kind: ClaimKind) -> None:
    network = await owner(YIELD)
    for _ in range(3):
        network.claim(V4, kind=kind)
    assert network.said() == []
    assert "wants 192.0.2.100" in network.reports[0].message
    assert network.told() == [(ReportKind.CLAIMED, V4)]
    assert network.answering(V4) == ["eth0"]


async def test_with_yield_it_is_given_up_and_taken_back_when_it_is_free() -> None:
    network = await owner(YIELD)
    network.claim(V4)
    network.wait(1.0)
    network.told()
    network.claim(V4)
    assert (network.answering(V4), network.watching(V4)) == ([], ["eth0"])
    assert network.told() == [(ReportKind.YIELDED, V4)]
    assert network.facts() == [(V4, "yielded", "")]
    network.wait(11.0)
    assert network.told() == [(ReportKind.FREE_AGAIN, V4), (ReportKind.ANNOUNCED, V4)]


async def test_our_own_other_link_is_no_other_host() -> None:
    network = Network(ETH0, ETH1, settings=ONCE)
    await network.announce(V4)
    network.said()
    network.told()
    network.claim(V4, mac=ETH1.mac, on="eth0")
    assert (network.said(), network.told()) == ([], [])


async def test_a_member_is_told_apart_and_tolerated_for_a_moment() -> None:
    network = await owner(YIELD)
    network.announcer.members_known(MEMBERS)
    network.claim(V4, mac=MEMBER)
    network.wait(2.0)
    network.claim(V4, mac=MEMBER)
    assert (network.said(), network.told()) == ([], [])
    network.wait(2.0)
    network.claim(V4, mac=MEMBER)
    (report,) = network.reports
    assert (report.kind, report.member) == (ReportKind.CLAIMED, "worker-2")
    assert "the node worker-2 (02:00:00:00:00:0b) still claims" in report.message
    assert "another speaker on that node, such as MetalLB's" in report.message
    network.wait(1.0)
    network.claim(V4, mac=MEMBER)
    assert network.answering(V4) == ["eth0"]
    (fact,) = network.announcer.announced()
    assert (fact.mac, fact.member) == ("02:00:00:00:00:0b", "worker-2")


async def test_a_member_that_left_is_still_known_when_it_comes_back() -> None:
    network = await owner()
    network.announcer.members_known(MEMBERS)
    network.announcer.members_known({})
    network.claim(V4, mac=MEMBER)
    assert (network.said(), network.told()) == ([], [])


async def test_members_that_are_remembered_are_few() -> None:
    network = await owner()
    network.announcer.members_known(MEMBERS)
    for number in range(5):
        macs = {(number * 1000 + last).to_bytes(6, "big"): NodeName("n") for last in range(1000)}
        network.announcer.members_known(macs)
    network.claim(V4, mac=MEMBER)
    assert network.told() == [(ReportKind.CLAIMED, V4)]


async def test_what_a_member_answers_is_no_reason_not_to_announce() -> None:
    network = Network(ETH0, settings=ONCE)
    network.announcer.members_known(MEMBERS)
    await network.announce(V4, is_new=True)
    network.claim(V4, mac=MEMBER)
    network.wait(0.015)
    assert network.answering(V4) == ["eth0"]


async def test_what_turns_out_to_be_a_members_is_announced() -> None:
    network = Network(ETH0, settings=ONCE)
    await network.announce(V4, is_new=True)
    network.claim(V4, mac=MEMBER)
    network.told()
    network.announcer.members_known(MEMBERS)
    assert network.answering(V4) == ["eth0"]
    assert network.told() == [(ReportKind.FREE_AGAIN, V4), (ReportKind.ANNOUNCED, V4)]


async def test_while_it_lingers_the_successor_is_let_alone() -> None:
    network = await owner()
    network.announcer.members_known(MEMBERS)
    network.announcer.linger([announcement(V4).address])
    for _ in range(20):
        network.claim(V4, mac=MEMBER)
        network.wait(1.0)
    assert (network.said(), network.told()) == ([], [])
    network.claim(V4)
    assert network.said() == []
    assert network.told() == [(ReportKind.CLAIMED, V4)]


async def test_a_claim_of_what_is_not_ours_any_more_is_nothing() -> None:
    network = await owner()
    await network.withdraw(V4)
    network.told()
    network.claim(V4)
    assert network.told() == []


# The timer.


async def seen(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def test_run_does_what_is_due_also_what_was_asked_for_while_it_slept() -> None:
    network = Network(ETH0, settings=ONCE, clock=asyncio.get_running_loop().time)
    running = asyncio.create_task(network.announcer.run())
    try:
        for _ in range(10):
            await asyncio.sleep(0)
        # Nothing was due, so it sleeps without end.
        await network.announce(V4, is_new=True)
        await seen(lambda: network.answering(V4) == ["eth0"])
        network.announcer.settings_changed(AnnouncementSettings(gratuitous_interval=0.1))
        network.said()
        network.set_links(changed(ETH0, mac=bytes((2, 0, 0, 0, 9, 9))))
        await seen(lambda: len(network.ports["eth0"].sent) >= 6)
    finally:
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_run_sleeps_while_nothing_is_due() -> None:
    asked = 0

    def clock() -> float:
        nonlocal asked
        asked += 1
        return 1000.0

    network = Network(ETH0, settings=ONCE, clock=clock)
    await network.announce(V4)
    asked = 0
    running = asyncio.create_task(network.announcer.run())
    for _ in range(100):
        await asyncio.sleep(0)
    assert asked <= 2
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
