"""Whether a Service may hold given addresses: those in its status, or those it names."""

from itertools import islice

import msgspec

from reconciler.addresses.address_range import is_buggy
from reconciler.addresses.family import Address
from reconciler.allocation.eligibility import whom_it_serves
from reconciler.allocation.ledger import Ledger, PoolHalf, PoolLedger
from reconciler.allocation.pool_choice import PoolChoice
from reconciler.allocation.reasons import Reason
from reconciler.allocation.requests import Asking, Request
from reconciler.model.observed import Service
from reconciler.model.origin import Origin

_NAMED_AT_MOST = 5


class Obstacle(msgspec.Struct, frozen=True, gc=False):
    """Why not: a reason code, MetalLB's words with the explanation, what to change, and the line behind it."""

    reason: Reason
    message: str
    advice: str
    origin: Origin | None = None
    pool: str = ""


def legal_pool(
    addresses: tuple[Address, ...], asking: Asking, choice: PoolChoice, ledger: Ledger
) -> PoolLedger | Obstacle:
    """
    The one pool from which the Service may hold all these addresses, beside whoever holds them now.

    The families are the caller's business; what the Service itself holds is never in its way.
    """
    found = owning_pool(addresses, choice, ledger)
    if isinstance(found, Obstacle):
        return found
    for address in addresses:
        half = found.halves[address.family]
        if half.is_obstructed(address.value, asking):
            return _in_use(address, asking, half)
    return found


def requested_pool(request: Request, choice: PoolChoice, ledger: Ledger) -> PoolLedger | Obstacle:
    """The pool of the addresses that a Service names, as far as it does not depend on who holds them now."""
    fragment = f"requested loadBalancer IP(s) {quoted(request.addresses)}"
    families = " and ".join(map(str, request.families))
    if sorted(address.family for address in request.addresses) != list(request.families):
        return Obstacle(
            reason=Reason.FAMILY_MISMATCH,
            message=f"{fragment} does not match the ipFamily of the service: its cluster IPs are {families}",
            advice="ask for one address of each family of the cluster IPs",
        )
    found = owning_pool(request.addresses, choice, ledger)
    if isinstance(found, PoolLedger) and request.pool and found.pool.name != request.pool:
        return Obstacle(
            reason=Reason.POOL_MISMATCH,
            message=f"{fragment} is not compatible with requested address pool {request.pool}: "
            f'pool "{found.pool.name}" contains it',
            advice=f"ask for pool {found.pool.name}, or remove one of the two requests",
            origin=found.pool.origin,
            pool=found.pool.name,
        )
    return found


def owning_pool(addresses: tuple[Address, ...], choice: PoolChoice, ledger: Ledger) -> PoolLedger | Obstacle:
    """The one pool that hands out all these addresses and may serve the applicant."""
    found = ledger.owner(addresses[0])
    if found is None or (len(addresses) > 1 and ledger.owner(addresses[1]) is not found):
        return _not_of_one_pool(addresses, ledger)
    if found.pool.avoid_buggy_ips and any(map(is_buggy, addresses)):
        return _left_out(addresses, found)
    if not choice.admits(found):
        return not_compatible(found, choice)
    return found


def quoted(addresses: tuple[Address, ...]) -> str:
    """Addresses as MetalLB writes them in messages: `["192.0.2.1" "2001:db8::1"]`."""
    return "[" + " ".join(f'"{address}"' for address in addresses) + "]"


def _not_of_one_pool(addresses: tuple[Address, ...], ledger: Ledger) -> Obstacle:
    fragment = f"{quoted(addresses)} is not allowed in config"
    owners = [(address, ledger.owner(address)) for address in addresses]
    homeless = [address for address, owner in owners if owner is None]
    if homeless:
        return Obstacle(
            reason=Reason.NOT_IN_ANY_POOL,
            message=f"{fragment}: no pool contains {' or '.join(map(str, homeless))}",
            advice="add the address to a pool, or ask for one that a pool contains",
        )
    where = ", ".join(f'{address} is in pool "{owner.pool.name}"' for address, owner in owners if owner)
    return Obstacle(
        reason=Reason.NOT_IN_ONE_POOL,
        message=f"{fragment}: {where}, and one pool must own both",
        advice="ask for two addresses of one pool, or put both families into one pool",
    )


def _left_out(addresses: tuple[Address, ...], found: PoolLedger) -> Obstacle:
    pool = found.pool
    fragment = f"{quoted(addresses)} is not allowed in config"
    excluded = " and ".join(str(address) for address in addresses if is_buggy(address))
    return Obstacle(
        reason=Reason.NOT_IN_ANY_POOL,
        message=f'{fragment}: pool "{pool.name}" leaves out {excluded} (avoidBuggyIPs)',
        advice="ask for an address that does not end in .0 or .255, or turn avoidBuggyIPs off",
        origin=pool.origin,
        pool=pool.name,
    )


def not_compatible(found: PoolLedger, choice: PoolChoice) -> Obstacle:
    """The pool is pinned to other Services."""
    pool = found.pool
    return Obstacle(
        reason=Reason.POOL_NOT_COMPATIBLE,
        message=f"pool {pool.name} not compatible for ip assignment: it {whom_it_serves(pool, choice.applicant)}",
        advice=f'widen the serviceAllocation of pool "{pool.name}", or use another pool',
        origin=pool.scope.origin if pool.scope and pool.scope.origin else pool.origin,
        pool=pool.name,
    )


def _in_use(address: Address, asking: Asking, half: PoolHalf) -> Obstacle:
    service = asking.service
    if conflict := half.port_conflict(address.value, asking):
        port, other = conflict
        return Obstacle(
            reason=Reason.PORT_IN_USE,
            message=f'port {port} is already in use on "{address}": {other.key} shares it with that port',
            advice="use another port, or another address",
        )
    named = list(islice(half.obstructing(address.value, asking), _NAMED_AT_MOST))
    names = ",".join(other.key for other in named)
    unnamed = half.count_obstructing(address.value, asking) - len(named)
    more = f" and {unnamed} more" if unnamed else ""
    why, advice = _why_not_shared(service, named[0])
    return Obstacle(
        reason=Reason.ADDRESS_IN_USE,
        message=f'can\'t change sharing key for "{service.key}", address also in use by {names}{more}: {why}',
        advice=advice,
    )


def _why_not_shared(service: Service, other: Service) -> tuple[str, str]:
    """Which term of sharing the two do not have in common, and what would make them."""
    same_key = "give both the same metallb.io/allow-shared-ip and distinct ports, or use another address"
    if not service.sharing_key:
        return f"{service.key} has no sharing key", same_key
    if not other.sharing_key:
        return f"{other.key} has no sharing key", same_key
    if service.sharing_key != other.sharing_key:
        return f'{other.key} has the sharing key "{other.sharing_key}", not "{service.sharing_key}"', same_key
    if service.is_local != other.is_local:
        policies = (
            f"externalTrafficPolicy is {service.external_traffic_policy} here, {other.external_traffic_policy} there"
        )
        return policies, "set externalTrafficPolicy to Cluster on both, or use another address"
    if service.is_local and service.selector != other.selector:
        why = f"under externalTrafficPolicy Local both need the same selector, and {other.key} has another"
        return why, "set externalTrafficPolicy to Cluster on both, give both the same selector, or use another address"
    # Equal terms: the others at this address are kept there against the rules, and nobody may join them.
    return (
        "the address is kept as it is while a change is held back",
        "approve or revert the change, or use another address",
    )
