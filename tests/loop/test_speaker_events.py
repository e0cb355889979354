"""What becomes of the addresses of a node is one line each, with all that somebody would look for by."""

import asyncio
import logging
from contextlib import suppress

import pytest

from reconciler.addresses.family import parse_address
from reconciler.announcers.port import Report, ReportKind
from reconciler.loop.speaker_events import SpeakerEvents
from reconciler.loop.tasks import running
from reconciler.model.announcements import L2Announcement
from reconciler.model.observed import InterfaceName, NodeName, ServiceKey
from reconciler.placement.decisions import Placed, Placement
from reconciler.plan.actions import ServiceAction
from tests.loop.memory_cluster import MemoryCluster
from tests.membership.group import until

NODE = NodeName("worker-1")
ADDRESS = parse_address("192.0.2.1")
SHARERS = (ServiceKey("shop/api"), ServiceKey("shop/web"))


class Cluster(MemoryCluster):
    """Takes Events and keeps none."""

    async def apply(self, action: ServiceAction) -> None:
        """It is recorded somewhere."""


async def logged(caplog: pytest.LogCaptureFixture, *rounds: tuple[Report, Placement]) -> list[logging.LogRecord]:
    """The lines about reports, each of which comes while that is what is placed here."""
    caplog.set_level(logging.INFO, "reconciler.loop.speaker_events")
    placement = Placement(NODE)
    events = SpeakerEvents(NODE, Cluster(), lambda: placement, lambda _: None)
    task = asyncio.create_task(events.run())
    for number, (report, placed) in enumerate(rounds, start=1):
        placement = placed
        events.report(report)
        async with asyncio.timeout(30):
            while len(caplog.records) < number:
                await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return caplog.records


def facts(record: logging.LogRecord) -> dict[str, object]:
    names = ("services", "address", "node", "what", "interface", "mac", "member")
    return {name: vars(record)[name] for name in names if name in vars(record)}


async def test_a_line_names_the_services_the_address_and_the_node(caplog: pytest.LogCaptureFixture) -> None:
    placed = Placement(NODE, [Placed(key, ADDRESS, L2Announcement(ADDRESS, None)) for key in reversed(SHARERS)])
    taken, lost = await logged(
        caplog,
        (Report(kind=ReportKind.ANNOUNCED, address=ADDRESS), placed),
        # Whose it was is not in the placement any more when it has been withdrawn.
        (Report(kind=ReportKind.WITHDRAWN, address=ADDRESS), Placement(NODE)),
    )
    subject = {"services": SHARERS, "address": "192.0.2.1", "node": "worker-1"}
    assert facts(taken) == {**subject, "what": "announced"}
    assert facts(lost) == {**subject, "what": "withdrawn"}
    assert [record.getMessage() for record in (taken, lost)] == [
        "192.0.2.1: announced on worker-1",
        "192.0.2.1: withdrawn on worker-1",
    ]


async def test_what_came_and_went_before_it_could_be_written_has_its_service_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "reconciler.loop.speaker_events")
    placement = Placement(NODE, [Placed(key, ADDRESS, L2Announcement(ADDRESS, None)) for key in SHARERS])
    events = SpeakerEvents(NODE, Cluster(), lambda: placement, lambda _: None)
    events.report(Report(kind=ReportKind.ANNOUNCED, address=ADDRESS))
    placement = Placement(NODE)
    events.report(Report(kind=ReportKind.WITHDRAWN, address=ADDRESS))
    async with running(events.run):
        await until(lambda: len(caplog.records) == 2)
    assert [facts(record)["services"] for record in caplog.records] == [SHARERS, SHARERS]


async def test_a_line_about_another_host_names_it(caplog: pytest.LogCaptureFixture) -> None:
    claim = Report(
        kind=ReportKind.CLAIMED,
        address=ADDRESS,
        interface=InterfaceName("eth0"),
        mac="02:00:00:00:00:01",
        message="somebody claims it",
    )
    (record,) = await logged(caplog, (claim, Placement(NODE)))
    assert record.levelno == logging.WARNING
    assert facts(record) == {
        "services": (),
        "address": "192.0.2.1",
        "node": "worker-1",
        "what": "claimed",
        "interface": "eth0",
        "mac": "02:00:00:00:00:01",
    }
