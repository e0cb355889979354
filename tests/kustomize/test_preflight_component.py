"""Preflight before each speaker: what the component adds, what the API server says to it, what it does on a node."""

import copy
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.cli.lab import Lab
from reconciler.cli.main import cli
from tests.controlplane.api import Api
from tests.kustomize.acceptance import Kinds, pod_of, remove, without_bookkeeping
from tests.kustomize.conftest import Render
from tests.kustomize.rendered import KUSTOMIZE, Rendered
from tests.loop.corner import EVERYWHERE, pool
from tests.netns.test_speaker_rights import confined

Compose = Callable[..., Rendered]

PAGE = (KUSTOMIZE.parent / "docs" / "preflight.md").read_text("utf-8")
_FILES = "---\n".join((pool("lab", "192.0.2.200-192.0.2.239"), EVERYWHERE))
_OVERLAYS = ("l2", "bgp", "git-sync", "git-sync-ssh")
_HOLDS_A_PORT = """
import socket
held = socket.create_server(("0.0.0.0", 7947))
print("ready", flush=True)
held.accept()
"""


def _of_the_page() -> tuple[str, str]:
    """The kustomization that it shows, and what makes it strict."""
    kustomization, strict = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return kustomization, strict


@pytest.fixture
def compose(render: Render, tmp_path: Path) -> Compose:
    """What the kustomization of the page renders to, with another overlay, and with what stands below it."""
    (tmp_path / "kustomize").symlink_to(KUSTOMIZE)

    def composed(overlay: str = "l2", more: str = "") -> Rendered:
        folder = tmp_path / f"{overlay}-{len(more)}"
        folder.mkdir()
        text = _of_the_page()[0].replace("overlays/l2", f"overlays/{overlay}")
        (folder / "kustomization.yaml").write_text(text + more, "utf-8")
        return render(str(folder))

    return composed


@pytest.mark.parametrize("overlay", _OVERLAYS)
def test_it_has_image_and_rights_of_the_speaker_and_nothing_to_write_to(compose: Compose, overlay: str) -> None:
    rendered = compose(overlay)
    ours, speaker = rendered.container("speaker", "preflight"), rendered.container("speaker")
    for key in ("image", "imagePullPolicy", "securityContext", "resources"):
        assert ours[key] == speaker[key]
    assert ours["securityContext"]["capabilities"]["add"][1:] == (["NET_BIND_SERVICE"] if overlay == "bgp" else [])
    assert "env" not in ours
    name, *arguments = rendered.arguments("speaker", {}, "preflight")
    options = cli.commands[name].make_context(name, arguments).params
    assert (name, options["strict"]) == ("preflight", False)
    (mount,) = ours["volumeMounts"]
    assert mount == {"name": mount["name"], "mountPath": options["configs"][0], "readOnly": True}
    (volume,) = (each for each in rendered.template("speaker")["spec"]["volumes"] if each["name"] == mount["name"])
    assert volume["configMap"] == {"name": "lb-reconciler-config", "optional": True}


@pytest.mark.parametrize("overlay", _OVERLAYS)
def test_it_changes_nothing_else(compose: Compose, render: Render, overlay: str) -> None:
    without = [copy.deepcopy(found) for found in compose(overlay).objects]
    for found in without:
        if found["kind"] == "DaemonSet":
            spec = found["spec"]["template"]["spec"]
            (added,) = spec.pop("initContainers")
            spec["volumes"] = [each for each in spec["volumes"] if each["name"] != added["volumeMounts"][0]["name"]]
    assert without == list(render(f"overlays/{overlay}").objects)


def test_the_image_of_an_own_registry_is_its_as_well(compose: Compose) -> None:
    images = "images:\n  - {name: lb-reconciler, newName: registry.example.com/lb-reconciler, newTag: 0.1.0}\n"
    container = compose("l2", images).container("speaker", "preflight")
    assert container["image"] == "registry.example.com/lb-reconciler:0.1.0"


@pytest.mark.parametrize("overlay", ["bgp", "git-sync"])
def test_the_api_server_takes_it_as_it_is(admin: Api, compose: Compose, overlay: str) -> None:
    rendered, kinds = compose(overlay, _of_the_page()[1]), Kinds(admin)
    wanted = [found for found in rendered.objects if found["kind"] in {"Namespace", "ServiceAccount", "DaemonSet"}]
    for manifest in wanted:
        kinds.apply(manifest, "argocd-controller")
    # Whoever compares both, as Argo CD and Flux do, finds no drift.
    for manifest in wanted:
        again = kinds.apply(manifest, "argocd-controller", dry_run=True)
        assert without_bookkeeping(again) == without_bookkeeping(kinds.live(manifest))
    pod = pod_of(rendered.template("speaker"), "any")
    path = f"/api/v1/namespaces/{rendered.one('DaemonSet', 'speaker')['metadata']['namespace']}/pods"
    created = admin.request("POST", f"{path}?dryRun=All&fieldValidation=Strict", pod)
    assert [each["name"] for each in created["spec"]["initContainers"]] == ["preflight"]
    remove(admin, rendered)


class Node:
    """A node of a lab, whose kubelet runs the container before it starts the speaker."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self._lab = lab
        self._config = folder / "config"
        self._config.mkdir()
        self._elsewhere = folder / "elsewhere"
        self._elsewhere.mkdir()

    def deliver(self, text: str) -> None:
        """The ConfigMap has one file from now on."""
        (self._config / "pools.yaml").write_text(text, "utf-8")

    def run(self, rendered: Rendered) -> tuple[bool, str]:
        """Whether the speaker would be started, and the log. A Pod sees no process of the host."""
        container = rendered.container("speaker", "preflight")
        capabilities = container["securityContext"]["capabilities"]
        assert capabilities["drop"] == ["ALL"]
        bounding = ",".join(("-all", *(f"+{name.lower()}" for name in capabilities["add"])))
        (mount,) = container["volumeMounts"]
        arguments = [text.replace(mount["mountPath"], str(self._config)) for text in container["args"]]
        confinement = ("unshare", "--pid", "--fork", "--mount-proc", *confined(bounding, self._elsewhere, "/probe"))
        program = (sys.executable, "-W", "error", "-m", "reconciler", *arguments)
        finished = subprocess.run(
            [*self._lab.inside("n1"), *confinement, *program],
            env={**os.environ, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert finished.returncode in {0, 1}, finished.stderr
        return finished.returncode == 0, finished.stdout

    @contextmanager
    def taken_port(self) -> Iterator[None]:
        """Somebody else has the port of the group meanwhile."""
        command = [*self._lab.inside("n1"), sys.executable, "-c", _HOLDS_A_PORT]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
                yield
            finally:
                process.kill()


@pytest.mark.parametrize("lab_hosts", [("n1",)])
def test_a_speaker_waits_for_its_node_only_where_it_is_told_to(compose: Compose, lab: Lab, tmp_path: Path) -> None:
    reports, holds = compose(), compose(more=_of_the_page()[1])
    node = Node(lab, tmp_path)
    # The first time there is no ConfigMap yet.
    starts, log = node.run(reports)
    assert starts
    assert "warning[configuration-refused]" in log
    assert "\nannounces on: eth0\n" in log
    node.deliver(_FILES)
    starts, log = node.run(holds)
    assert starts, log
    assert "configuration-refused" not in log
    with node.taken_port():
        for rendered, expected in ((reports, True), (holds, False)):
            starts, log = node.run(rendered)
            assert starts is expected
            assert log.startswith("error[port-taken] tcp/7947: ")
