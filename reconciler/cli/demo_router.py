"""
The router of the live demonstration: BIRD in a namespace of its own, which hears routes from every node.

It is somebody else's implementation of BGP and BFD, and installs what it hears in its kernel's table of routes.
"""

import asyncio
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import which
from string import Template

from reconciler.cli.lab import Lab
from reconciler.errors import ReconcilerError

ASN, NODES_ASN = 64501, 64512
# Milliseconds, and packets that may be missed: those of the BFDProfile that is put in place. A machine that is busy
# with other things as well is to take no node for dead.
BFD_INTERVAL, BFD_MULTIPLIER = 100, 4
COMMANDS = ("bird", "birdc")

_PAUSE = 0.02
_PATIENCE = 10.0
# As BIRD shows a BFD session that has come down to the intervals that are configured.
_FAST = re.compile(rf"\bUp\b.* {BFD_INTERVAL / 1000:.3f} +{BFD_INTERVAL * BFD_MULTIPLIER / 1000:.3f}$", re.MULTILINE)

# What comes from the nodes' AS, and from their addresses, may bring routes to single addresses and nothing else.
_CONFIGURATION = Template("""\
router id $address;
protocol device { }
protocol kernel { ipv4 { export all; }; merge paths yes; }
protocol kernel { ipv6 { export all; }; merge paths yes; }
protocol bfd {
  interface "eth0" { min rx interval $interval ms; min tx interval $interval ms; multiplier $multiplier; };
}
protocol bgp nodes {
  local $address as $asn;
  neighbor range 192.0.2.0/28 as $nodes_asn;
  dynamic name "node";
  passive;
  error wait time 1, 2;
  bfd on;
  ipv4 { import where net.len = 32; export none; };
  ipv6 { import where net.len = 128; export none; };
}
""")


class RouterError(ReconcilerError):
    """BIRD does not do what the demonstration needs of it; the message says what it said."""


def why_no_router() -> str | None:
    """Why there can be no router on this machine; None when there can."""
    missing = [command for command in COMMANDS if which(command) is None]
    return f"the command {missing[0]} is missing (package bird2)" if missing else None


class Router:
    """
    BIRD on a host of a lab, with its files in a directory.

    Used as a context manager: afterwards it has ended.
    """

    def __init__(self, lab: Lab, host: str, directory: Path) -> None:
        self._lab = lab
        self._host = host
        self._directory = directory
        self._log = directory / "bird.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Router":
        (self._directory / "bird.conf").write_text(self._configuration(), encoding="utf-8")
        # Paths relative to its directory: the name of a socket has some hundred characters at most.
        command = [*self._lab.inside(self._host), "bird", "-f", "-c", "bird.conf", "-s", "bird.ctl", "-P", "bird.pid"]
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - a program that we looked for
                command,
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _configuration(self) -> str:
        return _CONFIGURATION.substitute(
            address=self._lab.address(self._host),
            asn=ASN,
            nodes_asn=NODES_ASN,
            interval=BFD_INTERVAL,
            multiplier=BFD_MULTIPLIER,
        )

    async def guarded(self, nodes: int) -> None:
        """
        Wait until so many BFD sessions run at the configured intervals.

        Raises:
            RouterError: That does not happen.
        """

        def is_guarded() -> bool:
            return len(_FAST.findall(self._asked("show", "bfd", "sessions"))) == nodes

        await self._until(is_guarded, "its BFD sessions")

    async def leads(self, address: str, by: Sequence[str]) -> None:
        """
        Wait until the kernel's routes to an address lead over exactly these next hops.

        Raises:
            RouterError: That does not happen.
        """

        def is_so() -> bool:
            return sorted(re.findall(r"via (\S+)", self.table(address))) == sorted(by)

        await self._until(is_so, f"routes over {', '.join(by)}")

    def table(self, address: str) -> str:
        """The kernel's routes to one address, as `ip route` shows them."""
        return self._lab.run(self._host, *table_command(address))

    def _asked(self, *question: str) -> str:
        asked = subprocess.run(  # noqa: S603 - a program that we looked for
            ["birdc", "-r", "-s", "bird.ctl", *question],  # noqa: S607
            cwd=self._directory,
            capture_output=True,
            check=False,
            timeout=_PATIENCE,
        )
        return asked.stdout.decode(errors="replace")

    async def _until(self, happened: Callable[[], bool], what: str) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _PATIENCE
        # In a thread: whoever counts packets meanwhile must not wait for a command.
        while not await asyncio.to_thread(happened):
            if loop.time() > deadline or (self._process is not None and self._process.poll() is not None):
                said = self._asked("show", "protocols") + self._log.read_text("utf-8", "replace")
                raise RouterError(f"the router has not got {what}: {said.strip()}")
            await asyncio.sleep(_PAUSE)


def table_command(address: str) -> tuple[str, ...]:
    """The command that shows the routes to an address."""
    return "ip", "-6" if ":" in address else "-4", "route", "show", address
