"""Addresses of the tests of this room, as octets: documentation ranges only."""

from ipaddress import ip_address


def mac(text: str) -> bytes:
    """Octets of `02:00:00:00:00:01`."""
    return bytes.fromhex(text.replace(":", ""))


def ip(text: str) -> bytes:
    """Octets of an address of either family."""
    return ip_address(text).packed


OURS = mac("02:00:00:00:00:01")
OUR_OTHER = mac("02:00:00:00:00:02")
CLIENT = mac("02:00:00:00:00:99")
STRANGER = mac("06:05:04:03:02:01")

VIP = ip("192.0.2.240")
OTHER = ip("192.0.2.241")
ASKER = ip("192.0.2.50")
VIP6 = ip("2001:db8::240")
OTHER6 = ip("2001:db8::241")
ASKER6 = ip("fe80::99")
LINK_LOCAL = ip("fe80::1")
