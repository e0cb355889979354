"""The keyed difference of two collections."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Item_co = TypeVar("Item_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Difference(Generic[Item_co]):
    """
    What leads from one collection to another.

    `removed` come in the order of the first collection, the others in that of the second; `changed` are pairs
    (before, after) with equal keys and different values.
    """

    added: tuple[Item_co, ...] = ()
    removed: tuple[Item_co, ...] = ()
    changed: tuple[tuple[Item_co, Item_co], ...] = ()
    kept: tuple[Item_co, ...] = ()


def difference(before: Iterable[Item], after: Iterable[Item], key: Callable[[Item], Hashable]) -> Difference[Item]:
    """Tell what was added, removed, changed and kept; of several items with one key the last counts."""
    old = {key(item): item for item in before}
    new = {key(item): item for item in after}
    return Difference(
        added=tuple(item for k, item in new.items() if k not in old),
        removed=tuple(item for k, item in old.items() if k not in new),
        changed=tuple((old[k], item) for k, item in new.items() if k in old and old[k] != item),
        kept=tuple(item for k, item in new.items() if k in old and old[k] == item),
    )
