"""
The port of a process: `/healthz`, `/readyz`, `/metrics` and `/status`, for GET and HEAD.

Where there is a view of everything it has `/view` as well, and at `/` the page that shows it (`page_routes.py`).

What takes time to write down is written in a thread, so that nobody who asks holds up a pass.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, ip_address
from typing import NamedTuple

from aiohttp import web

from reconciler.errors import ReconcilerError
from reconciler.telemetry.page_routes import add_page
from reconciler.telemetry.role_metrics import CONTENT_TYPE

_LOG = logging.getLogger(__name__)
# An answer that is being written when the process ends; hand-over must not wait for a slow reader.
_FAREWELL_SECONDS = 0.5
_LARGEST_PORT = 65535

Handler = Callable[[web.Request], Awaitable[web.Response]]


class HttpAddressError(ReconcilerError):
    """The text is no address to listen on."""


class ListenError(ReconcilerError):
    """The port cannot be opened; the message names the address and the cause."""


class HttpAddress(NamedTuple):
    """Where to listen: an empty host is every address of this machine, port 0 any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_http_address(text: str) -> HttpAddress:
    """
    Read `host:port`, `:port` or `[::1]:port`.

    Raises:
        HttpAddressError: It is none of these.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > _LARGEST_PORT:
        raise HttpAddressError(f'"{text}" is no address to listen on: expected host:port, :port or [address]:port')
    if host.startswith("[") and host.endswith("]"):
        try:
            return HttpAddress(str(ip_address(host[1:-1])), int(port))
        except ValueError:
            raise HttpAddressError(f'"{text}": {host} is no IPv6 address in brackets') from None
    if ":" in host or "[" in host or "]" in host:
        raise HttpAddressError(f'"{text}": write an IPv6 address in brackets, such as [::1]:{port}')
    return HttpAddress(host, int(port))


@asynccontextmanager
async def serve(
    address: HttpAddress,
    *,
    ready: Callable[[], str | None],
    metrics: Callable[[], bytes],
    status: Callable[[], bytes],
    view: Callable[[], Awaitable[bytes]] | None = None,
) -> AsyncIterator[HttpAddress]:
    """
    Answer for as long as the block runs; gives the address with the port that is really open.

    Args:
        address: Where to listen.
        ready: Why the process is not ready, None when it is; called on the loop.
        metrics: The metrics as text; called in a thread.
        status: The JSON of the status; called in a thread.
        view: The JSON of the view; called on the loop, and not to hold it up. None where there is no page.

    Raises:
        ListenError: The port cannot be opened.
    """
    application = web.Application()
    application.router.add_get("/healthz", _healthz)
    application.router.add_get("/readyz", _readyz(ready))
    application.router.add_get("/metrics", _written(metrics, CONTENT_TYPE))
    application.router.add_get("/status", _written(status, "application/json"))
    if view is not None:
        add_page(application.router, view)
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=_FAREWELL_SECONDS)
    await runner.setup()
    try:
        yield HttpAddress(address.host, await _listen(runner, address))
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, address: HttpAddress) -> int:
    # With a port of the system's choice each family would get another one.
    everywhere = None if address.port else str(IPv4Address(0))
    site = web.TCPSite(runner, address.host or everywhere, address.port)
    try:
        await site.start()
    except OSError as exc:
        # asyncio wraps the cause in a sentence of its own and names every address it tried.
        cause = exc.strerror if exc.strerror and "error while attempting" not in exc.strerror else str(exc)
        raise ListenError(f"cannot listen on {address}: {cause}") from exc
    return int(runner.addresses[0][1])


async def _healthz(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")


def _readyz(ready: Callable[[], str | None]) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        reason = ready()
        if reason is None:
            return web.Response(text="ok\n")
        return web.Response(text=f"{reason}\n", status=503)

    return answer


def _written(write: Callable[[], bytes], content_type: str) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        try:
            body = await asyncio.to_thread(write)
        except Exception:  # noqa: BLE001 - a scrape must not learn of our mistakes, but the log should
            _LOG.exception("%s cannot be answered", request.path)
            return web.Response(text="internal error, see the log\n", status=500)
        return web.Response(body=body, headers={"Content-Type": content_type})

    return answer
