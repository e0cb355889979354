"""BFD as others make it: FRR's bfdd and BIRD, each in a namespace, with directories of their own."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any

import pytest

_FRR = Path("/usr/lib/frr")


def need(package: str, program: str | Path) -> None:
    """Skip where a program is not installed; fail in CI."""
    if shutil.which(program) is not None:
        return
    reason = f"{program} is missing: install the package {package}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


class Frr:
    """A running bfdd, asked over its terminal socket."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def ask(self, *commands: str) -> str:
        """What it says to the last of some commands; empty while it is starting."""
        with socket.socket(socket.AF_UNIX) as terminal:
            terminal.settimeout(10)
            try:
                terminal.connect(str(self._directory / "bfdd.vty"))
            except OSError:
                return ""
            answer = ""
            for command in ("enable", *commands):
                terminal.sendall(command.encode() + b"\0")
                answer = _answer(terminal)
            return answer

    def peer(self) -> dict[str, Any]:
        """What it thinks of its first peer; empty while it has none."""
        return self._first("show bfd peers json")

    def counters(self) -> dict[str, Any]:
        """What it counted for its first peer; empty while it has none."""
        return self._first("show bfd peers counters json")

    def _first(self, command: str) -> dict[str, Any]:
        answer = self.ask(command)
        listed: list[dict[str, Any]] = json.loads(answer) if answer.strip() else []
        return listed[0] if listed else {}


def _answer(terminal: socket.socket) -> str:
    # Three zeros and a status end it.
    received = b""
    while not (len(received) >= 4 and received[-4:-1] == b"\0\0\0"):
        part = terminal.recv(1 << 16)
        if not part:
            break
        received += part
    return received[:-4].decode()


@contextmanager
def frr(inside: Sequence[str], configuration: Sequence[str]) -> Iterator[Frr]:
    """Run bfdd, and zebra, which tells it of the interfaces."""
    need("frr", _FRR / "bfdd")
    # Not below pytest's directory, which only we may enter: FRR drops its rights.
    with TemporaryDirectory() as made:
        directory = Path(made)
        directory.chmod(0o755)
        shutil.chown(directory, "frr", "frr")
        (directory / "bfdd.conf").write_text("\n".join(configuration) + "\n")
        own = ["-u", "frr", "-g", "frr", "--vty_socket", made, "-z", f"{made}/zserv.api", "-P", "0"]
        zebra = [str(_FRR / "zebra"), *own, "--log", f"file:{made}/zebra.log", "-i", f"{made}/zebra.pid"]
        bfdd = [str(_FRR / "bfdd"), *own, "--log", f"file:{made}/bfdd.log", "-i", f"{made}/bfdd.pid"]
        with _process([*inside, *zebra, "-f", "/dev/null"]):
            _wait_for(directory / "zserv.api")
            with _process([*inside, *bfdd, "-f", f"{made}/bfdd.conf", "--bfdctl", f"{made}/bfdd.sock"]):
                yield Frr(directory)


def _wait_for(path: Path) -> None:
    ends = monotonic() + 20
    while not path.exists():
        assert monotonic() < ends, f"{path.name} never appeared"
        sleep(0.01)


class Bird:
    """A running bird, asked over its control socket."""

    def __init__(self, control: Path) -> None:
        self._control = control

    def ask(self, command: str) -> str:
        """What it answers; empty while it is starting."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(10)
            try:
                control.connect(str(self._control))
            except OSError:
                return ""
            with control.makefile("rw") as lines:
                _reply(lines)
                lines.write(f"{command}\n")
                lines.flush()
                return _reply(lines)


def _reply(lines: Any) -> str:
    # A code of four digits and a space begins the last line.
    reply = ""
    for line in lines:
        reply += line
        if line[:4].isdigit() and line[4:5] == " ":
            break
    return reply


@contextmanager
def bird(inside: Sequence[str], directory: Path, configuration: str) -> Iterator[Bird]:
    """Run bird."""
    need("bird2", "bird")
    (directory / "bird.conf").write_text(configuration)
    control = directory / "bird.ctl"
    command = ["bird", "-f", "-c", f"{directory}/bird.conf", "-s", str(control), "-P", f"{directory}/bird.pid"]
    with _process([*inside, *command]):
        yield Bird(control)


@contextmanager
def _process(command: Sequence[str]) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
