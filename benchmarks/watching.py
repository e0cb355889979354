"""How soon one change among many Services is answered: by the controller, and by a bare watcher that knows how."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import TypeAlias

from benchmarks.many_services import ManyServices, address
from benchmarks.measure import Beside

_TIMES = 100
# So that changes do not keep step with anything that the controller does at intervals; in seconds.
_LONGEST_REST = 0.1
# Addresses that no Service has.
_FREE = count(1_000_000)
_PATIENCE = 30.0
# In seconds; how long connections and caches have to become warm.
_START = 0.5

Change: TypeAlias = Callable[[str], Awaitable[None]]


async def measured(world: ManyServices) -> list[Beside]:
    """From the answer to the request that changes something, until a watch shows the address that it asks for."""

    async def alter_after_a_deletion(wanted: str) -> None:
        await world.delete()
        await world.alter(wanted)

    cases: dict[str, Change] = {
        "one changed, until written": world.alter,
        "one changed right after a deletion": alter_after_a_deletion,
        "one created, until written": world.create,
    }
    ours: dict[str, list[float]] = {case: [] for case in cases}
    floor: dict[str, list[float]] = {case: [] for case in cases}
    size = world.count
    for _ in range(2):
        with world.floor("follow", world.corner.namespace):
            await _answers(world, cases, floor)
        with world.leading() as running:
            running.wait_until_ready()
            await _answers(world, cases, ours)
    return [Beside(case, size, ours[case], floor[case]) for case in cases]


async def _answers(world: ManyServices, cases: dict[str, Change], found: dict[str, list[float]]) -> None:
    async with first_seen(world) as seen:
        for case, change in cases.items():
            for _ in range(_TIMES // 2):
                wanted = address(next(_FREE))
                showing = seen(wanted)
                await change(wanted)
                changed = time.perf_counter()
                async with asyncio.timeout(_PATIENCE):
                    found[case].append(await showing - changed)
                await asyncio.sleep(random.uniform(0, _LONGEST_REST))  # noqa: S311


@asynccontextmanager
async def first_seen(world: ManyServices) -> AsyncIterator[Callable[[str], "asyncio.Future[float]"]]:
    """Tells of an address when a watch shows it for the first time."""
    waiting: dict[str, asyncio.Future[float]] = {}

    async def follow() -> None:
        async with world.seen() as events:
            started.set()
            async for event in events:
                for shown in event.object.addresses:
                    if shown in waiting:
                        waiting.pop(shown).set_result(time.perf_counter())

    def expect(wanted: str) -> "asyncio.Future[float]":
        return waiting.setdefault(wanted, asyncio.get_running_loop().create_future())

    started = asyncio.Event()
    task = asyncio.create_task(follow())
    await started.wait()
    await asyncio.sleep(_START)
    try:
        yield expect
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
