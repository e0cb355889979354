"""YAML as a tree that keeps comments and places: what is read from the source, and what is written."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from reconciler.model.origin import Origin

Plain: TypeAlias = str | int | float | bool | None

NOWHERE = Origin("", 0, 0)


@dataclass(frozen=True, slots=True)
class Remark:
    """Comments without their `#`: whole lines above a value, and what stands beside it."""

    above: tuple[str, ...] = ()
    beside: str = ""

    def below(self, outer: "Remark") -> "Remark":
        """The two as one: first the other, whose own value is no longer written, then ours."""
        beside = (outer.beside,) if outer.beside else ()
        return Remark((*outer.above, *beside, *self.above), self.beside)


SILENT = Remark()


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value, the text it was written as, and whether that is a literal block (`|`) whose lines are the file's."""

    value: Plain
    text: str = ""
    origin: Origin = field(default=NOWHERE, compare=False)
    literal: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping. Its origin is that of the key."""

    key: str
    node: "Node"
    remark: Remark = SILENT
    origin: Origin = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys in their order, each once."""

    entries: tuple[Entry, ...] = ()
    origin: Origin = field(default=NOWHERE, compare=False)

    def entry(self, key: str) -> Entry | None:
        """The entry of that key; None where it is absent or null, which is the same at the Kubernetes API."""
        for entry in self.entries:
            if entry.key == key:
                return None if isinstance(entry.node, Scalar) and entry.node.value is None else entry
        return None

    def get(self, key: str) -> "Node | None":
        """The value of that key; None where it is absent or null."""
        entry = self.entry(key)
        return entry.node if entry is not None else None

    def text(self, key: str) -> str:
        """The value of that key where it is text; the empty string otherwise."""
        node = self.get(key)
        return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else ""

    def mapping(self, key: str) -> "Mapping":
        """The value of that key where it is a mapping; an empty one otherwise."""
        node = self.get(key)
        return node if isinstance(node, Mapping) else Mapping((), self.origin)

    def items(self, key: str) -> "tuple[Item, ...]":
        """The items of that key where it is a list; none otherwise."""
        node = self.get(key)
        return node.items if isinstance(node, Sequence) else ()


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a list."""

    node: "Node"
    remark: Remark = SILENT


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple[Item, ...] = ()
    origin: Origin = field(default=NOWHERE, compare=False)


Node: TypeAlias = Scalar | Mapping | Sequence


@dataclass(frozen=True, slots=True)
class Document:
    """One document: its value, the comments over it, and those after its last line."""

    node: Node
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()


def text_node(text: str, origin: Origin = NOWHERE) -> Scalar:
    """A text that stands in no source."""
    return Scalar(text, text, origin)


def texts(values: Iterable[str], origin: Origin = NOWHERE) -> Sequence:
    """A list of texts."""
    return Sequence(tuple(Item(text_node(value, origin)) for value in values), origin)


def plain(node: Node) -> object:
    """The tree as dict, list and values, without comments and places."""
    match node:
        case Scalar(value=value):
            return value
        case Mapping(entries=entries):
            return {entry.key: plain(entry.node) for entry in entries}
        case Sequence(items=items):
            return [plain(item.node) for item in items]


def from_plain(value: object, origin: Origin) -> Node:
    """The tree of a decoded JSON value; everything in it stands at the one place."""
    if isinstance(value, dict):
        entries = (Entry(str(key), from_plain(found, origin), origin=origin) for key, found in value.items())
        return Mapping(tuple(entries), origin)
    if isinstance(value, list):
        return Sequence(tuple(Item(from_plain(found, origin)) for found in value), origin)
    if value is None or isinstance(value, str | int | float | bool):
        return Scalar(value, str(value), origin)
    raise TypeError(f"{type(value).__name__} is not of JSON")


def documents_in(document: Document) -> Iterator[Document]:
    """The document itself, or what is in it where it is a List of the Kubernetes API, however deep."""
    root = document.node
    if not isinstance(root, Mapping) or not root.text("kind").endswith("List") or root.get("items") is None:
        yield document
        return
    items = root.items("items")
    inherited = _inherited(root)
    for position, item in enumerate(items):
        node = item.node
        if isinstance(node, Mapping) and not node.text("kind"):
            node = replace(node, entries=(*inherited, *node.entries))
        above = (*(document.above if not position else ()), *item.remark.above)
        below = document.below if position == len(items) - 1 else ()
        yield from documents_in(Document(node, above, below))


def _inherited(root: Mapping) -> tuple[Entry, ...]:
    """What the API leaves out of the items of a typed list, such as an IPAddressPoolList."""
    kind = root.text("kind").removesuffix("List")
    if not kind:
        return ()
    version, origin = root.text("apiVersion"), root.origin
    return (Entry("apiVersion", text_node(version, origin)), Entry("kind", text_node(kind, origin)))
