"""Why a Service may not keep what its status holds, as values."""

from reconciler.addresses.family import Address
from reconciler.allocation.decisions import Loss
from reconciler.allocation.ledger import Ledger
from reconciler.allocation.legality import Obstacle, quoted
from reconciler.allocation.reasons import Reason
from reconciler.allocation.requests import Fault, Request
from reconciler.model.observed import Service

# What an edit of the files causes. The rest follows from the Service itself or from another Service.
_BY_CONFIGURATION = frozenset(
    {Reason.NO_POOLS, Reason.NOT_IN_ANY_POOL, Reason.NOT_IN_ONE_POOL, Reason.POOL_NOT_COMPATIBLE}
)


def by_obstacle(service: Service, obstacle: Obstacle, ledger: Ledger) -> Loss:
    """A rule forbids the addresses. Without a better line, that of the pool they came from is the cause."""
    former = ledger.by_name.get(service.allocated_pool or "")
    return Loss(
        service=service.key,
        addresses=service.ingress,
        reason=obstacle.reason,
        message=obstacle.message,
        by_configuration=obstacle.reason in _BY_CONFIGURATION,
        origin=obstacle.origin or (former.pool.origin if former else None),
    )


def by_families(service: Service, request: Request) -> Loss:
    """The addresses are not of the families that the Service has now, or of no family that one Service can have."""
    held = [address.family for address in service.ingress]
    if len(held) > 2 or len(set(held)) < len(held):
        return Loss(
            service=service.key,
            addresses=service.ingress,
            reason=Reason.INVALID_INGRESS,
            message=f"Failed to retrieve LBIPs IPFamily for [{' '.join(map(str, service.ingress))}]: "
            "a Service holds at most one address of each family",
            by_configuration=False,
            event="nolbIPsIPFamily",
        )
    wanted = " and ".join(map(str, request.families))
    return Loss(
        service=service.key,
        addresses=service.ingress,
        reason=Reason.FAMILY_MISMATCH,
        message=f"{quoted(service.ingress)} does not match the ipFamily of the service: its cluster IPs are {wanted}",
        by_configuration=False,
    )


def by_fault(service: Service, fault: Fault) -> Loss:
    """The Service itself cannot be served any more; the Event is that of the refusal."""
    return Loss(service.key, service.ingress, fault.reason, fault.message, by_configuration=False, event="")


def by_request(service: Service, request: Request, pool: str) -> Loss:
    """
    The Service asks for something else and can have it.

    Where it asks for the pool that its addresses came from, the files have moved them to another pool.
    """
    wanted = quoted(request.addresses) if request.addresses else f"pool {request.pool}"
    return Loss(
        service=service.key,
        addresses=service.ingress,
        reason=Reason.REQUEST_CHANGED,
        message=f"{wanted} is requested, and {quoted(service.ingress)} is of pool {pool}",
        by_configuration=not request.addresses and request.pool == service.allocated_pool,
    )


def for_want_of_pools(service: Service) -> Loss:
    """The last pool is gone. MetalLB is silent about it."""
    return Loss(
        service=service.key,
        addresses=service.ingress,
        reason=Reason.NO_POOLS,
        message="no IPAddressPool is configured",
        by_configuration=True,
        event="",
    )


def by_type(service: Service) -> Loss:
    """
    The Service is no load balancer any more, and goes on without what we left there. MetalLB is silent about it.

    The addresses in a status that is not ours are no loss: only our condition beside them goes.
    """
    return Loss(
        service=service.key,
        addresses=service.ingress if service.is_ours else (),
        reason=Reason.NOT_LOAD_BALANCER,
        message=f"the type is {service.type}",
        by_configuration=False,
        event="",
    )


def of_traces(service: Service) -> Loss:
    """Nothing is held, but the annotation of an earlier assignment is still there."""
    return Loss(
        service=service.key,
        addresses=(),
        reason=Reason.STALE_ANNOTATION,
        message="the status holds no address, but the annotation metallb.io/ip-allocated-from-pool names a pool",
        by_configuration=False,
        event="",
    )


def without(kept: tuple[Address, ...], loss: Loss) -> tuple[Address, ...]:
    """The addresses that are really lost when these stay."""
    return tuple(address for address in loss.addresses if address not in kept)
