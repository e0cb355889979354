"""Lists of the Kubernetes API, page by page: consistent, undecoded, and never whole in memory."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass

import msgspec

from reconciler.cluster import wire
from reconciler.cluster.api_errors import Expired, one_line
from reconciler.cluster.connection import Connection
from reconciler.cluster.kinds import Decoded, Value
from reconciler.cluster.port import ClusterError
from reconciler.cluster.store import Outcome, Store

# The API server forgets a list after some five minutes; one that needs longer does so every time.
_ATTEMPTS = 3
_PAGE_TIMEOUT = 30.0
# Octets; a continue token is the longest part of it.
_LONGEST_HEAD = 8192


@dataclass(frozen=True, slots=True)
class Page:
    """
    One page of a list, undecoded.

    `resource_version` is that of the whole list, from which it can be watched. With the `first` page everything from
    pages before it is void: the list had to start again.
    """

    raw: bytes
    resource_version: str
    first: bool
    last: bool


async def pages(
    connection: Connection, path: str, *, limit: int = 500, query: Mapping[str, str] | None = None
) -> AsyncGenerator[Page, None]:
    """
    Read a list as it is now; the next page is on its way while one is worked on.

    Whoever stops early closes it (`aclosing`).

    Raises:
        Expired: The list became too old while it was read, several times in a row.
        ClusterError: A page could not be read.
    """
    attempts = 0
    fixed = {**(query or {}), "limit": str(limit)}
    fetch = _Fetch(connection, path, fixed)
    while True:
        try:
            raw, head = await fetch.result()
        except Expired:
            attempts += 1
            if attempts == _ATTEMPTS or fetch.first:
                raise
            fetch = _Fetch(connection, path, fixed)
            continue
        page = Page(raw, head.resource_version, first=fetch.first, last=not head.continue_)
        if page.last:
            yield page
            return
        fetch = _Fetch(connection, path, {**fixed, "continue": head.continue_ or ""})
        try:
            # The request leaves before the work on this page begins.
            await asyncio.sleep(0)
            yield page
        except BaseException:
            await fetch.abandon()
            raise


async def read_all(connection: Connection, store: Store[Decoded, Value], *, limit: int = 500) -> Outcome:
    """
    Let a store hold what there is now; until the last page has come it holds what it held before.

    Raises:
        ClusterError: The list could not be read to its end.
    """
    version = ""
    async with aclosing(pages(connection, store.kind.path, limit=limit)) as listed:
        async for page in listed:
            if page.first:
                store.begin_list()
            store.add_page(page.raw)
            version = page.resource_version
    return store.end_list(version)


class _Fetch:
    """A page that is on its way."""

    def __init__(self, connection: Connection, path: str, query: Mapping[str, str]) -> None:
        self.first = "continue" not in query
        self._task = asyncio.create_task(_page(connection, path, query))

    async def result(self) -> tuple[bytes, wire.ListMetadata]:
        try:
            return await self._task
        except asyncio.CancelledError:
            self._task.cancel()
            raise

    async def abandon(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError, ClusterError):
            await self._task


async def _page(connection: Connection, path: str, query: Mapping[str, str]) -> tuple[bytes, wire.ListMetadata]:
    raw = await connection.request("GET", path, query=query, timeout=_PAGE_TIMEOUT)
    try:
        return raw, _metadata(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise ClusterError(f"GET {path} at {connection.server}: not a list: {one_line(str(exc))}") from exc


def _metadata(raw: bytes) -> wire.ListMetadata:
    """What stands before the items, where it does: to skip those takes half as long as to decode them."""
    end = raw.find(b',"items":', 0, _LONGEST_HEAD)
    if end > 0:
        with suppress(msgspec.DecodeError):
            return _HEAD.decode(raw[:end] + b"}").metadata
    return _HEAD.decode(raw).metadata


_HEAD = msgspec.json.Decoder(wire.ListHead)
