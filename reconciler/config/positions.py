"""
Places in a file, kept as one number per value and worked out when somebody asks.

Lines end with LF, CR or CRLF, as every editor counts them. YAML 1.1 also ends lines with NEL, LS and PS, so what a
YAML parser calls a line is never used, only its count of characters.
"""

import re
from bisect import bisect_right
from collections.abc import Callable
from typing import Any, TypeAlias

from reconciler.model.origin import Origin

_LINE_END = re.compile(r"\r\n|\r|\n")

# What is known of a value beside it: where it starts and, for a mapping or sequence, the marks of what is in it and
# (mapping only) where each key starts.
Mark: TypeAlias = int | tuple[int, dict[str, Any], dict[str, int]] | tuple[int, list[Any], None]


class Positions:
    """
    Turns the index of a character of a text into its origin.

    Args:
        path: Named in every origin.
        text: The file, or a scalar in it that is read as a file of its own.
        outward: For such a scalar, turns an index in it into the origin in the file.
    """

    __slots__ = ("_line_starts", "_outward", "path", "text")

    def __init__(self, path: str, text: str, outward: Callable[[int], Origin] | None = None) -> None:
        self.path = path
        self.text = text
        self._outward = outward
        self._line_starts: list[int] | None = None

    def origin(self, index: int) -> Origin:
        """The place of the character; one past the last character is allowed."""
        if self._outward:
            return self._outward(index)
        if self._line_starts is None:
            self._line_starts = line_starts(self.text)
        line = bisect_right(self._line_starts, index)
        return Origin(self.path, line, index - self._line_starts[line - 1] + 1)


def line_starts(text: str) -> list[int]:
    """The index of the first character of each line; an empty text has one line."""
    return [0, *(end.end() for end in _LINE_END.finditer(text))]


def start_of(mark: Mark) -> int:
    """Where the value itself starts."""
    return mark if isinstance(mark, int) else mark[0]


def child(mark: Mark, step: str | int) -> Mark | None:
    """The mark of an element of a mapping or sequence, if there is one."""
    if isinstance(mark, int):
        return None
    inner: Mark | None = None
    elements = mark[1]
    if isinstance(elements, dict):
        inner = elements.get(step) if isinstance(step, str) else None
    elif isinstance(step, int) and 0 <= step < len(elements):
        inner = elements[step]
    return inner


def key_start(mark: Mark, key: str | int) -> int | None:
    """Where the key of a mapping starts, if there is one."""
    if isinstance(mark, int) or mark[2] is None or not isinstance(key, str):
        return None
    return mark[2].get(key)
