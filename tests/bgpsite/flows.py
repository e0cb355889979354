"""
What clients see of an address that several nodes announce: many flows at once, and requests over HTTP.

A router that hashes by address and port spreads flows over the nodes, and leaves each of them where it is. So a node
that is gone is seen by its own flows only, and only many flows together show how long that took.
"""

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from reconciler.cli.lab import Lab, entered
from reconciler.cli.lab_traffic import PORT, delivered
from tests.bgpsite.configuration import NETWORK4, NETWORK6

_NUMBER = struct.Struct("!I")
_LARGEST = 512
# An answer may be late because this very process was: it is waited for in turns of the event loop, of so many seconds.
_TURNS, _PAUSE = 40, 0.02
_HTTP_PORT = 80


@dataclass(frozen=True, slots=True)
class Loss:
    """
    What became of the datagrams of a while. `window` is in seconds, from the first one that was lost to the last.
    """

    sent: int
    lost: int
    window: float


@dataclass(slots=True)
class _Flow:
    """One socket; what it has sent when, and who has answered, by number."""

    address: str
    socket: socket.socket
    sent_at: list[float] = field(default_factory=list)
    answered_by: list[str] = field(default_factory=list)

    def send(self) -> None:
        self.sent_at.append(time.monotonic())
        self.answered_by.append("")
        try:
            self.socket.send(_NUMBER.pack(len(self.sent_at) - 1))
        except OSError:
            # Nowhere to send it to is a lost one as well.
            return

    def receive(self) -> None:
        try:
            data = self.socket.recv(_LARGEST)
        except OSError:
            return
        (number,) = _NUMBER.unpack_from(data)
        self.answered_by[number] = data[_NUMBER.size :].decode()

    def between(self, since: float, until: float) -> Iterator[tuple[float, str]]:
        return ((at, by) for at, by in zip(self.sent_at, self.answered_by, strict=True) if since <= at < until)


class Flows:
    """
    Sends numbered datagrams to each address, in flows that differ by their source port, each every `interval` seconds.

    The flows take turns, so all of them together see a change sooner than one alone. Times are those of the monotonic
    clock.
    """

    def __init__(self, namespace: str, addresses: Sequence[str], *, each: int = 48, interval: float = 0.04) -> None:
        self._namespace = namespace
        self._interval = interval
        self._addresses = [address for address in addresses for _ in range(each)]
        self._flows: list[_Flow] = []
        self._sending: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Flows":
        loop = asyncio.get_running_loop()
        for address in self._addresses:
            with entered(self._namespace):
                family = socket.AF_INET6 if ":" in address else socket.AF_INET
                made = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            made.connect((address, PORT))
            flow = _Flow(address, made)
            self._flows.append(flow)
            loop.add_reader(made, flow.receive)
        self._sending = asyncio.create_task(self._send())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait({self._sending})
        for flow in self._flows:
            asyncio.get_running_loop().remove_reader(flow.socket)
            flow.socket.close()

    def spread(self, since: float) -> dict[str, set[str]]:
        """Who has answered datagrams that were sent since then, by address."""
        found: dict[str, set[str]] = {flow.address: set() for flow in self._flows}
        for flow in self._flows:
            found[flow.address].update(by for _, by in flow.between(since, time.monotonic()) if by)
        return found

    async def losses(self, since: float) -> dict[str, Loss]:
        """What became of the datagrams that were sent since then and before now, by address."""
        end = time.monotonic()
        for _ in range(_TURNS):
            if not any(self._missed(self._flows, since, end)):
                break
            await asyncio.sleep(_PAUSE)
        found = {}
        for address in dict.fromkeys(self._addresses):
            flows = [flow for flow in self._flows if flow.address == address]
            missed = list(self._missed(flows, since, end))
            sent = sum(1 for flow in flows for _ in flow.between(since, end))
            found[address] = Loss(sent, len(missed), max(missed) - min(missed) if missed else 0.0)
        return found

    async def lost(self, since: float, *exempt: str) -> int:
        """How many of them were lost, without those to some addresses."""
        losses = await self.losses(since)
        return sum(loss.lost for address, loss in losses.items() if address not in exempt)

    @staticmethod
    def _missed(flows: Iterable[_Flow], since: float, until: float) -> Iterator[float]:
        return (at for flow in flows for at, by in flow.between(since, until) if not by)

    async def _send(self) -> None:
        # The flows take turns, so that there is no burst; late is late, and nothing is made up for.
        pause = self._interval / len(self._flows)
        due = time.monotonic()
        while True:
            for flow in self._flows:
                flow.send()
                due += pause
                if due > time.monotonic():
                    await asyncio.sleep(due - time.monotonic())
            due = max(due, time.monotonic() - self._interval)
            await asyncio.sleep(0)


@contextmanager
def serving(lab: Lab, nodes: Collection[str]) -> Iterator[None]:
    """
    Deliver traffic to all addresses of the pool on these nodes, for as long as the block runs.

    A thread answers, so that nothing waits, and is lost in the end, while a test waits for a command.
    """
    ready: Future[Callable[[], object]] = Future()
    try:
        with ThreadPoolExecutor(1) as executor:
            answering = executor.submit(lambda: asyncio.run(_serve(lab, tuple(nodes), ready)))
            either: tuple[Future[Any], ...] = ready, answering
            wait(either, return_when=FIRST_COMPLETED)
            if not ready.done():
                answering.result()
            try:
                yield
            finally:
                ready.result()()
    finally:
        for node in nodes:
            for family, network in (("-4", NETWORK4), ("-6", NETWORK6)):
                lab.run(node, "ip", family, "route", "del", "local", network, "dev", "lo", check=False)


async def _serve(lab: Lab, nodes: tuple[str, ...], ready: Future[Callable[[], object]]) -> None:
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    with delivered(lab, nodes, (NETWORK4, NETWORK6)):
        ready.set_result(partial(loop.call_soon_threadsafe, over.set))
        await over.wait()


@asynccontextmanager
async def web(lab: Lab, nodes: Collection[str]) -> AsyncIterator[None]:
    """On each of these nodes a server that says the node's name over HTTP, one answer a connection."""
    servers = []
    try:
        for node in nodes:
            with entered(lab.namespace(node)):
                made = socket.create_server(("", _HTTP_PORT))
            servers.append(await asyncio.start_server(_Page(node).answer, sock=made))
        yield
    finally:
        for server in servers:
            server.close()
            await server.wait_closed()


class _Page:
    def __init__(self, node: str) -> None:
        self._node = node

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(self._node) + 1}\r\nConnection: close\r\n\r\n"
        writer.write(f"{head}{self._node}\n".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()


async def requested(lab: Lab, host: str, address: str, times: int) -> list[str]:
    """Who has answered so many requests of curl."""
    command = ("curl", "--silent", "--show-error", "--max-time", "5", f"http://{address}/[1-{times}]")
    return (await asyncio.to_thread(lab.run, host, *command)).split()
