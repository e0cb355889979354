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


def heard_of(announcements: frozenset[Announcement]) -> frozenset[Announcement]:
    """One announcement for each identity: Services that share an address want it on the interfaces of either."""
    merged: dict[Identity, Announcement] = {}
    contested: dict[Identity, list[Announcement]] = {}
    for announcement in announcements:
        identity = identity_of(announcement)
        earlier = merged.setdefault(identity, announcement)
        if earlier is not announcement:
            contested.setdefault(identity, [earlier]).append(announcement)
    if not contested:
        return announcements
    merged |= {identity: _together(several) for identity, several in contested.items()}
    return frozenset(merged.values())


def _together(several: Iterable[Announcement]) -> Announcement:
    first, *others = sorted(several, key=order_of)
    together = first
    for other in others:
        if isinstance(together, L2Announcement) and isinstance(other, L2Announcement):
            together = _on_either(together, other)
        else:
            together = other
    return together


def _on_either(one: L2Announcement, other: L2Announcement) -> L2Announcement:
    if one.interfaces is None or other.interfaces is None:
        return L2Announcement(one.address)
    return L2Announcement(one.address, one.interfaces | other.interfaces)
