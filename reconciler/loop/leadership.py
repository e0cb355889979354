"""
Who leads, kept up to date: the rule of `membership.lease`, carried out on the real clock and the real record.

A Lease cannot fence: what was sent before leadership ended may still arrive after it. So `leads` is asked immediately
before each write, and the next pass repairs what slipped through.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from reconciler.cluster.port import ClusterError, Conflict, Leases
from reconciler.membership.lease import Candidate, Done, LeaseTiming, Read, Wait, Write

_LOG = logging.getLogger(__name__)


class Leadership(Protocol):
    """Whether this process may write."""

    def leads(self) -> bool:
        """At this very moment; ask immediately before each write."""
        ...

    async def run(self) -> None:
        """Strive for leadership and keep it until cancelled or released."""
        ...

    async def release(self, patience: float) -> None:
        """Stop leading at once, and let a successor take over; takes `patience` seconds at most."""
        ...


def monotonic_with_sleep() -> float:
    """Seconds on a clock that nobody sets, and that goes on while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class AlwaysLeads:
    """The only one of its kind: where there are no leases, there are no replicas."""

    def __init__(self, notify: Callable[[bool], None] | None = None) -> None:
        """`notify` is called with True when `run` begins, and with False at the release."""
        self._notify = notify
        self._released = asyncio.Event()

    def leads(self) -> bool:
        """Until it is released."""
        return not self._released.is_set()

    async def run(self) -> None:
        """Nothing to do until the release."""
        if self._notify:
            self._notify(True)  # noqa: FBT003 - the word is the message
        await self._released.wait()

    async def release(self, patience: float) -> None:  # noqa: ARG002 - the port asks for it
        """Stop writing."""
        if self.leads():
            self._released.set()
            if self._notify:
                self._notify(False)  # noqa: FBT003 - as above


class LeaseLeadership:
    """
    One replica among several, chosen by a Lease.

    `notify` is called in the event loop with True when we begin to lead and with False when we cease, once each.
    """

    def __init__(
        self,
        leases: Leases,
        *,
        identity: str,
        timing: LeaseTiming,
        notify: Callable[[bool], None] | None = None,
        clock: Callable[[], float] = monotonic_with_sleep,
    ) -> None:
        """
        Args:
            leases: Where the record is kept.
            identity: What tells this replica from every other that runs.
            timing: The same for all replicas.
            notify: Told of the gain and the loss of leadership.
            clock: Seconds; nobody sets it, and it goes on while the process is stopped.

        Raises:
            LeaseTimingError: The identity is empty.
        """
        self._leases = leases
        self._identity = identity
        self._timing = timing
        self._notify = notify
        self._clock = clock
        self._candidate = Candidate(identity, timing)
        self._stepping = asyncio.Lock()
        self._disturbed = asyncio.Event()
        self._told = False
        self._holder: str | None = None
        self._complaints: dict[str, str] = {}

    def leads(self) -> bool:
        """At this very moment, whatever became of our requests."""
        return self._candidate.may_write(self._clock())

    @property
    def holder(self) -> str | None:
        """Who held the lease when we last looked; empty when nobody did, None before the first look."""
        return self._holder

    async def run(self) -> None:
        """Strive for leadership, renew it, and say so when it is gained or lost; until cancelled or released."""
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(self._follow_changes()), group.create_task(self._watch_deadline())]
            try:
                await self._campaign()
            finally:
                for helper in helpers:
                    helper.cancel()

    async def release(self, patience: float) -> None:
        """
        Stop leading at once, and write that nobody leads, so that a successor need not wait.

        May be called while `run` runs, or afterwards. Gives up after `patience` seconds: the lease then runs out.
        """
        self._candidate.resign()
        self._disturbed.set()
        self._tell()
        try:
            async with asyncio.timeout(patience):
                await self._campaign()
        except TimeoutError:
            _LOG.warning("the lease could not be released within %g s; it will run out by itself", patience)

    async def _campaign(self) -> None:
        """Step after step until there is nothing left to do, which is so after the release only."""
        while True:
            async with self._stepping:
                until = await self._step()
            if until is None:
                return
            await self._pause(until)

    async def _step(self) -> float | None:
        """Carry out one step; the instant before which there is nothing to do, None when there never will be."""
        now = self._clock()
        # Leadership may have ended while the machine slept, and must not be regained before anybody was told.
        self._tell()
        step = self._candidate.next_step(now, datetime.now(UTC))
        deed = "written" if isinstance(step, Write) else "read"
        try:
            async with asyncio.timeout(self._timing.request_timeout):
                match step:
                    case Done():
                        return None
                    case Wait(until=until):
                        return until
                    case Read():
                        stored = await self._leases.read()
                        self._candidate.handle_read(stored, self._clock(), _jitter())
                    case Write(record=record, replaces=replaces):
                        written = await self._leases.write(record, replaces)
                        self._candidate.handle_written(written, self._clock())
        except Conflict:
            self._candidate.handle_conflict()
        except (ClusterError, TimeoutError) as error:
            problem = str(error) or f"no answer within {self._timing.request_timeout:g} s"
            self._complain(deed, problem)
            self._candidate.handle_failure(self._clock(), _jitter())
        else:
            self._complain(deed, None)
        self._tell()
        return now

    async def _pause(self, until: float) -> None:
        """Until then, or until somebody says that there is something to do earlier."""
        seconds = until - self._clock()
        if seconds <= 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._disturbed.wait()
        except TimeoutError:
            return
        self._disturbed.clear()
        self._candidate.look_again()

    async def _follow_changes(self) -> None:
        """While somebody else leads, look as soon as the record changes: it may have been released."""
        while True:
            try:
                async for _ in self._leases.changes():
                    self._complain("followed", None)
                    if not self.leads():
                        self._disturbed.set()
            except ClusterError as error:
                self._complain("followed", str(error))
            await asyncio.sleep(self._timing.retry_period)

    async def _watch_deadline(self) -> None:
        """Notice that leadership has ended although a request is still under way."""
        while True:
            until = self._candidate.may_write_until
            left = until - self._clock() if until is not None else 0.0
            await asyncio.sleep(left if left > 0 else self._timing.retry_period / 4)
            self._tell()

    def _tell(self) -> None:
        """Say what has changed, once."""
        leads = self.leads()
        if leads != self._told:
            self._told = leads
            _LOG.info("%s %s", self._identity, "leads from now on" if leads else "does not lead any more")
            if self._notify:
                self._notify(leads)
        if self._candidate.holder != self._holder:
            self._holder = self._candidate.holder
            if self._holder not in ("", self._identity):
                _LOG.info("%s leads", self._holder)

    def _complain(self, deed: str, problem: str | None) -> None:
        """Log a failure once, and its end."""
        if problem == self._complaints.get(deed):
            return
        if problem is None:
            del self._complaints[deed]
            _LOG.info("the lease can be %s again", deed)
        else:
            self._complaints[deed] = problem
            _LOG.warning("the lease cannot be %s: %s", deed, problem)


def _jitter() -> float:
    """Spreads the requests of several replicas."""
    return random.random()  # noqa: S311 - nothing secret
