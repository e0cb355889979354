"""
BFD with one BGP peer: what to watch, what a failure means to the BGP session, and what is wrong where none can be seen.

A BGP session never waits for BFD (RFC 5882 section 10.2 leaves that open, and a peer without BFD would never be
heard). It ends where a session that was Up goes down, unless the peer has taken it down on purpose.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from socket import if_nametoindex

from reconciler.announcers.bgp_bfd_sessions import BFDSessions, Watch
from reconciler.announcers.bgp_parameters import Track, bfd_parameters_of, is_beyond_the_link, track_of
from reconciler.announcers.port import SessionReportKind
from reconciler.bfd.demultiplexing import PathError
from reconciler.bfd.packets import Diagnostic, State
from reconciler.bfd.session import Event, Heard, StateChanged, Unheard
from reconciler.bfd.sockets import SocketError
from reconciler.bfd.transport import Counts
from reconciler.errors import ReconcilerError
from reconciler.model.peers import BGPPeer

_log = logging.getLogger(__name__)

# Seconds. A peer that has BFD sends once a second before it is up; after so many silences he has none.
_PATIENCE = 5.0
_OPEN_AGAIN = 5.0

_ECHO = "its profile asks for echo packets, which are not used: control packets alone watch the path"
_WAITING = "waiting"

_DIAGNOSTICS = {
    Diagnostic.DETECTION_TIME_EXPIRED: "nothing was heard of the peer for the detection time",
    Diagnostic.NEIGHBOR_SIGNALED_DOWN: "the peer says that it does not hear us any more",
}


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known of the peer: its address, 4 or 16 octets, and whether it is a neighbour on the link."""

    remote: bytes | None = None
    is_on_link: bool | None = None


