"""Sockets and thread, with real kernels and with BFD as others make it."""

import asyncio
from collections.abc import Callable
from pathlib import Path as FilePath
from socket import AF_INET, AF_INET6, inet_pton
from time import monotonic

import pytest

from reconciler.bfd.authentication import Meticulous
from reconciler.bfd.demultiplexing import Path, PathError
from reconciler.bfd.intervals import Parameters
from reconciler.bfd.packets import Diagnostic, State
from reconciler.bfd.session import Event, StateChanged, Unheard
from reconciler.bfd.sockets import SocketError
from reconciler.bfd.transport import Endpoint, Neighbor
from reconciler.cli.lab import Lab, entered
from tests.bfd.daemons import bird, frr, need

# Packets follow each other quickly, and 0.8 s without any are a failure: a busy machine may hold a process up for less.
MULTIPLIER = 16
FAST = Parameters(0.05, 0.05, MULTIPLIER)
PATIENCE = 20.0


@pytest.fixture
def lab_hosts() -> tuple[str, ...]:
    return "n1", "n2"


def octets(address: str) -> bytes:
    return inet_pton(AF_INET6 if ":" in address else AF_INET, address)


async def until(is_true: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(PATIENCE):
        while not is_true():
            await asyncio.sleep(0.01)


class Host:
    """An endpoint in a namespace and what was reported there."""

    def __init__(self, lab: Lab, name: str, port: int = 3784) -> None:
        self._namespace = lab.namespace(name)
        with entered(self._namespace):
            self.endpoint = Endpoint(port)
        self.events: list[Event] = []

    def open(self, path: Path, parameters: Parameters = FAST, authentication: Meticulous | None = None) -> Neighbor:
        with entered(self._namespace):
            return self.endpoint.open(path, parameters, self.events.append, authentication=authentication)

    def downs(self) -> list[StateChanged]:
        return [event for event in self.events if isinstance(event, StateChanged) and event.after == State.DOWN]


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
async def test_two_hosts_come_up_and_notice_a_cut(lab: Lab, family: str) -> None:
    address = lab.address if family == "IPv4" else lab.address6
    a, b = Host(lab, "n1"), Host(lab, "n2")
    of_a = a.open(Path(octets(address("n2")), octets(address("n1"))))
    of_b = b.open(Path(octets(address("n1"))))
    await until(lambda: of_a.state == of_b.state == State.UP)
    lab.cut("n1")
    await until(lambda: bool(a.downs() and b.downs()))
    assert [change.diagnostic for change in a.downs()] == [Diagnostic.DETECTION_TIME_EXPIRED]
    assert Unheard(was_up=True) in b.events
    assert of_a.counts().sent > 2
    a.endpoint.close()
    b.endpoint.close()


async def test_closing_is_no_failure_to_the_peer(lab: Lab) -> None:
    a, b = Host(lab, "n1"), Host(lab, "n2")
    of_a = a.open(Path(octets(lab.address("n2"))))
    of_b = b.open(Path(octets(lab.address("n1"))))
    await until(lambda: of_a.state == of_b.state == State.UP)
    seen = list(a.events)
    of_a.close()
    of_a.close()
    await until(lambda: of_b.state == State.DOWN)
    await until(lambda: bool(b.downs()))
    assert [(change.diagnostic, change.remote_state) for change in b.downs()] == [
        (Diagnostic.NEIGHBOR_SIGNALED_DOWN, State.ADMIN_DOWN)
    ]
    # The path is free again.
    again = a.open(Path(octets(lab.address("n2"))))
    await until(lambda: again.state == of_b.state == State.UP)
    assert StateChanged(State.UP, State.ADMIN_DOWN, Diagnostic.ADMINISTRATIVELY_DOWN, State.UP) not in seen
    a.endpoint.close()
    b.endpoint.close()


async def test_disabled_and_enabled_again(lab: Lab) -> None:
    a, b = Host(lab, "n1"), Host(lab, "n2")
    of_a = a.open(Path(octets(lab.address("n2"))))
    of_b = b.open(Path(octets(lab.address("n1"))))
    await until(lambda: of_a.state == of_b.state == State.UP)
    of_a.disable()
    await until(lambda: of_b.state == State.DOWN)
    of_a.enable()
    await until(lambda: of_a.state == of_b.state == State.UP)
    of_a.change(Parameters(0.02, 0.02, 2 * MULTIPLIER))
    received = of_b.counts().received
    await until(lambda: of_b.counts().received > received + 20)
    assert of_a.state == of_b.state == State.UP
    a.endpoint.close()
    b.endpoint.close()


async def test_a_packet_from_beyond_this_link_is_discarded(lab: Lab) -> None:
    need("nftables", "nft")
    a, b = Host(lab, "n1"), Host(lab, "n2")
    # As a router does with what it forwards.
    lab.run("n2", "nft", "add table ip far; add chain ip far out { type filter hook output priority 0; }")
    lab.run("n2", "nft", "add rule ip far out udp dport 3784 ip ttl set 254")
    near = a.open(Path(octets(lab.address("n2"))))
    b.open(Path(octets(lab.address("n1"))))
    await until(lambda: a.endpoint.ignored().get("time-to-live", 0) > 0)
    assert near.state == State.DOWN
    near.close()
    far = a.open(Path(octets(lab.address("n2")), minimum_ttl=254))
    await until(lambda: far.state == State.UP)
    a.endpoint.close()
    b.endpoint.close()


async def test_what_is_no_packet_of_a_session_is_counted_by_its_reason(lab: Lab) -> None:
    a = Host(lab, "n1")
    stranger = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
        "s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255);"
        f"[s.sendto(d, ('{lab.address('n1')}', 3784)) for d in"
        " (b'', b'x' * 600, bytes.fromhex('204003180000000100000000000f4240000493e000000000'))]"
    )
    await asyncio.to_thread(lab.run, "n2", "python3", "-c", stranger)
    await until(lambda: sum(a.endpoint.ignored().values()) == 3)
    assert a.endpoint.ignored() == {"truncated": 1, "version": 1, "no-session": 1}
    a.endpoint.close()


