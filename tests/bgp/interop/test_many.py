"""A hundred peers at once, and routes that come and go under sessions that have to stay."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.bgp.families import Family
from reconciler.bgp.parameters import SessionParameters
from reconciler.bgp.routes import RouteAttributes
from reconciler.bgp.transport import Remote
from tests.bgp.interop.features import OUR_ASN, ROUTER_ASN, ROUTERS, SPEAKER
from tests.bgp.interop.site import SPARE, Site
from tests.bgp.interop.talk import RETRY, RouterTalk, Speaker, Talk, octets, until
from tests.routers.bird import Bird
from tests.routers.configuration import Neighbor, Setup
from tests.routers.router import running

PEERS = 100
PREFIXES = [f"203.0.113.{number}/32" for number in range(40)]


@pytest.fixture
def crowd(site: Site, tmp_path: Path) -> Iterator[Bird]:
    """A BIRD with a hundred addresses, each of which waits for another address of ours."""
    for host, first in ((SPARE, 1), (SPEAKER, 101)):
        commands = tmp_path / host
        lines = [f"address add 198.51.100.{first + number}/24 dev eth0" for number in range(PEERS)]
        commands.write_text("\n".join(lines))
        site.lab.run(host, "ip", "-batch", str(commands))
    neighbors = tuple(
        Neighbor(remote_asn=OUR_ASN, address=f"198.51.100.{101 + number}", source=f"198.51.100.{1 + number}")
        for number in range(PEERS)
    )
    bird = Bird(site.lab, SPARE, Setup(asn=ROUTER_ASN, router_id=site.lab.address(SPARE), neighbors=neighbors))
    with running(bird):
        yield bird


def hundred(speaker: Speaker) -> list[Talk]:
    """A session with each of them."""
    parameters = SessionParameters(
        local_asn=OUR_ASN,
        remote_asn=ROUTER_ASN,
        families=frozenset(Family),
        hold_time=9.0,
        connect_retry_time=RETRY,
    )
    return [
        speaker.open_raw(
            parameters,
            Remote(octets(f"198.51.100.{1 + number}"), source=octets(f"198.51.100.{101 + number}")),
        )
        for number in range(PEERS)
    ]


@pytest.mark.parametrize("seconds", [5, pytest.param(60, marks=pytest.mark.soak)])
async def test_a_hundred_peers_and_three_routers_while_routes_come_and_go(
    speaker: Speaker, crowd: Bird, seconds: int
) -> None:
    routers = [speaker.open("ebgp", router) for router in ROUTERS]
    talks = [*hundred(speaker), *routers]
    for talk in talks:
        await talk.established()
    wanted = await _churn(talks, seconds)
    for talk in talks:
        # The last word: what has been withdrawn is gone, what was changed last is there.
        talk.announce("203.0.113.255/32")
    await until(lambda: crowd.count(Family.IPV4) == PEERS * (len(wanted) + 1), lambda: crowd.count(Family.IPV4))
    for router in routers:
        await _has(router, wanted)
    assert [talk.ends for talk in talks] == [[]] * len(talks)
    assert {talk.neighbor.counts().established for talk in talks} == {1}


async def _churn(talks: list[Talk], seconds: int) -> dict[str, int]:
    """Change a route toward everybody, over and over; what is announced in the end, with its community."""
    choose = random.Random(6)  # noqa: S311 # the same in every run
    wanted: dict[str, int] = {}
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds
    while loop.time() < ends:
        prefix = choose.choice(PREFIXES)
        if wanted.pop(prefix, None) is None:
            wanted[prefix] = choose.randrange(1 << 16)
            attributes = RouteAttributes(communities=(OUR_ASN << 16 | wanted[prefix],))
            for talk in talks:
                talk.announce(prefix, attributes=attributes)
        else:
            for talk in talks:
                talk.withdraw(prefix)
        # As often as the loop allows.
        await asyncio.sleep(0)
    return wanted


async def _has(router: RouterTalk, wanted: dict[str, int]) -> None:
    table = await router.table("203.0.113.255/32", *wanted)
    told = {prefix: sorted(route.communities) for prefix, route in table.items() if prefix in wanted}
    assert told == {prefix: [f"{OUR_ASN}:{community}"] for prefix, community in wanted.items()}
