"""The processes of the live demonstration: one controller on this machine, and a speaker on each node of a `Lab`."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reconciler.cli.lab import Lab, entered
from reconciler.errors import ReconcilerError

_MEMBERSHIP_PORT = 7947
_HTTP = ("127.0.0.1", 7472)
# Nothing is asked again sooner than this, in seconds.
_PAUSE = 0.05
_LARGEST = 1 << 16


class RoleEndedError(ReconcilerError):
    """A controller or a speaker ended by itself; the message says what it said."""


class Roles:
    """
    Processes that work on `config` and `dir:cluster` in a directory, where their logs are kept as well.

    Used as a context manager: afterwards none of them runs.
    """

    def __init__(self, lab: Lab, nodes: Sequence[str], directory: Path) -> None:
        self._lab = lab
        self._nodes = nodes
        self._directory = directory
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "Roles":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()

    def start_controller(self) -> None:
        """Start the controller, outside of the namespaces: it needs no network here."""
        self._start("controller", (), "controller", "--http-address=127.0.0.1:0")

    def start_speaker(self, node: str) -> None:
        """Start the speaker of a node; one that was there before has ended."""
        seeds = ",".join(f"{self._lab.address(other)}:{_MEMBERSHIP_PORT}" for other in self._nodes)
        options = (
            f"--node-name={node}",
            f"--membership-bind={self._lab.address(node)}",
            f"--seeds={seeds}",
            f"--state-dir={self._directory / f'state-{node}'}",
            f"--http-address={_HTTP[0]}:{_HTTP[1]}",
        )
        self._start(node, self._lab.inside(node), "speaker", *options)

    def kill(self, name: str) -> None:
        """SIGKILL: it can say nothing to anybody."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    async def together(self) -> None:
        """
        Wait until every speaker is ready and knows that all of them are.

        Raises:
            RoleEndedError: One of the processes has ended.
        """
        while not all(await asyncio.gather(*map(self._knows_all, self._nodes))):
            if any(process.poll() is not None for process in self._processes.values()):
                raise RoleEndedError(f"a process has ended; last words: {self.last_words()}")
            await asyncio.sleep(_PAUSE)

    def last_words(self) -> str:
        """The last line of each log, for whoever wants to know why something did not happen."""
        found = []
        for name in self._processes:
            lines = self._log(name).read_text("utf-8", "replace").splitlines()
            found.append(f"{name}: {lines[-1] if lines else 'it has said nothing'}")
        return "; ".join(found)

    async def _knows_all(self, node: str) -> bool:
        status = await self._status(node)
        members = status.get("members", ()) if status else ()
        alive = {member["node"] for member in members if member["state"] == "alive" and member["ready"]}
        return alive == set(self._nodes)

    async def _status(self, node: str) -> Any:
        """The JSON of a speaker's `/status`; None as long as it does not answer."""
        with entered(self._lab.namespace(node)):
            asking = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        loop, answer = asyncio.get_running_loop(), b""
        with asking:
            try:
                await loop.sock_connect(asking, _HTTP)
                await loop.sock_sendall(asking, b"GET /status HTTP/1.0\r\nHost: localhost\r\n\r\n")
                while part := await loop.sock_recv(asking, _LARGEST):
                    answer += part
            except OSError:
                return None
        head, _, body = answer.partition(b"\r\n\r\n")
        return json.loads(body) if b" 200 " in head.splitlines()[0] else None

    def _start(self, name: str, under: Sequence[str], *arguments: str) -> None:
        config, cluster = self._directory / "config", self._directory / "cluster"
        command = [*under, sys.executable, "-m", "reconciler", *arguments]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RECONCILER_")}
        with self._log(name).open("ab") as output:
            self._processes[name] = subprocess.Popen(  # noqa: S603 - our own program
                [*command, f"--config={config}", f"--cluster=dir:{cluster}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                # Ctrl-C is for whoever watches; it ends them in its own order.
                start_new_session=True,
            )

    def _log(self, name: str) -> Path:
        return self._directory / f"{name}.log"
