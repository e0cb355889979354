"""The filters, run by the kernel: frames are sent over a link, and what arrives is looked at."""

import select
import socket

import pytest

from reconciler.cli.lab import Lab, entered
from reconciler.l2 import arp, filters, ndp
from reconciler.l2.ethernet import TYPE_ARP, TYPE_IPV6
from reconciler.l2.ring import Ring
from tests.l2.addresses import ASKER, ASKER6, CLIENT, LINK_LOCAL, STRANGER, VIP, VIP6, mac
from tests.l2.questions import arp_packet, damaged, solicitation
from tests.l2.wire import PATIENCE, next_frame, open_packet_socket, packet_socket

OUR_MAC = mac("02:00:00:00:00:0a")
# What is sent last: when it has arrived, everything before it has arrived or never will.
LAST_ARP = arp_packet(VIP, sender=b"\xff\xff\xff\xff")
LAST_NDP = solicitation(VIP6, source=b"\xff" * 16)


@pytest.fixture
def lab_hosts() -> tuple[str, ...]:
    return "n1", "client"


def test_what_the_kernel_hands_over(lab: Lab) -> None:
    plain, tag = solicitation(VIP6), b"\x81\x00\x00\x05"
    wanted = {
        arp_packet(VIP),
        arp_packet(VIP, to=OUR_MAC),
        arp.gratuitous_reply(CLIENT, VIP),
        arp.probe(CLIENT, VIP),
        plain,
        solicitation(VIP6, unicast_to=OUR_MAC),
        ndp.probe(CLIENT, VIP6),
        ndp.unsolicited(CLIENT, VIP6, source=None),
        ndp.advertisement(CLIENT, VIP6, source=None, to_mac=OUR_MAC, to=LINK_LOCAL),
    }
    unwanted = {
        arp_packet(VIP, operation=3),
        damaged_arp(14, 6),
        arp.reply(CLIENT, VIP, to_mac=STRANGER, to_address=ASKER),
        arp_packet(VIP)[:12] + tag + arp_packet(VIP)[12:],
        plain[:12] + tag + plain[12:],
        damaged(plain, 20, 17),
        damaged(plain, 54, 133),
        damaged(plain, 54, 128),
        ndp.advertisement(CLIENT, VIP6, source=None, to_mac=STRANGER, to=ASKER6),
    }
    with entered(lab.namespace("n1")):
        index = socket.if_nametoindex("eth0")
        with (
            open_packet_socket(index, TYPE_ARP, filters.arp(index)) as ours_arp,
            open_packet_socket(index, TYPE_IPV6, filters.neighbor_discovery(index)) as ours_ndp,
            packet_socket(lab, "client") as client,
        ):
            for frame in (*unwanted, *wanted, LAST_ARP, LAST_NDP):
                client.send(frame)
            arrived = {*everything(ours_arp, LAST_ARP), *everything(ours_ndp, LAST_NDP)}
    assert arrived & (wanted | unwanted) == wanted


def test_what_we_send_ourselves_is_not_handed_over(lab: Lab) -> None:
    with entered(lab.namespace("n1")):
        index = socket.if_nametoindex("eth0")
        with (
            open_packet_socket(index, TYPE_ARP, filters.arp(index)) as ours,
            open_packet_socket(index, TYPE_ARP, filters.arp(index)) as sending,
            packet_socket(lab, "client") as client,
        ):
            announced = arp.gratuitous_request(OUR_MAC, VIP)
            sending.send(announced)
            assert next_frame(client, lambda frame: frame == announced) == announced
            client.send(LAST_ARP)
            assert announced not in everything(ours, LAST_ARP)


def test_what_is_for_a_child_of_the_link_is_not_handed_over(lab: Lab) -> None:
    # The kernel shows it to the sockets of the link that it came by too, where it looks like one of the link's own.
    child = mac("02:00:00:00:00:aa")
    lab.run("n1", "ip", "link", "add", "link", "eth0", "name", "child", "address", child.hex(":"), "type", "macvlan")
    lab.run("n1", "ip", "link", "set", "child", "up")
    with entered(lab.namespace("n1")):
        index = socket.if_nametoindex("eth0")
        with (
            open_packet_socket(index, TYPE_ARP, filters.arp(index)) as ours_arp,
            open_packet_socket(index, TYPE_IPV6, filters.neighbor_discovery(index)) as ours_ndp,
            packet_socket(lab, "client") as client,
        ):
            for frame in (arp_packet(VIP, to=child), solicitation(VIP6, unicast_to=child), LAST_ARP, LAST_NDP):
                client.send(frame)
            assert all(frame[:6] != child for frame in everything(ours_arp, LAST_ARP))
            assert all(frame[:6] != child for frame in everything(ours_ndp, LAST_NDP))


def test_a_long_frame_is_cut(lab: Lab) -> None:
    with entered(lab.namespace("n1")):
        index = socket.if_nametoindex("eth0")
        with open_packet_socket(index, TYPE_ARP, filters.arp(index)) as ours, packet_socket(lab, "client") as client:
            client.send(LAST_ARP + bytes(1400))
            *_, received = everything(ours, LAST_ARP)
    assert len(received) == filters.SNAP_LENGTH


def damaged_arp(offset: int, value: int) -> bytes:
    frame = bytearray(arp_packet(VIP))
    frame[offset] = value
    return bytes(frame)


def everything(received: socket.socket, last: bytes) -> list[bytes]:
    """The frames up to the last one, whatever follows in it."""
    ring, frames = Ring(received), list[bytes]()
    try:
        while not (frames and frames[-1].startswith(last)):
            assert select.select([received], [], [], PATIENCE)[0], "the last frame never arrived"
            frames += ring.take(1)
    finally:
        ring.close()
    return frames
