"""
One member in a process of its own, for tests that kill it: `python -m tests.membership.node NAME BIND SEED...`.

Each line on standard output is JSON: when (seconds of the monotonic clock, which all processes of a machine share),
why, the members that are live with their links' state unknown, and how often this one was alive apart from another.
Lines on standard input are commands: `leave`, `rejoin`, and `publish GRACE`.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator

from reconciler.membership.facts import Facts
from reconciler.membership.gossip import Gossip
from reconciler.model.observed import NodeName
from reconciler.model.settings import MembershipSettings

KEY = bytes(range(32))
PORT = 7947


async def run(name: str, host: str, seeds: list[str]) -> None:
    def say(reason: str) -> None:
        peers = [peer.node for peer in gossip.peers()]
        line = {"at": time.monotonic(), "reason": reason, "peers": peers, "reunions": gossip.attendance.reunions}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    async def found() -> list[str]:
        return seeds

    gossip = Gossip(
        NodeName(name),
        bind=f"{host}:{PORT}" if ":" not in host else f"[{host}]:{PORT}",
        key=KEY,
        seeds=found,
        settings=MembershipSettings(port=PORT),
        on_change=say,
        on_message=lambda node, _epoch, data: say(f"{node} says {data.decode()}"),
    )
    async with gossip:
        await gossip.join()
        await gossip.publish(Facts(is_ready=True))
        say("ready")
        async for command in lines():
            match command.split():
                case ["leave"]:
                    await gossip.leave(1)
                    return
                case ["rejoin"]:
                    say(f"rejoin: {await gossip.rejoin()}")
                case ["publish", loaded]:
                    say("publishing")
                    await gossip.publish(Facts(is_ready=True, loaded=loaded))
                case _:
                    raise ValueError(command)


async def lines() -> AsyncIterator[str]:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2], sys.argv[3:]))
