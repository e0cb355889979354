"""How many Services have what they ask for, and how full the pools are. No I/O."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from reconciler.addresses.family import Family
from reconciler.allocation.decisions import Allocation, Assignment
from reconciler.model.observed import ObservedState, ServiceKey
from reconciler.model.pools import IPAddressPool


class PoolFill(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={
        "assigned_ipv4": "assignedIPv4",
        "available_ipv4": "availableIPv4",
        "assigned_ipv6": "assignedIPv6",
        "available_ipv6": "availableIPv6",
    },
):
    """
    How full a pool is. An address that several Services share counts once; `services` counts every one of them.

    The numbers are exact: an IPv6 pool has more addresses than 64 bits can tell.
    """

    pool: str
    assigned_ipv4: int = 0
    available_ipv4: int = 0
    assigned_ipv6: int = 0
    available_ipv6: int = 0
    services: int = 0


class Counts(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """
    Services of type LoadBalancer and of our class: how many there are, hold an address of ours, and wait for one.

    `refused_by_reason` counts requests that cannot be met by their reason code; a Service among them may hold an
    older address meanwhile.
    """

    services: int = 0
    assigned: int = 0
    pending: int = 0
    refused_by_reason: Mapping[str, int] = {}


class ServiceState(msgspec.Struct, frozen=True, gc=False):
    """One Service: what it holds and from which pool, and what keeps its request from being met."""

    service: str
    addresses: tuple[str, ...] = ()
    pool: str | None = None
    reason: str | None = None
    message: str | None = None


def counts_of(allocation: Allocation) -> Counts:
    """Count the Services of a pass."""
    assigned = {assignment.service for assignment in allocation.assignments}
    pending = sum(1 for refusal in allocation.refusals if refusal.service not in assigned)
    by_reason = Counter(str(refusal.reason) for refusal in allocation.refusals)
    return Counts(
        services=len(assigned) + pending,
        assigned=len(assigned),
        pending=pending,
        refused_by_reason=dict(sorted(by_reason.items())),
    )


def pool_fills(pools: Iterable[IPAddressPool], assignments: Iterable[Assignment]) -> Iterator[PoolFill]:
    """How full each pool is when the assignments hold, in the order of the pools."""
    assignments = tuple(assignments)
    services = Counter([found.pool for found in assignments])
    held = {(found.pool, address) for found in assignments for address in found.addresses}
    assigned = Counter([(pool, address.family) for pool, address in held])
    for pool in pools:
        ipv4, ipv6 = assigned[pool.name, Family.IPV4], assigned[pool.name, Family.IPV6]
        # A held plan leaves Services on addresses that their pool has lost: never less than none are free.
        free4, free6 = max(0, pool.capacity(Family.IPV4) - ipv4), max(0, pool.capacity(Family.IPV6) - ipv6)
        yield PoolFill(pool.name, ipv4, free4, ipv6, free6, services[pool.name])


def service_states(allocation: Allocation, observed: ObservedState) -> Iterator[ServiceState]:
    """A row for each Service of type LoadBalancer and of our class, by key."""
    assignments = {found.service: found for found in allocation.assignments}
    refusals = {found.service: found for found in allocation.refusals}
    ignored: set[ServiceKey] = {found.service for found in allocation.ignored}
    for service in observed.services:
        if not service.is_load_balancer or service.key in ignored:
            continue
        assignment, refusal = assignments.get(service.key), refusals.get(service.key)
        yield ServiceState(
            service=service.key,
            addresses=tuple(map(str, assignment.addresses)) if assignment else (),
            pool=assignment.pool if assignment else None,
            reason=str(refusal.reason) if refusal else None,
            message=refusal.message if refusal else None,
        )
