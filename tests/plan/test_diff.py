"""The keyed difference of two collections."""

from hypothesis import given
from hypothesis import strategies as st

from reconciler.plan.diff import Difference, difference

_items = st.dictionaries(st.integers(0, 5), st.integers(0, 2)).map(lambda found: list(found.items()))


def test_what_was_added_removed_changed_and_kept() -> None:
    before, after = [("a", 1), ("b", 1), ("c", 1)], [("d", 1), ("c", 2), ("b", 1)]
    assert difference(before, after, lambda item: item[0]) == Difference(
        added=(("d", 1),), removed=(("a", 1),), changed=((("c", 1), ("c", 2)),), kept=(("b", 1),)
    )


@given(_items, _items)
def test_a_difference_leads_from_one_collection_to_the_other(
    before: list[tuple[int, int]], after: list[tuple[int, int]]
) -> None:
    found = difference(before, after, lambda item: item[0])
    assert {*found.removed, *found.kept, *(old for old, _ in found.changed)} == set(before)
    assert {*found.added, *found.kept, *(new for _, new in found.changed)} == set(after)
