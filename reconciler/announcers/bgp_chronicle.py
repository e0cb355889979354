"""What became of the session with one BGP peer: reported once, and kept for the status."""

import logging
from collections.abc import Callable

from reconciler.addresses.family import unpacked
from reconciler.announcers.bgp_bfd import PeerBFD
from reconciler.announcers.bgp_parameters import local_asn_of, terms_of
from reconciler.announcers.facts import PeerSession, SessionCounts
from reconciler.announcers.port import SessionReportKind
from reconciler.bgp.events import Counts, Ended, Established, Event, RoutesRefused, State, StateChanged
from reconciler.bgp.families import Family
from reconciler.bgp.remote import remote_text
from reconciler.bgp.transport import Neighbor
from reconciler.model.peers import BGPPeer
from reconciler.model.settings import BGPPeerSettings

_log = logging.getLogger(__name__)

FAMILY_WORDS = {Family.IPV4: "IPv4", Family.IPV6: "IPv6"}


class Chronicle:
    """
    Takes events in order. `peer` is the definition in force.

    Args:
        peer: The first one.
        report: Takes what happened, with its sentence.
        clock: Seconds on a monotonic clock.
    """

    def __init__(
        self, peer: BGPPeer, report: Callable[[SessionReportKind, str], None], clock: Callable[[], float]
    ) -> None:
        self.peer = peer
        self._report = report
        self._clock = clock
        self._state = State.IDLE
        self._since = clock()
        self._last_error: str | None = None
        self._last_error_at: float | None = None
        self._retry_at: float | None = None
        # The last failure of an attempt that the log has: others with the same words say nothing new.
        self._logged: str | None = None
        self.is_established = False

    def happened(self, event: Event, neighbor: Neighbor | None) -> None:
        """Take in what the session's machine says."""
        match event:
            case StateChanged(after=after):
                self._move(after)
            case Established():
                self._established(event, neighbor)
            case Ended():
                self._ended(event, neighbor)
            case RoutesRefused(why=why):
                # We use none of its routes, but whoever sends them may not know that they are in error.
                _log.warning(
                    "peer %s: routes of it are passed over: %s", self.peer.name, why, extra={"peer": self.peer.name}
                )

    def parted(self, why: str) -> None:
        """We have ended the session, or the attempts at it; nothing more is heard of it."""
        if self.is_established:
            self._report(SessionReportKind.CLOSED, _has_ended(why))
        self.is_established, self._retry_at = False, None
        self._move(State.IDLE)

    def fact(self, neighbor: Neighbor | None, bfd: PeerBFD, *, wanted: int, problem: str | None) -> PeerSession:
        """All there is to tell."""
        agreement = None if neighbor is None else neighbor.agreement
        families = sorted(agreement.families) if agreement else ()
        return PeerSession(
            peer=self.peer.name,
            remote=self._remote if neighbor is None else neighbor.remote_text,
            vrf=self.peer.vrf,
            state=self._state,
            since=self._since,
            local_asn=local_asn_of(self.peer),
            remote_asn=agreement.remote_asn if agreement else None,
            remote_router_id=str(unpacked(agreement.remote_router_id)) if agreement else None,
            hold_time=agreement.hold_time if agreement else None,
            graceful_restart=agreement is not None and agreement.graceful_restart is not None,
            families=tuple(FAMILY_WORDS[family] for family in families),
            wanted=wanted,
            told=0 if neighbor is None else neighbor.rib.told,
            received=0 if neighbor is None else neighbor.counts().received_prefixes,
            last_error=self._last_error,
            last_error_at=self._last_error_at,
            retry_at=self._retry_at,
            problem=problem,
            bfd=bfd.words,
            bfd_problem=bfd.problem,
            bfd_since=bfd.since,
            counts=_counts(neighbor, bfd),
        )

    @property
    def _remote(self) -> str:
        return remote_text(terms_of(self.peer, BGPPeerSettings(self.peer.name), None).remote)

    def _move(self, state: State) -> None:
        if state != self._state:
            self._state, self._since = state, self._clock()
        if state is not State.IDLE:
            self._retry_at = None

    def _established(self, event: Established, neighbor: Neighbor | None) -> None:
        self.is_established, self._retry_at, self._logged = True, None, None
        agreed = event.agreement
        families = " and ".join(FAMILY_WORDS[family] for family in sorted(agreed.families))
        hold = f"hold time {agreed.hold_time:g} s" if agreed.hold_time else "no hold time"
        remote = self._remote if neighbor is None else neighbor.remote_text
        message = f"session with {remote}, AS {agreed.remote_asn}: {families}, {hold}"
        self._report(SessionReportKind.ESTABLISHED, message)

    def _ended(self, event: Ended, neighbor: Neighbor | None) -> None:
        now = self._clock()
        self._last_error, self._last_error_at = event.why, now
        self._retry_at = None if event.retry_in is None else now + event.retry_in
        if event.was_established:
            self.is_established = False
            self._report(SessionReportKind.ENDED, _has_ended(event.why))
        # What is in the way is told as a problem.
        elif event.why != self._logged and (neighbor is None or event.why != neighbor.problem):
            self._logged = event.why
            _log.warning("peer %s: no session yet: %s", self.peer.name, event.why, extra={"peer": self.peer.name})


def _has_ended(why: str) -> str:
    return f"the session has ended: {why}"


def _counts(neighbor: Neighbor | None, bfd: PeerBFD) -> SessionCounts:
    packets = bfd.counts()
    counted = Counts() if neighbor is None else neighbor.counts()
    return SessionCounts(
        opens_sent=counted.opens_sent,
        opens_received=counted.opens_received,
        notifications_sent=counted.notifications_sent,
        notifications_received=counted.notifications_received,
        updates_sent=counted.updates_sent,
        updates_received=counted.updates_received,
        keepalives_sent=counted.keepalives_sent,
        keepalives_received=counted.keepalives_received,
        route_refreshes_sent=counted.route_refreshes_sent,
        route_refreshes_received=counted.route_refreshes_received,
        established=counted.established,
        updates_refused=counted.updates_refused,
        bfd_packets_sent=packets.sent,
        bfd_packets_received=packets.received,
        bfd_up_events=bfd.ups,
        bfd_down_events=bfd.downs,
    )
