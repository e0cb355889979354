"""The manifests as a node would run them: idle without a configuration, ready with one, and ended in time."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.cli.lab import Lab
from tests.controlplane.api import Api, wait_until
from tests.controlplane.daemon import free_ports
from tests.controlplane.harness import NAMESPACE, ControlPlane
from tests.kustomize.acceptance import Kinds, pod_of, remove, without_bookkeeping
from tests.kustomize.conftest import Kubectl, Render
from tests.kustomize.pod_process import PodProcess, ended
from tests.kustomize.rendered import Rendered
from tests.loop.corner import EVERYWHERE, pool
from tests.netns.test_speaker_rights import confined

_FILES = "---\n".join((pool("lab", "192.0.2.200-192.0.2.239"), EVERYWHERE))
POD = "controller-x"
_WAIT = ("wait", f"--namespace={NAMESPACE}", "--for=condition=ready", "pod", "--all")


def mount(volume: Path, text: str) -> None:
    """Files as the kubelet brings them: a link is turned."""
    (volume / "..1").mkdir()
    (volume / "..1" / "pools.yaml").write_text(text, "utf-8")
    (volume / "..new").symlink_to("..1")
    (volume / "..new").rename(volume / "..data")
    (volume / "pools.yaml").symlink_to(Path("..data", "pools.yaml"))


@pytest.fixture(scope="module")
def base(render: Render, admin: Api, kubectl: Kubectl) -> Iterator[Rendered]:
    """It is applied to the API server, as the page says."""
    kubectl("apply", "--kustomize", "kustomize/base")
    yield render("base")
    remove(admin, render("base"))


@pytest.fixture
def controller(base: Rendered, admin: Api, cluster: ControlPlane, tmp_path: Path) -> Iterator[PodProcess]:
    """A Pod that the Deployment would have made, and its process; nobody but the test writes how the Pod is."""
    admin.create("pods", NAMESPACE, pod_of(base.template("controller"), POD, nodeName="worker-1"))
    (port,) = free_ports(1)
    process = PodProcess(
        base,
        "controller",
        tmp_path,
        fields={"metadata.namespace": NAMESPACE, "metadata.name": POD},
        # Many of these tests may run on one machine.
        options=(f"--http-address=127.0.0.1:{port}",),
        port=port,
        environment={"KUBECONFIG": str(cluster.kubeconfig("controller"))},
    )
    with ended(process):
        yield process
    admin.request("DELETE", f"/api/v1/namespaces/{NAMESPACE}/pods/{POD}?gracePeriodSeconds=0")


def test_to_wait_for_ready_pods_means_what_it_says(
    base: Rendered, controller: PodProcess, admin: Api, kubectl: Kubectl, tmp_path: Path
) -> None:
    wait_until(lambda: controller.probe("startupProbe")[0] == 200, "it has started")
    # Idle: alive, and it says what is missing.
    _wait_until_unconfigured(controller)
    assert controller.probe("livenessProbe")[0] == 200
    _report(admin, ready=controller.is_ready())
    assert kubectl(*_WAIT, "--timeout=1s", check=False).returncode != 0

    # The ConfigMap appears.
    admin.create_namespace("shop")
    admin.create_service("shop", "web")
    mount(tmp_path / "config", _FILES)
    _report(admin, ready=wait_until(controller.is_ready, "ready"))
    assert f"pod/{POD} condition met" in kubectl(*_WAIT, "--timeout=30s").stdout
    wait_until(lambda: admin.ingress("shop", "web") == ["192.0.2.200"], "an address")
    wait_until(lambda: list((tmp_path / "state").iterdir()), "the files are kept")

    # It writes to none of the objects that were applied.
    kinds = Kinds(admin)
    for manifest in base.objects:
        applied = kinds.apply(manifest, "argocd-controller", dry_run=True)
        assert without_bookkeeping(applied) == without_bookkeeping(kinds.live(manifest))
    assert controller.stop() == 0


def _wait_until_unconfigured(process: PodProcess) -> None:
    def says_so() -> bool:
        status, reason = process.probe("readinessProbe")
        return status == 503 and "no valid configuration" in reason and "no document of metallb.io" in reason

    wait_until(says_so, "it says what is missing")


def _report(admin: Api, *, ready: bool) -> None:
    """What the kubelet writes after a probe."""
    conditions = [{"type": "Ready", "status": str(ready)}]
    admin.patch("pods", NAMESPACE, POD, {"status": {"conditions": conditions}}, subresource="status")


@pytest.mark.parametrize("lab_hosts", [("n1",)])
def test_a_speaker_with_the_rights_of_its_manifest(render: Render, lab: Lab, tmp_path: Path) -> None:
    rendered = render("base")
    directory = tmp_path / "cluster"
    (directory / "status").mkdir(parents=True)
    key = directory / "status" / "membership-key"
    key.write_bytes(os.urandom(32))
    key.chmod(0o600)
    fields = {
        "metadata.namespace": NAMESPACE,
        "metadata.name": "speaker-x",
        "spec.nodeName": "n1",
        "status.podIP": lab.address("n1"),
    }
    capabilities = rendered.container("speaker")["securityContext"]["capabilities"]
    assert capabilities["drop"] == ["ALL"]
    bounding = ",".join(("-all", *(f"+{name.lower()}" for name in capabilities["add"])))
    process = PodProcess(
        rendered,
        "speaker",
        tmp_path,
        fields=fields,
        # In place of the API server.
        environment={"RECONCILER_CLUSTER": f"dir:{directory}"},
        under=(*lab.inside("n1"), *confined(bounding, tmp_path, "/probe")),
        namespace=lab.namespace("n1"),
    )
    with ended(process):
        wait_until(lambda: process.probe("startupProbe")[0] == 200, "it has started")
        _wait_until_unconfigured(process)
        assert process.probe("livenessProbe")[0] == 200
        mount(tmp_path / "config", _FILES)
        wait_until(process.is_ready, "ready")
        # Nobody but the node itself is answered.
        listening = subprocess.run(
            [*lab.inside("n1"), "ss", "-Htln", "sport = :7472"], check=True, capture_output=True, text=True
        ).stdout
        assert [line.split()[3] for line in listening.splitlines()] == ["127.0.0.1:7472"]
        wait_until(lambda: list((tmp_path / "state").iterdir()), "the files are kept")
        assert process.stop() == 0
