"""What differs between two snapshots, however the unchanged Services are handed over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.model.changes import changes_between, is_in_order
from reconciler.model.observed import Service
from tests.allocation.counting import lines_run
from tests.builders import service

MANY = tuple(service(f"web/s{number:04}") for number in range(1000))
numbers = st.sets(st.integers(0, len(MANY) - 1), max_size=8)


@given(numbers, numbers, numbers, st.booleans())
def test_what_was_edited_added_or_taken_away(
    edited: set[int], absent_before: set[int], absent_after: set[int], anew: bool
) -> None:
    after = {number: replace(MANY[number]) if anew else MANY[number] for number in range(len(MANY))}
    after |= {number: replace(MANY[number], resource_version="2") for number in edited}
    before = tuple(found for number, found in enumerate(MANY) if number not in absent_before)
    later = tuple(found for number, found in after.items() if number not in absent_after)
    found = changes_between(before, later)
    assert found is not None
    gone = (edited | absent_after) - absent_before
    come = (edited | absent_before) - absent_after
    assert found.gone == [MANY[number] for number in sorted(gone)]
    assert found.come == [after[number] for number in sorted(come)]
    assert found.number == len(gone) + len(come)


A, B, C, D = (service(f"web/{name}") for name in "abcd")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param((A, B, C), (B, A, C), id="two in the wrong order"),
        pytest.param((A, C), (A, C, B), id="a new one at the wrong end"),
        pytest.param((B, C, D), (B, C, A, D), id="a new one in the wrong place"),
        pytest.param((), (B, A), id="nothing but disorder"),
        pytest.param((A,), (A, A), id="one twice"),
        pytest.param((A, B), (A, replace(A, resource_version="2"), B), id="one twice, and not the same"),
    ],
)
def test_a_snapshot_out_of_order_is_no_successor(before: tuple[Service, ...], after: tuple[Service, ...]) -> None:
    assert changes_between(before, after) is None
    assert not is_in_order(after)
    assert is_in_order(before)


def test_nobody_looks_at_each_of_the_unchanged() -> None:
    later = (*MANY[:500], replace(MANY[500], resource_version="2"), *MANY[501:])
    assert lines_run(lambda: changes_between(MANY, later)) < len(MANY)
