"""Messages of an attacker, and the valid ones that they are made of."""

from random import Random

from hypothesis import strategies as st

from reconciler.bgp.attributes import AttributeType, attribute, mp_unreach
from reconciler.bgp.capabilities import Capability, Offer, encode_offer
from reconciler.bgp.families import Family
from reconciler.bgp.framing import HEADER_LENGTH, MARKER, MessageType, message
from reconciler.bgp.messages import KEEPALIVE, Open, RouteRefresh, Subtype, encode_open, encode_route_refresh
from reconciler.bgp.parameters import PeerRestart
from tests.l2.vectors import vector
from tests.mutation import mutated

_BOTH = frozenset(Family)
_OFFER = Offer(
    families=_BOTH,
    asn=64512,
    route_refresh=True,
    enhanced_refresh=True,
    extended_message=True,
    extended_next_hop=True,
    graceful_restart=PeerRestart(
        families=_BOTH, preserved=_BOTH, restart_time=120, is_restarting=True, understands_notifications=True
    ),
)
# One attribute of every type that is known, and one that is not.
_ATTRIBUTES = b"".join(
    (
        bytes.fromhex("40010100 400206020100 00fc00 4003040a000005 80040400000001 40050400000064 400600"),
        bytes.fromhex("c007080000fc000a000001 c00804ffffff02 8009040a000001 800a040a000001"),
        bytes.fromhex("c0100800020000fc000001 c011060201 0000fc00 c012080000fc000a000001"),
        bytes.fromhex("c0200c0000fc000000000100000002 c0230400 00fc00 c0fe03 010203"),
    )
)
_REACH = bytes.fromhex("800e26000201 1020010db8000000000000000000000005 00 8020010db8010000000000000000000010")


def _update(withdrawn: bytes, attributes: bytes, prefixes: bytes) -> bytes:
    body = len(withdrawn).to_bytes(2) + withdrawn + len(attributes).to_bytes(2) + attributes + prefixes
    return message(MessageType.UPDATE, body)


VALID = (
    KEEPALIVE,
    vector("bgp-open"),
    vector("bgp-notification"),
    vector("bgp-update-internal"),
    vector("bgp-update-external"),
    vector("bgp-update-ipv6"),
    vector("bgp-withdraw"),
    vector("bgp-end-of-rib-ipv4"),
    vector("bgp-end-of-rib-ipv6"),
    encode_open(Open(asn=64512, hold_time=90, router_id=bytes(4))),
    encode_open(Open(asn=64512, hold_time=90, router_id=b"\x0a\0\0\5", capabilities=encode_offer(_OFFER))),
    encode_open(
        Open(asn=1, hold_time=3, router_id=b"\x0a\0\0\5", capabilities=(Capability(73, bytes(250)), Capability(2)) * 2)
    ),
    *(encode_route_refresh(RouteRefresh(Family.IPV6, subtype)) for subtype in Subtype),
    _update(b"", _ATTRIBUTES, bytes.fromhex("18c633640820c63364 0100")),
    _update(b"\x08\x0a", _ATTRIBUTES + _REACH + mp_unreach(Family.IPV6, b"\x10\x20\x01" * 3), b"\x08\x0b" * 20),
    _update(b"", _ATTRIBUTES + attribute(0xC0, AttributeType.COMMUNITIES, bytes(400)), b"\0"),
)


def hostile_message(random: Random) -> bytes:
    """Mostly with a header that still is one, so that the body is looked at."""
    octets = mutated(VALID, random)
    if random.random() < 0.8 and len(octets) > HEADER_LENGTH:
        octets = MARKER + len(octets).to_bytes(2) + octets[HEADER_LENGTH - 1 :]
    if random.random() < 0.6 and octets[18:19] == b"\2" and len(octets) > 22:
        octets = _with_lengths(octets, random)
    return octets


def _with_lengths(octets: bytes, random: Random) -> bytes:
    """An UPDATE without withdrawn routes, whose attributes end somewhere within it."""
    rest = len(octets) - HEADER_LENGTH - 4
    length = rest if random.random() < 0.5 else random.randrange(rest + 1)
    return octets[:HEADER_LENGTH] + b"\0\0" + length.to_bytes(2) + octets[HEADER_LENGTH + 4 :]


hostile_messages = st.integers(0, (1 << 32) - 1).map(lambda seed: hostile_message(Random(seed))) | st.binary(  # noqa: S311
    max_size=80
)
# Valid ones for the most part, as the first bad one ends a stream.
streams = st.lists(st.sampled_from(VALID) | st.sampled_from(VALID) | hostile_messages, max_size=6).map(b"".join)
