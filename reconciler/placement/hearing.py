"""What the network hears of announcements: it knows each by an identity, and only one of that identity at a time."""

from collections.abc import Iterable
from typing import assert_never

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.family import Address
from reconciler.model.announcements import Announcement, L2Announcement, RouteAnnouncement

# What the network knows an announcement by: a second one with the same identity replaces the first.
Identity = Address | tuple[AddressRange, str]


def identity_of(announcement: Announcement) -> Identity:
    """The address that is answered for, or the prefix and the peer that is told of it."""
    match announcement:
        case L2Announcement(address=address):
            return address
        case RouteAnnouncement(prefix=prefix, peer=peer):
            return prefix, peer
        case _:
            assert_never(announcement)


def order_of(announcement: Announcement) -> tuple[object, ...]:
    """A key to sort by: ARP and NDP first, by address; then routes, by prefix and peer."""
    match announcement:
        case L2Announcement(address=address, interfaces=interfaces):
            return 0, address.family, address.value, interfaces is not None, sorted(interfaces or ())
        case RouteAnnouncement(prefix=prefix, peer=peer, local_pref=local_pref, communities=communities):
            return 1, prefix.family, prefix.first, prefix.last, peer, local_pref or 0, communities
        case _:
            assert_never(announcement)


def heard_of(announcements: Iterable[L2Announcement]) -> frozenset[L2Announcement]:
    """One announcement for each address: Services that share one want it on the interfaces of either."""
    merged: dict[Address, L2Announcement] = {}
    for one in announcements:
        earlier = merged.setdefault(one.address, one)
        if earlier is not one:
            merged[one.address] = _on_either(earlier, one)
    return frozenset(merged.values())


def _on_either(one: L2Announcement, other: L2Announcement) -> L2Announcement:
    if one.interfaces is None or other.interfaces is None:
        return L2Announcement(one.address)
    return L2Announcement(one.address, one.interfaces | other.interfaces)
