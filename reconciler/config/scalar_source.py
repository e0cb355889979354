"""
Where each character of a scalar stands in the file: for texts inside of texts, such as the data of a ConfigMap.

The scalar is read a second time, with a note of every place. Only when that gives the same text are the places used.
"""

import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence

from reconciler.config.positions import line_starts

_PROPERTIES = re.compile(r"(?:[!&][^\s,\[\]{}]*+\s++)*+")
_LINE = re.compile(r"([^\r\n]*+)(\r\n|\r|\n|\Z)")
_QUOTED_PART = re.compile(
    r"""(?P<word>[^\\"'\s]++)|(?P<space>[ \t\r\n]++)|(?P<escape>\\(?:\r\n[ \t]*|[\r\n][ \t]*|.))|(?P<char>.)""",
    re.DOTALL,
)
_LINE_END = re.compile(r"\r\n|\r|\n")
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}
_ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip


def source_of(text: str, start: int, value: str) -> Callable[[int], int] | None:
    """
    For an index into a scalar, its index in the text.

    None where that cannot be told: in folded and plain scalars and where an alias stands for the scalar.

    Args:
        text: The file.
        start: Where the scalar begins, its tag and anchor included.
        value: What the parser made of it.
    """
    found = _PROPERTIES.match(text, start)
    opening = found.end() if found else start
    match text[opening : opening + 1]:
        case "|":
            return _literal(text, opening, value)
        case "'" | '"':
            places = _quoted(text, opening, value)
            return None if places is None else lambda index: places[min(index, len(places) - 1)]
        case _:
            return None


def _literal(text: str, opening: int, value: str) -> Callable[[int], int] | None:
    header = _LINE.match(text, opening)
    if not header or not value.strip("\n"):
        return None
    outer_starts: list[int] = []
    lengths: list[int] = []
    indent: int | None = None
    place = header.end()
    for line in value.split("\n"):
        outer = _LINE.match(text, place)
        if not outer:
            return None
        if line and indent is None:
            indent = len(outer[1]) - len(line)
        if line and outer[1][indent or 0 :] != line:
            return None
        outer_starts.append(place)
        lengths.append(len(outer[1]))
        place = outer.end()
    starts = line_starts(value)
    margin = indent or 0

    def source(index: int) -> int:
        line = bisect_right(starts, index) - 1
        return outer_starts[line] + min(margin + index - starts[line], lengths[line])

    return source


def _quoted(text: str, opening: int, value: str) -> Sequence[int] | None:
    quote = text[opening]
    places = array("q")
    written: list[str] = []
    place = opening + 1
    while part := _QUOTED_PART.match(text, place):
        place = part.end()
        made, step = part[0], 1
        match part.lastgroup:
            case "space":
                made = _folded(part[0])
            case "escape" if quote == '"':
                made, place = _unescaped(part, text)
                step = 0
            case "char" | "escape":
                if part[0] == quote:
                    if quote == '"' or text[place : place + 1] != quote:
                        places.append(part.start())
                        return places if "".join(written) == value else None
                    place += 1
                    step = 0
                elif part.lastgroup == "escape":
                    # A backslash is nothing special in single quotes.
                    made, place = "\\", part.start() + 1
            case _:
                pass
        step = step if len(made) == len(part[0]) else 0
        places.extend(part.start() + step * offset for offset in range(len(made)))
        written.append(made)
    return None


def _folded(space: str) -> str:
    """One line end in quotes is a space, n of them are n - 1 line ends."""
    ends = len(_LINE_END.findall(space))
    return space if not ends else "\n" * (ends - 1) or " "


def _unescaped(escape: re.Match[str], text: str) -> tuple[str, int]:
    """What an escape stands for and where it ends."""
    letter = escape[0][1]
    if letter in "\r\n":
        return "", escape.end()
    digits = _HEX_DIGITS.get(letter)
    if digits is None:
        return _ESCAPES.get(letter, letter), escape.end()
    end = escape.end() + digits
    return chr(int(text[escape.end() : end], 16)), end
