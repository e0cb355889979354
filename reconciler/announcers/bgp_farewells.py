"""Sessions that are about to end: as long as one is, no other begins with the same peer, who would refuse it."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from reconciler.bgp.remote import Remote

# Seconds for a NOTIFICATION to get out.
_PATIENCE = 3.0

# Address or interface, port and VRF.
Place = tuple[bytes | str | None, int, str | None]


def place_of(remote: Remote) -> Place:
    """What makes two sessions meet the same peer."""
    return remote.address or remote.interface, remote.port, remote.device


class Farewells:
    """All of them, each a task that ends within seconds."""

    def __init__(self) -> None:
        self._going_on: dict[Place, set[asyncio.Task[None]]] = {}

    def begin(self, place: Place, ending: Coroutine[Any, Any, None]) -> None:
        """Have a session ended."""
        task = asyncio.create_task(_bounded(ending))
        tasks = self._going_on.setdefault(place, set())
        tasks.add(task)

        def forget(done: "asyncio.Task[None]") -> None:
            tasks.discard(done)
            if not tasks and self._going_on.get(place) is tasks:
                del self._going_on[place]

        task.add_done_callback(forget)

    def is_free(self, place: Place) -> bool:
        """Whether a session may begin there."""
        return place not in self._going_on

    async def over(self, place: Place | None = None) -> None:
        """Wait for those at a place, or for all."""
        while going_on := [task for where, tasks in self._going_on.items() if place in (None, where) for task in tasks]:
            await asyncio.wait(going_on)
            # The tasks are forgotten by callbacks, which have their turn now.
            await asyncio.sleep(0)


async def _bounded(ending: Coroutine[Any, Any, None]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            await ending
