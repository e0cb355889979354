"""Lists in pages: followed, started again when they expire, and never half of one taken for the whole."""

import asyncio
import json
from contextlib import aclosing

import pytest
from aiohttp import web

from reconciler.cluster.api_errors import ApiError, Expired, Unreachable
from reconciler.cluster.connection import Connection
from reconciler.cluster.kinds import SERVICES
from reconciler.cluster.listing import Page, pages, read_all
from reconciler.cluster.port import ClusterError
from reconciler.cluster.store import Change, Store
from tests.cluster.api_double import Handler, served
from tests.cluster.api_objects import a_page, a_service

PATH = "/api/v1/services"


def listing(*parts: list[str], expires: int = 0) -> Handler:
    """A list of these names in so many pages, which expires after its first page so many times."""
    left = expires

    async def handler(request: web.Request) -> web.Response:
        nonlocal left
        number = int(request.query.get("continue", "0"))
        if number and left:
            left -= 1
            return web.json_response({"kind": "Status", "code": 410, "reason": "Expired"}, status=410)
        more = str(number + 1) if number + 1 < len(parts) else ""
        return web.Response(body=a_page([a_service(name, 5) for name in parts[number]], 40 + left, more))

    return handler


async def read(connection: Connection, limit: int = 2) -> list[Page]:
    async with aclosing(pages(connection, PATH, limit=limit, query={"fieldSelector": "x=y"})) as found:
        return [page async for page in found]


def names(page: Page) -> list[str]:
    return [item["metadata"]["name"] for item in json.loads(page.raw)["items"]]


async def test_pages_are_followed() -> None:
    async with served(listing(["a", "b"], ["c"], [])) as (double, connection):
        found = await read(connection)
    assert [names(page) for page in found] == [["a", "b"], ["c"], []]
    assert [(page.first, page.last) for page in found] == [(True, False), (False, False), (False, True)]
    assert {page.resource_version for page in found} == {"40"}
    assert [dict(request.query) for request in double.requests] == [
        {"fieldSelector": "x=y", "limit": "2"},
        {"fieldSelector": "x=y", "limit": "2", "continue": "1"},
        {"fieldSelector": "x=y", "limit": "2", "continue": "2"},
    ]


async def test_one_page_is_first_and_last() -> None:
    async with served(listing([])) as (_, connection):
        (page,) = await read(connection)
    assert (page.first, page.last) == (True, True)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"metadata":{"resourceVersion":"7","continue":""},"items":[{"a":1}]}', id="before the items"),
        pytest.param(b'{"items":[{"a":1}],"metadata":{"resourceVersion":"7","continue":""}}', id="after them"),
        pytest.param(b'{"metadata":{"x":{"y":1,"items":[]},"resourceVersion":"7"},"items":[]}', id="a word inside"),
        pytest.param(b'{"kind":"x","items":[],"metadata":{"resourceVersion":"7"}}', id="nothing before them"),
    ],
)
async def test_the_metadata_of_a_list_is_found_wherever_it_stands(body: bytes) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body)

    async with served(answer) as (_, connection):
        (page,) = await read(connection)
    assert (page.resource_version, page.last) == ("7", True)


async def test_the_next_page_is_asked_for_while_one_is_worked_on() -> None:
    async with (
        served(listing(["a"], ["b"], ["c"])) as (double, connection),
        aclosing(pages(connection, PATH)) as found,
    ):
        await anext(found)
        async with asyncio.timeout(30):
            while len(double.requests) < 2:
                await asyncio.sleep(0.01)


async def test_a_list_that_expires_starts_again() -> None:
    async with served(listing(["a"], ["b"], expires=2)) as (_, connection):
        found = await read(connection)
    assert [(names(page), page.first) for page in found] == [
        (["a"], True),
        (["a"], True),
        (["a"], True),
        (["b"], False),
    ]
    assert found[-1].resource_version == "40"


async def test_a_list_that_always_expires_is_given_up() -> None:
    async with served(listing(["a"], ["b"], expires=99)) as (double, connection):
        with pytest.raises(Expired):
            await read(connection)
    assert len(double.requests) == 6


async def test_a_refused_list_is_not_tried_again() -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.json_response({"kind": "Status", "reason": "Forbidden"}, status=403)

    async with served(refuse) as (double, connection):
        with pytest.raises(ApiError, match="403 Forbidden"):
            await read(connection)
    assert len(double.requests) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"metadata":[]}'])
async def test_what_is_no_list_is_an_error(body: bytes) -> None:
    async def nonsense(_: web.Request) -> web.Response:
        return web.Response(body=body)

    async with served(nonsense) as (_, connection):
        with pytest.raises(ClusterError, match=r"GET /api/v1/services at http://.*: not a list"):
            await read(connection)


async def test_whoever_stops_early_leaves_nothing_behind() -> None:
    async with (
        served(listing(["a"], ["b"], ["c"])) as (_, connection),
        aclosing(pages(connection, PATH)) as found,
    ):
        await anext(found)
    assert [task for task in asyncio.all_tasks() if "_page" in repr(task)] == []


async def test_a_store_is_filled_at_once_and_not_page_by_page() -> None:
    store = Store(SERVICES, lambda _: None)
    async with served(listing(["a"], ["b"], expires=1)) as (_, connection):
        assert (await read_all(connection, store)).change is Change.VALUE
    assert [service.key for service in store.snapshot()] == ["shop/a", "shop/b"]
    assert store.resume_version == "40"


async def test_half_a_list_changes_nothing() -> None:
    whole = listing(["a"], ["b"])

    async def breaks(request: web.Request) -> web.StreamResponse:
        if "continue" in request.query:
            assert request.transport is not None
            request.transport.abort()
        return await whole(request)

    store = Store(SERVICES, lambda _: None)
    async with served(breaks) as (_, connection):
        with pytest.raises(Unreachable):
            await read_all(connection, store)
    assert (store.snapshot(), store.resume_version) == ((), "")
