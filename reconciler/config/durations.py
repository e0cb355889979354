"""Durations as Go writes them: `90s`, `1m30s`, `500ms`, `1.5h`."""

import re
from fractions import Fraction

from reconciler.errors import ReconcilerError

_UNITS = {
    "ns": Fraction(1, 10**9),
    "us": Fraction(1, 10**6),
    "µs": Fraction(1, 10**6),
    "μs": Fraction(1, 10**6),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_WHOLE = re.compile(rf"\+?(?:0|(?:{_PART.pattern})+)")
# Go counts nanoseconds in 63 bits; the limit on the text keeps a file from asking for a number of a million digits.
_LONGEST, _LONGEST_TEXT = Fraction(2**63 - 1, 10**9), 64


class DurationError(ReconcilerError):
    """A text that is no duration, or a negative or absurdly long one."""


def parse_duration(text: str) -> Fraction:
    """
    Read a duration, exactly, in seconds.

    Raises:
        DurationError: Not Go's notation (time.ParseDuration), negative, or beyond 292 years.
    """
    if len(text) > _LONGEST_TEXT or not _WHOLE.fullmatch(text):
        raise DurationError('not a duration: write a number and a unit, such as "90s", "1m30s" or "500ms"')
    seconds = sum((Fraction(number) * _UNITS[unit] for number, unit in _PART.findall(text)), Fraction(0))
    if seconds > _LONGEST:
        raise DurationError("longer than any clock counts")
    return seconds


def written(seconds: Fraction) -> str:
    """A duration in seconds, as a message shows it: `90s`, `1.5s`."""
    return f"{float(seconds):.12g}s"
