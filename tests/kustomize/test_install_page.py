"""Every command of docs/install.md is run in order, but for those that need a container engine or a registry."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler import __version__
from tests.controlplane.api import Api
from tests.controlplane.harness import NAMESPACE, ControlPlane
from tests.kustomize.acceptance import pod_of, remove
from tests.kustomize.conftest import Kubectl, Render

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "install.md").read_text("utf-8")
NOT_HERE = re.compile(r"make image|docker push|kind load")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_POD = "controller-of-the-page"
_MAY_END_WITH_1 = "reconciler diff"


def blocks(language: str) -> list[str]:
    return [text for kind, text in _BLOCK.findall(PAGE) if kind == language]


@pytest.fixture
def checkout(tmp_path: Path, kubectl_program: Path) -> Path:
    """A directory that a reader would be in, with his files."""
    for name in ("kustomize", "config-examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    for name in ("token", "ssh", "known_hosts"):
        (tmp_path / name).write_text("secret", "utf-8")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "kubectl").symlink_to(kubectl_program)
    (programs / "reconciler").write_text(f'#!/bin/sh\nexec {sys.executable} -m reconciler "$@"\n', "utf-8")
    (programs / "reconciler").chmod(0o755)
    return tmp_path


def test_every_command_works(
    checkout: Path, cluster: ControlPlane, admin: Api, kubectl: Kubectl, render: Render
) -> None:
    first, second = blocks("yaml")
    for name, text in (("my-cluster", first), ("with-git", second)):
        (checkout / name).mkdir()
        (checkout / name / "kustomization.yaml").write_text(text, "utf-8")
    environment = {
        "PATH": f"{checkout}/programs:{os.environ['PATH']}",
        "HOME": str(checkout),
        "KUBECONFIG": str(cluster.kubeconfig("admin")),
        "PYTHONPATH": str(ROOT),
    }
    commands = [line for text in blocks("sh") for line in text.splitlines() if not NOT_HERE.search(line)]
    assert len(commands) >= 9
    for command in commands:
        if command.startswith("kubectl wait"):
            _let_pods_be_ready(admin)
        if "create secret" in command:
            kubectl("delete", "secret", "git-credentials", f"--namespace={NAMESPACE}", "--ignore-not-found")
        finished = subprocess.run(
            # Nobody here empties a namespace that is deleted.
            ["/bin/bash", "-o", "pipefail", "-c", command.replace("kubectl delete", "kubectl delete --dry-run=server")],
            cwd=checkout,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60.0,
            check=False,
        )
        assert finished.returncode in {0, 1 if command.startswith(_MAY_END_WITH_1) else 0}, f"{command}\n{finished}"
        if command.startswith("kubectl apply"):
            _is_as_promised(admin)
        if command.startswith("kubectl delete"):
            assert 'daemonset.apps "speaker" deleted' in finished.stdout
    # What the last command does where somebody empties namespaces.
    admin.request("DELETE", f"/api/v1/namespaces/{NAMESPACE}/pods/{_POD}?gracePeriodSeconds=0")
    admin.delete("configmaps", NAMESPACE, "lb-reconciler-config")
    remove(admin, render("base"))


def _is_as_promised(admin: Api) -> None:
    deployment = admin.request("GET", f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/controller")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"registry.example.com/platform/lb-reconciler:{__version__}"


def _let_pods_be_ready(admin: Api) -> None:
    """There is no kubelet here."""
    deployment = admin.request("GET", f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/controller")
    admin.create("pods", NAMESPACE, pod_of(deployment["spec"]["template"], _POD))
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    admin.patch("pods", NAMESPACE, _POD, {"status": ready}, subresource="status")


def test_the_image_is_named_as_the_engine_would_get_it() -> None:
    (command,) = (line for text in blocks("sh") for line in text.splitlines() if line.startswith("make image"))
    done = subprocess.run([*shlex.split(command), "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=True)
    said = re.sub(r"[\s\\]+", " ", done.stdout)
    image = f"registry.example.com/platform/lb-reconciler:{__version__}"
    assert f"docker build --file Containerfile --tag {image} --build-arg VERSION={__version__} " in said
    assert f"lb-reconciler:{__version__}" in PAGE


def test_a_kustomization_with_git_and_open_speakers(checkout: Path, render: Render) -> None:
    (checkout / "with-git").mkdir()
    (checkout / "with-git" / "kustomization.yaml").write_text(blocks("yaml")[1], "utf-8")
    rendered = render(str(checkout / "with-git"))
    fields = dict.fromkeys(("metadata.namespace", "metadata.name", "spec.nodeName", "status.podIP"), "x")
    for role in ("controller", "speaker"):
        assert rendered.environment(role, fields)["RECONCILER_CONFIG"] == "/git/current/clusters/berlin"
    assert rendered.environment("speaker", fields)["HTTP_ADDRESS"] == ":7472"
    # What a PodMonitor finds it by; probes go on asking the node itself, which is one of all addresses.
    assert rendered.container("speaker")["ports"] == [
        {"name": "http", "containerPort": 7472, "hostPort": 7472, "protocol": "TCP"}
    ]
    assert rendered.container("speaker")["readinessProbe"]["httpGet"]["host"] == "127.0.0.1"


def test_every_directory_is_named() -> None:
    for path in (ROOT / "kustomize" / "overlays").iterdir():
        assert f"`{path.name}`" in PAGE
    for path in (ROOT / "kustomize" / "components").iterdir():
        texts = [PAGE, *(file.read_text("utf-8") for file in (ROOT / "kustomize").rglob("kustomization.yaml"))]
        assert any(path.name in text for text in texts)
