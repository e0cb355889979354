"""The answering thread on real links, with real kernels and tools as its clients."""

import asyncio
import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator

import msgspec
import pytest

from reconciler.cli.lab import Lab, entered
from reconciler.l2 import arp, ndp
from reconciler.l2.channel import MOST_FAILURES
from reconciler.l2.ignored import Ignored
from reconciler.l2.link_port import REFUSED, RING_FULL
from reconciler.l2.port import Claim, ClaimKind, LinkState, Port
from reconciler.l2.transport import Frames
from tests.l2.addresses import ip, mac
from tests.l2.questions import arp_packet
from tests.l2.wire import link_state, next_frame, packet_socket, until

VIP, VIP6 = "192.0.2.100", "2001:db8::100"
V4, V6 = ip(VIP), ip(VIP6)
N1_MAC = mac("02:00:00:00:00:0a")
CLIENT_MAC = mac("02:00:00:00:00:0c")
LINK_LOCAL = ip("fe80::ff:fe00:a")


@pytest.fixture
def lab_hosts() -> tuple[str, ...]:
    return "n1", "n2", "client"


class Node:
    """The links of one host as our product has them, and what it was told of them."""

    def __init__(self, lab: Lab, host: str) -> None:
        self._lab, self._host = lab, host
        with entered(lab.namespace(host)):
            self.frames = Frames()
        self.claims: list[Claim] = []
        self.state = link_state(lab, host)
        self.port = self.open(self.state)

    def open(self, state: LinkState) -> Port:
        with entered(self._lab.namespace(self._host)):
            return self.frames.open(state, self.claims.append)


@pytest.fixture
async def node(lab: Lab) -> AsyncIterator[Node]:
    made = Node(lab, "n1")
    yield made
    made.frames.close()


async def on(lab: Lab, host: str, *command: str) -> str:
    return await asyncio.to_thread(lab.run, host, *command, check=False)


async def answers(lab: Lab, patience: int = 10) -> tuple[bool, bool]:
    """Whether the client gets an answer for the address of either family, each within so many seconds."""
    asked = await on(lab, "client", "arping", "-c", "1", "-w", f"{patience}", "-I", "eth0", VIP)
    asked6 = await on(lab, "client", "ndisc6", "-1", "-q", "-r", "1", "-w", f"{patience * 1000}", VIP6, "eth0")
    return "02:00:00:00:00:0A" in asked.upper(), "02:00:00:00:00:0A" in asked6.upper()


async def test_tools_of_a_client_get_answers_while_it_is_owned(lab: Lab, node: Node) -> None:
    assert await answers(lab, 1) == (False, False)
    node.port.own(V4)
    node.port.own(V6)
    assert await answers(lab) == (True, True)
    counts = node.port.counts()
    assert counts.requests == counts.answers >= 2
    node.port.disown(V4)
    node.port.disown(V6)
    assert await answers(lab, 1) == (False, False)


def neighbour(lab: Lab, address: str) -> tuple[str, str]:
    """The MAC and the state of a client's neighbour cache entry."""
    listed = [entry for entry in json.loads(lab.run("client", "ip", "-j", "neigh", "show", address)) if entry]
    return (listed[0].get("lladdr", ""), listed[0]["state"][0]) if listed else ("", "NONE")


@pytest.mark.parametrize(("vip", "family"), [(VIP, "ipv4"), (VIP6, "ipv6")])
async def test_a_client_that_checks_its_neighbour_by_unicast_is_answered(
    lab: Lab, node: Node, vip: str, family: str
) -> None:
    node.port.own(ip(vip))
    lab.run("client", "sysctl", "-qw", f"net.{family}.neigh.eth0.delay_first_probe_time=0")
    with packet_socket(lab, "client") as client:
        lab.run("client", "ip", "neigh", "replace", vip, "lladdr", "02:00:00:00:00:0a", "nud", "delay", "dev", "eth0")
        await asyncio.to_thread(until, lambda: neighbour(lab, vip) == ("02:00:00:00:00:0a", "REACHABLE"))
        asked = next_frame(client, lambda frame: frame[:6] == N1_MAC and ip(vip) in frame)
    # The question did go to our MAC, not to everybody.
    assert asked is not None


async def test_a_client_that_wants_our_address_finds_it_taken(lab: Lab, node: Node) -> None:
    node.port.own(V6)
    lab.run("client", "sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=1", "net.ipv6.conf.eth0.dad_transmits=1")
    lab.run("client", "ip", "addr", "add", f"{VIP6}/64", "dev", "eth0")
    await asyncio.to_thread(until, lambda: "dadfailed" in lab.run("client", "ip", "-6", "addr", "show", "dev", "eth0"))
    await asyncio.to_thread(until, lambda: bool(node.claims))
    await asyncio.sleep(0)
    assert {(claim.kind, claim.address, claim.mac) for claim in node.claims} == {
        (ClaimKind.DAD_SOLICITATION, V6, CLIENT_MAC)
    }


