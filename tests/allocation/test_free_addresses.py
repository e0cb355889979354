import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.addresses.address_range import AddressRange, is_buggy
from reconciler.addresses.family import Address, Family
from reconciler.allocation.free_addresses import FreeAddresses

small = st.builds(
    lambda first, length: AddressRange(Family.IPV4, first, first + length), st.integers(240, 270), st.integers(0, 9)
)


class CountingSet(set[int]):
    """A set that counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.questions = 0

    def __contains__(self, value: object) -> bool:
        self.questions += 1
        return super().__contains__(value)


@settings(max_examples=200)
@given(st.lists(small, max_size=4), st.booleans(), st.lists(st.integers(0, 40), max_size=60))
def test_it_is_the_first_free_address_in_the_order_of_the_entries(
    ranges: list[AddressRange], skip_buggy: bool, steps: list[int]
) -> None:
    order = list(dict.fromkeys(value for r in ranges for value in range(r.first, r.last + 1)))
    usable = [v for v in order if not (skip_buggy and is_buggy(Address(Family.IPV4, v)))]
    taken: set[int] = set()
    free = FreeAddresses(ranges, taken, skip_buggy=skip_buggy)
    for step in steps:
        assert free.lowest() == next((value for value in usable if value not in taken), None)
        if step % 3 and (lowest := free.lowest()) is not None:
            taken.add(lowest)
        elif step % 2 and usable:
            taken.add(usable[step % len(usable)])  # somebody holds an address further on
        elif taken:
            given_back = sorted(taken)[step % len(taken)]
            taken.remove(given_back)
            free.give_back(given_back)


def test_addresses_are_ranked_in_the_order_of_the_entries() -> None:
    ranges = [AddressRange.parse("10.0.0.8/30"), AddressRange.parse("10.0.0.0/30")]
    free = FreeAddresses(ranges, set())
    order = [value for r in ranges for value in range(r.first, r.last + 1)]
    assert sorted(order, key=free.rank) == order


@pytest.mark.parametrize(
    "text", [pytest.param("10.0.0.0/8", id="of 2^24"), pytest.param("2001:db8::/32", id="of 2^96")]
)
def test_taking_addresses_of_a_huge_pool_costs_a_few_questions_each(text: str) -> None:
    taken = CountingSet()
    free = FreeAddresses([AddressRange.parse(text)], taken, skip_buggy=True)
    for _ in range(5_000):
        lowest = free.lowest()
        assert lowest is not None
        taken.add(lowest)
    assert taken.questions <= 3 * 5_000


def test_addresses_that_come_and_go_are_not_walked_over_again() -> None:
    taken = CountingSet()
    free = FreeAddresses([AddressRange.parse("10.0.0.0/8")], taken)
    for _ in range(2_000):
        taken.add(free.lowest() or 0)
    taken.questions = 0
    for value in sorted(taken)[::2]:
        taken.remove(value)
        free.give_back(value)
        assert free.lowest() == value
        taken.add(value)
    assert taken.questions <= 4 * 1_000


def test_a_full_pool_is_found_full_at_once() -> None:
    taken = CountingSet()
    free = FreeAddresses([AddressRange.parse("10.0.0.0/22")], taken)
    while (lowest := free.lowest()) is not None:
        taken.add(lowest)
    taken.questions = 0
    assert [free.lowest() for _ in range(100)] == [None] * 100
    assert taken.questions == 0
