"""The links of this node as the announcer uses them: open while an address is on them, and for some seconds more."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf

import msgspec

from reconciler.announcers.voice import Voice, carries
from reconciler.l2.gratuitous import Rhythm
from reconciler.l2.port import Counts, LinkState, OnClaim, Port

# Raises OSError where the link is gone, or the kernel does not let us.
OpenPort = Callable[[LinkState, OnClaim], Port]

_log = logging.getLogger(__name__)

# Seconds until a link that could not be opened is tried again.
_OPEN_AGAIN = 1.0
# Links opened in one moment, of so many seconds: sockets are at hand for so many, and others get their turn meanwhile.
_OPENED_AT_ONCE, _MOMENT = 4, 0.05
# Seconds that a link stays open without an address: one that comes and goes is not to cost anything.
_IDLE = 10.0


class Voices:
    """
    The links, and those of them that are open. `now` is in seconds; an address is 4 or 16 octets.

    Args:
        open_port: Opens a link.
        on_claim: Handed to it.
        rhythm: Of the announcements; `keep_to` gives another.
    """

    def __init__(self, open_port: OpenPort, on_claim: OnClaim, rhythm: Rhythm) -> None:
        self._open_port = open_port
        self._on_claim = on_claim
        self._rhythm = rhythm
        self._links: dict[int, LinkState] = {}
        self._open: dict[int, Voice] = {}
        # When an open link that has no address is closed.
        self._closing: dict[int, float] = {}
        self._closed: dict[int, Counts] = {}
        # Links that have to wait until then, those of them without a fault, and what may be opened in this moment.
        self._open_at = inf
        self._refused: set[int] = set()
        self._queued: set[int] = set()
        self._moment_ends, self._left = -inf, 0

    def __iter__(self) -> Iterator[Voice]:
        """Those that are open."""
        return iter(self._open.values())

    @property
    def links(self) -> Sequence[LinkState]:
        """All links, open or not, in the order in which they were given."""
        return tuple(self._links.values())

    def has_mac(self, mac: bytes) -> bool:
        """Whether a link of this node has a MAC."""
        return any(link.mac == mac for link in self._links.values())

    def counts(self) -> Mapping[str, Counts]:
        """What happened on each link while it was open, by its name."""
        # Copied at once: another thread may be asking.
        return {link.name: self._counts_of(index) for index, link in tuple(self._links.items())}

    def _counts_of(self, index: int) -> Counts:
        before, voice = self._closed.get(index, Counts()), self._open.get(index)
        return before if voice is None else _sum(before, voice.counts())

    def set_links(self, links: Sequence[LinkState], now: float) -> None:
        """These are the links from now on; those that vanished are closed, and those that wait are tried again."""
        self._links = {link.index: link for link in links}
        for index in [index for index in self._open if index not in self._links]:
            self._open.pop(index).close()
        for index, voice in self._open.items():
            voice.update(self._links[index], now)
        self._closing = {index: at for index, at in self._closing.items() if index in self._open}
        self._closed = {index: counts for index, counts in self._closed.items() if index in self._links}
        self._try_all_again()

    def to_carry(self, address: bytes, interfaces: frozenset[str] | None, now: float) -> list[Voice]:
        """Open all links that an address is to be on, and give those that are open."""
        for index, link in self._links.items():
            if index not in self._open and carries(link, address, interfaces):
                self._open_one(link, now)
        return self.carrying(address, interfaces)

    def carrying(self, address: bytes, interfaces: frozenset[str] | None) -> list[Voice]:
        """The open links that an address is to be on."""
        return [voice for voice in self._open.values() if carries(voice.state, address, interfaces)]

    def is_opening(self, address: bytes, interfaces: frozenset[str] | None) -> bool:
        """Whether a link that an address is to be on is opened in a moment."""
        return any(carries(self._links[index], address, interfaces) for index in self._queued)

    def rest(self, now: float) -> None:
        """Close links that have had no address for a while."""
        for index, voice in list(self._open.items()):
            if not voice.is_idle:
                self._closing.pop(index, None)
            elif now >= self._closing.setdefault(index, now + _IDLE):
                self._close(index)

    def open_again(self, now: float) -> bool:
        """Whether it is time to try again what could not be opened."""
        if now < self._open_at:
            return False
        self._try_all_again()
        return True

    def keep_to(self, rhythm: Rhythm) -> None:
        """Announce at this pace from now on."""
        self._rhythm = rhythm
        for voice in self._open.values():
            voice.keep_to(rhythm)

    def deadline(self) -> float:
        """When one of them has something to say, is closed or is tried again; infinite for never."""
        deadlines = (voice.deadline() for voice in self._open.values())
        spoken = min((deadline for deadline in deadlines if deadline is not None), default=inf)
        return min(spoken, self._open_at, *self._closing.values())

    def close(self) -> None:
        """Fall silent on all links, and forget them."""
        for voice in self._open.values():
            voice.close()
        self._open.clear()
        self._closing.clear()
        self._closed.clear()
        self._links.clear()
        self._try_all_again()

    def _open_one(self, link: LinkState, now: float) -> None:
        if link.index in self._refused or link.index in self._queued:
            return
        if now >= self._moment_ends:
            self._moment_ends, self._left = now + _MOMENT, _OPENED_AT_ONCE
        if not self._left:
            self._queued.add(link.index)
            self._open_at = min(self._open_at, self._moment_ends)
            return
        self._left -= 1
        try:
            port = self._open_port(link, self._on_claim)
        except OSError as exc:
            _log.warning("a link cannot be opened", extra={"link": link.name, "error": str(exc)})
            self._refused.add(link.index)
            self._open_at = min(self._open_at, now + _OPEN_AGAIN)
            return
        self._open[link.index] = Voice(port, link, self._rhythm)

    def _try_all_again(self) -> None:
        self._refused.clear()
        self._queued.clear()
        self._open_at = inf

    def _close(self, index: int) -> None:
        voice = self._open.pop(index)
        del self._closing[index]
        # What is counted on a link only ever grows, as long as there is the link.
        self._closed[index] = _sum(self._closed.get(index, Counts()), voice.counts())
        voice.close()


def _sum(one: Counts, another: Counts) -> Counts:
    return msgspec.structs.replace(
        one,
        requests=one.requests + another.requests,
        answers=one.answers + another.answers,
        unasked=one.unasked + another.unasked,
        ignored=dict(Counter(one.ignored) + Counter(another.ignored)),
    )
