"""
One BGPPeer on this node: its password, its session and the BFD session that guards it.

The session begins anew where its own terms change, and for no other reason: a definition that differs in its
selectors, its name or the name of its BFD profile is taken over as it is.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from reconciler.announcers.bgp_bfd import PeerBFD, Sight
from reconciler.announcers.bgp_bfd_sessions import BFDSessions
from reconciler.announcers.bgp_chronicle import FAMILY_WORDS, Chronicle
from reconciler.announcers.bgp_farewells import Farewells, Place, place_of
from reconciler.announcers.bgp_listening import Listening
from reconciler.announcers.bgp_parameters import Terms, terms_of
from reconciler.announcers.bgp_password import Password, ReadSecret
from reconciler.announcers.bgp_routes import RouteTable
from reconciler.announcers.facts import PeerSession
from reconciler.announcers.port import SessionReport, SessionReportKind
from reconciler.bgp.dialect import dialect_of
from reconciler.bgp.events import Established, Event
from reconciler.bgp.families import Family
from reconciler.bgp.notification import Cease
from reconciler.bgp.parameters import RESTART_TIME
from reconciler.bgp.transport import Neighbor, Transport
from reconciler.model.peers import BGPPeer
from reconciler.model.settings import BGPDrainSettings, BGPPeerSettings

_log = logging.getLogger(__name__)

# Seconds that a peer may take to read what it is told at the end.
_PATIENCE = 2.0
_LEVELS = {
    SessionReportKind.ESTABLISHED: logging.INFO,
    SessionReportKind.CLOSED: logging.INFO,
    SessionReportKind.PROBLEM_OVER: logging.INFO,
    SessionReportKind.BFD_UP: logging.INFO,
}
_CHANGED = "its configuration has changed"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all peers of a node have in common; `is_restarting`: a peer may still have routes of an earlier process."""

    transport: Callable[[], Transport]
    bfd: BFDSessions
    routes: RouteTable
    listening: Listening
    farewells: Farewells
    read_secret: ReadSecret
    report: Callable[[SessionReport], None]
    clock: Callable[[], float]
    is_restarting: Callable[[], bool]


