"""
From a session with all routes wanted to the last one in BIRD's table; then one change among them, and memory.

The floor of a table is the same session with octets made beforehand, of a change one octets sent by a blocking socket.
GoBGP, ExaBGP and BIRD tell BIRD the same table in the same run. Sender and receiver are hosts of a network of
namespaces, on one machine.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from benchmarks import route_senders as senders
from benchmarks.measure import ENVIRONMENT, Beside
from benchmarks.route_receiver import Receiver, receiver_configuration
from benchmarks.route_table import RECEIVER, SENDER
from reconciler.cli.lab import Lab

_SIZES = (10_000, 100_000)
_TIMES, _TIMES_OTHERS = 15, 3
_CHANGES, _PEERS = 500, 4
_LARGEST = _SIZES[-1]

_Sender = Callable[[Lab, Path, int], AbstractContextManager[senders.Begin]]
_OTHERS: dict[str, _Sender] = {"GoBGP": senders.gobgp, "ExaBGP": senders.exabgp, "BIRD": senders.bird}


def rows() -> Iterator[Beside]:
    """Tables of two sizes by all senders in turn; one with long messages; single changes; memory."""
    with Lab(SENDER, RECEIVER) as lab:
        for count in _SIZES:
            yield from _tables(lab, count)
        yield _with_long_messages(lab, _LARGEST)
        yield _changes(lab, _LARGEST)
    yield _memory(_LARGEST)


def _tables(lab: Lab, count: int) -> Iterator[Beside]:
    with _receiver(lab, extended=False) as receiver:
        ours, floor = _in_turn(lab, receiver, count)
        yield Beside("table to BIRD: ours", count, ours, floor)
        for name, sender in _OTHERS.items():
            taken = [_seconds(lab, receiver, sender, count) for _ in range(_TIMES_OTHERS)]
            yield Beside(f"table to BIRD: {name}", count, taken, floor)


def _with_long_messages(lab: Lab, count: int) -> Beside:
    with _receiver(lab, extended=True) as receiver:
        return Beside("table to BIRD: ours, 65535 octets", count, *_in_turn(lab, receiver, count))


def _in_turn(lab: Lab, receiver: Receiver, count: int) -> tuple[list[float], list[float]]:
    taken = [
        (_seconds(lab, receiver, senders.ours, count), _seconds(lab, receiver, senders.bare, count))
        for _ in range(_TIMES)
    ]
    return [ours for ours, _ in taken], [floor for _, floor in taken]


def _seconds(lab: Lab, receiver: Receiver, sender: _Sender, count: int) -> float:
    with _directory() as directory, sender(lab, directory, count) as begin:
        taken = receiver.seconds_until_told(count, begin)
        receiver.forget()
        return taken


def _changes(lab: Lab, count: int) -> Beside:
    """From the change until the receiver has its octets."""
    ours, used = _changed(lab, "benchmarks.route_sender", str(count), str(_CHANGES))
    floor, _ = _changed(lab, "benchmarks.bare_bgp", "send", str(count), str(_CHANGES))
    return Beside("one route changed, until received", count, ours, floor, f"the table took {float(used):.3f} s of CPU")


def _changed(lab: Lab, *sender: str) -> tuple[list[float], str]:
    with senders.process([*_python(lab, RECEIVER), "benchmarks.bare_bgp", "receive", str(_CHANGES)]) as receiver:
        _line(receiver)
        with senders.process([*_python(lab, SENDER), *sender]) as sending:
            began = [float(_line(sending)) for _ in range(_CHANGES)]
            last = _line(sending)
            arrived = [float(_line(receiver)) for _ in range(_CHANGES)]
    return [there - here for here, there in zip(began, arrived, strict=True)], last


def _memory(count: int) -> Beside:
    """Processor time to write the table for all peers; the floor is a second."""
    command = [sys.executable, "-m", "benchmarks.route_memory", str(count), str(_PEERS)]
    told = [
        [
            float(word)
            for word in subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT).stdout.split()
        ]
        for _ in range(3)
    ]
    without, with_all = max(one[0] for one in told), max(one[1] for one in told)
    note = f"{with_all:.0f} MiB when told, {without:.0f} without sessions"
    return Beside(f"table written for {_PEERS} peers, CPU", count, [one[2] for one in told], [1.0], note)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"{process.args!r} has ended too early")
    return line.strip()


def _python(lab: Lab, host: str) -> list[str]:
    return [*lab.inside(host), sys.executable, "-m"]


@contextmanager
def _receiver(lab: Lab, *, extended: bool) -> Iterator[Receiver]:
    with _directory() as directory:
        configuration = receiver_configuration(directory, extended=extended)
        (directory / "bird.conf").write_text(configuration, encoding="utf-8")
        with senders.process([*lab.inside(RECEIVER), *senders.bird_command(directory)], directory / "output"):
            receiver = Receiver(directory)
            yield receiver
            receiver.close()


@contextmanager
def _directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lb-reconciler-bench-") as name:
        yield Path(name)
