"""What the program says about itself, on a real API server."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from reconciler.cluster.connection import Connection
from reconciler.cluster.event_bodies import Speaker, Subject
from reconciler.cluster.event_queue import EventQueue
from reconciler.cluster.herald import KubernetesHerald
from tests.controlplane.api import Api
from tests.controlplane.harness import ControlPlane


@pytest.fixture
async def connection(control_plane: ControlPlane) -> AsyncIterator[Connection]:
    opened = await Connection.open(kubeconfig=str(control_plane.kubeconfig("admin")))
    yield opened
    await opened.close()


@pytest.fixture
async def queue(connection: Connection) -> AsyncIterator[EventQueue]:
    made = EventQueue(connection, Speaker("lb-reconciler-controller", "pod-a"))
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def about(api: Api, namespace: str, **fields: str) -> list[dict[str, Any]]:
    """The Events about an object, by the fields that `kubectl describe` looks for."""
    selector = ",".join(f"involvedObject.{field}={value}" for field, value in fields.items())
    return api.objects("events", namespace, fieldSelector=selector)


async def test_both_the_pod_and_the_config_map_are_told(
    connection: Connection, queue: EventQueue, api: Api, namespace: str
) -> None:
    created = api.create("configmaps", namespace, {"metadata": {"name": "config"}})
    herald = KubernetesHerald(
        connection,
        queue,
        pod=Subject("Pod", namespace, "controller-1", "uid-of-the-pod"),
        config_map=Subject("ConfigMap", namespace, "config"),
    )
    await herald.announce("Warning", "ConfigurationRefused", "revision abc is refused")
    await queue.flush(30)
    [on_pod] = about(api, namespace, kind="Pod", name="controller-1", uid="uid-of-the-pod")
    [on_config_map] = about(api, namespace, kind="ConfigMap", name="config", uid=created["metadata"]["uid"])
    for event in (on_pod, on_config_map):
        assert (event["type"], event["reason"]) == ("Warning", "ConfigurationRefused")
        assert event["message"] == "revision abc is refused"


async def test_a_config_map_that_is_made_anew_is_told_as_itself(
    connection: Connection, queue: EventQueue, api: Api, namespace: str
) -> None:
    herald = KubernetesHerald(connection, queue, config_map=Subject("ConfigMap", namespace, "config"))
    for _ in range(2):
        created = api.create("configmaps", namespace, {"metadata": {"name": "config"}})
        await herald.announce("Normal", "ConfigurationApplied", "revision abc is in force")
        await queue.flush(30)
        [event] = about(api, namespace, kind="ConfigMap", uid=created["metadata"]["uid"])
        assert event["count"] == 1
        api.delete("configmaps", namespace, "config")


async def test_a_config_map_that_cannot_be_read_is_told_without_its_uid(
    connection: Connection, queue: EventQueue, api: Api, namespace: str
) -> None:
    herald = KubernetesHerald(connection, queue, config_map=Subject("ConfigMap", namespace, "missing"))
    await herald.announce("Normal", "ConfigurationApplied", "revision abc is in force")
    await queue.flush(30)
    [event] = about(api, namespace, kind="ConfigMap", name="missing")
    assert "uid" not in event["involvedObject"]


async def test_nobody_is_told_where_nobody_is_known(connection: Connection, queue: EventQueue, api: Api) -> None:
    await KubernetesHerald(connection, queue).announce("Normal", "ConfigurationApplied", "said to nobody")
    await queue.flush(30)
    assert [event for event in api.objects("events") if event["message"] == "said to nobody"] == []
