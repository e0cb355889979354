"""
The routes of one node, kept up to date one Service at a time.

What `NodeRoutes` makes of all Services is the definition. Here each prefix knows what stands behind it, so that a
Service that changes costs its own prefixes.
"""

from collections.abc import Iterable, Iterator

import msgspec

from reconciler.addresses.family import Address
from reconciler.model.advertisements import Community
from reconciler.model.announcements import PeerTerms, RouteAnnouncement, Routes, Terms, route_number
from reconciler.model.observed import ServiceKey
from reconciler.model.persistent_map import PersistentMap
from reconciler.placement.decisions import Placed, first_origin
from reconciler.placement.routes import Offers


class Teller(msgspec.Struct, frozen=True, gc=False):
    """A Service that peers are told of: its addresses, ascending, and what is offered of them."""

    addresses: tuple[Address, ...]
    offers: Offers

    def tells_like(self, other: "Teller | None") -> bool:
        """Whether another one makes the same routes, for the same reasons."""
        return other is not None and self.offers is other.offers and self.addresses == other.addresses


Tellers = PersistentMap[ServiceKey, Teller]


class _Share(msgspec.Struct, gc=False):
    """What is behind a prefix beside others: terms, and how many addresses of Services want it so."""

    terms: Terms
    count: int


class StandingRoutes:
    """
    Which Services are told to peers, and the routes that come of all of them.

    What was put shows in `routes` and `tellers` after `settle`; those of before stay as they were.
    """

    def __init__(self) -> None:
        self.routes = Routes()
        self.tellers: Tellers = PersistentMap()
        self._moved: dict[ServiceKey, Teller | None] = {}
        self._altered: dict[int, Terms | None] = {}
        # Only of prefixes with more behind them than one address of one Service: the others are as `routes` says.
        self._shares: dict[int, list[_Share]] = {}
        # By the ids of what came together, which is kept beside the result so that nothing else gets these ids.
        self._together: dict[tuple[int, ...], tuple[Terms, tuple[Terms, ...]]] = {}

    def put(self, service: ServiceKey, teller: Teller | None) -> bool:
        """Let a Service be told so, or not at all; False when it is so already."""
        before = self._moved[service] if service in self._moved else self.tellers.get(service)
        if teller is before or (teller is not None and teller.tells_like(before)):
            return False
        self._moved[service] = teller
        # What is told before and after never goes in between: its count is not allowed to fall to nothing.
        for number, terms in _wanted(teller):
            self._add(number, terms)
        for number, terms in _wanted(before):
            self._remove(number, terms)
        return True

    def settle(self) -> None:
        """Let show what was put."""
        if self._moved:
            self.routes, self.tellers = self.routes.changed(self._altered), self.tellers.changed(self._moved)
            self._moved, self._altered = {}, {}

    def _add(self, number: int, terms: Terms) -> None:
        shares = self._shares.get(number)
        if shares is None:
            alone = self._altered[number] if number in self._altered else self.routes.terms(number)
            if not alone:
                self._altered[number] = terms
                return
            shares = self._shares[number] = [_Share(alone, 1)]
        for share in shares:
            if share.terms is terms:
                share.count += 1
                return
        shares.append(_Share(terms, 1))
        self._altered[number] = self._all_together(shares)

    def _remove(self, number: int, terms: Terms) -> None:
        shares = self._shares.get(number)
        if shares is None:
            self._altered[number] = None
            return
        # What stood alone may have become an equal one of somebody else who compared his with ours (`Routes.since`).
        mine = (share for share in shares if share.terms is terms)
        share = next(mine, None) or next(share for share in shares if share.terms == terms)
        share.count -= 1
        if not share.count:
            shares.remove(share)
            self._altered[number] = self._all_together(shares)
        if len(shares) == 1 and shares[0].count == 1:
            del self._shares[number]

    def _all_together(self, shares: Iterable[_Share]) -> Terms:
        every = tuple(sorted((share.terms for share in shares), key=id))
        if len(every) == 1:
            return every[0]
        key = tuple(map(id, every))
        found = self._together.get(key)
        if found is None:
            found = self._together[key] = _merged(every), every
        return found[0]


def _wanted(teller: Teller | None) -> Iterator[tuple[int, Terms]]:
    """The prefixes of a Service, by number, and how each is to be told."""
    if teller is not None:
        for address in teller.addresses:
            family, value = address.family, address.value
            for host_bits, terms in teller.offers.terms_of(family):
                yield route_number(family, value, host_bits), terms


def _merged(several: Iterable[Terms]) -> Terms:
    by_peer: dict[str, PeerTerms] = {}
    for terms in several:
        for one in terms:
            earlier = by_peer.setdefault(one.peer, one)
            if earlier is not one:
                by_peer[one.peer] = PeerTerms(
                    one.peer,
                    max(earlier.local_pref or 0, one.local_pref or 0) or None,
                    _union(earlier.communities, one.communities),
                    first_origin(earlier.origin, one.origin),
                )
    return tuple(by_peer[name] for name in sorted(by_peer))


def _union(one: tuple[Community, ...], other: tuple[Community, ...]) -> tuple[Community, ...]:
    return one if one == other else tuple(sorted({*one, *other}))


def placed_by(tellers: Tellers, routes: Routes) -> Iterator[Placed]:
    """What is announced on behalf of which Service, by Service, address, peer and prefix length."""
    known: dict[int, dict[str, RouteAnnouncement]] = {}
    for service, teller in sorted(tellers.items(), key=lambda item: item[0]):
        for address in teller.addresses:
            for offer in teller.offers.of(address.family):
                number = route_number(offer.family, address.value, offer.host_bits)
                told = known.get(number)
                if told is None:
                    told = known[number] = {route.peer: route for route in routes.of_prefix(number)}
                yield Placed(service, address, told[offer.peer], offer.origin)
