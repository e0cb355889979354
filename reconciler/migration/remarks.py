"""
Comments: where they stand in a text, and which key or item each belongs to.

One on a line of its own belongs to what follows it, one at the end of a line to the first key of that line.
"""

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.migration.nodes import SILENT, Remark

_COMMENT = re.compile(r"(?<![^ \t\r\n])#")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_MARKER = re.compile(r"(?m)^---(?=[ \t\r\n]|\Z)")


@dataclass(frozen=True, slots=True)
class Owner:
    """A key of a mapping (`is_entry`), or an item of a list; `start` is its first character in the text."""

    identity: int
    start: int
    is_entry: bool


@dataclass(frozen=True, slots=True)
class Remarks:
    """The comments of one document: over it, after its last line, and by owner."""

    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    by_owner: Mapping[int, Remark] = field(default_factory=dict)

    def of(self, identity: int) -> Remark:
        """Those of one owner."""
        return self.by_owner.get(identity, SILENT)


@dataclass(frozen=True, slots=True)
class _Comment:
    start: int
    line_start: int
    text: str
    alone: bool


def attach(
    text: str, owners: Sequence[Sequence[Owner]], spans: Sequence[Sequence[tuple[int, int]]]
) -> tuple[Remarks, ...]:
    """
    Give every comment of a text to something.

    Args:
        text: All of it.
        owners: Those of each document, in the order of the text.
        spans: First and last character of the scalars of each document.
    """
    flat = sorted(span for found in spans for span in found)
    markers = [m.start() for m in _MARKER.finditer(text) if not _inside(m.start(), flat)]
    by_document: list[list[_Comment]] = [[] for _ in owners]
    if not owners:
        return ()
    ends = [max((end for _, end in found), default=0) for found in spans]
    for comment in _comments(text, flat):
        by_document[_document_of(comment, ends, markers)].append(comment)
    return tuple(_attached(found, comments) for found, comments in zip(owners, by_document, strict=True))


def _document_of(comment: _Comment, ends: Sequence[int], markers: Sequence[int]) -> int:
    """A comment before a `---` belongs to what is above it, unless there is nothing."""
    after = bisect_right(ends, comment.start)
    if after == len(ends):
        return len(ends) - 1
    if after and comment.start > ends[after - 1]:
        between = bisect_left(markers, ends[after - 1])
        if between < len(markers) and comment.start < markers[between]:
            return after - 1
    return after


def _comments(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[_Comment]:
    position = 0
    for content in _LINE.findall(text):
        for mark in _COMMENT.finditer(content):
            start = position + mark.start()
            if not _inside(start, spans):
                said = content[mark.end() :].rstrip().removeprefix(" ")
                yield _Comment(start, position, said, alone=not content[: mark.start()].strip(" \t-"))
                break
        position += len(content)


def _inside(index: int, spans: Sequence[tuple[int, ...]]) -> bool:
    found = bisect_left(spans, (index + 1,)) - 1  # the last that begins there or before
    return found >= 0 and spans[found][0] <= index < spans[found][1]


def _attached(owners: Sequence[Owner], comments: Sequence[_Comment]) -> Remarks:
    owners = sorted(owners, key=lambda owner: (owner.start, owner.is_entry))
    starts = [owner.start for owner in owners]
    above: dict[int, list[str]] = defaultdict(list)
    beside: dict[int, list[str]] = defaultdict(list)
    head: list[str] = []
    below: list[str] = []
    for comment in comments:
        following = bisect_right(starts, comment.start)
        if comment.alone:
            if following == len(owners):
                below.append(comment.text)
            elif not following:
                head.append(comment.text)
            else:
                above[owners[following].identity].append(comment.text)
        elif owner := _beside(owners, following, comment):
            beside[owner.identity].append(comment.text)
        else:
            head.append(comment.text)
    everyone = above.keys() | beside.keys()
    by_owner = {found: Remark(tuple(above[found]), "; ".join(filter(None, beside[found]))) for found in everyone}
    return Remarks(tuple(head), tuple(below), by_owner)


def _beside(owners: Sequence[Owner], following: int, comment: _Comment) -> Owner | None:
    """The first key that begins on the line of a comment, else its first item, else what began last before it."""
    same_line: list[Owner] = []
    for index in range(following - 1, -1, -1):
        if owners[index].start < comment.line_start:
            break
        same_line.append(owners[index])
    same_line.reverse()
    entries = [owner for owner in same_line if owner.is_entry]
    if found := entries or same_line:
        return found[0]
    return owners[following - 1] if following else None
