"""
What clients lose when one of three nodes that all announce an address is cut off, with BFD at 50 ms x 3.

A router (FRR, and BIRD beside it) spreads numbered datagrams over the nodes; the loss window is from the first one that
was lost to the last, of either family. The floor is the detection time that both sides agree on: no router may act
sooner, but it may be over sooner, since the last packet before the cut was sent up to 50 ms earlier.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.measure import Beside
from reconciler.cli.lab import Lab
from tests.bgpsite.configuration import BIRD, FRR, configuration
from tests.bgpsite.flows import Flows, Loss, serving
from tests.bgpsite.site import CLIENT, HOSTS, ROUTERS, BGPSite, prepare, routers_of
from tests.netns.site import NODES
from tests.routers.router import running

_TIMES = 21
_FLOWS, _INTERVAL = 32, 0.02
_DETECTION = 0.15
# The third one is configured at BIRD for restarts, where a dead path keeps its routes.
_CUT = NODES[:2]
# Seconds: cuts come at any phase of the packets, and late answers are waited for.
_LONGEST_REST, _AFTER = 0.3, 0.3
_NAMES = {FRR: "FRR", BIRD: "BIRD"}


def rows() -> Iterator[Beside]:
    """A node is cut off again and again, two of them in turn; both routers see it at the same time."""
    happened = asyncio.run(_happened())
    for router, losses in happened.items():
        windows = [max(loss.window for loss in pair) for pair in losses]
        lost, sent = (sum(getattr(loss, name) for pair in losses for loss in pair) for name in ("lost", "sent"))
        note = f"lost {lost} of {sent} datagrams while a third of the flows had to move"
        yield Beside(f"node cut off, router {_NAMES[router]}", 2 * _FLOWS, windows, [_DETECTION] * len(windows), note)


async def _happened() -> dict[str, list[tuple[Loss, Loss]]]:
    """By router, what became of the datagrams of IPv4 and IPv6 at each cut."""
    happened: dict[str, list[tuple[Loss, Loss]]] = {router: [] for router in ROUTERS}
    async with _site() as site:
        pairs = {router: (site.vip(), site.vip(6)) for router in ROUTERS}
        addresses = [address for pair in pairs.values() for address in pair]
        for router, pair in pairs.items():
            site.lead(router, *pair)
            await site.served(*pair)
        with serving(site.lab, NODES):
            client = site.lab.namespace(CLIENT)
            async with Flows(client, addresses, each=_FLOWS, interval=_INTERVAL) as flows:
                for number in range(_TIMES):
                    node = _CUT[number % len(_CUT)]
                    await asyncio.sleep(random.uniform(_AFTER, _AFTER + _LONGEST_REST))  # noqa: S311 - any phase
                    since = time.monotonic()
                    await asyncio.to_thread(site.lab.cut, node)
                    await site.heard(addresses, set(NODES) - {node})
                    losses = await flows.losses(since)
                    for router, (address4, address6) in pairs.items():
                        happened[router].append((losses[address4], losses[address6]))
                    await asyncio.to_thread(site.lab.restore, node)
                    await site.sessions(bfd="up")
                    await site.heard(addresses, NODES)
    return happened


@asynccontextmanager
async def _site() -> AsyncIterator[BGPSite]:
    """Three speakers, which follow BFD and have not agreed on graceful restart, and two routers."""
    with Lab(*HOSTS) as lab, tempfile.TemporaryDirectory(prefix="lb-reconciler-bench-") as directory:
        prepare(lab)
        routers = routers_of(lab)
        with running(*routers.values()):
            site = BGPSite(Path(directory), lab, routers)
            try:
                changes: dict[str, object] = {"bfdProfile": "fast", "enableGracefulRestart": None}
                await site.settled(configuration(site.peers(frr=changes, bird=changes)))
                await site.sessions(bfd="up")
                yield site
            finally:
                site.close()
