"""A store that follows a real API server: synced, told of changes, and right again after everything that goes wrong."""

import asyncio
from collections.abc import Iterator

import pytest

from reconciler.cluster.kinds import NAMESPACES
from reconciler.cluster.reflector import Reflector
from reconciler.cluster.store import Store
from tests.cluster.following import PATIENCE, Following, following, opened
from tests.controlplane.api import Api
from tests.controlplane.fault_proxy import FaultProxy
from tests.controlplane.faults import Answer, Hold
from tests.controlplane.harness import ControlPlane

WATCH = r"/services\?.*watch=true"
LIST = r"/services\?.*limit="


async def test_everything_is_read_and_then_followed(control_plane: ControlPlane, api: Api, namespace: str) -> None:
    for name in ("a", "b", "c"):
        api.create_service(namespace, name)
    async with following(control_plane, page_size=2) as found:
        assert not found.reflector.synced
        await found.until(lambda: found.reflector.synced)
        assert found.names(namespace) == ["a", "b", "c"]
        assert found.reflector.away_since is None

        api.create_service(namespace, "d")
        await found.until(lambda: found.names(namespace) == ["a", "b", "c", "d"])
        api.delete("services", namespace, "a")
        await found.until(lambda: found.names(namespace) == ["b", "c", "d"])
        assert f"Service {namespace}/d changed" in found.wakes
        assert f"Service {namespace}/a changed" in found.wakes
    assert (found.reflector.relists, found.reflector.decode_failures, found.reports) == (0, 0, [])


async def test_what_decides_nothing_wakes_nobody(control_plane: ControlPlane, api: Api, namespace: str) -> None:
    api.create_service(namespace, "web")
    async with following(control_plane) as found:
        await found.until(lambda: found.reflector.synced)
        found.wakes.clear()
        written = api.patch("services", namespace, "web", {"metadata": {"annotations": {"example.com/note": "x"}}})
        version = written["metadata"]["resourceVersion"]

        def newest() -> str:
            service = found.store.get(f"{namespace}/web")
            return service.resource_version if service else ""

        await found.until(lambda: newest() == version)
        assert [reason for reason in found.wakes if namespace in reason] == []


async def test_a_watch_that_ends_at_its_time_goes_on_where_it_was(
    control_plane: ControlPlane, api: Api, namespace: str
) -> None:
    async with following(control_plane, watch_timeout=(1.0, 1.0)) as found:
        await found.until(lambda: found.reflector.watch_restarts >= 2)
        api.create_service(namespace, "web")
        await found.until(lambda: found.names(namespace) == ["web"])
        assert found.reflector.relists == 0
        assert found.reflector.away_since is None


async def test_namespaces_are_followed_by_name(control_plane: ControlPlane, api: Api, namespace: str) -> None:
    store = Store(NAMESPACES, lambda _: None)
    async with opened(control_plane) as connection, asyncio.timeout(PATIENCE):
        task = asyncio.create_task(Reflector(connection, store, on_change=lambda *_: None).run())
        while namespace not in store.by_key():
            await asyncio.sleep(0.01)
        api.patch("namespaces", None, namespace, {"metadata": {"labels": {"tier": "gold"}}})
        while ("tier", "gold") not in store.by_key()[namespace]:
            await asyncio.sleep(0.01)
        task.cancel()


async def test_who_has_no_rights_is_told_so(control_plane: ControlPlane) -> None:
    async with opened(control_plane, "nobody") as connection:
        found = Following(connection)
        task = asyncio.create_task(found.reflector.run())
        await found.until(lambda: found.reflector.last_error)
        task.cancel()
    assert "403 Forbidden: services is forbidden" in found.reflector.last_error
    assert control_plane.url in found.reflector.last_error
    assert not found.reflector.synced
    assert found.reflector.away_since is not None


# Faults on the way


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[FaultProxy]:
    with FaultProxy(control_plane) as running:
        yield running


async def test_a_watch_that_is_cut_is_followed_by_a_list(
    control_plane: ControlPlane, api: Api, namespace: str, proxy: FaultProxy
) -> None:
    async with following(control_plane, proxy.url) as found:
        await found.until(lambda: found.reflector.synced)
        # A watch that has told of something: one whose answer has not begun would be asked for again by itself.
        api.create_service(namespace, "before")
        await found.until(lambda: found.names(namespace) == ["before"])
        assert found.reflector.relists == 0
        assert proxy.cut(WATCH) == 1
        await found.until(lambda: found.reflector.relists == 1)
        api.create_service(namespace, "web")
        await found.until(lambda: found.names(namespace) == ["before", "web"])
        assert found.reflector.away_since is None
        assert found.reflector.watch_restarts == 0


async def test_a_watch_that_fell_silent_is_followed_by_a_list(
    control_plane: ControlPlane, api: Api, namespace: str, proxy: FaultProxy
) -> None:
    async with following(control_plane, proxy.url, idle_timeout=1.0) as found:
        await found.until(lambda: found.reflector.synced and any("watch" in path for _, path in proxy.requests))
        held = proxy.when(Hold(), path=WATCH)
        api.create_service(namespace, "unheard")
        await found.until(lambda: found.names(namespace) == ["unheard"])
        assert found.reflector.relists >= 1
        assert "silent for 1 s" in found.reflector.last_error
        proxy.clear(held)


async def test_a_server_that_refuses_connections_is_waited_for(
    control_plane: ControlPlane, api: Api, namespace: str, proxy: FaultProxy
) -> None:
    api.create_service(namespace, "old")
    async with following(control_plane, proxy.url, longest_delay=0.2) as found:
        await found.until(lambda: found.reflector.synced)
        proxy.refuse()
        await found.until(lambda: found.reflector.away_since is not None)
        api.create_service(namespace, "new")
        away = found.reflector.away_since
        assert found.names(namespace) == ["old"]
        assert found.reflector.synced
        found.wakes.clear()
        proxy.accept()
        await found.until(lambda: found.names(namespace) == ["new", "old"])
        assert away is not None
        assert found.reflector.away_since is None
        assert any("listed" in reason for reason in found.wakes)


@pytest.mark.parametrize("answer", [Answer(429, retry_after=1), Answer(500), Answer(503, retry_after=1)], ids=str)
async def test_a_server_that_has_no_time_is_asked_again(
    control_plane: ControlPlane, api: Api, namespace: str, proxy: FaultProxy, answer: Answer
) -> None:
    listed, watched = proxy.when(answer, path=LIST, times=2), proxy.when(answer, path=WATCH, times=2)
    async with following(control_plane, proxy.url, longest_delay=0.2) as found:
        await found.until(lambda: (listed.done, watched.done) == (2, 2))
        api.create_service(namespace, "web")
        await found.until(lambda: found.names(namespace) == ["web"] and found.reflector.away_since is None)


async def test_an_expired_watch_is_followed_by_a_list(
    control_plane: ControlPlane, api: Api, namespace: str, proxy: FaultProxy
) -> None:
    rule = proxy.when(Answer(410), path=WATCH, times=1)
    async with following(control_plane, proxy.url) as found:
        await found.until(lambda: rule.done == 1 and found.reflector.relists == 1)
        api.create_service(namespace, "web")
        await found.until(lambda: found.names(namespace) == ["web"])
        # Nothing went wrong.
        assert found.reflector.away_since is None
        assert found.reflector.last_error == ""
