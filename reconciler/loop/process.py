"""
The life of a controller process: everything that runs beside the passes, and the order in which it ends.

On SIGTERM no further write is begun; what is under way is finished, Events are written as far as there is time, and
only then the lease is released: a successor must not meet a write that is still on its way.
"""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from reconciler.cluster.port import ClusterError, NotLeading
from reconciler.loop.configuration import Configuration
from reconciler.loop.controller import Controller
from reconciler.loop.execution import Executor
from reconciler.loop.leadership import Leadership
from reconciler.loop.pacing import Occasion, Source
from reconciler.loop.rounds import Rounds
from reconciler.loop.triggers import Triggers

_LOG = logging.getLogger(__name__)

# Wake-ups that come from the cluster alone do not say anything of the files.
_FILES_MAY_HAVE_CHANGED = frozenset({Source.FILES, Source.SIGNAL, Source.SCHEDULE, Source.START})
# In seconds; together less than the second in which a successor is to take over.
_LAST_WRITES = 0.4
_LAST_EVENTS = 0.2
_RELEASE = 0.3
# The status object is for people and for speakers: once a second is often enough for either.
_PUBLISHING_GAP = 1.0
_PUBLISHING_PAUSE = 5.0


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
        self._has_news = asyncio.Event()
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
            await parts.controller.make_pass(look_at_files=not _FILES_MAY_HAVE_CHANGED.isdisjoint(occasion.sources))
        finally:
            parts.triggers.watch(parts.configuration.directories)
            self._has_news.set()
            self._settle()

    async def run(self) -> None:
        """Until `stop`; then end in order. What ends before that ends the process, with its error."""
        parts = self._parts
        await parts.configuration.restore()
        parts.rounds.wake(Source.START, "start")
        async with _running(parts.triggers.run, self._publish_news, *parts.beside) as beside:
            passing = asyncio.create_task(parts.rounds.run())
            leading = asyncio.create_task(parts.leadership.run())
            stopping = asyncio.create_task(_until(self._stop))
            tasks = {passing, leading, stopping}
            ended, _ = await asyncio.wait({*tasks, beside}, return_when=asyncio.FIRST_COMPLETED)
            await self._hand_over(passing)
            await _cancelled(tasks)
        for task in ended:
            task.result()

    async def _hand_over(self, passing: "asyncio.Task[None]") -> None:
        parts = self._parts
        parts.executor.stop()
        parts.rounds.stop()
        await asyncio.wait({passing}, timeout=_LAST_WRITES)
        await parts.flush_events(_LAST_EVENTS)
        await parts.leadership.release(_RELEASE)

    async def _publish_news(self) -> None:
        complaint = None
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            try:
                if self._parts.leadership.leads():
                    await self._parts.controller.publish()
                complaint = None
            except NotLeading:
                continue
            except ClusterError as error:
                if str(error) != complaint:
                    complaint = str(error)
                    _LOG.warning("the status is not published: %s", complaint)
                self._has_news.set()
                await asyncio.sleep(_PUBLISHING_PAUSE)
            except Exception:  # noqa: BLE001 - the addresses do not depend on it
                _LOG.exception("the status cannot be written")
                await asyncio.sleep(_PUBLISHING_PAUSE)
            await asyncio.sleep(_PUBLISHING_GAP)

    def _settle(self) -> None:
        """What was read at the start stays: looking for garbage among it stops the process for a moment each time."""
        if not self._is_settled and self._parts.controller.unsynced is None:
            self._is_settled = True
            gc.collect()
            gc.freeze()


async def _until(event: asyncio.Event) -> None:
    await event.wait()


async def _cancelled(tasks: Iterable["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _running(*mains: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator["asyncio.Task[None]"]:
    """All of them at once, as one task that ends, with its error, when any of them does."""

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as group:
            for main in mains:
                group.create_task(main())

    task = asyncio.create_task(all_of_them())
    try:
        yield task
    finally:
        await _cancelled([task])
