"""What is written: objects of MetalLB's kinds as text, each line knowing where it came from."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reconciler.migration.nodes import (
    Document,
    Entry,
    Item,
    Mapping,
    Node,
    Remark,
    Scalar,
    Sequence,
    plain,
    text_node,
)
from reconciler.migration.scalars import written
from reconciler.model.origin import Origin

METALLB = "metallb.io/v1beta1"
PEER_VERSION = "metallb.io/v1beta2"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object. Its origin is that of what it was made of; `above` and `below` are comments around the document."""

    kind: str
    name: str
    root: Mapping
    origin: Origin
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()

    @property
    def spec(self) -> Mapping:
        """Its spec; an empty one where it has none."""
        return self.root.mapping("spec")

    def __str__(self) -> str:
        return f'{self.kind} "{self.name}"'


def new_manifest(kind: str, name: str, spec: Mapping, origin: Origin, *, above: Iterable[str] = ()) -> Manifest:
    """An object that was none in the source."""
    version = PEER_VERSION if kind == "BGPPeer" else METALLB
    metadata = Mapping((Entry("name", text_node(name, origin), origin=origin),), origin)
    entries = [
        Entry("apiVersion", text_node(version, origin), origin=origin),
        Entry("kind", text_node(kind, origin), origin=origin),
        Entry("metadata", metadata, origin=origin),
    ]
    if spec.entries:
        entries.append(Entry("spec", spec, origin=origin))
    return Manifest(kind, name, Mapping(tuple(entries), origin), origin, tuple(above))


@dataclass(frozen=True, slots=True)
class Text:
    """A file to write, and for each of its lines the place in the source, None where there is none."""

    text: str
    origins: tuple[Origin | None, ...]

    def origin(self, line: int) -> Origin | None:
        """Where the line of that number, from 1, came from: its own place, or that of what it belongs to."""
        if not 1 <= line <= len(self.origins):
            return None
        return self.origins[line - 1]


def write(manifests: Iterable[Manifest]) -> Text:
    """The text of a file that holds these objects, in their order."""
    lines: list[_Line] = []
    for manifest in manifests:
        if lines:
            lines.append(_Line("---"))
        document = Document(manifest.root, manifest.above, manifest.below)
        lines += _document(document)
    text = "".join(f"{line.text}\n" for line in lines)
    return Text(text, tuple(line.origin for line in lines))


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    origin: Origin | None = None

    def indented(self, prefix: str) -> "_Line":
        return _Line(f"{prefix}{self.text}" if self.text else "", self.origin)


def _document(document: Document) -> Iterator[_Line]:
    yield from _comments(document.above)
    yield from _block(document.node)
    yield from _comments(document.below)


def _block(node: Node) -> Iterator[_Line]:
    """The lines of a mapping or list that is not empty; of anything else, one."""
    match node:
        case Mapping(entries=entries) if entries:
            for entry in entries:
                yield from _entry(entry)
        case Sequence(items=items) if items:
            for item in items:
                yield from _item(item)
        case _:
            yield _Line(_inline(node), node.origin)


def _entry(entry: Entry) -> Iterator[_Line]:
    yield from _comments(entry.remark.above)
    key = written(entry.key)
    if _is_inline(entry.node):
        yield _Line(f"{key}: {_inline(entry.node)}{_beside(entry.remark)}", entry.node.origin)
        return
    yield _Line(f"{key}:{_beside(entry.remark)}", entry.origin)
    yield from (line.indented("  ") for line in _block(entry.node))


def _item(item: Item) -> Iterator[_Line]:
    if _is_inline(item.node):
        yield from _comments(item.remark.above)
        yield _Line(f"- {_inline(item.node)}{_beside(item.remark)}", item.node.origin)
        return
    # Beside the dash of a list within a list there is no room.
    beside = (item.remark.beside,) if item.remark.beside else ()
    inner, node = _without_head(item.node)
    yield from _comments((*item.remark.above, *beside, *inner))
    for position, line in enumerate(_block(node)):
        yield line.indented("  " if position else "- ")


def _without_head(node: Node) -> tuple[tuple[str, ...], Node]:
    """What stands over the first line of a block, which a dash has to precede, and the block without it."""
    if isinstance(node, Mapping):
        first, *others = node.entries
        bare = Entry(first.key, first.node, Remark((), first.remark.beside), first.origin)
        return first.remark.above, Mapping((bare, *others), node.origin)
    if isinstance(node, Sequence):
        first_item, *other_items = node.items
        bare_item = Item(first_item.node, Remark((), first_item.remark.beside))
        return first_item.remark.above, Sequence((bare_item, *other_items), node.origin)
    return (), node


def _is_inline(node: Node) -> bool:
    return isinstance(node, Scalar) or not (node.entries if isinstance(node, Mapping) else node.items)


def _inline(node: Node) -> str:
    match node:
        case Scalar(value=value):
            return written(value)
        case Mapping():
            return "{}"
        case Sequence():
            return "[]"


def _comments(lines: Iterable[str]) -> Iterator[_Line]:
    return (_Line(f"# {line}" if line else "#") for line in lines)


def _beside(remark: Remark) -> str:
    return f"  # {remark.beside}" if remark.beside else ""


def equal(one: Manifest, other: Manifest) -> bool:
    """Whether two objects say the same, comments and places aside."""
    return plain(one.root) == plain(other.root)
