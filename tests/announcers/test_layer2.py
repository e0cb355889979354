"""Addresses on links: answered for, announced and given back, with ports that are doubles and a clock by hand."""

import asyncio

import pytest

from reconciler.announcers.port import Announcer, ReportKind
from reconciler.l2.port import Counts, Port
from reconciler.model.announcements import Active
from reconciler.model.peers import BGPPeer
from reconciler.model.settings import AnnouncementSettings
from reconciler.plan.actions import Announce, ClosePeer, OpenPeer
from tests.announcers.listening_port import ListeningPort, Network, announcement, changed, link, octets

V4, V6, SECOND = "192.0.2.100", "2001:db8::100", "192.0.2.101"
ETH0, ETH1 = link("eth0"), link("eth1")
ONCE = AnnouncementSettings(gratuitous_duration=0.0, refresh_interval=0.0)


def test_it_is_an_announcer_and_the_double_is_a_port() -> None:
    network = Network(ETH0)
    announcer: Announcer = network.announcer
    port: Port = ListeningPort(ETH0)
    assert announcer.active() == Active()
    assert port.state == ETH0


@pytest.mark.parametrize(
    ("address", "frames"),
    [
        pytest.param(
            "192.168.1.240",
            [
                "ffffffffffff02000000000108060001080006040001020000000001c0a801f0000000000000c0a801f0",
                "ffffffffffff02000000000108060001080006040002020000000001c0a801f0020000000001c0a801f0",
            ],
            id="S-W-06: request form, then reply form with our own MAC for a target",
        ),
    ],
)
async def test_the_frames_of_one_round(address: str, frames: list[str]) -> None:
    network = Network(ETH0)
    await network.announce(address)
    assert [frame.hex() for frame in network.ports["eth0"].sent] == [frame + "00" * 18 for frame in frames]


@pytest.mark.parametrize("address", [V4, V6])
async def test_what_was_announced_before_is_taken_at_once(address: str) -> None:
    network = Network(ETH0, ETH1)
    await network.announce(address)
    # Nothing had to be waited for: both are out when `apply` returns.
    assert network.answering(address) == ["eth0", "eth1"]
    assert {what for _, what in network.said()} == {f"announce {address}"}
    assert network.told() == [(ReportKind.ANNOUNCED, address)]
    assert network.facts() == [(address, "announced", "eth0 eth1")]


async def test_s_w_07_ten_frames_in_five_rounds() -> None:
    network = Network(ETH0, settings=AnnouncementSettings(refresh_interval=0.0))
    await network.announce(V4)
    rounds = {0.0: len(network.said())}
    for tenth in range(1, 200):
        network.wait(0.1)
        if said := network.said():
            rounds[round(tenth * 0.1, 1)] = len(said)
    assert rounds == {0.0: 2, 1.1: 2, 2.2: 2, 3.3: 2, 4.4: 2}
    assert network.announcer.deadline() is None


async def test_the_same_announcement_again_changes_nothing() -> None:
    network = Network(ETH0, settings=ONCE)
    await network.announce(V4, "eth0")
    network.said()
    network.told()
    await network.announce(V4, "eth0")
    network.set_links(ETH0)
    network.announcer.settings_changed(ONCE)
    network.wait(100.0)
    assert network.said() == []
    assert network.told() == []


async def test_a_withdrawn_address_is_silent_at_once() -> None:
    network = Network(ETH0, ETH1)
    await network.announce(V4)
    await network.announce(SECOND)
    network.said()
    network.told()
    await network.withdraw(V4)
    assert network.answering(V4) == []
    assert network.told() == [(ReportKind.WITHDRAWN, V4)]
    network.wait(1000.0)
    assert {what for _, what in network.said()} == {f"announce {SECOND}"}
    assert network.announcer.active() == Active(frozenset({announcement(SECOND)}))


async def test_withdrawing_what_is_not_announced_is_nothing() -> None:
    network = Network(ETH0)
    await network.withdraw(V4)
    assert network.told() == []


async def test_actions_of_other_announcers_are_left_to_them() -> None:
    network = Network(ETH0)
    peer = BGPPeer("tor-a", my_asn=64512)
    await network.announcer.apply(OpenPeer(peer))
    await network.announcer.apply(ClosePeer(peer))
    assert network.announcer.active() == Active()


