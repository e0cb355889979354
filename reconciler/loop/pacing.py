"""
When the next pass is due: wake-ups and time in, an instant out. No I/O, no clock.

A wake-up says that something may have changed and nothing of what: one pass answers all that came before it.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

from reconciler.errors import ReconcilerError

# What one log line can bear.
_NAMED_REASONS = 5


class PacingError(ReconcilerError):
    """A pass was begun or ended out of turn: a mistake of the caller."""


class Source(StrEnum):
    """Where a wake-up comes from."""

    FILES = "files"
    CLUSTER = "cluster"
    SIGNAL = "signal"
    SCHEDULE = "schedule"
    LEADERSHIP = "leadership"
    MEMBERS = "members"
    LINKS = "links"
    RETRY = "retry"
    START = "start"


# These do not sit out a back-off: people wait for their effect, or the state that caused the failures is over.
URGENT = frozenset({Source.FILES, Source.SIGNAL, Source.LEADERSHIP, Source.MEMBERS, Source.LINKS})

# These do not wait for quiet: the server tells of a change when it is complete, and somebody waits for the answer. Of
# files several are often changed together.
PROMPT = frozenset({Source.CLUSTER})

# The others do not say anything of the files.
FILES_MAY_HAVE_CHANGED = frozenset({Source.FILES, Source.SIGNAL, Source.SCHEDULE, Source.START})


@dataclass(frozen=True, slots=True)
class Wake:
    """A reason to look again; `reason` is for the log."""

    source: Source
    reason: str


@dataclass(frozen=True, slots=True)
class Pace:
    """
    How eager the passes are, in seconds.

    A pass waits until nobody has asked for `quiet`, at most `longest_wait` after the first asked; but not where only
    changes of the cluster ask. After a pass comes a gap as long as the pass has worked, at most `longest_gap`: a storm
    gets half of the machine, and what comes in the gap is one pass. After failures in a row the waits double from
    `first_backoff` to `longest_backoff`.
    """

    quiet: float = 0.01
    longest_wait: float = 0.2
    longest_gap: float = 1.0
    first_backoff: float = 0.1
    longest_backoff: float = 5.0


@dataclass(frozen=True, slots=True)
class Occasion:
    """
    What a pass answers: the first few reasons, how many wake-ups beyond those, all sources, and when the first came.

    `failures` counts the passes in a row that failed before this one.
    """

    reasons: tuple[str, ...]
    more: int
    sources: frozenset[Source]
    since: float
    failures: int = 0

    def __str__(self) -> str:
        again = [f"attempt {self.failures + 1}"] if self.failures else []
        more = [f"{self.more} more"] if self.more else []
        return ", ".join((*self.reasons, *more, *again))


class Pacer:
    """Collects wake-ups and says when the next pass is due. Every `now` is in seconds on one monotonic clock."""

    def __init__(self, pace: Pace = Pace()) -> None:
        self._pace = pace
        self._waiting: _Waiting | None = None
        self._last_asked_at = 0.0
        # The first and the last wake-up that a back-off does not hold up.
        self._urgent: tuple[float, float] | None = None
        self._running: Occasion | None = None
        self._began_at = 0.0
        self._gap_until = 0.0
        self._backoff_until: float | None = None
        self._failures = 0

    @property
    def waiting_since(self) -> float | None:
        """When the oldest wake-up came that no pass has answered with success; None when there is none."""
        return min((asked.since for asked in (self._running, self._waiting) if asked), default=None)

    def wake(self, wake: Wake, now: float) -> None:
        """Somebody asks for a pass. One that is under way does not count: it may have looked already."""
        if self._waiting is None:
            self._waiting = _Waiting(now)
        self._waiting.add(wake)
        self._last_asked_at = now
        if wake.source in URGENT:
            self._urgent = (self._urgent[0] if self._urgent else now, now)

    def due(self) -> float | None:
        """When to begin the next pass, perhaps in the past; None while one is under way or nobody asks for one."""
        if self._running is not None or self._waiting is None:
            return None
        if self._backoff_until is None:
            if self._waiting.sources <= PROMPT:
                return max(self._waiting.since, self._gap_until)
            return self._settled(self._waiting.since, self._last_asked_at)
        patient = max(self._backoff_until, self._gap_until)
        return min(patient, self._settled(*self._urgent)) if self._urgent else patient

    def begin(self, now: float) -> Occasion:
        """
        A pass begins now; whatever comes from here on asks for another.

        Raises:
            PacingError: One is under way, or nobody asked for one.
        """
        if self._running is not None:
            raise PacingError("a pass is under way")
        if self._waiting is None:
            raise PacingError("nobody asked for a pass")
        self._running = self._waiting.occasion(self._failures)
        self._waiting = self._urgent = None
        self._began_at = now
        return self._running

    def succeed(self, now: float, worked: float = inf) -> None:
        """
        The pass has done all that it should.

        Args:
            now: The end of the pass.
            worked: Seconds of the processor that it has used, as far as they are known: those in which it waited for
                somebody else's answer need no gap.

        Raises:
            PacingError: None is under way.
        """
        self._end(now, worked)
        self._failures, self._backoff_until = 0, None

    def fail(self, now: float, jitter: float) -> None:
        """
        The pass has failed: what it was to answer is asked for again, after a while.

        Args:
            now: The end of the pass.
            jitter: A random number from 0 to 1; the wait is between one half and the whole of what the failures ask.

        Raises:
            PacingError: None is under way.
        """
        failed = self._end(now, inf)
        # An exponent that grows for days would overflow.
        whole = min(self._pace.longest_backoff, self._pace.first_backoff * 2.0 ** min(self._failures, 32))
        self._failures += 1
        self._backoff_until = now + whole * (1 + jitter) / 2
        self._waiting = _Waiting.again(failed, self._waiting)

    def _end(self, now: float, worked: float) -> Occasion:
        if self._running is None:
            raise PacingError("no pass is under way")
        ended, self._running = self._running, None
        # What is read for the first time may come while the first pass is under way: it is no storm.
        gap = 0.0 if Source.START in ended.sources else min(self._pace.longest_gap, now - self._began_at, worked)
        self._gap_until = now + gap
        return ended

    def _settled(self, first: float, last: float) -> float:
        """When nobody has asked for a while, or the first has waited for long enough."""
        return max(min(last + self._pace.quiet, first + self._pace.longest_wait), self._gap_until)


@dataclass(slots=True)
class _Waiting:
    """The wake-ups since the last pass began. Adding one costs the same however many there are."""

    since: float
    reasons: dict[str, None] = field(default_factory=dict)
    more: int = 0
    sources: set[Source] = field(default_factory=set)

    @classmethod
    def again(cls, failed: Occasion, later: "_Waiting | None") -> "_Waiting":
        """What a failed pass was to answer, and what came while it was under way."""
        both = cls(failed.since, dict.fromkeys(failed.reasons), failed.more, set(failed.sources))
        if later is not None:
            for reason in later.reasons:
                both.name(reason)
            both.more += later.more
            both.sources |= later.sources
        return both

    def add(self, wake: Wake) -> None:
        self.name(wake.reason)
        self.sources.add(wake.source)

    def name(self, reason: str) -> None:
        """Keep the reason, or count it where enough are kept already."""
        if reason in self.reasons:
            return
        if len(self.reasons) < _NAMED_REASONS:
            self.reasons[reason] = None
        else:
            self.more += 1

    def occasion(self, failures: int) -> Occasion:
        return Occasion(tuple(self.reasons), self.more, frozenset(self.sources), self.since, failures)
