"""Whatever is planned: at every instant somebody answers, and two announce no longer than news are under way."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulation.group import GOSSIP, JOINED
from tests.simulation.world import OCTETS, World

chances = st.integers(0, 2**32).map(Random)
losses = st.sampled_from([0.0, 0.1, 0.3])
# All of them, by number: stop the speaker of a node, start it, drain so many nodes.
plans = st.tuples(st.sampled_from(["stop", "start", "drain"]), st.integers(0, 3))
# A node that was stopped has left, one that was started has joined and is ready.
DONE = 5.0
# Some know of a node that joined a little later than others; what is read from the cluster comes sooner than that.
NEWS = JOINED + 0.05


def carry_out(world: World, plan: tuple[str, int]) -> None:
    """Do as planned, where one node remains that is neither stopped nor drained: n0 never is."""
    name = world.names[1:][plan[1] % (len(world.names) - 1)]
    if plan[0] == "drain":
        world.drain(world.names[1 : 1 + plan[1] % len(world.names)])
    elif plan[0] == "start":
        world.start(name)
    elif world.speakers[name].is_running:
        world.speakers[name].terminate()


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 4), chances, losses, st.lists(plans, min_size=1, max_size=5))
def test_a_planned_move_leaves_no_gap(count: int, chance: Random, loss: float, history: list[tuple[str, int]]) -> None:
    world = World(count, chance, loss=loss)
    world.recorder.watch()
    for plan in history:
        carry_out(world, plan)
        world.run(DONE)
    assert world.recorder.unanswered < 0
    assert world.recorder.contended <= (NEWS if not loss else NEWS + GOSSIP)
    assert set(world.owners()) == OCTETS


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 4), chances, st.lists(st.tuples(plans, st.sampled_from([0.0, 0.01, 0.1, 1.0])), max_size=6))
def test_nor_do_several_at_a_time(count: int, chance: Random, history: list[tuple[tuple[str, int], float]]) -> None:
    world = World(count, chance)
    world.recorder.watch()
    for plan, pause in history:
        carry_out(world, plan)
        world.run(pause)
    world.run(DONE)
    assert world.recorder.unanswered < 0
    assert set(world.owners()) == OCTETS