# Interfaces of an announcement.


async def test_only_the_named_interfaces_answer() -> None:
    network = Network(ETH0, ETH1)
    await network.announce(V4, "eth1", "eth7")
    assert network.answering(V4) == ["eth1"]
    assert {name for name, _ in network.said()} == {"eth1"}
    assert network.facts() == [(V4, "announced", "eth1")]


async def test_s_w_08_of_two_services_the_interfaces_of_the_one_that_stays_go_on() -> None:
    # The plan makes one announcement of both: all interfaces; then, without the first, eth1 only.
    network = Network(ETH0, ETH1, settings=ONCE)
    await network.announce(V4)
    await network.announce("1000::1")
    network.said()
    network.told()
    await network.announce(V4, "eth1")
    await network.withdraw("1000::1")
    assert network.answering(V4) == ["eth1"]
    assert network.answering("1000::1") == []
    # Nothing new was said: eth1 never lost it.
    assert network.said() == []
    assert network.told() == [(ReportKind.WITHDRAWN, "1000::1")]


async def test_an_interface_that_is_added_is_told_alone() -> None:
    network = Network(ETH0, ETH1, settings=ONCE)
    await network.announce(V4, "eth0")
    network.said()
    await network.announce(V4, "eth0", "eth1")
    assert network.answering(V4) == ["eth0", "eth1"]
    assert {name for name, _ in network.said()} == {"eth1"}


async def test_nothing_stale_is_left_when_the_new_interface_does_not_exist() -> None:
    network = Network(ETH0)
    await network.announce(V4, "eth0")
    network.told()
    await network.announce(V4, "eth9")
    assert network.answering(V4) == []
    assert network.told() == [(ReportKind.NO_INTERFACE, V4)]
    assert network.facts() == [(V4, "no-interface", "")]
    network.said()
    network.wait(1000.0)
    assert network.said() == []


async def test_an_interface_that_appears_is_used_by_itself() -> None:
    network = Network(ETH0)
    await network.announce(V4, "eth1")
    assert network.told() == [(ReportKind.NO_INTERFACE, V4)]
    assert network.announcer.active() == Active(frozenset({announcement(V4, ["eth1"])}))
    network.set_links(ETH0, ETH1)
    assert network.answering(V4) == ["eth1"]
    assert ("eth1", f"announce {V4}") in network.said()
    assert network.told() == [(ReportKind.ANNOUNCED, V4)]


async def test_a_link_without_broadcast_carries_ipv6_only() -> None:
    network = Network(link("eth0", has_broadcast=False))
    await network.announce(V4)
    await network.announce(V6)
    assert (network.answering(V4), network.answering(V6)) == ([], ["eth0"])
    assert (ReportKind.NO_INTERFACE, V4) in network.told()


# Links that are open.


async def test_only_links_with_an_address_are_open() -> None:
    network = Network(ETH0, ETH1, settings=ONCE)
    network.wait(100.0)
    assert network.open() == []
    await network.announce(V4, "eth1")
    assert network.open() == ["eth1"]
    network.announcer.links_changed((ETH0, changed(ETH1, mac=bytes((2, 0, 0, 0, 9, 9)))))
    network.wait(100.0)
    assert network.open() == ["eth1"]
    await network.announce(V4, "eth0")
    assert network.open() == ["eth0", "eth1"]
    network.wait(10.0)
    assert network.open() == ["eth0"]
    assert network.announcer.deadline() is None


async def test_an_address_that_comes_and_goes_finds_its_link_open() -> None:
    network = Network(ETH0, settings=ONCE)
    await network.announce(V4)
    port = network.ports["eth0"]
    for _ in range(3):
        await network.withdraw(V4)
        network.wait(9.0)
        await network.announce(V4)
        network.wait(100.0)
    assert network.ports["eth0"] is port
    assert network.open() == ["eth0"]


async def test_what_is_counted_on_a_link_only_grows() -> None:
    network = Network(ETH0, ETH1, settings=ONCE)
    assert network.announcer.counts() == {"eth0": Counts(), "eth1": Counts()}
    for _ in range(2):
        await network.announce(V4, "eth0")
        await network.withdraw(V4)
        network.wait(20.0)
    assert network.open() == []
    assert network.announcer.counts() == {"eth0": Counts(unasked=4), "eth1": Counts()}
    network.set_links(ETH1)
    network.set_links(ETH0, ETH1)
    assert network.announcer.counts() == {"eth0": Counts(), "eth1": Counts()}


