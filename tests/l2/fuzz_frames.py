"""Frames of an attacker: arbitrary octets, and valid frames with octets changed, cut or added."""

from hypothesis import strategies as st

from reconciler.l2 import arp, ndp
from reconciler.l2.ethernet import BROADCAST, TYPE_ARP, TYPE_IPV6
from tests.l2.addresses import CLIENT, OTHER, OTHER6, OURS, STRANGER, VIP, VIP6, ip
from tests.l2.questions import arp_packet, solicitation

_VALID = [
    arp_packet(VIP),
    arp_packet(OTHER),
    arp_packet(VIP, sender=VIP),
    arp_packet(VIP, sender=bytes(4)),
    arp.gratuitous_reply(CLIENT, VIP),
    solicitation(VIP6),
    solicitation(OTHER6),
    solicitation(VIP6, unicast_to=OURS, source_mac=None),
    ndp.probe(CLIENT, VIP6),
    ndp.unsolicited(CLIENT, VIP6, source=None),
]
_MACS = st.sampled_from([OURS, CLIENT, STRANGER, BROADCAST]) | st.binary(min_size=6, max_size=6)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A frame that was valid before some of its octets were changed, and its end cut off or lengthened."""
    frame = bytearray(draw(st.sampled_from(_VALID)))
    for offset, value in draw(st.lists(st.tuples(st.integers(0, len(frame) - 1), st.integers(0, 255)), max_size=4)):
        frame[offset] = value
    if frame[12:14] == TYPE_IPV6 and draw(st.booleans()):
        # Most changes are caught by the checksum: with a right one they get further.
        octets = bytes(frame[:56] + bytes(2) + frame[58:])
        frame[56:58] = ndp.checksum(octets[22:38], octets[38:54], octets[54:]).to_bytes(2, "big")
    return bytes(frame[: draw(st.integers(0, len(frame)))]) if draw(st.booleans()) else bytes(frame)


@st.composite
def plausible(draw: st.DrawFn) -> bytes:
    """An Ethernet header and anything behind it."""
    kind = draw(st.sampled_from([TYPE_ARP, TYPE_IPV6, b"\x81\x00"]) | st.binary(min_size=2, max_size=2))
    return draw(_MACS) + draw(_MACS) + kind + draw(st.binary(max_size=120))


hostile_frames = mutated() | plausible() | st.binary(max_size=160)
NOT_OWNED = (OTHER, OTHER6, ip("192.0.2.1"), ip("2001:db8::1"))
