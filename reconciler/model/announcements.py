"""What one node can say to the network, and what it is saying now."""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, NamedTuple

import msgspec

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.family import Address, Family
from reconciler.model.advertisements import Community
from reconciler.model.observed import InterfaceName
from reconciler.model.origin import Origin
from reconciler.model.peers import BGPPeer
from reconciler.model.persistent_map import PersistentMap


class L2Announcement(msgspec.Struct, frozen=True, gc=False):
    """Answer ARP or NDP for an address. `interfaces` None means every interface."""

    address: Address
    interfaces: frozenset[InterfaceName] | None = None


class RouteAnnouncement(msgspec.Struct, frozen=True, gc=False):
    """Tell one peer of a prefix. `local_pref` None leaves the protocol's default; `communities` are ascending."""

    prefix: AddressRange
    peer: str
    local_pref: int | None = None
    communities: tuple[Community, ...] = ()


Announcement = L2Announcement | RouteAnnouncement


@dataclass(frozen=True, slots=True)
class PeerTerms:
    """How one peer is told of a prefix, and the advertisement behind it."""

    peer: str
    local_pref: int | None = None
    communities: tuple[Community, ...] = ()
    origin: Origin | None = field(default=None, compare=False)


# How all its peers are told of a prefix, by name of the peer. Many prefixes have the very same terms.
Terms = tuple[PeerTerms, ...]

_NO_ORIGINS: Mapping[RouteAnnouncement, Origin | None] = MappingProxyType({})


class Told(NamedTuple):
    """A route, and the advertisement behind it."""

    route: RouteAnnouncement
    origin: Origin | None


class RouteChanges(NamedTuple):
    """What leads from some routes to others, by prefix and peer; one that only gets other attributes is in `told`."""

    withdrawn: list[RouteAnnouncement]
    told: list[Told]


class Routes:
    """
    All routes of a node: of each prefix and peer at most one. A value: nothing that is done with it changes it.

    Prefixes that are told alike take no more room for many peers than for one. `after` costs as much as what changes,
    `since` as much as what has changed since the two came of one another or were last compared.
    """

    __slots__ = ("numbered",)
    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # nobody looks them up

    def __init__(self, terms: PersistentMap[int, Terms] | None = None) -> None:
        """How each prefix is told, by `prefix_number`; no terms are empty."""
        self.numbered: PersistentMap[int, Terms] = PersistentMap() if terms is None else terms

    @classmethod
    def of(
        cls, routes: Iterable[RouteAnnouncement], origins: Mapping[RouteAnnouncement, Origin | None] = _NO_ORIGINS
    ) -> "Routes":
        """Those, and where they come from if that is known; of several for one prefix and peer the last."""
        return cls().after((), routes, origins)

    def __len__(self) -> int:
        return sum(map(len, self.numbered.values()))

    def __bool__(self) -> bool:
        return len(self.numbered) > 0

    def __iter__(self) -> Iterator[RouteAnnouncement]:
        """By prefix, then peer."""
        return (told.route for told in self.toward(None))

    def __eq__(self, other: object) -> bool:
        return self.numbered == other.numbered if isinstance(other, Routes) else NotImplemented

    def __repr__(self) -> str:
        return f"Routes.of({list(self)})"

    def get(self, prefix: AddressRange, peer: str) -> RouteAnnouncement | None:
        """What a peer is told of a prefix."""
        found = self.terms(prefix_number(prefix))
        return next((_route(prefix, one) for one in found if one.peer == peer), None)

    def terms(self, number: int) -> Terms:
        """How the prefix of a `prefix_number` is told; empty when it is not."""
        return self.numbered.get(number) or ()

    def of_prefix(self, number: int) -> Iterator[RouteAnnouncement]:
        """What peers are told of the prefix of a `prefix_number`, by peer."""
        return _routes(number, self.terms(number))

    def changed(self, terms: Mapping[int, Terms | None]) -> "Routes":
        """The same with other terms, by `prefix_number`; None or nothing takes a prefix away."""
        return Routes(self.numbered.changed({number: found or None for number, found in terms.items()}))

    def after(
        self,
        withdrawn: Iterable[RouteAnnouncement],
        announced: Iterable[RouteAnnouncement],
        origins: Mapping[RouteAnnouncement, Origin | None] = _NO_ORIGINS,
    ) -> "Routes":
        """
        The same without the first, whatever their attributes, and then with the others.

        An announcer that keeps account of what it was told to do calls this once for all actions of a pass.
        """
        altered: dict[int, dict[str, PeerTerms]] = {}
        known: dict[tuple[object, ...], PeerTerms] = {}
        for route in withdrawn:
            self._altered(altered, route).pop(route.peer, None)
        for route in announced:
            wanted = route.peer, route.local_pref, route.communities, origins.get(route) if origins else None
            terms = known.get(wanted)
            if terms is None:
                terms = known[wanted] = PeerTerms(*wanted)
            self._altered(altered, route)[route.peer] = terms
        return self.changed({number: tuple(peers[name] for name in sorted(peers)) for number, peers in altered.items()})

    def _altered(self, altered: dict[int, dict[str, PeerTerms]], route: RouteAnnouncement) -> dict[str, PeerTerms]:
        number = prefix_number(route.prefix)
        found = altered.get(number)
        if found is None:
            found = altered[number] = {one.peer: one for one in self.numbered.get(number) or ()}
        return found

    def toward(self, peers: Container[str] | None) -> Iterator[Told]:
        """All that those peers are told (None: all of them), by prefix, then peer."""
        for number, terms in sorted(self.numbered.items()):
            for one, route in zip(terms, _routes(number, terms), strict=True):
                if peers is None or one.peer in peers:
                    yield Told(route, one.origin)

    def since(self, earlier: "Routes") -> RouteChanges:
        """
        What leads from others to these.

        The others may share what is equal from then on, and with it what these know of where it comes from.
        """
        found = RouteChanges([], [])
        for number, before, after in sorted(self.numbered.since(earlier.numbered)):
            _note_changes(found, number, before or (), after or ())
        return found


