"""Placement against what is active: the plan for the announcers of one node, and what a change of it amounts to."""

from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum

from reconciler.addresses.family import Address
from reconciler.model.announcements import Active, Announcement, L2Announcement, RouteAnnouncement
from reconciler.model.peers import BGPPeer
from reconciler.placement.decisions import Placed, Placement
from reconciler.placement.hearing import identity_of, order_of
from reconciler.plan.actions import Announce, ClosePeer, OpenPeer, Plan, SpeakerAction, Withdraw
from reconciler.plan.diff import difference


class Change(StrEnum):
    """What becomes of one announcement."""

    ADD = "add"
    REMOVE = "remove"
    KEEP = "keep"


_NONE: frozenset[Announcement] = frozenset()


def plan_announcements(placement: Placement, active: Active, *, new: Collection[Address] = ()) -> Plan[SpeakerAction]:
    """
    Name the actions after which the node announces what is placed, and nothing else.

    First falls silent what must, then sessions close and open, then the rest is announced. An announcement that only
    changes its interfaces or attributes is made anew without a withdrawal, so that nobody loses the address meanwhile.
    A peer that is defined anew loses its session, and with it all its routes: they are announced again.

    What stays as it is costs a comparison of two sets, and nothing where `active` has the very set that is heard.

    Args:
        placement: What the node should announce.
        active: What it announces now, each address, or prefix and peer, once.
        new: Addresses that nobody can have announced before (`Announce.is_new`).
    """
    sessions = difference(sorted(active.peers, key=_name), sorted(placement.peers, key=_name), _name)
    redefined = {after.name for _, after in sessions.changed}
    heard, before = placement.heard, active.announcements
    # One set may be the other: then there is no need to walk through them.
    ended, begun = (before - heard, heard - before) if heard is not before else (_NONE, _NONE)
    routes = difference(sorted(ended, key=order_of), sorted(begun, key=order_of), identity_of)
    spoken = [*routes.added, *(after for _, after in routes.changed)]
    if redefined:
        kept = (route for route in heard & before if isinstance(route, RouteAnnouncement))
        spoken += [route for route in kept if route.peer in redefined]
    closed = [*sessions.removed, *(before for before, _ in sessions.changed)]
    opened = [*sessions.added, *(after for _, after in sessions.changed)]
    return Plan(
        (
            *(Withdraw(announcement) for announcement in routes.removed),
            *(ClosePeer(peer) for peer in sorted(closed, key=_name)),
            *(OpenPeer(peer, peer.origin) for peer in sorted(opened, key=_name)),
            *_announce(sorted(spoken, key=order_of), placement, new),
        )
    )


def _announce(spoken: Sequence[Announcement], placement: Placement, new: Collection[Address]) -> Iterator[Announce]:
    """The actions, each with the advertisement behind the first Service that wants exactly that."""
    if not spoken:
        return
    wanted = frozenset(spoken)
    origins = {p.announcement: p.origin for p in reversed(placement.placed) if p.announcement in wanted}
    for one in spoken:
        is_new = isinstance(one, L2Announcement) and one.address in new
        yield Announce(one, origins.get(one), is_new=is_new)


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
    found.sort(key=lambda one: (one[1].service, one[1].address, order_of(one[1].announcement)))
    yield from found


def _name(peer: BGPPeer) -> str:
    return peer.name
