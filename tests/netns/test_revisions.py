"""Files that reach the nodes one after the other, that are held, refused, or no longer know what is in use."""

import time
from collections.abc import Sequence

import pytest

from tests.netns.observer import A_BLINK, Observer
from tests.netns.site import CONTROLLER, NODES, Site, configuration, only_on, until

# In seconds: how long the members may take until they all do the same, on a busy machine.
MOMENT = 1.0
# Shorter than any difference between the nodes below, and waited for where nothing is to happen.
SHORT = {"membership": {"revisionWait": "1s"}}
# What changes, changes because everybody has it, and never because the wait is over.
LONG = {"membership": {"revisionWait": "60s"}}
BROKEN = "apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: pool}\nspec: {addresses: [nonsense]}\n"


async def later(seconds: float) -> None:
    """The difference between two deliveries: no condition tells when it is over."""
    begun = time.monotonic()
    await until(lambda: time.monotonic() >= begun + seconds, "time passes")


@pytest.mark.parametrize(
    "order",
    [
        pytest.param((CONTROLLER, "n1", "n2", "n3"), id="the one that loses it before the one that wins it"),
        pytest.param(("n2", "n3", CONTROLLER, "n1"), id="the one that wins it first"),
        pytest.param(("n1", "n2", "n3", CONTROLLER), id="the controller last"),
    ],
)
async def test_files_that_come_one_by_one_change_the_owner_at_once(site: Site, order: Sequence[str]) -> None:
    await site.adopt(configuration(settings=LONG))
    addresses = site.address("n1", "n2"), site.address("n1", "n2", family=6)
    for address in addresses:
        await site.serve(address)
    async with Observer(site.lab, addresses) as observer:
        since = time.monotonic()
        for name in order:
            assert [site.owners(address) for address in addresses] == [["n1"], ["n1"]]
            site.configure(configuration(settings=LONG, advertisement=only_on("n2", "n3")), name)
            await later(0.5)
        for address in addresses:
            await observer.one(address, "n2")
            assert await observer.silence(address, since) < A_BLINK
            assert observer.everyone(address, since) == {"n1", "n2"}
            assert observer.division(address, since) < MOMENT


async def test_a_node_that_gets_no_files_delays_a_change_and_does_not_prevent_it(site: Site) -> None:
    await site.adopt(configuration(settings=SHORT))
    address = site.address("n1", "n2")
    await site.serve(address)
    async with Observer(site.lab, [address]) as observer:
        since = time.monotonic()
        changed = configuration(settings=SHORT, advertisement=only_on("n1", "n2"))
        site.configure(changed, CONTROLLER, "n1", "n2")
        before = site.uses("n3")
        await until(lambda: site.uses("n1") == site.uses("n2") != before, "those that have it use it")
        assert site.uses("n3") == before
        site.configure(changed)
        await until(site.is_of_one_mind, "the last one follows")
        assert await observer.silence(address, since) < A_BLINK
        assert observer.everyone(address, since) == {"n1"}


async def test_what_the_controller_holds_is_not_used_however_long_it_waits(site: Site) -> None:
    guard = {**SHORT, "guard": {"minimumServices": 1, "maxChangedPercent": 0}}
    await site.adopt(configuration(settings=guard))
    address = site.address("n1")
    await site.serve(address)
    before = site.uses("n1")
    async with Observer(site.lab, [address]) as observer:
        since = time.monotonic()
        changed = configuration(settings=guard, addresses='["198.51.100.0/24"]')
        # Without its word the wait would be for that, and it may be slower than a second.
        site.configure(changed, CONTROLLER)
        await until(lambda: site.verdict() == "held", "the controller holds it")
        site.configure(changed)
        await until(
            lambda: all(site.status(node)["newest"]["verdict"] == "held" for node in NODES), "all know that it is held"
        )
        await later(2.0)
        assert {site.uses(node) for node in NODES} == {before}
        assert site.status("n1")["newest"]["revision"] != before
        assert await observer.silence(address, since) < A_BLINK
        assert observer.everyone(address, since) == {"n1"}


async def test_a_restart_under_files_that_are_refused_goes_on_with_the_last_good_ones(site: Site) -> None:
    addresses = site.address("n1"), site.address("n1", family=6)
    for address in addresses:
        await site.serve(address)
    before = site.uses("n1")
    async with Observer(site.lab, addresses) as observer:
        since = time.monotonic()
        site.configure(BROKEN)
        await until(lambda: all(site.status(node)["problems"] for node in NODES), "all have seen the files")
        assert {site.uses(node) for node in NODES} == {before}
        for address in addresses:
            assert await observer.silence(address, since) < A_BLINK
            assert observer.everyone(address, since) == {"n1"}
        site.kill("n1")
        site.start("n1")
        await site.together()
        for address in addresses:
            await observer.one(address, "n1")
        status = site.status("n1")
        assert status["revision"] == before
        assert "invalid-cidr" in {problem["code"] for problem in status["problems"]}


async def test_without_files_that_were_ever_good_nothing_is_announced(site: Site) -> None:
    address = site.address("n1", "n2")
    await site.serve(address)
    await site.stop("n1")
    site.forget("n1")
    site.configure(BROKEN, "n1")
    site.start("n1")
    async with Observer(site.lab, [address]) as observer:
        await until(lambda: "no valid configuration" in (site.status("n1").get("notReady") or ""), "it says so")
        await observer.one(address, "n2")
        assert observer.everyone(address) == {"n2"}


async def test_an_address_whose_pool_is_gone_is_announced_until_the_controller_moves_it(site: Site) -> None:
    await site.adopt(configuration(settings=SHORT))
    address = site.address("n1")
    name = await site.serve(address)
    # What would change all Services that there are would be held.
    for _ in range(2):
        await site.serve(site.address("n2", family=6))
    async with Observer(site.lab, [address]) as observer:
        since = time.monotonic()
        site.kill(CONTROLLER)
        # Without its word the wait has to be over.
        await site.adopt(configuration(settings=SHORT, addresses='["198.51.100.0/24", "2001:db8::1:0/112"]'))
        await observer.one(address, "n1")
        assert await observer.silence(address, since) < A_BLINK
        assert observer.everyone(address, since) == {"n1"}, observer.counts(address, since)
        site.request(name, "198.51.100.7")
        site.start_controller()
        await until(lambda: site.ingress(name) == ["198.51.100.7"], "it is moved")
        await until(lambda: not observer.owners(address, questions=10), "the former address is silent")
        await until(lambda: len(site.owners("198.51.100.7")) == 1, "the new one is announced")
