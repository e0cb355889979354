"""Members in processes of their own, each in a namespace of the lab, and what they said."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from reconciler.cli.lab import Lab
from tests.membership.node import PORT

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0


class Said(msgspec.Struct, frozen=True):
    """One line of a member; `at` is in seconds on the monotonic clock of this machine."""

    at: float
    reason: str
    peers: tuple[str, ...]
    reunions: int


class Process:
    """A member on a host of the lab."""

    def __init__(self, lab: Lab, host: str, seeds: Sequence[str], *, ipv6: bool = False) -> None:
        self.host = host
        self.said: list[Said] = []
        address = lab.address6 if ipv6 else lab.address
        where = [f"[{address(seed)}]:{PORT}" if ipv6 else f"{address(seed)}:{PORT}" for seed in seeds]
        self.child = subprocess.Popen(
            [*lab.inside(host), sys.executable, "-m", "tests.membership.node", host, address(host), *where],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self.said.append(msgspec.json.decode(line, type=Said))

    @property
    def peers(self) -> tuple[str, ...]:
        return self.said[-1].peers if self.said else ()

    def tell(self, command: str) -> None:
        assert self.child.stdin is not None
        self.child.stdin.write(command.encode() + b"\n")
        self.child.stdin.flush()

    def kill(self) -> float:
        """End it as a power cut would; when that was."""
        at = time.monotonic()
        self.child.kill()
        self.close()
        return at

    def close(self) -> None:
        self.child.kill()
        self.child.wait()
        self._reader.join()
        for pipe in (self.child.stdin, self.child.stdout):
            if pipe is not None:
                pipe.close()

    def first(self, holds: Callable[[Said], bool], since: float = 0.0) -> Said:
        """The first line after `since` of which that holds; waits for it."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for said in tuple(self.said):
                if said.at >= since and holds(said):
                    return said
            assert self.child.poll() is None, f"{self.host} has ended"
            time.sleep(0.01)
        raise AssertionError(f"{self.host} did not say it; last: {self.said[-3:]}")


def without(node: str) -> Callable[[Said], bool]:
    return lambda said: node not in said.peers


def with_all(*nodes: str) -> Callable[[Said], bool]:
    return lambda said: set(nodes) <= set(said.peers)


def start_all(lab: Lab, hosts: Sequence[str], *, ipv6: bool = False) -> list[Process]:
    """One member on each host, once all of them know all."""
    found = [Process(lab, host, hosts, ipv6=ipv6) for host in hosts]
    try:
        for process in found:
            process.first(with_all(*hosts))
            process.first(lambda said: said.reason == "ready")
    except BaseException:
        for process in found:
            process.close()
        raise
    return found
