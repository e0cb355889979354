"""A mapping that never changes, of which a changed copy costs as much as the change."""

from collections.abc import Iterator, Mapping
from itertools import compress
from operator import is_not
from typing import ClassVar, Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

# A changed copy costs a list of so many and the shelves that change: with a hundred thousand keys some microseconds.
_SHELVES = 1024
_MASK = _SHELVES - 1


class PersistentMap(Generic[Key, Value]):
    """
    Keys and their values, in no order. Copies share the shelves on which they are the same.

    Values are never None. Two maps that grew apart from one are compared where they differ, the others as a whole.
    """

    __slots__ = ("_count", "shelves")
    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # nobody looks them up

    def __init__(self, shelves: list[dict[Key, Value]] | None = None, count: int = 0) -> None:
        """Empty, as far as anybody else is concerned."""
        self.shelves: list[dict[Key, Value]] = [{}] * _SHELVES if shelves is None else shelves
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Key]:
        return (key for shelf in self.shelves for key in shelf)

    def __eq__(self, other: object) -> bool:
        return self.shelves == other.shelves if isinstance(other, PersistentMap) else NotImplemented

    def items(self) -> Iterator[tuple[Key, Value]]:
        """All of them, in no order."""
        return (item for shelf in self.shelves for item in shelf.items())

    def values(self) -> Iterator[Value]:
        """All of them, in no order."""
        return (value for shelf in self.shelves for value in shelf.values())

    def get(self, key: Key) -> Value | None:
        """What is known by the key."""
        return self.shelves[hash((key,)) & _MASK].get(key)

    def changed(self, changes: Mapping[Key, Value | None]) -> "PersistentMap[Key, Value]":
        """The same with other values; None takes a key away."""
        shelves, count = self.shelves.copy(), self._count
        own: dict[int, dict[Key, Value]] = {}
        for key, value in changes.items():
            # A tuple's hash spreads numbers that have much in common.
            place = hash((key,)) & _MASK
            shelf = own.get(place)
            if shelf is None:
                shelf = shelves[place] = own[place] = shelves[place].copy()
            count -= len(shelf)
            if value is None:
                shelf.pop(key, None)
            else:
                shelf[key] = value
            count += len(shelf)
        return PersistentMap(shelves, count)

    def keys_since(self, earlier: "PersistentMap[Key, Value]") -> Iterator[Key]:
        """The keys that another map does not have, in no order."""
        for before, after in zip(earlier.shelves, self.shelves, strict=True):
            if before is not after:
                yield from after.keys() - before.keys()

    def since(self, earlier: "PersistentMap[Key, Value]") -> Iterator[tuple[Key, Value | None, Value | None]]:
        """
        What differs from another map: key, the value there and the value here, None where there is none.

        Where nothing differs on a shelf, the other map has this one's from then on, so that nobody compares it again.
        """
        different = compress(range(_SHELVES), map(is_not, earlier.shelves, self.shelves))
        same: dict[tuple[int, int], bool] = {}
        for place in list(different):
            before, after = earlier.shelves[place], self.shelves[place]
            found = list(_differences(before, after, same))
            if not found:
                earlier.shelves[place] = after
            yield from found


def _differences(
    before: Mapping[Key, Value], after: Mapping[Key, Value], same: dict[tuple[int, int], bool]
) -> Iterator[tuple[Key, Value | None, Value | None]]:
    """`same` remembers which pairs of values are equal, by their ids: both maps hold them all the while."""
    for key, value in after.items():
        old = before.get(key)
        if old is value:
            continue
        pair = id(old), id(value)
        is_same = same.get(pair)
        if is_same is None:
            is_same = same[pair] = old == value
        if not is_same:
            yield key, old, value
    if len(before) > len(after) or before.keys() - after.keys():
        yield from ((key, value, None) for key, value in before.items() if key not in after)
