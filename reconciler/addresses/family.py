"""IPv4, IPv6 and one address of either, as an integer that knows its family."""

from enum import IntEnum
from ipaddress import IPv6Address
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import assert_never

import msgspec

from reconciler.errors import ReconcilerError

# RFC 4291 section 2.5.5.2: ::ffff:0:0/96 stands for an IPv4 address.
_MAPPED_PREFIX = 0xFFFF


class AddressError(ReconcilerError):
    """A text that is no address, or no range of addresses."""


class Family(IntEnum):
    """An address family; the value is the IP version."""

    IPV4 = 4
    IPV6 = 6

    @property
    def bits(self) -> int:
        """Length of an address, in bits."""
        return 32 if self is Family.IPV4 else 128

    @property
    def other(self) -> "Family":
        """The family that completes a dual-stack pair."""
        return Family.IPV6 if self is Family.IPV4 else Family.IPV4

    def __str__(self) -> str:
        return f"IPv{int(self)}"


class Address(msgspec.Struct, frozen=True, order=True, gc=False):
    """One IP address. Ordered by family, then numerically; the text is canonical (RFC 5952)."""

    family: Family
    value: int

    @property
    def packed(self) -> bytes:
        """Its 4 or 16 octets, in network order."""
        return self.value.to_bytes(self.family.bits // 8, "big")

    def __str__(self) -> str:
        match self.family:
            case Family.IPV4:
                return inet_ntop(AF_INET, self.value.to_bytes(4, "big"))
            case Family.IPV6:
                # inet_ntop writes ::a.b.c.d for these; RFC 5952 section 5 keeps that form for known prefixes only.
                if self.value >> 32 == 0:
                    return str(IPv6Address(self.value))
                return inet_ntop(AF_INET6, self.value.to_bytes(16, "big"))
            case _:
                assert_never(self.family)


def unpacked(octets: bytes) -> Address:
    """
    The address of 4 or 16 octets in network order.

    Raises:
        AddressError: It is another number of octets.
    """
    for family in Family:
        if len(octets) * 8 == family.bits:
            return Address(family, int.from_bytes(octets, "big"))
    raise AddressError(f"{len(octets)} octets are not an IP address")


def family_of(text: str) -> Family:
    """
    The family of an address, for those who need no more than that.

    Raises:
        AddressError: The text is no address; the message quotes it.
    """
    if ":" in text:
        return parse_address(text).family
    try:
        inet_pton(AF_INET, text)
    except (OSError, ValueError) as exc:
        raise AddressError(f'"{text}" is not an IP address') from exc
    return Family.IPV4


def parse_address(text: str) -> Address:
    """
    Read one address.

    IPv4-mapped IPv6 (`::ffff:192.0.2.1`) is the IPv4 address. Leading zeros, blanks and zones are refused.

    Raises:
        AddressError: The text is no address; the message quotes it.
    """
    try:
        if ":" not in text:
            return Address(Family.IPV4, int.from_bytes(inet_pton(AF_INET, text), "big"))
        value = int.from_bytes(inet_pton(AF_INET6, text), "big")
    except (OSError, ValueError) as exc:  # ValueError: a NUL or a surrogate in the text
        raise AddressError(f'"{text}" is not an IP address') from exc
    if value >> 32 == _MAPPED_PREFIX:
        return Address(Family.IPV4, value & 0xFFFF_FFFF)
    return Address(Family.IPV6, value)
