"""A warm client and an observer with an empty cache, side by side."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from reconciler.cli.lab_traffic import Client, Loss, delivered
from tests.netns.observer import Observer
from tests.netns.site import NETWORK4, NETWORK6, NODES, Site, until

# An answer may be late because this very process was: it is waited for in turns of the event loop, of so many seconds.
_TURNS, _PAUSE = 50, 0.02


class WarmClient(Client):
    """A client whose last probes are given time for their answers before the lost ones are counted."""

    async def lost(self, since: float, until: float | None = None) -> Loss:
        """What became of the probes that were sent in between, up to now where no end is given."""
        end = time.monotonic() if until is None else until
        for _ in range(_TURNS):
            if not self.loss(since, end).lost:
                break
            await asyncio.sleep(_PAUSE)
        return self.loss(since, end)


@asynccontextmanager
async def traffic(site: Site, *addresses: str, interval: float = 0.01) -> AsyncIterator[tuple[WarmClient, Observer]]:
    """A client that sends to each address, and knows who has it, and an observer."""
    with delivered(site.lab, NODES, (NETWORK4, NETWORK6)):
        try:
            client = WarmClient(site.lab.namespace("client"), addresses, interval=interval)
            async with client, Observer(site.lab, addresses) as observer:
                since = time.monotonic()
                async with asyncio.timeout(20):
                    for address in addresses:
                        await client.answered(address, since)
                await until(lambda: all(observer.owners(address) for address in addresses), "the observer is answered")
                yield client, observer
        finally:
            for node in NODES:
                for network in (NETWORK4, NETWORK6):
                    family = "-6" if ":" in network else "-4"
                    site.lab.run(node, "ip", family, "route", "del", "local", network, "dev", "lo")