async def test_arping_finds_our_address_taken(lab: Lab, node: Node) -> None:
    node.port.own(V4)
    said = await on(lab, "client", "arping", "-D", "-c", "2", "-w", "10", "-I", "eth0", VIP)
    assert re.search(r"Received 1 response", said)
    # It is told of in the loop after it was answered.
    await asyncio.to_thread(until, lambda: bool(node.claims))
    assert (ClaimKind.ARP_PROBE, V4, CLIENT_MAC) in {(claim.kind, claim.address, claim.mac) for claim in node.claims}


async def test_a_host_that_holds_what_we_watch_is_heard(lab: Lab, node: Node) -> None:
    lab.run("n2", "ip", "addr", "add", f"{VIP}/24", "dev", "eth0")
    lab.run("n2", "ip", "addr", "add", f"{VIP6}/64", "dev", "eth0", "nodad")
    # The kernel joins the group of an address a moment after it was added.
    await asyncio.to_thread(until, lambda: has_group(lab, "n2"))
    node.port.watch(V4)
    node.port.watch(V6)
    node.port.send(arp.probe(N1_MAC, V4))
    node.port.send(ndp.probe(N1_MAC, V6))
    async with asyncio.timeout(10):
        while len(node.claims) < 2:
            await asyncio.sleep(0.005)
    assert {(claim.kind, claim.address, claim.mac) for claim in node.claims} == {
        (ClaimKind.ARP_REPLY, V4, mac("02:00:00:00:00:0b")),
        (ClaimKind.NEIGHBOR_ADVERTISEMENT, V6, mac("02:00:00:00:00:0b")),
    }
    assert node.port.counts().unasked == 2


# Within a second of having learnt the address from somebody else, Linux believes only some forms of announcement.
@pytest.mark.parametrize("known", ["stale", "reachable"])
@pytest.mark.parametrize(
    ("vip", "frame"),
    [
        pytest.param(VIP, arp.gratuitous_request(N1_MAC, V4), id="ARP, as a request"),
        pytest.param(VIP, arp.gratuitous_reply(N1_MAC, V4), id="ARP, as a reply"),
        pytest.param(VIP6, ndp.unsolicited(N1_MAC, V6, source=LINK_LOCAL), id="NDP, from the link-local address"),
        pytest.param(VIP6, ndp.unsolicited(N1_MAC, V6, source=None), id="NDP, from the address itself"),
    ],
)
async def test_a_client_believes_what_we_announce(lab: Lab, node: Node, vip: str, frame: bytes, known: str) -> None:
    lab.run("client", "ip", "neigh", "replace", vip, "lladdr", "02:00:00:00:00:0b", "nud", known, "dev", "eth0")
    node.port.send(frame)
    await asyncio.to_thread(until, lambda: neighbour(lab, vip)[0] == "02:00:00:00:00:0a")


async def test_a_client_that_knows_nothing_learns_nothing(lab: Lab, node: Node) -> None:
    with packet_socket(lab, "client") as client:
        for frame in (arp.gratuitous_request(N1_MAC, V4), arp.gratuitous_reply(N1_MAC, V4)):
            node.port.send(frame)
            assert next_frame(client, lambda got, sent=frame: got == sent) == frame  # type: ignore[misc]  # inferred
    assert neighbour(lab, VIP)[0] == ""


async def test_answers_go_on_while_the_loop_computes(lab: Lab, node: Node) -> None:
    node.port.own(V4)
    question = arp_packet(V4, sender=ip("192.0.2.12"), sender_mac=CLIENT_MAC)
    answered = threading.Event()

    def ask() -> None:
        with packet_socket(lab, "client") as client:
            client.send(question)
            if next_frame(client, lambda frame: frame[28:32] == V4 and frame[20:22] == b"\x00\x02") is not None:
                answered.set()

    asking = threading.Thread(target=ask)
    asking.start()
    end = time.monotonic() + 20
    # Never gives the loop a turn, as a long pass of a large cluster does.
    while not answered.is_set() and time.monotonic() < end:
        sum(range(1000))
    asking.join()
    assert answered.is_set()


async def test_after_disowning_no_answer_goes_out(lab: Lab, node: Node) -> None:
    question = arp_packet(V4, sender=ip("192.0.2.12"), sender_mac=CLIENT_MAC)
    stop = threading.Event()

    def flood() -> None:
        with packet_socket(lab, "client") as client:
            while not stop.is_set():
                client.send(question)

    flooding = threading.Thread(target=flood)
    flooding.start()
    try:
        for _ in range(50):
            before = node.port.counts().answers
            node.port.own(V4)
            async with asyncio.timeout(20):
                while node.port.counts().answers == before:
                    await asyncio.sleep(0.001)
            node.port.disown(V4)
            answered = node.port.counts().answers
            await asyncio.sleep(0.002)
            assert node.port.counts().answers == answered
    finally:
        stop.set()
        flooding.join()


