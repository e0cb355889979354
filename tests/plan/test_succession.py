"""In which order Services change their addresses."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.observed import ServiceKey
from reconciler.plan.succession import Move, Succession, succession
from tests.builders import addresses

A, B, C, D = "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"


def move(key: str, before: str, after: str) -> Move:
    return Move(ServiceKey(key), addresses(before), addresses(after))


def nobody_shares(_one: ServiceKey, _other: ServiceKey) -> bool:
    return False


@pytest.mark.parametrize(
    ("moves", "aside", "order"),
    [
        pytest.param([move("b", "", A), move("a", "", B)], "", "ab", id="by key where nobody waits"),
        pytest.param([move("a", "", A), move("b", A, B)], "", "ba", id="after the one that gives the address up"),
        pytest.param(
            [move("a", "", A), move("b", A, B), move("c", B, C)], "", "cba", id="along a chain from its far end"
        ),
        pytest.param([move("a", "", A), move("b", A, B), move("c", "", D)], "", "bac", id="others keep their place"),
        pytest.param([move("a", A, B), move("b", B, A)], "a", "ba", id="in an exchange the first steps aside"),
        pytest.param(
            [move("a", A, B), move("b", B, C), move("c", C, A)], "a", "cba", id="in a circle of three only one does"
        ),
        pytest.param(
            [move("a", "", D), move("b", f"{A} {D}", B), move("c", B, A)],
            "b",
            "acb",
            id="somebody who only waits for a circle does not step aside",
        ),
        pytest.param(
            [move("a", A, B), move("b", B, A), move("c", C, D), move("d", D, C)], "ac", "badc", id="two circles"
        ),
        pytest.param([move("a", A, f"{A} {B}"), move("b", B, C)], "", "ba", id="an address that is added is taken too"),
        pytest.param([move("a", A, A), move("b", "", A)], "", "ab", id="nobody waits for what is kept"),
    ],
)
def test_moves_in_an_order_that_frees_addresses_first(moves: list[Move], aside: str, order: str) -> None:
    expected = Succession(tuple(map(ServiceKey, aside)), tuple(map(ServiceKey, order)))
    assert succession(moves, nobody_shares) == expected


def test_those_who_may_share_an_address_do_not_wait_for_each_other() -> None:
    moves = [move("a", A, B), move("b", B, A)]
    assert succession(moves, lambda _one, _other: True) == Succession((), (ServiceKey("a"), ServiceKey("b")))


@st.composite
def exchanges(draw: st.DrawFn) -> list[Move]:
    """Services that hold distinct addresses before, and distinct ones afterwards."""
    count = draw(st.integers(0, 8))
    places = [f"192.0.2.{n}" for n in range(1, 11)]
    before = draw(st.permutations(places))
    after = draw(st.permutations(places))
    held = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    return [move(f"s{n}", before[n] if held[n] else "", after[n]) for n in range(count)]


@settings(max_examples=200, deadline=None)
@given(exchanges())
def test_no_address_ever_has_two_holders(moves: list[Move]) -> None:
    found = succession(moves, nobody_shares)
    assert sorted(found.order) == sorted(one.service for one in moves)
    by_key = {one.service: one for one in moves}
    held = {one.service: one.before for one in moves}
    for key in found.aside:
        held[key] = ()
    for key in found.order:
        held[key] = by_key[key].after
        everything = [address for addresses_held in held.values() for address in addresses_held]
        assert len(everything) == len(set(everything))


@settings(max_examples=200, deadline=None)
@given(exchanges())
def test_as_many_step_aside_as_there_are_circles(moves: list[Move]) -> None:
    owner = {address: one.service for one in moves for address in one.before}
    next_one = {one.service: owner[one.after[0]] for one in moves if one.after[0] in owner and one.after != one.before}
    circles = set()
    for start in next_one:
        path = [start]
        while path[-1] in next_one and next_one[path[-1]] not in path:
            path.append(next_one[path[-1]])
        if next_one.get(path[-1]) == start:
            circles.add(frozenset(path))
    assert len(succession(moves, nobody_shares).aside) == len(circles)
