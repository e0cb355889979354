"""Nodes that do not see each other although their clients see them all: two owners, and one again once it is over."""

import time

import pytest

from tests.netns.observer import A_BLINK, cached
from tests.netns.site import Site, until
from tests.netns.traffic import traffic

# In seconds. The kernel of a node asks once a second for a neighbour that did not answer.
HEALED = 3.0


@pytest.mark.parametrize(
    "kinds",
    [
        pytest.param([""], id="everything"),
        pytest.param(["ip protocol udp udp dport 7947", "ip protocol tcp tcp dport 7947"], id="only the gossip"),
    ],
)
async def test_after_a_partition_one_node_owns_the_address_for_its_clients_too(site: Site, kinds: list[str]) -> None:
    owners = {
        site.address("n1", "n2"): ("n1", "n2"),
        site.address("n1", "n3", family=6): ("n1", "n3"),
        site.address("n2", "n3"): ("n2", "n1"),
    }
    for address in owners:
        await site.serve(address)
    async with traffic(site, *owners) as (client, observer):
        since = time.monotonic()
        site.divide("n1", *kinds)
        for address, both in owners.items():
            await until(lambda: observer.owners(address) == set(both), "each side has an owner")  # noqa: B023
        healed = time.monotonic()
        site.heal()
        for address, (owner, _) in owners.items():
            began = await observer.one(address, owner)
            assert began - healed < HEALED
            assert await observer.silence(address, since) < A_BLINK
            await client.answered(address, began, [owner])
            await until(lambda: cached(site.lab, address) == owner, "the client knows the owner")  # noqa: B023
        await site.together()
        assert (await client.lost(since)).lost == 0
