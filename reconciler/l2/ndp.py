"""
Neighbour solicitations and advertisements ↔ octets (RFC 4861, RFC 4862): whole frames, with Ethernet and IPv6 header.

Hardware addresses are 6 octets, protocol addresses 16. Whether to answer is decided in `responder`.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.l2.ethernet import HEADER_LENGTH, TYPE_IPV6, TYPES_VLAN
from reconciler.l2.ignored import FrameError, Ignored

UNSPECIFIED = bytes(16)
ALL_NODES = bytes.fromhex("ff020000000000000000000000000001")
SOLICITED_NODE_PREFIX = bytes.fromhex("ff0200000000000000000001ff")

NEXT_HEADER = 58
HOP_LIMIT = 255
SOLICITATION = 135
ADVERTISEMENT = 136
SOURCE_LINK_LAYER = 1
TARGET_LINK_LAYER = 2

# Ethernet and IPv6 header; then type, code, checksum, 4 octets of flags, target.
IPV6_LENGTH = 40
MESSAGE_OFFSET = HEADER_LENGTH + IPV6_LENGTH
MESSAGE_LENGTH = 24
OPTION_LENGTH = 8

_ROUTER, _SOLICITED, _OVERRIDE = 0x80, 0x40, 0x20
_MULTICAST = 0xFF


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighborSolicitation:
    """A question for `target`. `source_mac` is that of its option, None where it has none; from `::` it is a probe."""

    ethernet_destination: bytes
    ethernet_source: bytes
    source: bytes
    destination: bytes
    target: bytes
    source_mac: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighborAdvertisement:
    """An answer, or an announcement, that `target` is at `target_mac`: None where it has no such option."""

    ethernet_destination: bytes
    ethernet_source: bytes
    source: bytes
    destination: bytes
    target: bytes
    target_mac: bytes | None
    is_router: bool = False
    is_solicited: bool = False
    is_override: bool = False


NeighborMessage = NeighborSolicitation | NeighborAdvertisement


def solicited_node_group(address: bytes) -> bytes:
    """The group that a question for an address is sent to (RFC 4291 section 2.7.1)."""
    return SOLICITED_NODE_PREFIX + address[13:]


def group_mac(group: bytes) -> bytes:
    """The Ethernet address of an IPv6 group (RFC 2464 section 7)."""
    return b"\x33\x33" + group[12:]


def checksum(source: bytes, destination: bytes, message: bytes) -> int:
    """
    The ICMPv6 checksum of a message of even length, its own checksum field being 0 (RFC 4443 section 2.3).

    Of a whole message, checksum included, the result is 0 when it is right. A sum of 16-bit words with end-around
    carry is a remainder by 0xffff, which Python finds in one step.
    """
    return -(int.from_bytes(source + destination + message, "big") + len(message) + NEXT_HEADER) % 0xFFFF


def decode(frame: bytes) -> NeighborMessage:
    """
    Read a frame, checked as RFC 4861 sections 7.1.1 and 7.1.2 ask for.

    Raises:
        FrameError: It is no such message, or breaks one of the rules.
    """
    if len(frame) < HEADER_LENGTH:
        raise FrameError(Ignored.TRUNCATED)
    if frame[12:14] != TYPE_IPV6:
        raise FrameError(Ignored.VLAN_TAGGED if frame[12:14] in TYPES_VLAN else Ignored.OTHER_TYPE)
    if len(frame) < MESSAGE_OFFSET + 1:
        raise FrameError(Ignored.TRUNCATED)
    kind = frame[MESSAGE_OFFSET]
    if frame[14] >> 4 != 6 or frame[20] != NEXT_HEADER or kind not in (SOLICITATION, ADVERTISEMENT):
        raise FrameError(Ignored.NOT_NEIGHBOR_DISCOVERY)
    if frame[21] != HOP_LIMIT:
        raise FrameError(Ignored.HOP_LIMIT)
    message = _message(frame)
    options = dict(reversed(list(_link_layer_options(message))))
    return (_solicitation if kind == SOLICITATION else _advertisement)(frame, message, options)


def encode(message: NeighborMessage) -> bytes:
    """Write a frame. It is never padded: the shortest is longer than the least that Ethernet carries."""
    if isinstance(message, NeighborSolicitation):
        body = _body(SOLICITATION, 0, message.target, SOURCE_LINK_LAYER, message.source_mac)
    else:
        flags = _ROUTER * message.is_router | _SOLICITED * message.is_solicited | _OVERRIDE * message.is_override
        body = _body(ADVERTISEMENT, flags, message.target, TARGET_LINK_LAYER, message.target_mac)
    sum_ = checksum(message.source, message.destination, body)
    return b"".join(
        (
            message.ethernet_destination,
            message.ethernet_source,
            TYPE_IPV6,
            struct.pack("!IHBB", 6 << 28, len(body), NEXT_HEADER, HOP_LIMIT),
            message.source,
            message.destination,
            body[:2],
            sum_.to_bytes(2, "big"),
            body[4:],
        )
    )


def advertisement(mac: bytes, address: bytes, *, source: bytes | None, to_mac: bytes, to: bytes) -> bytes:
    """
    Answer a solicitation: `address` is at `mac`.

    Args:
        mac: Of the link.
        address: That was asked for.
        source: The link-local address of the link; None where it has none, and the address itself speaks.
        to_mac: Of who asked.
        to: Who asked; `::` for a probe, which all nodes get the answer to.
    """
    if to == UNSPECIFIED:
        return unsolicited(mac, address, source=source)
    return encode(
        NeighborAdvertisement(
            ethernet_destination=to_mac,
            ethernet_source=mac,
            source=source or address,
            destination=to,
            target=address,
            target_mac=mac,
            is_solicited=True,
            is_override=True,
        )
    )


def unsolicited(mac: bytes, address: bytes, *, source: bytes | None) -> bytes:
    """Announce to all nodes that `address` is at `mac`; `source` as for `advertisement`."""
    return encode(
        NeighborAdvertisement(
            ethernet_destination=group_mac(ALL_NODES),
            ethernet_source=mac,
            source=source or address,
            destination=ALL_NODES,
            target=address,
            target_mac=mac,
            is_override=True,
        )
    )


def probe(mac: bytes, address: bytes) -> bytes:
    """Ask who has an address without saying that we would be it: duplicate address detection (RFC 4862 5.4.2)."""
    group = solicited_node_group(address)
    return encode(
        NeighborSolicitation(
            ethernet_destination=group_mac(group),
            ethernet_source=mac,
            source=UNSPECIFIED,
            destination=group,
            target=address,
            source_mac=None,
        )
    )


def _body(kind: int, flags: int, target: bytes, option: int, mac: bytes | None) -> bytes:
    body = struct.pack("!BBHI16s", kind, 0, 0, flags << 24, target)
    return body if mac is None else body + bytes((option, 1)) + mac


def _message(frame: bytes) -> bytes:
    """The ICMPv6 message of a frame, its code, length and checksum being right."""
    length = int.from_bytes(frame[18:20], "big")
    message = frame[MESSAGE_OFFSET : MESSAGE_OFFSET + length]
    if len(message) != length:
        raise FrameError(Ignored.TRUNCATED)
    # Options are units of 8 octets, so a message with an odd length is one too.
    if length < MESSAGE_LENGTH or length % OPTION_LENGTH:
        raise FrameError(Ignored.LENGTH)
    if checksum(frame[22:38], frame[38:54], message):
        raise FrameError(Ignored.CHECKSUM)
    if message[1]:
        raise FrameError(Ignored.CODE)
    if message[8] == _MULTICAST:
        raise FrameError(Ignored.TARGET_MULTICAST)
    if frame[22] == _MULTICAST:
        raise FrameError(Ignored.SOURCE_MULTICAST)
    return message


def _link_layer_options(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The options that carry a link-layer address, by their type, in order; the lengths of all are checked."""
    offset = MESSAGE_LENGTH
    while offset < len(message):
        kind, units = message[offset], message[offset + 1]
        end = offset + units * OPTION_LENGTH
        if not units or end > len(message):
            raise FrameError(Ignored.OPTION_LENGTH)
        if kind in (SOURCE_LINK_LAYER, TARGET_LINK_LAYER):
            # An Ethernet address takes one unit; whatever takes more is the address of something else.
            if units != 1:
                raise FrameError(Ignored.OPTION_LENGTH)
            yield kind, message[offset + 2 : end]
        offset = end


