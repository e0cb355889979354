from hypothesis import given
from hypothesis import strategies as st

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.address_set import AddressSet
from reconciler.addresses.family import Address, Family
from tests.strategies import small_ranges

ranges = st.lists(small_ranges(), max_size=6)


def members(found: AddressSet) -> set[Address]:
    return {Address(r.family, value) for r in found.ranges for value in range(r.first, r.last + 1)}


def plainly(found: list[AddressRange]) -> set[Address]:
    return {Address(r.family, value) for r in found for value in range(r.first, r.last + 1)}


def is_canonical(found: AddressSet) -> bool:
    pairs = zip(found.ranges, found.ranges[1:], strict=False)
    return all(a.family < b.family or (a.family is b.family and a.last + 1 < b.first) for a, b in pairs)


@given(ranges, ranges)
def test_a_set_agrees_with_a_set_of_single_addresses(left: list[AddressRange], right: list[AddressRange]) -> None:
    a, b = AddressSet.of(left), AddressSet.of(right)
    assert members(a) == plainly(left)
    assert members(a | b) == plainly(left) | plainly(right)
    assert members(a - b) == plainly(left) - plainly(right)
    assert members(a & b) == plainly(left) & plainly(right)
    assert all(map(is_canonical, (a, b, a | b, a - b, a & b)))


@given(ranges, st.integers(0, 60))
def test_membership_size_and_lowest_agree_too(found: list[AddressRange], value: int) -> None:
    built, plain = AddressSet.of(found), plainly(found)
    for family in Family:
        mine = {address for address in plain if address.family is family}
        assert (Address(family, value) in built) is (Address(family, value) in plain)
        assert built.size(family) == len(mine)
        assert built.lowest(family) == min(mine, default=None)


@given(ranges)
def test_equal_sets_are_equal_values_however_they_were_built(found: list[AddressRange]) -> None:
    pieces = [AddressRange(a.family, a.value, a.value) for a in plainly(found)]
    assert AddressSet.of(found) == AddressSet.of(reversed(found)) == AddressSet.of(pieces)


def test_an_ipv6_prefix_counts_exactly() -> None:
    assert AddressSet.of([AddressRange.parse("2001:db8::/32")]).size(Family.IPV6) == 2**96
