"""
Another host uses, or claims, an address that is given to us: probe, defend, or leave it to that host. No I/O.

RFC 5227, adapted to addresses that a cluster hands from node to node: one that a member of ours may have announced
before is taken without a probe, and what members say is judged by other rules than what strangers say. The rules of
RFC 5227 hold for IPv6 as well, where RFC 4862 knows a probe but no defence.
"""

import heapq
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum, auto
from math import inf

import msgspec

# RFC 5227 section 1.1, in seconds: between two defences; and between two probes, after that many conflicts.
DEFEND_INTERVAL = 10.0
RATE_LIMIT_INTERVAL = 60.0
MAX_CONFLICTS = 10

# How long an answer that came too late still withdraws a new address: nobody uses it yet.
WATCH_TIME = 1.0
# How long a host that was found before has for its answer: there is no hurry any more.
SECOND_PROBE_TIME = 1.0
# How long a member may still claim what we have taken: as long as it lingers at the most.
TOLERANCE = 3.0
# Claims that follow within this time are one: both forms of an announcement, or one frame heard on two links.
SAME_CLAIM = 0.5
# After this time without a claim it is over; a host that lives shows itself more often.
QUIET_TIME = 60.0

# Addresses looked after in one call: a few milliseconds.
_AT_ONCE = 64


class State(StrEnum):
    """How an address stands here."""

    PROBING = "probing"  # nobody has announced it before; who has it is asked to say so
    WATCHING = "watching"  # announced, and given up for an answer that comes late
    OWNED = "owned"
    IN_USE = "in-use"  # another host has answered; it is asked again and again whether it still does
    YIELDED = "yielded"  # given up because of another's claims, and then the same


@dataclass(frozen=True, slots=True)
class Rules:
    """A new address is probed for `probe_time` seconds, 0 for not at all; `may_yield`: give up what others claim."""

    probe_time: float = 0.015
    may_yield: bool = False


class Probe(msgspec.Struct, frozen=True, gc=False):
    """Ask who has the address, and listen; do not answer for it."""

    address: bytes


class Take(msgspec.Struct, frozen=True, gc=False):
    """Answer for the address and announce it. `is_free_again`: another host had it."""

    address: bytes
    is_free_again: bool = False


class Leave(msgspec.Struct, frozen=True, gc=False):
    """
    Neither answer for the address nor announce it, but listen: `mac` has it.

    `is_yielded`: it was ours, and is given up. `has_spoken`: we have answered for it before.
    """

    address: bytes
    mac: bytes
    is_yielded: bool
    has_spoken: bool


class Defend(msgspec.Struct, frozen=True, gc=False):
    """Announce the address once: `mac` claims it."""

    address: bytes
    mac: bytes


class Notice(msgspec.Struct, frozen=True, gc=False):
    """`mac` claims the address, or is about to take it; there is nothing to say about that."""

    address: bytes
    mac: bytes


class Over(msgspec.Struct, frozen=True, gc=False):
    """Nobody has claimed the address for a while."""

    address: bytes


Step = Probe | Take | Leave | Defend | Notice | Over


class _Input(StrEnum):
    TIME = auto()
    CLAIM = auto()
    QUESTION = auto()  # a probe of another host


@dataclass(slots=True)
class _Standing:
    """
    What is known of one address; never more, however many claim it.

    `due` is when its time is up, `armed` the earliest instant in the heap for it. `mac` claimed it last, at `heard_at`,
    and `told_at` is when a claim was last passed on. A member has claimed it since `member_began_at`. `is_asked`: a
    host that had it was probed, and has not answered yet.
    """

    address: bytes
    state: State
    due: float = inf
    armed: float = inf
    mac: bytes = b""
    taken_at: float = -inf
    heard_at: float = -inf
    member_began_at: float = -inf
    member_heard_at: float = -inf
    told_at: float = -inf
    defended_at: float = -inf
    owes_defence: bool = False
    is_asked: bool = False
    is_lingering: bool = False
    conflicts: int = 0

    @property
    def has_claim(self) -> bool:
        return self.heard_at > -inf


_Act = Callable[[_Standing, bytes, float], list[Step]]


