"""Speakers that start, together and one by one, and what they do while everything else is away."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.netns.observer import A_BLINK, Observer
from tests.netns.site import CONTROLLER, NODES, Site, until

# In seconds. A node that has just joined knows the others a moment before the last of them knows it.
MOMENT = 1.5


async def addresses_of_all(site: Site) -> dict[str, str]:
    """An address of either family for each node, with who wins it."""
    owners = {site.address(node, family=family): node for node in NODES for family in (4, 6)}
    for address in owners:
        await site.serve(address)
    return owners


async def test_speakers_that_start_at_once_agree_before_they_announce(site: Site) -> None:
    owners = await addresses_of_all(site)
    for node in NODES:
        site.kill(node)
    async with Observer(site.lab, list(owners)) as observer:
        site.start(*NODES)
        for address, owner in owners.items():
            await observer.one(address, owner)
            assert observer.division(address) < MOMENT


async def test_one_that_is_alone_announces_all_and_gives_to_who_comes_later(site: Site) -> None:
    owners = await addresses_of_all(site)
    for node in NODES:
        site.kill(node)
    async with Observer(site.lab, list(owners)) as observer:
        site.start("n1")
        for address in owners:
            await observer.one(address, "n1")
        since = time.monotonic()
        site.start("n2", "n3")
        for address, owner in owners.items():
            await observer.one(address, owner)
            assert await observer.silence(address, since) < A_BLINK
            assert observer.division(address, since) < MOMENT


async def test_without_the_controller_nothing_changes(site: Site) -> None:
    owners = await addresses_of_all(site)
    async with Observer(site.lab, list(owners)) as observer:
        since = time.monotonic()
        site.kill(CONTROLLER)
        # A node dies and comes back meanwhile.
        site.kill("n3")
        for address, owner in owners.items():
            if owner == "n3":
                await until(lambda: observer.owners(address) in ({"n1"}, {"n2"}), "another takes over")  # noqa: B023
        site.start("n3")
        for address, owner in owners.items():
            await observer.one(address, owner)
            if owner != "n3":
                assert await observer.silence(address, since) < A_BLINK
                assert observer.everyone(address, since) == {owner}


@contextmanager
def unreadable(site: Site) -> Iterator[None]:
    """One manifest in the middle of an edit."""
    broken = site.cluster / "broken.yaml"
    broken.write_text("kind: [")
    try:
        yield
    finally:
        broken.unlink()


@contextmanager
def gone(site: Site) -> Iterator[None]:
    """The directory is not mounted, for example."""
    away = site.cluster.with_name("away")
    site.cluster.rename(away)
    try:
        yield
    finally:
        shutil.rmtree(site.cluster, ignore_errors=True)
        away.rename(site.cluster)


@pytest.mark.parametrize("away", [unreadable, gone])
async def test_without_the_cluster_announcements_stay_as_they_are(
    site: Site, away: Callable[[Site], AbstractContextManager[None]]
) -> None:
    owners = await addresses_of_all(site)
    async with Observer(site.lab, list(owners)) as observer:
        since = time.monotonic()
        with away(site):
            await until(lambda: all(site.status(node)["lastPass"]["error"] for node in NODES), "all have missed it")
            assert all(site.knows(node) == set(NODES) for node in NODES)
        await until(lambda: not any(site.status(node)["lastPass"]["error"] for node in NODES), "it is back")
        await site.serve(site.address("n2"))
        for address, owner in owners.items():
            assert await observer.silence(address, since) < A_BLINK
            assert observer.everyone(address, since) == {owner}
