"""What becomes of BGP sessions and routes, told as Events: on our own Pod, and on Services. The announcer logs."""

import asyncio
import logging
from collections.abc import Callable, Iterable

from reconciler.announcers.port import SessionReport, SessionReportKind
from reconciler.cluster.port import Cluster, ClusterError, Herald
from reconciler.model.observed import NodeName, ServiceKey
from reconciler.plan.actions import RecordEvent

_LOG = logging.getLogger(__name__)
# A session that comes and goes many times a second says nothing new after that, nor do thousands of Services at once.
_MOST_WAITING = 1000
# What happens to a session concerns all Services, and has a place left also where thousands of them come at once.
_MOST_SERVICES = 900

_REASONS = {
    SessionReportKind.ESTABLISHED: ("Normal", "BGPSessionUp"),
    SessionReportKind.ENDED: ("Warning", "BGPSessionDown"),
    SessionReportKind.CLOSED: ("Normal", "BGPSessionClosed"),
    SessionReportKind.PROBLEM: ("Warning", "BGPSessionProblem"),
    SessionReportKind.PROBLEM_OVER: ("Normal", "BGPSessionProblemOver"),
    SessionReportKind.BFD_UP: ("Normal", "BFDSessionUp"),
    SessionReportKind.BFD_DOWN: ("Warning", "BFDSessionDown"),
    SessionReportKind.BFD_ABSENT: ("Warning", "BFDSessionAbsent"),
}


class BGPEvents:
    """Takes what happened at any time, and has it recorded when there is time; what is too much is left out."""

    def __init__(self, node: NodeName, cluster: Cluster, herald: Herald, has_news: Callable[[], None]) -> None:
        """`has_news` is told that the status has changed without a pass."""
        self._node = node
        self._cluster = cluster
        self._herald = herald
        self._has_news = has_news
        self._waiting: asyncio.Queue[SessionReport | ServiceKey] = asyncio.Queue(maxsize=_MOST_WAITING)

    def report(self, report: SessionReport) -> None:
        """Something happened to a session."""
        self._has_news()
        self._put(report)

    def told(self, services: Iterable[ServiceKey]) -> None:
        """Peers are told of these Services, which they were not before."""
        for service in services:
            if self._waiting.qsize() >= _MOST_SERVICES:
                return
            self._put(service)

    async def run(self) -> None:
        """Record what there is, until cancelled."""
        while True:
            found = await self._waiting.get()
            if isinstance(found, SessionReport):
                severity, reason = _REASONS[found.kind]
                await self._herald.announce(severity, reason, f"peer {found.peer}: {found.message}")
            else:
                await self._say_assigned(found)

    async def _say_assigned(self, service: ServiceKey) -> None:
        message = f'announcing from node "{self._node}" with protocol "bgp"'
        _LOG.info("%s: announced to peers from %s", service, self._node, extra={"service": service, "node": self._node})
        try:
            await self._cluster.apply(RecordEvent(service, "Normal", "nodeAssigned", message))
        except ClusterError as error:
            _LOG.warning("an Event could not be recorded: %s", error)

    def _put(self, found: SessionReport | ServiceKey) -> None:
        if not self._waiting.full():
            self._waiting.put_nowait(found)
