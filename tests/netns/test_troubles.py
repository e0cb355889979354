"""Several things at once: nodes that hang, links that flap, successors that die. In the end one node has an address."""

import asyncio
import signal
import time

from tests.netns.observer import A_BLINK, cached
from tests.netns.site import EXCLUDE, NODES, Site, until
from tests.netns.traffic import traffic

# In seconds: how long the members may take until they agree, on a busy machine.
MOMENT = 1.5
DETECTED = 3.0


async def of_both_families(site: Site, *order: str) -> tuple[str, str]:
    """An address of either family for which these nodes stand in this order."""
    addresses = site.address(*order), site.address(*order, family=6)
    for address in addresses:
        await site.serve(address)
    return addresses


async def test_a_speaker_that_hung_is_the_only_owner_again(site: Site) -> None:
    addresses = await of_both_families(site, "n1", "n2")
    async with traffic(site, *addresses) as (client, observer):
        since = time.monotonic()
        site.roles["n1"].signal(signal.SIGSTOP)
        try:
            for address in addresses:
                await observer.one(address, "n2")
                # Its node lives, so that nobody else has lost anything.
                assert await observer.silence(address, since) < DETECTED
        finally:
            again = time.monotonic()
            site.roles["n1"].signal(signal.SIGCONT)
        await site.together()
        for address in addresses:
            await observer.one(address, "n1")
            await until(lambda: cached(site.lab, address) == "n1", "the client follows")  # noqa: B023
            assert await observer.silence(address, again) < A_BLINK
            assert observer.division(address, again) < MOMENT
        assert (await client.lost(since)).lost == 0


async def test_what_a_speaker_that_hung_answers_too_late_does_not_last(site: Site) -> None:
    addresses = await of_both_families(site, "n1", "n2")
    async with traffic(site, *addresses) as (client, observer):
        site.roles["n1"].signal(signal.SIGSTOP)
        try:
            site.node("n1", labels={EXCLUDE: ""})
            for address in addresses:
                await observer.one(address, "n2")
                # A client asks everybody, so a question waits for n1 until it goes on.
                asked = time.monotonic()
                site.lab.run("client", "ip", "neigh", "del", address, "dev", "eth0")
                await client.answered(address, asked, ["n2"])
        finally:
            again = time.monotonic()
            site.roles["n1"].signal(signal.SIGCONT)
        await site.together()
        for address in addresses:
            # For longer than the announcements of a take-over last.
            await observer.one(address, "n2")
            await until(lambda: cached(site.lab, address) == "n2", "the client believes the owner")  # noqa: B023
            assert await observer.silence(address, again) < A_BLINK
            assert observer.division(address, again) < MOMENT
        await asyncio.sleep(1.0)
        assert {cached(site.lab, address) for address in addresses} == {"n2"}


async def test_a_link_that_flaps_ends_with_one_owner(site: Site) -> None:
    addresses = await of_both_families(site, "n1", "n3")
    async with traffic(site, *addresses) as (client, observer):
        for away, back in ((0.1, 0.3), (0.7, 0.2), (1.4, 0.1), (0.3, 0.6)):
            site.lab.cut("n1")
            await asyncio.sleep(away)
            site.lab.restore("n1")
            await asyncio.sleep(back)
        since = time.monotonic()
        for address in addresses:
            await observer.one(address, "n1")
            await client.answered(address, since, ["n1"])
            await until(lambda: cached(site.lab, address) == "n1", "the client knows the owner")  # noqa: B023
            assert observer.division(address, since) < MOMENT
        await site.together()


async def test_a_successor_that_dies_in_the_middle_is_replaced(site: Site) -> None:
    addresses = await of_both_families(site, "n1", "n2", "n3")
    async with traffic(site, *addresses) as (client, observer):
        since = time.monotonic()
        # n1 still believes that n2 takes over.
        site.kill("n2")
        site.roles["n1"].stop()
        for address in addresses:
            await observer.one(address, "n3")
            await until(lambda: cached(site.lab, address) == "n3", "the client follows")  # noqa: B023
            assert await observer.silence(address, since) < DETECTED
        await until(site.roles["n1"].has_ended, "n1 ends")
        assert (await client.lost(since)).lost == 0


async def test_two_that_stop_at_once_leave_all_to_the_third(site: Site) -> None:
    addresses = await of_both_families(site, "n1", "n2", "n3")
    async with traffic(site, *addresses) as (client, observer):
        since = time.monotonic()
        for node in ("n1", "n2"):
            site.roles[node].stop()
        for address in addresses:
            await observer.one(address, "n3")
            assert await observer.silence(address, since) < A_BLINK
            assert observer.division(address, since) < MOMENT
        await until(lambda: site.roles["n1"].has_ended() and site.roles["n2"].has_ended(), "both end")
        assert (await client.lost(since)).lost == 0


async def test_drains_one_after_the_other_lose_nothing(site: Site) -> None:
    addresses = await of_both_families(site, "n1", "n2", "n3")
    async with traffic(site, *addresses) as (client, observer):
        since = time.monotonic()
        for node, owner in (("n1", "n2"), ("n2", "n3"), ("n1", "n1"), ("n2", "n1")):
            is_drained = owner not in ("n1",)
            site.node(node, labels={EXCLUDE: ""} if is_drained else {})
            for address in addresses:
                await observer.one(address, owner)
        # And faster than anybody can follow.
        for _ in range(5):
            for node in NODES[:2]:
                site.node(node, labels={EXCLUDE: ""})
                await asyncio.sleep(0.03)
                site.node(node)
        for address in addresses:
            await observer.one(address, "n1")
            await until(lambda: cached(site.lab, address) == "n1", "the client follows")  # noqa: B023
            assert await observer.silence(address, since) < A_BLINK
        assert (await client.lost(since)).lost == 0


async def test_everybody_drained_is_nobody_and_comes_back(site: Site) -> None:
    addresses = await of_both_families(site, "n1", "n2", "n3")
    async with traffic(site, *addresses) as (_, observer):
        for node in NODES:
            site.node(node, labels={EXCLUDE: ""})
        for address in addresses:
            await until(lambda: not observer.owners(address, questions=5), "nobody answers")  # noqa: B023
        for node in NODES:
            site.node(node)
        for address in addresses:
            await observer.one(address, "n1")
