"""Where, among many pools, a Service finds an address to share, without asking all that share under its key."""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Sequence
from itertools import islice

from reconciler.addresses.family import Address
from reconciler.allocation.ledger import Ledger, PoolLedger
from reconciler.allocation.requests import Asking, Families
from reconciler.allocation.sharing import Sharing
from reconciler.model.observed import Port

Found = tuple[PoolLedger, tuple[Address, ...]]

# So few pools are asked in turn; thousands of namespaces may each have a pool, and all use one sharing key.
_FEW = 8


class SharedRoom:
    """
    Searches pools in their order, and remembers for each port up to where there is none.

    A pool without room for one more Service with that port stays so until somebody gives an address up: new addresses
    to share come of free ones, and a free one is room.
    """

    __slots__ = ("_first_with", "_ledger", "_pools", "_position", "_positions", "_read", "_releases")

    def __init__(self, ledger: Ledger, pools: Sequence[PoolLedger], position: dict[PoolLedger, int]) -> None:
        self._ledger = ledger
        self._pools = pools
        self._position = position
        self._positions: dict[Sharing, list[int]] = defaultdict(list)
        self._read: dict[Sharing, int] = defaultdict(int)  # how many of the ledger's were looked at
        self._first_with: dict[tuple[Sharing, Families], dict[Port, int]] = defaultdict(dict)
        self._releases = ledger.releases

    def find(self, families: Families, terms: Sharing, asking: Asking, end: int) -> Found | None:
        """
        Addresses of the first pool that shares on these terms and has one of each family for the Service.

        `end` is the position of the first pool with free addresses; it is asked as well, as the last.
        """
        positions = self._sharing(terms)
        if not positions or positions[0] > end:
            return None
        start = self._start(families, terms, asking.service.ports, end) if len(self._pools) > _FEW else 0
        for index in range(bisect_left(positions, start), bisect_right(positions, end)):
            pool = self._pools[positions[index]]
            if addresses := pool.lowest_for(families, asking):
                return pool, addresses
        return None

    def _sharing(self, terms: Sharing) -> list[int]:
        """The positions of the pools that share on these terms, ascending."""
        sharing = self._ledger.pools_sharing(terms)
        if len(self._pools) <= _FEW:
            return [at for at, pool in enumerate(self._pools) if pool in sharing]
        positions = self._positions[terms]
        for pool in islice(reversed(sharing), len(sharing) - self._read[terms]):
            if (at := self._position.get(pool)) is not None:
                insort(positions, at)
        self._read[terms] = len(sharing)
        return positions

    def _start(self, families: Families, terms: Sharing, ports: tuple[Port, ...], end: int) -> int:
        """A position before which one of the ports has no room; so all of them together have none."""
        if self._releases != self._ledger.releases:
            self._releases = self._ledger.releases
            self._first_with.clear()
        first_with, positions = self._first_with[terms, families], self._positions[terms]
        for port in ports:
            index = bisect_left(positions, first_with.get(port, 0))
            while index < len(positions) and positions[index] < end:
                if self._pools[positions[index]].has_room_for(families, terms, port):
                    break
                index += 1
            first_with[port] = min(end, positions[index]) if index < len(positions) else end
        return max((first_with[port] for port in ports), default=0)
