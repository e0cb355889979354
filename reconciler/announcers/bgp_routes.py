"""
The routes that peers are to hear of, each looked at by the export guard on its way. No I/O.

What is wanted is kept whether a peer is open or not: whoever is opened hears of all that was asked for before.
"""

from collections.abc import Iterator
from functools import lru_cache

from reconciler.addresses.address_range import AddressRange
from reconciler.announcers.bgp_guard import ExportGuard
from reconciler.announcers.bgp_parameters import ROUTE_FAMILIES
from reconciler.bgp.adj_rib_out import AdjRibOut
from reconciler.bgp.families import Family as RouteFamily
from reconciler.bgp.families import Prefix, prefix_of, prefix_text
from reconciler.bgp.routes import RouteAttributes
from reconciler.model.advertisements import Community
from reconciler.model.announcements import PeerTerms, RouteAnnouncement, Routes, prefix_number, prefix_of_number

# Sets of attributes that are kept at hand, so that routes which are alike share one.
_MOST_ATTRIBUTES = 4096
_LARGEST_IPV6 = (1 << 128) - 1
# The length in bits that a single address begins with.
_SINGLE = {RouteFamily.IPV4: bytes((32,)), RouteFamily.IPV6: bytes((128,))}
_NOBODY: frozenset[str] = frozenset()

_Key = tuple[RouteFamily, Prefix]


