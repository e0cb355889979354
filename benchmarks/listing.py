"""
A list of all Services into memory, beside the same pages decoded into the same fields and thrown away.

Every case is a process of its own, as a controller is when it starts.
"""

import asyncio
import gc
import json
import subprocess
import sys
import time
from contextlib import aclosing, suppress

from benchmarks.many_services import ManyServices
from benchmarks.measure import Beside
from reconciler.cluster.connection import Connection
from reconciler.cluster.kinds import SERVICES
from reconciler.cluster.listing import pages
from reconciler.cluster.reflector import Reflector
from reconciler.cluster.store import Store

_TIMES = 7


async def measured(world: ManyServices) -> Beside:
    """What a Reflector takes until it is synced, and what reading alone takes."""
    kubeconfig = world.kubeconfig()
    found: dict[str, list[float]] = {"kept": [], "thrown away": []}
    for number in range(_TIMES):
        for case in sorted(found, reverse=number % 2 == 0):
            command = [sys.executable, "-m", "benchmarks.listing", case, kubeconfig]
            finished = await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
            found[case].append(json.loads(finished.stdout))
    return Beside("list into memory", world.count, found["kept"], found["thrown away"])


async def _kept(connection: Connection) -> float:
    synced = asyncio.Event()
    reflector = Reflector(connection, Store(SERVICES, print), on_change=lambda _kind, _reason: synced.set())
    began = time.perf_counter()
    task = asyncio.create_task(reflector.run())
    await synced.wait()
    seconds = time.perf_counter() - began
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return seconds


async def _thrown_away(connection: Connection) -> float:
    began = time.perf_counter()
    async with aclosing(pages(connection, SERVICES.path)) as listed:
        async for page in listed:
            SERVICES.listing.decode(page.raw)
    return time.perf_counter() - began


async def _main(case: str, kubeconfig: str) -> None:
    # As the program sets it when it starts.
    gc.set_threshold(50_000, 20, 50)
    connection = await Connection.open(kubeconfig=kubeconfig)
    try:
        # The connection stands, as it does for all pages but one.
        await connection.request("GET", "/version")
        print(await {"kept": _kept, "thrown away": _thrown_away}[case](connection))
    finally:
        await connection.close()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2]))
