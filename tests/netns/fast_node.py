"""
One member that watches its neighbours, in a process of its own: `python -m tests.netns.fast_node NAME HOST SEED...`.

Each line on standard output is JSON: when (seconds of the monotonic clock, which all processes of a machine share), who
is silent, who is live by gossip, whether all sessions are up, and how much processor time was used so far.
"""

import asyncio
import json
import sys
import time

from reconciler.membership.facts import Facts
from reconciler.membership.fast_detection import FastDetection
from reconciler.membership.gossip import Gossip
from reconciler.membership.messages import Silent, decode
from reconciler.model.observed import NodeName
from reconciler.model.settings import FastFailureDetectionSettings, MembershipSettings

KEY = bytes(range(32))
PORT = 7947


async def run(name: NodeName, host: str, seeds: list[str]) -> None:
    settings = FastFailureDetectionSettings(enabled=True)
    sending: set[asyncio.Task[None]] = set()

    async def found() -> list[str]:
        return seeds

    def say() -> None:
        line = {
            "at": time.monotonic(),
            "silent": sorted(detection.silent()),
            "peers": sorted(peer.node for peer in gossip.peers()),
            "up": sorted(node for node, (state, _) in detection.neighbors().items() if state == state.UP),
            "cpu": time.process_time(),
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    def send_all(data: bytes) -> None:
        task = asyncio.ensure_future(gossip.send_all(data))
        sending.add(task)
        task.add_done_callback(sending.discard)

    def heard(node: NodeName, _epoch: int, data: bytes) -> None:
        message = decode(data)
        assert isinstance(message, Silent)
        detection.heard(node, message)

    def changed(_reason: str) -> None:
        detection.update(settings, gossip.peers())
        say()

    gossip = Gossip(
        name,
        bind=f"{host}:{PORT}",
        key=KEY,
        seeds=found,
        settings=MembershipSettings(port=PORT),
        on_change=changed,
        on_message=heard,
    )
    detection = FastDetection(name, key=KEY, send_all=send_all, on_change=lambda _: say(), on_acquitted=lambda: None)
    async with gossip:
        await gossip.join()
        await gossip.publish(Facts(is_ready=True))
        while True:
            changed("a while has passed")
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(run(NodeName(sys.argv[1]), sys.argv[2], sys.argv[3:]))
