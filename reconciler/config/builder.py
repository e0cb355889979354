"""
Events of the YAML parser to plain values, each with its mark.

The parser checks the syntax and nothing else. Everything that a text can do to its reader is checked here: duplicate
keys, tags, anchors, how deep and how large a value becomes, and keys that are no text.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from reconciler.config.findings import BrokenDocumentError, Finding, shortened
from reconciler.config.limits import SCALAR_CHUNK, Limits
from reconciler.config.merging import Merge, merged
from reconciler.config.positions import Mark, start_of
from reconciler.config.scalars import NUMBER_STARTS, SPECIAL_WORDS, read_plain
from reconciler.config.surrogates import restore_surrogates
from reconciler.config.tags import read_tagged, refuse_tag

_TAG_OF_MAPPING = "tag:yaml.org,2002:map"
_TAG_OF_SEQUENCE = "tag:yaml.org,2002:seq"


@dataclass(frozen=True, slots=True)
class Built:
    """One document: its value, its marks, what was found in it, and how large it is."""

    value: Any
    mark: Mark
    findings: tuple[Finding, ...]
    nodes: int


@dataclass(slots=True)
class _Open:
    """A mapping or sequence that is not closed yet. `key` is what the next value belongs to; None asks for a key."""

    value: dict[str, Any] | list[Any]
    mark: Any
    anchor: str | None
    nodes_before: int
    key: str | object | None = None
    height: int = 1
    merge: Merge | None = None


@dataclass(frozen=True, slots=True)
class _Anchored:
    value: Any
    mark: Mark
    nodes: int
    height: int


_MERGE = object()
_DROPPED = object()
_STILL_OPEN = _Anchored(None, 0, 0, 0)


@dataclass(slots=True)
class Builder:
    """
    Builds the documents of one text, one after the other.

    Args:
        offset: Where the text begins in the file; marks count from the start of the file.
        limits: What a document may ask for.
        strict: Report scalars and keys whose reading differs between YAML versions.
        json: The text is JSON, where numbers have one reading.
        sheltered: The text went through `shelter_surrogates`.
    """

    offset: int
    limits: Limits
    strict: bool
    json: bool
    sheltered: bool
    _stack: list[_Open] = field(default_factory=list)
    _anchors: dict[str, _Anchored] = field(default_factory=dict)
    _findings: list[Finding] = field(default_factory=list)
    _nodes: int = 0
    _root: tuple[Any, Mark] = (None, 0)

    def documents(self, next_event: Callable[[], Any]) -> Iterator[Built]:
        """
        Read events until there are none.

        Raises:
            BrokenDocumentError: The document cannot be built; those before it have been.
        """
        while (event := next_event()) is not None:
            kind = type(event)
            if kind is ScalarEvent:
                self._scalar(event)
            elif kind is MappingStartEvent:
                self._open(event, {}, {}, {}, _TAG_OF_MAPPING)
            elif kind is SequenceStartEvent:
                self._open(event, [], [], None, _TAG_OF_SEQUENCE)
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                self._close()
            elif kind is AliasEvent:
                self._alias(event)
            elif kind is DocumentEndEvent:
                yield self._finished()

    def _finished(self) -> Built:
        value, mark = self._root
        built = Built(value, mark, tuple(self._findings), self._nodes)
        self._anchors, self._findings, self._nodes, self._root = {}, [], 0, (None, 0)
        return built

    def _scalar(self, event: ScalarEvent) -> None:
        text: str = restore_surrogates(event.value, event.style) if self.sheltered else event.value
        index: int = event.start_mark.index + self.offset
        if len(text) > SCALAR_CHUNK:
            self._count_scalar(text, index)
        value: Any = text
        # The parser calls a quoted scalar with the tag `!` plain.
        if event.implicit[0] and not event.style:
            if text in SPECIAL_WORDS or text[0] in NUMBER_STARTS:
                value, ambiguity = read_plain(text)
                if ambiguity and self.strict and not (self.json and isinstance(value, int | float)):
                    self._report(index, "yaml-ambiguous-scalar", ambiguity)
            elif text == "<<" and self._wants_key():
                self._merge_key(index)
                return
        elif event.tag is not None:
            value, finding = read_tagged(event.tag, text, index)
            if finding:
                self._findings.append(finding)
        if event.anchor:
            self._anchors[event.anchor] = _Anchored(value, index, 1 + len(text) // SCALAR_CHUNK, 0)
        self._add(value, index, text)

    def _count_scalar(self, text: str, index: int) -> None:
        if len(text) > self.limits.scalar:
            message = f"this text has {len(text)} characters; at most {self.limits.scalar} are allowed"
            raise BrokenDocumentError(Finding(index, "yaml-too-large", message))
        self._nodes += len(text) // SCALAR_CHUNK

    def _open(
        self,
        event: MappingStartEvent | SequenceStartEvent,
        value: dict[str, Any] | list[Any],
        marks: dict[str, Mark] | list[Mark],
        keys: dict[str, int] | None,
        tag: str,
    ) -> None:
        index: int = event.start_mark.index + self.offset
        if len(self._stack) >= self.limits.depth:
            raise self._too_deep(index)
        if not event.implicit and event.tag and event.tag not in {tag, "!"}:
            self._findings.append(refuse_tag(event.tag, index))
        if event.anchor:
            self._anchors[event.anchor] = _STILL_OPEN
        self._stack.append(_Open(value, (index, marks, keys), event.anchor, self._nodes))

    def _close(self) -> None:
        closed = self._stack.pop()
        if closed.merge:
            self._findings.extend(merged(closed.merge, closed.value, closed.mark))
        self._add(closed.value, closed.mark, None)
        if self._stack and self._stack[-1].height <= closed.height:
            self._stack[-1].height = closed.height + 1
        if closed.anchor:
            nodes = self._nodes - closed.nodes_before
            self._anchors[closed.anchor] = _Anchored(closed.value, closed.mark, nodes, closed.height)

    def _alias(self, event: AliasEvent) -> None:
        index: int = event.start_mark.index + self.offset
        target = self._anchors.get(event.anchor)
        if target is None:
            message = (
                f"there is no anchor &{shortened(event.anchor)} before this alias; quote it if it is meant as text"
            )
            raise BrokenDocumentError(Finding(index, "yaml-unknown-alias", message))
        if target is _STILL_OPEN:
            message = f"the alias *{shortened(event.anchor)} stands inside of what it repeats, and so would never end"
            raise BrokenDocumentError(Finding(index, "yaml-alias-bomb", message))
        self._nodes += target.nodes
        if self._nodes > self.limits.document_nodes:
            message = (
                f"aliases make this document larger than {self.limits.document_nodes} values; write out what is meant"
            )
            raise BrokenDocumentError(
                Finding(index, "yaml-alias-bomb", message, start_of(target.mark), "repeated here")
            )
        if len(self._stack) + target.height > self.limits.depth:
            raise self._too_deep(index)
        if self._stack and self._stack[-1].height <= target.height:
            self._stack[-1].height = target.height + 1
        # The value stands at the alias; what is in it stands where it was written.
        mark = index if isinstance(target.mark, int) else (index, *target.mark[1:])
        self._add(target.value, mark, None)

    def _add(self, value: Any, mark: Any, text: str | None) -> None:
        """A value for the container that is open. `text` is how a scalar was written, in case it is a key."""
        self._nodes += 1
        if self._nodes > self.limits.document_nodes:
            message = f"this document has more than {self.limits.document_nodes} values; split it into several files"
            raise BrokenDocumentError(Finding(start_of(mark), "yaml-too-large", message))
        if not self._stack:
            self._root = (value, mark)
            return
        top = self._stack[-1]
        if isinstance(top.value, list):
            top.value.append(value)
            top.mark[1].append(mark)
        elif top.key is None:
            top.key = self._key(top, value, mark, text)
        else:
            self._entry(top, top.key, value, mark)
            top.key = None

    def _entry(self, top: _Open, key: str | object, value: Any, mark: Any) -> None:
        if isinstance(key, str):
            top.value[key] = value  # type: ignore[call-overload]  # only mappings have keys
            top.mark[1][key] = mark
        elif key is _MERGE and top.merge:
            top.merge = top.merge.of(value, mark, top.value)

    def _key(self, top: _Open, value: Any, mark: Any, text: str | None) -> str | object:
        """The key of the next value, or what else to do with that value."""
        index = start_of(mark)
        if isinstance(value, dict | list):
            message = "a mapping or list cannot be a key; if '{{' begins a template here, render it first"
            self._report(index, "yaml-non-string-key", message)
            return _DROPPED
        if not isinstance(value, str):
            key = text if text is not None else str(value)
            if self.strict:
                shown = f'; write "{shortened(key)}" in quotes' if key else " and none is written"
                self._report(index, "yaml-non-string-key", f"a key has to be text{shown}")
        else:
            key = value
        first = top.mark[2].setdefault(key, index)
        if first != index:
            self._report(
                index,
                "yaml-duplicate-key",
                f'the key "{shortened(key)}" is already in this mapping',
                first,
                "first here",
            )
            return _DROPPED
        return key

    def _wants_key(self) -> bool:
        return bool(self._stack) and self._stack[-1].key is None and isinstance(self._stack[-1].value, dict)

    def _merge_key(self, index: int) -> None:
        top = self._stack[-1]
        if top.merge:
            self._report(
                index, "yaml-duplicate-key", 'the key "<<" is already in this mapping', top.merge.index, "first here"
            )
            top.key = _DROPPED
            return
        top.key, top.merge = _MERGE, Merge(index)

    def _report(self, index: int, code: str, message: str, related: int | None = None, note: str = "") -> None:
        if len(self._findings) < self.limits.problems:
            self._findings.append(Finding(index, code, message, related, note))

    def _too_deep(self, index: int) -> BrokenDocumentError:
        message = f"this is nested more than {self.limits.depth} levels deep"
        return BrokenDocumentError(Finding(index, "yaml-too-deep", message))
