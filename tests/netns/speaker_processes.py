"""A controller and speakers as users run them: processes of their own, guarded so that none outlives the tests."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from reconciler.cli.lab import entered
from tests.loop.running import _GUARDED

HTTP = ("127.0.0.1", 7472)
_PATIENCE = 30.0


class Role:
    """
    One process of `reconciler`, started by this.

    Args:
        command: `controller` or `speaker`, and its options.
        log: Where it writes to.
        namespace: The network namespace in which it is to be asked over HTTP; None where it is not to be asked.
        under: A command that the process is run by; it must become that process.
    """

    def __init__(
        self, command: Sequence[str], log: Path, *, namespace: str | None = None, under: Sequence[str] = ()
    ) -> None:
        self._log = log
        self._namespace = namespace
        # Whether it was told to end, which may take it some seconds.
        self.is_stopping = False
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RECONCILER_")}
        program = [*under, sys.executable, "-W", "error", "-m", "reconciler", *command]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _GUARDED, "sh", *program],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """What it and those that it follows in the same file have said so far."""
        return self._log.read_text("utf-8")

    @property
    def pid(self) -> int:
        return self._process.pid

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def status(self) -> Any:
        """The JSON of `/status`; empty as long as nobody answers."""
        body = self._ask("/status")
        return json.loads(body) if body else {}

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the series of `/metrics` that have these labels; 0 without any."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self._ask("/metrics"))
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def memory(self) -> int:
        """Resident octets."""
        fields = Path(f"/proc/{self.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def stop(self) -> None:
        """SIGTERM; does not wait."""
        self.is_stopping = True
        self.signal(signal.SIGTERM)

    def wait(self) -> int:
        """The exit status of a process that ends."""
        status = self._process.wait(_PATIENCE)
        self._dismiss_guard()
        return status

    def kill(self) -> None:
        """SIGKILL; it is gone when this returns. Does nothing the second time."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._dismiss_guard()

    def _ask(self, path: str) -> str:
        assert self._namespace is not None
        asking = http.client.HTTPConnection(*HTTP, timeout=_PATIENCE)
        with contextlib.closing(asking):
            try:
                with entered(self._namespace):
                    asking.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                asking.sock.settimeout(_PATIENCE)
                asking.sock.connect(HTTP)
                asking.request("GET", path)
                answer = asking.getresponse()
                return answer.read().decode() if answer.status == http.HTTPStatus.OK else ""
            except (OSError, http.client.HTTPException):
                return ""

    def _dismiss_guard(self) -> None:
        stdin = self._process.stdin
        if stdin is not None and not stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                stdin.write(b"\n")
                stdin.close()
