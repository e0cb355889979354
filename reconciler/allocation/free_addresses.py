"""The lowest free address of one pool and family, found without scanning the pool."""

from bisect import bisect_right
from collections.abc import Container, Sequence
from heapq import heappop, heappush

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.address_set import AddressSet
from reconciler.allocation.sharing import Rank

_BUGGY_OCTETS = (0, 255)


class FreeAddresses:
    """
    Walks the entries in the order in which they are written, and each entry upwards.

    The walk only ever goes forward, past addresses that are taken; those that are given back behind it wait in a heap
    and are handed out first. So the cost of a whole pass is one step for each address in use, whatever the size of
    the pool. `taken` belongs to the caller, who adds what it hands out and calls `give_back` after removing.
    """

    __slots__ = (
        "_cursor",
        "_first_entry",
        "_given_back",
        "_index",
        "_last",
        "_ranges",
        "_skip_buggy",
        "_starts",
        "_taken",
    )

    def __init__(self, ranges: Sequence[AddressRange], taken: Container[int], *, skip_buggy: bool = False) -> None:
        self._ranges = _without_repetition(ranges)
        self._taken = taken
        self._skip_buggy = skip_buggy
        by_value = sorted((r.first, index) for index, r in enumerate(self._ranges))
        self._starts = [first for first, _ in by_value]
        self._first_entry = [index for _, index in by_value]
        self._index = -1
        self._cursor, self._last = 0, -1  # before the first range
        self._given_back: list[Rank] = []

    def lowest(self) -> int | None:
        """The first free address in the order of the entries; it stays free until the caller takes it."""
        given_back, taken, skip_buggy = self._given_back, self._taken, self._skip_buggy
        while given_back:
            if given_back[0][1] not in taken:
                return given_back[0][1]
            heappop(given_back)
        while self._cursor <= self._last or self._enter_next_range():
            if self._cursor not in taken and not (skip_buggy and self._cursor & 0xFF in _BUGGY_OCTETS):
                return self._cursor
            self._cursor += 1
        return None

    def _enter_next_range(self) -> bool:
        """Go on to the next entry; False when there is none."""
        if self._index + 1 >= len(self._ranges):
            return False
        self._index += 1
        self._cursor, self._last = self._ranges[self._index].first, self._ranges[self._index].last
        return True

    def give_back(self, value: int) -> None:
        """Tell of an address that is free again."""
        rank = self.rank(value)
        if rank < (self._index, self._cursor):
            heappush(self._given_back, rank)

    def rank(self, value: int) -> Rank:
        """Where an address of this pool stands in the order of handing out."""
        if len(self._starts) == 1:
            return 0, value
        return self._first_entry[bisect_right(self._starts, value) - 1], value


def _without_repetition(ranges: Sequence[AddressRange]) -> tuple[AddressRange, ...]:
    """The ranges in their order, each without what an earlier one already holds."""
    if sum(r.size for r in AddressSet.of(ranges).ranges) == sum(r.size for r in ranges):
        return tuple(ranges)
    kept: list[AddressRange] = []
    for current in ranges:
        kept.extend((AddressSet.of([current]) - AddressSet.of(kept)).ranges)
    return tuple(kept)
