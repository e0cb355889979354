"""What ARP and NDP share of Ethernet II: hardware addresses of 6 octets, types, and the header of 14 octets."""

HEADER_LENGTH = 14
# Without the frame check sequence, which the hardware adds.
MINIMUM_LENGTH = 60

TYPE_ARP = b"\x08\x06"
TYPE_IPV6 = b"\x86\xdd"
# 802.1Q and 802.1ad: the tag stands where the type of an untagged frame does.
TYPES_VLAN = frozenset({b"\x81\x00", b"\x88\xa8"})

BROADCAST = b"\xff" * 6
NO_MAC = bytes(6)
_MAC_LENGTH = 6


def is_unicast(mac: bytes) -> bool:
    """Whether a hardware address can be one host's: six octets, no group bit, not all zero."""
    return len(mac) == _MAC_LENGTH and not mac[0] & 1 and mac != NO_MAC
