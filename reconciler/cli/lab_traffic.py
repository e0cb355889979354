"""
Traffic through an address in a `Lab`: nodes that deliver it, and a client that counts what it loses.

What kube-proxy and a Pod do in a cluster a few lines do here: a node takes every datagram for an address that it is
sent, and answers with its name from that address.
"""

import asyncio
import socket
import struct
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from reconciler.cli.lab import Lab, entered

PORT = 9000
_LARGEST = 512
# linux/in.h and linux/in6.h; Python does not name the last one.
_IP_PKTINFO, _IPV6_FREEBIND = 8, 78
_PKTINFO4, _PKTINFO6 = struct.Struct("=i4s4s"), struct.Struct("=16si")
_NUMBER = struct.Struct("!II")


@contextmanager
def delivered(lab: Lab, nodes: Sequence[str], networks: Sequence[str]) -> Iterator[None]:
    """
    Deliver traffic to addresses of these networks on the nodes, for as long as the block runs in its event loop.

    The kernels of the nodes keep silent about the addresses: they answer neither ARP nor neighbour solicitations.

    Raises:
        OSError: A socket cannot be opened there.
        subprocess.CalledProcessError: A node does not take the addresses.
    """
    loop = asyncio.get_running_loop()
    opened: list[socket.socket] = []
    try:
        for node in nodes:
            # Any address of the network is local, and belongs to no interface that anybody could ask about it.
            lab.run(node, "sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2")
            for network in networks:
                lab.run(node, "ip", "-6" if ":" in network else "-4", "route", "add", "local", network, "dev", "lo")
            for make in (_socket4, _socket6):
                with entered(lab.namespace(node)):
                    made = make()
                opened.append(made)
                loop.add_reader(made, _answer, made, node.encode())
        yield
    finally:
        for made in opened:
            loop.remove_reader(made)
            made.close()


def _socket4() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    made.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    made.bind(("", PORT))
    return made


def _socket6() -> socket.socket:
    made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    made.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
    made.bind(("::", PORT))
    return made


def _answer(here: socket.socket, name: bytes) -> None:
    try:
        data, ancillary, _, sender = here.recvmsg(_LARGEST, 64)
        level, kind, info = ancillary[0]
        # From the address that was asked, through whatever interface leads back.
        if level == socket.IPPROTO_IP:
            source = _PKTINFO4.pack(0, _PKTINFO4.unpack(info)[2], bytes(4))
        else:
            source = _PKTINFO6.pack(_PKTINFO6.unpack(info)[0], 0)
        here.sendmsg([data + name], [(level, kind, source)], 0, sender)
    except OSError:
        # A probe that cannot be answered, as on a node that is cut off, is one that is lost.
        return


@dataclass(slots=True)
class Probe:
    """One datagram: when it was sent, and when it was answered by whom, None and empty as long as it was not."""

    address: str
    sent_at: float
    answered_at: float | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Loss:
    """What became of the probes of a while. `longest_gap` is in seconds, from a lost probe to the next answered one."""

    sent: int
    lost: int
    longest_gap: float


class Client:
    """
    Sends a numbered probe to each address again and again, by one socket a family, and remembers what was answered.

    Times are those of the monotonic clock.
    """

    def __init__(self, namespace: str, addresses: Sequence[str], *, interval: float = 0.01) -> None:
        self.addresses = tuple(addresses)
        self._namespace = namespace
        self._interval = interval
        self._probes: list[Probe] = []
        self._sockets: dict[int, socket.socket] = {}
        self._sending: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    async def __aenter__(self) -> "Client":
        loop = asyncio.get_running_loop()
        with entered(self._namespace):
            for family in {_family(address) for address in self.addresses}:
                self._sockets[family] = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        for made in self._sockets.values():
            loop.add_reader(made, self._receive, made)
        self._sending = asyncio.create_task(self._send())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait({self._sending})
        for made in self._sockets.values():
            asyncio.get_running_loop().remove_reader(made)
            made.close()

    def loss(self, since: float, until: float) -> Loss:
        """What became of the probes sent in between."""
        probes = [probe for probe in self._probes if since <= probe.sent_at < until]
        gaps = [self._gap([probe for probe in probes if probe.address == address]) for address in self.addresses]
        lost = sum(probe.answered_at is None for probe in probes)
        return Loss(len(probes), lost, max(gaps, default=0.0))

    def owner(self, address: str) -> str:
        """Who answered last, empty when nobody has."""
        return next((probe.by for probe in reversed(self._probes) if probe.address == address and probe.by), "")

    def first_answer(self, address: str, since: float, by: Collection[str] = ()) -> float | None:
        """When a probe sent since then was answered first, by one of these nodes, or by any where none is named."""
        times = (
            probe.answered_at
            for probe in reversed(self._probes)
            if probe.address == address and probe.answered_at is not None and (not by or probe.by in by)
            if probe.sent_at >= since
        )
        return min(times, default=None)

    async def answered(self, address: str, since: float, by: Collection[str] = ()) -> float:
        """Wait for such an answer; gives its time."""
        while (moment := self.first_answer(address, since, by)) is None:
            self._news.clear()
            await self._news.wait()
        return moment

    async def _send(self) -> None:
        due = time.monotonic()
        while True:
            for address in self.addresses:
                number = len(self._probes)
                self._probes.append(Probe(address, time.monotonic()))
                try:
                    self._sockets[_family(address)].sendto(_NUMBER.pack(number, 0), (address, PORT))
                except OSError:
                    # Nowhere to send it to is a lost probe as well.
                    continue
            due += self._interval
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _receive(self, source: socket.socket) -> None:
        try:
            data = source.recv(_LARGEST)
        except OSError:
            return
        number, _ = _NUMBER.unpack_from(data)
        probe = self._probes[number]
        probe.answered_at, probe.by = time.monotonic(), data[_NUMBER.size :].decode()
        self._news.set()

    def _gap(self, probes: Sequence[Probe]) -> float:
        longest, began = 0.0, None
        for probe in probes:
            if probe.answered_at is None:
                began = probe.sent_at if began is None else began
                longest = max(longest, probe.sent_at + self._interval - began)
            else:
                began = None
        return longest


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
