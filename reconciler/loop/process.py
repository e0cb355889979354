"""
The life of a controller process: everything that runs beside the passes, and the order in which it ends.

On SIGTERM no further write is begun; what is under way is finished, Events are written as far as there is time, and
only then the lease is released: a successor must not meet a write that is still on its way.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.loop.configuration import Configuration
from reconciler.loop.controller import Controller
from reconciler.loop.execution import Executor
from reconciler.loop.leadership import Leadership
from reconciler.loop.pacing import FILES_MAY_HAVE_CHANGED, Occasion, Source
from reconciler.loop.publishing import Publishing
from reconciler.loop.rounds import Rounds
from reconciler.loop.tasks import cancelled, running, until
from reconciler.loop.triggers import Triggers

# In seconds; together less than the second in which a successor is to take over.
_LAST_WRITES = 0.4
_LAST_EVENTS = 0.2
_RELEASE = 0.3


@dataclass(frozen=True, slots=True)
class Parts:
    """What a controller process is made of; `beside` runs as long as the process does."""

    controller: Controller
    configuration: Configuration
    executor: Executor
    rounds: Rounds
    triggers: Triggers
    leadership: Leadership
    flush_events: Callable[[float], Awaitable[None]]
    beside: Sequence[Callable[[], Coroutine[Any, Any, None]]]


class Process:
    """Runs until it is told to stop. Rounds and leadership call its methods: they are wired to it when it exists."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._stop = asyncio.Event()
        self._publishing = Publishing(self._publish)
        self._is_settled = False

    def stop(self) -> None:
        """Hand over and end."""
        self._stop.set()

    def leadership_changed(self, *, leads: bool) -> None:
        """Told by the leadership, in the event loop."""
        if leads:
            self._parts.controller.lead()
            self._parts.rounds.wake(Source.LEADERSHIP, "leadership gained")

    async def make_pass(self, occasion: Occasion) -> None:
        """One pass, and what follows from it."""
        parts = self._parts
        try:
            await parts.controller.make_pass(look_at_files=not FILES_MAY_HAVE_CHANGED.isdisjoint(occasion.sources))
        finally:
            parts.triggers.watch(parts.configuration.directories)
            self._publishing.has_news()
            self._settle()

    async def run(self) -> None:
        """Until `stop`; then end in order. What ends before that ends the process, with its error."""
        parts = self._parts
        await parts.configuration.restore()
        parts.rounds.wake(Source.START, "start")
        async with running(parts.triggers.run, self._publishing.run, *parts.beside) as beside:
            passing = asyncio.create_task(parts.rounds.run())
            leading = asyncio.create_task(parts.leadership.run())
            stopping = asyncio.create_task(until(self._stop))
            tasks = {passing, leading, stopping}
            ended, _ = await asyncio.wait({*tasks, beside}, return_when=asyncio.FIRST_COMPLETED)
            await self._hand_over(passing)
            await cancelled(tasks)
        for task in ended:
            task.result()

    async def _hand_over(self, passing: "asyncio.Task[None]") -> None:
        parts = self._parts
        parts.executor.stop()
        parts.rounds.stop()
        await asyncio.wait({passing}, timeout=_LAST_WRITES)
        await parts.flush_events(_LAST_EVENTS)
        await parts.leadership.release(_RELEASE)

    async def _publish(self) -> None:
        if self._parts.leadership.leads():
            await self._parts.controller.publish()

    def _settle(self) -> None:
        """What was read at the start stays: looking for garbage among it stops the process for a moment each time."""
        if not self._is_settled and self._parts.controller.unsynced is None:
            self._is_settled = True
            gc.collect()
            gc.freeze()
