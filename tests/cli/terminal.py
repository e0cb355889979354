"""A terminal that a program of ours runs on: what it is sent, as it comes."""

import os
import pty
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.controlplane.api import wait_until

_ROWS, _COLUMNS = 50, 120


class Terminal:
    """Our end of a pseudo-terminal of 50 rows and 120 columns, read all the time."""

    def __init__(self) -> None:
        self._ours, self.theirs = pty.openpty()
        termios.tcsetwinsize(self.theirs, (_ROWS, _COLUMNS))
        self._octets = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def received(self) -> str:
        """Everything that was sent, as the program wrote it."""
        return bytes(self._octets).decode().replace("\r\n", "\n")

    def wait_for(self, text: str, *, after: int = 0) -> int:
        """Until that was sent after so many characters; the number of characters up to its end."""
        wait_until(lambda: text in self.received[after:], f"{text!r} on the terminal")
        return self.received.index(text, after) + len(text)

    def resize(self, rows: int, columns: int = _COLUMNS) -> None:
        """Another size of the window."""
        termios.tcsetwinsize(self.theirs, (rows, columns))

    def close(self) -> None:
        """Return once everything that was sent has been read."""
        os.close(self.theirs)
        self._reader.join()
        os.close(self._ours)

    def _read(self) -> None:
        while True:
            try:
                found = os.read(self._ours, 65536)
            except OSError:  # EIO: nobody has the other end open any more
                return
            if not found:
                return
            self._octets += found


@contextmanager
def terminal() -> Iterator[Terminal]:
    """One for a test."""
    made = Terminal()
    try:
        yield made
    finally:
        made.close()


@contextmanager
def started(
    arguments: Sequence[str],
    *,
    out: "Terminal | int" = subprocess.PIPE,
    err: "Terminal | int" = subprocess.PIPE,
    **environment: str,
) -> Iterator["subprocess.Popen[str]"]:
    """A command line of ours as a process of its own, ended afterwards."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("RECONCILER_")}
    surroundings = {**surroundings, "TERM": "xterm", **environment}
    with subprocess.Popen(
        [sys.executable, "-m", "reconciler", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=out.theirs if isinstance(out, Terminal) else out,
        stderr=err.theirs if isinstance(err, Terminal) else err,
        env=surroundings,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