async def test_what_cannot_be_opened_is_said(lab: Lab) -> None:
    a = Host(lab, "n1")
    with pytest.raises(SocketError, match="UDP port 3784"):
        Host(lab, "n1")
    a.open(Path(octets(lab.address("n2"))))
    with pytest.raises(PathError):
        a.open(Path(octets(lab.address("n2"))))
    with pytest.raises(SocketError):
        a.open(Path(octets(lab.address("n2")), octets("192.0.2.99")))
    a.endpoint.close()
    # Everything was given back.
    again = Host(lab, "n1")
    again.endpoint.close()


async def test_several_hops_use_another_port(lab: Lab) -> None:
    a, b = Host(lab, "n1", 4784), Host(lab, "n2", 4784)
    of_a = a.open(Path(octets(lab.address("n2")), octets(lab.address("n1")), minimum_ttl=1))
    of_b = b.open(Path(octets(lab.address("n1")), octets(lab.address("n2")), minimum_ttl=1))
    await until(lambda: of_a.state == of_b.state == State.UP)
    a.endpoint.close()
    b.endpoint.close()


async def test_a_busy_event_loop_makes_nobody_silent(lab: Lab) -> None:
    a, b = Host(lab, "n1"), Host(lab, "n2")
    of_a = a.open(Path(octets(lab.address("n2"))))
    of_b = b.open(Path(octets(lab.address("n1"))))
    await until(lambda: of_a.state == of_b.state == State.UP)
    # Twice as long as a silence may last. Once the loop comes back it hears of all that happened meanwhile.
    ends = monotonic() + 1.6
    while monotonic() < ends:
        pass
    await asyncio.sleep(0)
    assert (a.downs(), b.downs()) == ([], [])
    assert of_a.counts().received > 8
    a.endpoint.close()
    b.endpoint.close()


FRR_AT_50_MS = [f" detect-multiplier {MULTIPLIER}", " receive-interval 50", " transmit-interval 50", " no shutdown"]


