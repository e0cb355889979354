"""A hostile host on the link, while nodes die and come back."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.netns.observer import Observer
from tests.netns.site import EXCLUDE, NODES, Site, until

ROOT = Path(__file__).parents[2]
SEED = 20260314
# In octets: what a process may grow by when it is busy, for other reasons than what it is sent.
ROOM = 30 << 20
# In seconds, of which a busy machine makes more: for one of them a single claim withdraws a new address, because nobody
# uses it yet.
WATCHED = 2.0
# A dead node is known after 0.6 to 1.3 s on a quiet machine.
DETECTED = 5.0


@contextmanager
def flood(site: Site, *addresses: str) -> Iterator[subprocess.Popen[bytes]]:
    """Frames and datagrams of all sorts from another host."""
    nodes = [site.lab.address(node) for node in NODES]
    command = [sys.executable, "-m", "tests.netns.flood", str(SEED), *nodes, "--", *addresses]
    with subprocess.Popen([*site.lab.inside("stranger"), *command], cwd=ROOT) as hostile:
        try:
            yield hostile
            assert hostile.poll() is None, "it has ended by itself"
        finally:
            hostile.kill()


async def test_whatever_is_sent_speakers_live_and_answer_for_what_they_own_only(site: Site) -> None:
    owned = site.address("n1", "n2"), site.address("n1", "n2", family=6)
    foreign = site.address("n1"), site.address("n1", family=6)
    for address in owned:
        await site.serve(address)
    await asyncio.sleep(WATCHED)
    before = {node: len(site.log(node)) for node in NODES}
    memory = {node: site.roles[node].memory() for node in NODES}
    async with Observer(site.lab, [*owned, *foreign]) as observer:
        with flood(site, *owned):
            # A node with no address of ours does not even listen.
            requests = site.roles["n1"].metric("lb_reconciler_ignored_frames_total")
            await until(
                lambda: site.roles["n1"].metric("lb_reconciler_ignored_frames_total") > requests + 5000,
                "many frames were met",
            )
            site.kill("n1")
            since = time.monotonic()
            for address in owned:
                await observer.one(address, "n2")
            site.start("n1")
            for address in owned:
                await observer.one(address, "n1")
                assert await observer.silence(address, since) < DETECTED
            site.node("n1", labels={EXCLUDE: ""})
            for address in owned:
                await observer.one(address, "n2")
            await site.together()
        for address in foreign:
            assert observer.everyone(address) == set()
        for address in owned:
            assert observer.everyone(address) == {"n1", "n2"}
    for node in ("n2", "n3"):
        assert site.roles[node].memory() < memory[node] + ROOM
    for node in NODES:
        said = site.log(node)[before[node] :]
        assert "Traceback" not in said
        assert "error" not in said
