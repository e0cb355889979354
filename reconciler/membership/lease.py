"""
Which of several replicas leads: lease record and time → read, write or wait. No I/O, no clock.

The rules are those of Kubernetes' own components (client-go, tools/leaderelection), with one difference: leadership
ends a renew deadline after the last successful renewal was *begun*, however late its answer came.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec

from reconciler.errors import ReconcilerError

# client-go, leaderelection.JitterFactor: whoever waits for the lease waits up to so much of a retry period longer.
JITTER_FACTOR = 1.2
# What client-go writes when it releases: a lease that ends at once also for readers that overlook the empty holder.
_RELEASED_DURATION = 1


class LeaseTimingError(ReconcilerError):
    """These times cannot work together; the message names them."""


class LeaseRecord(msgspec.Struct, frozen=True, kw_only=True):
    """
    `spec` of a Lease (coordination.k8s.io/v1).

    `holder` is empty when the last one released it. `duration` is in whole seconds. Times are RFC 3339 text with six
    digits of a second, as the API has them; they are for people, and no decision rests on the clocks of two machines.
    """

    holder: str
    duration: int
    acquired_at: str
    renewed_at: str
    transitions: int = 0


class StoredLease(msgspec.Struct, frozen=True):
    """A record as it was read, and the version that a write must name to replace exactly it."""

    record: LeaseRecord
    version: str


@dataclass(frozen=True, slots=True)
class LeaseTiming:
    """
    How long a lease lasts, in seconds; the defaults are those of Kubernetes' own components.

    A record that nobody renewed for `duration` may be taken. Its holder stops `renew_deadline` after it began its last
    successful renewal, and renews every `retry_period`. As long as no clock runs faster than another by more than
    `duration / renew_deadline`, nobody takes over from a holder that has not stopped.

    Raises:
        LeaseTimingError: The times do not leave room for each other, as client-go demands it.
    """

    duration: int = 15
    renew_deadline: float = 10.0
    retry_period: float = 2.0

    def __post_init__(self) -> None:
        if self.retry_period <= 0:
            raise LeaseTimingError(f"the retry period is {self.retry_period:g} s; it must be more than 0")
        if self.renew_deadline <= JITTER_FACTOR * self.retry_period:
            raise LeaseTimingError(
                f"the renew deadline is {self.renew_deadline:g} s; "
                f"it must be more than {JITTER_FACTOR} times the retry period of {self.retry_period:g} s"
            )
        if self.duration <= self.renew_deadline:
            raise LeaseTimingError(
                f"the lease duration is {self.duration} s; "
                f"it must be more than the renew deadline of {self.renew_deadline:g} s"
            )

    @property
    def request_timeout(self) -> float:
        """How long one request may take: a request that hangs leaves time for another before the deadline."""
        return self.renew_deadline / 2


@dataclass(frozen=True, slots=True)
class Read:
    """Read the record, then call `handle_read` or `handle_failure`."""


@dataclass(frozen=True, slots=True)
class Write:
    """Create the record, or replace exactly `replaces`; then call `handle_written`, `_conflict` or `_failure`."""

    record: LeaseRecord
    replaces: StoredLease | None


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until`. A reader that learns of a change earlier may call `look_again`."""

    until: float


@dataclass(frozen=True, slots=True)
class Done:
    """We have resigned, and the lease is not ours as far as we can know."""


Step: TypeAlias = Read | Write | Wait | Done


