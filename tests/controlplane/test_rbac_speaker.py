"""The rights of a speaker: what its manifests give is what its side of the cluster needs, no more and no less."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from reconciler.cli.naming import CONTROLLER_STATUS as CONTROLLERS
from reconciler.cli.naming import MEMBERSHIP_SECRET as SECRET
from reconciler.cli.naming import speaker_status
from reconciler.cli.options import ClusterChoice
from reconciler.cli.speaker_backend import SpeakerBackend, SpeakerIdentity, open_speaker_backend
from reconciler.cluster.connection import Connection
from reconciler.cluster.membership_key import MembershipSecret
from reconciler.cluster.port import ClusterError, NotSynced
from reconciler.cluster.speaker_pods import KubernetesSpeakerPods
from reconciler.model.observed import ObservedState, ServiceKey
from reconciler.plan.actions import RecordEvent
from tests.controlplane.api import Api
from tests.controlplane.harness import NAMESPACE, ControlPlane
from tests.controlplane.manifests import SPEAKER, apply_rights, may
from tests.controlplane.rights import Right, denied, idle, used

STATUS = f"{NAMESPACE}-status"


@pytest.fixture(scope="module")
def rights(api: Api) -> frozenset[Right]:
    """What a speaker has on the shared API server."""
    return apply_rights(api, SPEAKER)


@pytest.mark.parametrize(
    "right",
    [
        pytest.param(Right("patch", "", "services/status", "shop", "web"), id="giving an address"),
        pytest.param(Right("patch", "", "services", "shop", "web"), id="writing to a Service beside its status"),
        pytest.param(Right("list", "", "secrets", NAMESPACE), id="listing secrets, its own namespace included"),
        pytest.param(Right("get", "", "secrets", NAMESPACE, "another"), id="any other secret"),
        pytest.param(Right("create", "", "secrets", NAMESPACE), id="making the key"),
        pytest.param(Right("patch", "", "secrets", NAMESPACE, SECRET), id="changing the key"),
        pytest.param(Right("patch", "", "configmaps", NAMESPACE, "lb-reconciler-config"), id="its own configuration"),
        pytest.param(Right("list", "", "pods"), id="Pods of others"),
        pytest.param(Right("get", "coordination.k8s.io", "leases", NAMESPACE, "lb-reconciler-controller"), id="Leases"),
        pytest.param(Right("patch", "", "nodes", "", "worker-1"), id="its node"),
    ],
)
def test_what_a_speaker_may_not(api: Api, rights: frozenset[Right], right: Right) -> None:
    assert rights
    assert not may(api, right, SPEAKER)


async def test_a_speaker_uses_every_right_and_lacks_none(own_control_plane: ControlPlane) -> None:
    api = own_control_plane.api()
    rights = apply_rights(api, SPEAKER)
    api.create_namespace("shop")
    api.create_service("shop", "web")
    admin = await Connection.open(kubeconfig=str(own_control_plane.kubeconfig("admin")))
    key = await MembershipSecret(admin, namespace=NAMESPACE, name=SECRET).ensure_membership_key()
    await admin.close()
    api.create("configmaps", STATUS, {"metadata": {"name": CONTROLLERS}, "data": {"status.json": "{}"}})

    kubeconfig = str(own_control_plane.kubeconfig("audited-speaker"))
    choice = ClusterChoice("kube", NAMESPACE, "", kubeconfig=kubeconfig)
    async with open_speaker_backend(choice, SpeakerIdentity("worker-1", "speaker-x", "192.0.2.1")) as backend:
        assert await backend.keys.membership_key() == key
        assert backend.pods is not None
        assert list(await backend.pods.addresses()) == []
        assert await backend.board.published(CONTROLLERS) == b"{}"
        for document in (b"1", b"2"):
            await backend.board.publish(speaker_status("worker-1", ""), document)
        await _follow_and_speak(backend, api)

    audited = own_control_plane.audited("audited-speaker")
    api.close()
    assert denied(audited) == frozenset()
    assert {use for use in used(audited) if not any(right.covers(use) for right in rights)} == set()
    assert idle(rights, used(audited), own=(NAMESPACE, STATUS)) == frozenset()


async def _follow_and_speak(backend: SpeakerBackend, api: Api) -> None:
    """Read what a speaker decides on until it changes, and say twice that it announces something."""
    running = [asyncio.create_task(beside()) for beside in backend.beside]
    try:
        await _until(backend, lambda found: "shop/web" in _keys(found))
        api.create_service("shop", "later")
        await _until(backend, lambda found: "shop/later" in _keys(found))
        message = 'announcing from node "worker-1" with protocol "layer2"'
        for _ in range(2):
            # Nothing is written in between: it is said again because somebody else announced it meanwhile.
            await backend.cluster.apply(RecordEvent(ServiceKey("shop/web"), "Normal", "nodeAssigned", message))
            await backend.flush_events(10)
        await backend.herald.announce("Warning", "ConfigurationRefused", "it is not valid")
        await backend.flush_events(10)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    (event,) = api.objects("events", "shop")
    assert (event["count"], event["message"]) == (2, message)
    assert event["source"] == {"component": "lb-reconciler-speaker", "host": "worker-1"}
    (own,) = api.objects("events", NAMESPACE)
    assert (own["involvedObject"]["kind"], own["involvedObject"]["name"]) == ("Pod", "speaker-x")


def _keys(observed: ObservedState) -> set[str]:
    return {service.key for service in observed.services}


async def _until(backend: SpeakerBackend, condition: Callable[[ObservedState], bool]) -> None:
    async with asyncio.timeout(30):
        while True:
            with suppress(NotSynced):
                if condition(await backend.cluster.observe()):
                    return
            await asyncio.sleep(0.01)


async def test_what_is_missing_is_named(control_plane: ControlPlane, namespace: str) -> None:
    stranger = await Connection.open(kubeconfig=str(control_plane.kubeconfig("nobody")))
    secret = MembershipSecret(stranger, namespace=namespace, name=SECRET)
    pods = KubernetesSpeakerPods(stranger, namespace=namespace)
    with pytest.raises(ClusterError, match=f'no right to get the Secret "{namespace}/{SECRET}"'):
        await secret.ensure_membership_key()
    with pytest.raises(ClusterError, match=f'no right to list Pods in namespace "{namespace}"'):
        await pods.addresses()
    await stranger.close()
