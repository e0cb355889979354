"""Where other speakers are, by the Pods of a real API server."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from reconciler.cluster.connection import Connection
from reconciler.cluster.speaker_pods import KubernetesSpeakerPods
from tests.controlplane.api import Api
from tests.controlplane.harness import ControlPlane

SPEAKER = {"app.kubernetes.io/name": "lb-reconciler", "app.kubernetes.io/component": "speaker"}


@pytest.fixture
async def connection(control_plane: ControlPlane) -> AsyncIterator[Connection]:
    opened = await Connection.open(kubeconfig=str(control_plane.kubeconfig("admin")))
    yield opened
    await opened.close()


def run(api: Api, namespace: str, name: str, ip: str | None, labels: dict[str, str] = SPEAKER, **status: str) -> None:
    """A Pod as the kubelet would report it."""
    spec = {"containers": [{"name": "a", "image": "a"}], "automountServiceAccountToken": False}
    api.create("pods", namespace, {"metadata": {"name": name, "labels": labels}, "spec": spec})
    told = {**status, **({"podIP": ip, "podIPs": [{"ip": ip}]} if ip else {})}
    api.patch("pods", namespace, name, {"status": told}, subresource="status")


@pytest.fixture
def home(api: Api, namespace: str) -> str:
    """A namespace in which Pods can be created without the controllers that a cluster has."""
    api.create("serviceaccounts", namespace, {"metadata": {"name": "default"}})
    return namespace


async def test_those_of_speakers_that_have_an_address_and_are_not_ours(
    connection: Connection, api: Api, home: str
) -> None:
    run(api, home, "b", "192.0.2.2", phase="Running")
    run(api, home, "a", "192.0.2.10", phase="Running")
    run(api, home, "six", "2001:db8::1")
    run(api, home, "own", "192.0.2.1", phase="Running")
    run(api, home, "young", None, phase="Pending")
    run(api, home, "evicted", "192.0.2.4", phase="Failed")
    run(api, home, "done", "192.0.2.5", phase="Succeeded")
    run(api, home, "controller", "192.0.2.6", {**SPEAKER, "app.kubernetes.io/component": "controller"})
    run(api, home, "theirs", "192.0.2.7", {"app.kubernetes.io/component": "speaker"})
    pods = KubernetesSpeakerPods(connection, namespace=home, own_address="192.0.2.1")
    run(api, home, "last", "192.0.2.99", phase="Running")
    async with asyncio.timeout(30):
        # What the server answers may be a moment old, but is in order.
        while "192.0.2.99" not in (found := await pods.addresses()):
            await asyncio.sleep(0.01)
    assert found == ("192.0.2.10", "192.0.2.2", "192.0.2.99", "2001:db8::1")


async def test_without_any_there_are_none(connection: Connection, namespace: str) -> None:
    assert await KubernetesSpeakerPods(connection, namespace=namespace).addresses() == ()
