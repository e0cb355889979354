"""
One connection with a peer: its state, its timers, what is said on it (RFC 4271 section 8.2). No I/O.

What happens is an `Occurrence`; the table in `fsm` says what follows from it. What two connections mean for each other
is decided by their owner.
"""

from collections.abc import Callable, Mapping
from math import inf
from typing import ClassVar, NamedTuple, Protocol

from msgspec.structs import replace

from reconciler.bgp.dialect import dialect_of
from reconciler.bgp.events import CancelDial, Dial, State
from reconciler.bgp.framing import Framer, MessageType
from reconciler.bgp.fsm import TRANSITIONS, Action, Input
from reconciler.bgp.messages import Open, encode_notification, encode_open
from reconciler.bgp.notification import Cease, Code, Notification, ProtocolError, cease, hard_reset
from reconciler.bgp.occurrences import Occurrence, Situation, hear
from reconciler.bgp.our_side import OurSide
from reconciler.bgp.outbox import Outbox
from reconciler.bgp.parameters import Agreement, LocalEnd
from reconciler.bgp.received_prefixes import ReceivedPrefixes
from reconciler.bgp.timers import EXPIRED, OPEN_HOLD_TIME, Timer, Timers

# States in which OPEN was sent.
TALKING = frozenset({State.OPEN_SENT, State.OPEN_CONFIRM, State.ESTABLISHED})

# RFC 6608.
_FSM_SUBCODES = {State.OPEN_SENT: 1, State.OPEN_CONFIRM: 2, State.ESTABLISHED: 3}
# RFC 8538 section 3.1: these mean that our routes lead nowhere from now on.
_FINAL = frozenset({Cease.MAXIMUM_PREFIXES, Cease.ADMINISTRATIVE_SHUTDOWN, Cease.PEER_DECONFIGURED, Cease.BFD_DOWN})
# Seconds. Whoever looks at the HoldTimer so much too late has not looked at what the peer said either.
_LATE = 1.0


class Ending(NamedTuple):
    """How a session or an attempt ended: in words, and by which NOTIFICATION. `opening` is what we had said."""

    why: str
    was_established: bool
    sent: Notification | None
    received: Notification | None
    opening: Open | None


class Owner(Protocol):
    """Who knows of all connections with the peer."""

    def is_superfluous(self, connection: "Connection", agreement: Agreement, now: float) -> bool:
        """A valid OPEN has come in: whether that connection has to go, because another one stays."""

    def moved(self, connection: "Connection", before: State, now: float) -> None:
        """A step of the table was done."""

    def refused(self, why: str) -> None:
        """Routes were malformed, for the first time in a session."""


