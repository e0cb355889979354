"""Allocation against what the status of every Service says: the plan for the controller."""

from bisect import bisect_right
from collections.abc import Container, Iterable, Iterator, Mapping

from msgspec.structs import replace

from reconciler.addresses.family import Address
from reconciler.allocation.decisions import Allocation, Assignment, Loss, Refusal, Remark
from reconciler.allocation.sharing import may_share
from reconciler.model.desired import DesiredState
from reconciler.model.observed import AssignedCondition, ObservedState, Service, ServiceKey
from reconciler.model.origin import Origin
from reconciler.model.pools import IPAddressPool
from reconciler.plan.actions import (
    AssignAddresses,
    ClearAddresses,
    Plan,
    RecordCondition,
    RecordEvent,
    ServiceAction,
    StatusWrite,
)
from reconciler.plan.conditions import not_assigned, says_the_same, wanted_conditions
from reconciler.plan.succession import Move, succession

Write = ClearAddresses | AssignAddresses


def plan_services(allocation: Allocation, observed: ObservedState, desired: DesiredState) -> Plan[ServiceAction]:
    """
    Name the actions that make the status of every Service what was allocated.

    Clears come first, then assignments by key, except that nobody takes an address before its holder has given it
    up; then conditions of Services that keep their addresses, and Events last. Where Services exchange addresses, one
    of them appears twice: it first keeps only what stays. Each action carries the version that was observed.

    A Service whose status is right gets no action, and a refusal that its condition tells already is not told again.
    A plan without `writes` leaves all addresses as they are.
    """
    return _Planner(allocation, observed, desired).plan()


def writes(plan: Plan[ServiceAction]) -> Iterator[Write]:
    """The actions of a plan that change addresses, or whose they are; a condition or an Event alone is no change."""
    return (action for action in plan.actions if isinstance(action, ClearAddresses | AssignAddresses))


def applied(observed: ObservedState, plan: Plan[ServiceAction]) -> ObservedState:
    """The snapshot as it is once the plan is carried out; resource versions stay, as nobody can foretell them."""
    # Each write says all that it touches, so of those to one Service the last counts.
    after = {action.service: action for action in plan.actions if not isinstance(action, RecordEvent)}
    if not after:
        return observed
    services = tuple([_written(service, after.get(service.key)) for service in observed.services])
    return ObservedState(services, observed.endpoints, observed.nodes, observed.namespaces, observed.secrets)


def _written(service: Service, write: StatusWrite | None) -> Service:
    match write:
        case None:
            return service
        case ClearAddresses(condition=condition):
            return replace(service, ingress=(), unreadable_ingress=(), allocated_pool=None, condition=condition)
        case AssignAddresses(addresses=addresses, pool=pool, condition=condition):
            return replace(service, ingress=addresses, unreadable_ingress=(), allocated_pool=pool, condition=condition)
        case RecordCondition(condition=condition):
            return replace(service, condition=condition)


class _Planner:
    def __init__(self, allocation: Allocation, observed: ObservedState, desired: DesiredState) -> None:
        self._allocation = allocation
        self._services = {service.key: service for service in observed.services}
        self._losses = {loss.service: loss for loss in allocation.losses}
        self._conditions = wanted_conditions(allocation)
        self._lines = {pool.name: _PoolLines(pool) for pool in desired.pools}

    def plan(self) -> Plan[ServiceAction]:
        assigns = {
            assignment.service: self._assign(self._services[assignment.service], assignment)
            for assignment in self._allocation.assignments
            if assignment.service not in self._allocation.pinned
            and _differs(self._services[assignment.service], assignment)
        }
        assigned = {assignment.service for assignment in self._allocation.assignments}
        clears = [
            self._clear(self._services[key], loss)
            for key, loss in sorted(self._losses.items())
            # What somebody else wrote is theirs to take back.
            if key not in assigned and _holds_ours(self._services[key])
        ]
        moves = [Move(key, action.before, action.addresses) for key, action in assigns.items()]
        services = self._services
        moving = succession(moves, lambda one, other: may_share(services[one], services[other]))
        steps = sorted(
            (_step_aside(assigns[key]) for key in moving.aside), key=lambda s: isinstance(s, AssignAddresses)
        )
        told = {*assigns, *(clear.service for clear in clears)}
        conditions = sorted(self._conditions_beside(told), key=lambda action: action.service)
        told.update(condition.service for condition in conditions)
        events = sorted(self._events(assigns, told), key=lambda event: event.service)
        return Plan((*clears, *steps, *(assigns[key] for key in moving.order), *conditions, *events))

    def _assign(self, service: Service, assignment: Assignment) -> AssignAddresses:
        loss = self._losses.get(service.key)
        reason, message = (loss.reason, loss.message) if loss else _why_assigned(service, assignment)
        return AssignAddresses(
            service=service.key,
            before=service.ingress,
            addresses=assignment.addresses,
            pool=assignment.pool,
            resource_version=service.resource_version,
            reason=reason,
            message=message,
            condition=self._conditions[service.key],
            cause=(loss and loss.origin) or self._line_of(assignment, service),
        )

    def _clear(self, service: Service, loss: Loss) -> ClearAddresses:
        former = self._lines.get(service.allocated_pool or "")
        return ClearAddresses(
            service=service.key,
            before=service.ingress,
            resource_version=service.resource_version,
            reason=loss.reason,
            message=loss.message,
            condition=self._conditions.get(service.key),
            cause=loss.origin or (former.of(service.ingress) if former else None),
        )

    def _line_of(self, assignment: Assignment, service: Service) -> Origin | None:
        lines = self._lines.get(assignment.pool)
        gained = tuple([address for address in assignment.addresses if address not in service.ingress])
        return lines.of(gained or assignment.addresses) if lines else None

    def _conditions_beside(self, written: Container[ServiceKey]) -> Iterator[RecordCondition]:
        """Conditions of Services whose addresses are not written, where they say something else or nothing."""
        wanted: dict[ServiceKey, AssignedCondition | None] = {
            # Nothing more to be said of it: it asks for no address, and holds none of ours.
            **dict.fromkeys(self._losses),
            **self._conditions,
        }
        causes = {refusal.service: refusal.origin for refusal in self._allocation.refusals}
        for key, condition in wanted.items():
            service = self._services[key]
            if key in written or key in self._allocation.pinned:
                continue
            if not says_the_same(service.condition, condition):
                yield RecordCondition(key, service.resource_version, condition, causes.get(key))

    def _events(
        self, assigns: Mapping[ServiceKey, AssignAddresses], told: Container[ServiceKey]
    ) -> Iterator[RecordEvent]:
        """
        In the order of what happens to a Service: it loses, it gains, it is refused, and what else there is.

        `told` are the Services whose condition is written: of all others it says already why they are refused.
        """
        allocation = self._allocation
        yield from (_event_of_loss(loss) for loss in allocation.losses if loss.event)
        yield from (event for action in assigns.values() for event in _events_of_gain(action))
        yield from (
            _event_of_refusal(refusal) for refusal in allocation.refusals if refusal.event and refusal.service in told
        )
        yield from (_event_of_remark(remark) for remark in allocation.remarks)


