"""From a Service to what its announcement starts from: addresses, the one pool that holds them, endpoints."""

from bisect import bisect_right
from collections.abc import Iterable

import msgspec

from reconciler.addresses.family import Address, Family
from reconciler.model.observed import Endpoint, Service, ServiceKey
from reconciler.model.pools import IPAddressPool
from reconciler.placement.decisions import DeclineReason


class Subject(msgspec.Struct, frozen=True, gc=False):
    """
    A Service that has addresses of ours.

    `addresses` ascend; `election_key` is the text of the first one in the status. `can_serve`: an endpoint is ready or
    serving; `is_healthy`: and that endpoint has an address, which only BGP asks for.
    """

    service: Service
    pool: str
    addresses: tuple[Address, ...]
    election_key: str
    endpoints: tuple[Endpoint, ...]
    can_serve: bool
    is_healthy: bool


class Unannounceable(msgspec.Struct, frozen=True, gc=False):
    """A Service that no node can announce, by whatever protocol."""

    service: ServiceKey
    reason: DeclineReason
    message: str


class PoolTable:
    """The ranges of all pools in order, to find the pool of an address in O(log n). Pools never overlap."""

    def __init__(self, pools: Iterable[IPAddressPool]) -> None:
        by_name = [(r, pool.name) for pool in pools for r in pool.addresses.ranges]
        self._ipv4 = _Ranges((r.first, r.last, name) for r, name in by_name if r.family is Family.IPV4)
        self._ipv6 = _Ranges((r.first, r.last, name) for r, name in by_name if r.family is Family.IPV6)

    def pool_of(self, address: Address) -> str | None:
        """The pool whose ranges contain the address, `avoidBuggyIPs` or not."""
        ranges = self._ipv4 if address.family is Family.IPV4 else self._ipv6
        return ranges.find(address.value)


class _Ranges:
    def __init__(self, ranges: Iterable[tuple[int, int, str]]) -> None:
        ordered = sorted(ranges)
        self._firsts = [first for first, _, _ in ordered]
        self._lasts = [last for _, last, _ in ordered]
        self._names = [name for _, _, name in ordered]

    def find(self, value: int) -> str | None:
        index = bisect_right(self._firsts, value) - 1
        return self._names[index] if index >= 0 and value <= self._lasts[index] else None


def read_subject(service: Service, endpoints: tuple[Endpoint, ...], pools: PoolTable) -> Subject | Unannounceable:
    """What can be said of a Service before any node is looked at."""
    addresses = service.ingress
    if service.unreadable_ingress:
        text = f'its status holds "{service.unreadable_ingress[0]}", which is no IP address; clear that entry'
        return Unannounceable(service.key, DeclineReason.INVALID_ADDRESS, text)
    if not addresses:
        text = "it holds no address yet; see why the controller has given it none"
        return Unannounceable(service.key, DeclineReason.NO_ADDRESS, text)
    pool = pools.pool_of(addresses[0])
    if pool is None or any(pools.pool_of(address) != pool for address in addresses[1:]):
        return Unannounceable(service.key, DeclineReason.NOT_IN_ONE_POOL, _not_in_one_pool(addresses, pools))
    return Subject(
        service=service,
        pool=pool,
        addresses=addresses if len(addresses) == 1 else tuple(sorted(addresses)),
        election_key=str(addresses[0]),
        endpoints=endpoints,
        can_serve=_can_serve(endpoints),
        is_healthy=_is_healthy(endpoints),
    )


def _can_serve(endpoints: tuple[Endpoint, ...]) -> bool:
    # Plain loops here: with a hundred thousand Services a generator for each is a tenth of the pass.
    for endpoint in endpoints:  # noqa: SIM110 - see above
        if endpoint.serving:
            return True
    return False


def _is_healthy(endpoints: tuple[Endpoint, ...]) -> bool:
    for endpoint in endpoints:  # noqa: SIM110 - as above
        if endpoint.serving and endpoint.has_address:
            return True
    return False


def _not_in_one_pool(addresses: tuple[Address, ...], pools: PoolTable) -> str:
    homes = {address: pools.pool_of(address) for address in addresses}
    strays = sorted(address for address, pool in homes.items() if pool is None)
    if strays:
        return f"{strays[0]} is in no IPAddressPool; put it back into one, or clear the Service's status"
    parts = ", ".join(f'{address} in "{homes[address]}"' for address in addresses)
    return f"its addresses are in different IPAddressPools ({parts}); one pool must hold them all"