class PeerBFD:
    """
    The BFD side of one peer.

    Args:
        sessions: All BFD sessions of the node.
        report: Takes what happened, with its sentence.
        fail: Ends the BGP session, for a reason in words.
        clock: Seconds on a monotonic clock.
    """

    def __init__(
        self,
        sessions: BFDSessions,
        report: Callable[[SessionReportKind, str], None],
        fail: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._sessions = sessions
        self._report = report
        self._fail = fail
        self._clock = clock
        self._peer: BGPPeer | None = None
        self._watch: Watch | None = None
        self._state = State.DOWN
        self._since = clock()
        # When the peer was heard no more, or watched first; None while it is heard.
        self._silent_since: float | None = None
        self._bgp_since: float | None = None
        self._fault: str | None = None
        self._open_at = -inf
        self._is_absence_told = False
        self._earlier = Counts()
        self.ups = self.downs = 0

    @property
    def words(self) -> str | None:
        """The state in words; None where no BFD is asked for."""
        if self._peer is None or self._peer.bfd is None:
            return None
        return _WAITING if self._watch is None else self._state.name.lower().replace("_", "-")

    @property
    def since(self) -> float | None:
        """Since when that is so."""
        return None if self.words is None else self._since

    @property
    def problem(self) -> str | None:
        """What is wrong, in words; also what of the profile is not done."""
        if self._peer is None or self._peer.bfd is None:
            return None
        if self._fault is not None:
            return self._fault
        return self._missing() or (_ECHO if self._peer.bfd.echo_mode else None)

    def counts(self) -> Counts:
        """Packets of all sessions there were with this peer."""
        now = Counts() if self._watch is None else self._watch.counts()
        return Counts(
            received=self._earlier.received + now.received,
            sent=self._earlier.sent + now.sent,
            unsent=self._earlier.unsent + now.unsent,
        )

    def attend(self, peer: BGPPeer, sight: Sight) -> None:
        """Watch a peer of which so much is known as it is configured."""
        self._peer = peer
        if peer.bfd is None:
            self.close()
            return
        try:
            track = self._track(peer, sight)
            if track is None:
                return
            parameters = bfd_parameters_of(peer.bfd)
            if self._watch is not None and self._watch.track == track:
                self._watch.change(parameters)
            elif self._watch is not None or self._clock() >= self._open_at:
                self._end_watch()
                self._begin(self._sessions.watch(track, parameters, self._happened))
            else:
                return
        except (ReconcilerError, OSError) as exc:
            self._cannot(exc)
        else:
            self._fault = None

    def bgp_changed(self, *, is_established: bool) -> None:
        """There is a BGP session with the peer, or there is none."""
        if is_established == (self._bgp_since is not None):
            return
        self._bgp_since = self._clock() if is_established else None

    def look(self) -> None:
        """Report a peer that has no BFD; to be called from time to time."""
        is_absent = self._is_absent()
        if is_absent and not self._is_absence_told:
            self._report(SessionReportKind.BFD_ABSENT, "the BGP session is there, but the peer sends no BFD packets")
        self._is_absence_told = is_absent

    def close(self) -> None:
        """Watch no more; the peer is told that this is no failure."""
        self._end_watch()
        self._fault, self._open_at = None, -inf

    def _track(self, peer: BGPPeer, sight: Sight) -> Track | None:
        is_multihop = is_beyond_the_link(peer, is_on_link=sight.is_on_link)
        if sight.remote is None or is_multihop is None:
            # As long as there was no connection, what is watched already is right.
            return None
        interface = 0 if peer.interface is None else if_nametoindex(peer.interface)
        return track_of(peer, sight.remote, interface, is_multihop=is_multihop)

    def _begin(self, watch: Watch) -> None:
        self._watch = watch
        # Another peer at the address may have had the session before.
        self._state, self._since = watch.state, self._clock()
        self._silent_since = self._since if self._state in {State.DOWN, State.ADMIN_DOWN} else None

    def _end_watch(self) -> None:
        if self._watch is not None:
            self._earlier = self.counts()
            watch, self._watch = self._watch, None
            watch.close()
            self._state, self._since = State.DOWN, self._clock()

    def _cannot(self, exc: Exception) -> None:
        self._end_watch()
        self._open_at = self._clock() + _OPEN_AGAIN
        words = "another peer of this node has the same path" if isinstance(exc, PathError) else str(exc)
        fault = words if isinstance(exc, (SocketError, PathError)) else f"BFD cannot be begun: {words}"
        if fault != self._fault:
            self._fault = fault
            _log.warning("peer %s: no BFD session: %s", "" if self._peer is None else self._peer.name, fault)

    def _happened(self, event: Event) -> None:
        match event:
            case Heard():
                self._silent_since, self._is_absence_told = None, False
            case Unheard():
                self._silent_since = self._clock()
            case StateChanged():
                self._moved(event)

    def _moved(self, event: StateChanged) -> None:
        self._state, self._since = event.after, self._clock()
        if event.after == State.UP:
            self.ups += 1
            self._report(SessionReportKind.BFD_UP, "the BFD session is up")
        elif event.before == State.UP:
            self.downs += 1
            self._went_down(event)

    def _went_down(self, event: StateChanged) -> None:
        if event.after == State.ADMIN_DOWN:
            return
        if event.remote_state == State.ADMIN_DOWN:
            # RFC 5882 section 3.2: nothing has failed.
            message = "the peer has ended the BFD session on purpose; the BGP session goes on without it"
            self._report(SessionReportKind.BFD_DOWN, message)
            return
        why = _DIAGNOSTICS.get(event.diagnostic, "the path has failed")
        self._report(SessionReportKind.BFD_DOWN, f"the BFD session is down: {why}")
        self._fail(f"BFD is down: {why}")

    def _is_absent(self) -> bool:
        return self._watch is not None and self._silent_since is not None and self._is_due(self._silent_since)

    def _is_due(self, since: float) -> bool:
        return self._bgp_since is not None and self._clock() - max(self._bgp_since, since) >= _PATIENCE

    def _missing(self) -> str | None:
        if self._is_absent():
            return "the peer sends no BFD packets"
        if self._watch is not None and self._state != State.UP and self._is_due(self._since):
            return f"the peer sends BFD packets, but the session does not come up: it is {self.words}"
        return None