class PeerRoutes:
    """
    What one peer is to hear of, and the rib where it is open.

    `refused` are routes that may not leave, by number of the prefix, and why; `allowed` counts the others.
    """

    def __init__(self) -> None:
        self.rib: AdjRibOut | None = None
        self.refused: dict[int, str] = {}
        self.allowed = dict.fromkeys(RouteFamily, 0)
        # Whether the rib has something to tell since anybody asked.
        self.is_changed = False

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to remember."""
        return self.rib is None and not self.refused and not any(self.allowed.values())

    def judge(self, number: int, family: RouteFamily, refusal: str | None, room: int) -> str | None:
        """Count one more route, and give why it may not leave, which may be that there are too many."""
        if refusal is None and self.allowed[family] >= room:
            refusal = f"is one of more than {room} prefixes, and the pools cannot hold so many"
        if refusal is None:
            self.allowed[family] += 1
        else:
            self.refused[number] = refusal
        return refusal

    def tell(self, key: _Key, attributes: RouteAttributes) -> None:
        """A route that may leave."""
        if self.rib is not None:
            self.rib.announce(*key, attributes)
            self.is_changed = True

    def silence(self, key: _Key) -> None:
        """One that goes, or may not leave any more."""
        if self.rib is not None:
            self.rib.withdraw(*key)
            self.is_changed = True

    def complaint(self) -> str | None:
        """One sentence about routes that may not leave; None where all may."""
        # Copied at once: another thread may be asking, and these change meanwhile.
        refused = tuple(self.refused.items())
        if not refused:
            return None
        number, why = refused[0]
        first = f"{prefix_text(*key_of(number))} is not announced: it {why}"
        others = len(refused) - 1
        return f"{first} (and {others} more)" if others else first


class RouteTable:
    """
    The routes of all peers. `routes` are all that was asked for by the passes that are through.

    A pass calls `announce` and `withdraw`, each prefix and peer once, and then `settle`. Both cost the same however
    many routes there are.
    """

    def __init__(self) -> None:
        self.routes = Routes()
        self._peers: dict[str, PeerRoutes] = {}
        self._guard = ExportGuard()
        self._is_stricter = False
        self._may_allow_more = False
        self._is_settled = False
        self._withdrawn: list[RouteAnnouncement] = []
        self._announced: list[RouteAnnouncement] = []
        # The last prefix that was looked at, because peers that share one come one after the other: its number and its
        # octets, why it may not leave, who was to hear of it before this pass, and how many like it one may hear of.
        self._seen: AddressRange | None = None
        self._number = 0
        self._key: _Key = RouteFamily.IPV4, b""
        self._refusal: str | None = None
        self._hearers = _NOBODY
        self._room = 0

    def of(self, peer: str) -> PeerRoutes:
        """What a peer is to hear of, to look at from any thread."""
        return self._peers.get(peer) or PeerRoutes()

    def guarded_by(self, guard: ExportGuard) -> None:
        """Another configuration is in force; what it does not allow goes with the next `settle`."""
        self._is_stricter = self._is_stricter or not guard.allows_all_of(self._guard)
        self._guard, self._seen, self._may_allow_more = guard, None, True

    def carry(self, peer: str, rib: AdjRibOut) -> None:
        """The peer is open: this is what it hears of us by, and it is to be told of all that may leave."""
        self._take_over()
        routes = self._known(peer)
        routes.rib, routes.is_changed = rib, True
        if self._is_settled:
            rib.settled()
        for number, terms in self._wanted_by(peer):
            if number not in routes.refused:
                rib.announce(*key_of(number), attributes_of(terms.local_pref, terms.communities))

    def carry_nowhere(self, peer: str) -> None:
        """The peer is not open any more; what is wanted stays wanted."""
        routes = self._known(peer)
        routes.rib, routes.is_changed = None, False

    def silence_all(self, peer: str) -> None:
        """Withdraw all routes of a peer from its session, for good; what is wanted stays wanted."""
        self._take_over()
        routes = self._known(peer)
        for number, _ in self._wanted_by(peer):
            routes.silence(key_of(number))
        self.carry_nowhere(peer)

    def announce(self, route: RouteAnnouncement) -> None:
        """A peer should hear of a prefix, with these attributes from now on."""
        self._announced.append(route)
        if route.prefix is not self._seen:
            self._see(route.prefix)
        peer = self._peers.get(route.peer) or self._known(route.peer)
        if route.peer not in self._hearers:
            if peer.judge(self._number, self._key[0], self._refusal, self._room) is not None:
                return
        elif self._refusal is not None or self._number in peer.refused:
            # With other attributes; `settle` looks at what peers heard of before.
            return
        peer.tell(self._key, attributes_of(route.local_pref, route.communities))

    def withdraw(self, route: RouteAnnouncement) -> None:
        """A peer should not hear of that prefix any more."""
        self._withdrawn.append(route)
        if route.prefix is not self._seen:
            self._see(route.prefix)
        peer = self._known(route.peer)
        if route.peer in self._hearers and peer.refused.pop(self._number, None) is None:
            peer.allowed[self._key[0]] -= 1
            peer.silence(self._key)

    def settle(self, whole: Routes | None = None) -> list[str]:
        """
        A pass is through: what was refused is looked at again where that may change something.

        Args:
            whole: All that was asked for so far, where somebody has it: it is not put together again then.

        Returns:
            The peers that are open and have something new to hear.
        """
        self._take_over(whole)
        self._is_settled = True
        if self._is_stricter or (self._may_allow_more and any(peer.refused for peer in self._peers.values())):
            self._judge_all()
        self._is_stricter = self._may_allow_more = False
        for name in [name for name, peer in self._peers.items() if peer.is_idle]:
            del self._peers[name]
        changed = [name for name, peer in self._peers.items() if peer.rib is not None and peer.is_changed]
        for peer in self._peers.values():
            peer.is_changed = False
            if peer.rib is not None:
                peer.rib.settled()
        return changed

    def _known(self, peer: str) -> PeerRoutes:
        """The same, kept from now on."""
        found = self._peers.get(peer)
        if found is None:
            found = self._peers[peer] = PeerRoutes()
        return found

    def _take_over(self, whole: Routes | None = None) -> None:
        """What was asked for so far in this pass is what was asked for."""
        if self._withdrawn or self._announced:
            self._may_allow_more = self._may_allow_more or bool(self._withdrawn)
            self.routes = self.routes.after(self._withdrawn, self._announced) if whole is None else whole
            self._withdrawn, self._announced = [], []
        self._seen = None

    def _see(self, prefix: AddressRange) -> None:
        number = prefix_number(prefix)
        terms = self.routes.terms(number)
        self._seen, self._number, self._key = prefix, number, key_of(number)
        self._refusal, self._room = self._guard.refusal(prefix), self._guard.room(prefix.family)
        self._hearers = frozenset([one.peer for one in terms]) if terms else _NOBODY

    def _wanted_by(self, peer: str) -> Iterator[tuple[int, PeerTerms]]:
        for number, several in self.routes.numbered.items():
            for terms in several:
                if terms.peer == peer:
                    yield number, terms

    def _judge_all(self) -> None:
        """Refuse what the guard refuses now, and nothing else."""
        before = {name: peer.refused for name, peer in self._peers.items()}
        for peer in self._peers.values():
            peer.refused, peer.allowed = {}, dict.fromkeys(RouteFamily, 0)
        for number, several in self.routes.numbered.items():
            prefix = prefix_of_number(number)
            refusal, room = self._guard.refusal(prefix), self._guard.room(prefix.family)
            for terms in several:
                peer, known = self._known(terms.peer), before.get(terms.peer, {})
                if peer.judge(number, ROUTE_FAMILIES[prefix.family], refusal, room) is not None:
                    if number not in known:
                        peer.silence(key_of(number))
                elif number in known:
                    peer.tell(key_of(number), attributes_of(terms.local_pref, terms.communities))


def key_of(number: int) -> _Key:
    """The octets of a prefix, by its `prefix_number`."""
    host_bits, family = number & 0xFF, RouteFamily.IPV6 if number >> 136 else RouteFamily.IPV4
    octets = (number >> 8).to_bytes(4) if family is RouteFamily.IPV4 else (number >> 8 & _LARGEST_IPV6).to_bytes(16)
    # Nearly all prefixes are single addresses.
    return family, prefix_of(octets, len(octets) * 8 - host_bits) if host_bits else _SINGLE[family] + octets


@lru_cache(maxsize=_MOST_ATTRIBUTES)
def attributes_of(local_pref: int | None, communities: tuple[Community, ...]) -> RouteAttributes:
    """What a route carries, the same object for all that are alike."""
    standard = {one.global_administrator for one in communities if not one.large}
    large = {(one.global_administrator, one.local_data_1, one.local_data_2) for one in communities if one.large}
    return RouteAttributes(local_pref, tuple(sorted(standard)), tuple(sorted(large)))
