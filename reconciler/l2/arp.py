"""
ARP for IPv4 over Ethernet ↔ octets (RFC 826, RFC 5227): whole frames, with the Ethernet header.

Hardware addresses are 6 octets, protocol addresses 4. Whether to answer is decided in `responder`.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from reconciler.l2.ethernet import BROADCAST, HEADER_LENGTH, MINIMUM_LENGTH, NO_MAC, TYPE_ARP, TYPES_VLAN
from reconciler.l2.ignored import FrameError, Ignored

UNSPECIFIED = bytes(4)
# Hardware type 1 and protocol type 0x0800, lengths 6 and 4.
FIXED_HEADER = bytes.fromhex("000108000604")
LENGTH = HEADER_LENGTH + 28

_FRAME = struct.Struct("!6s6s2s6sH6s4s6s4s")
_PADDING = bytes(MINIMUM_LENGTH - LENGTH)


class Operation(IntEnum):
    """Those of RFC 826; others exist and are kept as plain numbers."""

    REQUEST = 1
    REPLY = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ArpPacket:
    """One ARP packet and the Ethernet addresses of the frame it came in."""

    destination: bytes
    source: bytes
    operation: int
    sender_mac: bytes
    sender_address: bytes
    target_mac: bytes
    target_address: bytes


def decode(frame: bytes) -> ArpPacket:
    """
    Read a frame. What follows the packet is padding, and ignored.

    Raises:
        FrameError: It is cut short, tagged, of another type, or about other kinds of addresses.
    """
    if len(frame) < HEADER_LENGTH:
        raise FrameError(Ignored.TRUNCATED)
    if frame[12:14] != TYPE_ARP:
        raise FrameError(Ignored.VLAN_TAGGED if frame[12:14] in TYPES_VLAN else Ignored.OTHER_TYPE)
    if len(frame) < LENGTH:
        raise FrameError(Ignored.TRUNCATED)
    destination, source, _, fixed, operation, *addresses = _FRAME.unpack_from(frame)
    if fixed != FIXED_HEADER:
        raise FrameError(Ignored.NOT_IPV4_OVER_ETHERNET)
    sender_mac, sender_address, target_mac, target_address = addresses
    return ArpPacket(
        destination=destination,
        source=source,
        operation=operation,
        sender_mac=sender_mac,
        sender_address=sender_address,
        target_mac=target_mac,
        target_address=target_address,
    )


def encode(packet: ArpPacket) -> bytes:
    """Write a frame of 60 octets: padded with zeros to the least that Ethernet carries."""
    return (
        _FRAME.pack(
            packet.destination,
            packet.source,
            TYPE_ARP,
            FIXED_HEADER,
            packet.operation,
            packet.sender_mac,
            packet.sender_address,
            packet.target_mac,
            packet.target_address,
        )
        + _PADDING
    )


def reply(mac: bytes, address: bytes, *, to_mac: bytes, to_address: bytes) -> bytes:
    """Say to one host that `address` is at `mac`."""
    return encode(
        ArpPacket(
            destination=to_mac,
            source=mac,
            operation=Operation.REPLY,
            sender_mac=mac,
            sender_address=address,
            target_mac=to_mac,
            target_address=to_address,
        )
    )


def probe(mac: bytes, address: bytes) -> bytes:
    """Ask who has an address without saying that we would be it (RFC 5227 section 2.1.1)."""
    return _broadcast(Operation.REQUEST, mac, UNSPECIFIED, NO_MAC, address)


def gratuitous_request(mac: bytes, address: bytes) -> bytes:
    """Announce to everyone that `address` is at `mac`, in the form of RFC 5227 section 2.3."""
    return _broadcast(Operation.REQUEST, mac, address, NO_MAC, address)


def gratuitous_reply(mac: bytes, address: bytes) -> bytes:
    """
    Announce the same in the form of a reply, for those who learn from replies only.

    The target's hardware address is the sender's: Linux takes a reply with ff:ff:ff:ff:ff:ff for an ordinary one, and
    drops it during the first second after it has learnt the address from somebody else.
    """
    return _broadcast(Operation.REPLY, mac, address, mac, address)


def _broadcast(operation: int, mac: bytes, sender: bytes, target_mac: bytes, target: bytes) -> bytes:
    return encode(
        ArpPacket(
            destination=BROADCAST,
            source=mac,
            operation=operation,
            sender_mac=mac,
            sender_address=sender,
            target_mac=target_mac,
            target_address=target,
        )
    )
