"""The routers against each other: what the tests of our speaker ask them is known to be true of another one."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from reconciler.bgp.families import Family
from reconciler.cli.lab import Lab
from tests.routers.bird import Bird
from tests.routers.configuration import Neighbor, Setup
from tests.routers.exabgp import ExaBgp
from tests.routers.frr import Frr
from tests.routers.gobgp import GoBgp
from tests.routers.router import Route, Router, running

SPEAKER_ASN, ROUTER_ASN = 4200000001, 65000
PREFIXES = ("198.51.100.1/32", "2001:db8:1::1/128")
ATTRIBUTES = "med 7 community [ 65001:5 no-export ] large-community [ 65001:1:2 4200000000:7:8 ]"
ROUTE = Route(
    next_hops=("192.0.2.10",),
    as_path=(SPEAKER_ASN,),
    origin="igp",
    med=7,
    communities=frozenset({"65001:5", "65535:65281"}),
    large_communities=frozenset({"65001:1:2", "4200000000:7:8"}),
    is_stale=False,
)


@pytest.fixture
def lab_hosts() -> tuple[str, ...]:
    return "speaker", "router", "other"


def receiver(kind: type[Router], lab: Lab, password: str | None = None) -> Router:
    """A router that waits for the speaker."""
    toward = Neighbor(address=lab.address("speaker"), remote_asn=SPEAKER_ASN, password=password)
    return kind(lab, "router", Setup(asn=ROUTER_ASN, router_id=lab.address("router"), neighbors=(toward,)))


def sender(lab: Lab, password: str | None = None) -> Setup:
    """A speaker that dials the router and tells it two routes."""
    there = lab.address("router")
    toward = Neighbor(address=there, remote_asn=ROUTER_ASN, password=password, is_passive=False, is_told=True)
    own = lab.address("speaker")
    return Setup(asn=SPEAKER_ASN, router_id=own, neighbors=(toward,), originates=PREFIXES)


async def until(is_true: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(20):
        while not is_true():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("kind", [Frr, Bird, GoBgp])
async def test_a_router_tells_what_exabgp_told_it(lab: Lab, kind: type[Router]) -> None:
    router, speaker = receiver(kind, lab, "s3cret"), ExaBgp(lab, "speaker", sender(lab, "s3cret"), ATTRIBUTES)
    us = lab.address("speaker")
    # BIRD gives every route a local preference, and does not show what is stale.
    known = replace(ROUTE, local_pref=100, is_stale=None) if kind is Bird else ROUTE
    known6 = replace(known, next_hops=("2001:db8::10",))
    with running(router), running(speaker):
        await until(lambda: router.routes(Family.IPV4, us) == {PREFIXES[0]: known})
        await until(lambda: router.routes(Family.IPV6, us) == {PREFIXES[1]: known6})
        session = router.session(us)
        assert (session.is_established, session.state, session.hold_time) == (True, "Established", 30)
        assert (router.count(Family.IPV4), router.count(Family.IPV6)) == (1, 1)
        speaker.kill()
        await until(lambda: not router.session(us).is_established)
        # Both offered graceful restart.
        left = replace(known, is_stale=None if kind is Bird else True)
        await until(lambda: router.routes(Family.IPV4, us) == {PREFIXES[0]: left})


# GoBGP dials after a random time of up to ten seconds.
@pytest.mark.parametrize("kind", [Frr, Bird])
async def test_a_router_originates(lab: Lab, kind: type[Router]) -> None:
    router, speaker = receiver(Bird, lab), kind(lab, "speaker", sender(lab))
    us = lab.address("speaker")
    with running(router, speaker):
        # Not IPv6: FRR without zebra has no next hop for it over IPv4.
        await until(lambda: set(router.routes(Family.IPV4, us)) == {PREFIXES[0]})
        speaker.originate("198.51.100.2/32")
        await until(lambda: set(router.routes(Family.IPV4, us)) == {PREFIXES[0], "198.51.100.2/32"})


async def test_a_wrong_password_keeps_routers_apart(lab: Lab) -> None:
    router, speaker = receiver(Frr, lab, "s3cret"), Bird(lab, "speaker", sender(lab, "other"))
    with running(router, speaker):
        await until(lambda: md5_failures(lab) > 0)
        assert not router.session(lab.address("speaker")).is_established


@pytest.mark.parametrize("kind", [Frr, Bird])
async def test_a_router_has_a_kernel_route_with_all_next_hops(lab: Lab, kind: type[Router]) -> None:
    speakers = ("speaker", "other")
    neighbors = tuple(Neighbor(address=lab.address(host), remote_asn=SPEAKER_ASN) for host in speakers)
    setup = Setup(asn=ROUTER_ASN, router_id="192.0.2.11", neighbors=neighbors, has_kernel_routes=True, maximum_paths=8)
    router = kind(lab, "router", setup)
    exabgps = [ExaBgp(lab, host, replace(sender(lab), router_id=lab.address(host))) for host in speakers]
    with running(router), running(*exabgps):
        for prefix, address in zip(PREFIXES, (lab.address, lab.address6), strict=True):
            await until(partial(has_hops, lab, prefix, {address(host) for host in speakers}))


def has_hops(lab: Lab, prefix: str, hops: set[str]) -> bool:
    """Whether the router's kernel sends packets for a prefix there."""
    family = "-6" if ":" in prefix else "-4"
    routes = json.loads(lab.run("router", "ip", "-j", family, "route", "show", prefix))
    return {hop["gateway"] for route in routes for hop in route.get("nexthops", [])} == hops


def md5_failures(lab: Lab) -> int:
    """How often the router's kernel has dropped a segment for its signature."""
    counted = lab.run("router", "nstat", "-asz", "TcpExtTCPMD5Failure")
    return int(counted.splitlines()[-1].split()[1])
