"""
When to announce unasked, on one link: after an address was taken, and every now and then. No I/O.

What an announcement looks like, and that the link is there, is the business of others.
"""

import heapq
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, inf

# Addresses announced in one stroke, and seconds until the next: 5 000 a second and link, some 10 000 frames.
BATCH = 50
PAUSE = 0.01

# Seconds between two strokes of the refresh, where there are so many addresses that one each would be due earlier.
_REFRESH_STEP = 1.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """
    Seconds, all of them.

    An address that was taken is announced at once, then every `interval` as long as no more than `duration` has
    passed. Every address is announced again each `refresh_interval`; 0 is never. The interval of 1.1 s is longer than
    that in which a Linux neighbour ignores a second change (`locktime`, 1 s).
    """

    interval: float = 1.1
    duration: float = 5.0
    refresh_interval: float = 300.0

    @property
    def rounds(self) -> int:
        """How often an address that was taken is announced."""
        if self.interval <= 0:
            return 1
        # Without the tenth of a thousandth, 5.5 / 1.1 is less than 5.
        return int(self.duration / self.interval + 1e-4) + 1


@dataclass(slots=True)
class _Stroke:
    """Counts what may be said before the next pause."""

    left: int = BATCH
    ends_at: float = -inf

    def room(self, now: float) -> int:
        if now >= self.ends_at:
            self.left, self.ends_at = BATCH, now + PAUSE
        return self.left


class Schedule:
    """
    The addresses announced on one link, and when each is due.

    One heap for all of them, and no work for those that are not due. First announcements have strokes to themselves,
    so nothing that is merely repeated ever delays them. `rhythm` may be set at any time.
    """

    def __init__(self, rhythm: Rhythm | None = None) -> None:
        self.rhythm = rhythm or Rhythm()
        # Those whose first announcement is to be made, oldest first.
        self._first: dict[bytes, None] = {}
        # Those to be repeated: when, and how often still. The heap may hold more, which is out of date.
        self._repeated: dict[bytes, tuple[float, int]] = {}
        self._heap: list[tuple[float, bytes]] = []
        # All of them, the one that was announced longest ago first.
        self._ring: OrderedDict[bytes, None] = OrderedDict()
        self._refreshed_at = 0.0
        self._first_stroke = _Stroke()
        self._repeated_stroke = _Stroke()

    def __contains__(self, address: bytes) -> bool:
        return address in self._ring

    def begin(self, address: bytes, now: float) -> None:
        """Announce an address from now on, the first time at once; one that is announced already begins anew."""
        if not self._ring:
            self._refreshed_at = now
        self._ring[address] = None
        self._ring.move_to_end(address)
        self._first[address] = None
        self._repeated.pop(address, None)

    def again(self, addresses: Iterable[bytes], now: float) -> None:
        """Begin anew with all of these that are announced: the neighbours may have missed something."""
        for address in addresses:
            if address in self._ring:
                self.begin(address, now)

    def end(self, address: bytes) -> None:
        """Say nothing of an address any more."""
        self._ring.pop(address, None)
        self._first.pop(address, None)
        self._repeated.pop(address, None)

    def due(self, now: float) -> list[bytes]:
        """What to announce now, each address once; what there is no room for in this stroke is due in the next."""
        said = self._take_first(now)
        said += self._take_repeated(now)
        for address in said:
            self._ring.move_to_end(address)
        return said + self._take_refreshed(frozenset(said), now)

    def deadline(self) -> float | None:
        """When `due` has something again; None while nothing is announced, or nothing again."""
        instants = []
        if self._first:
            instants.append(self._earliest(self._first_stroke, -inf))
        self._forget_stale()
        if self._heap:
            instants.append(self._earliest(self._repeated_stroke, self._heap[0][0]))
        if self._ring and self.rhythm.refresh_interval > 0:
            instants.append(self._earliest(self._repeated_stroke, self._refreshed_at + self._refresh()[1]))
        return min(instants, default=None)

    @staticmethod
    def _earliest(stroke: _Stroke, wanted: float) -> float:
        return wanted if stroke.left else max(wanted, stroke.ends_at)

    def _take_first(self, now: float) -> list[bytes]:
        room = self._first_stroke.room(now)
        taken = [address for address, _ in zip(self._first, range(room), strict=False)]
        self._first_stroke.left -= len(taken)
        rounds = self.rhythm.rounds
        for address in taken:
            del self._first[address]
            self._repeat(address, now, rounds - 1)
        return taken

    def _take_repeated(self, now: float) -> list[bytes]:
        room = self._repeated_stroke.room(now)
        taken: list[bytes] = []
        while len(taken) < room:
            self._forget_stale()
            if not self._heap or self._heap[0][0] > now:
                break
            _, address = heapq.heappop(self._heap)
            taken.append(address)
            # From now, not from when it was due: two of them less than a second apart would be one to a neighbour.
            self._repeat(address, now, self._repeated.pop(address)[1] - 1)
        self._repeated_stroke.left -= len(taken)
        return taken

    def _take_refreshed(self, said: frozenset[bytes], now: float) -> list[bytes]:
        room = self._repeated_stroke.room(now)
        if not self._ring or not room or self.rhythm.refresh_interval <= 0:
            return []
        count, pause = self._refresh()
        if now < self._refreshed_at + pause:
            return []
        self._refreshed_at = now
        oldest = [address for address, _ in zip(self._ring, range(min(count, room)), strict=False)]
        for address in oldest:
            self._ring.move_to_end(address)
        # Those that were taken just now speak often enough.
        busy = (said, self._first, self._repeated)
        taken = [address for address in oldest if not any(address in these for these in busy)]
        self._repeated_stroke.left -= len(taken)
        return taken

    def _refresh(self) -> tuple[int, float]:
        """How many are refreshed together, and seconds until the next: all of them once in the interval."""
        interval, addresses = self.rhythm.refresh_interval, len(self._ring)
        count = min(ceil(_REFRESH_STEP * addresses / interval), BATCH)
        return count, count * interval / addresses

    def _repeat(self, address: bytes, now: float, rounds: int) -> None:
        if rounds > 0:
            due = now + self.rhythm.interval
            self._repeated[address] = due, rounds
            heapq.heappush(self._heap, (due, address))

    def _forget_stale(self) -> None:
        while self._heap:
            due, address = self._heap[0]
            if self._repeated.get(address, (None, 0))[0] == due:
                return
            heapq.heappop(self._heap)