async def test_a_flood_of_claims_reaches_the_loop_as_a_trickle(lab: Lab, node: Node) -> None:
    node.port.own(V4)
    with packet_socket(lab, "client") as client:
        for number in range(5000):
            client.send(arp_packet(V4, sender=V4, sender_mac=b"\x02\x01" + number.to_bytes(4, "big")))

        def is_answered() -> bool:
            # Where nobody ran meanwhile, the first question found no room.
            client.send(arp_packet(V4, sender=ip("192.0.2.12"), sender_mac=CLIENT_MAC))
            return next_frame(client, lambda frame: frame[28:32] == V4 and frame[21] == 2, 1.0) is not None

        await asyncio.to_thread(until, is_answered)
    await asyncio.to_thread(until, lambda: bool(node.claims))
    assert 0 < len(node.claims) < 5000


async def test_a_link_with_another_mac_answers_with_it(lab: Lab, node: Node) -> None:
    node.port.own(V4)
    node.port.own(V6)
    lab.run("n1", "ip", "link", "set", "eth0", "address", "02:00:00:00:00:aa")
    node.port.update(link_state_with(node.state, mac=mac("02:00:00:00:00:aa")))
    asked = await on(lab, "client", "arping", "-c", "1", "-w", "10", "-I", "eth0", VIP)
    assert "02:00:00:00:00:AA" in asked.upper()
    asked6 = await on(lab, "client", "ndisc6", "-1", "-q", "-w", "10000", VIP6, "eth0")
    assert "02:00:00:00:00:AA" in asked6.upper()


def link_state_with(state: LinkState, *, mac: bytes | None = None, is_up: bool = True) -> LinkState:
    return LinkState(index=state.index, name=state.name, mac=mac or state.mac, is_up=is_up)


async def test_a_link_that_was_down_answers_again(lab: Lab, node: Node) -> None:
    node.port.own(V4)
    node.port.own(V6)
    lab.run("n1", "ip", "link", "set", "eth0", "down")
    node.port.update(link_state_with(node.state, is_up=False))
    node.port.send(arp.gratuitous_request(N1_MAC, V4))
    assert node.port.counts().ignored[REFUSED] >= 1
    lab.run("n1", "ip", "link", "set", "eth0", "up")
    node.port.update(link_state_with(node.state))
    assert await answers(lab) == (True, True)


async def test_a_link_that_vanishes_costs_nothing_and_the_other_goes_on(lab: Lab, node: Node) -> None:
    lab.run("n1", "ip", "link", "add", "eth1", "type", "veth", "peer", "name", "eth2")
    lab.run("n1", "ip", "link", "set", "eth1", "up")
    with entered(lab.namespace("n1")):
        index = socket.if_nametoindex("eth1")
    gone = node.open(LinkState(index=index, name="eth1", mac=mac("02:00:00:00:01:01")))
    gone.own(V4)
    gone.own(V6)
    node.port.own(V4)
    node.port.own(V6)
    lab.run("n1", "ip", "link", "del", "eth1")
    thread = next(each for each in threading.enumerate() if each.name == "answers")
    assert await answers(lab) == (True, True)
    before = cpu_ticks(thread)
    await asyncio.sleep(0.3)
    assert cpu_ticks(thread) - before < 15
    gone.send(arp.gratuitous_request(N1_MAC, V4))
    gone.disown(V6)
    gone.close()
    gone.close()
    assert await answers(lab) == (True, True)


def cpu_ticks(thread: threading.Thread) -> int:
    """User and system time of a thread, in hundredths of a second."""
    with open(f"/proc/self/task/{thread.native_id}/stat", encoding="ascii") as stat:  # noqa: PTH123 - a proc file
        fields = stat.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


