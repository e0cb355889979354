"""Address families, and prefixes as they stand in a message. An address is 4 or 16 octets here. No I/O."""

from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address

# The octets of a prefix in NLRI (RFC 4271 section 4.3): its length in bits, then as many octets as hold them. Bits
# behind the length are 0, so that one prefix has one form.
Prefix = bytes


class Family(IntEnum):
    """AFI (IANA); the SAFI is unicast, always."""

    IPV4 = 1
    IPV6 = 2


UNICAST = 1


def prefix_of(address: bytes, length: int) -> Prefix:
    """A prefix of so many bits; bits of the address behind them are cleared."""
    octets = (length + 7) // 8
    kept = int.from_bytes(address[:octets]) >> (-length % 8) << (-length % 8)
    return bytes((length,)) + kept.to_bytes(octets)


def prefix_text(family: Family, prefix: Prefix) -> str:
    """As people write it: `192.0.2.0/24`."""
    octets = prefix[1:]
    address = (
        IPv4Address(octets.ljust(4, bytes(1))) if family is Family.IPV4 else IPv6Address(octets.ljust(16, bytes(1)))
    )
    return f"{address}/{prefix[0]}"
