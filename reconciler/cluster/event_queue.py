"""
Events, written behind everything else: what a person reads must never slow down what traffic waits for.

While the status of Services is being written, Events wait, except for one each second. They are bounded in number,
and lost rather than in the way.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from reconciler.cluster.api_errors import ApiError, NotFound
from reconciler.cluster.connection import Connection
from reconciler.cluster.event_bodies import Speaker, Statement, event_name, new_event, repeated_event
from reconciler.cluster.port import ClusterError, Conflict, NotLeading

_LOG = logging.getLogger(__name__)

_TOO_MANY_REQUESTS = 429
_SERVER_FAULT = 500
_MERGE_PATCH = "application/merge-patch+json"

# In seconds; how long a request may take, how long no status was written before Events go freely, and how often one
# goes although some is.
_TIMEOUT = 10.0
_LULL = 0.05
_TRICKLE = 1.0
# At the same time; more of them are not written faster by an API server with two cores.
_PARALLEL = 8
# Attempts, and the longest pause between them in seconds: an Event outlives a restart of the API server.
_TRIES = 8
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 5.0
# Seconds between two lines of the log about Events that are lost.
_LOG_GAP = 10.0
# Statements remembered, so that their Events can be counted up, and for how many seconds after the last time.
_REMEMBERED = 4096
_WINDOW = 600.0


@dataclass(slots=True)
class _Waiting:
    """A statement that is to be written: how often it was made, first and last when, and what was tried."""

    first: str
    last: str
    count: int = 1
    tries: int = 0
    name: str = ""


class EventQueue:
    """
    Takes statements at once and writes them as Events when there is time; `run` does the writing.

    `dropped` counts the Events that were never written.
    """

    def __init__(
        self,
        connection: Connection,
        speaker: Speaker,
        *,
        may_write: Callable[[], bool] = lambda: True,
        limit: int = 20_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.dropped = 0
        self._connection = connection
        self._speaker = speaker
        self._may_write = may_write
        self._limit = limit
        self._clock = clock
        self._waiting: OrderedDict[Statement, _Waiting] = OrderedDict()
        self._recorded = _Recorded()
        self._serial = 0
        self._something, self._idle, self._hurry = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._idle.set()
        self._status_writes = 0
        self._calm_since = self._trickled_at = self._logged_at = float("-inf")
        self._failures = 0

    @property
    def waiting(self) -> int:
        """How many Events are not written yet."""
        return len(self._waiting)

    def put(self, statement: Statement) -> None:
        """Have a statement written; the oldest one gives way where too many wait."""
        now = _timestamp()
        waiting = self._waiting.get(statement)
        if waiting is not None:
            waiting.count, waiting.last = waiting.count + 1, now
            return
        if len(self._waiting) >= self._limit:
            oldest, _ = self._waiting.popitem(last=False)
            self._lose(oldest, f"more than {self._limit} wait")
        self._waiting[statement] = _Waiting(now, now)
        self._idle.clear()
        self._something.set()

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Something more important is being written meanwhile."""
        self._status_writes += 1
        try:
            yield
        finally:
            self._status_writes -= 1
            self._calm_since = self._clock()

    async def run(self) -> None:
        """Write what was put, until this is cancelled."""
        while True:
            await self._something.wait()
            room = await self._room()
            batch = [self._waiting.popitem(last=False) for _ in range(min(room, len(self._waiting)))]
            answered = await asyncio.gather(*(self._record(statement, waiting) for statement, waiting in batch))
            self._trickled_at = self._clock()
            if not self._waiting:
                self._something.clear()
                self._idle.set()
            await self._pause_unless(all(answered))

    async def flush(self, timeout: float) -> None:
        """Write what waits without holding back, and return when it is written or after so many seconds."""
        self._hurry.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._idle.wait()
        self._hurry.clear()
        if self._waiting:
            _LOG.warning("%d Events are left unwritten", len(self._waiting))

    async def _room(self) -> int:
        """Wait until Events may go, and tell how many of them."""
        while not self._hurry.is_set():
            now = self._clock()
            if not self._status_writes and now - self._calm_since >= _LULL:
                break
            if now - self._trickled_at >= _TRICKLE:
                return 1
            await self._wait(_LULL)
        return _PARALLEL

    async def _pause_unless(self, answered: bool) -> None:  # noqa: FBT001 - the verb says what it is
        """Ask a server that does not answer, or has no time for us, more and more rarely."""
        self._failures = 0 if answered else self._failures + 1
        if self._failures:
            await self._wait(min(_FIRST_PAUSE * 2 ** min(self._failures - 1, 10), _LONGEST_PAUSE))

    async def _wait(self, seconds: float) -> None:
        if self._hurry.is_set():
            await asyncio.sleep(min(seconds, _LULL))
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()

    async def _record(self, statement: Statement, waiting: _Waiting) -> bool:
        """Write one Event, or see to it that it is tried again; whether the server had an answer to it."""
        try:
            await self._write(statement, waiting)
        except (NotFound, NotLeading):
            return True  # What it is about is gone with its namespace; or somebody else speaks by now.
        except ClusterError as error:
            if _is_final(error):
                if not _is_about_the_dying(error):
                    self._lose(statement, str(error))
                return True
            self._try_again(statement, waiting, error)
            return False
        return True

    async def _write(self, statement: Statement, waiting: _Waiting) -> None:
        path = f"/api/v1/namespaces/{statement.subject.namespace}/events"
        before = self._recorded.recall(statement, self._clock())
        if before is not None:
            count = before.count + waiting.count
            try:
                await self._send("PATCH", f"{path}/{before.name}", repeated_event(count=count, last=waiting.last))
            except NotFound:
                pass  # The API server keeps Events for an hour, and anybody may delete them.
            else:
                self._recorded.remember(statement, before.name, count, self._clock())
                return
        waiting.name = waiting.name or event_name(statement, self._next_serial())
        body = new_event(
            statement, self._speaker, name=waiting.name, count=waiting.count, first=waiting.first, last=waiting.last
        )
        with suppress(Conflict):  # It exists: an attempt of ours whose answer was lost.
            await self._send("POST", path, body)
        self._recorded.remember(statement, waiting.name, waiting.count, self._clock())

    async def _send(self, method: str, path: str, body: bytes) -> None:
        content_type = _MERGE_PATCH if method == "PATCH" else "application/json"
        await self._connection.request(
            method, path, body=body, content_type=content_type, timeout=_TIMEOUT, before_send=self._check_leading
        )

    def _check_leading(self) -> None:
        if not self._may_write():
            raise NotLeading("another process may be speaking by now")

    def _try_again(self, statement: Statement, waiting: _Waiting, error: ClusterError) -> None:
        waiting.tries += 1
        if waiting.tries >= _TRIES:
            self._lose(statement, str(error))
            return
        newer = self._waiting.pop(statement, None)
        if newer is not None:
            waiting.count, waiting.last = waiting.count + newer.count, newer.last
        self._waiting[statement] = waiting
        self._something.set()
        self._idle.clear()

    def _lose(self, statement: Statement, why: str) -> None:
        self.dropped += 1
        now = self._clock()
        if now - self._logged_at >= _LOG_GAP:
            self._logged_at = now
            _LOG.warning(
                "Event %s on %s is lost, %d so far: %s", statement.reason, statement.subject, self.dropped, why
            )

    def _next_serial(self) -> int:
        self._serial = max(self._serial + 1, time.time_ns())
        return self._serial


@dataclass(frozen=True, slots=True)
class _Record:
    name: str
    count: int
    at: float


class _Recorded:
    """The Events that were written lately, by what they say."""

    def __init__(self) -> None:
        self._records: OrderedDict[Statement, _Record] = OrderedDict()

    def recall(self, statement: Statement, now: float) -> _Record | None:
        record = self._records.get(statement)
        return record if record is not None and now - record.at <= _WINDOW else None

    def remember(self, statement: Statement, name: str, count: int, now: float) -> None:
        self._records[statement] = _Record(name, count, now)
        self._records.move_to_end(statement)
        if len(self._records) > _REMEMBERED:
            self._records.popitem(last=False)


def _is_final(error: ClusterError) -> bool:
    """Whether asking again would be answered alike."""
    return isinstance(error, ApiError) and error.status < _SERVER_FAULT and error.status != _TOO_MANY_REQUESTS


def _is_about_the_dying(error: ClusterError) -> bool:
    """Whether an Event was refused because its namespace is on its way out."""
    return "being terminated" in str(error)


def _timestamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
