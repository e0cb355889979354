"""What is known of a real cluster: complete, the same objects while nothing changes, and told when something does."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from reconciler.cluster.connection import Connection
from reconciler.cluster.event_bodies import Speaker
from reconciler.cluster.event_queue import EventQueue
from reconciler.cluster.kubernetes import KubernetesCluster
from reconciler.cluster.port import ClusterError, NotSynced
from reconciler.model.observed import Endpoint, NodeName, ServiceKey
from tests.cluster.live_cluster import PATIENCE, Live, following, service_in
from tests.controlplane.api import Api
from tests.controlplane.harness import ControlPlane


@pytest.fixture
async def live(control_plane: ControlPlane) -> AsyncIterator[Live]:
    async with following(control_plane.kubeconfig("admin")) as made:
        yield made


async def test_nothing_is_concluded_before_everything_was_read(control_plane: ControlPlane) -> None:
    connection = await Connection.open(kubeconfig=str(control_plane.kubeconfig("admin")))
    events = EventQueue(connection, Speaker("lb-reconciler-controller", "pod-a"))
    cluster = KubernetesCluster(connection, events, namespace="lb-reconciler")
    with pytest.raises(NotSynced, match=r"no complete list of Services yet; .*Namespaces yet; .*Nodes yet"):
        await cluster.observe()
    await connection.close()


async def test_what_may_not_be_read_is_named(control_plane: ControlPlane) -> None:
    async with following(control_plane.kubeconfig("nobody")) as live:
        async with asyncio.timeout(PATIENCE):
            while not all(reflector.last_error for reflector in live.cluster.reflectors):
                await asyncio.sleep(0.01)
        with pytest.raises(NotSynced, match=r'no complete list of Nodes yet: .*cannot list resource "nodes"'):
            await live.cluster.observe()


async def test_services_namespaces_and_nodes_are_observed(live: Live, api: Api, namespace: str) -> None:
    api.create_service(namespace, "web", labels={"app": "web"})
    api.create("nodes", None, {"metadata": {"name": namespace, "labels": {"rack": "a"}}})
    key = ServiceKey(f"{namespace}/web")
    observed = await live.until(
        lambda found: service_in(found, key) is not None and namespace in {node.name for node in found.nodes}
    )
    service = service_in(observed, key)
    assert service is not None
    assert service.labels == (("app", "web"),)
    assert observed.namespace_labels(namespace) == (("kubernetes.io/metadata.name", namespace),)
    assert [node.labels for node in observed.nodes if node.name == namespace] == [(("rack", "a"),)]
    assert list(observed.services) == sorted(observed.services, key=lambda found: found.key)
    api.delete("nodes", None, namespace)


async def test_what_stands_is_the_same_object(live: Live, api: Api, namespace: str) -> None:
    for name in ("one", "other"):
        api.create_service(namespace, name)
    one, other = ServiceKey(f"{namespace}/one"), ServiceKey(f"{namespace}/other")
    before = await live.until(lambda found: None not in (service_in(found, one), service_in(found, other)))
    assert await live.cluster.observe() is before
    api.patch("services", namespace, "other", {"metadata": {"labels": {"is": "changed"}}})
    after = await live.until(lambda found: service_in(found, other) is not service_in(before, other))
    assert after is not before
    assert service_in(after, one) is service_in(before, one)
    assert after.namespaces is before.namespaces
    assert after.nodes is before.nodes


async def test_a_change_of_a_service_or_namespace_wakes(live: Live, api: Api, namespace: str) -> None:
    await live.until(lambda _: True)
    async with aclosing(live.cluster.changes()) as changes:
        for change in (
            lambda: api.create_service(namespace, "web"),
            lambda: api.patch("services", namespace, "web", {"spec": {"externalTrafficPolicy": "Local"}}),
            lambda: api.patch("namespaces", None, namespace, {"metadata": {"labels": {"tier": "front"}}}),
            lambda: api.delete("services", namespace, "web"),
        ):
            change()
            async with asyncio.timeout(PATIENCE):
                while namespace not in await anext(changes):
                    pass


async def test_a_node_does_not_wake(live: Live, api: Api, namespace: str) -> None:
    await live.until(lambda _: True)
    async with aclosing(live.cluster.changes()) as changes:
        api.create("nodes", None, {"metadata": {"name": namespace}})
        await live.until(lambda found: namespace in {node.name for node in found.nodes})
        api.create_service(namespace, "last")
        told: list[str] = []
        async with asyncio.timeout(PATIENCE):
            while not told or f"{namespace}/last" not in told[-1]:
                told.append(await anext(changes))
    assert f"Node {namespace} changed" not in told
    api.delete("nodes", None, namespace)


async def test_whoever_listens_late_is_told_that_there_was_something(live: Live) -> None:
    await live.until(lambda _: True)
    async with asyncio.timeout(PATIENCE), aclosing(live.cluster.changes()) as changes:
        assert "listed" in await anext(changes)


async def test_endpoints_are_listed_when_asked_for(live: Live, api: Api, namespace: str) -> None:
    assert ServiceKey(f"{namespace}/web") not in await live.cluster.endpoints()
    slice_of_web = {
        "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.1.0.1"], "nodeName": "worker-1", "conditions": {"ready": True}}],
    }
    api.create("endpointslices", namespace, slice_of_web)
    found = await live.cluster.endpoints()
    assert found[ServiceKey(f"{namespace}/web")] == (Endpoint(NodeName("worker-1"), serving=True),)
    # A controller does not follow them.
    assert (await live.until(lambda _: True)).endpoints == {}


async def test_endpoints_that_may_not_be_listed_are_an_error(control_plane: ControlPlane) -> None:
    async with following(control_plane.kubeconfig("nobody")) as live:
        with pytest.raises(ClusterError, match='cannot list resource "endpointslices"'):
            await live.cluster.endpoints()


async def test_the_password_of_a_secret_is_read(control_plane: ControlPlane, api: Api, namespace: str) -> None:
    connection = await Connection.open(kubeconfig=str(control_plane.kubeconfig("admin")))
    events = EventQueue(connection, Speaker("lb-reconciler-controller", "pod-a"))
    cluster = KubernetesCluster(connection, events, namespace=namespace)
    data = {"password": base64.b64encode(b"s3cr\xff").decode()}
    api.create("secrets", namespace, {"metadata": {"name": "peer"}, "type": "kubernetes.io/basic-auth", "data": data})
    api.create("secrets", namespace, {"metadata": {"name": "other"}, "data": {"token": data["password"]}})
    assert await cluster.secret("peer") == b"s3cr\xff"
    with pytest.raises(ClusterError, match=f'there is no Secret "{namespace}/missing"'):
        await cluster.secret("missing")
    with pytest.raises(ClusterError, match=f'the Secret "{namespace}/other" has no password'):
        await cluster.secret("other")
    await connection.close()
