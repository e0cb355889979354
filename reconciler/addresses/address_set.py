"""A set of addresses as disjoint ordered ranges: union, difference, membership and size."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.family import Address, Family


@dataclass(frozen=True, slots=True)
class AddressSet:
    """Ranges that are disjoint, not adjacent, and ascending (IPv4 before IPv6); build it with `of`."""

    ranges: tuple[AddressRange, ...] = ()
    _starts: tuple[tuple[int, int], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_starts", tuple((r.family, r.first) for r in self.ranges))

    @classmethod
    def of(cls, ranges: Iterable[AddressRange]) -> Self:
        """The union of any ranges, in any order."""
        return cls(tuple(_merged(sorted(ranges))))

    def __contains__(self, address: Address) -> bool:
        index = bisect_right(self._starts, (address.family, address.value)) - 1
        return index >= 0 and address in self.ranges[index]

    def size(self, family: Family) -> int:
        """How many addresses of that family the set holds."""
        return sum(r.size for r in self.ranges if r.family is family)

    def lowest(self, family: Family) -> Address | None:
        """The numerically lowest address of that family."""
        return next((Address(family, r.first) for r in self.ranges if r.family is family), None)

    def __or__(self, other: "AddressSet") -> "AddressSet":
        return AddressSet.of((*self.ranges, *other.ranges))

    def __sub__(self, other: "AddressSet") -> "AddressSet":
        return AddressSet(tuple(_subtract(self.ranges, other.ranges)))

    def __and__(self, other: "AddressSet") -> "AddressSet":
        return self - (self - other)


def _merged(ranges: Iterable[AddressRange]) -> Iterator[AddressRange]:
    pending: AddressRange | None = None
    for current in ranges:
        if pending and pending.family is current.family and current.first <= pending.last + 1:
            pending = AddressRange(pending.family, pending.first, max(pending.last, current.last))
            continue
        if pending:
            yield pending
        pending = current
    if pending:
        yield pending


def _subtract(minuend: tuple[AddressRange, ...], subtrahend: tuple[AddressRange, ...]) -> Iterator[AddressRange]:
    index = 0
    for left in minuend:
        first = left.first
        while index < len(subtrahend) and _ends_before(subtrahend[index], left.family, first):
            index += 1
        scan = index
        while scan < len(subtrahend) and subtrahend[scan].overlaps(left):
            right = subtrahend[scan]
            if first < right.first:
                yield AddressRange(left.family, first, right.first - 1)
            first = right.last + 1
            scan += 1
        if first <= left.last:
            yield AddressRange(left.family, first, left.last)


def _ends_before(candidate: AddressRange, family: Family, first: int) -> bool:
    return (candidate.family, candidate.last) < (family, first)
