"""Events on a real API server: whole, counted up, behind everything else, and lost rather than in the way."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from reconciler.cluster.api_errors import Unreachable
from reconciler.cluster.connection import Connection
from reconciler.cluster.event_bodies import Speaker, Statement, Subject, event_name, shortened
from reconciler.cluster.event_queue import EventQueue
from tests.controlplane.api import Api
from tests.controlplane.harness import ControlPlane

SPEAKER = Speaker("lb-reconciler-controller", "pod-a")


class Clock:
    """Seconds that pass when a test says so; `looks` counts who asked for them."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.now


class FaultyConnection(Connection):
    """
    One whose next requests end without an answer: before they are sent, or once they are carried out.
    """

    sent = 0
    sent_events = 0
    answered = 0
    lost_requests = 0
    lost_answers = 0

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        timeout: float = 10.0,
        before_send: Callable[[], None] | None = None,
        urgent: bool = False,
    ) -> bytes:
        self.sent += 1
        self.sent_events += method == "POST"
        if self.lost_requests:
            self.lost_requests -= 1
            raise Unreachable("no connection")
        answer = await super().request(
            method,
            path,
            query=query,
            body=body,
            content_type=content_type,
            timeout=timeout,
            before_send=before_send,
            urgent=urgent,
        )
        if self.lost_answers:
            self.lost_answers -= 1
            raise Unreachable("cut")
        self.answered += method == "POST"
        return answer


@pytest.fixture
async def connection(control_plane: ControlPlane) -> AsyncIterator[FaultyConnection]:
    opened = await FaultyConnection.open(kubeconfig=str(control_plane.kubeconfig("admin")))
    yield opened
    await opened.close()


@asynccontextmanager
async def running(queue: EventQueue) -> AsyncIterator[EventQueue]:
    task = asyncio.create_task(queue.run())
    try:
        yield queue
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def write(queue: EventQueue, *statements: Statement) -> None:
    """Have all of it written, and wait until it is."""
    for statement in statements:
        queue.put(statement)
    async with running(queue):
        await queue.flush(30)


def about(namespace: str, message: str = "m", *, name: str = "web", uid: str = "") -> Statement:
    return Statement(Subject("Service", namespace, name, uid), "Normal", "IPAllocated", message)


def events(api: Api, namespace: str) -> list[dict[str, Any]]:
    return sorted(api.objects("events", namespace), key=lambda event: event["metadata"]["name"])


def said(api: Api, namespace: str) -> list[tuple[str, int]]:
    """Messages and how often each was said, in order of creation."""
    return [(event["message"], event["count"]) for event in events(api, namespace)]


async def test_an_event_names_its_subject_and_who_speaks(connection: Connection, api: Api, namespace: str) -> None:
    created = api.create_service(namespace, "web")
    uid = created["metadata"]["uid"]
    await write(EventQueue(connection, SPEAKER), about(namespace, 'Assigned IP ["192.0.2.1"]', uid=uid))
    # What `kubectl describe` asks for.
    selector = f"involvedObject.kind=Service,involvedObject.namespace={namespace},involvedObject.name=web"
    [event] = api.objects("events", namespace, fieldSelector=f"{selector},involvedObject.uid={uid}")
    assert event["type"] == "Normal"
    assert event["reason"] == "IPAllocated"
    assert event["message"] == 'Assigned IP ["192.0.2.1"]'
    assert event["count"] == 1
    assert event["source"] == {"component": "lb-reconciler-controller"}
    assert event["reportingComponent"] == "lb-reconciler-controller"
    assert event["reportingInstance"] == "pod-a"
    assert event["involvedObject"]["apiVersion"] == "v1"
    assert event["firstTimestamp"] == event["lastTimestamp"] <= event["metadata"]["creationTimestamp"]


async def test_what_is_said_again_is_counted(connection: Connection, api: Api, namespace: str) -> None:
    queue = EventQueue(connection, SPEAKER)
    once, twice = about(namespace, "once"), about(namespace, "twice")
    await write(queue, twice, once, twice)
    assert said(api, namespace) == [("twice", 2), ("once", 1)]
    await write(queue, once)
    await write(queue, once, once)
    assert said(api, namespace) == [("twice", 2), ("once", 4)]


async def test_what_was_said_long_ago_is_said_anew(connection: Connection, api: Api, namespace: str) -> None:
    clock = Clock()
    queue = EventQueue(connection, SPEAKER, clock=clock)
    await write(queue, about(namespace))
    clock.now += 599
    await write(queue, about(namespace))
    assert said(api, namespace) == [("m", 2)]
    clock.now += 601
    await write(queue, about(namespace))
    assert said(api, namespace) == [("m", 2), ("m", 1)]


async def test_an_event_that_somebody_deleted_is_made_anew(connection: Connection, api: Api, namespace: str) -> None:
    queue = EventQueue(connection, SPEAKER)
    await write(queue, about(namespace))
    api.delete("events", namespace, events(api, namespace)[0]["metadata"]["name"])
    await write(queue, about(namespace))
    assert said(api, namespace) == [("m", 1)]