async def test_of_many_links_some_are_opened_at_once_and_the_others_soon() -> None:
    network = Network(*(link(f"eth{number}") for number in range(10)), settings=ONCE)
    await network.announce(V4)
    for number in range(10):
        await network.announce(f"192.0.2.{number}", f"eth{number}")
    assert 0 < len(network.open()) < 10
    network.wait(0.2)
    assert network.answering(V4) == network.open() == [f"eth{number}" for number in range(10)]
    assert all(network.answering(f"192.0.2.{number}") == [f"eth{number}"] for number in range(10))
    # That a link was not open yet is nobody's concern.
    assert {kind for kind, _ in network.told()} == {ReportKind.ANNOUNCED}
    assert network.announcer.deadline() is None


async def test_a_link_of_ours_that_is_not_open_is_no_other_host() -> None:
    network = Network(ETH0, ETH1, settings=ONCE)
    await network.announce(V4, "eth0")
    network.told()
    network.claim(V4, mac=ETH1.mac)
    assert network.told() == []


# Links that change.


async def test_a_link_that_vanishes_is_closed_and_the_others_go_on() -> None:
    network = Network(ETH0, ETH1, settings=ONCE)
    await network.announce(V4)
    network.said()
    network.told()
    network.set_links(ETH1)
    assert network.closed[0].state == ETH0
    assert network.answering(V4) == ["eth1"]
    assert (network.said(), network.told()) == ([], [])


async def test_when_the_last_link_vanishes_it_is_reported_and_when_one_is_back_too() -> None:
    network = Network(ETH0, settings=ONCE)
    await network.announce(V4)
    network.told()
    network.set_links()
    assert network.told() == [(ReportKind.NO_INTERFACE, V4)]
    network.set_links(ETH1)
    assert network.told() == [(ReportKind.ANNOUNCED, V4)]
    assert network.answering(V4) == ["eth1"]


@pytest.mark.parametrize(
    ("before", "after", "announces"),
    [
        pytest.param(ETH0, changed(ETH0, mac=bytes((2, 0, 0, 0, 9, 9))), True, id="another MAC"),
        pytest.param(changed(ETH0, has_carrier=False), ETH0, True, id="the carrier is back"),
        pytest.param(ETH0, changed(ETH0, has_carrier=False), False, id="the carrier is lost"),
        pytest.param(ETH0, changed(ETH0, link_local=None), False, id="without link-local address"),
    ],
)
async def test_a_link_that_changes(before: object, after: object, announces: bool) -> None:
    assert isinstance(before, type(ETH0))
    assert isinstance(after, type(ETH0))
    network = Network(before, settings=ONCE)
    await network.announce(V4)
    network.said()
    network.set_links(after)
    assert network.ports["eth0"].state == after
    assert bool(network.said()) == announces


async def test_after_a_change_of_its_mac_a_link_says_the_new_one() -> None:
    network = Network(ETH0, settings=ONCE)
    await network.announce(V4)
    network.said()
    network.set_links(changed(ETH0, mac=bytes((2, 0, 0, 0, 9, 9))))
    assert all(frame[6:12] == bytes((2, 0, 0, 0, 9, 9)) for frame in network.ports["eth0"].sent)


async def test_a_link_that_is_renamed_is_chosen_by_its_new_name() -> None:
    network = Network(ETH0, settings=ONCE)
    await network.announce(V4, "eth0")
    await network.announce(SECOND, "lan0")
    network.said()
    network.set_links(changed(ETH0, name="lan0"))
    assert network.answering(V4) == []
    assert network.answering(SECOND) == ["lan0"]


async def test_a_link_that_cannot_be_opened_is_tried_again() -> None:
    network = Network(settings=ONCE)
    network.refused.add("eth0")
    network.set_links(ETH0)
    await network.announce(V4)
    assert network.told() == [(ReportKind.NO_INTERFACE, V4)]
    network.refused.clear()
    network.wait(1.0)
    assert network.answering(V4) == ["eth0"]
    assert network.told() == [(ReportKind.ANNOUNCED, V4)]
    assert network.announcer.deadline() is None


