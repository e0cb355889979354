"""When passes are made again: who could not be written waits longer and longer, and nobody waits for him."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from reconciler.cluster.port import ClusterError, NotLeading
from reconciler.loop.execution import IncompleteError
from reconciler.loop.pacing import Occasion, Pacer, Source
from reconciler.loop.rounds import Failed, Rounds
from reconciler.loop.tasks import cancelled
from tests.loop.time_ahead import now, run_ahead

PARTIAL = IncompleteError("a write was not made: a webhook refuses it", is_unreachable=False)
AWAY = IncompleteError("a write was not made: nobody answers", is_unreachable=True)
# In seconds: what the pacer waits for others to ask as well.
QUIET = 0.02


class Passes:
    """Passes that take no time and end as they are told; `at` are their instants."""

    def __init__(self, outcomes: Iterator[Exception | None], after: Callable[["Passes"], None]) -> None:
        self.at: list[float] = []
        self.occasions: list[Occasion] = []
        self.ended: list[Failed | None] = []
        self.rounds = Rounds(self._make, self, pacer=Pacer(), clock=now)
        self._outcomes = outcomes
        self._after = after

    async def _make(self, occasion: Occasion) -> None:
        self.at.append(now())
        self.occasions.append(occasion)
        outcome = next(self._outcomes, None)
        if outcome is not None:
            raise outcome

    def passed(self, occasion: Occasion, *, seconds: float, failed: Failed | None) -> None:
        assert occasion is self.occasions[-1]
        assert seconds == 0
        self.ended.append(failed)
        self._after(self)

    @property
    def gaps(self) -> list[float]:
        return [later - earlier for earlier, later in pairwise(self.at)]


def passes(*outcomes: Exception | None, after: Callable[[Passes], None] = lambda _: None) -> Passes:
    """Run until an hour has passed, or as long as there are outcomes."""

    async def main() -> Passes:
        made = Passes(iter(outcomes), after)
        made.rounds.wake(Source.START, "start")
        running = asyncio.create_task(made.rounds.run())
        await asyncio.sleep(3600)
        made.rounds.stop()
        await running
        return made

    return run_ahead(main())


@pytest.mark.parametrize("failure", [PARTIAL, AWAY, ClusterError("it could not be read"), KeyError("a defect")])
def test_what_fails_is_made_again_after_longer_and_longer(failure: Exception) -> None:
    made = passes(*[failure] * 10)
    assert len(made.at) == 11
    for number, gap in enumerate(made.gaps):
        whole = min(5.0, 0.1 * 2**number)
        assert whole / 2 <= gap <= whole + QUIET
    assert made.ended[-1] is None


def test_what_succeeds_is_not_made_again() -> None:
    assert len(passes(None).at) == 1
    assert len(passes(NotLeading("another leads")).at) == 1


def test_after_a_success_the_waits_begin_anew() -> None:
    def wake(made: Passes) -> None:
        if len(made.at) == 7:
            made.rounds.wake(Source.CLUSTER, "a Service")

    made = passes(*[PARTIAL] * 6, None, PARTIAL, after=wake)
    assert made.gaps[5] > 1
    assert made.gaps[7] <= 0.1 + QUIET


def woken_once(count: int, source: Source) -> Callable[[Passes], None]:
    def wake(made: Passes) -> None:
        if len(made.at) == count:
            made.rounds.wake(source, "somebody asks")

    return wake


@pytest.mark.parametrize(
    ("failure", "source", "waits"),
    [
        pytest.param(PARTIAL, Source.CLUSTER, False, id="not for one that could not be written"),
        pytest.param(AWAY, Source.CLUSTER, True, id="for a server that does not answer"),
        pytest.param(AWAY, Source.FILES, False, id="never for new files"),
    ],
)
def test_whoever_asks_waits(failure: Exception, source: Source, waits: bool) -> None:
    made = passes(*[failure] * 8, after=woken_once(7, source))
    assert (made.gaps[6] > 1) is waits
    assert "somebody asks" in made.occasions[7].reasons


def test_there_is_one_repetition_however_often_a_pass_is_made() -> None:
    def wake(made: Passes) -> None:
        if len(made.at) < 8:
            made.rounds.wake(Source.CLUSTER, "somebody asks")

    made = passes(*[PARTIAL] * 8, after=wake)
    assert [occasion.sources for occasion in made.occasions[1:]] == [{Source.CLUSTER}] * 7 + [{Source.RETRY}]


def test_a_partial_failure_leaves_nothing_waiting() -> None:
    ages: list[float] = []
    passes(PARTIAL, after=lambda made: ages.append(made.rounds.queue_age))
    assert ages[0] == 0


def test_a_problem_is_logged_once_and_its_end_as_well(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "reconciler")
    made = passes(PARTIAL, PARTIAL, AWAY, AWAY, None)
    assert [(ended.why, ended.is_partial) for ended in made.ended if ended] == [
        (str(PARTIAL), True),
        (str(PARTIAL), True),
        (str(AWAY), False),
        (str(AWAY), False),
    ]
    assert [message.partition(": ")[2] for message in caplog.messages] == [str(PARTIAL), str(AWAY), ""]
    assert caplog.messages[-1] == "passes succeed again"


def test_a_pass_that_was_cancelled_is_made_by_whoever_runs_the_next() -> None:
    async def main() -> list[Occasion]:
        begun: list[Occasion] = []

        async def make(occasion: Occasion) -> None:
            begun.append(occasion)
            await asyncio.sleep(0 if len(begun) > 1 else 3600)

        made = Passes(iter(()), lambda _: None)
        rounds = Rounds(make, made, pacer=Pacer(), clock=now)
        made.occasions = begun
        rounds.wake(Source.START, "start")
        for _ in range(2):
            rounds.stop()
            running = asyncio.create_task(rounds.run())
            await running
            running = asyncio.create_task(rounds.run())
            await asyncio.sleep(1)
            await cancelled([running])
        return begun

    first, again = run_ahead(main())
    assert first.reasons == again.reasons == ("start",)
