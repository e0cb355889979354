"""A server that answers whatever a test wants, for what a real API server cannot be made to do."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

from reconciler.cluster.access import Access
from reconciler.cluster.connection import Connection

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Double:
    """Answers each request as the handler does; `requests` are those that arrived."""

    def __init__(self, handler: Handler) -> None:
        self.requests: list[web.Request] = []
        self._handler = handler
        self.access = Access("")

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        return await self._handler(request)

    @property
    def methods(self) -> list[str]:
        """What arrived, in order."""
        return [request.method for request in self.requests]


@asynccontextmanager
async def served(handler: Handler, *, concurrency: int = 32) -> AsyncIterator[tuple[Double, Connection]]:
    """The double, and a connection to it; its credentials are what `double.access` is then."""
    double = Double(handler)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", double.answer)
    async with TestServer(app) as server:
        double.access = Access(str(server.make_url("")).rstrip("/"), "Bearer s3cret")
        connection = Connection(lambda: double.access, double.access, concurrency=concurrency)
        try:
            yield double, connection
        finally:
            await connection.close()
