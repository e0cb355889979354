"""
From a Service on a real API server to the first answer of a node, and from its deletion to the last.

A creation counts from the reply of the server, a deletion from the request. Beside each figure stands what the server
itself takes, in turn with it: two watches and a write for a creation, a watch for a deletion. One API server, a
controller and three speakers share this machine with the client.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import chain
from statistics import median

from benchmarks.measure import ENVIRONMENT, Beside
from benchmarks.service_world import NODES, ServiceWorld, processor_seconds, resident_mib, service_world

_TIMES, _AT_ONCE, _ROUNDS = 25, 20, 4
# Services beside those that are measured, which have numbers of their own.
_OTHERS, _MEASURED = 1_000, 40_000
_STARTS = 5
# In seconds.
_IDLE = 10.0
_IMPORTS = "import aiohttp, kinship, msgspec, ruamel.yaml, jsonschema, watchfiles, apscheduler.schedulers.asyncio"


def rows() -> Iterator[Beside]:
    """Alone, and beside many others: one Service, and several at once; then a speaker at rest, and one that starts."""
    with asyncio.Runner() as runner, service_world(runner) as world:
        runner.run(world.prepare(range(_MEASURED, _MEASURED + _AT_ONCE)))
        for others in (0, _OTHERS):
            runner.run(world.grow(others))
            for probe in (True, False):
                world.configure(probe=probe)
                yield from runner.run(_measured(world, "probed" if probe else "not probed"))
        yield _at_rest(world)
        yield _started(world)


async def _measured(world: ServiceWorld, how: str) -> list[Beside]:
    # What runs for the first time has its caches cold.
    for _ in range(2):
        await _once(world, 1)
    return [*await _rows(world, 1, _TIMES, f"one, {how}"), *await _rows(world, _AT_ONCE, _ROUNDS, f"20 at once, {how}")]


async def _rows(world: ServiceWorld, count: int, times: int, what: str) -> list[Beside]:
    rounds = [await _once(world, count) for _ in range(times)]
    first, last, bare_first, bare_last = (list(chain.from_iterable(some)) for some in zip(*rounds, strict=True))
    after = sorted(since_reply for _, since_reply in last)
    note = f"after the reply: {median(after) * 1e3:.1f}, at most {after[-1] * 1e3:.1f}"
    return [
        Beside(f"{what}: created, until answered", world.others, first, bare_first),
        Beside(f"{what}: deleted, until silent", world.others, [since for since, _ in last], bare_last, note),
    ]


async def _once(
    world: ServiceWorld, count: int
) -> tuple[list[float], list[tuple[float, float]], list[float], list[float]]:
    numbers = range(_MEASURED, _MEASURED + count)
    first = await world.create(numbers)
    last = await world.delete(numbers)
    return first, last, *await world.bare(numbers)


def _at_rest(world: ServiceWorld) -> Beside:
    """What a second of doing nothing takes of a processor, of each speaker; the floor is one hundredth."""
    # The last Events are being written.
    time.sleep(_IDLE)
    before = [processor_seconds(one.pid) for one in world.speakers]
    time.sleep(_IDLE)
    shares = [(processor_seconds(one.pid) - b) / _IDLE for one, b in zip(world.speakers, before, strict=True)]
    held = max(resident_mib(one.pid) for one in world.speakers)
    return Beside("speaker at rest, in each second", world.others, shares, [0.01], f"{held:.0f} MiB at most")


def _started(world: ServiceWorld) -> Beside:
    """From exec until ready, beside the start of an interpreter that imports the libraries and ends."""
    ours, floor = [], []
    for number in range(_STARTS):
        ours.append(world.restart(NODES[number % len(NODES)]))
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", _IMPORTS], check=True, env=ENVIRONMENT)
        floor.append(time.perf_counter() - began)
    return Beside("speaker started, until ready", world.others, ours, floor)
