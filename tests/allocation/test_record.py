"""Sorted rows of which some change: always the rows that a dictionary would have."""

from hypothesis import given
from hypothesis import strategies as st

from reconciler.allocation.decisions import Ignored
from reconciler.allocation.rows import Rows
from reconciler.model.observed import ServiceKey

keys = st.integers(0, 60).map(lambda number: ServiceKey(f"web/s{number:02}"))
rows = st.dictionaries(keys, st.sampled_from(["one", "two"]), max_size=60)
changes = st.dictionaries(keys, st.sampled_from(["one", "two", None]), max_size=60)


def sorted_rows(found: dict[ServiceKey, str]) -> tuple[Ignored, ...]:
    return tuple(Ignored(key, found[key]) for key in sorted(found))


@given(rows, st.lists(changes, max_size=4))
def test_rows_after_changes(before: dict[ServiceKey, str], batches: list[dict[ServiceKey, str | None]]) -> None:
    kept = Rows(sorted_rows(before))
    found = dict(before)
    for batch in batches:
        for key, word in batch.items():
            kept.put(key, Ignored(key, word) if word else None)
            found.pop(key, None)
            if word:
                found[key] = word
        assert kept.all() == sorted_rows(found)


@given(rows, st.sets(keys))
def test_the_same_rows_are_the_same_tuple(before: dict[ServiceKey, str], told_again: set[ServiceKey]) -> None:
    kept = Rows(sorted_rows(before))
    first = kept.all()
    for key in told_again:
        kept.put(key, None)
        kept.put(key, Ignored(key, before[key]) if key in before else None)
    assert kept.all() is first