@pytest.mark.parametrize(
    ("family", "hops"), [("IPv4", "one"), ("IPv6", "one"), ("IPv4", "several")], ids=lambda value: value
)
async def test_frr_stays_up_and_notices_a_cut(lab: Lab, family: str, hops: str) -> None:
    address = lab.address if family == "IPv4" else lab.address6
    where = "interface eth0" if hops == "one" else "multihop"
    peer = f"peer {address('n1')} {'multihop ' if hops == 'several' else ''}local-address {address('n2')}"
    configuration = ["bfd", f" {peer}{' ' + where if hops == 'one' else ''}", *(f" {line}" for line in FRR_AT_50_MS)]
    with frr(lab.inside("n2"), configuration) as daemon:
        a = Host(lab, "n1", 3784 if hops == "one" else 4784)
        ours = a.open(Path(octets(address("n2")), octets(address("n1")), minimum_ttl=255 if hops == "one" else 254))
        await until(lambda: ours.state == State.UP)
        await until(lambda: daemon.peer().get("status") == "up")
        # For longer than the detection time of both: one that did not hear the other would know by then.
        received = ours.counts().received
        await until(lambda: ours.counts().received > received + 2 * MULTIPLIER)
        assert daemon.counters()["session-down"] == 0
        assert a.downs() == []
        told = daemon.peer()
        assert (told["remote-receive-interval"], told["remote-transmit-interval"]) == (50, 50)
        assert told["remote-detect-multiplier"] == MULTIPLIER
        lab.cut("n1")
        await until(lambda: bool(a.downs()))
        assert a.downs()[0].diagnostic is Diagnostic.DETECTION_TIME_EXPIRED
        await until(lambda: daemon.peer()["status"] == "down")
        lab.restore("n1")
        await until(lambda: ours.state == State.UP)
        a.endpoint.close()
        await until(lambda: daemon.peer()["status"] == "down")
        assert daemon.peer()["diagnostic"] == "neighbor signaled session down"


async def test_a_peer_of_frr_that_is_shut_down_is_no_failure(lab: Lab) -> None:
    peer = f" peer {lab.address('n1')} local-address {lab.address('n2')} interface eth0"
    with frr(lab.inside("n2"), ["bfd", peer, *(f" {line}" for line in FRR_AT_50_MS)]) as daemon:
        a = Host(lab, "n1")
        ours = a.open(Path(octets(lab.address("n2"))))
        await until(lambda: ours.state == State.UP)
        daemon.ask("configure terminal", "bfd", peer, "shutdown")
        await until(lambda: bool(a.downs()))
        assert a.downs()[0].remote_state == State.ADMIN_DOWN
        daemon.ask("configure terminal", "bfd", peer, "no shutdown")
        await until(lambda: ours.state == State.UP)
        a.endpoint.close()


BIRD = """
router id 192.0.2.11;
protocol device {{}}
protocol bfd {{
  interface "eth0" {{
    min rx interval 50 ms; min tx interval 50 ms; multiplier {multiplier};
    {authentication}
  }};
  neighbor {neighbor} dev "eth0" local {local};
}}
"""


@pytest.mark.parametrize(
    ("family", "authentication"),
    [
        pytest.param("IPv4", "", id="IPv4"),
        pytest.param("IPv6", "", id="IPv6"),
        pytest.param(
            "IPv4", 'authentication meticulous keyed sha1; password "a secret" { id 7; };', id="IPv4, authenticated"
        ),
    ],
)
async def test_bird_stays_up_and_notices_a_cut(lab: Lab, tmp_path: FilePath, family: str, authentication: str) -> None:
    address = lab.address if family == "IPv4" else lab.address6
    text = BIRD.format(
        neighbor=address("n1"), local=address("n2"), multiplier=MULTIPLIER, authentication=authentication
    )
    key = b"a secret"
    signed = Meticulous(send_key=key, receive_key=key, sequence=0, key_id=7) if authentication else None
    with bird(lab.inside("n2"), tmp_path, text) as daemon:
        a = Host(lab, "n1")
        ours = a.open(Path(octets(address("n2")), octets(address("n1"))), authentication=signed)
        await until(lambda: ours.state == State.UP)
        received = ours.counts().received
        await until(lambda: ours.counts().received > received + 2 * MULTIPLIER)
        assert a.downs() == []
        assert " Up " in daemon.ask("show bfd sessions")
        lab.cut("n1")
        await until(lambda: bool(a.downs()))
        await until(lambda: " Down " in daemon.ask("show bfd sessions"))
        lab.restore("n1")
        await until(lambda: ours.state == State.UP)
        a.endpoint.close()
