"""Whether a node announces a Service by BGP, and the routes it tells each of its peers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import msgspec

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.family import Address, Family
from reconciler.model.advertisements import BGPAdvertisement, Community
from reconciler.model.announcements import PeerTerms, RouteAnnouncement, Terms
from reconciler.model.observed import NodeName
from reconciler.model.origin import Origin
from reconciler.model.peers import BGPPeer
from reconciler.model.selectors import matches_any_or_none_given
from reconciler.placement.candidates import Candidates
from reconciler.placement.decisions import DeclineReason, Placed
from reconciler.placement.subjects import Subject

_BOTH = (Family.IPV4, Family.IPV6)


class Offer(msgspec.Struct, frozen=True, gc=False):
    """How any address of one family is told to one peer; `local_pref` 0 is unset."""

    family: Family
    length: int
    peer: str
    local_pref: int
    communities: tuple[Community, ...]
    origin: Origin

    @property
    def host_bits(self) -> int:
        """How many bits of an address are left out of the prefix."""
        return self.family.bits - self.length


# The prefixes around any address of one family, by their host bits, and how each of them is told.
TermsByLength = tuple[tuple[int, Terms], ...]


@dataclass(frozen=True, eq=False)  # without slots: what follows from the fields is worked out once
class Offers:
    """What one set of advertisements makes a node tell its peers, by family; or why it tells nothing."""

    ipv4: tuple[Offer, ...] = ()
    ipv6: tuple[Offer, ...] = ()
    declined: DeclineReason | None = None

    def of(self, family: Family) -> tuple[Offer, ...]:
        """The offers for addresses of a family, by peer, then prefix length."""
        return self.ipv4 if family is Family.IPV4 else self.ipv6

    def terms_of(self, family: Family) -> TermsByLength:
        """The same offers, those of one prefix together."""
        return self._ipv4_terms if family is Family.IPV4 else self._ipv6_terms

    @cached_property
    def _ipv4_terms(self) -> TermsByLength:
        return _by_length(self.ipv4)

    @cached_property
    def _ipv6_terms(self) -> TermsByLength:
        return _by_length(self.ipv6)


def _by_length(offers: Iterable[Offer]) -> TermsByLength:
    found: dict[int, list[PeerTerms]] = {}
    for offer in offers:
        terms = PeerTerms(offer.peer, offer.local_pref or None, offer.communities, offer.origin)
        found.setdefault(offer.host_bits, []).append(terms)
    return tuple((host_bits, tuple(terms)) for host_bits, terms in found.items())


class BGPCoverage:
    """One set of BGPAdvertisements, sorted by name, and the nodes that each of them lists."""

    def __init__(self, advertisements: tuple[BGPAdvertisement, ...], candidates: Candidates) -> None:
        self.advertisements = advertisements
        self._nodes = tuple(candidates.listed(a.node_selectors) for a in advertisements)

    def advertisements_on(self, node: NodeName) -> tuple[BGPAdvertisement, ...]:
        """Those that list the node, by name."""
        return tuple(a for a, nodes in zip(self.advertisements, self._nodes, strict=True) if node in nodes)


def families_of(peer: BGPPeer) -> tuple[Family, ...]:
    """The address families a session carries: that of the peer's address, both when unnumbered or asked to."""
    if peer.peer_address is None or peer.dual_stack_address_family:
        return _BOTH
    return (peer.peer_address.family,)


def conflict_among(
    advertisements: Iterable[BGPAdvertisement], families: frozenset[Family]
) -> tuple[BGPAdvertisement, BGPAdvertisement] | None:
    """
    The first two advertisements that would give one route two local preferences, None if there are none.

    Args:
        advertisements: Those of one pool, one node and one Service.
        families: The families of the pool.
    """
    return next((pair for pair in combinations(advertisements, 2) if _conflict(*pair, families)), None)


def _conflict(first: BGPAdvertisement, second: BGPAdvertisement, families: frozenset[Family]) -> bool:
    if first.local_pref == second.local_pref:
        return False
    # One family with equal lengths is enough for a common route, in a pool that has both.
    if all(_length(first, family) != _length(second, family) for family in families):
        return False
    return not (first.peers and second.peers and set(first.peers).isdisjoint(second.peers))


def _length(advertisement: BGPAdvertisement, family: Family) -> int:
    return advertisement.aggregation_length if family is Family.IPV4 else advertisement.aggregation_length_v6


