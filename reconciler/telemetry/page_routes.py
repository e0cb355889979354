"""
The page of a controller and the facts that it shows: files of this package, and `/view`. For GET and HEAD only.

The page needs nothing from anywhere else, and its headers see to it that a browser takes nothing from anywhere else.
"""

import logging
from collections.abc import Awaitable, Callable
from hashlib import sha256
from importlib.resources import files

from aiohttp import web

_LOG = logging.getLogger(__name__)

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_INDEX = "index.html"
# Scripts and styles are our own files, and no text can become one: not even by a mistake of ours (Trusted Types).
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "connect-src 'self'",
        "img-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # Asked again each time, and answered in a few octets where nothing has changed.
    "Cache-Control": "no-cache",
}

Handler = Callable[[web.Request], Awaitable[web.Response]]


def add_page(router: web.UrlDispatcher, view: Callable[[], Awaitable[bytes]]) -> None:
    """Answer `/`, `/page/...` and `/view`; `view` gives the JSON of the latter."""
    for name, content in _page_files().items():
        path = "/" if name == _INDEX else f"/page/{name}"
        router.add_get(path, _file(content, _TYPES[name[name.rindex(".") :]]))
    router.add_get("/view", _viewed(view))


def _page_files() -> dict[str, bytes]:
    found = files("reconciler.telemetry").joinpath("page").iterdir()
    return {file.name: file.read_bytes() for file in found if file.is_file() and not file.name.startswith(".")}


def _file(content: bytes, content_type: str) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        return _unless_known(request, content, content_type)

    return answer


def _viewed(view: Callable[[], Awaitable[bytes]]) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        try:
            body = await view()
        except Exception:  # noqa: BLE001 - who looks must not learn of our mistakes, but the log should
            _LOG.exception("%s cannot be answered", request.path)
            return web.Response(text="internal error, see the log\n", status=500, headers=_HEADERS)
        return _unless_known(request, body, "application/json")

    return answer


def _unless_known(request: web.Request, body: bytes, content_type: str) -> web.Response:
    """The body, or 304 where the client has it already (RFC 9110 section 13.1.2)."""
    # Weak: it is the same document, compressed or not.
    tag = f'W/"{sha256(body).hexdigest()[:32]}"'
    headers = {**_HEADERS, "ETag": tag}
    if tag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    response = web.Response(body=body, headers={**headers, "Content-Type": content_type, "Vary": "Accept-Encoding"})
    response.enable_compression()
    return response
