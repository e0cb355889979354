"""A KubernetesCluster that runs, and what a test turns on it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.cluster.connection import Connection
from reconciler.cluster.event_bodies import Speaker
from reconciler.cluster.event_queue import EventQueue
from reconciler.cluster.kubernetes import KubernetesCluster
from reconciler.cluster.port import NotSynced
from reconciler.model.observed import ObservedState, Service, ServiceKey

PATIENCE = 30.0
CONTROLLER = Speaker("lb-reconciler-controller", "pod-a")


class Leading:
    """Whether we lead, as a test says."""

    def __init__(self) -> None:
        self.may_write = True

    def __call__(self) -> bool:
        return self.may_write


@dataclass(frozen=True, slots=True)
class Live:
    """A cluster that is followed, and what it is made of."""

    cluster: KubernetesCluster
    connection: Connection
    events: EventQueue
    leading: Leading

    async def until(self, condition: Callable[[ObservedState], bool]) -> ObservedState:
        """What is observed, once that is so."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    found = await self.cluster.observe()
                except NotSynced:
                    pass
                else:
                    if condition(found):
                        return found
                await asyncio.sleep(0.01)

    async def service(self, key: ServiceKey) -> Service | None:
        """The Service as it is observed now."""
        return service_in(await self.until(lambda _: True), key)


def service_in(observed: ObservedState, key: ServiceKey) -> Service | None:
    return next((service for service in observed.services if service.key == key), None)


@asynccontextmanager
async def following(
    kubeconfig: Path,
    *,
    speaker: Speaker = CONTROLLER,
    **options: Any,
) -> AsyncIterator[Live]:
    """A cluster with a namespace `lb-reconciler` of its own, followed until the end of the context."""
    leading = Leading()
    connection = await Connection.open(kubeconfig=str(kubeconfig))
    events = EventQueue(connection, speaker, may_write=leading)
    cluster = KubernetesCluster(connection, events, namespace="lb-reconciler", may_write=leading, **options)
    running = asyncio.create_task(cluster.run())
    try:
        yield Live(cluster, connection, events, leading)
        assert not running.done(), running.exception()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await connection.close()
