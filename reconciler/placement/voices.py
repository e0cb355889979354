"""What one node says by Layer 2 and on behalf of which Services, kept up to date one Service at a time."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from operator import attrgetter

from reconciler.addresses.family import Address
from reconciler.model.announcements import L2Announcement
from reconciler.model.observed import ServiceKey
from reconciler.placement.decisions import Placed
from reconciler.placement.hearing import heard_of

_by_service = attrgetter("service")


class Voices:
    """
    What a node announces by ARP and NDP in order of Service and address, and what the network hears of that.

    One Service that changes costs what it says itself, and copies that the interpreter makes in one go.
    """

    def __init__(self, placed: Iterable[Placed]) -> None:
        self._placed = list(placed)
        self._keys = [one.service for one in self._placed]
        self._at: dict[Address, list[Placed]] = {}
        for one in self._placed:
            self._at.setdefault(one.address, []).append(one)
        self._announcements: set[L2Announcement] = set(_said_in(self._placed))
        # Addresses that Services want on different interfaces: what they want, and what comes of it.
        self._divided: dict[Address, tuple[frozenset[L2Announcement], frozenset[L2Announcement]]] = {}
        if len(self._announcements) != len(self._at):
            for address in self._at:
                self._note_division(address)

    @property
    def placed(self) -> tuple[Placed, ...]:
        """By Service key, then address."""
        return tuple(self._placed)

    def put(self, service: ServiceKey, placed: tuple[Placed, ...]) -> bool:
        """Let a Service want that, in order of addresses, and nothing else; False when it is so already."""
        start = bisect_left(self._keys, service)
        end = bisect_right(self._keys, service, start)
        before = tuple(self._placed[start:end])
        if before == placed:
            return False
        self._placed[start:end] = placed
        self._keys[start:end] = [service] * len(placed)
        for address in {one.address for one in (*before, *placed)}:
            self._change(address, service, [one for one in placed if one.address == address])
        return True

    def _change(self, address: Address, service: ServiceKey, placed: list[Placed]) -> None:
        before = self._at.pop(address, [])
        after = sorted((*(one for one in before if one.service != service), *placed), key=_by_service)
        if after:
            self._at[address] = after
        # An announcement names its address, so nobody who stays out of this list makes the same one.
        self._announcements.difference_update(_said_in(before))
        self._announcements.update(_said_in(after))
        self._note_division(address)

    def _note_division(self, address: Address) -> None:
        wanted = frozenset(_said_in(self._at.get(address, ())))
        if len(wanted) > 1:
            self._divided[address] = (wanted, heard_of(wanted))
        else:
            self._divided.pop(address, None)

    def heard(self) -> frozenset[L2Announcement]:
        """One announcement for each address, however many Services stand behind it."""
        if not self._divided:
            return frozenset(self._announcements)
        wanted, together = zip(*self._divided.values(), strict=True)
        return frozenset(self._announcements.difference(*wanted).union(*together))


def _said_in(placed: Iterable[Placed]) -> Iterator[L2Announcement]:
    return (one.announcement for one in placed if isinstance(one.announcement, L2Announcement))
