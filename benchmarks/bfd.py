"""
BFD at 50 ms, three times, with FRR, while every core is kept busy: how late our packets are, and whether it holds.

A packet is late by what is beyond the interval since the one before it, as the kernel of the other host has both; it
may be earlier, by jitter (RFC 5880 section 6.8.7). Packets of FRR's bfdd in the same run are the floor. Its counter of
sessions lost, and our own, are in the note. `python -m benchmarks.bfd SECONDS` takes longer, or less, than a minute.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from struct import unpack

from benchmarks.bfd_speaker import INTERVAL, MULTIPLIER
from benchmarks.measure import Beside, print_beside
from benchmarks.route_senders import process
from benchmarks.route_table import RECEIVER, RECEIVER_ADDRESS, SENDER, SENDER_ADDRESS
from reconciler.cli.lab import Lab, entered
from tests.bfd.daemons import frr

_SECONDS = 60.0
_SERVICES = 10_000
_CONFIGURATION = (
    "bfd",
    f"peer {SENDER_ADDRESS}",
    f"detect-multiplier {MULTIPLIER}",
    f"transmit-interval {INTERVAL * 1e3:.0f}",
    f"receive-interval {INTERVAL * 1e3:.0f}",
)
_BURN = "while True: pass"
_ETH_P_IP, _PORT = 0x0800, 3784
# linux/socket.h; Python has no name for it.
_SO_TIMESTAMPNS = 35
_SETTLING = 2.0


def rows(seconds: float = _SECONDS) -> Iterator[Beside]:
    """With a loop that rests for a quarter of the time, and then with one that makes pass after pass."""
    with Lab(SENDER, RECEIVER) as lab:
        yield _measured(lab, seconds / 4, 0, "the loop rests")
        yield _measured(lab, seconds, _SERVICES, "the loop makes passes")


def _measured(lab: Lab, seconds: float, services: int, how: str) -> Beside:
    with ExitStack() as stack:
        other = stack.enter_context(frr(lab.inside(RECEIVER), _CONFIGURATION))
        command = [*lab.inside(SENDER), sys.executable, "-m", "benchmarks.bfd_speaker", str(services)]
        speaker = stack.enter_context(process(command))
        assert speaker.stdout is not None
        assert speaker.stdout.readline() == "up\n"
        # Both sides agree on the fast interval after they are up.
        time.sleep(_SETTLING)
        before = other.counters()
        stack.enter_context(_busy())
        with _capture(lab) as seen:
            time.sleep(seconds)
        after = other.counters()
        load = os.getloadavg()[0]
        speaker.terminate()
        downs, _, passes = map(int, speaker.stdout.readline().split())
    flaps = after["session-down"] - before["session-down"]
    ours, floor = ([later - earlier for earlier, later in pairwise(one)] for one in (seen.ours, seen.theirs))
    lost = f"sessions lost in {seconds:.0f} s: {flaps} by FRR's count, {downs} by ours"
    note = f"{lost}; late: {_lateness(ours)}, FRR {_lateness(floor)}; {passes} passes"
    return Beside(f"between two packets, {how}", services, ours, floor, note, load)


def _lateness(gaps: Sequence[float]) -> str:
    """By how much packets came later than they should have."""
    late = sorted(max(0.0, gap - INTERVAL) * 1e3 for gap in gaps)
    return f"p99 {late[len(late) * 99 // 100]:.1f} ms, at most {late[-1]:.1f}"


@dataclass(slots=True)
class _Seen:
    """When packets of both sides passed the interface, in seconds."""

    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    is_over: bool = False

    def follow(self, source: socket.socket) -> None:
        """For a thread of its own."""
        while not self.is_over:
            try:
                data, ancillary, _, _ = source.recvmsg(256, 64)
            except TimeoutError:
                continue
            if data[23] != socket.IPPROTO_UDP or int.from_bytes(data[36:38]) != _PORT:
                continue
            second, nanosecond = unpack("qq", ancillary[0][2])
            of = {SENDER_ADDRESS.packed: self.ours, RECEIVER_ADDRESS.packed: self.theirs}[data[26:30]]
            of.append(second + nanosecond / 1e9)


@contextmanager
def _capture(lab: Lab) -> Iterator[_Seen]:
    """All packets of BFD on the other host, stamped by its kernel."""
    with entered(lab.namespace(RECEIVER)):
        source = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
    seen = _Seen()
    with source:
        source.bind(("eth0", 0x0003))
        source.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        source.settimeout(0.1)
        thread = threading.Thread(target=seen.follow, args=(source,))
        thread.start()
        try:
            yield seen
        finally:
            seen.is_over = True
            thread.join()


@contextmanager
def _busy() -> Iterator[None]:
    """A process for each core that never rests, as eager as we are."""
    burning = [subprocess.Popen([sys.executable, "-c", _BURN]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for one in burning:
            one.kill()
            one.wait()


if __name__ == "__main__":
    print_beside(rows(float(sys.argv[1])))
