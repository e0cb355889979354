"""Nodes die, are cut off, stop, drain and come back: what their clients lose, and who has the address afterwards."""

import asyncio
import time
from collections.abc import Callable

import pytest

from tests.netns.observer import A_BLINK, cached
from tests.netns.site import EXCLUDE, Site, configuration, until
from tests.netns.traffic import traffic

# In seconds. A dead node is known after 0.6 to 1.3; machines that run tests may be busy.
DETECTED = 3.0
# How long the members may take until they agree: a moment, of which a busy machine makes more.
MOMENT = 1.5
SENT = 1000


async def one_of_each(site: Site, *order: str) -> tuple[str, str]:
    """An address of either family that the first of these nodes announces, and that the next one has after it."""
    addresses = site.address(*order), site.address(*order, family=6)
    for address in addresses:
        await site.serve(address)
        assert site.owners(address) == [order[0]]
    return addresses


def followed(site: Site, addresses: tuple[str, ...], owner: str) -> Callable[[], bool]:
    """Whether the client sends to this node."""
    return lambda: all(cached(site.lab, address) == owner for address in addresses)


async def test_a_killed_speaker_costs_a_warm_client_nothing(site: Site) -> None:
    addresses = await one_of_each(site, "n1", "n2")
    async with traffic(site, *addresses) as (client, observer):
        since = time.monotonic()
        site.kill("n1")
        for address in addresses:
            await observer.one(address, "n2")
        await until(followed(site, addresses, "n2"), "the client follows")
        # It comes back: it announces first, and then the other falls silent.
        again = time.monotonic()
        site.start("n1")
        for address in addresses:
            await observer.one(address, "n1")
        await until(followed(site, addresses, "n1"), "the client comes back")
        assert (await client.lost(since)).lost == 0
        for address in addresses:
            assert 0 < await observer.silence(address, since) < DETECTED
            assert await observer.silence(address, again) < A_BLINK
            assert observer.division(address, since) < MOMENT


@pytest.mark.parametrize("is_noticed", [False, True], ids=["for a moment", "until another has taken over"])
async def test_a_node_that_was_cut_off_is_the_only_owner_again(site: Site, *, is_noticed: bool) -> None:
    addresses = await one_of_each(site, "n1", "n3")
    async with traffic(site, *addresses) as (client, observer):
        since = time.monotonic()
        site.lab.cut("n1")
        if is_noticed:
            for address in addresses:
                await observer.one(address, "n3")
                await client.answered(address, since, ["n3"])
        else:
            # So long it is away, whoever notices it.
            await asyncio.sleep(1.0)
        back = time.monotonic()
        site.lab.restore("n1")
        await site.together()
        for address in addresses:
            await observer.one(address, "n1")
            await client.answered(address, back, ["n1"])
        await until(followed(site, addresses, "n1"), "the client knows the owner")
        await until(lambda: all(observer.has_one(address, "n1", questions=50) for address in addresses), "it stays so")
        await until(followed(site, addresses, "n1"), "the client still sends to it")
        # Another may have taken over for a moment, and the client hears of the last owner a moment after the observer.
        await until(lambda: {client.owner(address) for address in addresses} == {"n1"}, "it answers the client alone")
        assert (await client.lost(since, back)).longest_gap < DETECTED
        for address in addresses:
            assert observer.division(address, since) < MOMENT


async def test_a_planned_stop_loses_nothing(site: Site) -> None:
    addresses = await one_of_each(site, "n1", "n2")
    async with traffic(site, *addresses, interval=0.004) as (client, observer):
        since = time.monotonic()
        await site.stop("n1")
        for address in addresses:
            await observer.one(address, "n2")
        await until(followed(site, addresses, "n2"), "the client follows")
        await until(lambda: client.loss(since, time.monotonic()).sent > SENT, "enough was sent")
        assert (await client.lost(since)).lost == 0
        for address in addresses:
            assert await observer.silence(address, since) < A_BLINK


async def test_a_restart_within_its_grace_leaves_the_address_where_it_is(site: Site) -> None:
    await site.adopt(configuration(settings={"announcements": {"restartGrace": "20s"}}))
    addresses = await one_of_each(site, "n1", "n2")
    async with traffic(site, *addresses) as (client, observer):
        since = time.monotonic()
        await site.stop("n1")
        site.start("n1")
        await site.together()
        for address in addresses:
            await observer.one(address, "n1")
            assert observer.everyone(address, since) == {"n1"}
        assert (await client.lost(since)).lost == 0


async def test_a_restart_that_takes_longer_than_its_grace_is_an_end(site: Site) -> None:
    await site.adopt(configuration(settings={"announcements": {"restartGrace": "1s"}}))
    addresses = await one_of_each(site, "n1", "n2")
    async with traffic(site, *addresses) as (client, observer):
        since = time.monotonic()
        await site.stop("n1")
        for address in addresses:
            await observer.one(address, "n2")
            # The grace begins when n1 says that it goes; it answers a moment longer, and n2 what has waited a moment.
            assert observer.first(address, "n2") > since + 0.8
            assert 0.5 < await observer.silence(address, since) < 1.0 + DETECTED
        assert (await client.lost(since)).lost == 0


TAINT = {"key": "example.com/maintenance", "effect": "NoSchedule"}
CORDON = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    "drain",
    [
        pytest.param({"labels": {EXCLUDE: ""}}, id="the label"),
        pytest.param({"taints": [TAINT]}, id="a taint"),
    ],
)
async def test_a_drained_node_gives_its_addresses_away_and_gets_them_back(site: Site, drain: dict[str, object]) -> None:
    await site.adopt(configuration(settings={"drain": {"taints": ["example.com/maintenance"]}}))
    addresses = await one_of_each(site, "n2", "n3")
    async with traffic(site, *addresses) as (client, observer):
        since = time.monotonic()
        site.node("n2", **drain)
        for address in addresses:
            await observer.one(address, "n3")
        await until(followed(site, addresses, "n3"), "the client follows")
        assert site.status("n2")["drained"] is True
        site.node("n2")
        for address in addresses:
            await observer.one(address, "n2")
        await until(followed(site, addresses, "n2"), "the client comes back")
        assert site.status("n2")["drained"] is False
        assert (await client.lost(since)).lost == 0
        for address in addresses:
            assert await observer.silence(address, since) < A_BLINK


async def test_a_cordon_moves_nothing(site: Site) -> None:
    addresses = await one_of_each(site, "n2")
    async with traffic(site, *addresses) as (_, observer):
        since = time.monotonic()
        site.node("n2", unschedulable=True, taints=[CORDON])
        # Whoever knows of this knows of the cordon.
        await site.serve(site.address("n2"))
        for address in addresses:
            await observer.one(address, "n2")
            assert await observer.silence(address, since) < A_BLINK
            assert observer.everyone(address, since) == {"n2"}