class Peering:
    """Made for one definition, and given others by `define`. All of it is called in the event loop."""

    def __init__(self, around: Surroundings, peer: BGPPeer, settings: BGPPeerSettings) -> None:
        self.peer = peer
        self._around = around
        self._settings = settings
        self._password = Password(around.read_secret, self._password_news)
        self._chronicle = Chronicle(peer, self._report, around.clock)
        self._bfd = PeerBFD(around.bfd, self._report, self._bfd_failed, around.clock)
        self._terms: Terms | None = None
        self._neighbor: Neighbor | None = None
        # Counts sessions: an event of an earlier one may still be on its way.
        self._number = 0
        self._is_on_link: bool | None = None
        self._opening: asyncio.Task[None] | None = None
        self._told_problem: str | None = None
        self._is_over = False
        self.define(peer, settings)

    def make_way(self, peer: BGPPeer, settings: BGPPeerSettings) -> None:
        """It is to be that peer in a moment: leave the place and the name that it then has no more."""
        if place_of(terms_of(peer, settings, None).remote) != self.place:
            self._part(Cease.OTHER_CONFIGURATION_CHANGE, _CHANGED)
        elif peer.name != self.peer.name and self._neighbor is not None:
            self._around.routes.silence_all(self.peer.name)

    def define(self, peer: BGPPeer, settings: BGPPeerSettings) -> None:
        """Be that peer from now on."""
        self._chronicle.peer = peer
        if peer.name != self.peer.name and self._neighbor is not None:
            self._around.routes.carry(peer.name, self._neighbor.rib)
        self.peer, self._settings = peer, settings
        self._password.follow(peer)
        self._adjust()

    def is_same_session(self, peer: BGPPeer, settings: BGPPeerSettings) -> bool:
        """Whether a definition, which may have another name, would have the very session that there is."""
        if self._terms is None or peer.password_secret != self.peer.password_secret:
            return False
        password = peer.password.encode() if peer.password else None
        return terms_of(peer, settings, self._password.value if peer.password_secret else password) == self._terms

    @property
    def place(self) -> Place | None:
        """Where its session is, or is to be; None as long as its password is not known."""
        return None if self._terms is None else place_of(self._terms.remote)

    def read_secret_again(self) -> None:
        """The password may have changed."""
        self._password.again()

    def look(self) -> None:
        """Do what is due; report what is amiss, and what is not any more."""
        if self._is_over:
            return
        if self._neighbor is not None:
            self._bfd.attend(self.peer, self._sight(self._neighbor))
        self._bfd.look()
        problem = self.problem
        if problem == self._told_problem:
            return
        self._told_problem = problem
        if problem is None:
            self._report(SessionReportKind.PROBLEM_OVER, "what was amiss is not any more")
        else:
            self._report(SessionReportKind.PROBLEM, problem)

    @property
    def problem(self) -> str | None:
        """What keeps us from even trying, or routes from being told."""
        routes = self._around.routes.of(self.peer.name)
        found = (
            self._password.problem,
            self._around.listening.why_not() if self._settings.passive else None,
            None if self._neighbor is None else self._neighbor.problem,
            None if self._neighbor is None else _what_cannot_be_told(self._neighbor, routes.allowed),
            routes.complaint(),
        )
        return "; ".join(problem for problem in found if problem is not None) or None

    def fact(self) -> PeerSession:
        """How it stands."""
        routes = self._around.routes.of(self.peer.name)
        wanted = sum(routes.allowed.values()) + len(routes.refused)
        return self._chronicle.fact(self._neighbor, self._bfd, wanted=wanted, problem=self.problem)

    def tell(self) -> None:
        """There is something new in the rib."""
        if self._neighbor is not None:
            self._neighbor.tell()

    def end(self, subcode: Cease, why: str) -> None:
        """It is not wanted any more; the rest goes on by itself."""
        self._is_over = True
        self._stop_waiting()
        self._part(subcode, why)
        self._bfd.close()

    async def leave(self, drain: BGPDrainSettings | None, farewell: str, *, preserving: bool) -> None:
        """The process ends: see `BGPAnnouncer.leave`. Without `drain` it ends at once."""
        self._is_over = True
        self._stop_waiting()
        neighbor = self._neighbor
        if neighbor is None or self._terms is None:
            self._bfd.close()
            return
        agreement = neighbor.agreement
        # A peer that is not back yet may still keep what it had of us before.
        has_agreed = agreement is None or agreement.graceful_restart is not None
        if preserving and self._terms.parameters.graceful_restart and has_agreed:
            self._log_leave(f"it keeps our routes for up to {RESTART_TIME} s")
            # Before BFD ends: FRR would take the end of BFD for a failure, and forget what it is to keep.
            self._around.farewells.begin(place_of(self._terms.remote), neighbor.leave())
        else:
            if drain is not None:
                await self._drain(neighbor, drain)
            self._log_leave("our routes go with it")
            self._around.farewells.begin(
                place_of(self._terms.remote), neighbor.close(Cease.ADMINISTRATIVE_SHUTDOWN, farewell)
            )
        await self._around.farewells.over(place_of(self._terms.remote))
        self._bfd.close()

    def _log_leave(self, what: str) -> None:
        if self._chronicle.is_established:
            _log.info("peer %s: we end the session: %s", self.peer.name, what, extra={"peer": self.peer.name})

    async def _drain(self, neighbor: Neighbor, drain: BGPDrainSettings) -> None:
        """Routes are told to be about to go, then withdrawn; each time a peer gets a while to act on it."""
        if neighbor.agreement is None or not neighbor.rib.told:
            return
        if drain.graceful_shutdown:
            neighbor.rib.leave(is_leaving=True)
            neighbor.tell()
            if await neighbor.drained(_PATIENCE):
                await asyncio.sleep(drain.wait)
        self._around.routes.silence_all(self.peer.name)
        neighbor.tell()
        if await neighbor.drained(_PATIENCE):
            await asyncio.sleep(drain.wait_withdrawn)

    def _adjust(self) -> None:
        """Make the session what the definition says, as soon as the password is known."""
        if self._is_over or not self._password.is_known:
            return
        terms = terms_of(self.peer, self._settings, self._password.value)
        if terms != self._terms:
            if self._terms is None or place_of(terms.remote) != place_of(self._terms.remote):
                # Of another place nothing is known yet, and what watches this one is of no use there.
                self._is_on_link = None
                self._bfd.close()
            self._part(Cease.OTHER_CONFIGURATION_CHANGE, _CHANGED)
            self._terms = terms
        if self._neighbor is None and self._opening is None:
            self._open(terms)
        self.look()

    def _open(self, terms: Terms) -> None:
        around, place = self._around, place_of(terms.remote)
        if not around.farewells.is_free(place):
            self._opening = asyncio.create_task(self._open_later(place))
            return
        parameters = replace(terms.parameters, is_restarting=around.is_restarting())
        happened = partial(self._happened, self._number)
        self._neighbor = around.transport().open(parameters, terms.remote, happened, lambda _: self.look())
        around.routes.carry(self.peer.name, self._neighbor.rib)

    async def _open_later(self, place: Place) -> None:
        await self._around.farewells.over(place)
        self._opening = None
        # The terms may be others by now, and so may the place.
        if self._terms is not None:
            self._open(self._terms)
            self.look()

    def _part(self, subcode: Cease, why: str) -> None:
        neighbor, self._neighbor = self._neighbor, None
        if neighbor is None or self._terms is None:
            return
        self._number += 1
        self._around.routes.carry_nowhere(self.peer.name)
        self._chronicle.parted(why)
        self._bfd.bgp_changed(is_established=False)
        self._around.farewells.begin(place_of(self._terms.remote), neighbor.close(subcode, why))

    def _stop_waiting(self) -> None:
        self._password.close()
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None

    def _happened(self, number: int, event: Event) -> None:
        if number != self._number:
            return
        self._chronicle.happened(event, self._neighbor)
        if isinstance(event, Established):
            self._is_on_link = event.local.is_on_link
        self._bfd.bgp_changed(is_established=self._chronicle.is_established)
        self.look()

    def _password_news(self) -> None:
        self._adjust()
        self.look()

    def _bfd_failed(self, why: str) -> None:
        if self._neighbor is not None and self._neighbor.agreement is not None:
            self._neighbor.fail(Cease.BFD_DOWN, why)

    def _sight(self, neighbor: Neighbor) -> Sight:
        return Sight(neighbor.remote_address, self._is_on_link)

    def _report(self, kind: SessionReportKind, message: str) -> None:
        if self._is_over and kind is SessionReportKind.BFD_DOWN:
            # The peer has ended it, because we are leaving.
            return
        _log.log(
            _LEVELS.get(kind, logging.WARNING), "peer %s: %s", self.peer.name, message, extra={"peer": self.peer.name}
        )
        self._around.report(SessionReport(kind=kind, peer=self.peer.name, message=message))


def _what_cannot_be_told(neighbor: Neighbor, allowed: Mapping[Family, int]) -> str | None:
    """Of routes that the session carries, those for which this node has no address to be reached at."""
    agreement, local = neighbor.agreement, neighbor.local
    if agreement is None or local is None:
        return None
    # The AS is not what this depends on.
    without = dialect_of(0, agreement, local).without_next_hop
    names = [FAMILY_WORDS[family] for family in sorted(without) if allowed[family]]
    if not names:
        return None
    both = " and ".join(names)
    return f"{both} routes are not told: the interface towards the peer has no {both} address to be their next hop"
