"""A network of namespaces is what it says, and is gone afterwards."""

import asyncio
import socket
import subprocess
import time
from pathlib import Path

import pytest

from reconciler.cli.lab import Lab, LabError, entered, why_no_lab
from reconciler.cli.lab_traffic import Client, delivered
from tests.controlplane.api import wait_until

PATIENCE = 20.0


def pings(lab: Lab, host: str, address: str, *, for_seconds: float = PATIENCE) -> bool:
    """Whether a datagram to a closed port of the address comes back refused: it was reached."""
    with entered(lab.namespace(host)):
        asking = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    with asking:
        asking.settimeout(0.1)
        asking.connect((address, 9))
        deadline = time.monotonic() + for_seconds
        while time.monotonic() < deadline:
            try:
                asking.send(b"?")
                asking.recv(1)
            except ConnectionRefusedError:
                return True
            except OSError:
                continue
    return False


def test_hosts_reach_each_other(lab: Lab) -> None:
    for host in lab.hosts[1:]:
        assert pings(lab, "n1", lab.address(host))
        assert pings(lab, "n1", lab.address6(host))
    assert (lab.address("n1"), lab.address6("n2"), lab.mac("n3")) == ("192.0.2.10", "2001:db8::11", "02:00:00:00:00:0c")
    assert lab.mac("n3") in lab.run("n3", "cat", "/sys/class/net/eth0/address")


def test_a_cable_is_cut_and_restored(lab: Lab) -> None:
    assert pings(lab, "client", lab.address("n1"))
    lab.cut("n1")
    assert not pings(lab, "client", lab.address("n1"), for_seconds=0.3)
    # The kernel says so as soon as it has time for that.
    wait_until(lambda: "NO-CARRIER" in lab.run("n1", "ip", "link", "show", "eth0"), "no carrier")
    assert pings(lab, "client", lab.address("n2"))
    lab.restore("n1")
    assert pings(lab, "client", lab.address("n1"))


def test_afterwards_nothing_is_left(lab_hosts: tuple[str, ...], lab: Lab) -> None:
    assert lab_hosts == lab.hosts
    with Lab("n1") as made:
        namespace = Path("/run/netns", made.namespace("n1"))
        assert namespace.exists()
        sleeping = subprocess.Popen([*made.inside("n1"), "sleep", "600"])
        # The command that enters the namespace becomes this one.
        wait_until(lambda: Path(f"/proc/{sleeping.pid}/comm").read_text() == "sleep\n", "it sleeps there")
    assert not namespace.exists()
    assert sleeping.wait(PATIENCE) == -9


def test_entering_ends_where_it_began(lab: Lab) -> None:
    def here() -> str:
        return str(Path("/proc/thread-self/ns/net").readlink())

    before = here()
    with entered(lab.namespace("n1")):
        assert here() != before
    assert here() == before
    with pytest.raises(OSError, match="No such file"), entered("lbr-there-is-no-such-namespace"):
        raise AssertionError("not reached")
    assert here() == before


def test_a_host_that_cannot_be_made_is_one_error() -> None:
    if why_no_lab() is not None:
        pytest.skip("there is no lab on this machine")
    with pytest.raises(LabError, match="cannot be made"), Lab("a/b"):
        raise AssertionError("not reached")


NETWORKS = ("192.0.2.192/26", "2001:db8::200/119")


async def test_traffic_is_delivered_and_losses_are_counted(lab: Lab) -> None:
    v4, v6 = "192.0.2.200", "2001:db8::200"
    with delivered(lab, ["n1", "n2"], NETWORKS):
        # In the place of a speaker: n1 has the one address, n2 the other.
        lab.run("client", "ip", "neigh", "add", v4, "lladdr", lab.mac("n1"), "dev", "eth0")
        lab.run("client", "ip", "neigh", "add", v6, "lladdr", lab.mac("n2"), "dev", "eth0")
        async with Client(lab.namespace("client"), [v4, v6]) as client, asyncio.timeout(PATIENCE):
            began = time.monotonic()
            await client.answered(v4, began)
            await client.answered(v6, began)
            assert (client.owner(v4), client.owner(v6)) == ("n1", "n2")
            assert client.first_answer(v4, began, ["n2"]) is None
            cut_at = time.monotonic()
            lab.cut("n1")
            await asyncio.sleep(0.3)
            restored_at = time.monotonic()
            lab.restore("n1")
            back_at = await client.answered(v4, restored_at)
            loss = client.loss(cut_at, restored_at)
            assert 0 < loss.lost < loss.sent
            assert 0.2 < loss.longest_gap <= restored_at - cut_at + 0.05
            assert back_at > restored_at
            lab.run("client", "ip", "neigh", "replace", v4, "lladdr", lab.mac("n2"), "dev", "eth0")
            await client.answered(v4, time.monotonic(), ["n2"])


async def test_the_kernels_of_the_nodes_say_nothing_about_the_addresses(lab: Lab) -> None:
    with delivered(lab, ["n1"], NETWORKS):
        async with (
            Client(lab.namespace("client"), ["192.0.2.200", "2001:db8::200"]) as client,
            asyncio.timeout(PATIENCE),
        ):
            began = time.monotonic()
            while client.loss(began, time.monotonic()).sent < 2:
                await asyncio.sleep(0.01)
        async with asyncio.timeout(PATIENCE):
            # The client asked three times for each, and gave up.
            while lab.run("client", "ip", "neigh", "show", "nud", "failed").count("FAILED") < 2:
                await asyncio.sleep(0.1)
        assert (client.owner("192.0.2.200"), client.owner("2001:db8::200")) == ("", "")
