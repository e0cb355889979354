"""
Who has an address, seen from outside: by a host with a warm neighbour cache, and by one that has never heard of it.

Both send at a steady pace in one event loop and note each answer beside its question.
"""

import asyncio
import socket
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Self

from benchmarks.failover_attempts import Attempt
from reconciler.cli.lab import entered
from reconciler.cli.lab_traffic import PORT
from reconciler.l2 import arp, ndp
from reconciler.l2.ethernet import BROADCAST, HEADER_LENGTH, NO_MAC, TYPE_ARP, TYPE_IPV6

# Seconds between two questions about one address.
INTERVAL = 0.01
# An answer is one to a question that is not older than so many questions: some ten seconds.
_REMEMBERED = 1 << 13
_LARGEST = 512
_NUMBER = struct.Struct("!I")


class Watch(ABC):
    """
    Asks about every address each `INTERVAL`. `attempts` are those since `forget`, in order, by address.

    Used as a context manager in an event loop.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = tuple(addresses)
        self._recent: list[Attempt | None] = [None] * _REMEMBERED
        self._number = 0
        self._sockets: list[socket.socket] = []
        self._asking: asyncio.Task[None] | None = None
        self.attempts: dict[str, list[Attempt]] = {}
        self.forget()

    async def __aenter__(self) -> Self:
        self._sockets = self._open()
        for made in self._sockets:
            asyncio.get_running_loop().add_reader(made, self._receive, made)
        self._asking = asyncio.create_task(self._ask_for_ever())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})
        for made in self._sockets:
            asyncio.get_running_loop().remove_reader(made)
            made.close()

    def forget(self) -> None:
        """Begin anew."""
        self.attempts = {address: [] for address in self._addresses}

    @abstractmethod
    def _open(self) -> list[socket.socket]: ...

    @abstractmethod
    def _ask(self, address: str, number: int) -> None: ...

    @abstractmethod
    def _read(self, data: bytes) -> tuple[int, str] | None:
        """The number of the question that this answers, and who answers it; None for something else."""

    async def _ask_for_ever(self) -> None:
        due = time.monotonic()
        while True:
            for address in self._addresses:
                attempt = Attempt(time.monotonic())
                number = self._number = (self._number + 1) % _REMEMBERED
                self._recent[number] = attempt
                self.attempts[address].append(attempt)
                try:
                    self._ask(address, number)
                except OSError:
                    # Nowhere to send it to is one more that is not answered.
                    continue
            due += INTERVAL
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _receive(self, source: socket.socket) -> None:
        try:
            while True:
                read = self._read(source.recv(_LARGEST))
                if read is not None and (attempt := self._recent[read[0] % _REMEMBERED]) is not None:
                    attempt.answers.setdefault(read[1], time.monotonic())
        except OSError:
            return


class WarmClient(Watch):
    """A host that talks to the addresses all the time, by UDP; each node answers with its name."""

    def __init__(self, namespace: str, addresses: Sequence[str]) -> None:
        super().__init__(addresses)
        self._namespace = namespace

    def _open(self) -> list[socket.socket]:
        with entered(self._namespace):
            families = (socket.AF_INET, socket.AF_INET6)
            return [socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) for family in families]

    def _ask(self, address: str, number: int) -> None:
        self._sockets[":" in address].sendto(_NUMBER.pack(number), (address, PORT))

    def _read(self, data: bytes) -> tuple[int, str] | None:
        return _NUMBER.unpack_from(data)[0], data[_NUMBER.size :].decode()


class NewHosts(Watch):
    """
    Hosts that have never heard of the addresses: raw questions by ARP and NDP, each from another hardware address.

    That address is the number of the question: what is answered when, and by how many, is seen without any cache.
    """

    _PREFIX = bytes.fromhex("020b")
    # The sources' protocol addresses: few, since kernels that are asked remember them.
    _SOURCES = 32

    def __init__(self, namespace: str, addresses: Sequence[str], owners: Mapping[bytes, str]) -> None:
        """`owners`: the hosts that may answer, by their hardware addresses."""
        super().__init__(addresses)
        self._namespace = namespace
        self._packed = {address: ip_address(address).packed for address in addresses}
        self._owners = owners

    def _open(self) -> list[socket.socket]:
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK
        with entered(self._namespace):
            made = [socket.socket(socket.AF_PACKET, kind, 0) for _ in range(2)]
            for one, ether_type in zip(made, (TYPE_ARP, TYPE_IPV6), strict=True):
                one.bind(("eth0", int.from_bytes(ether_type, "big")))
        return made

    def _ask(self, address: str, number: int) -> None:
        target, mac = self._packed[address], self._PREFIX + _NUMBER.pack(number)
        frame = (self._solicitation if ":" in address else self._request)(mac, target, number % self._SOURCES)
        self._sockets[":" in address].send(frame)

    @staticmethod
    def _request(mac: bytes, target: bytes, source: int) -> bytes:
        packet = arp.ArpPacket(
            destination=BROADCAST,
            source=mac,
            operation=arp.Operation.REQUEST,
            sender_mac=mac,
            sender_address=bytes((192, 0, 2, 64 + source)),
            target_mac=NO_MAC,
            target_address=target,
        )
        return arp.encode(packet)

    @staticmethod
    def _solicitation(mac: bytes, target: bytes, source: int) -> bytes:
        group = ndp.solicited_node_group(target)
        message = ndp.NeighborSolicitation(
            ethernet_destination=ndp.group_mac(group),
            ethernet_source=mac,
            source=ip_address(f"2001:db8::4:{source:x}").packed,
            destination=group,
            target=target,
            source_mac=mac,
        )
        return ndp.encode(message)

    def _read(self, data: bytes) -> tuple[int, str] | None:
        is_answer = data[HEADER_LENGTH + 6 : HEADER_LENGTH + 8] == b"\x00\x02"
        if data[12:14] == TYPE_IPV6:
            is_answer = data[ndp.MESSAGE_OFFSET] == ndp.ADVERTISEMENT
        if not data.startswith(self._PREFIX) or not is_answer:
            return None
        return _NUMBER.unpack_from(data, len(self._PREFIX))[0], self._owners.get(data[6:12], "another host")
