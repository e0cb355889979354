"""One pass after the other, each when it is due, until somebody says that it is enough."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from reconciler.cluster.port import NotLeading
from reconciler.errors import ReconcilerError
from reconciler.loop.execution import IncompleteError
from reconciler.loop.pacing import Occasion, Pacer, Source, Wake

_LOG = logging.getLogger(__name__)
# In seconds: when what a pass has left unwritten is tried again, first and at the latest.
_FIRST_REPETITION, _LONGEST_REPETITION = 0.1, 5.0


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a pass has failed, in one line; `is_partial` where it has only left some Services unwritten."""

    why: str
    is_partial: bool = False


class PassObserver(Protocol):
    """Who counts the passes."""

    def passed(self, occasion: Occasion, *, seconds: float, failed: Failed | None) -> None:
        """A pass has ended, after `seconds`."""
        ...


class Rounds:
    """
    Runs passes, never two at once. `wakes` counts how often somebody asked for one.

    A pass that fails is made again after a back-off. Whatever it raises is logged: a role goes on with its last good
    state, and is the more useful the longer it does.
    """

    def __init__(
        self,
        make_pass: Callable[[Occasion], Awaitable[None]],
        observer: PassObserver,
        *,
        pacer: Pacer,
        clock: Callable[[], float] = time.monotonic,
        work_clock: Callable[[], float] = time.process_time,
    ) -> None:
        """Both clocks are in seconds; the second one goes on only while this process has the processor."""
        self._make_pass = make_pass
        self._observer = observer
        self._pacer = pacer
        self._clock = clock
        self._work_clock = work_clock
        self._disturbed = asyncio.Event()
        self._last_problem: str | None = None
        self._repetitions = 0
        self._repetition: asyncio.TimerHandle | None = None
        self._stopping = False
        self.wakes = 0

    def stop(self) -> None:
        """Let `run` return once the pass that is under way has ended."""
        self._stopping = True
        self._disturbed.set()

    def wake(self, source: Source, reason: str) -> None:
        """Somebody asks for a pass."""
        self.wakes += 1
        self._pacer.wake(Wake(source, reason), self._clock())
        self._disturbed.set()

    @property
    def queue_age(self) -> float:
        """For how many seconds the oldest wake-up has waited for a pass that succeeds."""
        since = self._pacer.waiting_since
        return 0.0 if since is None else self._clock() - since

    async def run(self) -> None:
        """Until stopped, or cancelled in the middle of a pass; after that it may be called again."""
        try:
            while not self._stopping:
                self._disturbed.clear()
                due = self._pacer.due()
                left = None if due is None else due - self._clock()
                if left is not None and left <= 0:
                    await self._round()
                else:
                    await self._pause(left)
        finally:
            self._stopping = False

    async def _pause(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._disturbed.wait()
        except TimeoutError:
            pass

    async def _round(self) -> None:
        began, work_began = self._clock(), self._work_clock()
        occasion = self._pacer.begin(began)
        try:
            failed = await self._attempt(occasion)
        except asyncio.CancelledError:
            # What it was to answer is left to whoever runs the passes next.
            self._pacer.fail(self._clock(), 0.0)
            raise
        ended, worked = self._clock(), self._work_clock() - work_began
        if failed is None:
            self._pacer.succeed(ended, worked)
            self._repetitions = 0
        elif failed.is_partial:
            # Everybody else was served, and whoever asks next is not to wait for those who could not be.
            self._pacer.succeed(ended, worked)
            self._repeat_later()
        else:
            self._pacer.fail(ended, random.random())  # noqa: S311 - spreads the attempts of several replicas
        self._log(occasion, failed)
        self._observer.passed(occasion, seconds=ended - began, failed=failed)

    async def _attempt(self, occasion: Occasion) -> Failed | None:
        """Make one pass; why it failed, None if it did not."""
        try:
            await self._make_pass(occasion)
        except NotLeading as gone:
            # Nothing is wrong, and there is nothing to do again until we lead.
            _LOG.info("the pass was left off: %s", gone)
        except IncompleteError as failure:
            return Failed(str(failure), is_partial=not failure.is_unreachable)
        except ReconcilerError as failure:
            return Failed(str(failure))
        except Exception as failure:  # noqa: BLE001 - a role goes on; the defect is in the log and the metrics
            _LOG.exception("a pass failed unexpectedly")
            return Failed(f"{type(failure).__name__}: {failure}")
        return None

    def _repeat_later(self) -> None:
        delay = min(_LONGEST_REPETITION, _FIRST_REPETITION * 2.0 ** min(self._repetitions, 32))
        self._repetitions += 1
        if self._repetition is not None:
            self._repetition.cancel()
        spread = delay * (1 + random.random()) / 2  # noqa: S311 - as above
        self._repetition = asyncio.get_running_loop().call_later(
            spread, self.wake, Source.RETRY, "not everything could be written"
        )

    def _log(self, occasion: Occasion, failed: Failed | None) -> None:
        problem = failed.why if failed else None
        if problem is not None and problem != self._last_problem:
            _LOG.warning("the pass for %s failed, and is made again: %s", occasion, problem)
        elif problem is None and self._last_problem is not None:
            _LOG.info("passes succeed again")
        self._last_problem = problem
