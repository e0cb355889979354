"""What holds of any number of replicas in any world, as long as their monotonic clocks run at the same rate."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.membership.lease import JITTER_FACTOR
from tests.membership.election import TIMING, Clock, Faults, World

_MARGIN = TIMING.duration / TIMING.renew_deadline

chances = st.integers(min_value=0, max_value=2**32).map(random.Random)
faults = st.builds(
    Faults,
    delay=st.sampled_from([0.001, 0.3, 1.0, 3.0]),
    lost=st.sampled_from([0.0, 0.1, 0.5]),
    pause=st.sampled_from([0.0, 0.05, 0.3]),
    longest_pause=st.sampled_from([6.0, 12.0, 60.0]),
    restart=st.sampled_from([0.0, 0.02]),
    wall_jump=st.sampled_from([0.0, 0.2]),
    wall_stands_still=st.booleans(),
)
replicas = st.lists(st.sampled_from("abcde"), min_size=1, max_size=5, unique=True)


def clocks(names: list[str], chance: random.Random) -> dict[str, Clock]:
    return {name: Clock(offset=chance.uniform(-1e6, 1e6), wall_offset=chance.uniform(-1e6, 1e6)) for name in names}


@settings(max_examples=300, deadline=None)
@given(replicas, faults, chances)
def test_at_most_one_may_write_whatever_happens(names: list[str], unkind: Faults, chance: random.Random) -> None:
    world = World(chance, unkind, clocks(names, chance))
    world.run(600)
    assert all(len(leaders) == 1 for leaders in world.together)


@settings(max_examples=150, deadline=None)
@given(replicas, faults, chances)
def test_clocks_may_differ_in_rate_by_the_margin(names: list[str], unkind: Faults, chance: random.Random) -> None:
    world = World(chance, unkind, clocks(names, chance))
    for clock in world.clocks.values():
        clock.rate = chance.choice([1.0, 0.999 * _MARGIN, chance.uniform(1.0, 0.999 * _MARGIN)])
    world.run(600)
    assert all(len(leaders) == 1 for leaders in world.together)


@pytest.mark.parametrize(
    ("rate", "both"),
    [
        pytest.param(0.97 * _MARGIN, False, id="a little less than the margin"),
        pytest.param(1.03 * _MARGIN, True, id="a little more, which also shows that the laws can fail"),
    ],
)
@given(chance=chances)
def test_how_much_faster_a_clock_may_run(rate: float, both: bool, chance: random.Random) -> None:
    world = World(chance, Faults(delay=0.001), {"slow": Clock(0.0)})
    world.run(0.05)
    assert world.leaders() == {"slow"}
    world.clocks["quick"] = Clock(0.0, rate=rate)
    world.start("quick")
    # It is stopped, or cut off, before it renews for the first time.
    world.paused_until["slow"] = 60
    world.run(30)
    assert ({"slow", "quick"} in world.together) == both


@settings(max_examples=100, deadline=None)
@given(replicas, chances)
def test_somebody_leads_soon_where_all_are_healthy(names: list[str], chance: random.Random) -> None:
    world = World(chance, Faults(delay=0.01), clocks(names, chance))
    world.run(1)
    assert len(world.leaders()) == 1
    world.run(200)
    # And goes on without a change of hands.
    assert len({name for _, name in world.led}) == 1


@settings(max_examples=100, deadline=None)
@given(replicas.filter(lambda names: len(names) > 1), chances, st.floats(min_value=2, max_value=100))
def test_a_leader_that_dies_is_succeeded_within_the_lease_and_one_look(
    names: list[str], chance: random.Random, dies_at: float
) -> None:
    world = World(chance, Faults(delay=0.01), clocks(names, chance))
    world.run(dies_at)
    (leader,) = world.leaders()
    world.stop(leader)
    look = TIMING.retry_period * (1 + JITTER_FACTOR)
    world.run(dies_at + TIMING.duration + look + 1)
    assert len(world.leaders()) == 1


@settings(max_examples=100, deadline=None)
@given(replicas, faults, chances)
def test_somebody_leads_again_when_the_faults_are_over(names: list[str], unkind: Faults, chance: random.Random) -> None:
    world = World(chance, unkind, clocks(names, chance))
    world.run(200)
    world.faults = Faults(delay=0.01)
    world.paused_until.clear()
    # A request under way, a lease of whoever died, one look and the round trips.
    world.run(200 + 60 + TIMING.duration + TIMING.retry_period * (1 + JITTER_FACTOR) + 10)
    assert len(world.leaders()) == 1


@settings(max_examples=100, deadline=None)
@given(replicas, faults, chances)
def test_transitions_count_the_changes_of_holder(names: list[str], unkind: Faults, chance: random.Random) -> None:
    world = World(chance, unkind, clocks(names, chance))
    world.run(300)
    if world.store.stored is not None:
        assert world.store.stored.record.transitions == len(world.store.holders) - 1
