"""Ends of a BGP session that nobody could ever have: what a kernel or a protocol refuses on any node. No I/O."""

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.family import Address

_NOWHERE = "is no host: it is unspecified"
_MULTICAST = "is a multicast address, and no host has one"
_UNUSABLE = tuple(
    (AddressRange.parse(text), why)
    for text, why in (
        ("0.0.0.0/8", _NOWHERE),
        ("224.0.0.0/4", _MULTICAST),
        ("240.0.0.0/4", "is of a range that is not in use"),
        ("::/128", _NOWHERE),
        ("ff00::/8", _MULTICAST),
        ("fe80::/10", "is link-local, on no link that is named (write the interface in its place)"),
    )
)
# linux/if.h: IFNAMSIZ is 16, with the octet that ends a name.
_LONGEST_NAME = 15
# linux/tcp.h: TCP_MD5SIG_MAXKEYLEN.
_LONGEST_PASSWORD = 80


def why_no_peer(address: Address) -> str | None:
    """Why no session can lead to an address, in words that follow it; None where one can."""
    return next((why for addresses, why in _UNUSABLE if address in addresses), None)


def why_no_device(name: str) -> str | None:
    """Why no interface and no VRF can have a name, in words that follow it; None where one can."""
    octets = len(name.encode())
    if octets > _LONGEST_NAME:
        return f"has {octets} octets, and Linux takes {_LONGEST_NAME} at most"
    if name in {".", ".."} or any(c in "/:" or c.isspace() for c in name):
        return "has a character that Linux takes in no name of an interface"
    return None


def why_no_password(password: str) -> str | None:
    """Why TCP MD5 cannot sign by a password, in words that follow it; None where it can."""
    octets = len(password.encode(errors="replace"))
    return f"has {octets} octets, and TCP takes {_LONGEST_PASSWORD} at most" if octets > _LONGEST_PASSWORD else None
