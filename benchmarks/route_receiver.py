"""BIRD as the one that is told: when its session was established, and when it had so many routes."""

import re
import socket
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from benchmarks.route_table import RECEIVER_ADDRESS, RECEIVER_ASN, SENDER_ADDRESS, SENDER_ASN

_PATIENCE = 180.0
# Between two questions, in seconds: one costs BIRD some tens of microseconds.
_PAUSE = 0.001
_CONFIGURATION = """\
timeformat log "%Y-%m-%d %T.%6f";
log "{directory}/bird.log" all;
router id {address};
debug protocols {{ states }};
protocol device {{}}
protocol bgp told {{
  disabled;
  local {address} as {asn};
  neighbor {remote} as {remote_asn};
  passive;
  enable extended messages {extended};
  error wait time 1, 1;
  ipv4 {{ import all; export none; }};
}}
"""
_ESTABLISHED = re.compile(r"^(\S+ \S+) .* told: State changed to up$", re.MULTILINE)
_IMPORTED = re.compile(r"Routes: +(\d+) imported")


class Control:
    """The control socket of a BIRD."""

    def __init__(self, directory: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_PATIENCE)
        path = str(directory / "bird.ctl")
        until(lambda: self._socket.connect_ex(path) == 0)
        self._lines = self._socket.makefile("rw", encoding="utf-8")
        self._reply()

    def ask(self, command: str) -> str:
        """What it answers."""
        self._lines.write(f"{command}\n")
        self._lines.flush()
        return self._reply()

    def routes(self) -> int:
        """How many it has in its table; takes as long as the table is."""
        found = re.search(r"(\d+) of \d+ routes", self.ask("show route count"))
        return int(found[1]) if found else 0

    def close(self) -> None:
        """Let it go."""
        self._lines.close()
        self._socket.close()

    def _reply(self) -> str:
        # A code of four digits and a space begins the last line.
        reply = ""
        for line in self._lines:
            reply += line
            if line[:4].isdigit() and line[4:5] == " ":
                break
        return reply


class Receiver:
    """A BIRD in the directory, that waits for the sender once it is told to."""

    def __init__(self, directory: Path) -> None:
        self._log = directory / "bird.log"
        self._control = Control(directory)

    def seconds_until_told(self, count: int, begin: Callable[[], object]) -> float:
        """From the session until it has so many routes; `begin` makes the sender come."""
        before = self._log.stat().st_size
        self._control.ask("enable told")
        begin()
        ended = until(lambda: self._imported() >= count)
        told = self._log.read_text(encoding="utf-8")[before:]
        # The last one, should an attempt have failed.
        return ended - datetime.strptime(_ESTABLISHED.findall(told)[-1], "%Y-%m-%d %H:%M:%S.%f").timestamp()  # noqa: DTZ007

    def forget(self) -> None:
        """End the session, and with it all routes."""
        self._control.ask("disable told")
        until(lambda: self._control.routes() == 0)

    def close(self) -> None:
        """Ask nothing more."""
        self._control.close()

    def _imported(self) -> int:
        found = _IMPORTED.search(self._control.ask("show protocols all told"))
        return int(found[1]) if found else 0


def receiver_configuration(directory: Path, *, extended: bool) -> str:
    """Of the BIRD in that directory; it offers messages longer than 4096 octets, or it does not."""
    return _CONFIGURATION.format(
        directory=directory,
        address=RECEIVER_ADDRESS,
        asn=RECEIVER_ASN,
        remote=SENDER_ADDRESS,
        remote_asn=SENDER_ASN,
        extended="on" if extended else "off",
    )


def until(is_so: Callable[[], bool]) -> float:
    """Wait until it is; gives the instant on the clock of the day, as BIRD's log has it."""
    ends = time.monotonic() + _PATIENCE
    while not is_so():
        if time.monotonic() > ends:
            raise SystemExit("a router has not done what it should in three minutes")
        time.sleep(_PAUSE)
    return time.time()
