"""Whatever happens to a world, an Allocator says at each step what `allocate` says of it."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.allocation.allocate import allocate
from reconciler.allocation.standing import Allocator
from tests.allocation.crowds import Crowd
from tests.allocation.histories import deeds, worlds


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_what_stands_and_what_is_added_are_the_whole(data: st.DataObject) -> None:
    allocator, world = Allocator(), data.draw(worlds())
    for step in range(data.draw(st.integers(1, 12))):
        if step:
            world = data.draw(deeds())(data.draw, world)
        whole = allocate(world.desired, world.observed, lb_class=world.lb_class)
        assert allocator.allocate(world.desired, world.observed, lb_class=world.lb_class) == whole


# Drawn worlds are small, so that a failure is easy to read. What meets in a crowd is seldom drawn.
@pytest.mark.parametrize("seed", range(60))
def test_so_they_are_in_a_crowd(seed: int) -> None:
    allocator, crowd = Allocator(), Crowd(Random(seed))  # noqa: S311 - chance that can be repeated
    for _ in range(30):
        whole = allocate(crowd.desired, crowd.observed)
        assert allocator.allocate(crowd.desired, crowd.observed) == whole
        crowd.go_on(whole)
    assert allocator.whole_passes < 30
