"""Events about BGP: sessions on our own Pod, and Services that peers are told of."""

import asyncio
from contextlib import suppress

from reconciler.announcers.port import SessionReport, SessionReportKind
from reconciler.cluster.port import ClusterError
from reconciler.loop.bgp_events import BGPEvents
from reconciler.model.observed import NodeName, ServiceKey
from reconciler.plan.actions import RecordEvent, ServiceAction
from tests.loop.memory_cluster import MemoryCluster, MemoryHerald


class Cluster(MemoryCluster):
    """Takes Events, and refuses as many as it is told to."""

    def __init__(self, *, refuses: int = 0) -> None:
        super().__init__()
        self.recorded: list[ServiceAction] = []
        self._refuses = refuses

    async def apply(self, action: ServiceAction) -> None:
        if self._refuses:
            self._refuses -= 1
            raise ClusterError("not now")
        self.recorded.append(action)


async def written(events: BGPEvents) -> None:
    """Let everything be recorded that waits."""
    task = asyncio.create_task(events.run())
    for _ in range(5000):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_what_becomes_of_a_session_is_an_event_on_the_pod_and_news() -> None:
    herald, news = MemoryHerald(), list[None]()
    events = BGPEvents(NodeName("n1"), Cluster(), herald, lambda: news.append(None))
    for kind in SessionReportKind:
        events.report(SessionReport(kind=kind, peer="tor", message=f"it is {kind}"))
    await written(events)
    assert len(news) == len(SessionReportKind)
    assert herald.said == [
        ("BGPSessionUp", "peer tor: it is established"),
        ("BGPSessionDown", "peer tor: it is ended"),
        ("BGPSessionClosed", "peer tor: it is closed"),
        ("BGPSessionProblem", "peer tor: it is problem"),
        ("BGPSessionProblemOver", "peer tor: it is problem-over"),
        ("BFDSessionUp", "peer tor: it is bfd-up"),
        ("BFDSessionDown", "peer tor: it is bfd-down"),
        ("BFDSessionAbsent", "peer tor: it is bfd-absent"),
    ]


async def test_a_service_that_peers_are_told_of_gets_the_event_that_metallb_writes() -> None:
    cluster = Cluster(refuses=1)
    events = BGPEvents(NodeName("n1"), cluster, MemoryHerald(), lambda: None)
    # One that cannot be recorded is lost, and nothing else is.
    events.told([ServiceKey("shop/lost"), ServiceKey("shop/web")])
    await written(events)
    message = 'announcing from node "n1" with protocol "bgp"'
    assert cluster.recorded == [RecordEvent(ServiceKey("shop/web"), "Normal", "nodeAssigned", message)]


async def test_more_than_anybody_reads_is_left_out_and_services_before_sessions() -> None:
    cluster, herald = Cluster(), MemoryHerald()
    events = BGPEvents(NodeName("n1"), cluster, herald, lambda: None)
    events.told(ServiceKey(f"shop/web-{number}") for number in range(3000))
    for _ in range(3000):
        events.report(SessionReport(kind=SessionReportKind.ENDED, peer="tor", message="the peer is silent"))
    await written(events)
    assert (len(cluster.recorded), len(herald.said)) == (900, 100)
