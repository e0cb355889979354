"""The rights of the controller: what its manifests give is what it needs, no more and no less."""

import json
from pathlib import Path

import pytest

from reconciler.telemetry.speaker_status import document
from tests.controlplane.api import Api, ApiError, Object, wait_until
from tests.controlplane.harness import NAMESPACE, ControlPlane
from tests.controlplane.manifests import apply_rights, may
from tests.controlplane.rights import Right, denied, idle, used
from tests.loop.running import RunningController
from tests.telemetry.builders import speaker

STATUS = f"{NAMESPACE}-status"
_POOL = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: gold}
spec: {addresses: [192.0.2.0/24]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: everywhere}
"""


@pytest.mark.parametrize(
    "right",
    [
        pytest.param(Right("patch", "", "services", "shop", "web"), id="writing to a Service beside its status"),
        pytest.param(Right("create", "", "services", "shop"), id="creating a Service"),
        pytest.param(Right("list", "", "secrets", NAMESPACE), id="secrets, its own included"),
        pytest.param(Right("get", "", "secrets", NAMESPACE, "another"), id="any other secret than the speakers' key"),
        pytest.param(Right("patch", "", "secrets", NAMESPACE, "lb-reconciler-membership"), id="changing that key"),
        pytest.param(Right("create", "", "configmaps", NAMESPACE), id="its own configuration"),
        pytest.param(Right("patch", "", "configmaps", STATUS, "lb-reconciler-status-worker-1"), id="a node's status"),
        pytest.param(Right("patch", "coordination.k8s.io", "leases", "kube-system", "any"), id="somebody else's Lease"),
        pytest.param(Right("list", "", "pods"), id="pods"),
    ],
)
def test_what_the_controller_may_not(api: Api, rbac: frozenset[Right], right: Right) -> None:
    assert rbac
    assert not may(api, right)


def test_the_annotation_travels_with_the_status(
    control_plane: ControlPlane, api: Api, rbac: frozenset[Right], namespace: str
) -> None:
    """Why no right on Services themselves is needed."""
    assert Right("patch", "", "services/status") in rbac
    api.create_service(namespace, "web", labels={"app": "web"})
    controller = control_plane.api("controller")
    annotation = {"metadata": {"annotations": {"metallb.io/ip-allocated-from-pool": "gold"}}}
    with pytest.raises(ApiError) as refused:
        controller.patch("services", namespace, "web", annotation)
    assert refused.value.status == 403
    controller.patch("services", namespace, "web", annotation, subresource="status")
    controller.close()
    written = api.get("services", namespace, "web")["metadata"]
    assert written["annotations"] == annotation["metadata"]["annotations"]
    assert written["labels"] == {"app": "web"}


def test_a_watch_of_one_lease_needs_a_right_to_that_one_only(
    control_plane: ControlPlane, rbac: frozenset[Right]
) -> None:
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases?watch=1&timeoutSeconds=1"
    (ours,) = {right.name for right in rbac if right.verb == "watch" and right.resource == "leases"}
    controller = control_plane.api("controller")
    assert controller.status_of("GET", f"{leases}&fieldSelector=metadata.name%3D{ours}") == 200
    assert controller.status_of("GET", f"{leases}&fieldSelector=metadata.name%3Dother") == 403
    assert controller.status_of("GET", leases) == 403
    controller.close()


def test_the_controller_uses_every_right_and_lacks_none(own_control_plane: ControlPlane, tmp_path: Path) -> None:
    """The server is its own, because here the controller is the one that serves all Services without a class."""
    api = own_control_plane.api()
    rights = apply_rights(api)
    api.create_namespace("shop")
    api.create("configmaps", NAMESPACE, {"metadata": {"name": "lb-reconciler-config"}})
    config = tmp_path / "config"
    config.mkdir()
    pools = config / "pools.yaml"
    pools.write_text(_POOL, "utf-8")
    options = [
        f"--config={config}",
        f"--kubeconfig={own_control_plane.kubeconfig('audited-controller')}",
        f"--namespace={NAMESPACE}",
        "--pod-name=controller-0",
        f"--config-object={NAMESPACE}/lb-reconciler-config",
        "--lease-duration=3",
    ]
    with RunningController(options, tmp_path / "log") as controller:
        controller.wait_until_ready()
        _live_a_day(api, controller, pools)
        assert controller.stop() == 0
    audited = own_control_plane.audited("audited-controller")
    api.close()
    assert denied(audited) == frozenset()
    assert {use for use in used(audited) if not any(right.covers(use) for right in rights)} == set()
    assert idle(rights, used(audited), own=(NAMESPACE, STATUS)) == frozenset()


def _live_a_day(api: Api, controller: RunningController, pools: Path) -> None:
    """Everything that the controller does on the API server."""
    # An address, given, taken back and given again: the Event of the second time is that of the first, counted up.
    api.create_service("shop", "web")
    wait_until(lambda: _times_allocated(api) == 1, "an Event of the first time")
    api.patch("services", "shop", "web", {"spec": {"type": "ClusterIP"}})
    wait_until(lambda: not api.ingress("shop", "web"), "web has no address")
    api.patch("services", "shop", "web", {"spec": {"type": "LoadBalancer"}})
    wait_until(lambda: _times_allocated(api) == 2, "that Event is counted up")
    # A plan that the guard holds, for which endpoints are read, and a revision that is refused.
    for number in range(10):
        api.create_service("shop", f"web-{number}")
    wait_until(lambda: all(api.ingress("shop", f"web-{number}") for number in range(10)), "all have addresses")
    pools.write_text(_POOL.replace("192.0.2.", "198.51.100."), "utf-8")
    wait_until(lambda: controller.status()["newest"]["verdict"] == "held", "the plan is held")
    pools.write_text("kind: Nothing\n", "utf-8")
    wait_until(lambda: _events_about_the_configuration(api), "an Event on the ConfigMap")
    wait_until(lambda: api.find("configmaps", STATUS, "lb-reconciler-status-controller"), "the status is published")
    # Somebody looks at the page: what the speakers have published is listed for it.
    data = {"status.json": document(speaker(node="worker-1")).decode()}
    api.create("configmaps", STATUS, {"metadata": {"name": "lb-reconciler-status-worker-1"}, "data": data})
    wait_until(lambda: _speakers_on_the_page(controller) == {"worker-1": "ready"}, "a speaker on the page")


def _speakers_on_the_page(controller: RunningController) -> dict[str, str]:
    view = json.loads(controller.ask("/view")[1])
    assert view["notes"] == []
    return {row["node"]: row["state"] for row in view["nodes"]}


def _times_allocated(api: Api) -> int:
    found = api.objects("events", "shop", fieldSelector="involvedObject.name=web,reason=IPAllocated")
    assert len(found) <= 1, found
    return sum(event["count"] for event in found)


def _events_about_the_configuration(api: Api) -> list[Object]:
    return api.objects("events", NAMESPACE, fieldSelector="involvedObject.kind=ConfigMap")
