"""An API server that dies, forgets, comes back older or empty, or says what no server should."""

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing, suppress

import pytest
from aiohttp import web

from reconciler.cluster import wire
from reconciler.cluster.api_errors import Expired
from reconciler.cluster.kinds import SERVICES
from reconciler.cluster.listing import pages
from reconciler.cluster.reflector import Reflector
from reconciler.cluster.store import Store
from reconciler.model.observed import Service
from tests.cluster.api_double import served
from tests.cluster.api_objects import a_page, a_service, an_error, an_event
from tests.cluster.following import PATIENCE, Following, following, opened
from tests.controlplane.harness import ControlPlane

SHOP = "shop"
Services = Reflector[wire.Service, Service]


@pytest.fixture
def shop(own_control_plane: ControlPlane) -> ControlPlane:
    """A server of this test, with two Services."""
    api = own_control_plane.api()
    api.create_namespace(SHOP)
    for name in ("a", "b"):
        api.create_service(SHOP, name)
    api.close()
    return own_control_plane


def create(control_plane: ControlPlane, *names: str) -> None:
    api = control_plane.api()
    for name in names:
        api.create_service(SHOP, name)
    api.close()


def edit(control_plane: ControlPlane, name: str, *, times: int) -> None:
    api = control_plane.api()
    for number in range(times):
        api.patch("services", SHOP, name, {"metadata": {"labels": {"edited": str(number)}}})
    api.close()


def holds(found: Following, *names: str) -> Callable[[], bool]:
    return lambda: found.names(SHOP) == list(names) and found.reflector.away_since is None


async def test_a_server_that_was_killed_is_found_again(shop: ControlPlane) -> None:
    async with following(shop) as found:
        await found.until(holds(found, "a", "b"))
        kept = found.store.get("shop/a")
        shop.kill_apiserver()
        await found.until(lambda: found.reflector.away_since is not None)
        assert found.names(SHOP) == ["a", "b"]
        assert found.reflector.synced
        await asyncio.to_thread(shop.start_apiserver)
        await asyncio.to_thread(create, shop, "c")
        await found.until(holds(found, "a", "b", "c"))
        # What stood all the while is the same object.
        assert found.store.get("shop/a") is kept


async def test_what_the_server_has_forgotten_is_expired(shop: ControlPlane) -> None:
    async with opened(shop) as connection:
        async with aclosing(pages(connection, SERVICES.path, limit=1)) as listed:
            first = await anext(listed)
        token = json.loads(first.raw)["metadata"]["continue"]
        create(shop, "c")
        await asyncio.to_thread(shop.forget_history)

        with pytest.raises(Expired):
            await connection.request("GET", SERVICES.path, query={"limit": "1", "continue": token})
        query = {"watch": "true", "resourceVersion": first.resource_version}
        async with aclosing(connection.lines(SERVICES.path, query=query, idle_timeout=PATIENCE)) as lines:
            event = await anext(lines)
        with pytest.raises(Expired):
            Store(SERVICES, lambda _: None).apply(event)


async def test_a_server_that_comes_back_older_or_empty_is_believed(shop: ControlPlane) -> None:
    async with following(shop) as found:
        snapshot = await asyncio.to_thread(shop.snapshot)
        # Many more versions than a server that starts writes by itself.
        await asyncio.to_thread(edit, shop, "a", times=50)
        await asyncio.to_thread(create, shop, "c")
        await found.until(holds(found, "a", "b", "c"))
        newest = int(found.store.resume_version)

        await asyncio.to_thread(shop.restore, snapshot)
        await found.until(holds(found, "a", "b"))
        assert int(found.store.resume_version) < newest
        # It is heard, though its versions are lower than those that were seen.
        await asyncio.to_thread(create, shop, "d")
        await found.until(holds(found, "a", "b", "d"))

        await asyncio.to_thread(shop.wipe)
        await found.until(holds(found))
    assert found.reflector.decode_failures == 0


# What a real server cannot be made to say


class Script:
    """A server with one Service, and with these watches, one after the other; the one after them stays open."""

    def __init__(self, *watches: list[bytes]) -> None:
        self.lists = 0
        self.watched_from: list[str] = []
        self._watches = list(watches)
        self.ends = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            self.lists += 1
            return web.Response(body=a_page([a_service("web", 10)], 10))
        self.watched_from.append(request.query["resourceVersion"])
        assert request.query["allowWatchBookmarks"] == "true"
        assert 1 <= int(request.query["timeoutSeconds"]) <= 600
        response = web.StreamResponse()
        await response.prepare(request)
        if not self._watches:
            await self.ends.wait()
            return response
        for line in self._watches.pop(0):
            await response.write(line + b"\n")
        return response


async def played(script: Script, until: Callable[[Services], bool]) -> Services:
    """What became of a reflector by the time that the condition held."""
    async with served(script.answer) as (_, connection):
        wakes: list[str] = []
        store = Store(SERVICES, wakes.append)
        reflector = Reflector(connection, store, on_change=lambda *_: None, longest_delay=0.1)
        task = asyncio.create_task(reflector.run())
        async with asyncio.timeout(PATIENCE):
            while not until(reflector):
                await asyncio.sleep(0.01)
        assert not task.done(), task.exception()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        script.ends.set()
    return reflector


NEW = a_service("web", 11, ingress="192.0.2.1")


@pytest.mark.parametrize(
    ("end", "error"),
    [
        pytest.param([], "ended before its time", id="it ends too early"),
        pytest.param([an_error(500, "InternalError", "etcd")], "500 InternalError: etcd", id="an error event"),
        pytest.param([an_error(410, "Expired", "too old")], "", id="an expired event"),
        pytest.param([b"<html>"], "not an event", id="no event"),
        pytest.param([b'{"type":"MODIFIED"}'], "not an event", id="half an event"),
    ],
)
async def test_whatever_ends_a_watch_is_followed_by_a_list(end: list[bytes], error: str) -> None:
    script = Script([an_event("MODIFIED", NEW), *end])
    reflector = await played(script, lambda _: len(script.watched_from) == 2)
    assert script.lists == 2
    # The list counts, and not what the watch had come to.
    assert script.watched_from == ["10", "10"]
    assert reflector.relists == 1
    assert reflector.watch_restarts == 0
    assert error in reflector.last_error
    assert bool(reflector.last_error) == bool(error)


async def test_one_object_that_cannot_be_read_does_not_end_a_watch() -> None:
    script = Script([an_event("MODIFIED", a_service("web", 11) | {"spec": 7}), an_event("ADDED", a_service("x", 12))])
    reflector = await played(script, lambda reflector: len(reflector.store) == 2)
    assert reflector.decode_failures == 1


async def test_a_server_that_always_cuts_is_not_run_against() -> None:
    script = Script(*([an_error(500, "InternalError")] for _ in range(1000)))
    started = asyncio.get_running_loop().time()
    await played(script, lambda _: script.lists >= 12)
    # Ten pauses, the longest ones of 0.05 to 0.1 s each.
    assert asyncio.get_running_loop().time() - started > 0.3
