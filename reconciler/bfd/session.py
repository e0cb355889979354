"""
One session in asynchronous mode (RFC 5880 section 6.8). Packets and `now` in; octets, events and a deadline out.

Every `now` is in seconds on one monotonic clock. Demand mode is honoured where the peer asks for it and never asked
for; echo is not offered. Which packets belong to this session is decided before they arrive here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from math import inf
from typing import NamedTuple

from reconciler.bfd.authentication import Meticulous
from reconciler.bfd.ignored import Ignored
from reconciler.bfd.intervals import (
    Parameters,
    Remote,
    detection_time,
    jittered,
    microseconds,
    transmit_interval,
)
from reconciler.bfd.packets import ControlPacket, Diagnostic, State, encode
from reconciler.bfd.transitions import RECEIVED, TRANSITIONS, Input


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The session moved. `remote_state` is what the peer said last: his AdminDown is no failure (RFC 5882 3.2)."""

    before: State
    after: State
    diagnostic: Diagnostic
    remote_state: State


@dataclass(frozen=True, slots=True)
class Heard:
    """The first packet that was accepted, or the first after `Unheard`."""


@dataclass(frozen=True, slots=True)
class Unheard:
    """The detection time passed without a packet. `was_up`: the session was Up until then, so something broke."""

    was_up: bool


Event = StateChanged | Heard | Unheard


class _Told(NamedTuple):
    """What a packet says that decides when we send and what we expect."""

    discriminator: int = 0
    state: State = State.DOWN
    is_demand: bool = False
    detect_multiplier: int = 0
    desired_min_tx_us: int = 0
    required_min_rx_us: int = 1

    @classmethod
    def by(cls, packet: ControlPacket) -> "_Told":
        return cls(
            packet.my_discriminator,
            packet.state,
            packet.is_demand,
            packet.detect_multiplier,
            packet.desired_min_tx_us,
            packet.required_min_rx_us,
        )


class _Poll(Enum):
    """Where a Poll Sequence stands (6.5). Two in a row are told apart by one packet without the bit."""

    IDLE = auto()
    PAUSE = auto()
    ASKING = auto()


