"""Opens what Kubernetes packs documents into: the data of a ConfigMap, and List."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from reconciler.config.document import Document
from reconciler.config.limits import CONFIGURATION, CONTAINER_DEPTH
from reconciler.config.parser import parse_text
from reconciler.config.positions import Mark, Positions, child, start_of
from reconciler.config.scalar_source import source_of
from reconciler.model.origin import Origin, Problem

GROUPS = frozenset({"metallb.io", "lb-reconciler.io"})

_MENTION = re.compile(r"""apiVersion["']?\s*+:\s*+["']?(?:metallb\.io|lb-reconciler\.io)/""")
_SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Opened:
    """
    Documents with ConfigMap and List opened, in order.

    A ConfigMap that holds none of our documents stays as it is. `problems` stand in texts that are ours and prevented
    a document. `foreign` counts the values beside ours in an opened ConfigMap that were left alone.
    """

    documents: tuple[Document, ...]
    problems: tuple[Problem, ...] = ()
    foreign: int = 0


def has_our_group(document: Document) -> bool:
    """Whether the document belongs to one of our API groups, known kind or not."""
    version = document.value.get("apiVersion") if isinstance(document.value, dict) else None
    return isinstance(version, str) and version.partition("/")[0] in GROUPS


def open_containers(documents: Iterable[Document]) -> Opened:
    """
    Replace each ConfigMap that holds documents of ours, and each List, by what is in it; bounded in depth and size.

    An item of a List named after its kind, as `IPAddressPoolList`, gets the kind and version that the API leaves out
    there.
    """
    found = [_opened(document, _Budget(CONFIGURATION.octets), 0) for document in documents]
    return _joined(found)


@dataclass(slots=True)
class _Budget:
    """Characters that may still be read out of one document: aliases can repeat a long text cheaply."""

    characters: int


def _joined(parts: Iterable[Opened]) -> Opened:
    parts = list(parts)
    return Opened(
        tuple(document for part in parts for document in part.documents),
        tuple(problem for part in parts for problem in part.problems),
        sum(part.foreign for part in parts),
    )


def _opened(document: Document, budget: _Budget, depth: int) -> Opened:
    value = document.value
    if not isinstance(value, dict) or not isinstance(kind := value.get("kind"), str):
        return Opened((document,))
    opener: Callable[[Document, _Budget, int], Opened]
    if kind == "List" or (kind.endswith("List") and has_our_group(document)):
        opener = _list
    elif kind == "ConfigMap" and value.get("apiVersion") == "v1" and isinstance(value.get("data"), dict):
        opener = _config_map
    else:
        return Opened((document,))
    return opener(document, budget, depth)


def _too_deep(origin: Origin) -> Opened:
    message = f"Lists and ConfigMaps are opened {CONTAINER_DEPTH} levels deep, and this is one more"
    return Opened((), (Problem(origin, "yaml-too-deep", message),))


def _list(document: Document, budget: _Budget, depth: int) -> Opened:
    items = document.value.get("items")
    if items is None:
        return Opened((), document.problems)
    if not isinstance(items, list):
        message = "the items of a List have to be a list"
        return Opened((), (*document.problems, Problem(document.origin("items"), "list-items", message)))
    if depth >= CONTAINER_DEPTH:
        return _too_deep(document.origin("items"))
    wrapper, by_item = _shared_out(document, len(items))
    opened = _joined(
        _opened(_item(document, index, by_item.get(index, ())), budget, depth + 1) for index in range(len(items))
    )
    ours = any(has_our_group(found) for found in opened.documents)
    return replace(opened, problems=(*wrapper, *opened.problems)) if ours else opened


def _item(document: Document, index: int, problems: tuple[Problem, ...]) -> Document:
    value: Any = document.value["items"][index]
    kind: str = document.value["kind"]
    if kind != "List" and isinstance(value, dict):
        value = {"apiVersion": document.value["apiVersion"], "kind": kind.removesuffix("List"), **value}
    mark = _item_mark(document.mark, index)
    return replace(document, value=value, problems=problems, mark=mark)


def _item_mark(mark: Mark, index: int) -> Mark:
    items = child(mark, "items")
    found = None if items is None else child(items, index)
    return mark if found is None else found


def _shared_out(document: Document, count: int) -> tuple[tuple[Problem, ...], dict[int, tuple[Problem, ...]]]:
    """The problems of a List itself, and those of each of its items, told apart by where they stand."""
    if not document.problems:
        return (), {}
    fields = sorted((document.key_origin(name), name) for name in document.value)
    items = [document.origin("items", index) for index in range(count)]
    wrapper: list[Problem] = []
    by_item: dict[int, tuple[Problem, ...]] = {}
    for problem in document.problems:
        field = bisect_right(fields, problem.origin, key=lambda field: field[0]) - 1
        item = bisect_right(items, problem.origin) - 1
        if item < 0 or field < 0 or fields[field][1] != "items":
            wrapper.append(problem)
        else:
            by_item[item] = (*by_item.get(item, ()), problem)
    return tuple(wrapper), by_item


def _config_map(document: Document, budget: _Budget, depth: int) -> Opened:
    data: dict[str, Any] = document.value["data"]
    mentioning = [(key, text) for key, text in data.items() if isinstance(text, str) and _MENTION.search(text)]
    if mentioning and depth >= CONTAINER_DEPTH:
        return _too_deep(document.origin("data"))
    ours = [found for found in _values(document, mentioning, budget, depth) if found]
    if not ours:
        return Opened((document,))
    opened = _joined(ours)
    foreign = opened.foreign + len(data) - len(ours)
    return Opened(opened.documents, (*document.problems, *opened.problems), foreign)


def _values(
    document: Document, mentioning: Iterable[tuple[str, str]], budget: _Budget, depth: int
) -> Iterator[Opened | None]:
    """What is in each value that may be ours; None for one that is not."""
    for key, text in mentioning:
        budget.characters -= len(text)
        if budget.characters < 0:
            message = f"the data of this document has more than {CONFIGURATION.octets} characters"
            yield Opened((), (Problem(document.origin("data", key), "yaml-too-large", message),))
            return
        parsed = parse_text(_positions(document, key, text), strict=True, limits=CONFIGURATION)
        opened = _joined(_opened(found, budget, depth + 1) for found in parsed.documents)
        problems = parsed.problems + opened.problems
        # A script may well mention our group without being a document of ours that went wrong.
        broken = problems and ("." not in key or key.endswith(_SUFFIXES))
        of_ours = broken or any(has_our_group(found) for found in opened.documents)
        yield Opened(opened.documents, problems, opened.foreign) if of_ours else None


def _positions(document: Document, key: str, text: str) -> Positions:
    outer = document.positions
    data = child(document.mark, "data")
    mark = None if data is None else child(data, key)
    start = start_of(document.mark if mark is None else mark)
    source = source_of(outer.text, start, text)
    return Positions(document.path, text, lambda index: outer.origin(source(index) if source else start))
