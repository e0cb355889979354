"""A reflector at work, for tests that wait for what it makes of what happens."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from reconciler.cluster import wire
from reconciler.cluster.connection import Connection
from reconciler.cluster.kinds import SERVICES
from reconciler.cluster.reflector import Reflector
from reconciler.cluster.store import Store
from reconciler.model.observed import Service
from tests.controlplane.harness import ControlPlane

PATIENCE = 30.0


class Following:
    """A reflector of Services at work, and what it said."""

    def __init__(self, connection: Connection, **options: float | tuple[float, float]) -> None:
        self.reports: list[str] = []
        self.wakes: list[str] = []
        self.store: Store[wire.Service, Service] = Store(SERVICES, self.reports.append)
        self.reflector = Reflector(
            connection,
            self.store,
            on_change=lambda _, reason: self.wakes.append(reason),
            **options,  # type: ignore[arg-type]  # a table of keyword arguments
        )

    def names(self, namespace: str) -> list[str]:
        """The Services of one namespace; other tests have theirs in others."""
        return [service.name for service in self.store.snapshot() if service.namespace == namespace]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until it is so."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def opened(
    control_plane: ControlPlane, user: str = "admin", server: str | None = None
) -> AsyncIterator[Connection]:
    """A connection as a user of the control plane."""
    connection = await Connection.open(kubeconfig=str(control_plane.kubeconfig(user, server=server)))
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def following(
    control_plane: ControlPlane, server: str | None = None, **options: float | tuple[float, float]
) -> AsyncIterator[Following]:
    async with opened(control_plane, server=server) as connection:
        found = Following(connection, **options)
        task = asyncio.create_task(found.reflector.run())
        try:
            yield found
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