async def test_after_isolation_everything_is_announced_anew() -> None:
    network = Network(ETH0, settings=ONCE)
    await network.announce(V4)
    await network.announce(V6)
    network.said()
    network.announcer.again()
    assert {what for _, what in network.said()} == {f"announce {V4}", f"announce {V6}"}


# Handing over.


async def test_what_lingers_answers_and_says_nothing() -> None:
    network = Network(ETH0)
    await network.announce(V4)
    network.said()
    network.announcer.linger([announcement(V4).address, announcement(SECOND).address])
    network.announcer.again()
    network.set_links(changed(ETH0, mac=bytes((2, 0, 0, 0, 9, 9))))
    network.wait(1000.0)
    assert network.answering(V4) == ["eth0"]
    assert network.said() == []
    assert network.facts() == [(V4, "lingering", "eth0")]
    assert network.announcer.active() == Active(frozenset({announcement(V4)}))
    await network.withdraw(V4)
    assert network.answering(V4) == []


async def test_what_lingers_answers_on_a_new_link_without_announcing_it() -> None:
    network = Network(ETH0)
    await network.announce(V4)
    network.announcer.linger([announcement(V4).address])
    network.said()
    network.set_links(ETH0, ETH1)
    network.wait(10.0)
    assert network.answering(V4) == ["eth0", "eth1"]
    network.set_links()
    network.set_links(ETH1)
    network.wait(10.0)
    assert network.answering(V4) == ["eth1"]
    assert network.said() == []


async def test_an_announce_ends_the_lingering_and_tells_everybody() -> None:
    network = Network(ETH0, settings=ONCE)
    await network.announce(V4)
    network.announcer.linger([announcement(V4).address])
    network.said()
    await network.announce(V4)
    assert network.said() == [("eth0", f"announce {V4}")] * 2
    assert network.facts() == [(V4, "announced", "eth0")]


# Settings.


async def test_settings_take_effect_without_a_new_beginning() -> None:
    network = Network(ETH0, settings=ONCE)
    await network.announce(V4)
    network.said()
    network.announcer.settings_changed(AnnouncementSettings(refresh_interval=10.0))
    network.wait(9.9)
    assert network.said() == []
    network.wait(0.1)
    assert network.said() == [("eth0", f"announce {V4}")] * 2
    network.announcer.settings_changed(AnnouncementSettings(probe_time=0.0))
    await network.announce(SECOND, is_new=True)
    assert network.answering(SECOND) == ["eth0"]


# Many.


async def test_a_thousand_are_answered_for_at_once_and_announced_in_strokes() -> None:
    network = Network(ETH0, settings=ONCE)
    texts = [f"10.0.{number // 250}.{number % 250}" for number in range(1000)]
    for text in texts:
        await network.announcer.apply(Announce(announcement(text)))
    assert len(network.ports["eth0"].owned) == 1000
    assert len(network.said()) == 2 * 50
    network.wait(0.25)
    assert len(network.said()) == 2 * 950
    assert sorted(address for _, address in network.told()) == sorted(texts)
    assert network.announcer.deadline() is None


async def test_others_have_their_turns_while_many_are_announced() -> None:
    network = Network(ETH0, settings=ONCE)
    turns = 0

    async def somebody_else() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(somebody_else())
    for number in range(1000):
        await network.announce(f"10.0.{number // 250}.{number % 250}")
    other.cancel()
    with pytest.raises(asyncio.CancelledError):
        await other
    assert turns >= 1000 // 32


async def test_closing_is_silence_on_every_link() -> None:
    network = Network(ETH0, ETH1)
    await network.announce(V4)
    await network.announcer.close()
    assert all(port.is_closed for port in network.ports.values())
    assert network.announcer.active() == Active()
    assert network.announcer.deadline() is None
    network.wait(100.0)


async def test_it_is_announced_once_it_was_said() -> None:
    network = Network(ETH0)
    address = announcement(V4).address
    assert address.packed not in network.announcer.announced_octets
    await network.announce(V4)
    assert address.packed in network.announcer.announced_octets
    await network.announce(SECOND, is_new=True)
    assert announcement(SECOND).address.packed not in network.announcer.announced_octets
    assert octets(SECOND) not in network.ports["eth0"].owned
