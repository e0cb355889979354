"""How long it takes until every Service that waits has its address: by the controller, and by bare patches."""

import time
from statistics import median

from benchmarks.bare_client import assignment
from benchmarks.many_services import ManyServices, address, written
from benchmarks.measure import Beside


async def measured(world: ManyServices, times: int) -> Beside:
    """
    From the rename by which the configuration appears, to the last address on a watch; the controller leads by then.

    The floor are the same patches, made beforehand, of a client that waits for the word to send them. All addresses
    are there afterwards.
    """
    ours: list[float] = []
    floor: list[float] = []
    memory = 0.0
    for number in range(times):
        for is_ours in (False, True) if number % 2 == 0 else (True, False):
            await world.clear()
            if is_ours:
                seconds, resident = await _by_the_controller(world)
                ours.append(seconds)
                memory = max(memory, resident)
            else:
                floor.append(await _by_bare_patches(world))
    shares = [f / o for f, o in zip(floor, ours, strict=True)]
    note = (
        f"{world.count / median(ours):.0f}/s, bare {world.count / median(floor):.0f}/s: {median(shares):.0%} "
        f"({min(shares):.0%} to {max(shares):.0%}); {memory / 1e6:.0f} MB resident"
    )
    return Beside("waiting Services have addresses", world.count, ours, floor, note)


async def _by_the_controller(world: ManyServices) -> tuple[float, float]:
    """The seconds, and the octets that its process holds in the end."""
    world.remove_files()
    with world.leading() as running:
        seconds = await world.seconds_until_served(world.put_files)
        return seconds, running.metric("process_resident_memory_bytes")


async def _by_bare_patches(world: ManyServices) -> float:
    services, _ = await world.listed()
    requests = (assignment(service.metadata, address(number)) for number, service in enumerate(services))
    with world.floor("send", written(requests, world.corner.config.parent)) as process:
        stdin = process.stdin
        assert stdin is not None

        def begin() -> float:
            now = time.perf_counter()
            stdin.write("go\n")
            stdin.flush()
            return now

        return await world.seconds_until_served(begin)
