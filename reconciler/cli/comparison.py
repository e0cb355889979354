"""From decisions to the rows of a report: what happens to each Service, announcement and pool."""

from collections.abc import Iterable, Iterator
from functools import lru_cache

from reconciler.addresses.family import Address, parse_address
from reconciler.allocation.decisions import Allocation, Assignment, Ignored, Loss, Refusal
from reconciler.cli.report import Action, AnnouncementRow, EventRow, GuardRow, PoolRow, ServiceRow
from reconciler.model.announcements import RouteAnnouncement
from reconciler.model.desired import DesiredState
from reconciler.model.observed import NodeName, Service, ServiceKey
from reconciler.model.origin import Origin
from reconciler.model.pools import IPAddressPool
from reconciler.placement.decisions import Placed, Protocol
from reconciler.plan.actions import AssignAddresses, ClearAddresses, Plan, RecordEvent, ServiceAction
from reconciler.plan.announcements import Change
from reconciler.plan.guard import Verdict
from reconciler.plan.services import writes
from reconciler.telemetry.occupancy import pool_fills

_ADDRESSES_REMEMBERED = 1 << 18


@lru_cache(maxsize=_ADDRESSES_REMEMBERED)
def address_text(address: Address) -> str:
    """The text of an address; the same one appears in many rows."""
    return str(address)


def addresses_text(addresses: Iterable[Address]) -> tuple[str, ...]:
    """The texts of addresses, in their order."""
    return tuple(map(address_text, addresses))


class ServiceRows:
    """What a pass decided, looked up by Service."""

    def __init__(self, allocation: Allocation, plan: Plan[ServiceAction], pools: Iterable[IPAddressPool]) -> None:
        self._assignments = {found.service: found for found in allocation.assignments}
        self._refusals = {found.service: found for found in allocation.refusals}
        self._losses = {found.service: found for found in allocation.losses}
        self._ignored = {found.service: found for found in allocation.ignored}
        # A Service that makes room for another is written twice; what it ends up with comes last.
        self._writes = {found.service: found for found in writes(plan)}
        self._pools = {pool.name: pool for pool in pools}

    def of(self, services: Iterable[Service]) -> Iterator[ServiceRow]:
        """A row for each Service that is for a load balancer to serve, or would lose a status; in the given order."""
        for service in services:
            row = self.row(service)
            if row is not None:
                yield row

    def row(self, service: Service) -> ServiceRow | None:
        """The row of one Service, None when it is no business of ours."""
        if service.key in self._ignored:
            return _ignored(service, self._ignored[service.key])
        refusal, loss = self._refusals.get(service.key), self._losses.get(service.key)
        match self._writes.get(service.key):
            case AssignAddresses() as write:
                return _written(service, write, loss, refusal)
            case ClearAddresses() as write:
                return _cleared(service, write, refusal)
            case _:
                assignment = self._assignments.get(service.key)
                if assignment is not None:
                    return _kept(service, assignment, refusal)
                return _refused(service, refusal, loss) if service.is_load_balancer else None

    def line_of(self, row: ServiceRow) -> Origin | None:
        """The line of the pool that a Service has its first address from."""
        pool = self._pools.get(row.pool or "")
        return _entry_line(pool, row.after) if pool and row.after else None


def _entry_line(pool: IPAddressPool, addresses: tuple[str, ...]) -> Origin:
    entry = pool.entry_of(parse_address(addresses[0]))
    return entry.origin if entry else pool.origin


def _kept(service: Service, assignment: Assignment, refusal: Refusal | None) -> ServiceRow:
    addresses = addresses_text(assignment.addresses)
    return ServiceRow(
        service=service.key,
        action=Action.KEEP,
        before=addresses,
        after=addresses,
        pool=assignment.pool,
        reason=refusal.reason if refusal else None,
        message=refusal.message if refusal else None,
        cause=refusal.origin if refusal else None,
        advice=refusal.advice or None if refusal else None,
    )


def _ignored(service: Service, ignored: Ignored) -> ServiceRow:
    addresses = addresses_text(service.ingress)
    return ServiceRow(
        service=service.key, action=Action.IGNORE, before=addresses, after=addresses, reason=ignored.reason
    )


