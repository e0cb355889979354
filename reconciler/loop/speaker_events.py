"""What becomes of the addresses of this node, told where people look: the log, and Events on their Services."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from reconciler.addresses.family import Address
from reconciler.announcers.port import Report, ReportKind
from reconciler.cluster.port import Cluster, ClusterError
from reconciler.l2.dissect import describe
from reconciler.model.observed import NodeName, ServiceKey
from reconciler.placement.decisions import Placed, Placement
from reconciler.plan.actions import RecordEvent

_LOG = logging.getLogger(__name__)
# In seconds: a node that takes over from another has many things to say at once, and better ones to do first.
_PATIENCE = 0.01
_MOST_WAITING = 100_000

# The words that MetalLB has for the first two.
_REASONS = {
    ReportKind.ANNOUNCED: ("Normal", "nodeAssigned"),
    ReportKind.NO_INTERFACE: ("Warning", "announceFailed"),
    ReportKind.IN_USE: ("Warning", "AddressInUse"),
    ReportKind.FREE_AGAIN: ("Normal", "AddressFree"),
    ReportKind.CLAIMED: ("Warning", "AddressConflict"),
    ReportKind.YIELDED: ("Warning", "AddressYielded"),
    ReportKind.CLAIM_OVER: ("Normal", "AddressConflictOver"),
}


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another host has an address of ours; `report` is the last one about it."""

    report: Report
    since: datetime


class SpeakerEvents:
    """Takes reports at any time, and writes them down when there is time. `conflicts` are those that stand."""

    def __init__(
        self, node: NodeName, cluster: Cluster, placement: Callable[[], Placement], count: Callable[[str], None]
    ) -> None:
        """`count` is told of the kind of every report."""
        self._node = node
        self._cluster = cluster
        self._placement = placement
        # With what was placed here then: an address may be gone again when it is written that it came.
        self._reports: asyncio.Queue[tuple[Report, Sequence[Placed]]] = asyncio.Queue(maxsize=_MOST_WAITING)
        self._count = count
        self.conflicts: dict[Address, Conflict] = {}
        # Whose each address was when it was announced: who has lost it is not to be found any more afterwards.
        self._whose: dict[Address, tuple[ServiceKey, ...]] = {}

    def report(self, report: Report) -> None:
        """Take one in."""
        self._count(report.kind)
        match report.kind:
            case ReportKind.IN_USE | ReportKind.CLAIMED | ReportKind.YIELDED:
                before = self.conflicts.get(report.address)
                since = before.since if before else datetime.now(UTC).replace(microsecond=0)
                self.conflicts[report.address] = Conflict(report, since)
            case ReportKind.ANNOUNCED:
                # After a look at whether anybody uses it; a claim that was answered by a defence may go on.
                before = self.conflicts.get(report.address)
                if before is not None and before.report.kind is not ReportKind.CLAIMED:
                    del self.conflicts[report.address]
            case _:
                self.conflicts.pop(report.address, None)
        if not self._reports.full():
            self._reports.put_nowait((report, self._placement().by_layer2))

    async def run(self) -> None:
        """Write down what was reported, until cancelled."""
        while True:
            first = await self._reports.get()
            await asyncio.sleep(_PATIENCE)
            reports = [first]
            while not self._reports.empty():
                reports.append(self._reports.get_nowait())
            await self._write(reports)

    async def _write(self, reports: Iterable[tuple[Report, Sequence[Placed]]]) -> None:
        services: dict[Address, list[ServiceKey]] = {}
        of: Sequence[Placed] | None = None
        for report, placed in reports:
            if placed is not of:
                services, of = _by_address(placed), placed
            # Reading a frame takes a library that nobody needs who meets no conflict.
            seen = await asyncio.to_thread(describe, report.frame) if report.frame else ""
            _log(report, self._node, self._services_of(report, services.get(report.address, ())), seen)
            for service in services.get(report.address, ()):
                for event in self._events(report, service):
                    try:
                        await self._cluster.apply(event)
                    except ClusterError as error:
                        _LOG.warning("an Event could not be recorded: %s", error)

    def _services_of(self, report: Report, now: Sequence[ServiceKey]) -> tuple[ServiceKey, ...]:
        if report.kind is ReportKind.WITHDRAWN:
            return self._whose.pop(report.address, tuple(now))
        self._whose[report.address] = tuple(sorted(now)) or self._whose.get(report.address, ())
        return self._whose[report.address]

    def _events(self, report: Report, service: ServiceKey) -> Iterator[RecordEvent]:
        if report.kind in _REASONS:
            severity, reason = _REASONS[report.kind]
            yield RecordEvent(service, severity, reason, self._message(report))

    def _message(self, report: Report) -> str:
        match report.kind:
            case ReportKind.ANNOUNCED:
                return f'announcing from node "{self._node}" with protocol "layer2"'
            case ReportKind.NO_INTERFACE:
                return (
                    f'the interfaces specified by LB IP "{report.address}" doesn\'t exist in assigned node '
                    f'"{self._node}" with protocol "layer2"'
                )
            case _:
                return f'{report.message} (node "{self._node}")'


def _by_address(placed: Iterable[Placed]) -> dict[Address, list[ServiceKey]]:
    services: dict[Address, list[ServiceKey]] = {}
    for one in placed:
        services.setdefault(one.address, []).append(one.service)
    return services


def _log(report: Report, node: NodeName, services: Sequence[ServiceKey], seen: str) -> None:
    is_warning = _REASONS.get(report.kind, ("Normal", ""))[0] == "Warning"
    level = logging.WARNING if is_warning else logging.INFO
    detail = f": {report.message}" if report.message else ""
    frame = f" (it sent: {seen})" if seen else ""
    facts = {"services": services, "address": str(report.address), "node": node, "what": report.kind.value}
    others = {"interface": report.interface, "mac": report.mac, "member": report.member}
    facts |= {name: value for name, value in others.items() if value is not None}
    _LOG.log(level, "%s: %s on %s%s%s", report.address, report.kind, node, detail, frame, extra=facts)
