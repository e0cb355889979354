"""
A bare member of a gossip group: what the library alone takes to find out about the others.

`python -m benchmarks.bare_member NAME HOST SEED …`: a line for each event, with the instant on the monotonic clock.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

import kinship

from reconciler.membership.kinship_config import kinship_config
from reconciler.membership.seeds import endpoint
from reconciler.model.settings import MembershipSettings

PORT = 7957
_KEY = bytes(32)
_LOOK_AGAIN = 0.25
_LEAVE_SECONDS = 1.0


async def _run(name: str, host: str, seeds: Sequence[str]) -> None:
    config = kinship_config(name, MembershipSettings(), bind=endpoint(host, PORT), advertise=None, key=_KEY, tags={})
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    cluster = kinship.Cluster(config)
    await cluster.start()
    events = cluster.events()
    tasks = {asyncio.create_task(_tell(cluster, events)), asyncio.create_task(_search(cluster, seeds))}
    await stopped.wait()
    await cluster.leave(_LEAVE_SECONDS)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await cluster.close()


async def _tell(cluster: kinship.Cluster, events: kinship.EventStream) -> None:
    for member in cluster.members():
        print(time.monotonic(), "joined", member.name, flush=True)
    async for event in events:
        now = time.monotonic()
        match event:
            case kinship.MemberDead(member=member):
                print(now, "dead", member.name, flush=True)
            case kinship.MemberLeft(member=member):
                print(now, "left", member.name, flush=True)
            case kinship.MemberJoined(member=member):
                print(now, "joined", member.name, flush=True)
            case _:
                pass


async def _search(cluster: kinship.Cluster, seeds: Sequence[str]) -> None:
    while True:
        present = {member.addr for member in cluster.members()}
        for seed in (endpoint(seed, PORT) for seed in seeds):
            if seed not in present:
                with suppress(kinship.KinshipError):
                    await cluster.join([seed])
        await asyncio.sleep(_LOOK_AGAIN)


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], sys.argv[2], sys.argv[3:]))
    # A thread of the library that is not done yet would abort the interpreter in the middle of its end.
    os._exit(0)
