"""What does not work, or not yet, is said and tried again; what works goes on beside it."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from reconciler.bgp.families import Family
from tests.bgpsite.configuration import ASN, BIRD, FRR, configuration, peer
from tests.bgpsite.site import ESTABLISHED, SPARE, BGPSite
from tests.netns.site import NODES, until
from tests.routers.bird import Bird
from tests.routers.configuration import Neighbor, Setup
from tests.routers.router import running

SPARE_ASN = 64514
OUR_PORT = 1790
WRONG, RIGHT = "wrong", "right"
# Of the one that a router is waited for on n2, and what else is out of the ordinary there.
CALLER = "caller"
NOWHERE, FOREIGN = "192.0.2.99", "192.0.2.77"


@pytest.fixture(scope="module")
def spare(shared_site: BGPSite) -> Iterator[Bird]:
    """A third router, which n1 reaches with a password only, and which connects to n2."""
    lab = shared_site.lab
    neighbors = (
        Neighbor(remote_asn=ASN, address=lab.address("n1"), password=RIGHT),
        Neighbor(remote_asn=ASN, address=lab.address("n2"), is_passive=False, port=OUR_PORT),
    )
    router = Bird(lab, SPARE, Setup(asn=SPARE_ASN, router_id=lab.address(SPARE), neighbors=neighbors))
    with running(router):
        yield router


@pytest.fixture
async def troubled(shared_site: BGPSite, spare: Bird) -> BGPSite:
    """n1 has peers that it cannot reach, each for another reason, and n2 waits for one; all have the usual ones."""
    address = shared_site.lab.address(spare.host)

    def on(node: str, asn: int = SPARE_ASN, where: str = address, **changes: object) -> dict[str, Any]:
        return dict(peer(asn, where, nodeSelectors=[{"matchLabels": {"kubernetes.io/hostname": node}}], **changes))

    shared_site.put_secret("locked", WRONG)
    peers = shared_site.peers(
        locked=on("n1", passwordSecret={"name": "locked"}),
        tenant=on("n1", vrf="tenant-blue"),
        foreign=on("n1", where=NOWHERE, sourceAddress=FOREIGN),
        **{CALLER: on("n2")},
    )
    settings = {"bgp": {"listen": {"enabled": True, "port": OUR_PORT}, "peers": [{"name": CALLER, "passive": True}]}}
    await shared_site.settled(configuration(peers, settings=settings))
    return shared_site


def has_problem(site: BGPSite, name: str) -> bool:
    return bool(site.session("n1", name).get("problem"))


async def test_what_is_in_the_way_is_said_and_the_rest_works(troubled: BGPSite) -> None:
    site = troubled
    expected = {
        "tenant": "there is no interface or VRF tenant-blue on this host",
        "foreign": f"no connection from the source address: {FOREIGN} is no address of this host",
    }
    for name, problem in expected.items():
        await until(partial(has_problem, site, name), f"{name} has a problem")
        session = site.session("n1", name)
        assert session["problem"] == problem
        assert session["state"] != ESTABLISHED
        metric = {"vrf": "tenant-blue"} if name == "tenant" else {"peer": f"{NOWHERE}:179"}
        assert site.roles["n1"].metric("lb_reconciler_bgp_session_problem", **metric) == 1
    await site.served(site.vip(), site.vip(6))
    assert not site.roles["n1"].has_ended()
    # An address that appears is used, and nobody has to say so.
    site.lab.run("n1", "ip", "address", "add", f"{FOREIGN}/24", "dev", "eth0")
    try:
        await until(lambda: not has_problem(site, "foreign"), "the source address is there")
        await until(lambda: site.session("n1", "foreign")["lastError"], "the peer is tried, and is not there")
    finally:
        site.lab.run("n1", "ip", "address", "del", f"{FOREIGN}/24", "dev", "eth0")


async def test_a_password_is_corrected_while_the_speaker_runs(troubled: BGPSite, spare: Bird) -> None:
    site, end = troubled, troubled.lab.address("n1")
    await until(lambda: site.session("n1", "locked").get("lastError"), "the wrong password does not work")
    assert "password" in site.session("n1", "locked")["lastError"]
    assert not spare.session(end).is_established
    before, process = site.connections(), site.roles["n1"].pid
    site.put_secret("locked", RIGHT)
    site.roles["n1"].signal(signal.SIGHUP)
    await site.sessions(("n1",), ("locked",))
    await until(lambda: spare.session(end).is_established, "the router has the session as well")
    assert site.roles["n1"].pid == process
    assert site.connections() == before


async def test_a_router_connects_to_a_peer_that_waits(troubled: BGPSite, spare: Bird) -> None:
    site, end = troubled, troubled.lab.address("n2")
    await site.sessions(("n2",), (CALLER,))
    told = site.lab.run("n2", "ss", "-Htn", "state", ESTABLISHED, "sport", "=", f":{OUR_PORT}")
    assert site.lab.address(SPARE) in told
    assert site.status("n2")["listeningProblem"] is None
    address = site.vip()
    await site.served(address)
    await until(lambda: f"{address}/32" in spare.routes(Family.IPV4, end), "it has the route")


async def test_commands_and_metrics_tell_of_the_sessions(troubled: BGPSite) -> None:
    site, lab = troubled, troubled.lab
    addresses = site.vip(), site.vip(6)
    name = await site.served(*addresses)
    where, files = f"--cluster=dir:{site.cluster}", f"--config={site.root / 'config-n3'}"
    whole = f"{lab.address(FRR)}:179 established 2 of 2 prefixes"
    # What speakers publish follows what they do.
    for node in NODES:
        await until(partial(has_published, site, node), f"{node} has published that its peers were told of both")
    status = flat(told_by("status", where))
    assert status.count(whole) == len(NODES)
    assert f"n2 {CALLER} {lab.address(SPARE)}:179 established" in status
    assert f"n1 tenant {lab.address(SPARE)}:179 in tenant-blue down 0 of 2 prefixes" in status
    assert "there is no interface or VRF tenant-blue on this host" in status
    told = flat(told_by("explain", f"shop/{name}", where, files))
    assert f"n3 bgp {addresses[0]}/32 shop/{name} to bird frr" in told
    assert f"n3 frr {lab.address(FRR)}:179 established 2 of 2 prefixes" in told
    n3 = site.roles["n3"]
    for router in (FRR, BIRD):
        labels = {"peer": f"{lab.address(router)}:179", "vrf": ""}
        assert n3.metric("metallb_bgp_session_up", **labels) == 1
        assert n3.metric("metallb_bgp_announced_prefixes_total", **labels) == 2
        assert n3.metric("metallb_bgp_opens_received", **labels) >= 1
    assert n3.metric("lb_reconciler_bgp_sessions", state=ESTABLISHED) == 2


def has_published(site: BGPSite, node: str) -> bool:
    rows = site.published(node)
    return bool(rows) and all(row["told"] == (2 if row["state"] == ESTABLISHED else 0) for row in rows)


def told_by(*command: str) -> str:
    """What a command of ours prints."""
    program = [sys.executable, "-W", "error", "-m", "reconciler", *command]
    return subprocess.run(program, check=True, capture_output=True, text=True, timeout=30).stdout


def flat(told: str) -> str:
    """Without times and commas, and with single spaces."""
    return " ".join(re.sub(r" since [-0-9T:]+Z|,", "", told).split())
