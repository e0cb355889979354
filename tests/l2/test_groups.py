"""Which groups are joined, as the kernel sees it."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.cli.lab import Lab, entered
from reconciler.l2 import ndp
from reconciler.l2.groups import Groups
from tests.l2.addresses import VIP6, ip
from tests.l2.wire import next_frame, packet_socket

SAME_GROUP = ip("2001:db8:1::240")
GROUP = ndp.solicited_node_group(VIP6)


@pytest.fixture
def lab_hosts() -> tuple[str, ...]:
    return "n1", "client"


@pytest.fixture
def groups(lab: Lab) -> Iterator[Groups]:
    with entered(lab.namespace("n1")):
        made = Groups(socket.if_nametoindex("eth0"))
        yield made
        made.close()


def joined(lab: Lab) -> dict[bytes, int]:
    """The groups of `eth0` and how often each is joined."""
    with entered(lab.namespace("n1")):
        lines = Path("/proc/thread-self/net/igmp6").read_text(encoding="ascii").splitlines()
    fields = [line.split() for line in lines]
    return {bytes.fromhex(group): int(users) for _, name, group, users, *_ in fields if name == "eth0"}


def test_a_group_is_joined_with_its_first_address_and_left_with_its_last(lab: Lab, groups: Groups) -> None:
    groups.join(VIP6)
    groups.join(SAME_GROUP)
    assert joined(lab)[GROUP] == 1
    groups.leave(VIP6)
    assert joined(lab)[GROUP] == 1
    groups.leave(SAME_GROUP)
    assert GROUP not in joined(lab)


def test_the_network_is_told(lab: Lab, groups: Groups) -> None:
    with packet_socket(lab, "client") as client:
        groups.join(VIP6)
        # A report of multicast listener discovery, version 2, that names the group.
        report = next_frame(
            client, lambda frame: frame[12:14] == b"\x86\xdd" and frame[62:63] == b"\x8f" and GROUP in frame
        )
    assert report is not None


def test_there_are_as_many_sockets_as_the_kernel_needs(lab: Lab, groups: Groups) -> None:
    lab.run("n1", "sysctl", "-qw", "net.core.optmem_max=20480")
    addresses = [ip(f"2001:db8::1:{number:x}") for number in range(1000)]
    for address in addresses:
        groups.join(address)
    assert {ndp.solicited_node_group(address) for address in addresses} <= joined(lab).keys()
    assert len(groups._sockets) > 1
    for address in addresses:
        groups.leave(address)
    assert not {ndp.solicited_node_group(address) for address in addresses} & joined(lab).keys()


def test_what_the_kernel_forgot_is_joined_again(lab: Lab, groups: Groups) -> None:
    groups.join(VIP6)
    groups.join(SAME_GROUP)
    # An MTU under 1280 takes IPv6 off a link, and its groups with it.
    lab.run("n1", "ip", "link", "set", "eth0", "mtu", "1000")
    lab.run("n1", "ip", "link", "set", "eth0", "mtu", "1500")
    assert GROUP not in joined(lab)
    groups.rejoin()
    assert joined(lab)[GROUP] == 1
    groups.leave(VIP6)
    groups.leave(SAME_GROUP)
    assert GROUP not in joined(lab)


def test_a_group_that_is_refused_stays_wanted(lab: Lab, groups: Groups) -> None:
    lab.run("n1", "ip", "link", "set", "eth0", "mtu", "1000")
    with pytest.raises(OSError, match="Invalid argument"):
        groups.join(VIP6)
    with pytest.raises(OSError, match="Invalid argument"):
        groups.rejoin()
    assert groups.is_missing
    lab.run("n1", "ip", "link", "set", "eth0", "mtu", "1500")
    groups.join_missing()
    assert joined(lab)[GROUP] == 1
    assert not groups.is_missing


def test_closing_leaves_everything(lab: Lab, groups: Groups) -> None:
    groups.join(VIP6)
    groups.close()
    assert GROUP not in joined(lab)


def test_a_kernel_without_room_for_one_group_is_an_error(lab: Lab, groups: Groups) -> None:
    lab.run("n1", "sysctl", "-qw", "net.core.optmem_max=1")
    with entered(lab.namespace("n1")), pytest.raises(OSError, match="optmem_max"):
        groups.join(VIP6)