def _holds_ours(service: Service) -> bool:
    """Whether there is anything of ours to take back: more than a condition."""
    return service.is_ours and bool(service.ingress or service.unreadable_ingress or service.allocated_pool is not None)


def _differs(service: Service, assignment: Assignment) -> bool:
    return (
        service.ingress != assignment.addresses
        or (service.allocated_pool or "") != assignment.pool
        or bool(service.unreadable_ingress)
    )


def _why_assigned(service: Service, assignment: Assignment) -> tuple[str, str]:
    """A reason code and a sentence for a Service that loses nothing."""
    pool = f'from pool "{assignment.pool}"'
    gained = [address for address in assignment.addresses if address not in service.ingress]
    if gained and len(gained) < len(assignment.addresses):
        return "additional-address", f"{_listed(gained)} added {pool}"
    if gained:
        return "assigned", f"{_listed(gained)} {pool}"
    if service.allocated_pool == assignment.pool:
        return "status-corrected", f"the status holds {_listed(assignment.addresses)} and something else beside it"
    if service.allocated_pool is None:
        return "adopted", f"{_listed(assignment.addresses)} is {pool}, and is ours from now on"
    return "pool-annotation", f'{_listed(assignment.addresses)} is now {pool}, not "{service.allocated_pool}"'


def _step_aside(action: AssignAddresses) -> Write:
    """The first half of a move in a circle: give up what another Service is to have, and keep the rest."""
    kept = tuple(address for address in action.before if address in action.addresses)
    message = f"makes room first, then holds {_listed(action.addresses)}: {action.message}"
    if kept:
        return replace(action, addresses=kept, message=message)
    return ClearAddresses(
        service=action.service,
        before=action.before,
        resource_version=action.resource_version,
        reason=action.reason,
        message=message,
        condition=not_assigned(action.reason, message),
        cause=action.cause,
    )


def _event_of_loss(loss: Loss) -> RecordEvent:
    if loss.event == "ClearAssignment":
        message = f'current IP for "{loss.service}" not allowed by config, will attempt for new IP assignment: '
        return RecordEvent(loss.service, "Normal", loss.event, message + loss.message, loss.origin)
    return RecordEvent(loss.service, "Warning", loss.event, loss.message, loss.origin)


def _events_of_gain(action: AssignAddresses) -> Iterator[RecordEvent]:
    gained = [address for address in action.addresses if address not in action.before]
    if not gained:
        return
    is_addition = bool(action.before) and set(action.before) < set(action.addresses)
    quoted = " ".join(f'"{address}"' for address in (gained if is_addition else action.addresses))
    message = f"Assigned additional IP {quoted}" if is_addition else f"Assigned IP [{quoted}]"
    yield RecordEvent(action.service, "Normal", "IPAllocated", message, action.cause)


def _event_of_refusal(refusal: Refusal) -> RecordEvent:
    message = refusal.message
    if refusal.event == "AllocationFailed":
        message = f'Failed to allocate IP for "{refusal.service}": {message}'
    return RecordEvent(refusal.service, "Warning", refusal.event, message, refusal.origin)


def _event_of_remark(remark: Remark) -> RecordEvent:
    return RecordEvent(remark.service, remark.type, remark.reason, remark.message)


def _listed(addresses: Iterable[Address]) -> str:
    return " and ".join(map(str, addresses))


class _PoolLines:
    """Which line of a pool holds an address, found without reading all of them."""

    def __init__(self, pool: IPAddressPool) -> None:
        self._pool = pool
        entries = sorted(pool.entries, key=lambda entry: entry.addresses)
        self._entries = entries
        self._starts = [(entry.addresses.family, entry.addresses.first) for entry in entries]

    def of(self, addresses: tuple[Address, ...]) -> Origin:
        """The entry that holds the first of the addresses, or else the pool itself."""
        if not addresses:
            return self._pool.origin
        first = addresses[0]
        index = bisect_right(self._starts, (first.family, first.value)) - 1
        if index >= 0 and first in self._entries[index].addresses:
            return self._entries[index].origin
        entry = self._pool.entry_of(first)
        return entry.origin if entry else self._pool.origin
