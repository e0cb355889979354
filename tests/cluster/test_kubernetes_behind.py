"""A cluster that is not known completely yet, or not as it is by now: a server that answers when a test wants it to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from aiohttp import web

from reconciler.cluster.event_bodies import Speaker
from reconciler.cluster.event_queue import EventQueue
from reconciler.cluster.kinds import NAMESPACES, NODES, SERVICES
from reconciler.cluster.kubernetes import KubernetesCluster
from reconciler.cluster.port import ClusterError, NotSynced
from reconciler.model.observed import ServiceKey
from tests.builders import addresses
from tests.cluster.api_double import served
from tests.cluster.api_objects import Json, a_page, a_service
from tests.cluster.following import PATIENCE

PATHS = {kind.name: kind.path for kind in (SERVICES, NAMESPACES, NODES)}
WEB = ServiceKey("shop/web")


class Server:
    """Lists what it has of Services, once the gate of that kind is open; its watches say nothing."""

    def __init__(self) -> None:
        self.services: list[Json] = [a_service("web", 1)]
        self.version = 1
        self.fails = False
        self.gates = {path: asyncio.Event() for path in PATHS.values()}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if "watch" in request.query:
            response = web.StreamResponse()
            await response.prepare(request)
            await asyncio.Event().wait()
        await self.gates[request.path].wait()
        if self.fails:
            return web.Response(status=500)
        return web.Response(body=a_page(self.services if request.path == SERVICES.path else (), self.version))


@asynccontextmanager
async def followed(server: Server) -> AsyncIterator[KubernetesCluster]:
    async with served(server.answer) as (_, connection):
        cluster = KubernetesCluster(connection, EventQueue(connection, Speaker("controller", "pod")), namespace="lb")
        running = asyncio.create_task(cluster.run())
        try:
            yield cluster
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def until_synced(cluster: KubernetesCluster, *but: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while not all(reflector.synced for reflector in cluster.reflectors if reflector.kind not in but):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("last", PATHS)
async def test_whoever_looked_too_early_is_told_when_the_last_kind_was_read(last: str) -> None:
    server = Server()
    for path in PATHS.values():
        if path != PATHS[last]:
            server.gates[path].set()
    async with followed(server) as cluster, aclosing(cluster.changes()) as changes:
        await until_synced(cluster, last)
        async with asyncio.timeout(PATIENCE):
            while f"{last}:" not in await anext(changes):
                with pytest.raises(NotSynced):
                    await cluster.observe()
                server.gates[PATHS[last]].set()
        assert (await cluster.observe()).services


async def test_catching_up_shows_what_the_watch_has_not_told() -> None:
    server = Server()
    for gate in server.gates.values():
        gate.set()
    async with followed(server) as cluster:
        await until_synced(cluster)
        server.services = [a_service("new", 8, ingress="10.9.0.1"), a_service("web", 7, ingress="10.9.0.0")]
        server.version = 9
        found = {service.key: service for service in (await cluster.observe()).services}
        assert (found[WEB].ingress, found[WEB].resource_version) == ((), "1")
        await cluster.catch_up()
        found = {service.key: service for service in (await cluster.observe()).services}
        assert {str(key): service.ingress for key, service in found.items()} == {
            "shop/new": addresses("10.9.0.1"),
            "shop/web": addresses("10.9.0.0"),
        }
        assert found[WEB].resource_version == "7"


async def test_catching_up_never_goes_back() -> None:
    server = Server()
    server.services = [a_service("web", 7, ingress="10.9.0.0")]
    for gate in server.gates.values():
        gate.set()
    async with followed(server) as cluster:
        await until_synced(cluster)
        before = await cluster.observe()
        server.services = [a_service("web", 6)]
        await cluster.catch_up()
        assert await cluster.observe() is before


async def test_where_nothing_can_be_listed_there_is_no_catching_up() -> None:
    server = Server()
    for gate in server.gates.values():
        gate.set()
    async with followed(server) as cluster:
        await until_synced(cluster)
        server.fails = True
        with pytest.raises(ClusterError):
            await cluster.catch_up()
