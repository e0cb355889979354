"""
From a change on a real API server until the octets of its route have reached a router.

One speaker tells the router of many Services, and one that changes. Every figure counts from the request; beside it
stands what a bare watch of the same server takes to hear of the same change, in turn with it.
"""

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from statistics import median

from benchmarks.bare_client import Request
from benchmarks.bgp_world import NODE, ROUTER, BGPWorld, address, assignment, bgp_world, creation, readiness, slice_of
from benchmarks.measure import Beside

_OTHERS = 1_000
# Numbers of Services beside them: one that gets an address, one whose endpoint comes and goes, one of nobody's.
_GIVEN, _LOCAL, _BARE = 2_000, 2_001, 2_002
_ROUNDS, _AT_ONCE = 5, 10
_PORT = 179
# In seconds.
_SHORTEST_REST, _LONGEST_REST = 0.02, 0.15
_PATIENCE = 30.0


@dataclass(slots=True)
class _Times:
    """Seconds from each request, and from the answer to it."""

    since_asked: list[float] = field(default_factory=list)
    since_answered: list[float] = field(default_factory=list)

    @property
    def note(self) -> str:
        """The second ones in short."""
        after = sorted(self.since_answered)
        return f"after the answer: {median(after) * 1e3:.1f}, at most {after[-1] * 1e3:.1f}"


# What hears of a change: an event with words in it.
_Wait = Callable[[str], Awaitable[float]]


def rows() -> Iterator[Beside]:
    """An address is given and taken away; an endpoint is not ready any more, and ready again."""
    with asyncio.Runner() as runner, bgp_world(runner) as world:
        yield from runner.run(_measured(world))


async def _measured(world: BGPWorld) -> list[Beside]:
    await world.grow(_OTHERS)
    world.stop_controller()
    await _prepare(world)
    async with _router(world) as told:
        world.start(NODE)
        await told("179 told")
        found = [(_Times(), _Times()) for _ in range(4)]
        for _ in range(_ROUNDS):
            await _round(world, found, told)
        names = ("address given: told", "address taken: withdrawn", "no endpoint ready: withdrawn", "ready again: told")
        return [
            Beside(name, _OTHERS, ours.since_asked, floor.since_asked, ours.note)
            for name, (ours, floor) in zip(names, found, strict=True)
        ]


async def _prepare(world: BGPWorld) -> None:
    """The Services that are measured, of which only the second has an address."""
    for number in (_GIVEN, _LOCAL, _BARE):
        await world.client.send(slice_of(number))
    await world.client.send(creation(_GIVEN))
    await world.client.send(creation(_BARE, loadBalancerClass="example.com/bare"))
    await world.client.send(creation(_LOCAL, externalTrafficPolicy="Local"))
    await world.client.send(assignment(_LOCAL, [address(_LOCAL)]))


async def _round(world: BGPWorld, found: Sequence[tuple[_Times, _Times]], told: _Wait) -> None:
    given, taken, left, back = found
    for _ in range(_AT_ONCE):
        await _once(world, given[0], assignment(_GIVEN, [address(_GIVEN)]), told(f"+ {address(_GIVEN)}/32"))
        await _once(world, taken[0], assignment(_GIVEN, []), told(f"- {address(_GIVEN)}/32"))
        await _once(world, left[0], readiness(_LOCAL, is_ready=False), told(f"- {address(_LOCAL)}/32"))
        await _once(world, back[0], readiness(_LOCAL, is_ready=True), told(f"+ {address(_LOCAL)}/32"))
    # Nobody else has to act on these.
    async with world.watched("services") as seen:
        for _ in range(_AT_ONCE):
            await _once(world, given[1], assignment(_BARE, [address(_BARE)]), seen(f'"ip":"{address(_BARE)}"'))
            await _once(world, taken[1], assignment(_BARE, []), seen('"loadBalancer":{}'))
    async with world.watched("endpointslices") as seen:
        for _ in range(_AT_ONCE):
            await _once(world, left[1], readiness(_BARE, is_ready=False), seen('"ready":false'))
            await _once(world, back[1], readiness(_BARE, is_ready=True), seen('"ready":true'))


async def _once(world: BGPWorld, times: _Times, request: Request, heard: Awaitable[float]) -> None:
    hearing = asyncio.ensure_future(heard)
    await asyncio.sleep(random.uniform(_SHORTEST_REST, _LONGEST_REST))  # noqa: S311
    asked = time.monotonic()
    await world.client.send(request)
    answered = time.monotonic()
    async with asyncio.timeout(_PATIENCE):
        at = await hearing
    times.since_asked.append(at - asked)
    times.since_answered.append(at - answered)


@asynccontextmanager
async def _router(world: BGPWorld) -> AsyncIterator[_Wait]:
    """A router that listens; what is given waits for its next line with some words, and tells its instant."""
    command = [*world.lab.inside(ROUTER), sys.executable, "-m", "benchmarks.route_watch", str(_PORT)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    await process.stdout.readline()
    lines = process.stdout

    async def told(words: str) -> float:
        while line := (await lines.readline()).decode():
            if words in line:
                return float(line.split()[-1])
        raise SystemExit("the router has ended")

    try:
        yield told
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
