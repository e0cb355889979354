"""
Router advertisements and solicitations ↔ octets (RFC 4861 sections 4.1 and 4.2): ICMPv6 messages without IPv6 header.

They are how two ends of an unnumbered link find each other's link-local address. No I/O.
"""

import struct
from dataclasses import dataclass

from reconciler.bgp.remote import LARGEST_TTL, is_link_local
from reconciler.errors import ReconcilerError

SOLICITATION, ADVERTISEMENT = 133, 134
ALL_NODES = bytes.fromhex("ff020000000000000000000000000001")
ALL_ROUTERS = bytes.fromhex("ff020000000000000000000000000002")

# Type, code, checksum; hop limit, flags, router lifetime (s), reachable time (ms), retransmission timer (ms).
_ADVERTISEMENT = struct.Struct("!BBHBBHII")
_SOLICITATION_LENGTH = 8
_SOURCE_LINK_LAYER = 1
_UNIT = 8
_UNSPECIFIED = bytes(16)


class AdvertisementError(ReconcilerError):
    """The octets are no such message, or break a rule of RFC 4861 section 6.1; the message says which."""


@dataclass(frozen=True, slots=True)
class RouterAdvertisement:
    """`lifetime` in seconds: 0 is no default router. `mac` is that of the sender, where it is told."""

    lifetime: int
    mac: bytes | None = None


@dataclass(frozen=True, slots=True)
class RouterSolicitation:
    """Somebody asks for advertisements. `mac` is that of the sender, where it is told."""

    mac: bytes | None = None


def encode(message: RouterAdvertisement | RouterSolicitation) -> bytes:
    """Write a message with the checksum 0: the kernel fills it in."""
    option = b"" if message.mac is None else bytes((_SOURCE_LINK_LAYER, 1)) + message.mac
    if isinstance(message, RouterSolicitation):
        return bytes((SOLICITATION,)).ljust(_SOLICITATION_LENGTH, bytes(1)) + option
    return _ADVERTISEMENT.pack(ADVERTISEMENT, 0, 0, 0, 0, message.lifetime, 0, 0) + option


def decode(data: bytes, source: bytes, hop_limit: int) -> RouterAdvertisement | RouterSolicitation:
    """
    Read a message whose checksum was found right.

    Raises:
        AdvertisementError: It is to be ignored.
    """
    if hop_limit != LARGEST_TTL:
        raise AdvertisementError("it may come from beyond the link")
    if len(data) < _SOLICITATION_LENGTH or data[1] != 0:
        raise AdvertisementError("no message of neighbour discovery")
    if data[0] == SOLICITATION:
        options = _options(data[_SOLICITATION_LENGTH:])
        if source == _UNSPECIFIED and _SOURCE_LINK_LAYER in options:
            raise AdvertisementError("a hardware address of nobody")
        return RouterSolicitation(options.get(_SOURCE_LINK_LAYER))
    if data[0] != ADVERTISEMENT or len(data) < _ADVERTISEMENT.size:
        raise AdvertisementError("no message about routers")
    if not is_link_local(source):
        raise AdvertisementError("its source is not link-local")
    lifetime = _ADVERTISEMENT.unpack_from(data)[5]
    return RouterAdvertisement(lifetime, _options(data[_ADVERTISEMENT.size :]).get(_SOURCE_LINK_LAYER))


def _options(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while data:
        length = _UNIT * data[1] if len(data) > 1 else 0
        if not length or length > len(data):
            raise AdvertisementError("an option without a proper length")
        found.setdefault(data[0], data[2:length])
        data = data[length:]
    return found