class NodeRoutes:
    """
    All routes of one node. Remembers them, because what several Services say of one prefix is told a peer as one.

    `peers` are the sessions the node keeps, by name.
    """

    def __init__(self, node: NodeName, peers: Iterable[BGPPeer], candidates: Candidates) -> None:
        self.node = node
        labels = candidates.labels(node)
        running = (peer for peer in peers if matches_any_or_none_given(peer.node_selectors, labels))
        self.peers = tuple(sorted(running, key=lambda peer: peer.name))
        self._unfit = candidates.unfit(node)
        self._offers: dict[tuple[BGPCoverage, frozenset[Family]], Offers] = {}
        self._routes: dict[tuple[int, int, Family, str], RouteAnnouncement] = {}
        self._amended: set[tuple[int, int, Family, str]] = set()

    def offers(self, coverage: BGPCoverage, families: frozenset[Family]) -> Offers:
        """What the node offers of a Service with that coverage, from a pool of those families."""
        found = self._offers.get((coverage, families))
        if found is None:
            found = self._offers[coverage, families] = self._work_out(coverage, families)
        return found

    def _work_out(self, coverage: BGPCoverage, families: frozenset[Family]) -> Offers:
        here = coverage.advertisements_on(self.node)
        if not here:
            return Offers(declined=DeclineReason.NO_MATCHING_ADVERTISEMENT)
        if conflict_among(here, families):
            return Offers(declined=DeclineReason.CONFLICTING_ADVERTISEMENTS)
        if self._unfit:
            return Offers(declined=self._unfit)
        return Offers(
            ipv4=tuple(_merged(self._told(here, Family.IPV4))), ipv6=tuple(_merged(self._told(here, Family.IPV6)))
        )

    def _told(self, advertisements: Iterable[BGPAdvertisement], family: Family) -> Iterator[Offer]:
        for a in advertisements:
            for peer in self.peers:
                if (not a.peers or peer.name in a.peers) and family in families_of(peer):
                    yield Offer(family, _length(a, family), peer.name, a.local_pref, a.communities, a.origin)

    def declined(self, subject: Subject, offers: Offers) -> DeclineReason | None:
        """Why the node does not announce the Service although it might have peers for it."""
        if offers.declined:
            return offers.declined
        service = subject.service
        if service.is_local and not any(e.serving and e.has_address and e.node == self.node for e in subject.endpoints):
            return DeclineReason.NO_LOCAL_ENDPOINTS
        return None if subject.is_healthy else DeclineReason.NO_ENDPOINTS

    def announce(self, subject: Subject, offers: Offers) -> Iterator[Placed]:
        """The routes of a Service, by address, peer and prefix length; nothing toward peers of the other family."""
        for address in subject.addresses:
            for offer in offers.of(address.family):
                yield Placed(subject.service.key, address, self._route(address, offer), offer.origin)

    def _route(self, address: Address, offer: Offer) -> RouteAnnouncement:
        family = offer.family
        host_bits = (32 if family is Family.IPV4 else 128) - offer.length
        first = address.value >> host_bits << host_bits
        last = first | (1 << host_bits) - 1
        key = (first, last, family, offer.peer)
        told = self._routes.get(key)
        if told is None:
            prefix = AddressRange(family, first, last)
            told = RouteAnnouncement(prefix, offer.peer, offer.local_pref or None, offer.communities)
            self._routes[key] = told
            return told
        local_pref = max(told.local_pref or 0, offer.local_pref) or None
        if told.local_pref == local_pref and set(offer.communities) <= set(told.communities):
            return told
        communities = tuple(sorted({*told.communities, *offer.communities}))
        merged = RouteAnnouncement(told.prefix, told.peer, local_pref, communities)
        self._routes[key] = merged
        self._amended.add(key)
        return merged

    def settle(self, placed: list[Placed]) -> list[Placed]:
        """The same with every route as it stands after the last Service spoke."""
        if not self._amended:
            return placed
        return [self._settled(one) for one in placed]

    def _settled(self, placed: Placed) -> Placed:
        route = placed.announcement
        if not isinstance(route, RouteAnnouncement):
            return placed
        prefix = route.prefix
        final = self._routes[prefix.first, prefix.last, prefix.family, route.peer]
        return placed if final is route else msgspec.structs.replace(placed, announcement=final)


def _merged(offers: Iterable[Offer]) -> Iterator[Offer]:
    # By name of the advertisement, so the first one is the one to point at. Local preferences of one route are equal
    # here, or the two advertisements would conflict.
    by_route: dict[tuple[str, int], Offer] = {}
    for offer in offers:
        key = (offer.peer, offer.length)
        earlier = by_route.get(key, offer)
        by_route[key] = Offer(
            offer.family,
            offer.length,
            offer.peer,
            offer.local_pref,
            tuple(sorted({*earlier.communities, *offer.communities})),
            earlier.origin,
        )
    return (by_route[key] for key in sorted(by_route))
