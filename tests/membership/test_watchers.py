"""Who watches whom: laws of the ring."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.membership.watchers import peers_of, ring, watched_by, watchers_of
from reconciler.model.observed import NodeName

names = st.text("abcxyz0123456789-", min_size=1, max_size=8).map(NodeName)
groups = st.sets(names, min_size=1, max_size=12)
counts = st.integers(1, 5)


def nodes(*numbers: int) -> set[NodeName]:
    return {NodeName(f"n{number}") for number in numbers}


@pytest.mark.parametrize(
    ("members", "count", "expected"),
    [
        pytest.param(nodes(1), 3, 0, id="nobody watches a node that is alone"),
        pytest.param(nodes(1, 2), 3, 1, id="of two each watches the other"),
        pytest.param(nodes(1, 2, 3), 3, 2, id="all others where they are fewer"),
        pytest.param(nodes(*range(50)), 3, 3, id="as many as wished"),
        pytest.param(nodes(*range(50)), 1, 2, id="never a single one, where there are two"),
    ],
)
def test_how_many_watch_a_node(members: set[NodeName], count: int, expected: int) -> None:
    around = ring(members)
    assert {len(watchers_of(node, around, count)) for node in members} == {expected}
    assert {len(watched_by(node, around, count)) for node in members} == {expected}


def test_a_stranger_is_not_watched_and_does_not_watch() -> None:
    around = ring(nodes(1, 2, 3))
    assert watchers_of(NodeName("x"), around, 3) == watched_by(NodeName("x"), around, 3) == ()


@given(groups, counts)
def test_both_ends_of_a_session_know_of_it(members: set[NodeName], count: int) -> None:
    around = ring(members)
    for node in members:
        assert node not in peers_of(node, around, count)
        for other in members:
            assert (other in watchers_of(node, around, count)) == (node in watched_by(other, around, count))
            assert (other in peers_of(node, around, count)) == (node in peers_of(other, around, count))


@given(st.lists(names, min_size=1, max_size=12))
def test_the_order_of_names_does_not_matter(members: list[NodeName]) -> None:
    assert ring(members) == ring(sorted(set(members), reverse=True))


@given(groups, counts, names)
def test_who_comes_or_goes_concerns_only_the_neighbours(members: set[NodeName], count: int, other: NodeName) -> None:
    without, with_it = ring(members - {other}), ring(members | {other})
    beside = peers_of(other, with_it, count) | {other}
    for node in set(members) - beside:
        assert watchers_of(node, without, count) == watchers_of(node, with_it, count)