def _note_changes(changes: RouteChanges, number: int, before: Terms, after: Terms) -> None:
    prefix = prefix_of_number(number)
    wanted: Iterable[PeerTerms] = after
    if before:
        known, stay = {one.peer: one for one in before}, {one.peer for one in after}
        changes.withdrawn.extend(_route(prefix, one) for one in before if one.peer not in stay)
        wanted = [one for one in after if known.get(one.peer) != one]
    changes.told.extend([Told(_route(prefix, one), one.origin) for one in wanted])


def _routes(number: int, terms: Terms) -> Iterator[RouteAnnouncement]:
    prefix = prefix_of_number(number)
    return (_route(prefix, one) for one in terms)


def _route(prefix: AddressRange, terms: PeerTerms) -> RouteAnnouncement:
    return RouteAnnouncement(prefix, terms.peer, terms.local_pref, terms.communities)


def prefix_number(prefix: AddressRange) -> int:
    """A prefix as one number, in the order of family, first address and last address."""
    return route_number(prefix.family, prefix.first, (prefix.last - prefix.first).bit_length())


def route_number(family: Family, value: int, host_bits: int) -> int:
    """The same of the prefix that has so many host bits and contains an address."""
    is_ipv6 = family is Family.IPV6
    return ((is_ipv6 << 128) | (value >> host_bits << host_bits)) << 8 | host_bits


def prefix_of_number(number: int) -> AddressRange:
    """The prefix of a `prefix_number`."""
    host_bits, family = number & 0xFF, Family.IPV6 if number >> 136 else Family.IPV4
    first = number >> 8 & (1 << family.bits) - 1
    return AddressRange(family, first, first + (1 << host_bits) - 1)


@dataclass(frozen=True, slots=True)
class Active:
    """
    What a node's announcers are doing now.

    `announcements` are those of ARP and NDP. `routes` are those that peers are to hear of, whether they have or not:
    an announcer of routes always does what it was told to, so they are those of the last plan carried out.
    """

    announcements: frozenset[L2Announcement] = frozenset()
    peers: frozenset[BGPPeer] = frozenset()
    routes: Routes = field(default_factory=Routes)

    def beside(self, other: "Active") -> "Active":
        """The doings of two announcers of different protocols together; what only one of them has stays as it is."""
        return Active(
            self.announcements | other.announcements
            if self.announcements and other.announcements
            else self.announcements or other.announcements,
            self.peers | other.peers,
            self.routes or other.routes,
        )
