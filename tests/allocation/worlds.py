"""What the tests of allocation do to snapshots: write a result into one, or take all statuses out of it."""

from dataclasses import replace

from msgspec.structs import replace as altered

from reconciler.allocation.decisions import Allocation
from reconciler.model.observed import ObservedState, Service


def applied(allocation: Allocation, observed: ObservedState) -> ObservedState:
    """The snapshot once every assignment is written and every loss without a successor is cleared."""
    assignments = {found.service: found for found in allocation.assignments}
    lost = {loss.service for loss in allocation.losses}

    def written(service: Service) -> Service:
        if found := assignments.get(service.key):
            return altered(service, ingress=found.addresses, allocated_pool=found.pool, unreadable_ingress=())
        return cleared(service) if service.key in lost else service

    return replace(observed, services=tuple(map(written, observed.services)))


def cleared(service: Service) -> Service:
    """The Service as it would be before it was ever served."""
    return altered(service, ingress=(), allocated_pool=None, unreadable_ingress=())


def all_pending(observed: ObservedState) -> ObservedState:
    """The same Services, none of which holds anything."""
    return replace(observed, services=tuple(map(cleared, observed.services)))
