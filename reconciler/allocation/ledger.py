"""Who holds which address at this moment of a pass, pool by pool."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.family import Address, Family
from reconciler.allocation.free_addresses import FreeAddresses
from reconciler.allocation.requests import Asking, Families
from reconciler.allocation.sharing import Sharing, SharingGroup, Tenancy
from reconciler.model.observed import Port, Service, ServiceKey
from reconciler.model.pools import IPAddressPool


class PoolHalf:
    """
    The addresses of one family in one pool.

    `holders` has an entry for each address in use: the one Service that holds it alone, or the Tenancy of those that
    share it. `free` knows the address that a Service without a sharing key would be given.
    """

    __slots__ = ("_groups", "_terms", "capacity", "family", "free", "holders")

    def __init__(self, pool: IPAddressPool, family: Family, ranges: tuple[AddressRange, ...]) -> None:
        self.family = family
        self.holders: dict[int, Asking | Tenancy] = {}
        self.capacity = pool.capacity(family)
        skip_buggy = pool.avoid_buggy_ips and family is Family.IPV4
        self.free = FreeAddresses(ranges, self.holders, skip_buggy=skip_buggy)
        self._groups: dict[Sharing, SharingGroup] = {}
        self._terms: dict[str, list[Sharing]] = {}  # those of the groups, by sharing key

    def lowest_for(self, asking: Asking) -> int | None:
        """The first address, in the order of the pool, that is free or that the Service may share."""
        free = self.free.lowest()
        terms = asking.request.sharing
        group = self._groups.get(terms) if terms else None
        shared = group.lowest(asking.service.ports) if group else None
        if shared is None:
            return free
        return shared[1] if free is None or shared < self.free.rank(free) else free

    def has_room_for(self, terms: Sharing, port: Port) -> bool:
        """Whether an address is free, or shared on these terms without that port."""
        group = self._groups.get(terms)
        return self.free.lowest() is not None or (group is not None and group.lowest((port,)) is not None)

    def obstructing(self, value: int, asking: Asking) -> Iterator[Service]:
        """The Services beside whom this one may not hold the address, by key; none when it may."""
        holder = self.holders.get(value)
        if isinstance(holder, Tenancy):
            yield from holder.obstructing(asking.service, asking.request.sharing)
        elif holder is not None and holder.service.key != asking.service.key:
            yield holder.service

    def is_obstructed(self, value: int, asking: Asking) -> bool:
        """Whether there is such a Service."""
        return next(self.obstructing(value, asking), None) is not None

    def count_obstructing(self, value: int, asking: Asking) -> int:
        """How many such Services there are."""
        holder = self.holders.get(value)
        if isinstance(holder, Tenancy):
            return holder.count_obstructing(asking.service, asking.request.sharing)
        return sum(1 for _ in self.obstructing(value, asking))

    def port_conflict(self, value: int, asking: Asking) -> tuple[Port, Service] | None:
        """The lowest of its ports that is taken, and by whom, when ports alone keep the Service from the address."""
        holder = self.holders.get(value)
        return holder.port_conflict(asking.service, asking.request.sharing) if isinstance(holder, Tenancy) else None

    def hold(self, value: int, asking: Asking) -> None:
        """Write down that the Service holds the address; the caller has asked whether it may."""
        terms = asking.request.sharing
        if terms is None:
            self.holders[value] = asking
            return
        tenancy = self.holders.get(value)
        if not isinstance(tenancy, Tenancy):
            tenancy = self.holders[value] = Tenancy(terms)
        tenancy.admit(asking.service)
        group = self._groups.get(terms)
        if group is None:
            group = self._groups[terms] = SharingGroup()
            self._terms.setdefault(terms.key, []).append(terms)
        group.note_tenant(self.free.rank(value), tenancy, asking.service)

    def release(self, value: int, asking: Asking) -> None:
        """Write down that the Service holds the address no longer."""
        tenancy, terms = self.holders[value], asking.request.sharing
        if terms is not None and isinstance(tenancy, Tenancy):
            tenancy.dismiss(asking.service)
            self._groups[terms].note_departure(self.free.rank(value), tenancy, asking.service)
            if tenancy.tenants:
                return
        del self.holders[value]
        self.free.give_back(value)

    def is_held_by(self, value: int, key: ServiceKey) -> bool:
        """Whether the Service holds the address, alone or beside others."""
        holder = self.holders.get(value)
        if isinstance(holder, Tenancy):
            return key in holder.tenants
        return holder is not None and holder.service.key == key

    def ports_taken(self, terms: Sharing, ports: tuple[Port, ...]) -> list[Port]:
        """Those of the ports that are taken on some address shared on these terms, ascending."""
        group = self._groups.get(terms)
        return sorted({port for port in ports if group and group.uses(port)})

    def shares_under(self, key: str) -> bool:
        """Whether some address is shared under that key, on whatever terms."""
        return any(self._groups[terms] for terms in self._terms.get(key, ()))

    def close(self, value: int, asking: Asking) -> None:
        """Write down a Service that holds the address beside others against the rules: nobody else may join them."""
        closed = self._closed(value, self.holders[value])
        closed.admit(asking.service)
        self.holders[value] = closed

    def _closed(self, value: int, holder: Asking | Tenancy) -> Tenancy:
        if isinstance(holder, Tenancy) and holder.terms is None:
            return holder
        closed = Tenancy(None)
        for tenant in holder.tenants.values() if isinstance(holder, Tenancy) else [holder.service]:
            closed.admit(tenant)
        if isinstance(holder, Tenancy) and holder.terms in self._groups:
            self._groups[holder.terms].forget(value)
        return closed


class PoolLedger:
    """One pool: at most one half for each family."""

    __slots__ = ("halves", "pool", "was_full")

    def __init__(self, pool: IPAddressPool) -> None:
        self.pool = pool
        self.was_full = False  # some search has found a half without a free address and went on to later pools
        self.halves: dict[Family, PoolHalf] = {}
        for family in Family:
            ranges = tuple(e.addresses for e in pool.entries if e.addresses.family is family)
            if ranges:
                self.halves[family] = PoolHalf(pool, family, ranges)

    def lowest_free(self, families: Families) -> tuple[Address, ...] | None:
        """The addresses that a Service without a sharing key would be given; None when some family has no free one."""
        found: tuple[Address, ...] = ()
        for family in families:
            half = self.halves.get(family)
            if half is None:
                return None
            value = half.free.lowest()
            if value is None:
                self.was_full = True
                return None
            found += (Address(family, value),)
        return found

    def has_room_for(self, families: Families, terms: Sharing, port: Port) -> bool:
        """Whether a Service with that port alone would be given an address of each family."""
        return all(family in self.halves and self.halves[family].has_room_for(terms, port) for family in families)

    def lowest_for(self, families: Families, asking: Asking) -> tuple[Address, ...] | None:
        """An address of each family, in that order; None when one of them is missing."""
        found: tuple[Address, ...] = ()
        for family in families:
            half = self.halves.get(family)
            value = half.lowest_for(asking) if half else None
            if value is None:
                return None
            found += (Address(family, value),)
        return found


class Ledger:
    """
    All pools.

    `releases` counts how often addresses were given up, and `reopenings` how often in a pool that had been found full.
    """

    __slots__ = ("_owners", "_shared", "by_name", "pools", "releases", "reopenings")

    def __init__(self, pools: Iterable[IPAddressPool]) -> None:
        self.pools = tuple(PoolLedger(pool) for pool in sorted(pools, key=lambda pool: pool.name))
        self.by_name: Mapping[str, PoolLedger] = {ledger.pool.name: ledger for ledger in self.pools}
        self.reopenings = 0
        self.releases = 0
        self._shared: dict[Sharing, dict[PoolLedger, None]] = {}
        self._owners = {family: _Owners(self.pools, family) for family in Family}

    def owner(self, address: Address) -> PoolLedger | None:
        """The pool that has the address in its entries, whether or not it would hand it out."""
        return self._owners[address.family].find(address.value)

    def pools_sharing(self, terms: Sharing) -> dict[PoolLedger, None]:
        """The pools in which some address is or was shared on these terms, as a set that keeps the order of events."""
        return self._shared.get(terms, {})

    def hold(self, ledger: PoolLedger, addresses: tuple[Address, ...], asking: Asking) -> None:
        """Write down that the Service holds addresses of one pool."""
        for address in addresses:
            ledger.halves[address.family].hold(address.value, asking)
        terms = asking.request.sharing
        if terms is not None:
            self._shared.setdefault(terms, {})[ledger] = None

    def release(self, ledger: PoolLedger, addresses: tuple[Address, ...], asking: Asking) -> None:
        """Write down that the Service holds them no longer."""
        for address in addresses:
            ledger.halves[address.family].release(address.value, asking)
        self.releases += 1
        if ledger.was_full:
            ledger.was_full = False
            self.reopenings += 1

    def hold_regardless(self, addresses: tuple[Address, ...], asking: Asking) -> None:
        """Reserve addresses that the Service keeps whatever the rules say; those outside all pools need no entry."""
        for address in addresses:
            ledger = self.owner(address)
            if ledger is None:
                continue
            half = ledger.halves[address.family]
            if half.is_obstructed(address.value, asking):
                half.close(address.value, asking)
            else:
                self.hold(ledger, (address,), asking)


class _Owners:
    """The ranges of all pools, one family, ascending."""

    __slots__ = ("_found", "_starts")

    def __init__(self, pools: tuple[PoolLedger, ...], family: Family) -> None:
        ranges = [
            (r.first, r.last, ledger) for ledger in pools for r in ledger.pool.addresses.ranges if r.family is family
        ]
        ranges.sort(key=lambda found: found[0])
        self._starts = [first for first, _, _ in ranges]
        self._found = [(last, ledger) for _, last, ledger in ranges]

    def find(self, value: int) -> PoolLedger | None:
        index = bisect_right(self._starts, value) - 1
        if index < 0:
            return None
        last, ledger = self._found[index]
        return ledger if value <= last else None
