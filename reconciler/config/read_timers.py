"""The timers of a BGPPeer."""

from dataclasses import dataclass
from fractions import Fraction

from reconciler.config.drafts import Manifest
from reconciler.config.durations import written
from reconciler.config.problems import Problems
from reconciler.config.read_durations import read_duration

_KEEPALIVES_PER_HOLD_TIME = 3  # RFC 4271 section 10
_SHORTEST_HOLD_TIME = 3  # RFC 4271 section 4.2
_LONGEST = 65535  # two octets of the OPEN message, and the range of connectTime


@dataclass(frozen=True, slots=True)
class Timers:
    """In seconds; None when unset. Hold and keepalive time are both set or neither."""

    hold_time: float | None
    keepalive_time: float | None
    connect_time: float | None


def read_timers(manifest: Manifest, problems: Problems) -> Timers:
    """What is written, and the one of hold and keepalive time that follows from the other."""
    hold, keepalive, connect = (
        read_duration(manifest.spec, name, "90s", problems) for name in ("holdTime", "keepaliveTime", "connectTime")
    )
    if connect is not None and (connect.denominator != 1 or not 1 <= connect <= _LONGEST):
        why = f"invalid connectTime {written(connect)}: must be whole seconds from 1s to {_LONGEST}s"
        _refuse(manifest, "connectTime", why, problems)
    if any(
        manifest.spec.has(name) and read is None for name, read in (("holdTime", hold), ("keepaliveTime", keepalive))
    ):
        return Timers(None, None, _seconds(connect))  # one of them cannot be read, which has been reported
    if hold is None and keepalive is not None:
        hold = keepalive * _KEEPALIVES_PER_HOLD_TIME
    elif keepalive is None and hold is not None:
        keepalive = hold / _KEEPALIVES_PER_HOLD_TIME
    if hold is not None and keepalive is not None:
        _check(manifest, hold, keepalive, problems)
    return Timers(_seconds(hold), _seconds(keepalive), _seconds(connect))


def _check(manifest: Manifest, hold: Fraction, keepalive: Fraction, problems: Problems) -> None:
    derived = "" if manifest.spec.has("holdTime") else ", three times keepaliveTime"
    # Below one second too: MetalLB drops the fraction and takes 0.9s for "never".
    if 0 < hold < _SHORTEST_HOLD_TIME:
        _refuse(manifest, "holdTime", f"invalid hold time {written(hold)}{derived}: must be 0 or >=3s", problems)
    if hold > _LONGEST:
        _refuse(
            manifest, "holdTime", f"invalid hold time {written(hold)}{derived}: must be at most {_LONGEST}s", problems
        )
    if keepalive > hold:
        why = f"invalid keepaliveTime {written(keepalive)}, must be lower than holdTime {written(hold)}"
        _refuse(manifest, "keepaliveTime", why, problems)


def _refuse(manifest: Manifest, name: str, why: str, problems: Problems) -> None:
    origin = manifest.spec.origin_of(name, "keepaliveTime")
    problems.error(origin, "invalid-timers", f'invalid BGPPeer timers: {why} (peer "{manifest.name}")')


def _seconds(duration: Fraction | None) -> float | None:
    return None if duration is None else float(duration)
