"""The timers of one connection (RFC 4271 section 8.1.3, RFC 9687) and how long they run. No I/O."""

from enum import StrEnum
from math import inf

from reconciler.bgp.fsm import Input

# RFC 4271 section 8.2.2: "a HoldTimer value of 4 minutes is suggested" until both sides have agreed on one.
OPEN_HOLD_TIME = 240.0
# RFC 9687 section 4: 8 minutes, or twice the hold time where that is more.
SHORTEST_SEND_HOLD_TIME = 480.0
# The kernel waits 1, 2, 4, 8, ... seconds between its SYNs. Dialing anew starts that over, so that a router which comes
# back is found within seconds, not after the minute that RFC 4271 would allow.
LONGEST_DIAL = 15.0
# RFC 4271 section 10: between 0.75 and 1.0.
_LEAST_JITTER = 0.75


class Timer(StrEnum):
    """By the names of the RFCs."""

    CONNECT_RETRY = "ConnectRetryTimer"
    HOLD = "HoldTimer"
    KEEPALIVE = "KeepaliveTimer"
    IDLE_HOLD = "IdleHoldTimer"
    SEND_HOLD = "SendHoldTimer"


EXPIRED = {
    Timer.CONNECT_RETRY: Input.CONNECT_RETRY_TIMER,
    Timer.HOLD: Input.HOLD_TIMER,
    Timer.KEEPALIVE: Input.KEEPALIVE_TIMER,
    Timer.IDLE_HOLD: Input.IDLE_HOLD_TIMER,
    Timer.SEND_HOLD: Input.SEND_HOLD_TIMER,
}


def jittered(seconds: float, draw: float) -> float:
    """
    A time with the jitter of RFC 4271 section 10.

    Args:
        seconds: Without jitter.
        draw: A random number in [0, 1).
    """
    return seconds * (_LEAST_JITTER + (1 - _LEAST_JITTER) * draw)


def send_hold_time(hold_time: float) -> float:
    """How long the peer may take none of the octets that are there for him, in seconds."""
    return max(SHORTEST_SEND_HOLD_TIME, 2 * hold_time)


class Timers:
    """When each of them expires; one that was not started never does."""

    def __init__(self) -> None:
        self._due: dict[Timer, float] = {}

    def start(self, timer: Timer, at: float) -> None:
        """Let it expire then, whatever it was set to before."""
        self._due[timer] = at

    def stop(self, timer: Timer) -> None:
        """Let it not expire."""
        self._due.pop(timer, None)

    def clear(self) -> None:
        """Stop them all."""
        self._due.clear()

    def deadline(self) -> float:
        """When the first one expires; infinity for never."""
        return min(self._due.values(), default=inf)

    def due_at(self, timer: Timer) -> float:
        """When that one expires; infinity while it does not run."""
        return self._due.get(timer, inf)

    def pop_due(self, now: float) -> Timer | None:
        """The one that expired first, stopped; None while none has."""
        if self.deadline() > now:
            return None
        first = min(self._due, key=self._due.__getitem__)
        del self._due[first]
        return first
