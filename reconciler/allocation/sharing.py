"""When two Services may hold one address, and where in a pool there is room for one more."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush
from typing import NamedTuple

from reconciler.model.observed import Port, Service, ServiceKey
from reconciler.model.selectors import Labels

# Where an address stands in its pool: the index of its entry as written, then the address.
Rank = tuple[int, int]


class Sharing(NamedTuple):
    """
    The terms on which a Service shares; two Services must have equal ones.

    `backends` is None for the policy Cluster: any node reaches any endpoint, so it does not matter which. Under Local
    the traffic goes to nodes with an endpoint, so the selectors must be the same.
    """

    key: str
    backends: Labels | None


def sharing_of(service: Service) -> Sharing | None:
    """The terms of a Service; None when it shares with nobody."""
    if not service.sharing_key:
        return None
    return Sharing(service.sharing_key, service.selector if service.is_local else None)


def may_share(a: Service, b: Service) -> bool:
    """Whether two Services may hold one address: equal terms, and no port of one is a port of the other."""
    terms = sharing_of(a)
    return terms is not None and terms == sharing_of(b) and not set(a.ports) & set(b.ports)


class Tenancy:
    """One address and the Services that share it; closed to everybody else when `terms` is None."""

    __slots__ = ("_keys", "ports", "tenants", "terms")

    def __init__(self, terms: Sharing | None) -> None:
        self.terms = terms
        self.tenants: dict[ServiceKey, Service] = {}
        self._keys: list[ServiceKey] = []  # of the tenants, ascending
        self.ports: dict[Port, Service] = {}

    def admit(self, service: Service) -> None:
        """Let a Service in; the caller has asked whether it fits."""
        if service.key not in self.tenants:
            insort(self._keys, service.key)
        self.tenants[service.key] = service
        for port in service.ports:
            self.ports[port] = service

    def dismiss(self, service: Service) -> None:
        """Let a tenant go."""
        del self.tenants[service.key]
        del self._keys[bisect_left(self._keys, service.key)]
        for port in service.ports:
            self.ports.pop(port, None)  # a Service may list a port twice

    def has_room_for(self, ports: Iterable[Port]) -> bool:
        """Whether none of these ports is taken."""
        used = self.ports
        return not any(port in used for port in ports)

    def obstructing(self, service: Service, terms: Sharing | None) -> Iterator[Service]:
        """The tenants beside whom the Service may not live, by key; who wants a few of many need not pay for all."""
        keys: Iterable[ServiceKey] = self._keys
        if terms is not None and terms == self.terms:
            keys = sorted({self.ports[port].key for port in service.ports if port in self.ports})
        return (self.tenants[key] for key in keys if key != service.key)

    def count_obstructing(self, service: Service, terms: Sharing | None) -> int:
        """How many they are."""
        if terms is None or terms != self.terms:
            return len(self.tenants) - (service.key in self.tenants)
        return sum(1 for _ in self.obstructing(service, terms))

    def port_conflict(self, service: Service, terms: Sharing | None) -> tuple[Port, Service] | None:
        """The lowest of its ports that is taken, and by whom, when ports alone keep the Service out."""
        if terms is None or (self.terms is not None and self.terms != terms):
            return None
        used: dict[Port, Service] = {}
        for other in self.obstructing(service, terms):
            if sharing_of(other) != terms:
                return None
            used |= dict.fromkeys(other.ports, other)
        port = min((port for port in service.ports if port in used), default=None)
        return (port, used[port]) if port else None


class SharingGroup:
    """
    The addresses of one pool and family that are shared on equal terms: finds the lowest with room for given ports.

    Nothing here scans the group for each Service. What changes is written to a log; each set of ports that was ever
    asked for reads the log once and keeps its own heap of candidates.
    """

    __slots__ = ("_log", "_members", "_searches", "_uses")

    def __init__(self, members: dict[int, Tenancy] | None = None) -> None:
        self._members: dict[int, Tenancy] = {} if members is None else members
        self._log: list[Rank] = []
        self._searches: dict[tuple[Port, ...], _Search] = {}
        self._uses: dict[Port, int] = {}  # on how many addresses a port is taken

    def note_tenant(self, rank: Rank, tenancy: Tenancy, service: Service) -> None:
        """A Service has come to live on the address."""
        if rank[1] not in self._members:
            self._members[rank[1]] = tenancy
            self._log.append(rank)
        for port in service.ports:
            self._uses[port] = self._uses.get(port, 0) + 1

    def note_departure(self, rank: Rank, tenancy: Tenancy, service: Service) -> None:
        """A Service has left the address; the last one takes the address out of the group."""
        for port in service.ports:
            self._uses[port] -= 1
        if tenancy.tenants:
            self._log.append(rank)
        else:
            del self._members[rank[1]]

    def forget(self, value: int) -> None:
        """The address is shared no longer, whoever lives there."""
        self._members.pop(value, None)

    def __bool__(self) -> bool:
        return bool(self._members)

    def uses(self, port: Port) -> int:
        """On how many addresses of the group the port is taken."""
        return self._uses.get(port, 0)

    def lowest(self, ports: tuple[Port, ...]) -> Rank | None:
        """The first address, in the order of the pool, on which none of the ports is taken."""
        uses = self._uses
        contested = tuple(sorted({port for port in ports if uses.get(port)}))
        # One port that is taken everywhere settles it, and is found without looking at combinations.
        if len(contested) > 1 and any(self._lowest_for((port,)) is None for port in contested):
            return None
        return self._lowest_for(contested)

    def _lowest_for(self, ports: tuple[Port, ...]) -> Rank | None:
        search = self._searches.get(ports)
        if search is None:
            search = self._searches[ports] = _Search()
        return search.lowest(self._log, lambda rank: self._fits(rank, ports))

    def _fits(self, rank: Rank, ports: tuple[Port, ...]) -> bool:
        tenancy = self._members.get(rank[1])
        return tenancy is not None and tenancy.has_room_for(ports)


class _Search:
    """The candidates for one set of ports, as far as the log was read; those that do not fit are dropped for good."""

    __slots__ = ("_candidates", "_position")

    def __init__(self) -> None:
        self._position = 0
        self._candidates: list[Rank] = []

    def lowest(self, log: list[Rank], fits: Callable[[Rank], bool]) -> Rank | None:
        candidates = self._candidates
        for position in range(self._position, len(log)):
            if fits(log[position]):
                heappush(candidates, log[position])
        self._position = len(log)
        while candidates and not fits(candidates[0]):
            heappop(candidates)
        return candidates[0] if candidates else None
