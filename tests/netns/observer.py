"""
Who answers for an address, asked from a raw socket again and again; and what a real client's kernel believes.

The observer remembers nothing between two questions, so it sees what a client sees that has just been started.
"""

import asyncio
import json
import socket
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from types import TracebackType

from reconciler.cli.lab import Lab, entered
from tests.l2.addresses import ip
from tests.l2.questions import arp_packet, solicitation

OBSERVER = "observer"
# In seconds: a single question without an answer. One may wait at the loser, on a busy machine, while an address moves.
A_BLINK = 0.03
# In seconds; an address that nobody answers for is silent to the end of it.
_PATIENCE = 5.0
# For so many seconds an answer may be late because whoever gives it is held up, by a busy machine and not by us.
_LATE = 1.0
_EVERYTHING = 3
_REPLY, _ADVERTISEMENT = 2, 136
_SOURCES = 256
# asm-generic/socket.h; Python does not name it.
_SO_RCVBUFFORCE, _ROOM = 33, 16 << 20
_SOURCE4, _SOURCE6 = bytes((203, 0, 113)), ip("2001:db8:1::")[:15]


@dataclass(slots=True)
class Question:
    """One question, and the hardware addresses of those who answered before the next one."""

    at: float
    answers: set[str] = field(default_factory=set)


class Observer:
    """
    Asks for each address every `interval` seconds, from the moment it is entered; times are monotonic.

    Each question comes from an address of its own, which its answers name: a late one counts where it belongs.
    """

    def __init__(self, lab: Lab, addresses: Sequence[str], *, interface: str = "eth0", interval: float = 0.02) -> None:
        self._lab = lab
        self._interface = interface
        self._mac = b""
        self._unasked: set[tuple[bytes, str]] = set()
        self._names = {lab.mac(host): host for host in lab.hosts}
        self._interval = interval
        self._asked: dict[bytes, list[Question]] = {ip(address): [] for address in addresses}
        self._asking: asyncio.Task[None] | None = None
        self._socket: socket.socket | None = None

    async def __aenter__(self) -> "Observer":
        with entered(self._lab.namespace(OBSERVER)):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
            # Room for what a flood brings beside the answers.
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
            self._socket.bind((self._interface, _EVERYTHING))
        self._mac = self._socket.getsockname()[4]
        asyncio.get_running_loop().add_reader(self._socket, self._receive)
        self._asking = asyncio.create_task(self._ask())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._asking is not None
        assert self._socket is not None
        self._asking.cancel()
        await asyncio.wait({self._asking})
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def owners(self, address: str, *, questions: int = 3) -> set[str]:
        """Who answered the last few questions that have had time for an answer."""
        return set().union(*(question.answers for question in self._asked[ip(address)][-questions - 1 : -1]))

    def has_one(self, address: str, owner: str, *, questions: int = 10) -> bool:
        """Whether each of the last questions was answered by this host, and by nobody else."""
        last = self._asked[ip(address)][-questions - 1 : -1]
        return len(last) == questions and all(question.answers == {owner} for question in last)

    async def one(self, address: str, owner: str, patience: float = 20.0) -> float:
        """Wait until a host alone answers; gives when that began."""
        end = time.monotonic() + patience
        while not self.has_one(address, owner):
            assert time.monotonic() < end, f"{owner} alone: {self.counts(address, end - patience)}"
            await asyncio.sleep(self._interval)
        return self._asked[ip(address)][-11].at

    def first(self, address: str, owner: str) -> float:
        """When the first question was asked that a host has answered."""
        return next(question.at for question in self._asked[ip(address)] if owner in question.answers)

    def everyone(self, address: str, since: float = 0.0) -> set[str]:
        """All who have answered since then."""
        return set().union(*(question.answers for question in self._asked[ip(address)] if question.at >= since))

    def unasked(self, address: str, by: str) -> bool:
        """Whether a host has announced the address to everybody since this was entered."""
        return (ip(address), by) in self._unasked

    def longest(self, address: str, count: Iterable[int], since: float = 0.0, before: float = inf) -> float:
        """For how many seconds at a stretch the number of hosts that answered was one of these."""
        wanted, longest, began = set(count), 0.0, None
        for question in self._asked[ip(address)][:-1]:
            if not since <= question.at < before:
                continue
            if len(question.answers) in wanted:
                began = question.at if began is None else began
                longest = max(longest, question.at + self._interval - began)
            else:
                began = None
        return longest

    async def silence(self, address: str, since: float = 0.0) -> float:
        """
        The longest time without an answer up to now, in seconds.

        A late answer is an answer. So this waits until a question of now has got one, and a little longer: who is to
        answer those before it may be another host, that is held up.
        """
        asked, now = self._asked[ip(address)], time.monotonic()
        number = len(asked)
        while not any(question.answers for question in asked[number:]) and time.monotonic() < now + _PATIENCE:
            await asyncio.sleep(self._interval)
        end = time.monotonic() + _LATE
        while (longest := self.longest(address, [0], since, now)) >= A_BLINK and time.monotonic() < end:
            await asyncio.sleep(self._interval)
        return longest

    def division(self, address: str, since: float = 0.0) -> float:
        """The longest time with more than one owner, in seconds."""
        return self.longest(address, range(2, 10), since)

    def counts(self, address: str, since: float = 0.0) -> Counter[frozenset[str]]:
        """How many questions were answered by whom, for messages of failed tests."""
        return Counter(frozenset(one.answers) for one in self._asked[ip(address)][:-1] if one.at >= since)

    async def _ask(self) -> None:
        due = time.monotonic()
        while True:
            for address, asked in self._asked.items():
                self._send(address, len(asked) % _SOURCES)
                asked.append(Question(time.monotonic()))
            due = max(due + self._interval, time.monotonic())
            await asyncio.sleep(due - time.monotonic())

    def _send(self, address: bytes, number: int) -> None:
        assert self._socket is not None
        if len(address) == 4:
            frame = arp_packet(address, sender=_SOURCE4 + bytes([number]), sender_mac=self._mac)
        else:
            source = _SOURCE6 + bytes([number])
            frame = solicitation(address, source=source, source_mac=self._mac, ethernet_source=self._mac)
        self._socket.send(frame)

    def _receive(self) -> None:
        assert self._socket is not None
        with suppress(BlockingIOError):
            while True:
                frame = self._socket.recv(2048)
                if frame[:6] == self._mac and (found := _answer(frame)) is not None:
                    self._note(*found)
                elif (announced := _announcement(frame)) is not None:
                    self._unasked.add((announced[0], self._name(announced[1])))

    def _note(self, address: bytes, by: bytes, number: int) -> None:
        asked = self._asked.get(address, [])
        question = next((one for one in reversed(range(len(asked))) if one % _SOURCES == number), None)
        if question is not None:
            asked[question].answers.add(self._name(by))

    def _name(self, hardware: bytes) -> str:
        return self._names.get(text := hardware.hex(":"), text)


