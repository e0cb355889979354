"""Whatever is sent to us: nothing crashes, nothing is said about what we do not own, nothing grows."""

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.l2 import arp, ndp
from reconciler.l2.ethernet import TYPE_ARP, TYPE_IPV6
from reconciler.l2.ignored import FrameError, Ignored
from reconciler.l2.port import LinkState
from reconciler.l2.responder import MOST_CLAIMS, Responder
from tests.l2.addresses import LINK_LOCAL, OURS, VIP, VIP6
from tests.l2.fuzz_frames import hostile_frames
from tests.l2.questions import arp_packet

LINK = LinkState(index=2, name="eth0", mac=OURS, link_local=LINK_LOCAL)


@given(frame=hostile_frames)
@settings(max_examples=1000)
def test_any_frame_is_decoded_or_refused(frame: bytes) -> None:
    for decode in (arp.decode, ndp.decode):
        with contextlib.suppress(FrameError):
            decode(frame)


@given(frame=hostile_frames)
@settings(max_examples=1000)
def test_an_answer_is_about_what_we_own_and_says_our_own_mac(frame: bytes) -> None:
    made = Responder(LINK, {OURS})
    made.own(VIP)
    made.own(VIP6)
    answer = made.receive(frame)
    if isinstance(answer, Ignored):
        return
    assert answer[6:12] == OURS
    if answer[12:14] == TYPE_ARP:
        packet = arp.decode(answer)
        assert (packet.operation, packet.sender_address, packet.sender_mac) == (arp.Operation.REPLY, VIP, OURS)
    else:
        message = ndp.decode(answer)
        assert isinstance(message, ndp.NeighborAdvertisement)
        assert (message.target, message.target_mac, message.is_router) == (VIP6, OURS, False)


@given(frame=hostile_frames)
@settings(max_examples=500)
def test_who_owns_nothing_answers_nothing(frame: bytes) -> None:
    made = Responder(LINK, {OURS})
    made.watch(VIP)
    made.watch(VIP6)
    assert isinstance(made.receive(frame), Ignored)


@given(frames=st.lists(hostile_frames, max_size=30))
def test_the_short_way_and_memory_change_no_answer(frames: list[bytes]) -> None:
    made, forgetful = Responder(LINK, {OURS}), Responder(LINK, {OURS})
    for each in (made, forgetful):
        each.own(VIP)
        each.own(VIP6)
    for frame in (*frames, *frames):
        # Owning it again forgets every answer.
        forgetful.own(VIP)
        assert made.receive(frame) == forgetful.receive(frame) == _by_the_rules(made, frame)


def _by_the_rules(made: Responder, frame: bytes) -> bytes | Ignored:
    if frame[12:14] == TYPE_ARP:
        return made._consider_arp(frame)
    return made._consider_ndp(frame) if frame[12:14] == TYPE_IPV6 else made.receive(frame)


def test_a_flood_of_different_frames_fills_no_memory() -> None:
    made = Responder(LINK, {OURS})
    made.own(VIP)
    for number in range(10_000):
        made.receive(arp_packet(VIP, sender=b"\x0a" + number.to_bytes(3, "big")))
        made.receive(arp_packet(VIP, sender=VIP, sender_mac=b"\x02" + number.to_bytes(5, "big")))
    assert made.remembered <= 1024
    assert len(made.take_claims()) <= MOST_CLAIMS
