"""
In which order Services change their addresses, so that no address has two holders on the way.

An address that one Service gives up and another takes must be given up first. Where Services exchange addresses in a
circle nobody can go first: one of them steps aside, and takes its new address when its turn comes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import heapify, heappop, heappush

import msgspec

from reconciler.addresses.family import Address
from reconciler.model.observed import ServiceKey


class Move(msgspec.Struct, frozen=True, gc=False):
    """A Service and its addresses, now and afterwards."""

    service: ServiceKey
    before: tuple[Address, ...]
    after: tuple[Address, ...]

    @property
    def given_up(self) -> tuple[Address, ...]:
        """What it holds now and not afterwards."""
        return tuple([address for address in self.before if address not in self.after])

    @property
    def taken(self) -> tuple[Address, ...]:
        """What it holds afterwards and not now."""
        return tuple([address for address in self.after if address not in self.before])


class Succession(msgspec.Struct, frozen=True):
    """Who gives its addresses up before anybody moves, and the order of all who move; keys."""

    aside: tuple[ServiceKey, ...]
    order: tuple[ServiceKey, ...]


def succession(moves: Iterable[Move], may_share: Callable[[ServiceKey, ServiceKey], bool]) -> Succession:
    """
    Order the moves of Services with distinct keys: by key, except where one has to wait for another.

    `may_share` tells whether two of them may hold one address, so that neither has to wait.
    """
    moves = sorted(moves, key=lambda move: move.service)
    waits = _waits(moves, may_share)
    if not waits:
        return Succession((), tuple([move.service for move in moves]))
    return _Queue([move.service for move in moves], waits).run()


def _waits(moves: list[Move], may_share: Callable[[ServiceKey, ServiceKey], bool]) -> dict[ServiceKey, set[ServiceKey]]:
    """For each Service that has to wait, those that it waits for."""
    leaving: dict[Address, list[ServiceKey]] = {}
    for move in moves:
        if move.before != move.after:
            for address in move.given_up:
                leaving.setdefault(address, []).append(move.service)
    waits: dict[ServiceKey, set[ServiceKey]] = {}
    if leaving:
        for move in moves:
            for address in move.taken:
                for other in leaving.get(address, ()):
                    if not may_share(move.service, other):
                        waits.setdefault(move.service, set()).add(other)
    return waits


class _Queue:
    def __init__(self, keys: list[ServiceKey], waits: Mapping[ServiceKey, set[ServiceKey]]) -> None:
        self._waits = {key: set(waits.get(key, ())) for key in keys}
        self._followers: dict[ServiceKey, list[ServiceKey]] = {}
        for key, others in waits.items():
            for other in others:
                self._followers.setdefault(other, []).append(key)
        self._ready = [key for key in keys if not self._waits[key]]
        heapify(self._ready)

    def run(self) -> Succession:
        aside: list[ServiceKey] = []
        order: list[ServiceKey] = []
        waiting = {key for key, others in self._waits.items() if others}
        while self._ready or waiting:
            if not self._ready:
                aside.append(self._first_of_circle(min(waiting)))
                waiting.difference_update(self._release(aside[-1]))
            while self._ready:
                key = heappop(self._ready)
                order.append(key)
                waiting.difference_update(self._release(key))
        return Succession(tuple(aside), tuple(order))

    def _release(self, key: ServiceKey) -> Iterator[ServiceKey]:
        """The Services that need not wait any more once this one has given up its addresses."""
        for follower in self._followers.pop(key, ()):
            waits = self._waits[follower]
            waits.discard(key)
            if not waits:
                heappush(self._ready, follower)
                yield follower

    def _first_of_circle(self, start: ServiceKey) -> ServiceKey:
        """Everybody left waits for somebody left, so following that leads into a circle: its first by key."""
        path: dict[ServiceKey, int] = {}
        key = start
        while key not in path:
            path[key] = len(path)
            key = min(self._waits[key])
        return min(found for found, position in path.items() if position >= path[key])
