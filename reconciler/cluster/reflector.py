"""
Keeps a store equal to what the API server has of one kind: list, then watch, for ever.

A watch goes on from the last version seen only where the server ended it at the time that was agreed. Whatever else
ends it is followed by a new list: the server may have come back empty, or older than we remember, and would then stay
silent on a watch from a version that it has not reached.
"""

import logging
import random
import time
from asyncio import sleep
from collections.abc import Callable
from contextlib import aclosing
from typing import Generic

from reconciler.cluster.api_errors import ApiError, Expired
from reconciler.cluster.connection import Connection
from reconciler.cluster.kinds import Decoded, Value
from reconciler.cluster.listing import read_all
from reconciler.cluster.port import ClusterError
from reconciler.cluster.store import Change, Store

_LOG = logging.getLogger(__name__)

# Seconds. The server sends a bookmark about every minute.
_IDLE_TIMEOUT = 90.0
# Reflectors and replicas do not all come back at the same moment.
_WATCH_TIMEOUT = (300.0, 600.0)
_FIRST_DELAY = 0.1
_LONGEST_DELAY = 3.0
# Longer than that the server cannot make us wait.
_LONGEST_WISH = 30.0
# A watch counts whole seconds, and the clocks of both sides differ a little.
_TOO_EARLY = 1.0


class Reflector(Generic[Decoded, Value]):
    """
    The reader of one kind.

    `synced`: whether everything was read at least once. `away_since`: since when, on the monotonic clock, the server
    does not answer, or answers what cannot be used; None while it does. `last_error` is the last reason in one line,
    and stays. `relists`, `watch_restarts` and `decode_failures` count from the start; the first list is none of the
    relists.
    """

    def __init__(
        self,
        connection: Connection,
        store: Store[Decoded, Value],
        *,
        on_change: Callable[[str, str], None],
        idle_timeout: float = _IDLE_TIMEOUT,
        watch_timeout: tuple[float, float] = _WATCH_TIMEOUT,
        longest_delay: float = _LONGEST_DELAY,
        page_size: int = 500,
    ) -> None:
        """
        `on_change` is told the kind and a reason for the log each time a decision may come out differently.

        Times are in seconds; each watch asks for a time between the two of `watch_timeout`.
        """
        self.store: Store[Decoded, Value] = store
        self.synced = False
        self.away_since: float | None = None
        self.last_error = ""
        self.relists = 0
        self.watch_restarts = 0
        self._connection = connection
        self._on_change = on_change
        self._idle_timeout = idle_timeout
        self._watch_timeout = watch_timeout
        self._longest_delay = longest_delay
        self._page_size = page_size
        self._delay = _FIRST_DELAY

    @property
    def kind(self) -> str:
        """What it reads, for people."""
        return self.store.kind.name

    @property
    def decode_failures(self) -> int:
        """How many objects could not be read."""
        return self.store.decode_failures

    async def run(self) -> None:
        """Never returns; ends by being cancelled."""
        while True:
            begun = time.monotonic()
            try:
                await self._list()
                while await self._watch():
                    self.watch_restarts += 1
            except Expired as error:
                # The last version seen is forgotten, which is no fault; a list that expires each time is one.
                _LOG.info("%s: %s; listing again", self.kind, error)
                await self._pause(begun, None)
            except ClusterError as error:
                self._is_away(error)
                await self._pause(begun, error.retry_after if isinstance(error, ApiError) else None)

    async def _list(self) -> None:
        outcome = await read_all(self._connection, self.store, limit=self._page_size)
        was_away, was_synced = self.away_since is not None, self.synced
        self.synced, self.away_since = True, None
        self.relists += was_synced
        if was_away:
            _LOG.info("%s: the API server answers again; %d listed", self.kind, len(self.store))
        if outcome.change is Change.VALUE or was_away or not was_synced:
            self._on_change(self.kind, f"{self.kind}: {len(self.store)} listed")

    async def _watch(self) -> bool:
        """
        Watch from the last version; True once the server ended that at the agreed time.

        Raises:
            ApiError: An ERROR event, or a refusal.
            ClusterError: The watch ended in any other way.
        """
        lasts = int(random.uniform(*self._watch_timeout)) or 1  # noqa: S311
        query = {
            "watch": "true",
            "resourceVersion": self.store.resume_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(lasts),
        }
        begun = time.monotonic()
        path = self.store.kind.path
        async with aclosing(self._connection.lines(path, query=query, idle_timeout=self._idle_timeout)) as lines:
            async for line in lines:
                outcome = self.store.apply(line)
                if outcome.change is Change.VALUE:
                    self._on_change(self.kind, f"{self.kind} {outcome.key} changed")
        if time.monotonic() - begun < lasts - _TOO_EARLY:
            raise ClusterError(f"watch of {path} at {self._connection.server}: ended before its time")
        return True

    def _is_away(self, error: ClusterError) -> None:
        self.last_error = str(error)
        if self.away_since is None:
            self.away_since = time.monotonic()
            _LOG.warning("%s: %s; keeping what is known", self.kind, error)
        else:
            _LOG.debug("%s: %s", self.kind, error)

    async def _pause(self, begun: float, wished: float | None) -> None:
        """
        Wait before the next list, longer after each failure in a row.

        Counted from when the last attempt began: an attempt that waited long for nothing, or a watch that went well
        for a while, needs no rest.
        """
        lasted = time.monotonic() - begun
        if lasted > self._longest_delay:
            self._delay, lasted = _FIRST_DELAY, 0.0
        delay = self._delay * random.uniform(0.5, 1)  # noqa: S311
        self._delay = min(self._delay * 2, self._longest_delay)
        await sleep(max(delay - lasted, min(wished or 0.0, _LONGEST_WISH), 0.01))