async def test_events_wait_for_status_writes_but_not_for_ever(
    connection: FaultyConnection, api: Api, namespace: str
) -> None:
    clock = Clock()
    queue = EventQueue(connection, SPEAKER, clock=clock)
    for number in range(30):
        queue.put(about(namespace, str(number)))

    async def wait_for(count: int) -> None:
        async with asyncio.timeout(30):
            while connection.answered < count:
                await asyncio.sleep(0.01)

    async def let_it_look() -> None:
        looked = clock.looks
        async with asyncio.timeout(30):
            while clock.looks < looked + 5:
                await asyncio.sleep(0.01)

    async with running(queue):
        with queue.held_back():
            await wait_for(1)
            for count in (2, 3):
                await let_it_look()
                clock.now += 0.9
                await let_it_look()
                assert connection.sent_events == count - 1
                clock.now += 0.2
                await wait_for(count)
        clock.now += 0.1
        await wait_for(30)
    assert [int(message) for message, _ in said(api, namespace)] == list(range(30))


async def test_the_oldest_gives_way_where_too_many_wait(connection: Connection, api: Api, namespace: str) -> None:
    queue = EventQueue(connection, SPEAKER, limit=2)
    await write(queue, *(about(namespace, message) for message in ("a", "b", "b", "c")))
    assert (said(api, namespace), queue.dropped) == ([("b", 2), ("c", 1)], 1)


async def test_an_event_survives_a_server_that_is_away(connection: FaultyConnection, api: Api, namespace: str) -> None:
    queue = EventQueue(connection, SPEAKER)
    connection.lost_requests = 7
    await write(queue, about(namespace))
    assert (said(api, namespace), queue.dropped) == ([("m", 1)], 0)


async def test_an_event_whose_answer_was_lost_is_not_written_twice(
    connection: FaultyConnection, api: Api, namespace: str
) -> None:
    queue = EventQueue(connection, SPEAKER)
    connection.lost_answers = 1
    await write(queue, about(namespace))
    assert (said(api, namespace), connection.sent) == ([("m", 1)], 2)
    connection.lost_answers = 2
    await write(queue, about(namespace))
    assert said(api, namespace) == [("m", 2)]


async def test_an_event_that_keeps_failing_is_given_up(
    connection: FaultyConnection, api: Api, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    queue = EventQueue(connection, SPEAKER)
    connection.lost_requests = 8
    await write(queue, about(namespace, "lost"))
    await write(queue, about(namespace, "kept"))
    assert (said(api, namespace), queue.dropped) == ([("kept", 1)], 1)
    assert f"Event IPAllocated on Service {namespace}/web is lost, 1 so far: no connection" in caplog.text


async def test_an_event_that_is_refused_is_given_up_at_once(
    control_plane: ControlPlane, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = await FaultyConnection.open(kubeconfig=str(control_plane.kubeconfig("nobody")))
    queue = EventQueue(stranger, SPEAKER)
    await write(queue, *(about(namespace, message) for message in ("a", "b", "c")))
    assert (stranger.sent, queue.dropped) == (3, 3)
    # One line is enough.
    assert caplog.text.count("cannot create resource") == 1
    await stranger.close()


async def test_what_is_going_away_is_not_spoken_about(
    connection: FaultyConnection, api: Api, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    queue = EventQueue(connection, SPEAKER)
    # Nothing here empties namespaces, so it stays on its way out.
    api.delete("namespaces", None, namespace)
    with caplog.at_level(logging.INFO, "reconciler"):
        await write(queue, about(namespace), about("was-never-there"))
    assert (connection.sent, queue.dropped, caplog.text) == (2, 0, "")


async def test_who_does_not_lead_says_nothing(connection: Connection, api: Api, namespace: str) -> None:
    queue = EventQueue(connection, SPEAKER, may_write=lambda: False)
    await write(queue, about(namespace))
    assert said(api, namespace) == []


async def test_a_flush_ends_in_time(connection: Connection, namespace: str, caplog: pytest.LogCaptureFixture) -> None:
    queue = EventQueue(connection, SPEAKER)
    queue.put(about(namespace))
    async with asyncio.timeout(30):
        await queue.flush(0.1)
    assert "1 Events are left unwritten" in caplog.text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("web", "web.ff", id="the name and the serial"),
        pytest.param("x" * 253, "x" * 250 + ".ff", id="cut to the longest name"),
        pytest.param("x" * 249 + ".abc", "x" * 249 + ".ff", id="no two dots in a row"),
    ],
)
def test_event_names(name: str, expected: str) -> None:
    assert event_name(about("shop", name=name), 255) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param("m" * 1024, "m" * 1024, id="what fits stays"),
        pytest.param("m" * 1025, "m" * 1021 + "...", id="what does not is cut"),
        pytest.param("m" + "\u00fc" * 512, "m" + "\u00fc" * 510 + "...", id="between two letters"),
    ],
)
def test_long_messages(message: str, expected: str) -> None:
    assert shortened(message) == expected
