"""
What the tests may ask of any router that talks BGP: one daemon in a namespace of the lab, with a directory of its own.

The daemons run in the foreground, so that we know their process numbers, and end with the test for certain.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import ClassVar

import pytest

from reconciler.bgp.families import Family
from reconciler.cli.lab import Lab
from tests.routers.configuration import Setup

_PATIENCE = 20.0
_BGP_PORT = f":{179:04X}"
_LISTENS = "0A"


@dataclass(frozen=True, slots=True)
class Route:
    """
    A route as it stands in a router's table. `next_hops` has the link-local address too where one was sent.

    Communities are written `64512:1` and `64512:1:2`, without names. `local_pref` and `stale` are None where the router
    does not say (BIRD and GoBGP give every route a local preference; BIRD does not show what is stale).
    """

    next_hops: tuple[str, ...]
    as_path: tuple[int, ...]
    origin: str
    local_pref: int | None = None
    med: int | None = None
    communities: frozenset[str] = frozenset()
    large_communities: frozenset[str] = frozenset()
    is_stale: bool | None = None
    is_valid: bool = True


@dataclass(frozen=True, slots=True)
class Session:
    """One neighbour as the router sees it. `said` has what it knows of the end of the last session, in its words."""

    is_established: bool
    state: str
    said: str = ""
    hold_time: int | None = None


UNKNOWN = Session(is_established=False, state="unknown")


class Router(ABC):
    """A daemon that is started, asked, stopped, killed, frozen, and started again."""

    name: ClassVar[str]

    def __init__(self, lab: Lab, host: str, setup: Setup) -> None:
        self.lab = lab
        self.host = host
        self.setup = setup
        self._processes: list[subprocess.Popen[bytes]] = []
        self._directory: Path | None = None

    # Life

    def start(self) -> None:
        """Start the daemon; `is_ready` says when it may be talked to."""
        if self._directory is None:
            # Not below pytest's directory, which only we may enter: FRR drops its rights.
            self._directory = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
            self._directory.chmod(0o755)
        self._launch(self._directory)

    def stop(self) -> None:
        """End the daemon in order; it may say so to its neighbours."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the daemon without giving it a chance to say anything; the kernel closes its connections."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End the daemon and forget its directory."""
        self.stop()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def freeze(self) -> None:
        """The daemon reads and writes nothing, and its connections stay open."""
        for process in self._processes:
            process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        for process in self._processes:
            process.send_signal(signal.SIGCONT)

    @property
    def is_alive(self) -> bool:
        """Whether all its processes run."""
        return all(process.poll() is None for process in self._processes)

    @property
    def is_ready(self) -> bool:
        """Whether it answers questions and listens for neighbours."""
        return self._answers() and self._listens()

    def log(self) -> str:
        """What it has logged so far."""
        logs = sorted(self.directory.glob("*.log"))
        return "".join(log.read_text(errors="replace") for log in logs)

    # Questions

    @abstractmethod
    def session(self, neighbor: str) -> Session:
        """A neighbour by its name."""

    @abstractmethod
    def routes(self, family: Family, neighbor: str) -> dict[str, Route]:
        """What it has from a neighbour, by prefix."""

    @abstractmethod
    def count(self, family: Family) -> int:
        """How many routes there are in its table; quick, however many."""

    @abstractmethod
    def originate(self, *prefixes: str) -> None:
        """Originate these too from now on."""

    # For the routers

    @property
    def directory(self) -> Path:
        assert self._directory is not None, "it was never started"
        return self._directory

    @abstractmethod
    def _launch(self, directory: Path) -> None:
        """Write its configuration and start its processes."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it can be asked."""

    def _spawn(self, name: str, *command: str) -> None:
        with (self.directory / f"{name}.log").open("ab") as output:
            inside = self.lab.inside(self.host)
            self._processes.append(
                # Not a child of our terminal: an interrupt of the test run ends it in our time, by its number.
                subprocess.Popen([*inside, *command], stdout=output, stderr=output, start_new_session=True)
            )

    def _listens(self) -> bool:
        for table in ("tcp", "tcp6"):
            with suppress(OSError):
                lines = Path(f"/proc/{self._processes[-1].pid}/net/{table}").read_text().splitlines()[1:]
                fields = (line.split() for line in lines)
                if any(field[1].endswith(_BGP_PORT) and field[3] == _LISTENS for field in fields):
                    return True
        return False

    def _end(self, number: int) -> None:
        # The last one first: the others serve it.
        for process in reversed(self._processes):
            process.send_signal(number)
            process.send_signal(signal.SIGCONT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
            process.wait()
        self._processes.clear()


@contextmanager
def running(*routers: Router) -> Iterator[None]:
    """Start them, wait until all are ready, and end them afterwards, or when the tests are told to end."""
    with _ending_in_order():
        try:
            for router in routers:
                router.start()
            ends = monotonic() + _PATIENCE
            for router in routers:
                while not router.is_ready:
                    assert router.is_alive, f"{router.name} has ended:\n{router.log()}"
                    assert monotonic() < ends, f"{router.name} is not ready:\n{router.log()}"
                    sleep(0.01)
            yield
        finally:
            for router in routers:
                router.close()


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """Be interrupted by SIGTERM, which would otherwise end us with the daemons left behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def need(package: str, *programs: str | Path) -> None:
    """Skip where a program is not installed; fail in CI."""
    for program in programs:
        if shutil.which(program) is None:
            reason = f"{program} is missing: install the package {package}"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)


def lines_of(*parts: str | Iterable[str] | None) -> str:
    """A configuration of lines and lists of lines; None is left out."""
    lines: list[str] = []
    for part in parts:
        if part is None:
            continue
        lines.extend([part] if isinstance(part, str) else part)
    return "\n".join(lines) + "\n"
