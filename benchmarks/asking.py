"""A client that asks for an address over a raw socket: one question after the other, or as many as it can."""

import json
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address

from benchmarks.responders import INTERFACE, Running
from reconciler.cli.lab import Lab, entered
from reconciler.l2 import arp, ndp
from reconciler.l2.batch import SIZE, Batch
from reconciler.l2.ethernet import BROADCAST, NO_MAC

MAC = "02:00:00:00:01:02"
_MAC = bytes.fromhex(MAC.replace(":", ""))
_EVERYTHING = 3
# Options that the socket module lacks: SO_RCVBUFFORCE, and SO_TIMESTAMPNS with 64 bits of each.
_RECEIVE_BUFFER_FORCE, _TIMESTAMPS = 33, 64
# A default buffer holds some 270 short frames.
_BURST = 6 * SIZE
# Seconds: after the first an answer is lost; the second lets the responder go to sleep between questions.
_PATIENCE, _PAUSE = 0.5, 0.0003


class Client:
    """
    Asks for one address in the names of many clients, which share one MAC.

    Args:
        asking: Sends, and receives everything.
        flooding: Only sends: what a flood is answered is counted by the interface.
    """

    def __init__(self, lab: Lab, asking: socket.socket, flooding: socket.socket) -> None:
        self._lab = lab
        self._asking = asking
        self._flooding = flooding

    def latencies(self, address: str, count: int) -> list[float]:
        """Seconds from question to answer. The client polls, so that it need not be woken itself."""
        question, wanted = questions(address)[0], ip_address(address).packed
        measured = []
        for _ in range(count):
            self._drain()
            asked = time.perf_counter()
            self._asking.send(question)
            while True:
                try:
                    frame = self._asking.recv(256)
                except BlockingIOError:
                    frame = b""
                now = time.perf_counter()
                if _is_answer(frame, wanted):
                    break
                if now - asked > _PATIENCE:
                    raise SystemExit(f"no answer for {address}")
            measured.append(now - asked)
            time.sleep(_PAUSE)
        return measured

    def flood(self, address: str, seconds: float) -> tuple[float, float, float]:
        """Questions sent and answers received, a second each; and how many seconds it took."""
        frames = questions(address)
        batch = Batch()
        descriptor = self._flooding.fileno()
        before, sent, started = self._received(), 0, time.perf_counter()
        while (now := time.perf_counter()) < started + seconds:
            sent += batch.send(descriptor, frames)
        elapsed = now - started
        received = self._received()
        # What waits in the responder's buffer is answered afterwards; it has had the time for no more than this.
        time.sleep(0.2)
        self._drain()
        return sent / elapsed, (received - before) / elapsed, elapsed

    def burst(self, address: str, running: Running) -> float:
        """
        Answers a second to questions that all wait when the responder gets to run, which nobody is busy sending then.

        There are as many as the buffer of a socket holds by default; the kernel's own times of arrival are taken.
        """
        wanted, frames = ip_address(address).packed, questions(address)
        batch = Batch()
        with running.stopped():
            self._drain()
            for _ in range(_BURST // SIZE):
                batch.send(self._flooding.fileno(), frames)
            time.sleep(0.01)
        times: list[float] = []
        end = time.monotonic() + _PATIENCE
        while len(times) < _BURST and time.monotonic() < end:
            try:
                frame, ancillary, _, _ = self._asking.recvmsg(256, 64)
            except BlockingIOError:
                continue
            if _is_answer(frame, wanted):
                seconds, nanoseconds = struct.unpack_from("@qq", ancillary[0][2])
                times.append(seconds + nanoseconds / 1e9)
        if len(times) < _BURST:
            raise SystemExit(f"{len(times)} of {_BURST} questions were answered")
        return (_BURST - 1) / (times[-1] - times[0])

    def _received(self) -> int:
        listed = json.loads(self._lab.run("client", "ip", "-j", "-s", "link", "show", INTERFACE))
        return int(listed[0]["stats64"]["rx"]["packets"])

    def _drain(self) -> None:
        try:
            while True:
                self._asking.recv(256)
        except BlockingIOError:
            pass


@contextmanager
def client_of(lab: Lab) -> Iterator[Client]:
    """The sockets of the client."""
    with entered(lab.namespace("client")):
        asking, flooding = (socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) for _ in range(2))
        asking.bind((INTERFACE, _EVERYTHING))
        flooding.bind((INTERFACE, 0))
    with asking, flooding:
        asking.settimeout(0)
        asking.setsockopt(socket.SOL_SOCKET, _RECEIVE_BUFFER_FORCE, 1 << 22)
        asking.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)
        yield Client(lab, asking, flooding)


def askers(address: str) -> Sequence[str]:
    """The addresses of the clients, in the subnet of the address asked for."""
    first = ip_address(address)
    return [str(first + number) for number in range(1, SIZE + 1)]


def questions(address: str) -> list[bytes]:
    """One question of each client."""
    wanted = ip_address(address).packed
    return [_question(wanted, ip_address(asker).packed) for asker in askers(address)]


def _question(wanted: bytes, asker: bytes) -> bytes:
    if len(wanted) == 4:
        return arp.encode(
            arp.ArpPacket(
                destination=BROADCAST,
                source=_MAC,
                operation=arp.Operation.REQUEST,
                sender_mac=_MAC,
                sender_address=asker,
                target_mac=NO_MAC,
                target_address=wanted,
            )
        )
    group = ndp.solicited_node_group(wanted)
    return ndp.encode(
        ndp.NeighborSolicitation(
            ethernet_destination=ndp.group_mac(group),
            ethernet_source=_MAC,
            source=asker,
            destination=group,
            target=wanted,
            source_mac=_MAC,
        )
    )


def _is_answer(frame: bytes, wanted: bytes) -> bool:
    """An answer names the address as ARP's sender, or as the target of an advertisement."""
    start = 28 if len(wanted) == 4 else 62
    return frame[start : start + len(wanted)] == wanted and frame[:6] == _MAC