def _solicitation(frame: bytes, message: bytes, options: dict[int, bytes]) -> NeighborSolicitation:
    source, destination, source_mac = frame[22:38], frame[38:54], options.get(SOURCE_LINK_LAYER)
    if source == UNSPECIFIED:
        if not destination.startswith(SOLICITED_NODE_PREFIX):
            raise FrameError(Ignored.DAD_DESTINATION)
        if source_mac is not None:
            raise FrameError(Ignored.DAD_SOURCE_OPTION)
    elif source_mac is None and destination[0] == _MULTICAST:
        raise FrameError(Ignored.NO_SOURCE_OPTION)
    return NeighborSolicitation(
        ethernet_destination=frame[:6],
        ethernet_source=frame[6:12],
        source=source,
        destination=destination,
        target=message[8:24],
        source_mac=source_mac,
    )


def _advertisement(frame: bytes, message: bytes, options: dict[int, bytes]) -> NeighborAdvertisement:
    flags, destination = message[4], frame[38:54]
    if flags & _SOLICITED and destination[0] == _MULTICAST:
        raise FrameError(Ignored.SOLICITED_MULTICAST)
    return NeighborAdvertisement(
        ethernet_destination=frame[:6],
        ethernet_source=frame[6:12],
        source=frame[22:38],
        destination=destination,
        target=message[8:24],
        target_mac=options.get(TARGET_LINK_LAYER),
        is_router=bool(flags & _ROUTER),
        is_solicited=bool(flags & _SOLICITED),
        is_override=bool(flags & _OVERRIDE),
    )
