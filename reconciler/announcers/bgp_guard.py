"""
The last look at a route before a peer hears of it: nothing leaves that the pools cannot hold. No I/O.

It shares no code with what decides about routes, so that a mistake there is not made here as well.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.family import Family
from reconciler.model.desired import DesiredState


class ExportGuard:
    """
    What configurations allow. A prefix passes where a BGPAdvertisement has its length and a pool has an address of it;
    one of a single address thus lies in a pool. A default route never passes.
    """

    def __init__(self, configurations: Iterable[DesiredState] = ()) -> None:
        """
        Args:
            configurations: The one in force, and former ones under which addresses are still announced.
        """
        states = tuple(configurations)
        self._ipv4, self._ipv6 = _Allowed(states, Family.IPV4), _Allowed(states, Family.IPV6)

    def allows_all_of(self, other: "ExportGuard") -> bool:
        """Whether nothing that passes the other one is refused by this one, and there is as much room."""
        return all(self._of(family).covers(other._of(family)) for family in Family)  # noqa: SLF001 - of its own kind

    def room(self, family: Family) -> int:
        """
        How many prefixes of a family one peer may hear of.

        An address is told in as many prefixes as there are lengths, so more of them cannot be meant.
        """
        return self._of(family).room

    def refusal(self, prefix: AddressRange) -> str | None:
        """Why a prefix may not leave, in words that follow its text; None where it may."""
        first, last, allowed = prefix.first, prefix.last, self._of(prefix.family)
        size = last - first + 1
        if size <= 0 or size & size - 1 or first % size:
            return "is not one prefix"
        length = allowed.bits - size.bit_length() + 1
        if length == 0:
            return "is a default route"
        if length not in allowed.lengths:
            return f"has a length of {length}, which no BGPAdvertisement asks for"
        return None if allowed.has_one_between(first, last) else "holds no address of any pool"

    def _of(self, family: Family) -> "_Allowed":
        return self._ipv4 if family is Family.IPV4 else self._ipv6


class _Allowed:
    """Of one family: the lengths of prefixes, and the addresses of pools, first and last, ascending and apart."""

    def __init__(self, states: Sequence[DesiredState], family: Family) -> None:
        self.bits = family.bits
        self.lengths = frozenset(
            one.aggregation_length if family is Family.IPV4 else one.aggregation_length_v6
            for state in states
            for one in state.bgp_advertisements
        )
        self.firsts, self.lasts = _spans(states, family)
        self.room = len(self.lengths) * (sum(self.lasts) - sum(self.firsts) + len(self.firsts))

    def has_one_between(self, first: int, last: int) -> bool:
        """Whether a pool has an address there."""
        at = bisect_left(self.lasts, first)
        return at < len(self.lasts) and self.firsts[at] <= last

    def covers(self, other: "_Allowed") -> bool:
        """Whether this is all of the other one, or more."""
        return other.lengths <= self.lengths and all(map(self._has_all, other.firsts, other.lasts))

    def _has_all(self, first: int, last: int) -> bool:
        at = bisect_left(self.lasts, last)
        return at < len(self.lasts) and self.firsts[at] <= first


def _spans(states: Iterable[DesiredState], family: Family) -> tuple[list[int], list[int]]:
    """The first addresses of what the pools hold, and the last ones."""
    firsts: list[int] = []
    lasts: list[int] = []
    entries = (entry.addresses for state in states for pool in state.pools for entry in pool.entries)
    for first, last in sorted((one.first, one.last) for one in entries if one.family is family):
        if lasts and first <= lasts[-1] + 1:
            lasts[-1] = max(lasts[-1], last)
        else:
            firsts.append(first)
            lasts.append(last)
    return firsts, lasts
