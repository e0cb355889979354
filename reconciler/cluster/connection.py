"""
Requests to a Kubernetes API server over HTTPS: bytes in, bytes out.

What the bytes mean is no business of this module, except where an answer is a refusal. Waiting and trying again is done
here only where the server itself asked for it, or where our credentials had ended.
"""

import asyncio
import logging
import os
import random
import socket
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from functools import lru_cache
from typing import Any, Self
from weakref import WeakSet

import aiohttp
import msgspec
from yarl import URL

from reconciler import __version__
from reconciler.cluster.access import Access
from reconciler.cluster.api_errors import ApiError, Unreachable, api_error, one_line
from reconciler.cluster.credentials import access_reader
from reconciler.cluster.keepalive import kept_alive
from reconciler.cluster.port import ClusterError

_LOG = logging.getLogger(__name__)

# Seconds. A lost SYN is sent again after 1 s and 3 s: an attempt that long does not miss a server that returns.
_CONNECT_TIMEOUT = 4.0
# The first octets of a stream come at once, whatever happens later.
_STREAM_START_TIMEOUT = 10.0
# How long one request may wait in all because the server asked for it.
_PATIENCE = 10.0
# client-go's own choice where the server answers 429 without saying how long.
_RETRY_AFTER = 1.0
# After credentials could not be read again, they are not tried before so many seconds have passed.
_RENEWAL_GAP = 10.0
# What is left of closing a connection when the program ends it.
_FAREWELL = 1.0
# Watch events can be far longer than aiohttp expects of a line of text.
_READ_BUFFER = 2**21


class _Request(msgspec.Struct, frozen=True, gc=False):
    """What is asked; `limits` hold for each attempt."""

    method: str
    path: str
    limits: aiohttp.ClientTimeout
    query: Mapping[str, str] | None = None
    body: bytes | None = None
    content_type: str | None = None
    before_send: Callable[[], None] | None = None