class Candidate:
    """
    One replica's part in the choice of a leader.

    Ask `next_step`, carry it out, and hand its outcome to one of the `handle` methods. Every `now` is in seconds on one
    monotonic clock of this machine. An outcome that never arrives, because the request was abandoned, may be left out.
    """

    def __init__(self, identity: str, timing: LeaseTiming) -> None:
        """
        Args:
            identity: What tells this replica from every other that runs; a successor may have the same.
            timing: The same for all replicas.

        Raises:
            LeaseTimingError: The identity is empty: that would read as nobody.
        """
        if not identity:
            raise LeaseTimingError("the identity of a replica must not be empty")
        self._identity = identity
        self._timing = timing
        self._stored: StoredLease | None = None
        # When we first saw the record that stands: all that we know of its age.
        self._seen_at = 0.0
        # Whether a claim may be written on top of `_stored`, and whether one may stand already.
        self._may_claim = False
        self._may_hold = False
        self._began_at = 0.0
        self._renewed_at: float | None = None
        self._wait_until: float | None = None
        self._resigned = False

    def may_write(self, now: float) -> bool:
        """Whether we lead at this moment; ask immediately before each write."""
        until = self.may_write_until
        return until is not None and now < until

    @property
    def may_write_until(self) -> float | None:
        """When leadership ends, or ended, unless it is renewed; None when we do not lead."""
        return None if self._renewed_at is None else self._renewed_at + self._timing.renew_deadline

    @property
    def holder(self) -> str:
        """Who held the lease when we last looked; empty when nobody did."""
        return self._stored.record.holder if self._stored else ""

    def next_step(self, now: float, wall: datetime) -> Step:
        """
        What to do now.

        Args:
            now: The instant that counts as the beginning of the request.
            wall: The time of day in UTC, written into the record for people to read.
        """
        self._lapse(now)
        if self._resigned and not self._may_hold:
            return Done()
        if self._wait_until is not None and now < self._wait_until:
            return Wait(self._wait_until)
        self._began_at = now
        if not self._may_claim:
            return Read()
        # Until its answer comes, nobody knows what stands.
        self._may_claim, self._may_hold = False, True
        return Write(self._released(wall) if self._resigned else self._claimed(wall), self._stored)

    def look_again(self) -> None:
        """The record may have changed: end the wait, unless we lead, for then it was our own renewal."""
        if self._renewed_at is None:
            self._wait_until = None

    def resign(self) -> None:
        """Stop leading at once and for good; the steps that follow release the lease."""
        self._resigned = True
        self._renewed_at = None
        self._wait_until = None

    def handle_read(self, stored: StoredLease | None, now: float, jitter: float) -> None:
        """
        Take in the record as it was read.

        Args:
            stored: What is there, None when nothing is.
            now: The present, after the answer came.
            jitter: A random number from 0 to 1, drawn for this call.
        """
        # A version, not only a record: a wall clock that is set back may write the same record twice.
        if stored != self._stored:
            self._stored, self._seen_at = stored, now
        self._may_hold = self._is_ours()
        if not self._may_hold:
            self._renewed_at = None
        self._lapse(now)
        expires_at = self._expires_at()
        self._may_claim = self._may_hold or expires_at is None or now >= expires_at
        if self._may_claim or expires_at is None:
            self._wait_until = None
        else:
            self._wait_until = min(now + self._patience(jitter), expires_at)

    def handle_written(self, stored: StoredLease, now: float) -> None:
        """The write was accepted, and this is what stands."""
        self._stored, self._seen_at = stored, now
        self._may_hold = self._is_ours()
        self._may_claim = True
        if not self._resigned:
            self._renewed_at = self._began_at
            self._wait_until = now + self._timing.retry_period

    def handle_conflict(self) -> None:
        """Somebody else wrote first, or an earlier write of ours whose answer was lost: read at once."""
        self._may_claim = False
        self._wait_until = None

    def handle_failure(self, now: float, jitter: float) -> None:
        """A request failed or took too long, so nobody knows whether it was carried out: read again soon."""
        self._lapse(now)
        self._may_claim = False
        # Who held it last is the one to hold it next: the others spread.
        patience = self._timing.retry_period if self._is_ours() else self._patience(jitter)
        self._wait_until = self._began_at + patience

    def _lapse(self, now: float) -> None:
        if not self.may_write(now):
            self._renewed_at = None

    def _is_ours(self) -> bool:
        # Also after a restart with the same identity: the process that wrote it is no more (as client-go).
        return self._stored is not None and self._stored.record.holder == self._identity

    def _expires_at(self) -> float | None:
        """When the record may be taken from its holder, None when it has none."""
        if self._stored is None or not self._stored.record.holder:
            return None
        return self._seen_at + self._stored.record.duration

    def _patience(self, jitter: float) -> float:
        return self._timing.retry_period * (1 + JITTER_FACTOR * jitter)

    def _claimed(self, wall: datetime) -> LeaseRecord:
        before = self._stored.record if self._stored else None
        written_at = _text_after(wall, before)
        if before is not None and before.holder == self._identity:
            acquired_at, transitions = before.acquired_at, before.transitions
        else:
            acquired_at, transitions = written_at, before.transitions + 1 if before else 0
        return LeaseRecord(
            holder=self._identity,
            duration=self._timing.duration,
            acquired_at=acquired_at,
            renewed_at=written_at,
            transitions=transitions,
        )

    def _released(self, wall: datetime) -> LeaseRecord:
        before = self._stored.record if self._stored else None
        written_at = _text_after(wall, before)
        return LeaseRecord(
            holder="",
            duration=_RELEASED_DURATION,
            acquired_at=written_at,
            renewed_at=written_at,
            transitions=before.transitions if before else 0,
        )


def _text_after(wall: datetime, before: LeaseRecord | None) -> str:
    """A time that differs from the one before: a write that changes nothing leaves the version as it was."""
    text = _text(wall)
    return _text(wall + timedelta(microseconds=1)) if before is not None and text == before.renewed_at else text


def _text(wall: datetime) -> str:
    return wall.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
