"""Stands between a client and the API server, and makes go wrong what a test asks for while both are running."""

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Coroutine
from threading import Thread
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from tests.controlplane.daemon import free_ports
from tests.controlplane.fault_connection import FaultConnection, Stream
from tests.controlplane.faults import Fault, Pass, Rule, RuleBook
from tests.controlplane.harness import ControlPlane
from tests.controlplane.http_stream import Head

Result = TypeVar("Result")

# More than etcd keeps in one object, and so more than one line of a watch.
_LONGEST = 2**22


class FaultProxy:
    """
    Plain HTTP on the loopback address towards the client, TLS towards the API server; tokens go through as they are.

    It runs in a thread of its own, from entering to leaving its context. What a method asks for is in force when the
    method returns. Of several rules for a request the one that was made first counts.
    """

    def __init__(self, control_plane: ControlPlane) -> None:
        self._port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self._port}"
        self.requests: list[tuple[str, str]] = []
        """Method and path, with its query, of every request that arrived, in order."""
        self._server_port = urlsplit(control_plane.url).port
        self._tls = ssl.create_default_context(cafile=str(control_plane.ca_file))
        self._rules = RuleBook()
        self._connections: dict[FaultConnection, asyncio.Task[None]] = {}
        self._mistakes: list[Exception] = []
        self._listening: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.accept()
        return self

    def __exit__(self, *_: object) -> None:
        self._inside(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        # Of a callback, or of this program.
        if self._mistakes:
            raise self._mistakes[0]

    def when(
        self,
        fault: Fault,
        *,
        method: str = "",
        path: str = "",
        times: int | None = None,
        call: Callable[[], object] | None = None,
    ) -> Rule:
        """From now on the fault befalls the requests that match; see Rule. A call is made from the proxy's thread."""
        rule = Rule(fault, method, path, times, call)
        self._inside(self._add(rule))
        return rule

    def clear(self, rule: Rule | None = None) -> None:
        """Take one rule away, or all of them; what they held back goes on."""
        self._inside(self._rules.remove(rule))

    def cut(self, path: str = "") -> int:
        """End the connections whose present request matches, a watch for example; returns how many there were."""
        return self._inside(self._end(Rule(Pass(), path=path)))

    def refuse(self) -> None:
        """End all connections, and refuse new ones."""
        self._inside(self._refuse())

    def accept(self) -> None:
        """Accept connections, again."""
        self._inside(self._accept())

    def _inside(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _add(self, rule: Rule) -> None:
        self._rules.add(rule)

    async def _end(self, ended: Rule | None) -> int:
        tasks = [
            task
            for connection, task in self._connections.items()
            if ended is None
            or (connection.request and ended.befalls(connection.request.method, connection.request.path))
        ]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return len(tasks)

    async def _refuse(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        await self._end(None)

    async def _finish(self) -> None:
        await self._refuse()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await self._loop.shutdown_asyncgens()

    async def _accept(self) -> None:
        if self._listening is None:
            self._listening = await asyncio.start_server(self._serve, "127.0.0.1", self._port, limit=_LONGEST)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._listening is None:
            # It came in while we began to refuse.
            writer.transport.abort()
            return
        connection = FaultConnection((reader, writer), self._rules, self._connect)
        self._connections[connection] = task
        try:
            await connection.run(self._note)
        except asyncio.CancelledError:
            # By us, and nothing follows.
            pass
        finally:
            del self._connections[connection]
            if connection.mistake is not None:
                self._mistakes.append(connection.mistake)

    async def _connect(self) -> Stream:
        return await asyncio.open_connection("127.0.0.1", self._server_port, ssl=self._tls, limit=_LONGEST)

    def _note(self, request: Head) -> None:
        self.requests.append((request.method, request.path))