def _written(service: Service, write: AssignAddresses, loss: Loss | None, refusal: Refusal | None) -> ServiceRow:
    return ServiceRow(
        service=service.key,
        action=Action.CHANGE if write.before else Action.ASSIGN,
        before=addresses_text(write.before),
        after=addresses_text(write.addresses),
        pool=write.pool,
        reason=loss.reason if loss else write.reason or None,
        message=_joined(loss.message if loss else write.message, refusal.message if refusal else ""),
        cause=write.cause,
        advice=refusal.advice or None if refusal else None,
    )


def _cleared(service: Service, write: ClearAddresses, refusal: Refusal | None) -> ServiceRow:
    return ServiceRow(
        service=service.key,
        action=Action.CLEAR,
        before=addresses_text(write.before),
        reason=write.reason or None,
        message=_joined(write.message, refusal.message if refusal else ""),
        cause=write.cause,
        advice=refusal.advice or None if refusal else None,
    )


def _joined(*messages: str) -> str | None:
    return "; ".join(dict.fromkeys(message for message in messages if message)) or None


def _refused(service: Service, refusal: Refusal | None, loss: Loss | None) -> ServiceRow:
    # What stands in its status and is not ours to clear stays there.
    addresses = addresses_text(service.ingress)
    why = refusal or loss
    return ServiceRow(
        service=service.key,
        action=Action.REFUSE,
        before=addresses,
        after=addresses,
        reason=why.reason if why else None,
        message=why.message if why else None,
        cause=why.origin if why else None,
        advice=refusal.advice or None if refusal else None,
    )


def announcement_rows(node: NodeName, changes: Iterable[tuple[Change, Placed]]) -> Iterator[AnnouncementRow]:
    """The announcements of one node, by address; those of one address by Service, then as they come."""
    for change, placed in sorted(changes, key=_by_address):
        yield _announcement(node, change, placed)


def _by_address(changed: tuple[Change, Placed]) -> tuple[int, int, ServiceKey]:
    placed = changed[1]
    return placed.address.family, placed.address.value, placed.service


def _announcement(node: NodeName, change: Change, placed: Placed) -> AnnouncementRow:
    announcement = placed.announcement
    if isinstance(announcement, RouteAnnouncement):
        return AnnouncementRow(
            change=change,
            protocol=Protocol.BGP,
            node=node,
            service=placed.service,
            address=address_text(placed.address),
            prefix=str(announcement.prefix),
            peer=announcement.peer,
            local_pref=announcement.local_pref,
            communities=tuple(map(str, announcement.communities)),
            cause=placed.origin,
        )
    return AnnouncementRow(
        change=change,
        protocol=Protocol.L2,
        node=node,
        service=placed.service,
        address=address_text(placed.address),
        interfaces=tuple(sorted(announcement.interfaces or ())),
        cause=placed.origin,
    )


def pool_rows(pools: Iterable[IPAddressPool], assignments: Iterable[Assignment]) -> Iterator[PoolRow]:
    """How full each pool is when the assignments hold, in the order of the pools."""
    for fill in pool_fills(pools, assignments):
        yield PoolRow(fill.pool, fill.assigned_ipv4, fill.available_ipv4, fill.assigned_ipv6, fill.available_ipv6)


def event_rows(plan: Plan[ServiceAction]) -> tuple[EventRow, ...]:
    """The Events the controller would record, by Service."""
    events = (event for event in plan.actions if isinstance(event, RecordEvent))
    rows = (EventRow(event.service, event.type, event.reason, event.message) for event in events)
    return tuple(sorted(rows, key=lambda row: row.service))


def guard_row(verdict: Verdict, desired: DesiredState) -> GuardRow:
    """The verdict of the guard, with the place where an approval would be written."""
    return GuardRow(
        held=verdict.held,
        reason=verdict.reason,
        digest=verdict.digest,
        approved=verdict.approved,
        affected=tuple(sorted(verdict.affected)),
        settings=desired.settings.guard.origin,
    )
