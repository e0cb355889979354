"""
Handing addresses over without a gap: whom to ask, whom to answer, and when to stop. No I/O, no clock.

Whoever loses an address that another member is to announce goes on answering for it and asks that member to say when
it has taken over. Datagrams get lost, so it asks again and again; nobody is waited for without limit. The same object
keeps what others have asked of this node. An address is 4 or 16 octets.
"""

from collections.abc import Collection, Iterable, Iterator

import msgspec

from reconciler.membership.messages import LARGEST
from reconciler.model.observed import NodeName

# Seconds between two requests for the same address; a datagram of the group takes one or two milliseconds.
ASK_INTERVAL = 0.1
# A member that has not taken over within so many seconds is not going to: whoever lost falls silent all the same.
LIMIT = 3.0
# Seconds for which a request is kept that cannot be answered yet: it is repeated as long as it matters.
_REMEMBERED = 1.0
# More requests than any real handover makes: for one member, and for all of them together.
_MOST_OF_ONE = 20_000
_MOST = 100_000


class _Leaving(msgspec.Struct, gc=False):
    """An address that we give away. `until` is when we fall silent anyway, `ask_at` when we ask next."""

    successor: NodeName | None
    until: float
    ask_at: float
    is_taken: bool = False


class Handovers:
    """Both sides of every handover that this node takes part in. Every `now` is in seconds on one monotonic clock."""

    def __init__(self) -> None:
        self._leaving: dict[bytes, _Leaving] = {}
        # By member and address the instant at which the request is forgotten.
        self._asked: dict[NodeName, dict[bytes, float]] = {}
        self._forget_at = 0.0

    # What this node gives away

    @property
    def leaving(self) -> Collection[bytes]:
        """The addresses that are being handed over: answered for, and not announced unasked any more."""
        return self._leaving.keys()

    def begin(self, address: bytes, successor: NodeName | None, now: float) -> None:
        """
        Another member is to announce the address, None where nobody else can.

        May be said again whenever it is found so. Another successor gets as much time as the first one had.
        """
        known = self._leaving.get(address)
        if known is None or known.successor != successor:
            self._leaving[address] = _Leaving(successor, now + LIMIT, now)

    def wait_for(self, members: Collection[NodeName], now: float) -> None:
        """These are away for a moment and will be back: the time that they have has not begun yet."""
        for known in self._leaving.values():
            if known.successor in members:
                known.until = now + LIMIT

    def keep(self, addresses: Iterable[bytes]) -> None:
        """These are ours again, or are not announced by anybody: forget that they were to be handed over."""
        for address in addresses:
            self._leaving.pop(address, None)

    def taken(self, addresses: Iterable[bytes], by: NodeName) -> None:
        """A member says `Taken`, or was heard announcing them. It counts where it is who we have asked."""
        for address in addresses:
            known = self._leaving.get(address)
            if known is not None and known.successor == by:
                known.is_taken = True

    def requests(self, now: float) -> list[tuple[NodeName, tuple[bytes, ...]]]:
        """Whom to send `TakeOver` now, and for what; each is one message."""
        due: dict[NodeName, list[bytes]] = {}
        for address, known in self._leaving.items():
            if known.successor is not None and not known.is_taken and known.ask_at <= now < known.until:
                known.ask_at = now + ASK_INTERVAL
                due.setdefault(known.successor, []).append(address)
        return list(_messages(due))

    def due(self, now: float) -> tuple[bytes, ...]:
        """The addresses to fall silent about now: taken over, out of time, or without a successor. Each once."""
        over = tuple(a for a, known in self._leaving.items() if _is_over(known, now))
        self.keep(over)
        return over

    def deadline(self) -> float | None:
        """When to call `due` and `requests` next; None while nothing is handed over."""
        return min((_next(known) for known in self._leaving.values()), default=None)

    # What others give to this node

    def asked(self, by: NodeName, addresses: Collection[bytes], now: float) -> None:
        """A member wants to know when we announce these. What is too much is not kept, and asked for again."""
        self._forget(now)
        known = self._asked.setdefault(by, {})
        room = min(_MOST_OF_ONE - len(known), _MOST - sum(map(len, self._asked.values())))
        for address in addresses:
            if address not in known:
                if room <= 0:
                    continue
                room -= 1
            known[address] = now + _REMEMBERED

    @property
    def is_asked(self) -> bool:
        """Whether anybody waits for a word of ours."""
        return bool(self._asked)

    def answers(self, announced: Collection[bytes], now: float) -> list[tuple[NodeName, tuple[bytes, ...]]]:
        """
        Whom to send `Taken` now, and for what; each is one message.

        Every request is answered once, as soon as it is true, and may be repeated. One for an address that we have
        announced for long shows that there were two of us: announce it unasked again, for those who heard the other.

        Args:
            announced: What we announce of our own accord: neither what we are handing over, nor what we still probe.
            now: The present.
        """
        self._forget(now)
        ready: dict[NodeName, list[bytes]] = {}
        for node, known in self._asked.items():
            found = [address for address in known if address in announced and address not in self._leaving]
            for address in found:
                del known[address]
            if found:
                ready[node] = found
        return list(_messages(ready))

    def _forget(self, now: float) -> None:
        # Not at every message of a flood: what is forgotten late has been answered late, which is no harm.
        if now < self._forget_at:
            return
        self._forget_at = now + _REMEMBERED
        for node, known in list(self._asked.items()):
            for address in [address for address, until in known.items() if now >= until]:
                del known[address]
            if not known:
                del self._asked[node]


def _is_over(leaving: _Leaving, now: float) -> bool:
    return leaving.is_taken or leaving.successor is None or now >= leaving.until


def _next(leaving: _Leaving) -> float:
    # What is over already has an instant in the past.
    return leaving.ask_at if leaving.is_taken or leaving.successor is None else min(leaving.ask_at, leaving.until)


def _messages(found: dict[NodeName, list[bytes]]) -> Iterator[tuple[NodeName, tuple[bytes, ...]]]:
    for node, addresses in found.items():
        for first in range(0, len(addresses), LARGEST):
            yield node, tuple(addresses[first : first + LARGEST])
