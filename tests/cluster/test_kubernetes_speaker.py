"""A real cluster as a speaker follows it: told of whatever decides who announces, and of nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from reconciler.cluster.event_bodies import Speaker
from reconciler.cluster.kinds import ENDPOINT_SLICES, NODES, SERVICES
from reconciler.model.observed import Endpoint, NodeName, ServiceKey
from reconciler.plan.actions import RecordEvent
from tests.cluster.live_cluster import PATIENCE, Live, following, service_in
from tests.controlplane.api import Api
from tests.controlplane.harness import ControlPlane

KINDS = frozenset({SERVICES.name, NODES.name, ENDPOINT_SLICES.name})


@pytest.fixture
async def live(control_plane: ControlPlane) -> AsyncIterator[Live]:
    speaker = Speaker("lb-reconciler-speaker", "speaker-x", host="worker-1")
    kubeconfig = control_plane.kubeconfig("admin")
    async with following(kubeconfig, speaker=speaker, followed=KINDS, waking=KINDS, repeats_events=True) as made:
        yield made


@pytest.fixture
def node(api: Api, namespace: str) -> Any:
    """A node of that name, which no other test knows."""
    api.create("nodes", None, {"metadata": {"name": namespace}})
    heartbeat(api, namespace, "2026-01-01T00:00:00Z")
    yield namespace
    api.delete("nodes", None, namespace)


def heartbeat(api: Api, node: str, at: str, *, ready: str = "True") -> None:
    """What a kubelet writes every few minutes, whatever happens."""
    condition = {"type": "Ready", "status": ready, "lastHeartbeatTime": at, "lastTransitionTime": at}
    api.patch("nodes", None, node, {"status": {"conditions": [condition]}}, subresource="status")


def slice_of(service: str, node: str, *, ready: bool = True) -> dict[str, Any]:
    return {
        "metadata": {"name": f"{service}-1", "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.1.0.1"], "nodeName": node, "conditions": {"ready": ready}}],
    }


async def test_endpoints_are_followed_and_all_else_stays_the_same(live: Live, api: Api, namespace: str) -> None:
    key = ServiceKey(f"{namespace}/web")
    api.create_service(namespace, "web")
    api.create_service(namespace, "other")
    api.create("endpointslices", namespace, slice_of("web", "worker-1"))
    before = await live.until(
        lambda found: key in found.endpoints and service_in(found, ServiceKey(f"{namespace}/other")) is not None
    )
    assert before.endpoints[key] == (Endpoint(NodeName("worker-1"), serving=True),)
    assert await live.cluster.observe() is before
    api.patch("endpointslices", namespace, "web-1", {"endpoints": slice_of("web", "worker-2")["endpoints"]})
    moved = (Endpoint(NodeName("worker-2"), serving=True),)
    after = await live.until(lambda found: found.endpoints.get(key) == moved)
    assert after.services is before.services
    assert after.nodes is before.nodes
    assert all(after.endpoints[other] is before.endpoints[other] for other in after.endpoints if other != key)


async def test_endpoints_and_nodes_wake_and_heartbeats_do_not(live: Live, api: Api, namespace: str, node: str) -> None:
    # It is created before it is ready: both are known before the first of its heartbeats that decides nothing.
    before = await live.until(lambda found: any(one.ready for one in found.nodes if one.name == node))
    async with asyncio.timeout(PATIENCE), aclosing(live.cluster.changes()) as changes:
        await anext(changes)
        told = asyncio.ensure_future(anext(changes))
        heartbeat(api, node, "2026-01-01T00:05:00Z")
        await seen(live, api.get("nodes", None, node))
        assert not told.done()
        assert await live.cluster.observe() is before
        api.create("endpointslices", namespace, slice_of("web", node))
        assert await told == f"EndpointSlice {namespace}/web-1 changed"
        heartbeat(api, node, "2026-01-01T00:10:00Z", ready="False")
        assert await anext(changes) == f"Node {node} changed"
    after = await live.cluster.observe()
    assert [one.ready for one in after.nodes if one.name == node] == [False]


async def seen(live: Live, found: dict[str, Any]) -> None:
    """Until the watch of nodes has come to that version."""
    (nodes,) = (reflector for reflector in live.cluster.reflectors if reflector.kind == NODES.name)
    while int(nodes.store.resume_version) < int(found["metadata"]["resourceVersion"]):
        await asyncio.sleep(0.01)


async def test_an_event_is_said_whenever_the_speaker_says_it(live: Live, api: Api, namespace: str) -> None:
    key = ServiceKey(f"{namespace}/web")
    api.create_service(namespace, "web")
    await live.until(lambda found: service_in(found, key) is not None)
    for _ in range(3):
        await live.cluster.apply(RecordEvent(key, "Normal", "nodeAssigned", "announcing"))
        await live.events.flush(10)
    (event,) = api.objects("events", namespace)
    assert event["count"] == 3
    assert event["source"] == {"component": "lb-reconciler-speaker", "host": "worker-1"}
    assert event["reportingInstance"] == "speaker-x"
