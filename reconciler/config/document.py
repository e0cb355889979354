"""One document: a plain value, and where every part of it stands."""

from dataclasses import dataclass, field
from typing import Any

from reconciler.config.positions import Mark, Positions, child, key_start, start_of
from reconciler.model.origin import Origin, Problem


@dataclass(frozen=True, slots=True)
class Document:
    """
    One YAML or JSON document.

    `value` is made of plain dict, list, str, int, float, bool and None; every key is a str. Values that an alias
    repeats are one object, so do not change them. `problems` were found inside this document and do not matter where
    the document is not ours: duplicate keys, unknown tags, ambiguous scalars and the like.
    """

    path: str
    value: Any
    problems: tuple[Problem, ...] = ()
    positions: Positions = field(default_factory=lambda: Positions("", ""), compare=False, repr=False)
    mark: Mark = field(default=0, compare=False, repr=False)

    def origin(self, *pointer: str | int) -> Origin:
        """Where the value at that pointer stands; for one that is missing, its nearest ancestor that exists."""
        return self.positions.origin(start_of(self._nearest(pointer)))

    def key_origin(self, *pointer: str | int) -> Origin:
        """Where the key that ends the pointer stands; the same as `origin` where that is no key of a mapping."""
        if pointer:
            parent = self._exact(pointer[:-1])
            start = None if parent is None else key_start(parent, pointer[-1])
            if start is not None:
                return self.positions.origin(start)
        return self.origin(*pointer)

    def _exact(self, pointer: tuple[str | int, ...]) -> Mark | None:
        mark: Mark | None = self.mark
        for step in pointer:
            if mark is None:
                return None
            mark = child(mark, step)
        return mark

    def _nearest(self, pointer: tuple[str | int, ...]) -> Mark:
        mark = self.mark
        for step in pointer:
            inner = child(mark, step)
            if inner is None:
                break
            mark = inner
        return mark


@dataclass(frozen=True, slots=True)
class Parsed:
    """The documents of a file, in order, and the problems that kept further ones from being read."""

    documents: tuple[Document, ...]
    problems: tuple[Problem, ...] = ()
