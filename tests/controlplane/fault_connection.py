"""One connection of a client through the proxy: its requests one after another, and what befalls them."""

import asyncio
import json
from asyncio import IncompleteReadError, StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from contextlib import suppress

from tests.controlplane.faults import Answer, Cut, Delay, Drop, Hold, Rule, RuleBook, Swallow
from tests.controlplane.http_stream import Head, has_body, read_body, read_head

Stream = tuple[StreamReader, StreamWriter]

_REASONS = {429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable"}


class Ended(Exception):  # noqa: N818 - how it goes, not what went wrong
    """This connection is over."""


class FaultConnection:
    """Carries requests until one side ends, or a fault ends it. Call run() once; cancel it to end both sides."""

    def __init__(self, client: Stream, rules: RuleBook, connect: Callable[[], Awaitable[Stream]]) -> None:
        self.request: Head | None = None
        """What is on its way, or being answered."""
        self.mistake: Exception | None = None
        """Of a rule's call, or of this program; it ended the connection."""
        self._reader, self._writer = client
        self._rules = rules
        self._connect = connect
        self._server: Stream | None = None
        # So that draining means that the kernel has it: what was sent before a cut arrives.
        self._writer.transport.set_write_buffer_limits(high=0)

    async def run(self, arrived: Callable[[Head], None]) -> None:
        """
        Args:
            arrived: Told of each request.
        """
        carrying = asyncio.ensure_future(self._carry(arrived))
        leaving = asyncio.ensure_future(self._until_the_client_leaves())
        try:
            await asyncio.wait({carrying, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if carrying.done():
                carrying.result()
        except (Ended, OSError, IncompleteReadError):
            pass
        except Exception as exc:  # noqa: BLE001 - raised where the test can see it
            self.mistake = exc
        finally:
            carrying.cancel()
            leaving.cancel()
            try:
                await asyncio.gather(carrying, leaving, return_exceptions=True)
            finally:
                # Also when we are cancelled while the client leaves by itself.
                await self._close()

    async def _carry(self, arrived: Callable[[Head], None]) -> None:
        while request := await read_head(self._reader):
            body = b"".join([piece async for piece in read_body(self._reader, request)])
            self.request = request
            arrived(request)
            rule = self._rules.befalling(request.method, request.path)
            match rule.fault:
                case Answer() as answer:
                    rule.got_through()
                    await self._send(_render(answer))
                case Drop():
                    rule.got_through()
                    return
                case Swallow():
                    rule.got_through()
                    await asyncio.Event().wait()
                case Delay(seconds):
                    await asyncio.sleep(seconds)
                    await self._forward(request, body, rule)
                case _:
                    await self._forward(request, body, rule)
            self.request = None

    async def _forward(self, request: Head, body: bytes, rule: Rule) -> None:
        reader, writer = await self._reach_server()
        writer.write(request.raw + body)
        await writer.drain()
        answer = await read_head(reader)
        if answer is None:
            raise Ended
        rule.got_through()
        left = rule.fault.after if isinstance(rule.fault, Cut) else None
        if left == 0:
            raise Ended
        if isinstance(rule.fault, Hold):
            await self._rules.until_removed(rule)
        await self._send(answer.raw)
        if has_body(request, answer):
            async for piece in read_body(reader, answer):
                if held := self._rules.holding(request.method, request.path):
                    await self._rules.until_removed(held)
                await self._send(piece[:left])
                if left is not None and (left := left - len(piece)) <= 0:
                    raise Ended

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def _reach_server(self) -> Stream:
        """The connection of the last request, unless the server has ended it meanwhile."""
        if self._server is None or self._server[0].at_eof():
            if self._server is not None:
                self._server[1].transport.abort()
            self._server = await self._connect()
        return self._server

    async def _until_the_client_leaves(self) -> None:
        # A stream has no way to wait for its end that would not take octets from it.
        while not self._reader.at_eof():
            await asyncio.sleep(0.02)

    async def _close(self) -> None:
        writers = (self._writer, *([self._server[1]] if self._server else []))
        for writer in writers:
            writer.transport.abort()
        for writer in writers:
            with suppress(OSError):
                await writer.wait_closed()


def _render(answer: Answer) -> bytes:
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "asked for by a test",
        "reason": _REASONS.get(answer.status, ""),
        "code": answer.status,
    }
    if answer.retry_after is not None:
        status["details"] = {"retryAfterSeconds": answer.retry_after}
    body = json.dumps(status).encode()
    lines = [f"HTTP/1.1 {answer.status} {status['reason']}", "Content-Type: application/json"]
    lines += [f"Retry-After: {answer.retry_after}"] if answer.retry_after is not None else []
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body
