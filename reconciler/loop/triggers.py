"""
Everything that makes a role look again: files, the cluster, a signal and the schedule, as one stream of wake-ups.

A wake-up that is one too many costs a pass that finds nothing to do; so nothing here tries to be clever.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import TypeAlias

from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]  # it has no types

from reconciler.loop.file_changes import FileChanges
from reconciler.loop.pacing import Source, Wake

DEFAULT_INTERVAL = 60.0

WakeUp: TypeAlias = Callable[[Wake], None]


class Triggers:
    """
    All sources of wake-ups of one process. `wake_up` is called in the event loop and must not block.

    Nothing is said at the start: the first pass is its owner's to ask for.
    """

    def __init__(
        self,
        wake_up: WakeUp,
        *,
        files: FileChanges,
        cluster_changes: Callable[[], AsyncIterator[str]],
        interval: float = DEFAULT_INTERVAL,
    ) -> None:
        """
        Args:
            wake_up: Told of each reason to look again.
            files: The configuration.
            cluster_changes: `Cluster.changes`.
            interval: Seconds between the ticks that repair whatever was missed.
        """
        self._wake_up = wake_up
        self._files = files
        self._cluster_changes = cluster_changes
        self._interval = interval

    def watch(self, directories: Iterable[str]) -> None:
        """From now on the files of the configuration are expected in these directories."""
        self._files.watch(directories)

    async def run(self) -> None:
        """Pass on all wake-ups until cancelled; nothing is left behind then."""
        with _signals(self._wake_up), _schedule(self._wake_up, self._interval):
            async with asyncio.TaskGroup() as group:
                group.create_task(_relay(self._files.reasons(), Source.FILES, self._wake_up))
                group.create_task(_relay(self._cluster_changes(), Source.CLUSTER, self._wake_up))


async def _relay(reasons: AsyncIterator[str], source: Source, wake_up: WakeUp) -> None:
    async for reason in reasons:
        wake_up(Wake(source, reason))


@contextmanager
def _signals(wake_up: WakeUp) -> Iterator[None]:
    """SIGHUP asks for a look now; before and after, it ends the process, as it does by default."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, wake_up, Wake(Source.SIGNAL, "SIGHUP"))
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


@contextmanager
def _schedule(wake_up: WakeUp, interval: float) -> Iterator[None]:
    """A tick every so many seconds; one that comes late because the loop is busy still counts."""

    # Not a plain function: the scheduler would call that in a thread.
    async def tick() -> None:
        wake_up(Wake(Source.SCHEDULE, f"{interval:g} s have passed"))

    # The time zone is named, or it would be looked for on disk.
    scheduler = AsyncIOScheduler(timezone=UTC)
    scheduler.add_job(
        tick, "interval", seconds=interval, misfire_grace_time=None, coalesce=True, max_instances=1, id="tick"
    )
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)
