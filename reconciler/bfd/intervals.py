"""What two sides agree on (RFC 5880 sections 6.8.1 to 6.8.4): intervals wished, offered and in force. No I/O."""

from dataclasses import dataclass

from reconciler.bfd.packets import ControlPacket
from reconciler.errors import ReconcilerError

# RFC 5880 6.8.3: a session that is not Up sends no faster than once a second.
SLOWEST_WHEN_NOT_UP = 1.0
_MICROSECONDS = 1_000_000
_LARGEST_US = (1 << 32) - 1


class ParametersError(ReconcilerError):
    """These intervals or this multiplier cannot be told in a packet."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """
    How a session is to be kept; intervals in seconds.

    We wish to send every `desired_min_tx`, and can bear a packet every `required_min_rx`. The peer calls us silent
    after `detect_multiplier` of our intervals. A passive side sends nothing until it has heard the other. Before it is
    Up a session sends no faster than every `slow_min_tx`; less than the RFC's second is for a port of one's own only.

    Raises:
        ParametersError: Out of the range of the packet's field. Only passing 0 as `required_min_rx` has a meaning: the
            peer is to send nothing periodic.
    """

    desired_min_tx: float
    required_min_rx: float
    detect_multiplier: int
    is_passive: bool = False
    slow_min_tx: float = SLOWEST_WHEN_NOT_UP

    def __post_init__(self) -> None:
        if not 0 < microseconds(self.desired_min_tx) <= _LARGEST_US:
            raise ParametersError(f"a transmit interval of {self.desired_min_tx:g} s")
        if not 0 <= microseconds(self.required_min_rx) <= _LARGEST_US:
            raise ParametersError(f"a receive interval of {self.required_min_rx:g} s")
        if not 0 < self.detect_multiplier <= 255:
            raise ParametersError(f"a detection multiplier of {self.detect_multiplier}")


@dataclass(frozen=True, slots=True)
class Remote:
    """What the peer said last, in seconds; the defaults stand before he said anything (RFC 5880 section 6.8.1)."""

    detect_multiplier: int = 0
    desired_min_tx: float = 0.0
    required_min_rx: float = 0.000001

    @classmethod
    def told_by(cls, packet: ControlPacket) -> "Remote":
        """What a packet says."""
        return cls(
            packet.detect_multiplier,
            packet.desired_min_tx_us / _MICROSECONDS,
            packet.required_min_rx_us / _MICROSECONDS,
        )


def microseconds(seconds: float) -> int:
    """The nearest whole number of microseconds."""
    return round(seconds * _MICROSECONDS)


def transmit_interval(desired_min_tx: float, remote: Remote) -> float | None:
    """Seconds between periodic packets before jitter (6.8.7); None where the peer wants none."""
    if remote.required_min_rx == 0:
        return None
    return max(desired_min_tx, remote.required_min_rx)


def jittered(interval: float, jitter: float, *, detect_multiplier: int) -> float:
    """
    The gap before the next packet (6.8.7): up to 25 % less, and at least 10 % less where one lost packet is an alarm.

    Args:
        interval: In seconds.
        jitter: A random number from 0 to 1, drawn for this gap.
        detect_multiplier: Ours.
    """
    longest = 1.0 if detect_multiplier > 1 else 0.9
    return interval * (longest - (longest - 0.75) * jitter)


def detection_time(required_min_rx: float, remote: Remote) -> float:
    """How long the peer may say nothing (6.8.4), in seconds: his multiplier counts, and the slower of both wishes."""
    return remote.detect_multiplier * max(required_min_rx, remote.desired_min_tx)
