"""A controller as users run it: a process of its own, asked and signalled from outside."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import urllib3
from prometheus_client.parser import text_string_to_metric_families

from tests.controlplane.api import Object, wait_until
from tests.controlplane.daemon import free_ports

# The shell becomes the program, whose number it has. Beside it somebody waits for us to say that all is over: when we
# are gone instead, the program gets SIGKILL.
_GUARDED = """
exec 3<&0
{ read -r _ <&3 || kill -KILL $$; } >/dev/null 2>&1 &
exec "$@" 3<&- </dev/null
"""
_PATIENCE = 30.0


class RunningController:
    """One process of `reconciler controller`."""

    def __init__(self, arguments: Sequence[str], log: Path, *, under: Sequence[str] = ()) -> None:
        """`under` is a command that the process is run by; it must become that process."""
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self._log = log
        self._pool = urllib3.PoolManager(retries=False)
        command = [
            *under,
            sys.executable,
            "-m",
            "reconciler",
            "controller",
            f"--http-address=127.0.0.1:{port}",
            *arguments,
        ]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RECONCILER_")}
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _GUARDED, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )

    def __enter__(self) -> "RunningController":
        return self

    def __exit__(self, failure: object, *_: object) -> None:
        self.kill()
        if failure is not None:
            sys.stderr.write(self.log)
        self._pool.clear()

    @property
    def log(self) -> str:
        """What it has said so far, everything of it."""
        return self._log.read_text("utf-8")

    def lines(self, *parts: str) -> list[str]:
        """The lines of the log that hold all of these."""
        return [line for line in self.log.splitlines() if all(part in line for part in parts)]

    def wait_for_lines(self, *parts: str) -> list[str]:
        """Until there are such lines."""
        return wait_until(lambda: self.lines(*parts), f"lines with {parts}")

    def ask(self, path: str) -> tuple[int, str]:
        """Status and body of an answer; 0 as long as nobody answers."""
        try:
            answer = self._pool.request("GET", self.url + path, timeout=_PATIENCE)
        except urllib3.exceptions.HTTPError as exc:
            assert self._process.poll() is None, f"it has ended: {self.log[-3000:]}"
            return 0, str(exc)
        return answer.status, answer.data.decode()

    def status(self) -> Any:
        """The JSON of `/status`."""
        code, body = self.ask("/status")
        assert code == 200, body
        return json.loads(body)

    def metric(self, name: str, **labels: str) -> float:
        """The value of one series of `/metrics`."""
        code, body = self.ask("/metrics")
        assert code == 200, body
        values = [
            sample.value
            for family in text_string_to_metric_families(body)
            for sample in family.samples
            if sample.name == name and sample.labels == labels
        ]
        assert len(values) == 1, f"{name} {labels}: {values}"
        return values[0]

    def wait_until_ready(self) -> "RunningController":
        """Return once `/readyz` answers 200."""
        wait_until(lambda: self.ask("/readyz")[0] == 200, "ready")
        return self

    def look_again(self) -> None:
        """SIGHUP; return once a pass that it asked for has ended without an error."""
        before = self.status()["lastPass"]["finishedAt"]

        def has_looked() -> bool:
            self.signal(signal.SIGHUP)
            # Another pass may follow too soon for us to see this one.
            return wait_until(lambda: _is_another_pass(self.status()["lastPass"], before), patience=1.0)

        wait_until(has_looked, "a pass for SIGHUP")

    def signal(self, number: int) -> None:
        os.kill(self._process.pid, number)

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """The exit status of a process that ends on its own."""
        status = self._process.wait(_PATIENCE)
        self._dismiss_guard()
        return status

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def kill(self) -> None:
        """SIGKILL; it is gone when this returns. Does nothing the second time."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._dismiss_guard()

    def _dismiss_guard(self) -> None:
        stdin = self._process.stdin
        if stdin is not None and not stdin.closed:
            stdin.write(b"\n")
            stdin.close()


def _is_another_pass(last: Object, before: str | None) -> bool:
    return last["finishedAt"] != before and any("SIGHUP" in reason for reason in last["reasons"]) and not last["error"]
