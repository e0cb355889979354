"""What the BGP announcer tells, as rows of the status and numbers of the metrics. No I/O."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from msgspec.structs import asdict

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.family import Address
from reconciler.announcers.facts import PeerSession
from reconciler.bgp.events import State
from reconciler.model.announcements import RouteAnnouncement
from reconciler.placement.decisions import Placed
from reconciler.telemetry.sessions import SessionRow, SessionTally
from reconciler.telemetry.speaker_status import AnnouncementRow, AnnouncementState


class SessionRows:
    """
    Makes the rows. For any thread.

    It remembers since when each peer has been without a session, and what time of day an instant was: worked out anew
    each time it would waver by a second, and a document that is written on change would be written for nothing.
    """

    def __init__(self) -> None:
        self._down_since: Mapping[str, float] = {}
        self._moments: Mapping[float, datetime] = {}

    def rows(self, sessions: Iterable[PeerSession], now: datetime, clock: float) -> tuple[SessionRow, ...]:
        """
        The rows of these, in their order.

        Args:
            sessions: One for each BGPPeer of this node.
            now: The time of day, in UTC.
            clock: The same moment in seconds on the announcer's clock.
        """
        facts = tuple(sessions)
        before, down = self._down_since, dict[str, float]()
        for fact in facts:
            if fact.state != State.ESTABLISHED:
                down[fact.peer] = before.get(fact.peer, fact.since)
        known = self._moments
        instants = {instant for fact in facts for instant in _instants(fact) if instant is not None}
        moments = {
            instant: known.get(instant) or (now + timedelta(seconds=instant - clock)).replace(microsecond=0)
            for instant in {*instants, *down.values()}
        }
        self._down_since, self._moments = down, moments
        return tuple(_row(fact, down.get(fact.peer), moments) for fact in facts)


def _instants(fact: PeerSession) -> tuple[float | None, ...]:
    return fact.since, fact.last_error_at, fact.retry_at, fact.bfd_since


def _row(fact: PeerSession, down_since: float | None, moments: Mapping[float, datetime]) -> SessionRow:
    since, last_error_at, retry_at, bfd_since = (
        None if instant is None else moments[instant] for instant in _instants(fact)
    )
    return SessionRow(
        peer=fact.peer,
        remote=fact.remote,
        vrf=fact.vrf,
        state=State(fact.state),
        since=since,
        down_since=None if down_since is None else moments[down_since],
        local_asn=fact.local_asn,
        remote_asn=fact.remote_asn,
        remote_router_id=fact.remote_router_id,
        hold_time=fact.hold_time,
        graceful_restart=fact.graceful_restart,
        families=fact.families,
        wanted=fact.wanted,
        told=fact.told,
        received=fact.received,
        last_error=fact.last_error,
        last_error_at=last_error_at,
        retry_at=retry_at,
        problem=fact.problem,
        bfd=fact.bfd,
        bfd_since=bfd_since,
        bfd_problem=fact.bfd_problem,
    )


def tallies(sessions: Iterable[PeerSession]) -> Mapping[str, SessionTally]:
    """What was counted for each BGPPeer, by its name."""
    return {fact.peer: SessionTally(**asdict(fact.counts)) for fact in sessions}


def route_rows(placed: Iterable[Placed], sessions: Iterable[SessionRow]) -> Iterator[AnnouncementRow]:
    """
    A row for each address and the prefix that it is told in, of what placement wants; Layer 2 is passed over.

    It counts as announced where one of its peers has a session.
    """
    established = {row.peer for row in sessions if row.is_established}
    found: dict[tuple[Address, AddressRange], tuple[set[str], set[str]]] = {}
    for one in placed:
        route = one.announcement
        if isinstance(route, RouteAnnouncement):
            services, peers = found.setdefault((one.address, route.prefix), (set(), set()))
            services.add(one.service)
            peers.add(route.peer)
    for (address, prefix), (services, peers) in found.items():
        yield AnnouncementRow(
            services=tuple(sorted(services)),
            address=str(address),
            protocol="bgp",
            prefix=str(prefix),
            peers=tuple(sorted(peers)),
            state=AnnouncementState.NO_SESSION if established.isdisjoint(peers) else AnnouncementState.ANNOUNCED,
        )
