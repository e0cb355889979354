"""One request, one answer: refusals, patience, credentials, and what keeps an answer from arriving."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from reconciler.cluster import connection as connection_module
from reconciler.cluster.access import Access
from reconciler.cluster.api_errors import ApiConflict, ApiError, Expired, NotFound, Unreachable
from reconciler.cluster.connection import Connection
from reconciler.cluster.port import ClusterError, Conflict, NotLeading
from tests.cluster.api_double import Handler, served

PATIENCE = 30.0


def answering(*answers: web.Response | Callable[[], web.Response]) -> Handler:
    """These answers in turn, the last one for ever."""
    left = list(answers)

    async def handler(_: web.Request) -> web.Response:
        answer = left.pop(0) if len(left) > 1 else left[0]
        # An answer can be sent only once.
        return (
            answer()
            if callable(answer)
            else web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        )

    return handler


def status(code: int, reason: str = "", message: str = "", *, retry_after: str | None = None) -> web.Response:
    """A refusal, worded as the API server does it."""
    body = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}
    headers = {"Retry-After": retry_after} if retry_after is not None else None
    return web.json_response(body, status=code, headers=headers)


OK = web.Response(body=b'{"ok":true}')


async def test_what_is_asked_and_what_is_answered() -> None:
    async def echo(request: web.Request) -> web.Response:
        heads = {name: request.headers.get(name) for name in ("Content-Type", "Authorization", "Accept-Encoding")}
        body = (await request.read()).decode()
        return web.json_response([request.method, request.path, dict(request.query), body, heads])

    async with served(echo) as (_, connection):
        answer = await connection.request(
            "PATCH", "/api/v1/x/y", query={"a": "1 +&"}, body=b"{}", content_type="application/merge-patch+json"
        )
    assert json.loads(answer) == [
        "PATCH",
        "/api/v1/x/y",
        {"a": "1 +&"},
        "{}",
        {
            "Content-Type": "application/merge-patch+json",
            "Authorization": "Bearer s3cret",
            "Accept-Encoding": "identity",
        },
    ]


# Refusals


@pytest.mark.parametrize(
    ("answer", "error", "expected"),
    [
        pytest.param(status(403, "Forbidden", "no\nrights"), ApiError, "403 Forbidden: no rights", id="forbidden"),
        pytest.param(status(404, "NotFound", "no x"), NotFound, "404 NotFound: no x", id="not found"),
        pytest.param(
            web.Response(status=404, text="404 page not found\n"), NotFound, ": 404: 404 page not found", id="no kind"
        ),
        pytest.param(status(409, "Conflict", "changed"), ApiConflict, "409 Conflict: changed", id="conflict"),
        pytest.param(status(409, "AlreadyExists"), ApiConflict, "409 AlreadyExists", id="it exists"),
        pytest.param(status(410, "Expired", "too old"), Expired, "410 Expired: too old", id="expired"),
        pytest.param(status(500, "InternalError", "x"), ApiError, "500 InternalError: x", id="its own fault"),
        pytest.param(web.Response(status=502, text="<html>\n<p>bad\n"), ApiError, "502: <html> <p>bad", id="a proxy's"),
        pytest.param(web.Response(status=503), ApiError, ": 503", id="nobody behind a proxy"),
        pytest.param(status(504, "Timeout", "slow"), ApiError, "504 Timeout: slow", id="its etcd is slow"),
        pytest.param(web.Response(status=302, headers={"Location": "/"}), ApiError, ": 302", id="somewhere else"),
        pytest.param(web.Response(status=400, text="x" * 5000), ApiError, "xxx...", id="a long story"),
    ],
)
async def test_a_refusal_is_one_line(answer: web.Response, error: type[ApiError], expected: str) -> None:
    async with served(answering(answer)) as (double, connection):
        with pytest.raises(error) as caught:
            await connection.request("GET", "/api/v1/services", query={"continue": "long"})
        message = str(caught.value)
        assert message.startswith(f"GET /api/v1/services at {double.access.server}: {answer.status}")
    assert expected in message
    assert "\n" not in message
    assert "s3cret" not in message
    assert len(message) < 700
    assert len(double.requests) == 1
    assert (type(caught.value), caught.value.status) == (error, answer.status)


def test_a_conflict_is_a_reason_to_look_again() -> None:
    assert issubclass(ApiConflict, Conflict)


async def test_the_reason_of_a_refusal_is_told_apart() -> None:
    async with served(answering(status(409, "AlreadyExists"))) as (_, connection):
        with pytest.raises(ApiError) as caught:
            await connection.request("POST", "/x", body=b"{}")
    assert caught.value.reason == "AlreadyExists"


# Patience


@pytest.mark.parametrize("method", ["GET", "PATCH", "POST"])
@pytest.mark.parametrize("answer", [status(429, "TooManyRequests", retry_after="0"), status(503, retry_after="0")])
async def test_when_the_server_asks_for_patience_it_is_asked_again(method: str, answer: web.Response) -> None:
    sent: list[int] = []
    body = None if method == "GET" else b"{}"
    async with served(answering(answer, answer, OK)) as (double, connection):
        found = await connection.request(method, "/x", body=body, before_send=lambda: sent.append(len(double.requests)))
    assert found == OK.body
    assert sent == [0, 1, 2]


async def test_patience_is_shown_also_where_the_server_does_not_say_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "_RETRY_AFTER", 0.0)
    date = status(429, retry_after="Wed, 21 Oct 2026 07:28:00 GMT")
    async with served(answering(status(429), date, OK)) as (double, connection):
        assert await connection.request("GET", "/x") == OK.body
    assert len(double.requests) == 3


async def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "_PATIENCE", 0.5)
    async with served(answering(status(429, "TooManyRequests", "busy", retry_after="0"))) as (double, connection):
        with pytest.raises(ApiError, match="429 TooManyRequests") as caught:
            await connection.request("GET", "/x")
    assert len(double.requests) > 2
    assert caught.value.retry_after == 0


async def test_who_shall_wait_longer_than_our_patience_is_told_so() -> None:
    async with served(answering(status(429, retry_after="60"))) as (double, connection):
        with pytest.raises(ApiError) as caught:
            await connection.request("GET", "/x")
    assert caught.value.retry_after == 60
    assert len(double.requests) == 1


# The gate before a write


async def test_nothing_is_sent_that_may_not_be_sent() -> None:
    def refuse() -> None:
        raise NotLeading("no")

    async with served(answering(OK)) as (double, connection):
        with pytest.raises(NotLeading):
            await connection.request("PATCH", "/x", body=b"{}", before_send=refuse)
        assert double.requests == []
        assert await connection.request("PATCH", "/x", body=b"{}") == OK.body


async def test_the_gate_is_asked_when_the_request_leaves_and_not_while_it_waits() -> None:
    asked: list[str] = []
    first_is_there, may_answer = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        if request.path == "/first":
            first_is_there.set()
            await may_answer.wait()
        return web.Response()

    async with served(handler, concurrency=1) as (double, connection):
        first = asyncio.create_task(connection.request("GET", "/first"))
        await asyncio.wait_for(first_is_there.wait(), PATIENCE)
        second = asyncio.create_task(
            connection.request("PATCH", "/second", body=b"{}", before_send=lambda: asked.append("second"))
        )
        # It goes ahead, and the second one does not.
        await connection.request("PUT", "/lease", body=b"{}", urgent=True)
        assert asked == []
        may_answer.set()
        await asyncio.gather(first, second)
    assert asked == ["second"]
    assert double.methods == ["GET", "PUT", "PATCH"]


async def test_no_more_requests_than_agreed_are_under_way() -> None:
    under_way, most = 0, 0

    async def handler(_: web.Request) -> web.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1
        return web.Response()

    async with served(handler, concurrency=4) as (double, connection):
        await asyncio.gather(*(connection.request("GET", "/x") for _ in range(40)))
    assert (len(double.requests), most) == (40, 4)


# What keeps an answer from arriving


@asynccontextmanager
async def raw_server(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[Connection]:
    """Speaks octets, not HTTP; a connection ends when its handler does."""
    ended: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(writer)
        with suppress(asyncio.IncompleteReadError):
            await handle(reader, writer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        access = Access(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "Bearer s3cret")
        connection = Connection(lambda: access, access)
        yield connection
        await connection.close()
        for writer in ended:
            with suppress(ConnectionError):
                await writer.wait_closed()


@pytest.mark.parametrize(
    ("method", "asked", "answered"),
    [
        pytest.param("GET", 2, True, id="a look may be repeated"),
        pytest.param("PUT", 1, False, id="whether a PUT was carried out is not known"),
        pytest.param("DELETE", 1, False, id="nor a DELETE"),
        pytest.param("PATCH", 1, False, id="nor a PATCH"),
    ],
)
async def test_a_write_is_not_repeated_unnoticed_when_a_kept_connection_dies(
    method: str, asked: int, answered: bool
) -> None:
    arrived: list[str] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for is_first in (True, False):
            head = await reader.readuntil(b"\r\n\r\n")
            arrived.append(head.split(b" ", 1)[0].decode())
            if is_first:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    sent: list[str] = []
    async with raw_server(handle) as connection:
        assert await connection.request("GET", "/warm-up") == b"{}"
        arrived.clear()
        if answered:
            assert await connection.request(method, "/x", before_send=lambda: sent.append(method)) == b"{}"
        else:
            with pytest.raises(Unreachable, match="cut before the answer came"):
                await connection.request(method, "/x", before_send=lambda: sent.append(method))
    assert arrived == sent == [method] * asked


async def test_an_answer_that_is_cut_short_is_none() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n{")

    async with raw_server(handle) as connection:
        with pytest.raises(Unreachable, match="cut short"):
            await connection.request("GET", "/x")


async def test_a_silent_server_is_given_up() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        await reader.read()

    async with raw_server(once) as connection:
        # Then there is a connection: to be made, it may take longer than that on a busy machine.
        assert await connection.request("GET", "/warm-up") == b"{}"
        with pytest.raises(Unreachable, match=r"GET /x at .*: silent for 0\.1 s"):
            await connection.request("GET", "/x", timeout=0.1)


async def test_a_server_that_is_not_there_is_one_line() -> None:
    access = Access("http://127.0.0.1:1", "Bearer s3cret")
    connection = Connection(lambda: access, access)
    with pytest.raises(Unreachable) as caught:
        await connection.request("GET", "/x")
    await connection.close()
    assert str(caught.value) == "GET /x at http://127.0.0.1:1: Connection refused"


# Credentials that end


def needs(token: str) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        ok = request.headers.get("Authorization") == f"Bearer {token}"
        return web.Response(body=b"{}") if ok else status(401, "Unauthorized")

    return handler


async def test_credentials_that_are_refused_are_read_again_once() -> None:
    async with served(needs("new")) as (double, connection):
        reads = 0

        def read() -> Access:
            nonlocal reads
            reads += 1
            return replace(double.access, authorization="Bearer new")

        connection._read_access = read
        await asyncio.gather(*(connection.request("GET", "/x") for _ in range(20)))
        assert reads == 1
        assert len(double.requests) <= 40
        await connection.request("PATCH", "/x", body=b"{}")
        assert reads == 1


async def test_the_same_credentials_are_not_tried_twice() -> None:
    async with served(needs("other")) as (double, connection):
        with pytest.raises(ApiError, match="401 Unauthorized"):
            await connection.request("GET", "/x")
    assert len(double.requests) == 1


async def test_credentials_that_cannot_be_read_again_are_said() -> None:
    def read() -> Access:
        raise ClusterError("kubeconfig x: exec: no more")

    async with served(needs("other")) as (_, connection):
        connection._read_access = read
        with pytest.raises(ClusterError, match="no more"):
            await connection.request("GET", "/x")


async def test_credentials_are_read_again_before_they_end(caplog: pytest.LogCaptureFixture) -> None:
    async with served(needs("new")) as (double, connection):
        connection._renew_at = 0.0
        double.access = replace(double.access, authorization="Bearer new")
        await connection.request("GET", "/x")
        assert len(double.requests) == 1

        def read() -> Access:
            raise ClusterError("gone")

        # What we have may still do.
        connection._renew_at, connection._read_access = 0.0, read
        await connection.request("GET", "/x")
    assert "gone" in caplog.text


# Streams


def streaming(*chunks: bytes, then: Callable[[web.Request], Any] | None = None) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        if then is not None:
            await then(request)
        return response

    return handler


async def read_lines(connection: Connection, idle_timeout: float = PATIENCE) -> list[bytes]:
    async with aclosing(connection.lines("/w", query={"watch": "true"}, idle_timeout=idle_timeout)) as lines:
        return [line async for line in lines]


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([b"a\nb\n"], [b"a", b"b"], id="two lines at once"),
        pytest.param([b"a", b"b", b"\nc\n"], [b"ab", b"c"], id="a line in three parts"),
        pytest.param([b"x" * 3_000_000, b"\n"], [b"x" * 3_000_000], id="a line longer than any buffer"),
    ],
)
async def test_lines_come_whole(chunks: list[bytes], expected: list[bytes]) -> None:
    async with served(streaming(*chunks)) as (double, connection):
        assert await read_lines(connection) == expected
    assert double.requests[0].query["watch"] == "true"


async def test_lines_come_as_they_are_written() -> None:
    may_end = asyncio.Event()
    async with (
        served(streaming(b"a\n", then=lambda _: may_end.wait())) as (_, connection),
        aclosing(connection.lines("/w", idle_timeout=PATIENCE)) as lines,
    ):
        assert await anext(lines) == b"a"
        may_end.set()
        with pytest.raises(StopAsyncIteration):
            await anext(lines)


async def test_half_a_line_at_the_end_is_a_cut() -> None:
    async with served(streaming(b"a\nhal")) as (_, connection):
        with pytest.raises(Unreachable, match="middle of a line"):
            await read_lines(connection)


@pytest.mark.parametrize(("start", "idle"), [(0.1, PATIENCE), (PATIENCE, 0.1)])
async def test_a_stream_that_does_not_start_is_given_up(
    monkeypatch: pytest.MonkeyPatch, start: float, idle: float
) -> None:
    monkeypatch.setattr(connection_module, "_STREAM_START_TIMEOUT", start)

    async def never(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with raw_server(never) as connection:
        with pytest.raises(Unreachable, match=r"silent for 0\.1 s"):
            await read_lines(connection, idle)


async def test_a_silent_stream_is_given_up() -> None:
    async with served(streaming(b"a\n", then=lambda _: asyncio.sleep(3600))) as (_, connection):
        with pytest.raises(Unreachable, match=r"silent for 0\.1 s"):
            await read_lines(connection, idle_timeout=0.1)


async def test_a_stream_that_is_cut_is_unreachable() -> None:
    async def cut(request: web.Request) -> None:
        assert request.transport is not None
        request.transport.abort()

    async with served(streaming(b"a\n", then=cut)) as (_, connection):
        with pytest.raises(Unreachable):
            await read_lines(connection)


async def test_a_stream_may_be_refused() -> None:
    async with served(answering(status(410, "Expired", "too old"))) as (_, connection):
        with pytest.raises(Expired):
            await read_lines(connection)


async def test_a_stream_takes_no_turn_from_requests() -> None:
    may_end = asyncio.Event()
    handler = streaming(b"a\n", then=lambda _: may_end.wait())

    async def either(request: web.Request) -> web.StreamResponse:
        return await handler(request) if request.path == "/w" else web.Response()

    async with (
        served(either, concurrency=1) as (_, connection),
        aclosing(connection.lines("/w", idle_timeout=PATIENCE)) as lines,
    ):
        assert await anext(lines) == b"a"
        await connection.request("GET", "/x")
        may_end.set()


async def test_a_peer_that_is_gone_without_a_word_is_noticed() -> None:
    async with served(answering(OK)) as (_, connection):
        await connection.request("GET", "/x")
        (made,) = connection._sockets
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        idle = made.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
        # Milliseconds; the outage of a quarter of a minute is noticed before it is over.
        assert idle * 1000 < made.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) < 15_000


async def test_nothing_is_open_once_it_is_closed() -> None:
    async with served(streaming(b"a\n", then=lambda _: asyncio.sleep(0))) as (_, connection):
        async with aclosing(connection.lines("/w", idle_timeout=PATIENCE)) as lines:
            await anext(lines)
        await connection.request("GET", "/x")
        sockets = list(connection._sockets)
        await connection.close()
        assert sockets
        assert [made for made in sockets if made.fileno() != -1] == []
