"""Which sessions stay where several peers change in one pass, and whose they are from then on."""

from collections.abc import Iterable

from reconciler.announcers.bgp_farewells import Place, place_of
from reconciler.announcers.bgp_parameters import terms_of
from reconciler.announcers.bgp_peering import Peering
from reconciler.model.peers import BGPPeer
from reconciler.model.settings import BGPSettings
from reconciler.plan.actions import ClosePeer, OpenPeer


class Moves:
    """
    `ended` are not wanted any more, `kept` those that are, with their new definitions, and `begun` peers that have
    none. `Moves` takes what changes out of `peerings`.

    A peer that is defined anew, or only has another name, keeps its session where that can be. Where peers are
    numbered, one that is put in front of the others thus resets none of them.
    """

    def __init__(
        self, peerings: dict[str, Peering], changes: Iterable[ClosePeer | OpenPeer], settings: BGPSettings
    ) -> None:
        """
        Args:
            peerings: Those that there are, by name.
            changes: In order.
            settings: Those in force.
        """
        closed: dict[str, Peering] = {}
        opened: dict[str, BGPPeer] = {}
        for change in changes:
            name = change.peer.name
            if name in peerings:
                closed[name] = peerings.pop(name)
            opened.pop(name, None)
            if isinstance(change, OpenPeer):
                opened[name] = change.peer
        self.kept: list[tuple[BGPPeer, Peering]] = []
        self._keep(_same_sessions(closed, opened.values(), settings), closed, opened)
        # Of the others a name at least says whose successor they are.
        self._keep([(name, name) for name in opened if name in closed], closed, opened)
        self.ended = tuple(closed.values())
        self.begun = tuple(opened.values())

    def _keep(self, found: Iterable[tuple[str, str]], closed: dict[str, Peering], opened: dict[str, BGPPeer]) -> None:
        for before, after in found:
            self.kept.append((opened.pop(after), closed.pop(before)))


def _same_sessions(
    closed: dict[str, Peering], opened: Iterable[BGPPeer], settings: BGPSettings
) -> list[tuple[str, str]]:
    """Names of peers before and after whose sessions are the very same; each only once, its own name before others."""
    by_place: dict[Place, list[str]] = {}
    for name, peering in closed.items():
        if peering.place is not None:
            by_place.setdefault(peering.place, []).append(name)
    found = []
    for peer in sorted(opened, key=lambda peer: peer.name not in closed):
        own = settings.of(peer.name)
        there = by_place.get(place_of(terms_of(peer, own, None).remote), [])
        same = [name for name in there if closed[name].is_same_session(peer, own)]
        if same:
            before = peer.name if peer.name in same else same[0]
            there.remove(before)
            found.append((before, peer.name))
    return found
