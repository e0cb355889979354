"""Text to trees: YAML as MetalLB's readers took it, with the comments that a parser drops."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from reconciler.migration.findings import Findings
from reconciler.migration.nodes import SILENT, Document, Entry, Item, Mapping, Node, Scalar, Sequence
from reconciler.migration.remarks import Owner, Remarks, attach
from reconciler.migration.scalars import read_plain
from reconciler.model.origin import Origin, Related

_TEXT_TAG = "tag:yaml.org,2002:str"
_MERGE = "<<"
# How many values may come out of aliases; one that repeats others that repeat others soon stands for millions.
_MOST_REPEATED = 20_000
# What the parser in Python raises at an escape beyond Unicode or a stray directive, instead of saying what is wrong.
_STUMBLES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)


@dataclass(frozen=True, slots=True)
class Source:
    """
    One text and where it stands.

    A text that stands in a block scalar of another file begins at `line` of it, `column` characters to the right. Where
    its lines are not those of a file, `line` counts and `whole` is true: every place in it is that of the beginning.
    """

    path: str
    text: str
    line: int = 1
    column: int = 1
    whole: bool = False

    def origin(self, line: int, column: int) -> Origin:
        """A place in the text, both counted from 0, as one in the file."""
        if self.whole:
            return Origin(self.path, self.line, self.column)
        return Origin(self.path, self.line + line, self.column + column)


class _TooLargeError(Exception):
    """An alias stands for too much."""


def read_documents(source: Source, findings: Findings) -> list[Document]:
    """Read every document of a text; one that is no YAML ends the reading and is an error."""
    roots: list[Any] = []
    try:
        # Never the parser's own message with its excerpt of the file: there may be a password in it.
        roots.extend(node for node in YAML(typ="safe", pure=True).compose_all(source.text) if node is not None)
    except YAMLError as error:
        findings.error(_place(source, error), "yaml-syntax", f"not read from here on: {_why(error)}")
    except _STUMBLES:
        findings.error(source.origin(0, 0), "yaml-syntax", "not read: the text is no YAML that anything can read")
    builder = _Builder(source, findings)
    try:
        owners = [list(_owners(root)) for root in roots]
        remarks = attach(source.text, owners, [list(_spans(root)) for root in roots])
        return [builder.document(root, found) for root, found in zip(roots, remarks, strict=True)]
    except (RecursionError, _TooLargeError):
        findings.error(source.origin(0, 0), "yaml-too-large", "not read: nested too deeply, or aliases repeat too much")
        return []


def _place(source: Source, error: YAMLError) -> Origin:
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    return source.origin(mark.line, mark.column) if mark is not None else source.origin(0, 0)


def _why(error: YAMLError) -> str:
    return error.problem if isinstance(error, MarkedYAMLError) and error.problem else "a syntax error"


def _owners(root: Any, seen: set[int] | None = None) -> Iterator[Owner]:
    """Every key and every item, in the order of the text; what an alias repeats belongs to its first place."""
    seen = set() if seen is None else seen
    if id(root) in seen or isinstance(root, ScalarNode):
        return
    seen.add(id(root))
    if isinstance(root, MappingNode):
        for key, value in root.value:
            yield Owner(id(key), key.start_mark.index, is_entry=True)
            yield from _owners(value, seen)
    elif isinstance(root, SequenceNode):
        for value in root.value:
            if id(value) not in seen:
                yield Owner(id(value), value.start_mark.index, is_entry=False)
            yield from _owners(value, seen)


def _spans(root: Any, seen: set[int] | None = None) -> Iterator[tuple[int, int]]:
    """Where the scalars stand: a `#` in there is no comment."""
    seen = set() if seen is None else seen
    if id(root) in seen:
        return
    seen.add(id(root))
    if isinstance(root, ScalarNode):
        yield root.start_mark.index, root.end_mark.index
    elif isinstance(root, MappingNode):
        for key, value in root.value:
            yield from _spans(key, seen)
            yield from _spans(value, seen)
    elif isinstance(root, SequenceNode):
        for value in root.value:
            yield from _spans(value, seen)


class _Builder:
    """Makes trees of the parser's nodes."""

    def __init__(self, source: Source, findings: Findings) -> None:
        self._source = source
        self._findings = findings
        self._seen: set[int] = set()
        self._repeated = 0

    def document(self, root: Any, remarks: Remarks) -> Document:
        return Document(self._node(root, remarks), remarks.above, remarks.below)

    def _node(self, node: Any, remarks: Remarks) -> Node:
        self._repeated += id(node) in self._seen
        self._seen.add(id(node))
        if self._repeated > _MOST_REPEATED:
            raise _TooLargeError
        origin = self._origin(node)
        if isinstance(node, MappingNode):
            return Mapping(tuple(self._entries(node, remarks)), origin)
        if isinstance(node, SequenceNode):
            items = (Item(self._node(found, remarks), remarks.of(id(found))) for found in node.value)
            return Sequence(tuple(items), origin)
        text = str(node.value)
        is_text = node.style is not None or (node.tag == _TEXT_TAG and text.isdecimal())
        return Scalar(text if is_text else read_plain(text), text, origin, literal=node.style == "|")

    def _entries(self, node: Any, remarks: Remarks) -> list[Entry]:
        """The keys of a mapping, the last of equal ones; merged keys (`<<`) give way to those that are written."""
        own: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, ScalarNode) else ""
            if not isinstance(key, ScalarNode):
                self._findings.error(self._origin(key), "yaml-non-string-key", "this key is no text: left out")
            elif name == _MERGE and key.style is None:
                for entry in self._merged(value, remarks):
                    merged.setdefault(entry.key, entry)
            else:
                entry = Entry(name, self._node(value, remarks), remarks.of(id(key)), self._origin(key))
                if name in own:
                    message = f'"{name}" is given twice: the last one counts, as it did for MetalLB'
                    note = Related(own[name].origin, "given here before")
                    self._findings.warning(entry.origin, "yaml-duplicate-key", message, note)
                own[name] = entry
        return [*own.values(), *(entry for name, entry in merged.items() if name not in own)]

    def _merged(self, value: Any, remarks: Remarks) -> Iterator[Entry]:
        parts = value.value if isinstance(value, SequenceNode) else [value]
        for part in parts:
            if isinstance(part, MappingNode):
                # Its comments stand where it was written first.
                yield from (
                    Entry(entry.key, entry.node, SILENT, entry.origin) for entry in self._entries(part, remarks)
                )

    def _origin(self, node: Any) -> Origin:
        return self._source.origin(node.start_mark.line, node.start_mark.column)
