"""A mapping that never changes is compared with a dict, through changes and comparisons in any order."""

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.persistent_map import PersistentMap
from tests.allocation.counting import lines_run

# Few keys, so that they meet, and some that are far apart.
keys = st.integers(0, 7) | st.sampled_from([1 << 40, 1 << 136, 5 << 136 | 24])
values = st.tuples(st.integers(0, 2))
changes = st.dictionaries(keys, st.none() | values, max_size=6)

Known = dict[int, tuple[int, ...]]


def grown(*several: dict[int, tuple[int] | None]) -> list[tuple[PersistentMap[int, tuple[int, ...]], Known]]:
    """What becomes of an empty map, step by step, beside what becomes of a dict."""
    found: list[tuple[PersistentMap[int, tuple[int, ...]], Known]] = [(PersistentMap(), {})]
    for one in several:
        mapping, known = found[-1]
        after = {key: value for key, value in {**known, **one}.items() if value is not None}
        found.append((mapping.changed(one), after))
    return found


@given(st.lists(changes, max_size=5))
def test_a_map_and_all_that_it_was_before_are_like_a_dict(several: list[dict[int, tuple[int] | None]]) -> None:
    for mapping, known in grown(*several):
        assert dict(mapping.items()) == known
        assert sorted(mapping) == sorted(known)
        assert sorted(mapping.values()) == sorted(known.values())
        assert len(mapping) == len(known)
        assert all(mapping.get(key) == known.get(key) for key in {1, 1 << 40, *known})


@given(st.lists(changes, min_size=1, max_size=5), st.lists(changes, max_size=3), st.data())
def test_any_two_are_compared_whether_they_come_of_one_another_or_not(
    several: list[dict[int, tuple[int] | None]], others: list[dict[int, tuple[int] | None]], data: st.DataObject
) -> None:
    every = [*grown(*several), *grown(*others)]
    for _ in range(data.draw(st.integers(1, 4))):
        (earlier, before), (later, after) = data.draw(st.sampled_from(every)), data.draw(st.sampled_from(every))
        expected = {key: (before.get(key), after.get(key)) for key in before.keys() | after.keys()}
        assert {key: (old, new) for key, old, new in later.since(earlier)} == {
            key: pair for key, pair in expected.items() if pair[0] != pair[1]
        }
        assert sorted(later.keys_since(earlier)) == sorted(after.keys() - before.keys())
    # Whatever a comparison does within, no map has changed.
    assert all(dict(mapping.items()) == known for mapping, known in every)


def test_what_was_found_equal_once_is_not_compared_again() -> None:
    size = 5_000
    first = PersistentMap[int, tuple[int, ...]]().changed({key: (key,) for key in range(size)})
    other = PersistentMap[int, tuple[int, ...]]().changed({key: (key,) for key in range(size)})
    changed = first.changed({7: (8,)})
    assert lines_run(lambda: list(changed.since(other))) > size
    assert lines_run(lambda: list(changed.since(other))) < 100


def test_a_change_costs_the_same_among_many() -> None:
    few = PersistentMap[int, tuple[int, ...]]().changed({key: (key,) for key in range(10)})
    many = PersistentMap[int, tuple[int, ...]]().changed({key: (key,) for key in range(10_000)})

    def lines(of: PersistentMap[int, tuple[int, ...]]) -> int:
        return lines_run(lambda: of.changed({3: (0,), 4: None, -1: (1,)}))

    assert lines(many) == lines(few)
