"""A program that the tests run beside themselves, and that never outlives them."""

import os
import random
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import Signals

# The shell becomes the program. Beside it somebody reads from a pipe whose other end is ours: when that closes without
# a word, because the process of the tests was killed, the program gets SIGKILL. A signal tied to our death would be
# tied to the death of the thread that started the program instead.
_WATCHED = """
exec 3<&0
{ read -r _ <&3 || kill -KILL $$; } >/dev/null 2>&1 &
exec "$@" 3<&- </dev/null
"""
# Below the ports that the kernel gives to connections: a port of a server that is down stays free until it is back,
# and nobody who knocks at it meanwhile connects to himself. Two runs beside each other have every other one: neither
# takes what the other has chosen and not bound yet.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_PORTS = range(20_000 + _WORKER, 32_000, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


class Daemon:
    """One run of a program, from its start to its end. What it prints goes to a file."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        """The environment is ours when none is given. The file of an earlier run is continued."""
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _WATCHED, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def has_ended(self) -> bool:
        """Whether it ended, on its own or by a signal."""
        return self._process.poll() is not None

    def signal(self, number: Signals) -> None:
        """Send a signal to it, unless it has ended."""
        self._process.send_signal(number)

    def wait(self, patience: float = 30.0) -> int:
        """
        Its exit status once it has ended; the number of a signal that ended it, below zero.

        Raises:
            subprocess.TimeoutExpired: It runs for longer than that, in seconds.
        """
        status = self._process.wait(patience)
        self._dismiss_watcher()
        return status

    def kill(self) -> None:
        """SIGKILL; it is gone, with all its sockets, when this returns. Does nothing the second time."""
        self._process.kill()
        self._process.wait()
        self._dismiss_watcher()

    def output(self) -> str:
        """What it printed so far, on both streams."""
        return self._log.read_text("utf-8", errors="replace")

    def _dismiss_watcher(self) -> None:
        """With a word: the number of the program may be another's by now."""
        assert self._process.stdin is not None
        if not self._process.stdin.closed:
            self._process.stdin.write(b"\n")
            self._process.stdin.close()


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody listens on, and that no other worker of this run is given."""
    found: list[int] = []
    while len(found) < count:
        port = random.SystemRandom().choice(_PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found
