"""Fields under other names: what a key of one source is called here, and of what type its value is."""

import json
from collections.abc import Callable, Iterator
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, replace
from typing import TypeAlias

from reconciler.migration.findings import Findings
from reconciler.migration.nodes import Entry, Item, Mapping, Node, Scalar, Sequence

Reader: TypeAlias = Callable[[Node, str, Findings], Node]


@dataclass(frozen=True, slots=True)
class Known:
    """A key that has a place here: its name in the result, and what makes its value fit."""

    name: str
    read: Reader


# By the key of the source; None for one that was dealt with elsewhere.
Keys: TypeAlias = MappingType[str, Known | None]


def converted(source: Mapping, keys: Keys, what: str, findings: Findings) -> Mapping:
    """The fields of a mapping under their new names, in their order; `what` is how findings call the mapping."""
    return replace(source, entries=tuple(_entries(source, keys, what, findings)))


def _entries(source: Mapping, keys: Keys, what: str, findings: Findings) -> Iterator[Entry]:
    orphans: tuple[str, ...] = ()
    for entry in source.entries:
        known = keys.get(entry.key)
        if entry.key not in keys:
            message = f'"{entry.key}" of {what} is left out: MetalLB does not know it'
            findings.warning(entry.origin, "unknown-field", message)
        if known is None or (isinstance(entry.node, Scalar) and entry.node.value is None):
            # The comments over a name or protocol are those of the whole, which its caller takes.
            orphans += entry.remark.above if known is not None else ()
            continue
        remark = replace(entry.remark, above=(*orphans, *entry.remark.above))
        orphans = ()
        yield Entry(known.name, known.read(entry.node, f"{entry.key} of {what}", findings), remark, entry.origin)


def as_is(node: Node, what: str, findings: Findings) -> Node:  # noqa: ARG001 - one of the readers
    """The value, as validation will judge it."""
    return node


def text(node: Node, what: str, findings: Findings) -> Node:  # noqa: ARG001 - one of the readers
    """A text; Go took a number or a truth value for the text that it was written as."""
    return replace(node, value=node.text) if isinstance(node, Scalar) and node.value is not None else node


def texts(node: Node, what: str, findings: Findings) -> Node:
    """A list of texts."""
    if not isinstance(node, Sequence):
        return node
    items = (Item(text(item.node, what, findings), item.remark) for item in node.items)
    return replace(node, items=tuple(items))


def distinct_texts(node: Node, what: str, findings: Findings) -> Node:
    """A list of texts, each once: a repeated one said nothing, and is refused here."""
    found = texts(node, what, findings)
    return distinct(found, what, findings) if isinstance(found, Sequence) else found


def distinct(node: Sequence, what: str, findings: Findings) -> Sequence:
    """A list without what it repeats."""
    seen: set[str] = set()
    kept: list[Item] = []
    for item in node.items:
        meaning = json.dumps(_meaning(item.node), sort_keys=True)
        if meaning in seen:
            findings.warning(item.node.origin, "repeated", f"{what} repeats an entry: written once")
            continue
        seen.add(meaning)
        kept.append(item)
    return replace(node, items=tuple(kept))


def _meaning(node: Node) -> object:
    """The value as two that validation takes for equal are: a list of texts has no order, and an empty one is none."""
    match node:
        case Scalar(value=value):
            return value
        case Sequence(items=items) if all(isinstance(item.node, Scalar) for item in items):
            return sorted(str(_meaning(item.node)) for item in items)
        case Sequence(items=items):
            return [_meaning(item.node) for item in items]
        case Mapping(entries=entries):
            found = ((entry.key, _meaning(entry.node)) for entry in entries)
            return {key: meaning for key, meaning in found if meaning not in (None, [], {})}


def label_texts(node: Node, what: str, findings: Findings) -> Node:
    """A mapping of labels to their values."""
    if not isinstance(node, Mapping):
        return node
    entries = (replace(entry, node=text(entry.node, what, findings)) for entry in node.entries)
    return replace(node, entries=tuple(entries))


def list_of(keys: Keys) -> Reader:
    """Reads a list of mappings with these keys, each once."""

    def read(node: Node, what: str, findings: Findings) -> Node:
        if not isinstance(node, Sequence):
            return node
        items = (
            Item(converted(item.node, keys, what, findings), item.remark) if isinstance(item.node, Mapping) else item
            for item in node.items
        )
        return distinct(replace(node, items=tuple(items)), what, findings)

    return read