class Conflicts:
    """
    All addresses of a node, on whichever links they are announced.

    Every `now` is in seconds on one monotonic clock. Each call returns what is to be done, in this order. `rules` may
    be set at any time.
    """

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self._members: Collection[bytes] = frozenset()
        self._standings: dict[bytes, _Standing] = {}
        self._heap: list[tuple[float, bytes]] = []
        # What the state of an address makes of what happens.
        self._table: dict[tuple[State, _Input], _Act] = {
            (State.PROBING, _Input.TIME): self._take,
            (State.PROBING, _Input.CLAIM): self._refuse,
            (State.PROBING, _Input.QUESTION): self._refuse,
            (State.WATCHING, _Input.TIME): self._settle,
            (State.WATCHING, _Input.CLAIM): self._refuse,
            (State.WATCHING, _Input.QUESTION): self._notice,
            (State.OWNED, _Input.TIME): self._look_after,
            (State.OWNED, _Input.CLAIM): self._contest,
            (State.OWNED, _Input.QUESTION): self._notice,
            (State.IN_USE, _Input.TIME): self._ask_again,
            (State.IN_USE, _Input.CLAIM): self._wait_longer,
            (State.IN_USE, _Input.QUESTION): self._wait_longer,
            (State.YIELDED, _Input.TIME): self._ask_again,
            (State.YIELDED, _Input.CLAIM): self._wait_longer,
            (State.YIELDED, _Input.QUESTION): self._wait_longer,
        }

    def state(self, address: bytes) -> State | None:
        """How an address stands; None for one that was not begun."""
        standing = self._standings.get(address)
        return None if standing is None else standing.state

    def claimant(self, address: bytes) -> bytes | None:
        """The hardware address of the host that has it, or claims it; None where there is no such host."""
        standing = self._standings.get(address)
        return standing.mac if standing is not None and standing.mac else None

    def begin(self, address: bytes, now: float, *, is_new: bool) -> list[Step]:
        """Take an address, or probe for it first where nobody of ours can have announced it."""
        standing = _Standing(address, State.PROBING)
        self._standings[address] = standing
        if not is_new or self.rules.probe_time <= 0:
            return self._own(standing, now)
        standing.due = now + self.rules.probe_time
        self._arm(standing)
        return [Probe(address)]

    def end(self, address: bytes) -> None:
        """Forget an address."""
        self._standings.pop(address, None)

    def linger(self, address: bytes, *, lingering: bool = True) -> None:
        """We answer for the address a moment longer, while a member takes it: say nothing about claims."""
        standing = self._standings.get(address)
        if standing is not None:
            standing.is_lingering, standing.owes_defence = lingering, False

    def know(self, members: Collection[bytes], now: float) -> list[Step]:
        """
        These are the hardware addresses of our own nodes.

        A member's answer is no reason to leave an address alone: who has one among the members is decided elsewhere.
        """
        self._members = members
        steps: list[Step] = []
        for standing in self._standings.values():
            if standing.state in _WITHOUT and standing.mac in members:
                steps += self._own(standing, now, is_free_again=True)
        return steps

    def claimed(self, address: bytes, mac: bytes, now: float, *, is_question: bool = False) -> list[Step]:
        """Another host says that the address is its own, or with `is_question` that it would like to have it."""
        standing = self._standings.get(address)
        if standing is None or (mac in self._members and self._is_tolerated(standing, now)):
            return []
        act = self._table[standing.state, _Input.QUESTION if is_question else _Input.CLAIM]
        steps = act(standing, mac, now)
        self._arm(standing)
        return steps

    def handle_timer(self, now: float) -> list[Step]:
        """What is due by now; where that is very much the rest is left to the next call, which is due at once."""
        steps: list[Step] = []
        for _ in range(_AT_ONCE):
            deadline = self.deadline()
            if deadline is None or deadline > now:
                break
            _, address = heapq.heappop(self._heap)
            standing = self._standings[address]
            standing.armed = inf
            if standing.due <= now:
                standing.due = inf
                act = self._table[standing.state, _Input.TIME]
                steps += act(standing, standing.mac, now)
            self._arm(standing)
        return steps

    def deadline(self) -> float | None:
        """When to call `handle_timer`; it may then have nothing to do."""
        while self._heap:
            armed, address = self._heap[0]
            standing = self._standings.get(address)
            if standing is not None and standing.armed == armed:
                return armed
            heapq.heappop(self._heap)
        return None

    def _arm(self, standing: _Standing) -> None:
        # A time that moves away is looked up when the earlier one comes: a flood of claims leaves nothing in the heap.
        if standing.due < standing.armed:
            standing.armed = standing.due
            heapq.heappush(self._heap, (standing.due, standing.address))

    def _is_tolerated(self, standing: _Standing, now: float) -> bool:
        if standing.state not in _WITH or standing.is_lingering:
            return True
        if now - standing.member_heard_at > QUIET_TIME:
            standing.member_began_at = now
        standing.member_heard_at = now
        return now < max(standing.member_began_at, standing.taken_at) + TOLERANCE

    def _own(self, standing: _Standing, now: float, *, is_free_again: bool = False) -> list[Step]:
        self._forget_claims(standing)
        standing.state, standing.due = State.OWNED, inf
        standing.taken_at, standing.conflicts = now, 0
        return [Take(standing.address, is_free_again)]

    def _take(self, standing: _Standing, _mac: bytes, now: float) -> list[Step]:
        """Nobody has answered."""
        is_free_again = standing.state in _WITHOUT
        self._forget_claims(standing)
        standing.state, standing.due = State.WATCHING, now + WATCH_TIME
        standing.taken_at = now
        return [Take(standing.address, is_free_again)]

    def _settle(self, standing: _Standing, _mac: bytes, _now: float) -> list[Step]:
        standing.state = State.OWNED
        standing.due = standing.heard_at + QUIET_TIME if standing.has_claim else inf
        standing.conflicts = 0
        return []

    def _refuse(self, standing: _Standing, mac: bytes, now: float) -> list[Step]:
        """A host has the address that we were to have anew. A member is tolerated for longer than this lasts."""
        return self._leave(standing, mac, now, State.IN_USE)

    def _contest(self, standing: _Standing, mac: bytes, now: float) -> list[Step]:
        """What we own is claimed: defend it once in the interval, or give it up for the second claim in it."""
        is_same_claim = now - standing.heard_at < SAME_CLAIM and standing.mac == mac
        if standing.is_lingering:
            return self._notice(standing, mac, now)
        self._hear(standing, mac, now)
        if now >= standing.defended_at + DEFEND_INTERVAL:
            return self._defend(standing, mac, now)
        if self.rules.may_yield and mac not in self._members:
            return [] if is_same_claim else self._leave(standing, mac, now, State.YIELDED)
        # The last word in the neighbours' caches is to be ours, as soon as we may speak again.
        standing.owes_defence = True
        standing.due = min(standing.due, standing.defended_at + DEFEND_INTERVAL)
        return []

    def _defend(self, standing: _Standing, mac: bytes, now: float) -> list[Step]:
        standing.defended_at = standing.told_at = now
        standing.owes_defence = False
        return [Defend(standing.address, mac)]

    def _notice(self, standing: _Standing, mac: bytes, now: float) -> list[Step]:
        """Something worth telling, to which our ordinary answer is enough."""
        self._hear(standing, mac, now)
        if now < standing.told_at + DEFEND_INTERVAL:
            return []
        standing.told_at = now
        return [Notice(standing.address, mac)]

    def _hear(self, standing: _Standing, mac: bytes, now: float) -> None:
        standing.heard_at, standing.mac = now, mac
        if standing.state is State.OWNED and standing.due == inf:
            standing.due = now + QUIET_TIME

    def _look_after(self, standing: _Standing, mac: bytes, now: float) -> list[Step]:
        if standing.owes_defence and now < standing.defended_at + DEFEND_INTERVAL:
            standing.due = standing.defended_at + DEFEND_INTERVAL
            return []
        steps = self._defend(standing, mac, now) if standing.owes_defence else []
        if now < standing.heard_at + QUIET_TIME:
            standing.due = standing.heard_at + QUIET_TIME
            return steps
        has_told = standing.told_at > -inf
        self._forget_claims(standing)
        return [*steps, Over(standing.address)] if has_told else steps

    def _leave(self, standing: _Standing, mac: bytes, now: float, state: State) -> list[Step]:
        has_spoken = standing.state in _WITH
        self._forget_claims(standing)
        standing.mac, standing.conflicts = mac, standing.conflicts + 1
        standing.state, standing.due = state, now + self._patience(standing)
        return [Leave(standing.address, mac, is_yielded=state is State.YIELDED, has_spoken=has_spoken)]

    def _wait_longer(self, standing: _Standing, mac: bytes, now: float) -> list[Step]:
        """The host that has the address still lives."""
        standing.conflicts += standing.is_asked
        standing.mac, standing.is_asked = mac, False
        standing.due = now + self._patience(standing)
        return []

    def _ask_again(self, standing: _Standing, mac: bytes, now: float) -> list[Step]:
        if standing.is_asked:
            return self._take(standing, mac, now)
        standing.is_asked = True
        standing.due = now + SECOND_PROBE_TIME
        return [Probe(standing.address)]

    @staticmethod
    def _patience(standing: _Standing) -> float:
        return DEFEND_INTERVAL if standing.conflicts < MAX_CONFLICTS else RATE_LIMIT_INTERVAL

    @staticmethod
    def _forget_claims(standing: _Standing) -> None:
        standing.mac, standing.is_asked, standing.owes_defence = b"", False, False
        standing.heard_at = standing.told_at = standing.member_began_at = standing.member_heard_at = -inf


# Those in which we answer for the address, and those in which we leave it to another.
_WITH = frozenset({State.WATCHING, State.OWNED})
_WITHOUT = frozenset({State.IN_USE, State.YIELDED})
