"""A simulated world: one store that compares and swaps, replicas with clocks of their own, and a network that lies."""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from reconciler.membership.lease import Candidate, Done, LeaseRecord, LeaseTiming, Read, StoredLease, Wait, Write

TIMING = LeaseTiming(duration=15, renew_deadline=10, retry_period=2)
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Store:
    """One record, how many versions it had, and who held it one after the other."""

    stored: StoredLease | None = None
    versions: int = 0
    holders: list[str] = field(default_factory=list)

    def write(self, record: LeaseRecord, replaces: StoredLease | None) -> StoredLease | None:
        """The record as it stands now, None when it is not what was to be replaced."""
        if (replaces.version if replaces else None) != (self.stored.version if self.stored else None):
            return None
        # Like the API server: a write that changes nothing leaves the version alone.
        if self.stored is None or self.stored.record != record:
            self.versions += 1
            if not self.holders or self.holders[-1] != record.holder:
                self.holders.append(record.holder)
            self.stored = StoredLease(record, str(self.versions))
        return self.stored


@dataclass
class Faults:
    """How unkind the world is; delays in seconds."""

    delay: float = 0.01
    lost: float = 0.0
    pause: float = 0.0
    longest_pause: float = 60.0
    restart: float = 0.0
    wall_jump: float = 0.0
    wall_stands_still: bool = False


@dataclass
class Clock:
    """Of one machine: starts anywhere, runs at its own rate, and its time of day is set by anybody."""

    offset: float
    rate: float = 1.0
    wall_offset: float = 0.0

    def now(self, true: float) -> float:
        return self.offset + self.rate * true

    def true(self, now: float) -> float:
        return (now - self.offset) / self.rate

    def wall(self, true: float) -> datetime:
        return _EPOCH + timedelta(seconds=round(true + self.wall_offset))


@dataclass
class World:
    """Instants here are true ones: nobody inside can read them."""

    chance: random.Random
    faults: Faults
    clocks: dict[str, Clock]
    timing: LeaseTiming = TIMING
    store: Store = field(default_factory=Store)
    candidates: dict[str, Candidate] = field(default_factory=dict)
    paused_until: dict[str, float] = field(default_factory=dict)
    now: float = 0.0
    # Whoever might write at one instant, each time somebody began to lead.
    together: list[set[str]] = field(default_factory=list)
    led: list[tuple[float, str]] = field(default_factory=list)
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _number: int = 0

    def __post_init__(self) -> None:
        for name in self.clocks:
            self.start(name)

    def start(self, name: str) -> None:
        """A process of that name; one that ran before is no more, but what it has sent may still arrive."""
        self.candidates[name] = Candidate(name, self.timing)
        self._act(name, self.candidates[name])

    def stop(self, name: str) -> None:
        """As by kill -9."""
        del self.candidates[name]

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, event = heapq.heappop(self._events)
            event()
        self.now = until

    def leaders(self) -> set[str]:
        return {
            name for name, candidate in self.candidates.items() if candidate.may_write(self.clocks[name].now(self.now))
        }

    def at(self, true: float, event: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._events, (true, self._number, event))

    def _for(self, name: str, candidate: Candidate, true: float, event: Callable[[], None]) -> None:
        """Something a process does: later when it is stopped at that time, never when it is gone."""

        def happen() -> None:
            if self.candidates.get(name) is not candidate:
                return
            if self.now < (until := self.paused_until.get(name, 0.0)):
                self.at(until, happen)
            else:
                event()

        self.at(true, happen)

    def _act(self, name: str, candidate: Candidate) -> None:
        self._disturb(name)
        clock = self.clocks[name]
        wall = clock.wall(0.0 if self.faults.wall_stands_still else self.now)
        step = candidate.next_step(clock.now(self.now), wall)
        match step:
            case Done():
                return
            case Wait(until=until):
                self._for(name, candidate, max(self.now, clock.true(until)) + 0.001, lambda: self._act(name, candidate))
            case Read():
                self._request(name, candidate, lambda: self._answer_read(candidate, clock))
            case Write(record=record, replaces=replaces):
                self._request(name, candidate, lambda: self._answer_write(candidate, clock, record, replaces))

    def _disturb(self, name: str) -> None:
        self._perhaps_pause(name)
        if self.chance.random() < self.faults.wall_jump:
            self.clocks[name].wall_offset = self.chance.choice([-3600.0, -2.0, 0.0, 2.0, 3600.0])
        if self.chance.random() < self.faults.restart:
            self.at(self.now, lambda: self.start(name))

    def _perhaps_pause(self, name: str) -> None:
        if self.chance.random() < self.faults.pause:
            self.paused_until[name] = self.now + self.chance.uniform(0, self.faults.longest_pause)

    def _request(self, name: str, candidate: Candidate, serve: Callable[[], Callable[[], None]]) -> None:
        """There and back, each way with its own delay; either way it may be lost, or come after nobody waits for it."""
        clock = self.clocks[name]
        there, back = self._delay(), self._delay()
        open_ = [True]

        def settle(outcome: Callable[[], None]) -> None:
            if open_[0]:
                open_[0] = False
                before = self.leaders()
                outcome()
                self._note(before)
                self._act(name, candidate)

        def give_up() -> None:
            settle(lambda: candidate.handle_failure(clock.now(self.now), self.chance.random()))

        def arrive() -> None:
            answer = serve()
            if self.chance.random() >= self.faults.lost:
                self._for(name, candidate, self.now + back, lambda: settle(answer))

        def send() -> None:
            self._perhaps_pause(name)
            if self.chance.random() >= self.faults.lost:
                self.at(self.now + there, arrive)
            gives_up_at = self.now + self.timing.request_timeout / clock.rate
            self._for(name, candidate, gives_up_at, give_up)

        # The process may be stopped between the decision and the request, or between the request and its answer.
        self._for(name, candidate, self.now, send)

    def _answer_read(self, candidate: Candidate, clock: Clock) -> Callable[[], None]:
        found = self.store.stored
        return lambda: candidate.handle_read(found, clock.now(self.now), self.chance.random())

    def _answer_write(
        self, candidate: Candidate, clock: Clock, record: LeaseRecord, replaces: StoredLease | None
    ) -> Callable[[], None]:
        written = self.store.write(record, replaces)
        if written is None:
            return candidate.handle_conflict
        return lambda: candidate.handle_written(written, clock.now(self.now))

    def _note(self, before: set[str]) -> None:
        # Leadership begins at an answer only, so no overlap escapes here.
        leaders = self.leaders()
        if leaders - before:
            self.together.append(leaders)
            self.led.extend((self.now, name) for name in leaders - before)

    def _delay(self) -> float:
        # Mostly short, at times long enough for a timeout, or for half of a lease.
        return self.faults.delay * self.chance.choice([0.1, 0.5, 1, 1, 1, 2, 10])