def _answer(frame: bytes) -> tuple[bytes, bytes, int] | None:
    """Address, hardware address and number of the question of an answer by ARP or NDP; None for all else."""
    if frame[12:14] == b"\x08\x06" and frame[21] == _REPLY and frame[38:41] == _SOURCE4:
        return frame[28:32], frame[22:28], frame[41]
    if frame[12:14] == b"\x86\xdd" and frame[54] == _ADVERTISEMENT and frame[38:53] == _SOURCE6 and len(frame) >= 86:
        return frame[62:78], frame[80:86], frame[53]
    return None


def _announcement(frame: bytes) -> tuple[bytes, bytes] | None:
    """Address and hardware address of what is announced to all; None for all else."""
    if frame[12:14] == b"\x08\x06" and frame[28:32] == frame[38:42]:
        return frame[28:32], frame[22:28]
    if frame[12:14] == b"\x86\xdd" and frame[54] == _ADVERTISEMENT and frame[:2] == b"\x33\x33" and len(frame) >= 86:
        return frame[62:78], frame[80:86]
    return None


def send_frame(lab: Lab, host: str, frame: bytes) -> None:
    """Put a frame on the wire from a host, whatever it says of itself."""
    with (
        entered(lab.namespace(host)),
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender,
    ):
        sender.bind(("eth0", 0))
        sender.send(frame)


def cached(lab: Lab, text: str, host: str = "client") -> str | None:
    """The host that the client's kernel sends to for an address; None where it knows nobody."""
    found = neighbor(lab, text, host).get("lladdr")
    names = {lab.mac(name): name for name in lab.hosts}
    return names.get(found, found) if found else None


def neighbor(lab: Lab, text: str, host: str = "client") -> dict[str, str]:
    """The client's entry: `state` and, where it is known, `lladdr`."""
    family = "-6" if ":" in text else "-4"
    printed = lab.run(host, "ip", family, "-j", "neigh", "show", text, "dev", "eth0", check=False)
    entries = [entry for entry in json.loads(printed or "[]") if entry]
    found = entries[0] if entries else {}
    state = {"state": " ".join(found.get("state", ()))}
    return {**state, "lladdr": found["lladdr"]} if "lladdr" in found else state
