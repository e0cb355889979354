"""When a pass is due: rows for each rule, and the laws that hold whatever comes when."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.loop.pacing import URGENT, Occasion, Pace, Pacer, PacingError, Source, Wake

PACE = Pace(quiet=0.01, longest_wait=0.2, longest_gap=0.05, first_backoff=0.1, longest_backoff=5.0)
CHANGED = Wake(Source.CLUSTER, "Services changed")
HANGUP = Wake(Source.SIGNAL, "SIGHUP")
EDITED = Wake(Source.FILES, "a.yaml changed")
GAINED = Wake(Source.LEADERSHIP, "we lead")


def after_pass(*, began: float, ended: float) -> Pacer:
    pacer = Pacer(PACE)
    pacer.wake(CHANGED, began)
    pacer.begin(began)
    pacer.succeed(ended)
    return pacer


def after_failures(number: int, *, jitter: float = 1.0) -> Pacer:
    """The last of them at 100."""
    pacer = Pacer(PACE)
    pacer.wake(CHANGED, 100)
    for _ in range(number):
        pacer.begin(100)
        pacer.fail(100, jitter)
    return pacer


def test_nothing_is_due_before_anybody_asks() -> None:
    assert Pacer(PACE).due() is None


@pytest.mark.parametrize(
    ("wakes", "due"),
    [
        pytest.param([7.0], 7.01, id="the first after idleness waits for quiet only"),
        pytest.param([7.0, 7.005], 7.015, id="a second one is waited for"),
        pytest.param([7.0 + i / 200 for i in range(100)], 7.2, id="a storm does not put it off for ever"),
    ],
)
def test_wake_ups_close_together_are_one_pass(wakes: list[float], due: float) -> None:
    pacer = Pacer(PACE)
    for now in wakes:
        pacer.wake(EDITED, now)
    assert pacer.due() == pytest.approx(due)


@pytest.mark.parametrize(
    ("wakes", "due"),
    [
        pytest.param([(7.0, CHANGED)], 7.0, id="one"),
        pytest.param([(7.0, CHANGED), (7.001, CHANGED)], 7.0, id="whatever comes after it"),
        pytest.param([(7.0, CHANGED), (7.001, EDITED)], 7.011, id="but for a file"),
        pytest.param([(7.0, EDITED), (7.001, CHANGED)], 7.011, id="nor a file that came before"),
    ],
)
def test_a_change_of_the_cluster_does_not_wait_for_quiet(wakes: list[tuple[float, Wake]], due: float) -> None:
    pacer = Pacer(PACE)
    for now, wake in wakes:
        pacer.wake(wake, now)
    assert pacer.due() == pytest.approx(due)


@pytest.mark.parametrize(
    ("ended", "asked", "due"),
    [
        pytest.param(1.001, 1.001, 1.002, id="a short pass leaves a short gap"),
        pytest.param(1.030, 1.020, 1.060, id="a pass is followed by a gap as long as itself"),
        pytest.param(9.0, 1.0, 9.05, id="but a long one by no longer gap than that"),
        pytest.param(9.0, 60.0, 60.0, id="a gap that is over costs nothing"),
    ],
)
def test_passes_leave_a_gap(ended: float, asked: float, due: float) -> None:
    pacer = after_pass(began=1.0, ended=ended)
    pacer.wake(CHANGED, asked)
    assert pacer.due() == pytest.approx(due)


@pytest.mark.parametrize(
    ("worked", "due"),
    [
        pytest.param(0.004, 2.004, id="what was waiting for others needs none"),
        pytest.param(0.7, 2.05, id="but no longer gap than that"),
        pytest.param(0.0, 2.0, id="nothing at all"),
    ],
)
def test_the_gap_is_as_long_as_the_pass_has_worked(worked: float, due: float) -> None:
    pacer = Pacer(PACE)
    pacer.wake(CHANGED, 1.0)
    pacer.begin(1.0)
    pacer.wake(CHANGED, 1.5)
    pacer.succeed(2.0, worked)
    assert pacer.due() == pytest.approx(due)


def test_a_wake_up_during_a_pass_asks_for_another_one() -> None:
    pacer = Pacer(PACE)
    pacer.wake(CHANGED, 1)
    pacer.begin(1)
    pacer.wake(EDITED, 2)
    assert pacer.due() is None
    pacer.succeed(3)
    assert pacer.due() == 3.05
    assert pacer.begin(3.05) == Occasion(("a.yaml changed",), 0, frozenset({Source.FILES}), 2)
    pacer.succeed(4)
    assert pacer.due() is None


@pytest.mark.parametrize(
    ("failures", "jitter", "wait"),
    [
        pytest.param(1, 1.0, 0.1, id="the first"),
        pytest.param(1, 0.0, 0.05, id="half of it by jitter"),
        pytest.param(2, 1.0, 0.2, id="the second"),
        pytest.param(6, 1.0, 3.2, id="the sixth"),
        pytest.param(7, 1.0, 5.0, id="the first that the cap cuts"),
        pytest.param(5000, 1.0, 5.0, id="after a long night"),
    ],
)
def test_failures_are_tried_again_by_themselves_after_a_growing_wait(failures: int, jitter: float, wait: float) -> None:
    assert after_failures(failures, jitter=jitter).due() == pytest.approx(100 + wait)


@pytest.mark.parametrize(
    ("wake", "due"),
    [
        pytest.param(CHANGED, 103.2, id="a change of the cluster waits"),
        pytest.param(Wake(Source.SCHEDULE, "tick"), 103.2, id="so does the schedule"),
        pytest.param(HANGUP, 101.01, id="a signal does not"),
        pytest.param(EDITED, 101.01, id="nor a changed file"),
        pytest.param(GAINED, 101.01, id="nor who leads since"),
    ],
)
def test_who_may_cut_a_back_off_short(wake: Wake, due: float) -> None:
    pacer = after_failures(6)
    pacer.wake(wake, 101)
    assert pacer.due() == pytest.approx(due)


def test_a_file_that_changes_while_a_pass_fails_is_not_held_up() -> None:
    pacer = Pacer(PACE)
    pacer.wake(CHANGED, 1)
    pacer.begin(1)
    pacer.wake(EDITED, 1.01)
    pacer.fail(1.02, 1.0)
    assert pacer.due() == pytest.approx(1.04)


def test_success_ends_the_back_off() -> None:
    pacer = after_failures(6)
    pacer.begin(104)
    pacer.succeed(104)
    assert pacer.due() is None
    pacer.wake(CHANGED, 105)
    assert pacer.due() == 105
    pacer.begin(105.01)
    pacer.fail(106, 1.0)
    assert pacer.due() == pytest.approx(106.1)


def test_what_a_failed_pass_was_to_answer_is_asked_again() -> None:
    pacer = Pacer(PACE)
    pacer.wake(EDITED, 1)
    pacer.begin(1)
    pacer.wake(CHANGED, 2)
    pacer.fail(3, 1.0)
    occasion = pacer.begin(4)
    both = frozenset({Source.FILES, Source.CLUSTER})
    assert occasion == Occasion(("a.yaml changed", "Services changed"), 0, both, 1, failures=1)
    assert str(occasion) == "a.yaml changed, Services changed, attempt 2"


def test_reasons_are_named_once_and_not_all() -> None:
    pacer = Pacer(PACE)
    for number in range(1000):
        pacer.wake(Wake(Source.CLUSTER, f"{number % 500}"), 1)
        pacer.wake(CHANGED, 1)
    assert str(pacer.begin(2)) == "0, Services changed, 1, 2, 3, 992 more"


def test_the_age_of_what_waits_is_known_until_it_is_done() -> None:
    pacer = Pacer(PACE)
    assert pacer.waiting_since is None
    pacer.wake(CHANGED, 1)
    pacer.begin(2)
    pacer.wake(CHANGED, 3)
    assert pacer.waiting_since == 1
    pacer.fail(4, 1.0)
    assert pacer.waiting_since == 1
    pacer.begin(5)
    pacer.wake(CHANGED, 6)
    pacer.succeed(7)
    assert pacer.waiting_since == 6


def test_a_pass_out_of_turn_is_a_mistake() -> None:
    pacer = Pacer(PACE)
    with pytest.raises(PacingError, match="nobody asked"):
        pacer.begin(1)
    with pytest.raises(PacingError, match="no pass"):
        pacer.succeed(1)
    with pytest.raises(PacingError, match="no pass"):
        pacer.fail(1, 0.5)
    pacer.wake(CHANGED, 1)
    pacer.begin(1)
    with pytest.raises(PacingError, match="under way"):
        pacer.begin(1)


@dataclass
class Event:
    """Somebody asks after a while; and the next pass that begins takes so long, and fails or not."""

    after: float
    wake: Wake
    lasts: float
    fails: bool


events = st.builds(
    Event,
    after=st.sampled_from([0.0, 0.001, 0.02, 0.3, 20.0]),
    wake=st.sampled_from([CHANGED, EDITED, HANGUP, GAINED, Wake(Source.SCHEDULE, "tick"), Wake(Source.START, "start")]),
    lasts=st.sampled_from([0.0, 0.004, 0.1, 3.0]),
    fails=st.booleans(),
)


@dataclass
class Pass:
    began: float
    occasion: Occasion
    ended: float
    failed: bool
    due: float


@dataclass
class Run:
    """
    A process that follows the pacer exactly, on a clock that only events move.

    `begun` are the passes that had begun before each wake-up: one may begin in the very instant in which it comes.
    """

    pacer: Pacer = field(default_factory=lambda: Pacer(PACE))
    wakes: list[tuple[float, Wake]] = field(default_factory=list)
    begun: list[int] = field(default_factory=list)
    passes: list[Pass] = field(default_factory=list)
    under_way: Pass | None = None

    def until(self, now: float, lasts: float, *, fails: bool) -> None:
        """Everything that happens up to an instant."""
        while True:
            if self.under_way is not None:
                if self.under_way.ended > now:
                    return
                self._end(self.under_way)
            due = self.pacer.due()
            if due is None or due > now:
                return
            began = max(due, self.passes[-1].ended if self.passes else due)
            self.under_way = Pass(began, self.pacer.begin(began), began + lasts, fails, due)

    def _end(self, ended: Pass) -> None:
        if ended.failed:
            self.pacer.fail(ended.ended, 0.5)
        else:
            self.pacer.succeed(ended.ended)
        self.passes.append(ended)
        self.under_way = None


def run(script: list[Event]) -> Run:
    played, now = Run(), 0.0
    for event in script:
        now += event.after
        played.until(now, event.lasts, fails=event.fails)
        played.pacer.wake(event.wake, now)
        played.wakes.append((now, event.wake))
        played.begun.append(len(played.passes) + (played.under_way is not None))
    # In the end everything goes well, for long enough.
    played.until(now + 1000, 0.0, fails=False)
    return played


@given(st.lists(events, max_size=60))
def test_no_wake_up_is_lost(script: list[Event]) -> None:
    played = run(script)
    for (asked, wake), begun in zip(played.wakes, played.begun, strict=True):
        answers = [done for done in played.passes[begun:] if not done.failed]
        assert answers, f"{wake} at {asked} was never answered"
        assert answers[0].began >= asked
        assert wake.source in answers[0].occasion.sources
    assert played.pacer.due() is None
    assert played.pacer.waiting_since is None


@given(st.lists(events, max_size=60))
def test_passes_follow_each_other_with_the_gap_between_them(script: list[Event]) -> None:
    played = run(script)
    for before, after in zip(played.passes, played.passes[1:], strict=False):
        is_first = Source.START in before.occasion.sources
        gap = 0.0 if is_first else min(PACE.longest_gap, before.ended - before.began)
        assert after.began >= before.ended + gap - 1e-9


@given(st.lists(events, max_size=60))
def test_nobody_waits_longer_than_promised(script: list[Event]) -> None:
    played = run(script)
    free_at, failures = 0.0, 0
    for done in played.passes:
        asked = max(done.occasion.since, free_at)
        patience = min(PACE.longest_backoff, 0.1 * 2 ** (failures - 1)) if failures else 0.0
        assert done.began <= asked + max(PACE.longest_wait, patience) + PACE.longest_gap + 1e-9
        free_at, failures = done.ended, failures + 1 if done.failed else 0


@given(st.lists(events, max_size=60))
def test_only_urgent_wake_ups_cut_a_back_off_short(script: list[Event]) -> None:
    played = run(script)
    for before, after in zip(played.passes, played.passes[1:], strict=False):
        if before.failed and after.began < before.ended + PACE.first_backoff / 2:
            since = [wake.source for asked, wake in played.wakes if before.began <= asked <= after.began]
            assert URGENT.intersection(since)
