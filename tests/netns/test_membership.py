"""The speakers' group over a network of its own: members are killed, cut off, parted, and come back."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from shutil import which

import pytest

from reconciler.cli.lab import Lab
from tests.membership.processes import Process, start_all, with_all, without

HOSTS = ("n1", "n2", "n3")


@pytest.fixture
def lab_hosts() -> tuple[str, ...]:
    return HOSTS


@contextmanager
def running(lab: Lab, hosts: Sequence[str] = HOSTS, *, ipv6: bool = False) -> Iterator[dict[str, Process]]:
    members = dict(zip(hosts, start_all(lab, hosts, ipv6=ipv6), strict=True))
    try:
        yield members
    finally:
        for member in members.values():
            member.close()


def part(lab: Lab, one: Sequence[str], other: Sequence[str]) -> None:
    """Let the switch lose every frame between two sides; all links keep their carrier."""
    pairs = [(f"p-{a}", f"p-{b}") for a in one for b in other]
    drops = "\n".join(f'iifname "{a}" oifname "{b}" drop\niifname "{b}" oifname "{a}" drop' for a, b in pairs)
    rules = f"table bridge cut {{\nchain between {{\ntype filter hook forward priority 0;\n{drops}\n}}\n}}"
    subprocess.run([*lab.inside("switch"), "nft", rules], check=True)


def heal(lab: Lab) -> None:
    subprocess.run([*lab.inside("switch"), "nft", "delete table bridge cut"], check=True)


def test_a_killed_member_is_dead_to_all_and_comes_back(lab: Lab) -> None:
    with running(lab) as members:
        at = members["n2"].kill()
        for host in ("n1", "n3"):
            assert members[host].first(without("n2"), at).reason in {"n2 is dead", "n2 left"}
        again = time.monotonic()
        members["n2"] = Process(lab, "n2", HOSTS)
        for member in members.values():
            member.first(with_all(*HOSTS), again)


def test_a_member_that_leaves_is_not_thought_dead(lab: Lab) -> None:
    with running(lab) as members:
        at = time.monotonic()
        members["n2"].tell("leave")
        for host in ("n1", "n3"):
            assert members[host].first(without("n2"), at).reason == "n2 left"
        assert members["n2"].child.wait(10) == 0


def test_a_cut_link_parts_a_member_and_both_sides_know_when_it_is_back(lab: Lab) -> None:
    with running(lab) as members:
        reunions = {host: member.said[-1].reunions for host, member in members.items()}
        cut = time.monotonic()
        lab.cut("n2")
        for host in ("n1", "n3"):
            members[host].first(without("n2"), cut)
        members["n2"].first(lambda said: said.peers == ("n2",), cut)
        restored = time.monotonic()
        lab.restore("n2")
        members["n2"].tell("rejoin")
        for host, member in members.items():
            member.first(with_all(*HOSTS), restored)
            # Everybody who owns an address knows that it may have had another owner meanwhile.
            member.first(lambda said, host=host: said.reunions > reunions[host], restored)  # type: ignore[misc]


@pytest.mark.skipif(which("nft") is None, reason="the command nft is missing")
def test_a_partition_with_all_links_up_heals_by_itself(lab: Lab) -> None:
    with running(lab) as members:
        parted = time.monotonic()
        part(lab, ["n1"], ["n2", "n3"])
        members["n1"].first(lambda said: said.peers == ("n1",), parted)
        for host in ("n2", "n3"):
            members[host].first(without("n1"), parted)
        healed = time.monotonic()
        heal(lab)
        for member in members.values():
            member.first(with_all(*HOSTS), healed)


@pytest.mark.skipif(which("nft") is None, reason="the command nft is missing")
def test_nobody_is_thought_dead_whom_a_third_can_reach(lab: Lab) -> None:
    with running(lab) as members:
        parted = time.monotonic()
        part(lab, ["n1"], ["n2"])
        # Some time in which every member is asked for many times over; that nothing happens has no earlier end.
        while time.monotonic() < parted + 3:
            time.sleep(0.1)
            said = [line for member in members.values() for line in member.said if line.at > parted]
            assert not [line for line in said if line.peers != HOSTS]


def test_a_process_that_was_stopped_learns_that_it_was_thought_dead(lab: Lab) -> None:
    with running(lab) as members:
        stopped = time.monotonic()
        os.kill(members["n2"].child.pid, signal.SIGSTOP)
        for host in ("n1", "n3"):
            members[host].first(without("n2"), stopped)
        reunions = members["n2"].said[-1].reunions
        continued = time.monotonic()
        os.kill(members["n2"].child.pid, signal.SIGCONT)
        for host in ("n1", "n3"):
            members[host].first(with_all(*HOSTS), continued)
        # It saw nobody die, and has to announce its addresses again all the same.
        members["n2"].first(lambda said: said.reunions > reunions, continued)


def test_members_meet_over_ipv6(lab: Lab) -> None:
    with running(lab, ipv6=True) as members:
        at = members["n3"].kill()
        for host in ("n1", "n2"):
            members[host].first(without("n3"), at)


def test_what_a_member_publishes_is_known_to_all(lab: Lab) -> None:
    with running(lab) as members:
        at = time.monotonic()
        members["n1"].tell("publish 0123456789ab")
        for host in ("n2", "n3"):
            members[host].first(lambda said: said.reason == "n1 has news of itself", at)
