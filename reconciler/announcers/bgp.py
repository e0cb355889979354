"""
Sessions with BGP peers and the routes they are told, guarded by BFD.

Who is to hear of what was decided before. Here every action of a plan reaches the table of routes or one `Peering`,
and the peers hear of a whole pass at once.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable

from reconciler.announcers.bgp_bfd_sessions import BFDSessions
from reconciler.announcers.bgp_farewells import Farewells
from reconciler.announcers.bgp_guard import ExportGuard
from reconciler.announcers.bgp_listening import Listening
from reconciler.announcers.bgp_moves import Moves
from reconciler.announcers.bgp_password import ReadSecret
from reconciler.announcers.bgp_peering import Peering, Surroundings
from reconciler.announcers.bgp_routes import RouteTable
from reconciler.announcers.facts import PeerSession
from reconciler.announcers.port import SessionReport
from reconciler.bgp.notification import Cease
from reconciler.bgp.parameters import RESTART_TIME
from reconciler.bgp.transport import Transport
from reconciler.model.announcements import Active, RouteAnnouncement, Routes
from reconciler.model.desired import DesiredState
from reconciler.model.settings import BGPDrainSettings, BGPSettings
from reconciler.plan.actions import Announce, ClosePeer, OpenPeer, SpeakerAction, Withdraw

Report = Callable[[SessionReport], None]

# Seconds between two looks at what no event tells of.
_LOOK = 1.0
_DECONFIGURED = "it is not configured here any more"


class BGPAnnouncer:
    """
    For routes and peers what `Layer2Announcer` is for addresses; actions of Layer 2 are none of its business.

    All of it is called in one event loop, in which `run` is to be running as well.

    Args:
        node: The name of this node.
        read_secret: Asks the cluster for a password.
        report: Called in the middle of the work: it is to take the report, and nothing else.
        clock: Seconds on a monotonic clock.
        restarted: Peers may still have routes of an earlier process; they are told so where they can keep them.
        open_transport: Gives the transport, at the first need of one.
        bfd: The BFD sessions.
    """

    def __init__(
        self,
        node: str,
        read_secret: ReadSecret,
        report: Report,
        *,
        clock: Callable[[], float],
        restarted: bool = False,
        open_transport: Callable[[str], Transport] = Transport,
        bfd: BFDSessions | None = None,
    ) -> None:
        self._node = node
        self._open_transport = open_transport
        self._transport: Transport | None = None
        self._clock = clock
        self._restarted_at = clock() if restarted else None
        self._settings = BGPSettings()
        self._has_new_settings = False
        self._configurations: tuple[DesiredState, ...] = ()
        self._routes = RouteTable()
        self._bfd = BFDSessions() if bfd is None else bfd
        self._farewells = Farewells()
        self._listening = Listening(self._transport_in_use, clock)
        self._peerings: dict[str, Peering] = {}
        self._is_over = False
        self._around = Surroundings(
            transport=self._transport_in_use,
            bfd=self._bfd,
            routes=self._routes,
            listening=self._listening,
            farewells=self._farewells,
            read_secret=read_secret,
            report=report,
            clock=clock,
            is_restarting=self._is_restarting,
        )
        self._active: Active | None = None

    def active(self) -> Active:
        """The routes that are wanted, and the peers that are open."""
        if self._active is None:
            peers = frozenset(peering.peer for peering in self._peerings.values())
            self._active = Active(peers=peers, routes=self._routes.routes)
        return self._active

    def desired_changed(self, desired: DesiredState, former: Collection[DesiredState] = ()) -> None:
        """
        What may leave (the export guard), and `spec.bgp`; before the actions of a pass that goes by it.

        Args:
            desired: The configuration in force.
            former: Those before it under which addresses are still announced (`Placement.former`).
        """
        if self._is_over:
            return
        configurations = (desired, *former)
        if [*map(id, configurations)] != [*map(id, self._configurations)]:
            self._configurations = configurations
            self._routes.guarded_by(ExportGuard(configurations))
        if desired.settings.bgp == self._settings:
            return
        self._settings = desired.settings.bgp
        self._listening.follow(self._settings.listen)
        # For the pass: peers may have other names by then.
        self._has_new_settings = True

    @property
    def listening_problem(self) -> str | None:
        """Why peers cannot connect to us although they are to."""
        return self._listening.problem

    def apply_all(self, actions: Iterable[SpeakerAction], *, amounting_to: Routes | None = None) -> None:
        """
        Carry out the actions of one pass, in order; L2 actions are passed over. Never waits for the network.

        To be called for every pass, also where there is nothing to do: that all is said is something to say.

        Args:
            actions: What a plan made of `active` and of what is to be.
            amounting_to: The routes that are to be, where the caller has them. Sharing them saves putting them
                together, and the next plan a comparison.
        """
        if self._is_over:
            return
        failures = self._carry_out(actions)
        if self._has_new_settings:
            self._has_new_settings = False
            for peering in self._peerings.values():
                peering.define(peering.peer, self._settings.of(peering.peer.name))
        self._active = None
        for name in self._routes.settle(amounting_to):
            if name in self._peerings:
                self._peerings[name].tell()
        for peering in self._peerings.values():
            peering.look()
        # A defect that one peer meets must not keep the others from what they are to hear. The next pass tries again.
        for failure in failures:
            raise failure

    async def run(self) -> None:
        """What has to go on beside the passes, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(_LOOK)

    def look(self) -> None:
        """Do what is due; report what no event tells of."""
        self._listening.look()
        for peering in self._peerings.values():
            peering.look()

    def read_secrets_again(self) -> None:
        """Passwords may have changed: a session whose password did is opened anew."""
        for peering in self._peerings.values():
            peering.read_secret_again()

    def sessions(self) -> tuple[PeerSession, ...]:
        """By name of the peer. For any thread."""
        # Copied at once, since peers come and go meanwhile.
        peerings = dict(self._peerings)
        return tuple(peerings[name].fact() for name in sorted(peerings))

    async def leave(self, *, preserving: bool) -> None:
        """
        Take leave of all peers (see BGPDrainSettings): it takes as long as the settings say, and some seconds more.

        `preserving`: this process is about to be started again, so peers that agreed to graceful restart keep our
        routes; the others are taken leave of in the usual way.
        """
        await self._end(self._settings.drain, preserving=preserving)

    async def close(self, *, preserving: bool = False) -> None:
        """The same without a drain, so at once; nothing happens where `leave` was before."""
        await self._end(None, preserving=preserving)

    async def _end(self, drain: BGPDrainSettings | None, *, preserving: bool) -> None:
        if self._is_over:
            return
        self._is_over = True
        farewell = f"the speaker of node {self._node} ends"
        leaving = [peering.leave(drain, farewell, preserving=preserving) for peering in self._peerings.values()]
        try:
            # Each to its end, whatever becomes of the others.
            found = await asyncio.gather(*leaving, return_exceptions=True)
            await self._farewells.over()
        finally:
            self._shut()
        for failure in found:
            if isinstance(failure, BaseException):
                raise failure

    def _shut(self) -> None:
        self._bfd.close()
        if self._transport is not None:
            self._transport.close()

    def _carry_out(self, actions: Iterable[SpeakerAction]) -> list[Exception]:
        changes: list[ClosePeer | OpenPeer] = []
        failures: list[Exception] = []
        for action in actions:
            match action:
                case ClosePeer() | OpenPeer():
                    changes.append(action)
                case Announce(RouteAnnouncement() as route):
                    if changes:
                        failures += self._change_peers(changes)
                        changes = []
                    self._routes.announce(route)
                case Withdraw(RouteAnnouncement() as route):
                    self._routes.withdraw(route)
                case _:
                    pass
        return failures + self._change_peers(changes)

    def _change_peers(self, changes: Iterable[ClosePeer | OpenPeer]) -> list[Exception]:
        """
        Let each session go to whoever would have the very same one, by whatever name; then end, and then begin.

        Returns:
            What was raised for single peers, which are closed then.
        """
        moves = Moves(self._peerings, changes, self._settings)
        for peering in moves.ended:
            peering.end(Cease.PEER_DECONFIGURED, _DECONFIGURED)
        # Nobody begins at a place, or is called by a name, that another one has still to leave.
        for peer, peering in moves.kept:
            peering.make_way(peer, self._settings.of(peer.name))
        for peer, peering in moves.kept:
            self._peerings[peer.name] = peering
            peering.define(peer, self._settings.of(peer.name))
        failures: list[Exception] = []
        for peer in moves.begun:
            try:
                self._peerings[peer.name] = Peering(self._around, peer, self._settings.of(peer.name))
            except Exception as exc:  # noqa: BLE001 - raised when the others have been served
                failures.append(exc)
        return failures

    def _transport_in_use(self) -> Transport:
        if self._transport is None:
            self._transport = self._open_transport(self._node)
        return self._transport

    def _is_restarting(self) -> bool:
        """Nobody keeps routes of an earlier process for longer than the time that we ask for."""
        return self._restarted_at is not None and self._clock() < self._restarted_at + RESTART_TIME
