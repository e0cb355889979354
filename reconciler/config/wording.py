"""How problems word things: quoted values, lists of names, and the name that was most likely meant."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches

_LONGEST_QUOTE, _LONGEST_REASON = 80, 200
_LONGEST_GUESS = 64
_LONGEST_NUMBER = 256
_MOST_NAMES = 1000
_CLOSE_ENOUGH = 0.7


def quoted(value: object) -> str:
    """The value in double quotes, cut where it would fill a screen."""
    return f'"{shortened(value, _LONGEST_QUOTE)}"'


def shortened(value: object, most: int = _LONGEST_REASON) -> str:
    """The value as text of one line, cut where it would fill a screen."""
    text = _printed(value)
    visible = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:most])
    return visible if len(text) <= most else f"{visible}…"


def _printed(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > _LONGEST_NUMBER:
        return "a number of very many digits"  # which Python declines to print
    return str(value)


def listed(words: Iterable[str], *, last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    *head, tail = words
    return f"{', '.join(head)} {last} {tail}" if head else tail


def nearest(name: str, known: Collection[str]) -> str | None:
    """The known name that was most likely meant; none for long names, or among very many."""
    if len(name) > _LONGEST_GUESS or len(known) > _MOST_NAMES:
        return None
    by_lower = {candidate.lower(): candidate for candidate in sorted(known, reverse=True)}
    close = get_close_matches(name.lower(), by_lower, n=1, cutoff=_CLOSE_ENOUGH)
    return by_lower[close[0]] if close else None


def did_you_mean(name: str, known: Collection[str]) -> str:
    """`: did you mean "gold"?`, or nothing."""
    meant = nearest(name, known)
    return f": did you mean {quoted(meant)}?" if meant is not None else ""