class Connection:
    """One machine. The one that dials lives as long as its owner; one that was accepted, until it leaves `TALKING`."""

    def __init__(self, side: OurSide, owner: Owner, *, is_outgoing: bool) -> None:
        self.is_outgoing = is_outgoing
        self.state = State.IDLE if is_outgoing else State.ACTIVE
        self.is_dialing = False
        self.timers = Timers()
        self.ending: Ending | None = None
        self.established_at = inf
        self._side = side
        self._owner = owner
        self._occurrence = Occurrence(Input.MANUAL_START)
        self._sent: Notification | None = None
        self._begin(None, None)

    def _begin(self, number: int | None, local: LocalEnd | None) -> None:
        """Nothing of a former TCP connection is left."""
        self.number = number
        self.local = local
        self.agreement: Agreement | None = None
        self.prefixes = ReceivedPrefixes(self._side.parameters.maximum_prefixes)
        self._opening: Open | None = None
        self._framer = Framer()
        self._outbox = Outbox()
        self._is_excused = self._has_refused = False
        # Without keepalives the SendHoldTimer may be about to expire when, after hours, there is something to send. It
        # is to start anew then, as soon as somebody comes with a clock.
        self._was_quiet = True
        self._is_undated = False

    # What happens

    def handle(self, occurrence: Occurrence, now: float) -> None:
        """Do a step of the table."""
        step = TRANSITIONS[self.state, occurrence.given]
        before = self.state
        self._occurrence, self._sent = occurrence, None
        for action in step.actions:
            self._PERFORM[action](self, now)
        self.state = step.state
        self._owner.moved(self, before, now)

    def opened(self, number: int, local: LocalEnd, now: float) -> None:
        """There is a TCP connection."""
        self._begin(number, local)
        self.is_dialing = False
        self.handle(Occurrence(Input.TCP_ACKED if self.is_outgoing else Input.TCP_CONFIRMED), now)

    def lost(self, why: str, now: float) -> None:
        """There is none, or no more."""
        self.number, self.is_dialing = None, False
        self.handle(Occurrence(Input.TCP_FAILS, why), now)

    def receive(self, data: bytes, now: float) -> None:
        """Octets have arrived."""
        self._framer.feed(data)
        try:
            for kind, body in self._framer:
                self._side.received[kind] += 1
                self._hear(kind, body, now)
                if self.state not in TALKING:
                    return
        except ProtocolError as error:
            self.handle(Occurrence(Input.HEADER_ERROR, str(error), error.notification), now)

    def _hear(self, kind: MessageType, body: bytes, now: float) -> None:
        if self._opening is None:
            return
        heard = hear(kind, body, Situation(self.state, self._side.parameters, self._opening, self.agreement))
        agreement = heard.agreement
        if agreement is not None and self._owner.is_superfluous(self, agreement, now):
            heard = Occurrence(Input.COLLISION, "another connection with the peer stays")
        elif agreement is not None:
            self.agreement = agreement
            self._framer.max_length = agreement.max_length
        self.handle(heard, now)
        if self.prefixes.is_exceeded:
            why = f"the peer tells us of more than {self._side.parameters.maximum_prefixes} prefixes"
            self.stop(Occurrence(Input.AUTOMATIC_STOP, why, cease(Cease.MAXIMUM_PREFIXES)), now)

    def stop(self, occurrence: Occurrence, now: float) -> None:
        """Do a step whose CEASE may have to be said so that the peer does not keep our routes (RFC 8538)."""
        restart = None if self.agreement is None else self.agreement.graceful_restart
        said = occurrence.notification
        if said is not None and said.subcode in _FINAL and restart is not None and restart.understands_notifications:
            occurrence = replace(occurrence, notification=hard_reset(said))
        self.handle(occurrence, now)

    def search_again(self, now: float) -> None:
        """Dial after a while: the connection that this one made way for is lost."""
        self._start_idle_hold(now)

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        if self._is_undated:
            self.progressed(now)
        if now - self.timers.due_at(Timer.HOLD) >= _LATE and not self._is_excused:
            self._is_excused = True
            self.timers.start(Timer.HOLD, now + _LATE)
        while (timer := self.timers.pop_due(now)) is not None:
            self.handle(Occurrence(EXPIRED[timer], self._expiry(timer)), now)

    def deadline(self) -> float:
        """When to call `handle_timer`; infinity for never."""
        return min(self.timers.deadline(), self.established_at if self._is_undated else inf)

    def _expiry(self, timer: Timer) -> str:
        hold_time = None if self.agreement is None else self.agreement.hold_time
        match timer:
            case Timer.CONNECT_RETRY:
                return self._side.hindrance or f"nobody answered our connection within {self._side.dial_time():g} s"
            case Timer.HOLD if hold_time is None:
                return f"the peer sent no OPEN within {OPEN_HOLD_TIME:g} s"
            case Timer.HOLD:
                return f"the peer said nothing for {hold_time:g} s"
            case Timer.SEND_HOLD:
                return f"the peer took nothing for {self._side.send_hold(hold_time or 0.0):g} s"
            case Timer.KEEPALIVE | Timer.IDLE_HOLD:
                return ""

    # What is sent

    def data_to_send(self, limit: int) -> bytes:
        """Messages of the session itself, and routes behind them."""
        data = self._outbox.take()
        if self.state is not State.ESTABLISHED:
            return data
        if len(data) < limit:
            data += self._side.rib.take(limit - len(data))
        if self._was_quiet and data and self.agreement is not None and not self.agreement.hold_time:
            self._is_undated = True
        self._was_quiet = not data
        return data

    def progressed(self, now: float) -> None:
        """The peer has taken octets, or there are none for him to take."""
        self._is_undated = False
        if self.state is State.ESTABLISHED:
            self._start_send_hold(now)

    # The actions of the table

    def _start_idle_hold(self, now: float) -> None:
        if self.is_outgoing:
            self.timers.start(Timer.IDLE_HOLD, now + self._side.jittered(self._side.backoff.wait))

    def _start_connect_retry(self, now: float) -> None:
        # One that was dialed and lost leads to Active, and waits there as others do in Idle.
        is_lost = self._occurrence.given is Input.TCP_FAILS
        seconds = self._side.backoff.wait if is_lost else self._side.dial_time()
        if self.is_outgoing:
            self.timers.start(Timer.CONNECT_RETRY, now + self._side.jittered(seconds))

    def _stop_connect_retry(self, _: float) -> None:
        self.timers.stop(Timer.CONNECT_RETRY)

    def _dial(self, _: float) -> None:
        self.is_dialing = True
        self._side.commands.append(Dial())

    def _send_open(self, _: float) -> None:
        if self.local is not None:
            self._opening = self._side.opening(self.local)
            self._outbox.add(encode_open(self._opening))
            self._side.sent[MessageType.OPEN] += 1

    def _start_open_hold(self, now: float) -> None:
        self.timers.start(Timer.HOLD, now + OPEN_HOLD_TIME)

    def _send_keepalive(self, _: float) -> None:
        if self._outbox.add_keepalive():
            self._side.sent[MessageType.KEEPALIVE] += 1

    def _start_hold(self, now: float) -> None:
        self._is_excused = False
        if self.agreement is None or not self.agreement.hold_time:
            self.timers.stop(Timer.HOLD)
            return
        self.timers.start(Timer.HOLD, now + self.agreement.hold_time)

    def _start_keepalive(self, now: float) -> None:
        if self.agreement is not None and self.agreement.keepalive_time:
            self.timers.start(Timer.KEEPALIVE, now + self._side.jittered(self.agreement.keepalive_time))

    def _start_send_hold(self, now: float) -> None:
        hold_time = 0.0 if self.agreement is None else self.agreement.hold_time
        self.timers.start(Timer.SEND_HOLD, now + self._side.send_hold(hold_time))

    def _begin_routes(self, now: float) -> None:
        self.established_at = now
        if self.agreement is not None and self.local is not None:
            self._side.rib.begin(dialect_of(self._side.parameters.local_asn, self.agreement, self.local))

    def _take_update(self, _: float) -> None:
        update = self._occurrence.update
        if update is None:
            return
        self.prefixes.take(update)
        if update.fault is not None:
            self._side.updates_refused += 1
            if not self._has_refused:
                self._has_refused = True
                self._owner.refused(update.fault)

    def _tell_again(self, _: float) -> None:
        if self._occurrence.refreshed is not None:
            self._side.rib.refresh(self._occurrence.refreshed)

    def _end_routes(self, now: float) -> None:
        self._side.rib.end()
        if self.agreement is not None:
            self._side.backoff.judge(now - self.established_at, self.agreement.hold_time)

    def _send_given(self, _: float) -> None:
        self._send(self._occurrence.notification or cease(Cease.ADMINISTRATIVE_SHUTDOWN))

    def _send_collision(self, _: float) -> None:
        self._send(cease(Cease.COLLISION))

    def _send_hold_expired(self, _: float) -> None:
        self._send(Notification(Code.HOLD_TIMER_EXPIRED))

    def _send_send_hold_expired(self, _: float) -> None:
        self._send(Notification(Code.SEND_HOLD_TIMER_EXPIRED))

    def _send_fsm_error(self, _: float) -> None:
        self._send(Notification(Code.FSM, _FSM_SUBCODES[self.state]))

    def _send(self, notification: Notification) -> None:
        self._sent = notification
        self._outbox.add(encode_notification(notification))
        self._side.sent[MessageType.NOTIFICATION] += 1

    def _drop(self, _: float) -> None:
        self.timers.clear()
        if self.state not in (State.IDLE, State.ACTIVE):
            was_established = self.state is State.ESTABLISHED
            given = self._occurrence
            self.ending = Ending(given.why, was_established, self._sent, given.received, self._opening)
        if self.is_dialing:
            self._side.commands.append(CancelDial())
        if self.number is not None:
            self._side.close(self.number, self._outbox.take())
        self.is_dialing = False
        self._begin(None, None)

    def _count_failure(self, _: float) -> None:
        # Whatever connects from the peer's address and goes again must not keep us from dialing.
        if self.is_outgoing or self.established_at < inf:
            self._side.backoff.count()

    def _clear_retries(self, _: float) -> None:
        self._side.backoff.clear()

    _PERFORM: ClassVar[Mapping[Action, Callable[["Connection", float], None]]] = {
        Action.CLEAR_RETRIES: _clear_retries,
        Action.COUNT_FAILURE: _count_failure,
        Action.START_IDLE_HOLD: _start_idle_hold,
        Action.START_CONNECT_RETRY: _start_connect_retry,
        Action.STOP_CONNECT_RETRY: _stop_connect_retry,
        Action.DIAL: _dial,
        Action.SEND_OPEN: _send_open,
        Action.START_OPEN_HOLD: _start_open_hold,
        Action.SEND_KEEPALIVE: _send_keepalive,
        Action.START_HOLD: _start_hold,
        Action.START_KEEPALIVE: _start_keepalive,
        Action.START_SEND_HOLD: _start_send_hold,
        Action.BEGIN_ROUTES: _begin_routes,
        Action.TAKE_UPDATE: _take_update,
        Action.TELL_AGAIN: _tell_again,
        Action.SEND_ERROR: _send_given,
        Action.SEND_CEASE: _send_given,
        Action.SEND_COLLISION: _send_collision,
        Action.SEND_HOLD_EXPIRED: _send_hold_expired,
        Action.SEND_SEND_HOLD_EXPIRED: _send_send_hold_expired,
        Action.SEND_FSM_ERROR: _send_fsm_error,
        Action.END_ROUTES: _end_routes,
        Action.DROP: _drop,
    }
