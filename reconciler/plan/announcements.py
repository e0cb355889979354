"""Placement against what is active: the plan for the announcers of one node, and what a change of it amounts to."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import assert_never

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.family import Address
from reconciler.model.announcements import Active, Announcement, L2Announcement, RouteAnnouncement
from reconciler.model.peers import BGPPeer
from reconciler.placement.decisions import Placed, Placement
from reconciler.plan.actions import Announce, ClosePeer, OpenPeer, Plan, SpeakerAction, Withdraw
from reconciler.plan.diff import difference


class Change(StrEnum):
    """What becomes of one announcement."""

    ADD = "add"
    REMOVE = "remove"
    KEEP = "keep"


# What the network knows an announcement by: a second one with the same identity replaces the first.
_Identity = Address | tuple[AddressRange, str]


def plan_announcements(placement: Placement, active: Active) -> Plan[SpeakerAction]:
    """
    Name the actions after which the node announces what is placed, and nothing else.

    First falls silent what must, then sessions close and open, then the rest is announced. An announcement that only
    changes its interfaces or attributes is made anew without a withdrawal, so that nobody loses the address meanwhile.
    A peer that is defined anew loses its session, and with it all its routes: they are announced again.
    """
    origins = {placed.announcement: placed.origin for placed in reversed(placement.placed)}
    sessions = difference(sorted(active.peers, key=_name), sorted(placement.peers, key=_name), _name)
    redefined = {after.name for _, after in sessions.changed}
    routes = difference(
        sorted(active.announcements, key=_order), sorted(_heard(placement.announcements), key=_order), _identity
    )
    spoken = [*routes.added, *(after for _, after in routes.changed)]
    spoken += [route for route in routes.kept if isinstance(route, RouteAnnouncement) and route.peer in redefined]
    ended = [*sessions.removed, *(before for before, _ in sessions.changed)]
    started = [*sessions.added, *(after for _, after in sessions.changed)]
    return Plan(
        (
            *(Withdraw(announcement) for announcement in routes.removed),
            *(ClosePeer(peer) for peer in sorted(ended, key=_name)),
            *(OpenPeer(peer, peer.origin) for peer in sorted(started, key=_name)),
            *(Announce(one, origins.get(one)) for one in sorted(spoken, key=_order)),
        )
    )


def diff_placements(before: Placement, after: Placement) -> Iterator[tuple[Change, Placed]]:
    """
    Tell how what one node says for each address of each Service changes, by Service, address, then announcement.

    An announcement with other interfaces or attributes is one removed and one added. Where it is only made for
    another Service of the same address, that is a change too.
    """
    changed = difference(
        before.placed, after.placed, lambda placed: (placed.service, placed.address, placed.announcement)
    )
    # Kept where `changed` finds only another origin: moving a line is no change.
    found = [(Change.REMOVE, placed) for placed in changed.removed]
    found += [(Change.ADD, placed) for placed in changed.added]
    found += [(Change.KEEP, placed) for placed in (*changed.kept, *(later for _, later in changed.changed))]
    found.sort(key=lambda one: (one[1].service, one[1].address, _order(one[1].announcement)))
    yield from found


def _heard(announcements: Iterable[Announcement]) -> Iterable[Announcement]:
    """One announcement for each identity: Services that share an address want it on the interfaces of either."""
    merged: dict[_Identity, Announcement] = {}
    for announcement in sorted(announcements, key=_order):
        earlier = merged.get(_identity(announcement))
        if isinstance(earlier, L2Announcement) and isinstance(announcement, L2Announcement):
            merged[announcement.address] = _on_either(earlier, announcement)
        else:
            merged[_identity(announcement)] = announcement
    return merged.values()


def _on_either(one: L2Announcement, other: L2Announcement) -> L2Announcement:
    if one.interfaces is None or other.interfaces is None:
        return L2Announcement(one.address)
    return L2Announcement(one.address, one.interfaces | other.interfaces)


def _identity(announcement: Announcement) -> _Identity:
    match announcement:
        case L2Announcement(address=address):
            return address
        case RouteAnnouncement(prefix=prefix, peer=peer):
            return prefix, peer
        case _:
            assert_never(announcement)


def _order(announcement: Announcement) -> tuple[object, ...]:
    """ARP and NDP first, by address; then routes, by prefix and peer."""
    match announcement:
        case L2Announcement(address=address, interfaces=interfaces):
            return 0, address.family, address.value, interfaces is not None, sorted(interfaces or ())
        case RouteAnnouncement(prefix=prefix, peer=peer, local_pref=local_pref, communities=communities):
            return 1, prefix.family, prefix.first, prefix.last, peer, local_pref or 0, communities
        case _:
            assert_never(announcement)


def _name(peer: BGPPeer) -> str:
    return peer.name
