"""Durations as Go writes them, as far as MetalLB cut them to whole seconds."""

import re
from fractions import Fraction

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
_LONGEST_TEXT = 64


def seconds_of(text: str) -> Fraction | None:
    """The duration in seconds; None for what is none."""
    if len(text) > _LONGEST_TEXT or not _WHOLE.fullmatch(text):
        return None
    return sum((Fraction(number) * _UNITS[unit] for number, unit in _PART.findall(text)), Fraction(0))


def cut(text: str) -> str:
    """The duration without its fraction of a second, as MetalLB takes a hold time; the text where it has none."""
    seconds = seconds_of(text)
    if seconds is None or seconds.denominator == 1:
        return text
    return f"{int(seconds)}s"