async def test_a_frame_that_breaks_us_does_not_end_the_thread(
    lab: Lab, node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    node.port.own(V4)
    responder = node.port._responder  # type: ignore[attr-defined]  # the fault is injected
    receive = responder.receive
    broken = arp_packet(V4, sender=ip("192.0.2.66"), sender_mac=CLIENT_MAC)
    question = arp_packet(V4, sender=ip("192.0.2.12"), sender_mac=CLIENT_MAC)

    def fail_on_one(frame: bytes) -> object:
        if frame == broken:
            raise RuntimeError("a defect")
        return receive(frame)

    monkeypatch.setattr(responder, "receive", fail_on_one)
    with packet_socket(lab, "client") as client:
        # Many in a row, and those that share a batch with them: nobody's answer is lost, and the link is not given up.
        for _ in range(100):
            client.send(broken)
            client.send(question)
        await asyncio.to_thread(until, lambda: node.port.counts().answers == 100)
    assert node.port.counts().ignored[Ignored.BROKEN] == 100
    assert len([record for record in caplog.records if record.exc_info]) == 1


async def test_a_link_that_only_fails_is_given_up_until_it_is_up_again(
    lab: Lab, node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    node.port.own(V4)
    channel = node.port._arp  # type: ignore[attr-defined]  # the fault is injected

    def fail(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(channel, "_answer", fail)
    question = arp_packet(V4, sender=ip("192.0.2.12"), sender_mac=CLIENT_MAC)
    with packet_socket(lab, "client") as client:
        for number in range(1, MOST_FAILURES + 1):
            client.send(question)
            await asyncio.to_thread(until, lambda: channel.failures_in_a_row == number)  # noqa: B023
        monkeypatch.undo()
        node.port.update(link_state_with(node.state, is_up=False))
        node.port.update(node.state)
        client.send(question)
        await asyncio.to_thread(until, lambda: node.port.counts().answers == 1)
    assert len([record for record in caplog.records if record.exc_info]) == 1


async def test_a_burst_is_answered_though_nobody_ran_meanwhile(lab: Lab, node: Node) -> None:
    node.port.own(V4)
    channel = node.port._arp  # type: ignore[attr-defined]  # who runs when is not for a test to say otherwise
    node.frames._answering.remove(channel)  # type: ignore[union-attr]
    with packet_socket(lab, "client") as client:
        for number in range(900):
            client.send(arp_packet(V4, sender=ip(f"192.0.3.{number % 250}"), sender_mac=CLIENT_MAC))
        node.frames._answering.add(channel)  # type: ignore[union-attr]
        await asyncio.to_thread(until, lambda: node.port.counts().answers == 900)
    assert RING_FULL not in node.port.counts().ignored


async def test_what_finds_no_room_is_counted(lab: Lab, node: Node) -> None:
    node.port.own(V4)
    channel = node.port._arp  # type: ignore[attr-defined]  # as above

    def met() -> int:
        counts = node.port.counts()
        return counts.answers + counts.ignored.get(RING_FULL, 0)

    for expected in (2000, 4000):
        node.frames._answering.remove(channel)  # type: ignore[union-attr]
        with packet_socket(lab, "client") as client:
            for _ in range(2000):
                client.send(arp_packet(V4, sender=ip("192.0.2.12"), sender_mac=CLIENT_MAC))
        node.frames._answering.add(channel)  # type: ignore[union-attr]
        await asyncio.to_thread(until, lambda: met() == expected)  # noqa: B023
    assert 0 < node.port.counts().ignored[RING_FULL] < 4000


async def test_groups_come_back_with_ipv6(lab: Lab, node: Node) -> None:
    node.port.own(V6)
    lab.run("n1", "ip", "link", "set", "eth0", "mtu", "1000")
    node.port.update(node.state)
    lab.run("n1", "ip", "link", "set", "eth0", "mtu", "1500")
    assert not has_group(lab)
    node.port.update(msgspec.structs.replace(node.state, link_local=LINK_LOCAL))
    assert has_group(lab)


async def test_a_group_that_was_refused_is_joined_later(lab: Lab, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.l2.link_port._JOIN_AGAIN", 0.01)
    lab.run("n1", "ip", "link", "set", "eth0", "mtu", "1000")
    node.port.own(V6)
    assert node.port.counts().ignored[REFUSED] >= 1
    lab.run("n1", "ip", "link", "set", "eth0", "mtu", "1500")
    # Nobody says anything: there is no link-local address that could come back.
    async with asyncio.timeout(20):
        while not has_group(lab):
            await asyncio.sleep(0.01)


def has_group(lab: Lab, host: str = "n1") -> bool:
    """Whether the kernel of a host listens to the group of our address."""
    return "ff02::1:ff00:100" in lab.run(host, "ip", "maddr", "show", "dev", "eth0")


async def test_closing_ends_the_thread_and_gives_everything_back(lab: Lab) -> None:
    interval = sys.getswitchinterval()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count of descriptors
    node = Node(lab, "n1")
    node.port.own(V6)
    assert "answers" in {thread.name for thread in threading.enumerate()}
    node.frames.close()
    node.frames.close()
    assert "answers" not in {thread.name for thread in threading.enumerate()}
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above
    assert sys.getswitchinterval() == interval


async def test_a_link_that_is_not_there_cannot_be_opened() -> None:
    frames = Frames()
    with pytest.raises(OSError, match="No such device"):
        frames.open(LinkState(index=1_000_000, name="eth9"), lambda _: None)
    frames.close()
