"""
What one peer should hear of us, what it has heard, and the UPDATEs between the two (RFC 4271 section 3.2). No I/O.

It outlives sessions: what is wanted stays, and a new session is told all of it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from reconciler.bgp.attributes import PathAttributes, leaving, path_attributes
from reconciler.bgp.dialect import Dialect
from reconciler.bgp.families import Family, Prefix
from reconciler.bgp.family_routes import FamilyRoutes, Write
from reconciler.bgp.framing import MessageType
from reconciler.bgp.messages import RouteRefresh, Subtype, encode_route_refresh
from reconciler.bgp.routes import RouteAttributes
from reconciler.bgp.updates import UpdateForm, end_of_rib

# Where in a message its type stands.
_TYPE = 18


class AdjRibOut:
    """Routes toward one peer. Every change costs the same, however many there are."""

    def __init__(self) -> None:
        self._routes: Mapping[Family, FamilyRoutes] = {family: FamilyRoutes() for family in Family}
        self._dialect: Dialect | None = None
        self._sequels: dict[Family, _Sequel] = {}
        self._is_settled = False
        self._is_leaving = False
        self._taken: Counter[int] = Counter()

    def announce(self, family: Family, prefix: Prefix, attributes: RouteAttributes) -> None:
        """The peer should hear of that, with these attributes from now on; nothing happens where it has."""
        self._routes[family].announce(prefix, attributes)

    def withdraw(self, family: Family, prefix: Prefix) -> None:
        """The peer should not hear of that any more; nothing happens where it has not."""
        self._routes[family].withdraw(prefix)

    def settled(self) -> None:
        """What is wanted is complete by now: the first time a session may be told so (End-of-RIB, RFC 4724)."""
        self._is_settled = True

    def begin(self, dialect: Dialect) -> None:
        """A session is established: the peer knows nothing, and all that is wanted is told in this dialect."""
        self.end()
        self._dialect = dialect
        for family in sorted({*dialect.next_hops, *dialect.without_next_hop}):
            self._sequels[family] = _Sequel(family, self._routes[family], marks_refresh=dialect.enhanced_refresh)
        for family, next_hop in dialect.next_hops.items():
            form = UpdateForm(family, next_hop, dialect.max_length)
            self._routes[family].begin(form, _writer(family, dialect, is_leaving=self._is_leaving))

    def end(self) -> None:
        """The session is over: nothing is told any more."""
        self._dialect = None
        self._sequels = {}
        for routes in self._routes.values():
            routes.end()

    def refresh(self, family: Family) -> None:
        """The peer asks for a family again (RFC 2918, RFC 7313)."""
        if family in self._sequels:
            self._sequels[family].is_refresh_due = True

    def leave(self, *, is_leaving: bool) -> None:
        """Tell routes with the community GRACEFUL_SHUTDOWN, toward iBGP with LOCAL_PREF 0 (RFC 8326), or no more."""
        if is_leaving == self._is_leaving:
            return
        self._is_leaving = is_leaving
        if self._dialect is not None:
            for family in self._dialect.next_hops:
                self._routes[family].tell_again(_writer(family, self._dialect, is_leaving=is_leaving))

    def take(self, limit: int) -> bytes:
        """
        The next messages for the peer: withdrawals and announcements, then End-of-RIB; empty when all is told.

        Whole messages: at least one where there is anything to tell, and no more than `limit` octets beyond the first.
        """
        if self._dialect is None:
            return b""
        taken, size = [], 0
        for octets in self._messages():
            taken.append(octets)
            size += len(octets)
            self._taken[octets[_TYPE]] += 1
            # The next one may be as long as can be.
            if size + self._dialect.max_length > limit:
                break
        return b"".join(taken)

    def _messages(self) -> Iterator[bytes]:
        # Withdrawals first, so that a peer never has more routes than it was meant to have at some time.
        for sequel in self._sequels.values():
            while octets := sequel.routes.next_withdrawal():
                yield octets
        for sequel in self._sequels.values():
            while octets := sequel.routes.next_announcement() or sequel.next_mark(is_settled=self._is_settled):
                yield octets

    @property
    def is_all_told(self) -> bool:
        """Whether a session is established and `take` would give nothing."""
        return self._dialect is not None and all(
            sequel.routes.is_all_told and not sequel.is_mark_due(is_settled=self._is_settled)
            for sequel in self._sequels.values()
        )

    @property
    def wanted(self) -> int:
        """How many routes the peer should hear of, those included that this session cannot carry."""
        return sum(routes.wanted for routes in self._routes.values())

    @property
    def told(self) -> int:
        """How many routes were given to `take`'s caller in this session and not withdrawn; 0 without a session."""
        return sum(routes.told for routes in self._routes.values())

    @property
    def updates(self) -> int:
        """UPDATE messages that were taken so far, in all sessions."""
        return self._taken[MessageType.UPDATE]

    @property
    def route_refreshes(self) -> int:
        """ROUTE-REFRESH messages that were taken so far, in all sessions: the marks around a refresh (RFC 7313)."""
        return self._taken[MessageType.ROUTE_REFRESH]


class _Sequel:
    """
    What comes after the routes of an agreed family: End-of-RIB once, and whatever a peer asks for again.

    A refresh begins only when all before it is told, so a peer that asks faster than it reads costs nothing. Its marks
    stay away until End-of-RIB was told: a peer would ignore them (RFC 7313 section 4).
    """

    def __init__(self, family: Family, routes: FamilyRoutes, *, marks_refresh: bool) -> None:
        self.routes = routes
        self.is_refresh_due = False
        self._family = family
        self._marks_refresh = marks_refresh
        self._is_refreshing = False
        self._is_end_told = False

    @property
    def _may_mark_refresh(self) -> bool:
        return self._marks_refresh and self._is_end_told

    def is_mark_due(self, *, is_settled: bool) -> bool:
        """Whether anything comes now that all routes are told."""
        if self._is_refreshing or (is_settled and not self._is_end_told):
            return True
        return self.is_refresh_due and (self._may_mark_refresh or self.routes.told > 0)

    def next_mark(self, *, is_settled: bool) -> bytes:
        """A message that comes now that all routes are told, or nothing."""
        if self._is_refreshing:
            self._is_refreshing = False
            return encode_route_refresh(RouteRefresh(self._family, Subtype.END))
        if is_settled and not self._is_end_told:
            self._is_end_told = True
            return end_of_rib(self._family)
        if not self.is_refresh_due:
            return b""
        self.is_refresh_due = False
        self.routes.tell_again()
        if self._may_mark_refresh:
            self._is_refreshing = True
            return encode_route_refresh(RouteRefresh(self._family, Subtype.BEGIN))
        return self.routes.next_announcement()


def _writer(family: Family, dialect: Dialect, *, is_leaving: bool) -> Write:
    """Gives the octets of attributes. What can be told can also be told when we are leaving, which takes more room."""

    def write(attributes: RouteAttributes) -> PathAttributes | None:
        last = path_attributes(dialect, family, leaving(attributes))
        return last if last is None or is_leaving else path_attributes(dialect, family, attributes)

    return write
