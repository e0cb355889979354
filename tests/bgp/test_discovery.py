"""Two ends of an unnumbered link."""

import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from reconciler.bgp.discovery import Discovery
from reconciler.bgp.router_advertisements import RouterAdvertisement, RouterSolicitation, decode, encode
from reconciler.cli.lab import Lab, entered
from tests.bgp.host import PATIENCE, Host, host, octets, until

SOLICITATION = bytes.fromhex("8500000000000000")
# All nodes and all routers of the link.
NODES, ROUTERS = "ff02::1", "ff02::2"


@pytest.fixture
def lab_hosts() -> tuple[str, ...]:
    return "n1", "n2"


class Finder:
    """A discovery on the first host."""

    def __init__(self, running: Host, interface: str = "eth0") -> None:
        self.found: list[bytes] = []
        self.problems: list[str | None] = []
        self._host = running
        self._discovery = running.do(lambda: Discovery(interface, self.found.append, self.problems.append))
        running.do(self._discovery.start)

    def stop(self) -> None:
        self._host.do(self._discovery.stop)


class Other:
    """What is on the second host: any ICMPv6 messages about routers."""

    def __init__(self, lab: Lab, hop_limit: int = 255) -> None:
        with entered(lab.namespace("n2")):
            self.index = socket.if_nametoindex("eth0")
            self.socket = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        # RS and RA pass.
        self.socket.setsockopt(
            socket.IPPROTO_ICMPV6, 1, struct.pack("=8I", *[2**32 - 1] * 4, 2**32 - 97, *[2**32 - 1] * 3)
        )
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, hop_limit)
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
        self.socket.settimeout(PATIENCE)

    def say(self, data: bytes, group: str) -> None:
        self.socket.sendto(data, (group, 0, 0, self.index))

    def hear(self) -> RouterAdvertisement | RouterSolicitation:
        data, ancillary, _, source = self.socket.recvmsg(2048, 64)
        return decode(data, octets(source[0].partition("%")[0]), struct.unpack("=i", ancillary[0][2])[0])


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.fixture
def first(lab: Lab, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Host:
    # What is heard within the patience of a test is an answer, never the next one of its own accord.
    monkeypatch.setattr("reconciler.bgp.discovery._INTERVAL", (1000.0, 1000.0))
    return stack.enter_context(host(lab, "n1"))


def other(lab: Lab, stack: ExitStack, hop_limit: int = 255) -> Other:
    made = Other(lab, hop_limit)
    stack.callback(made.socket.close)
    return made


def finder(running: Host, stack: ExitStack, interface: str = "eth0") -> Finder:
    made = Finder(running, interface)
    stack.callback(made.stop)
    return made


def test_we_advertise_at_once_and_are_no_way_out(lab: Lab, first: Host, stack: ExitStack) -> None:
    peer = other(lab, stack)
    finder(first, stack)
    assert peer.hear() == RouterAdvertisement(0, bytes.fromhex(lab.mac("n1").replace(":", "")))


def test_routers_are_asked_until_one_is_known(lab: Lab, first: Host, stack: ExitStack) -> None:
    peer = other(lab, stack)
    membership = struct.pack("=16sI", octets(ROUTERS), peer.index)
    peer.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
    searching = finder(first, stack)
    mac = bytes.fromhex(lab.mac("n1").replace(":", ""))
    assert peer.hear() == RouterAdvertisement(0, mac)
    assert peer.hear() == RouterSolicitation(mac)
    peer.say(encode(RouterAdvertisement(1800)), NODES)
    # It is told of us again, and asked no more.
    assert peer.hear() == RouterAdvertisement(0, mac)
    until(lambda: bool(searching.found))
    peer.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        peer.hear()


def test_who_asks_is_answered_but_not_all_the_time(
    lab: Lab, first: Host, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.bgp.discovery._LEAST_INTERVAL", 0.2)
    peer = other(lab, stack)
    finder(first, stack)
    assert peer.hear()
    for _ in range(5):
        peer.say(SOLICITATION, ROUTERS)
    assert peer.hear()
    # Those that were asked for together are answered together.
    peer.socket.settimeout(0.1)
    more = 0
    with suppress(TimeoutError):
        while peer.hear():
            more += 1
    assert more < 4


def test_a_new_peer_is_found_once_and_told_of_us_at_once(
    lab: Lab, first: Host, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.bgp.discovery._LEAST_INTERVAL", 0.2)
    searching = finder(first, stack)
    peer = other(lab, stack)
    peer.say(encode(RouterAdvertisement(1800)), NODES)
    until(lambda: bool(searching.found))
    assert searching.found[0][:2] == octets("fe80::")[:2]
    assert peer.hear()
    peer.say(encode(RouterAdvertisement(1800)), NODES)
    peer.say(SOLICITATION, ROUTERS)
    assert peer.hear()
    assert len(searching.found) == 1
    assert set(searching.problems) == {None}


def test_two_who_claim_to_be_the_other_end_do_not_keep_us_busy(
    lab: Lab, first: Host, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[bytes] = []

    def counted(data: bytes, source: bytes, hop_limit: int) -> RouterAdvertisement | RouterSolicitation:
        heard.append(source)
        return decode(data, source, hop_limit)

    monkeypatch.setattr("reconciler.bgp.discovery.decode", counted)
    monkeypatch.setattr("reconciler.bgp.discovery._LEAST_INTERVAL", 1000.0)
    ends = []
    for address in ("fe80::98", "fe80::99"):
        lab.run("n2", "ip", "addr", "add", f"{address}/64", "dev", "eth0", "nodad")
        end = other(lab, stack)
        end.socket.bind((address, 0, 0, end.index))
        ends.append(end)
    searching = finder(first, stack)
    assert ends[0].hear()
    for _ in range(20):
        for end in ends:
            end.say(encode(RouterAdvertisement(1800)), NODES)
    until(lambda: len(heard) == 40)
    assert searching.found == [octets("fe80::98")]


def test_what_may_come_from_beyond_the_link_is_ignored(lab: Lab, first: Host, stack: ExitStack) -> None:
    searching = finder(first, stack)
    far = other(lab, stack, hop_limit=254)
    far.say(encode(RouterAdvertisement(1800)), NODES)
    far.say(b"\x86\x01" + bytes(6), NODES)
    lab.run("n2", "ip", "addr", "add", "fe80::99/64", "dev", "eth0", "nodad")
    near = other(lab, stack)
    near.socket.bind(("fe80::99", 0, 0, near.index))
    near.say(encode(RouterAdvertisement(1800)), NODES)
    until(lambda: bool(searching.found))
    assert searching.found == [octets("fe80::99")]


def test_an_interface_that_goes_is_a_problem_until_it_is_back(
    lab: Lab, first: Host, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.bgp.discovery._LOOK_INTERVAL", 0.05)
    lab.run("n1", "ip", "link", "add", "more", "type", "veth", "peer", "name", "other")
    searching = finder(first, stack, "more")
    until(lambda: any("cannot advertise on more" in problem for problem in searching.problems if problem))
    for name in ("other", "more"):
        lab.run("n1", "ip", "link", "set", name, "up")
    until(lambda: searching.problems[-1] is None)
    lab.run("n1", "ip", "link", "del", "more")
    until(lambda: searching.problems[-1] == "there is no interface more on this host")
    lab.run("n1", "ip", "link", "add", "more", "type", "veth", "peer", "name", "other")
    for name in ("other", "more"):
        lab.run("n1", "ip", "link", "set", name, "up")
    until(lambda: searching.problems[-1] is None)
