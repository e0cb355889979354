"""The memory that is shared with the kernel: everything comes out once and in order, and it is given back."""

import select
import socket

import pytest

from reconciler.cli.lab import Lab, entered
from reconciler.l2 import filters
from reconciler.l2.ethernet import TYPE_ARP
from reconciler.l2.ring import _SLOTS, Ring, frames_lost
from tests.l2.addresses import VIP
from tests.l2.questions import arp_packet
from tests.l2.wire import PATIENCE, open_packet_socket, packet_socket


@pytest.fixture
def lab_hosts() -> tuple[str, ...]:
    return "n1", "client"


def question(number: int) -> bytes:
    return arp_packet(VIP, sender=number.to_bytes(4, "big"))


def test_frames_come_out_once_and_in_order_through_several_rounds(lab: Lab) -> None:
    with entered(lab.namespace("n1")):
        index = socket.if_nametoindex("eth0")
        received = open_packet_socket(index, TYPE_ARP, filters.arp(index))
    with received, packet_socket(lab, "client") as client:
        ring = Ring(received)
        frames: list[bytes] = []
        for start in range(0, 3 * _SLOTS, 100):
            for number in range(start, start + 100):
                client.send(question(number))
            while len(frames) < start + 100:
                assert select.select([received], [], [], PATIENCE)[0]
                taken = ring.take(7)
                assert len(taken) <= 7
                frames += taken
        assert ring.take(7) == []
        ring.close()
    assert frames == [question(number) for number in range(len(frames))]


def test_what_finds_no_room_is_lost_and_what_comes_later_is_not(lab: Lab) -> None:
    with entered(lab.namespace("n1")):
        index = socket.if_nametoindex("eth0")
        received = open_packet_socket(index, TYPE_ARP, filters.arp(index))
    with received, packet_socket(lab, "client") as client:
        ring = Ring(received)
        for number in range(2 * _SLOTS):
            client.send(question(number))
        assert frames_lost(received) == _SLOTS
        frames: list[bytes] = []
        while len(frames) < _SLOTS:
            assert select.select([received], [], [], PATIENCE)[0]
            frames += ring.take(32)
        assert frames[:_SLOTS] == [question(number) for number in range(_SLOTS)]
        while ring.take(32):
            pass
        client.send(question(1_000_000))
        assert select.select([received], [], [], PATIENCE)[0]
        assert ring.take(32) == [question(1_000_000)]
        assert frames_lost(received) == 0
        ring.close()
