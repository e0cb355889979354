"""Those who answer for an address on a link, to be measured in turn: ours, the kernel, and one on libraries for Go."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from reconciler.cli.lab import Lab

_GO_SOURCE = Path(__file__).parent / "go_responder" / "main.go"
# Where the packages golang-github-mdlayher-{arp,ndp}-dev put their sources.
_GO_PATH = Path("/usr/share/gocode")
_TICKS = os.sysconf("SC_CLK_TCK")

INTERFACE = "eth1"
MAC = "02:00:00:00:01:01"


class Running:
    """A responder; `cpu_seconds` is what it has used so far, None where it is not a process of its own."""

    def __init__(self, process: int | None = None) -> None:
        self._process = process

    @property
    def is_process(self) -> bool:
        """Whether it can be stopped for a while."""
        return self._process is not None

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """It does not run meanwhile; afterwards it finds what has arrived."""
        assert self._process is not None
        os.kill(self._process, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process, signal.SIGCONT)

    def cpu_seconds(self) -> float | None:
        if self._process is None:
            return None
        fields = Path(f"/proc/{self._process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


@contextmanager
def kernel(lab: Lab, address: str) -> Iterator[Running]:
    """The kernel, for an address that the interface holds."""
    lab.run("node", "ip", "addr", "add", address, "dev", INTERFACE, *(["nodad"] if ":" in address else []))
    try:
        yield Running()
    finally:
        lab.run("node", "ip", "addr", "del", address, "dev", INTERFACE)


@contextmanager
def ours(lab: Lab, address: str) -> Iterator[Running]:
    """Our answering thread, in a process with an event loop."""
    with _process(lab, (sys.executable, "-m", "benchmarks.answering", INTERFACE, MAC, address)) as running:
        yield running


@contextmanager
def go(lab: Lab, program: Path, address: str) -> Iterator[Running]:
    """The responder in Go."""
    kind = "ndp" if ":" in address else "arp"
    with _process(lab, (str(program), kind, INTERFACE, address)) as running:
        yield running


@contextmanager
def built_go_responder() -> Iterator[Path | None]:
    """The program, built for this run; None where there is no Go, or not the libraries."""
    compiler = shutil.which("go")
    if compiler is None or not (_GO_PATH / "src/github.com/mdlayher/ndp").is_dir():
        print("the responder in Go is left out: it needs Go and golang-github-mdlayher-{arp,ndp}-dev", file=sys.stderr)
        yield None
        return
    with tempfile.TemporaryDirectory() as directory:
        program = Path(directory) / "responder"
        environment = {**os.environ, "GO111MODULE": "off", "GOPATH": str(_GO_PATH), "GOCACHE": directory}
        subprocess.run([compiler, "build", "-o", program, _GO_SOURCE], check=True, env=environment)
        yield program


@contextmanager
def _process(lab: Lab, command: Sequence[str]) -> Iterator[Running]:
    process = subprocess.Popen([*lab.inside("node"), *command], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise SystemExit(f"{' '.join(command)} did not start")
        yield Running(process.pid)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