class Session:
    """Keeps one session. After each call, send `data_to_send`, look at `events`, and come back at `deadline`."""

    def __init__(
        self,
        parameters: Parameters,
        discriminator: int,
        now: float,
        *,
        jitter: Callable[[], float],
        authentication: Meticulous | None = None,
    ) -> None:
        """
        Args:
            parameters: How it is to be kept.
            discriminator: Ours: not 0, and no other session of this host has it.
            now: The first packet is sent at once, unless we are passive.
            jitter: Gives a random number from 0 to 1.
            authentication: Of this session alone; without it, packets that have any are discarded.
        """
        self.discriminator = discriminator
        self.state = State.DOWN
        self.remote_state = State.DOWN
        self._parameters = parameters
        self._authentication = authentication
        self._jitter = jitter
        self._diagnostic = Diagnostic.NONE
        self._remote_discriminator = 0
        self._remote = Remote()
        self._remote_demands = False
        self._told = _Told()
        # In force until the peer knows of the new ones (6.8.3).
        self._desired_min_tx = self._offered_min_tx()
        self._required_min_rx = parameters.required_min_rx
        self._poll = _Poll.IDLE
        self._poll_again = False
        self._heard_at: float | None = None
        self._detect_at = inf
        self._remember_until = now
        self._is_excused = False
        self._sent_at = now
        self._draw = 0.0
        self._next_at = now if not parameters.is_passive else inf
        self._out: list[bytes] = []
        self._events: list[Event] = []

    def deadline(self) -> float:
        """When to call `handle_timer` next; infinite when nothing is due."""
        return min(self._next_at, self._detect_at)

    def data_to_send(self) -> list[bytes]:
        """The packets to send now, in order; handed out once."""
        out, self._out = self._out, []
        return out

    def events(self) -> list[Event]:
        """What happened, in order; handed out once."""
        events, self._events = self._events, []
        return events

    @property
    def detection_time(self) -> float:
        """How long the peer may say nothing, in seconds; 0 before he said anything."""
        return detection_time(self._required_min_rx, self._remote)

    def receive(self, packet: ControlPacket, data: bytes, now: float) -> Ignored | None:
        """
        Take in a packet of this session.

        Args:
            packet: What `decode` made of `data`.
            data: The payload as it arrived.
            now: The present.

        Returns:
            Why the packet was discarded; None when it was not.
        """
        refusal = self._disbelieve(packet, data, now)
        if refusal is not None:
            return refusal
        self._take_in(packet, now)
        if self.state == State.ADMIN_DOWN:
            return Ignored.ADMINISTRATIVELY_DOWN
        if self._heard_at is None:
            self._events.append(Heard())
        self._heard_at = now
        self._is_excused = False
        self._step(RECEIVED[packet.state], now)
        self._expect(now)
        if packet.is_poll:
            # 6.8.7: at once, whatever the timers say.
            self._emit(is_final=True)
        return None

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        if now >= self._detect_at:
            self._expire(now)
        if now >= self._next_at:
            self._transmit(now)

    def excuse(self, late: float, now: float) -> None:
        """
        We look later than we meant to: where that is an interval of the peer or more, his silence proves nothing, and
        the detection time begins anew.

        Once only for each packet, or a host that always runs late would never detect anything.

        Args:
            late: How much too late, in seconds.
            now: The present.
        """
        if self._is_excused or self._detect_at == inf or late * self._remote.detect_multiplier < self.detection_time:
            return
        self._is_excused = True
        self._expect(now)

    def change(self, parameters: Parameters, now: float) -> None:
        """Keep the session by other parameters from now on; while Up, the peer is asked first where it matters."""
        if parameters == self._parameters:
            return
        self._parameters = parameters
        if self.state == State.UP:
            self._start_poll()
        self._enforce(now)

    def disable(self, now: float) -> None:
        """Take the session down on purpose and say so: AdminDown is no failure to the peer."""
        self._step(Input.DISABLED, now)

    def enable(self, now: float) -> None:
        """End what `disable` began."""
        self._step(Input.ENABLED, now)

    def _disbelieve(self, packet: ControlPacket, data: bytes, now: float) -> Ignored | None:
        if self._authentication is None:
            return None if packet.authentication is None else Ignored.AUTHENTICATION_NOT_EXPECTED
        # 6.8.1, bfd.AuthSeqKnown: after twice the detection time the peer may have begun anew.
        if now >= self._remember_until:
            self._authentication.forget()
        return self._authentication.check(packet, data)

    def _take_in(self, packet: ControlPacket, now: float) -> None:
        told = _Told.by(packet)
        # Nearly every packet says what the last one said.
        if told != self._told:
            self._told = told
            self._remote_discriminator = packet.my_discriminator
            self.remote_state = packet.state
            self._remote_demands = packet.is_demand
            self._remote = Remote.told_by(packet)
            self._reschedule(now)
        if packet.is_final and self._poll is _Poll.ASKING:
            self._end_poll(now)

    def _expect(self, now: float) -> None:
        """The peer may say nothing from now until the detection time is over; for ever if we asked him to."""
        patience = self.detection_time
        self._remember_until = now + 2 * patience
        self._detect_at = now + patience if self._required_min_rx else inf

    def _step(self, given: Input, now: float) -> None:
        step = TRANSITIONS.get((self.state, given))
        if step is None:
            return
        before, self.state = self.state, step.state
        if step.diagnostic is not None:
            self._diagnostic = step.diagnostic
        if State.UP in {before, self.state}:
            self._cross_up(now)
        if self.state == State.ADMIN_DOWN:
            self._detect_at, self._heard_at = inf, None
        self._events.append(StateChanged(before, self.state, self._diagnostic, self.remote_state))
        # 6.8.7: what the peer should know soon is not held back until the next packet is due.
        self._transmit(now)

    def _cross_up(self, now: float) -> None:
        """Up is entered or left: the interval that we offer is another one."""
        self._poll, self._poll_again = _Poll.IDLE, False
        self._enforce(now)
        if self.state == State.UP and self._parameters.desired_min_tx < self._parameters.slow_min_tx:
            self._start_poll()

    def _expire(self, now: float) -> None:
        was_up = self.state == State.UP
        self._heard_at, self._detect_at = None, inf
        # 6.8.1: whoever comes back may have another discriminator, and is asked nothing of what he wished before.
        self._remote_discriminator, self._remote, self._remote_demands = 0, Remote(), False
        self.remote_state, self._told = State.DOWN, _Told()
        self._events.append(Unheard(was_up))
        self._step(Input.DETECTION_TIME_EXPIRED, now)
        self._reschedule(now)

    def _start_poll(self) -> None:
        if self._poll is _Poll.IDLE:
            self._poll = _Poll.ASKING
        elif self._poll is _Poll.ASKING:
            self._poll_again = True

    def _end_poll(self, now: float) -> None:
        self._poll, self._poll_again = (_Poll.PAUSE if self._poll_again else _Poll.IDLE), False
        self._enforce(now)

    def _enforce(self, now: float) -> None:
        """Bring into force what may be: while we ask, we neither send more slowly nor expect more than before."""
        desired, required = self._offered_min_tx(), self._parameters.required_min_rx
        if self._poll is _Poll.IDLE:
            self._desired_min_tx, self._required_min_rx = desired, required
        else:
            self._desired_min_tx = min(self._desired_min_tx, desired)
            self._required_min_rx = max(self._required_min_rx, required)
        if self._heard_at is not None:
            self._expect(self._heard_at)
        self._reschedule(now)

    def _offered_min_tx(self) -> float:
        if self.state == State.UP:
            return self._parameters.desired_min_tx
        return max(self._parameters.desired_min_tx, self._parameters.slow_min_tx)

    def _interval(self) -> float | None:
        """Seconds between periodic packets; None while there are none (6.8.7)."""
        if self._must_keep_still():
            return None
        both_up = self.state == State.UP == self.remote_state
        if self._remote_demands and both_up and self._poll is _Poll.IDLE:
            return None
        return transmit_interval(self._desired_min_tx, self._remote)

    def _reschedule(self, now: float) -> None:
        """The interval may be another one: a shorter one moves the next packet forward at once, or we would be late."""
        interval = self._interval()
        if interval is None:
            self._next_at = inf
            return
        gap = jittered(interval, self._draw, detect_multiplier=self._parameters.detect_multiplier)
        self._next_at = max(self._sent_at + gap, now)

    def _transmit(self, now: float) -> None:
        """Send a packet now, and count the interval from here."""
        if self._must_keep_still():
            self._next_at = inf
            return
        self._emit(is_final=False)
        self._sent_at = now
        self._draw = self._jitter()
        if self._poll is _Poll.PAUSE:
            self._poll = _Poll.ASKING
        self._reschedule(now)

    def _must_keep_still(self) -> bool:
        return self._parameters.is_passive and self._remote_discriminator == 0

    def _emit(self, *, is_final: bool) -> None:
        parameters = self._parameters
        packet = ControlPacket(
            state=self.state,
            diagnostic=self._diagnostic,
            detect_multiplier=parameters.detect_multiplier,
            my_discriminator=self.discriminator,
            your_discriminator=self._remote_discriminator,
            desired_min_tx_us=microseconds(self._offered_min_tx()),
            required_min_rx_us=microseconds(parameters.required_min_rx),
            is_poll=self._poll is _Poll.ASKING and not is_final,
            is_final=is_final,
        )
        self._out.append(encode(packet) if self._authentication is None else self._authentication.sign(packet))
