"""Files that come up to 90 s apart: nobody is ever without an answer, and no two announce longer than news travel."""

from collections.abc import Callable
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.membership.revisions import Published
from reconciler.model.observed import NodeName
from tests.simulation.group import GOSSIP, JOINED
from tests.simulation.speaker import WAIT
from tests.simulation.world import FIRST, OCTETS, World, revision

SKEW = 90.0
# One message, and the passes at both ends; or gossip, where the message got lost.
HOP = 0.03

chances = st.integers(0, 2**32).map(Random)
losses = st.sampled_from([0.0, 0.1, 0.3])
# Either commits follow so fast that the last is everywhere before the wait for the first is over, or one is in use
# before the next is made. Otherwise somebody may have waited for what nobody else will ever have.
gaps = st.sampled_from([0.5, 3.0, 8.0, 100.0, 300.0])
# What is committed, reverts included, and how long after the commit before.
commits = st.lists(st.tuples(st.integers(0, 3), gaps), min_size=1, max_size=4)


class Repository:
    """
    The files as they were committed, and everybody who looks at them: each sees every commit within 90 s, or a later.

    `is_held` says which revisions the controller holds; None where there is no controller.
    """

    def __init__(self, world: World, is_held: Callable[[str], bool] | None) -> None:
        self.head = FIRST
        self._world = world
        self._is_held = is_held
        self._in_force = FIRST

    def commit(self, found: str) -> None:
        self.head = found
        for name in self._world.names:
            self._world.timeline.after(self._skew(), self._delivery(name))
        if self._is_held is not None:
            self._world.timeline.after(self._skew(), self._judge)

    def _skew(self) -> float:
        chance = self._world.chance
        return chance.choice([0.0, SKEW, chance.uniform(0.0, SKEW), chance.uniform(0.0, SKEW)])

    def _delivery(self, name: NodeName) -> Callable[[], None]:
        return lambda: self._world.deliver(name, self.head)

    def _judge(self) -> None:
        assert self._is_held is not None
        is_held = self.head != self._in_force and self._is_held(self.head)
        if not is_held:
            self._in_force = self.head
        verdict, held = ("held", self.head) if is_held else ("passed", None)
        self._world.publish(Published(revision=self.head, verdict=verdict, in_force=self._in_force, held_revision=held))


def in_use(world: World) -> set[str | None]:
    return {speaker.revisions.in_use for speaker in world.running()}


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 4), chances, losses, commits)
def test_skewed_files_leave_no_gap_and_no_two_owners(
    count: int, chance: Random, loss: float, history: list[tuple[int, float]]
) -> None:
    world = World(count, chance, loss=loss)
    repository = Repository(world, lambda _: False)
    world.recorder.watch()
    for number, gap in history:
        world.run(gap)
        repository.commit(revision(number))
    world.run(SKEW + 10)
    assert world.recorder.unanswered < 0
    assert world.recorder.contended <= (HOP if not loss else HOP + GOSSIP)
    assert in_use(world) == {repository.head}
    assert set(world.owners()) == OCTETS


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 4), chances, losses, commits, st.sets(st.integers(1, 3)))
def test_what_is_held_is_used_by_nobody_and_divides_nobody(
    count: int, chance: Random, loss: float, history: list[tuple[int, float]], held: set[int]
) -> None:
    world = World(count, chance, loss=loss)
    repository = Repository(world, {revision(number) for number in held}.__contains__)
    world.recorder.watch()
    for number, gap in history:
        world.run(gap)
        repository.commit(revision(number))
    world.run(SKEW + WAIT + 10)
    assert world.recorder.unanswered < 0
    assert world.recorder.contended <= (HOP if not loss else HOP + GOSSIP)
    assert len(in_use(world)) == 1
    assert in_use(world).isdisjoint(map(revision, held))


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 4), chances, losses, st.integers(1, 3))
def test_without_a_controller_all_change_over_together_in_the_end(
    count: int, chance: Random, loss: float, number: int
) -> None:
    world = World(count, chance, loss=loss)
    world.recorder.watch()
    Repository(world, None).commit(revision(number))
    world.run(WAIT - 1)
    assert in_use(world) == {FIRST}
    world.run(SKEW + 2)
    assert in_use(world) == {revision(number)}
    assert world.recorder.unanswered < 0
    assert world.recorder.contended <= (HOP if not loss else HOP + GOSSIP)


@settings(max_examples=20, deadline=None)
@given(st.integers(3, 4), chances, losses, st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), max_size=3))
def test_nor_does_a_speaker_that_is_restarted_meanwhile(
    count: int, chance: Random, loss: float, history: list[tuple[int, int]]
) -> None:
    world = World(count, chance, loss=loss)
    repository = Repository(world, lambda _: False)
    world.recorder.watch()
    for number, restarted in history:
        repository.commit(revision(number))
        world.run(chance.uniform(0.0, SKEW / 2))
        name = world.names[restarted % (count - 1) + 1]
        world.speakers[name].terminate()
        # The others may go on meanwhile, and its files come later still.
        world.run(chance.uniform(5.0, SKEW / 2))
        world.start(name)
        world.run(SKEW + 10)
        assert in_use(world) == {repository.head}
    assert world.recorder.unanswered < 0
    assert world.recorder.contended <= HOP + JOINED + GOSSIP
    assert set(world.owners()) == OCTETS
