"""
One configured peer: its connections, its timers, its session (RFC 4271 section 8). No I/O.

Time, octets and what became of connections go in; commands for the transport, octets and events come out. There may be
two connections for a while, one that we opened and one that the peer did: which of them stays is decided here
(section 6.8). After every call, `commands`, `events`, `deadline` and `data_to_send` are to be looked at.

Every `now` is in seconds on one monotonic clock.
"""

from collections.abc import Callable
from math import inf

from reconciler.bgp.adj_rib_out import AdjRibOut
from reconciler.bgp.backoff import Backoff
from reconciler.bgp.collision import keeps_its_own
from reconciler.bgp.connection import TALKING, Connection, Ending
from reconciler.bgp.events import (
    Close,
    Command,
    Counts,
    Ended,
    Established,
    Event,
    RoutesRefused,
    State,
    StateChanged,
)
from reconciler.bgp.framing import MessageType
from reconciler.bgp.fsm import Input
from reconciler.bgp.messages import encode_notification
from reconciler.bgp.negotiation import refuses_capabilities
from reconciler.bgp.notification import Cease, cease
from reconciler.bgp.occurrences import Occurrence
from reconciler.bgp.our_side import OurSide
from reconciler.bgp.parameters import Agreement, LocalEnd, SessionParameters
from reconciler.bgp.timers import Timer

_ORDER = list(State)
# Seconds. A second connection so soon was on its way when the session was established; a later one is no collision.
_COLLISION_WINDOW = 5.0


