"""Placement against what is active: the plan for the announcers of one node, and what a change of it amounts to."""

from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum

from reconciler.addresses.family import Address
from reconciler.model.announcements import Active, L2Announcement
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


_NONE: frozenset[L2Announcement] = frozenset()


def plan_announcements(placement: Placement, active: Active, *, new: Collection[Address] = ()) -> Plan[SpeakerAction]:
    """
    Name the actions after which the node announces what is placed, and nothing else.

    First falls silent what must, then sessions close and open, then the rest is announced. An announcement that only
    changes its interfaces or attributes is made anew without a withdrawal, so that nobody loses the address meanwhile.
    A peer that is defined anew loses its session, and with it all its routes: they are announced again. Of a peer that
    is closed for good every route is withdrawn before.

    What stays as it is costs little: addresses the comparison of two sets, and nothing where `active` has the very set
    that is heard; routes nothing where those of `active` and of the placement come of one another (see `Routes`).

    Args:
        placement: What the node should announce.
        active: What it announces now.
        new: Addresses that nobody can have announced before (`Announce.is_new`).
    """
    sessions = difference(sorted(active.peers, key=_name), sorted(placement.peers, key=_name), _name)
    closed = [*sessions.removed, *(before for before, _ in sessions.changed)]
    opened = [*sessions.added, *(after for _, after in sessions.changed)]
    silenced, spoken = _by_layer2(placement, active, new)
    withdrawn, told = _by_bgp(placement, active, redefined={after.name for _, after in sessions.changed})
    return Plan(
        (
            *silenced,
            *withdrawn,
            *(ClosePeer(peer) for peer in sorted(closed, key=_name)),
            *(OpenPeer(peer, peer.origin) for peer in sorted(opened, key=_name)),
            *spoken,
            *told,
        )
    )


def _by_layer2(
    placement: Placement, active: Active, new: Collection[Address]
) -> tuple[Iterable[Withdraw], Iterable[Announce]]:
    """By address."""
    heard, before = placement.heard, active.announcements
    # One set may be the other: then there is no need to walk through them.
    ended, begun = (before - heard, heard - before) if heard is not before else (_NONE, _NONE)
    found = difference(sorted(ended, key=order_of), sorted(begun, key=order_of), identity_of)
    wanted = frozenset((*found.added, *(after for _, after in found.changed)))
    # The advertisement behind the first Service that wants exactly that.
    every = reversed(placement.by_layer2) if wanted else ()
    origins = {placed.announcement: placed.origin for placed in every if placed.announcement in wanted}
    return (
        [Withdraw(one) for one in found.removed],
        [Announce(one, origins.get(one), is_new=one.address in new) for one in sorted(wanted, key=order_of)],
    )


def _by_bgp(
    placement: Placement, active: Active, *, redefined: Collection[str]
) -> tuple[Iterable[Withdraw], Iterable[Announce]]:
    """By prefix, then peer."""
    changes = placement.routes.since(active.routes)
    told = changes.told
    if redefined:
        others = (one for one in told if one.route.peer not in redefined)
        told = sorted((*others, *placement.routes.toward(redefined)), key=lambda one: order_of(one.route))
    return [Withdraw(route) for route in changes.withdrawn], [Announce(route, origin) for route, origin in told]


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
