"""Three processes that watch each other, gossip and all: cut off, killed, and busy."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from reconciler.cli.lab import Lab
from tests.netns.fast_node import PORT

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0
HOSTS = ("n1", "n2", "n3")


class Said(msgspec.Struct, frozen=True):
    """One line of a node."""

    at: float
    silent: tuple[str, ...]
    peers: tuple[str, ...]
    up: tuple[str, ...]
    cpu: float


class Process:
    """A node on a host of the lab; used as a context manager."""

    def __init__(self, lab: Lab, host: str) -> None:
        self.said: list[Said] = []
        seeds = [f"{lab.address(seed)}:{PORT}" for seed in HOSTS]
        module = [sys.executable, "-m", "tests.netns.fast_node", host, lab.address(host), *seeds]
        self.child = subprocess.Popen([*lab.inside(host), *module], stdout=subprocess.PIPE, cwd=ROOT)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.child.kill()
        self.child.wait()
        self._reader.join()
        assert self.child.stdout is not None
        self.child.stdout.close()

    def _read(self) -> None:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self.said.append(msgspec.json.decode(line, type=Said))

    def first(self, holds: Callable[[Said], bool], since: float = 0.0) -> Said:
        """The first line after `since` of which that holds; waits for it."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = next((said for said in tuple(self.said) if said.at >= since and holds(said)), None)
            if found is not None:
                return found
            time.sleep(0.01)
        raise AssertionError(f"it never was so; last: {self.said[-3:]}")


@pytest.fixture
def lab_hosts() -> tuple[str, ...]:
    return HOSTS


@pytest.fixture
def nodes(lab: Lab) -> Iterator[list[Process]]:
    """One on each host, all sessions up."""
    with ExitStack() as stack:
        started = [stack.enter_context(Process(lab, host)) for host in HOSTS]
        for process in started:
            process.first(lambda said: len(said.up) == 2)
        yield started


def agreement(others: Sequence[Process], node: str, since: float) -> float:
    """After how many seconds the last of the others called a node silent; gossip had not given it up by then."""
    found = [other.first(lambda said: node in said.silent, since) for other in others]
    assert all(node in said.peers for said in found)
    return max(said.at for said in found) - since


def called_silent(processes: Sequence[Process]) -> set[str]:
    """
    Whom these have ever called silent.

    A node that a busy machine has held up is among them, and rightly. It is so for both of its neighbours, or for none.
    """
    return {node for process in processes for said in process.said for node in said.silent}


def test_a_cut_link_is_known_before_gossip_knows(lab: Lab, nodes: list[Process]) -> None:
    since = time.monotonic()
    lab.cut("n3")
    agreement(nodes[:2], "n3", since)
    # Gossip says the same later, and then there is nothing left to say.
    nodes[0].first(lambda said: "n3" not in said.peers and not said.silent, since)
    named = {node for said in nodes[2].said if len(said.peers) == 3 for node in said.silent}
    assert named <= called_silent(nodes[:2]) - {"n3"}


def test_a_killed_process_is_known_before_gossip_knows(nodes: list[Process]) -> None:
    since = time.monotonic()
    nodes[2].child.kill()
    agreement(nodes[:2], "n3", since)


def test_who_was_stopped_for_a_while_calls_nobody_silent(nodes: list[Process]) -> None:
    since = time.monotonic()
    nodes[2].child.send_signal(signal.SIGSTOP)
    agreement(nodes[:2], "n3", since)
    resumed = time.monotonic()
    nodes[2].child.send_signal(signal.SIGCONT)
    for process in nodes:
        process.first(lambda said: len(said.up) == 2 and not said.silent, resumed)
    assert called_silent(nodes[2:]) <= called_silent(nodes[:2])


@pytest.mark.soak
def test_nobody_is_called_silent_while_the_machine_is_busy(nodes: list[Process]) -> None:
    with ExitStack() as stack:
        for _ in range(2):
            child = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(child.kill)
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            time.sleep(0.1)
        assert all(process.said[-1].at > ends - 5 for process in nodes)
        assert all(said.silent == () for process in nodes for said in process.said)