class Peer:
    """The machine. `jitter` gives uniform random numbers in [0, 1)."""

    def __init__(
        self,
        parameters: SessionParameters,
        rib: AdjRibOut,
        *,
        jitter: Callable[[], float],
        send_hold_time: float | None = None,
    ) -> None:
        """`send_hold_time` in seconds, instead of that of RFC 9687."""
        self._side = OurSide(
            parameters=parameters,
            rib=rib,
            jitter=jitter,
            backoff=Backoff(parameters.connect_retry_time),
            is_restarting=parameters.is_restarting,
            send_hold_time=send_hold_time,
        )
        self._is_started = False
        self._outgoing = Connection(self._side, self, is_outgoing=True)
        # At most one of them is not established.
        self._accepted: list[Connection] = []
        self._state = State.IDLE
        self._events: list[Event] = []

    # The owner

    def start(self, now: float) -> None:
        """Begin to look for a session, and go on until `stop` or `leave`."""
        if self._is_started:
            return
        self._is_started = True
        is_passive = self._side.parameters.is_passive
        self._outgoing.handle(Occurrence(Input.MANUAL_START_PASSIVE if is_passive else Input.MANUAL_START), now)

    def stop(self, now: float, subcode: Cease, message: str = "") -> None:
        """End everything, with a CEASE to whom it may concern."""
        self._is_started = False
        notification = cease(subcode, message)
        for connection in self._connections():
            connection.stop(Occurrence(Input.MANUAL_STOP, f"we ended it: {notification}", notification), now)

    def leave(self, now: float) -> None:
        """End everything without a word, so that a peer that agreed to graceful restart keeps our routes."""
        self._is_started = False
        for connection in self._connections():
            connection.handle(Occurrence(Input.LEAVE, "we leave, and come back"), now)

    def fail(self, now: float, subcode: Cease, why: str) -> None:
        """End the session there is with a CEASE, because of something that the owner knows; then try again as usual."""
        for connection in self._connections():
            if connection.state in TALKING:
                connection.stop(Occurrence(Input.AUTOMATIC_STOP, why, cease(subcode)), now)

    # The transport

    def connected(self, connection: int, local: LocalEnd, now: float) -> None:
        """The connection that was asked for with `Dial` is open. Its number is new."""
        if self._outgoing.is_dialing:
            self._outgoing.opened(connection, local, now)
        else:
            self._side.commands.append(Close(connection))

    def dial_failed(self, why: str, now: float) -> None:
        """It could not be opened; `why` names the cause in words."""
        if self._outgoing.is_dialing:
            self._outgoing.lost(why, now)

    def hindered(self, why: str | None) -> None:
        """It cannot even be tried, for that reason; None where it can again. There will be an answer all the same."""
        self._side.hindrance = why

    def accepted(self, connection: int, local: LocalEnd, now: float) -> None:
        """The peer has opened one. Where it is not wanted, a `Close` follows, maybe with a CEASE before it."""
        established = self._established()
        if not self._is_started:
            self._refuse(connection, Cease.CONNECTION_REJECTED)
        elif established is not None and not self._may_be_dead(established, now):
            self._refuse(connection, Cease.COLLISION)
        else:
            # Nobody opens a second connection before the first has failed, whatever we know of that one.
            for older in [each for each in self._accepted if each is not established]:
                older.handle(Occurrence(Input.COLLISION, "the peer has opened another connection"), now)
            incoming = Connection(self._side, self, is_outgoing=False)
            self._accepted.append(incoming)
            incoming.opened(connection, local, now)

    def received(self, connection: int, data: bytes, now: float) -> None:
        """Octets have arrived, cut anywhere."""
        if (found := self._find(connection)) is not None:
            found.receive(data, now)

    def closed(self, connection: int, why: str, now: float) -> None:
        """A connection has ended without our doing; `why` is empty where the peer closed it in order."""
        if (found := self._find(connection)) is not None:
            found.lost(why or "the peer closed the connection", now)

    def data_to_send(self, connection: int, limit: int) -> bytes:
        """Octets for a connection, about so many; ask again until it is empty, or the connection takes no more."""
        if (found := self._find(connection)) is not None:
            return found.data_to_send(limit)
        return self._side.farewells.pop(connection, b"")

    def progressed(self, connection: int, now: float) -> None:
        """The kernel has taken octets of that connection, or has none left to take: the peer reads (RFC 9687)."""
        if (found := self._find(connection)) is not None:
            found.progressed(now)

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        for connection in self._connections():
            connection.handle_timer(now)

    def deadline(self) -> float:
        """When to call `handle_timer`; infinity for never."""
        return min(connection.deadline() for connection in self._connections())

    def commands(self) -> list[Command]:
        """What the transport is to do, in order; each is given once."""
        commands, self._side.commands = self._side.commands, []
        return commands

    def events(self) -> list[Event]:
        """What happened, in order; each is given once."""
        events, self._events = self._events, []
        return events

    # Whoever wants to know

    @property
    def state(self) -> State:
        """Of the session, or of the attempt that has come farthest."""
        return self._state

    @property
    def agreement(self) -> Agreement | None:
        """Of the established session."""
        established = self._established()
        return None if established is None else established.agreement

    def counts(self) -> Counts:
        """Since the peer was made."""
        established = self._established()
        return self._side.counts(0 if established is None else established.prefixes.announced)

    # Between the connections

    def is_superfluous(self, connection: Connection, agreement: Agreement, now: float) -> bool:
        """Which of two connections stays (RFC 4271 section 6.8); the other one, if it is older, is ended here."""
        for other in self._connections():
            if other is connection:
                continue
            if other.state is State.ESTABLISHED:
                if not self._may_be_dead(other, now) or not _is_restarting(agreement):
                    return True
                # RFC 4724 section 4.2: without a NOTIFICATION, which nobody would read.
                other.handle(Occurrence(Input.LEAVE, "the peer has restarted, and connected anew"), now)
            elif other.state is State.OPEN_CONFIRM:
                if other.is_outgoing == self._keeps_outgoing(connection, agreement):
                    return True
                other.handle(Occurrence(Input.COLLISION, "another connection with the peer stays"), now)
        return False

    def moved(self, connection: Connection, before: State, now: float) -> None:
        """A step of the table was done by one of them: tell of it, and keep looking for a session."""
        if connection.state is before and connection.ending is None:
            return
        if connection in self._accepted and connection.state not in TALKING:
            self._accepted.remove(connection)
        self._note_state()
        if connection.state is State.ESTABLISHED and before is not State.ESTABLISHED:
            self._settle_on(connection, now)
        ending, connection.ending = connection.ending, None
        if ending is not None and ending.opening is not None:
            self._side.with_capabilities = not self._is_refused_for_capabilities(ending)
        is_resting = self._outgoing.state is State.IDLE and self._outgoing.deadline() == inf
        if self._is_started and is_resting and not self._accepted:
            self._outgoing.search_again(now)
        is_alone = not any(each.state in TALKING for each in self._connections())
        if ending is not None and (ending.was_established or is_alone):
            retry_in = self._retry_in(now)
            self._events.append(Ended(ending.why, ending.was_established, ending.sent, ending.received, retry_in))

    def refused(self, why: str) -> None:
        """Routes of the peer were malformed, for the first time in a session."""
        self._events.append(RoutesRefused(why))

    def _settle_on(self, connection: Connection, now: float) -> None:
        agreement, local = connection.agreement, connection.local
        if agreement is None or local is None:
            return
        self._side.established += 1
        self._side.is_restarting = False
        self._events.append(Established(agreement, local))
        for other in self._connections():
            # A passive one goes on waiting in Active: it is not going to dial.
            if other is not connection and not (other.is_outgoing and self._side.parameters.is_passive):
                other.handle(Occurrence(Input.COLLISION, "another connection with the peer is established"), now)

    def _is_refused_for_capabilities(self, ending: Ending) -> bool:
        if ending.received is None or ending.opening is None or not ending.opening.capabilities:
            return False
        return refuses_capabilities(self._side.parameters, ending.received)

    def _retry_in(self, now: float) -> float | None:
        if not self._is_started or self._side.parameters.is_passive:
            return None
        due = self._outgoing.timers.due_at(Timer.IDLE_HOLD)
        if self._outgoing.state is State.ACTIVE:
            due = self._outgoing.timers.due_at(Timer.CONNECT_RETRY)
        return max(due - now, 0.0) if due < inf else 0.0

    def _may_be_dead(self, established: Connection, now: float) -> bool:
        """Whether the peer may have restarted so fast that its former connection is not known to be lost."""
        agreement = established.agreement
        if agreement is None or agreement.graceful_restart is None:
            return False
        return now - established.established_at >= _COLLISION_WINDOW

    def _keeps_outgoing(self, connection: Connection, agreement: Agreement) -> bool:
        router_id = b"" if connection.local is None else connection.local.router_id
        local_asn = self._side.parameters.local_asn
        return keeps_its_own(router_id, agreement.remote_router_id, local_asn, agreement.remote_asn)

    def _refuse(self, connection: int, subcode: Cease) -> None:
        self._side.sent[MessageType.NOTIFICATION] += 1
        self._side.close(connection, encode_notification(cease(subcode)))

    def _note_state(self) -> None:
        before, self._state = self._state, max((each.state for each in self._connections()), key=_ORDER.index)
        if before is not self._state:
            self._events.append(StateChanged(before, self._state))

    def _established(self) -> Connection | None:
        return next((each for each in self._connections() if each.state is State.ESTABLISHED), None)

    def _find(self, number: int) -> Connection | None:
        return next((each for each in self._connections() if each.number == number), None)

    def _connections(self) -> list[Connection]:
        return [*self._accepted, self._outgoing]


def _is_restarting(agreement: Agreement) -> bool:
    return agreement.graceful_restart is not None and agreement.graceful_restart.is_restarting