class Connection:
    """
    One API server, asked by many tasks at once.

    At most `concurrency` requests are under way at a time; streams and urgent requests are not counted among them.
    """

    def __init__(self, read_access: Callable[[], Access], access: Access, *, concurrency: int = 32) -> None:
        """Must be made inside a running event loop. `read_access` blocks; it is called in a thread."""
        self._read_access = read_access
        self._access = access
        self._tls = access.tls()
        self._renew_at = time.monotonic() + access.valid_for
        self._renewing = asyncio.Lock()
        self._slots = asyncio.Semaphore(concurrency)
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, socket_factory=self._new_socket),
            request_class=_GatedRequest,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=_READ_BUFFER,
            # Compressing a list costs both sides more time than the network of a cluster does.
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": f"lb-reconciler/{__version__}",
            },
        )

    @classmethod
    async def open(cls, *, kubeconfig: str | None = None, context: str | None = None, concurrency: int = 32) -> Self:
        """
        Read how to reach the cluster; nothing is sent yet.

        The service account of a Pod is used where neither a kubeconfig nor a context is named.

        Raises:
            ClusterError: There is no usable configuration; one line that says what is wrong with it.
        """
        read_access = access_reader(kubeconfig=kubeconfig, context=context)
        return cls(read_access, await asyncio.to_thread(read_access), concurrency=concurrency)

    @property
    def server(self) -> str:
        """The address of the API server, for messages."""
        return str(URL(self._access.server).with_user(None))

    async def close(self) -> None:
        """End every request that is under way; returns when the sockets are closed, or after a second."""
        await self._session.close()
        for made in self._sockets:
            # TLS would wait for the other side to say farewell as well.
            with suppress(OSError):
                made.shutdown(socket.SHUT_RDWR)
        patience = time.monotonic() + _FAREWELL
        while any(made.fileno() != -1 for made in self._sockets) and time.monotonic() < patience:
            await asyncio.sleep(0.001)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        timeout: float = 10.0,
        before_send: Callable[[], None] | None = None,
        urgent: bool = False,
    ) -> bytes:
        """
        Ask, and ask again where the server wants patience (429, or 503 with Retry-After), for some 10 seconds in all.

        Args:
            method: The HTTP method.
            path: From the root of the server, percent-encoded already.
            query: The parameters, not encoded.
            body: What to send.
            content_type: Of the body.
            timeout: Seconds for each attempt, from the start of the connection to the last octet.
            before_send: Called at the last moment before each attempt goes out; what it raises ends the request.
            urgent: Whether it goes ahead of the requests that wait for their turn.

        Raises:
            ApiError: The server said no.
            Unreachable: There was no whole answer; a write may have been carried out.
            ClusterError: Our credentials could not be read again.
        """
        request = _Request(
            method, path, _limits(timeout), query, body, content_type if body is not None else None, before_send
        )
        if urgent:
            return await self._patiently(request)
        async with self._slots:
            return await self._patiently(request)

    async def lines(
        self, path: str, *, query: Mapping[str, str] | None = None, idle_timeout: float
    ) -> AsyncGenerator[bytes, None]:
        """
        The lines of one stream, without their line feeds; whoever stops early closes it (`aclosing`).

        Ends when the server ends it.

        Raises:
            ApiError: The server said no.
            Unreachable: The stream was cut, or nothing came for `idle_timeout` seconds.
        """
        limits = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT, sock_read=idle_timeout)
        request = _Request("GET", path, limits, query)
        async with self._stream(request) as response:
            tail = b""
            with self._translated(request):
                async for chunk in response.content.iter_any():
                    *whole, tail = (tail + chunk if tail else chunk).split(b"\n")
                    for line in whole:
                        yield line
            if tail:
                raise Unreachable(f"{self._asked(request)}: cut in the middle of a line")

    async def _patiently(self, request: _Request) -> bytes:
        patience = _PATIENCE
        while True:
            try:
                return await self._whole_answer(request)
            except ApiError as error:
                wait = _wished_wait(error)
                if wait is None or wait > patience:
                    raise
            patience -= wait
            await asyncio.sleep(wait)

    async def _whole_answer(self, request: _Request) -> bytes:
        """The body of an answer that is no refusal."""
        try:
            response = await self._send(request)
            body = await response.read()
        except (aiohttp.ClientError, OSError) as exc:
            raise self._unreachable(request, exc) from exc
        if response.status >= 300:
            raise self._refusal(request, response, body)
        return body

    @asynccontextmanager
    async def _stream(self, request: _Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer that is no refusal; its body is still to be read."""
        patience = min(_STREAM_START_TIMEOUT, request.limits.sock_read or _STREAM_START_TIMEOUT)
        with self._translated(request, within=patience):
            async with asyncio.timeout(patience):
                response = await self._send(request)
        async with response:
            if response.status >= 300:
                with self._translated(request):
                    body = await response.read()
                raise self._refusal(request, response, body)
            try:
                yield response
            finally:
                # Not read to its end: TLS would say farewell at length, perhaps to somebody who is not there any more.
                if response.connection is not None and response.connection.transport is not None:
                    response.connection.transport.abort()

    async def _send(self, request: _Request) -> aiohttp.ClientResponse:
        """Send with the credentials we have, and once more with new ones where those were no good any more."""
        if time.monotonic() >= self._renew_at:
            await self._renew_quietly()
        access = self._access
        try:
            response = await self._attempt(request)
        except aiohttp.ClientConnectorCertificateError:
            if await self._renewed(since=access):
                return await self._attempt(request)
            raise
        if response.status == 401 and await self._renewed(since=access):
            response.release()
            return await self._attempt(request)
        return response

    async def _attempt(self, request: _Request) -> aiohttp.ClientResponse:
        access = self._access
        headers = {"Content-Type": request.content_type} if request.content_type else {}
        if access.authorization:
            headers["Authorization"] = access.authorization
        url = URL(access.server + request.path, encoded=True)
        outside = _GATE.set(_Gate(request.method, request.before_send))
        try:
            return await self._session.request(
                request.method,
                url.with_query(request.query) if request.query else url,
                data=request.body,
                headers=headers,
                timeout=request.limits,
                allow_redirects=False,
                ssl=self._tls,
                server_hostname=access.server_name,
                proxy=access.proxy,
            )
        finally:
            _GATE.reset(outside)

    async def _renew_quietly(self) -> None:
        """Read the credentials again before they end; where that fails, what we have may still do."""
        try:
            await self._renewed(since=self._access)
        except ClusterError as error:
            _LOG.warning("credentials could not be read again: %s", error)

    async def _renewed(self, *, since: Access) -> bool:
        """
        Whether there are other credentials by now than those; they are read again unless somebody just did.

        Raises:
            ClusterError: They cannot be read.
        """
        async with self._renewing:
            if self._access is since:
                self._renew_at = time.monotonic() + _RENEWAL_GAP
                access = await asyncio.to_thread(self._read_access)
                if replace(access, authorization=since.authorization) != since:
                    # Connections that were made with the old settings serve the answers under way, and no others.
                    self._tls = access.tls()
                if access != since:
                    self._access = access
                self._renew_at = time.monotonic() + max(access.valid_for, _RENEWAL_GAP)
            return self._access is not since

    def _new_socket(self, address: tuple[Any, ...]) -> socket.socket:
        made = kept_alive(address)
        self._sockets.add(made)
        return made

    def _asked(self, request: _Request) -> str:
        return f"{request.method} {request.path} at {self.server}"

    @contextmanager
    def _translated(self, request: _Request, *, within: float | None = None) -> Iterator[None]:
        """Whatever keeps an answer from arriving whole, or `within` so many seconds, is Unreachable, in one line."""
        try:
            yield
        except (aiohttp.ClientError, OSError) as exc:
            raise self._unreachable(request, exc, within) from exc

    def _unreachable(
        self, request: _Request, exc: aiohttp.ClientError | OSError, within: float | None = None
    ) -> Unreachable:
        if isinstance(exc, aiohttp.ConnectionTimeoutError):
            why = "no connection"
        elif isinstance(exc, TimeoutError):
            why = f"silent for {within or request.limits.total or request.limits.sock_read:g} s"
        else:
            why = _why(exc)
        return Unreachable(f"{self._asked(request)}: {why}")

    def _refusal(self, request: _Request, response: aiohttp.ClientResponse, body: bytes) -> ApiError:
        after = _seconds(response.headers.get("Retry-After"))
        return api_error(self._asked(request), response.status, body, retry_after=after)


@lru_cache(maxsize=16)
def _limits(total: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total, sock_connect=_CONNECT_TIMEOUT)


class _Gate:
    """
    Stands where a request leaves the process.

    aiohttp sends a PUT or DELETE again by itself when the connection turns out to be dead. Whether the first one was
    carried out is not known then, and only our caller may decide to look again.
    """

    def __init__(self, method: str, before_send: Callable[[], None] | None) -> None:
        self._method = method
        self._before_send = before_send
        self._was_sent = False

    def let_through(self) -> None:
        if self._was_sent and self._method != "GET":
            raise aiohttp.ClientConnectionError("the connection was cut before the answer came")
        if self._before_send:
            self._before_send()
        self._was_sent = True


_GATE: ContextVar[_Gate] = ContextVar("_GATE")


class _GatedRequest(aiohttp.ClientRequest):
    """A request that asks at the last moment, with the connection in its hands, whether it may go out."""

    async def send(self, conn: Any) -> aiohttp.ClientResponse:
        _GATE.get().let_through()
        return await super().send(conn)


def _wished_wait(error: ApiError) -> float | None:
    """Seconds to wait before the same may be asked again, None where the answer stands."""
    if error.status == 429:
        after = _RETRY_AFTER if error.retry_after is None else error.retry_after
    elif error.status == 503 and error.retry_after is not None:
        after = error.retry_after
    else:
        return None
    # Not all of those who were told the same at the same moment.
    return after + random.uniform(0, 0.2)  # noqa: S311


def _seconds(retry_after: str | None) -> float | None:
    """The header Retry-After; one with a date is read as the usual second."""
    if retry_after is None:
        return None
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else _RETRY_AFTER


def _why(exc: aiohttp.ClientError | OSError) -> str:
    match exc:
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLCertVerificationError() as reason):
            return f"its certificate is not trusted: {reason.verify_message}"
        case aiohttp.ClientConnectorError(os_error=reason):
            # Of a failed connect asyncio says only where it went.
            said = os.strerror(reason.errno) if reason.errno and reason.errno > 0 else reason.strerror
            return one_line(said or str(reason) or "no connection")
        case aiohttp.ClientHttpProxyError():
            return f"the proxy answered {exc.status} {one_line(exc.message)}"
        case aiohttp.ClientPayloadError():
            return "the answer was cut short"
        case aiohttp.ServerDisconnectedError():
            return "the connection was cut before the answer came"
        case _:
            return one_line(str(exc)) or type(exc).__name__
