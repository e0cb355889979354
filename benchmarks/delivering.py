"""From the files to the cluster: how soon a delivery of each kind shows in the status of a Service."""

import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.many_services import CONFIGURATION, ManyServices, address
from benchmarks.measure import Beside
from benchmarks.watching import first_seen
from tests.loop.corner import pool
from tests.loop.deliveries import ConfigMapMount, Delivery, Edited, GitSync

_TIMES = 15
_PATIENCE = 30.0
_LONGEST_REST = 0.2
# A Service that follows the files, and one of another class, whose status we write ourselves.
_MOVED, _BEACON = "moved", "beacon"
_FREE = 2_000_000
_CASES: dict[str, Callable[[Path, str], Delivery]] = {
    "a checkout is flipped, until written": GitSync,
    "a ConfigMap is swapped, until written": ConfigMapMount,
    "a file is renamed over, until written": Edited,
}


async def measured(world: ManyServices, folder: Path) -> list[Beside]:
    """
    From the instant at which new files show in the directory, until a watch shows the address that they mean.

    The pool of one Service gets another address each time. The floor is a bare status patch of a Service.
    """
    found = []
    for case, deliver in _CASES.items():
        folder.mkdir(exist_ok=True)
        delivery = await asyncio.to_thread(deliver, folder, _configuration(0))
        with world.leading(delivery.path) as running:
            running.wait_until_ready()
            ours, floor = await _deliveries(world, delivery)
        found.append(Beside(case, world.count, ours, floor))
    return found


async def _deliveries(world: ManyServices, delivery: Delivery) -> tuple[list[float], list[float]]:
    ours: list[float] = []
    floor: list[float] = []
    async with first_seen(world) as seen, world.others(_MOVED, _BEACON):
        async with asyncio.timeout(_PATIENCE):
            await seen(_address(0))
        for number in range(1, _TIMES + 1):
            showing = seen(_address(number))
            shown = await asyncio.to_thread(delivery.put, _configuration(number))
            async with asyncio.timeout(_PATIENCE):
                ours.append(await showing - shown)
            await asyncio.sleep(random.uniform(0, _LONGEST_REST))  # noqa: S311
            patched = address(_FREE + number)
            showing = seen(patched)
            began = time.perf_counter()
            await world.client.send(world.status_of(_BEACON, patched))
            floor.append(await showing - began)
    return ours, floor


def _configuration(number: int) -> str:
    return f"{CONFIGURATION}---\n{pool(_MOVED, f'{_address(number)}/32', auto=False)}"


def _address(number: int) -> str:
    return f"192.0.2.{number}"
