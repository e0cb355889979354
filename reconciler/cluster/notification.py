"""Which names in some directories were touched. What that means is left to those who ask."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from pathlib import Path

from watchfiles import Change, awatch

_LOG = logging.getLogger(__name__)

# In milliseconds: a batch ends once nothing was touched for a step, at the latest after the debounce. Whoever is told
# waits for quiet himself, so a longer step would only make changes late.
_DEBOUNCE, _STEP = 200, 20
# In seconds: a directory that vanished between two lines of ours is back by then, or seen to be missing.
_PAUSE = 0.05


class Notification:
    """
    Batches of touched paths, from one watch after the other.

    inotify instances are few (128 for each user by default), so one `Notification` watches all that its owner cares
    about. Where nothing can be watched, its owner has to look every `look_again` seconds; that is logged once.
    """

    def __init__(self, what: str, *, look_again: float) -> None:
        """
        Args:
            what: What is in the directories, for the log.
            look_again: How long nothing may be touched before an empty batch says so, in seconds.
        """
        self._what = what
        self._look_again = look_again
        self._blind: str | None = None

    async def batches(self, directories: Collection[Path], stop: asyncio.Event) -> AsyncGenerator[frozenset[Path]]:
        """
        The paths that were touched together; none as soon as the watch stands, and whenever it is time to look again.

        Ends when `stop` is set, or the directories have to be looked up anew. They are watched each by itself: a
        recursive watch goes blind in a directory that is replaced. Where one of them may not be read, none is watched.
        """
        try:
            watch = awatch(
                *directories,
                watch_filter=None,
                debounce=_DEBOUNCE,
                step=_STEP,
                stop_event=stop,
                rust_timeout=int(self._look_again * 1000),
                yield_on_timeout=True,
                recursive=False,
            )
            async with aclosing(watch), aclosing(_announced(watch)) as announced:
                async for touched in announced:
                    self._see()
                    yield touched
        except FileNotFoundError:
            await asyncio.sleep(_PAUSE)
        except (OSError, RuntimeError) as error:
            # RuntimeError is what watchfiles raises when no inotify instance is left.
            self._go_blind(str(error))
            try:
                async with asyncio.timeout(self._look_again):
                    await stop.wait()
            except TimeoutError:
                pass

    def _see(self) -> None:
        if self._blind is not None:
            self._blind = None
            _LOG.info("%s is watched again", self._what)

    def _go_blind(self, why: str) -> None:
        if self._blind is None:
            _LOG.warning("%s cannot be watched, and is looked at every %g s: %s", self._what, self._look_again, why)
        self._blind = why


async def _announced(watch: AsyncGenerator[set[tuple[Change, str]]]) -> AsyncGenerator[frozenset[Path]]:
    """An empty batch first, at a moment when nothing escapes the watch any more; then those of the watch."""
    coming = asyncio.ensure_future(anext(watch))
    try:
        # One turn of the loop: the watch is made before its first wait.
        await asyncio.sleep(0)
        if not coming.done():
            yield frozenset()
        while True:
            try:
                changes = await coming
            except StopAsyncIteration:
                return
            coming = asyncio.ensure_future(anext(watch))
            yield frozenset(Path(path) for _, path in changes)
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
