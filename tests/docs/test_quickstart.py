"""
Whoever types the quickstart gets to its end: every command of it runs here, in order, against a real API server.

There is neither kind nor a kubelet, so no Pods: the test starts the controller in their place, and writes the Node and
the EndpointSlice that such a cluster would have. What needs kind, Docker or a registry is named, and checked as far as
this machine can.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.controlplane.api import Api, wait_until
from tests.controlplane.daemon import Daemon, free_ports
from tests.controlplane.harness import ControlPlane
from tests.docs.fences import Command, commands
from tests.docs.walk import environment, typed

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "quickstart.md").read_text("utf-8")
_IMAGE = "lb-reconciler:0.1.0"
_CONTROLLER_IS_UP = "kubectl wait --for=condition=lb-reconciler.io/Assigned service/web --timeout=60s"


class Walk:
    """A folder with what a checkout has, a cluster, and the controller that would run in it."""

    def __init__(self, folder: Path, cluster: ControlPlane, kubectl: Path) -> None:
        self.folder = folder
        self._log = folder.parent / "controller.log"
        self._api = cluster.api()
        self._controller: Daemon | None = None
        self.variables = environment(KUBECONFIG=str(cluster.kubeconfig("admin")), HOME=str(folder.parent))
        self.variables["PATH"] = f"{kubectl.parent}:{self.variables['PATH']}"
        # As the kubeconfig that kind writes has it.
        typed("kubectl config set-context --current --namespace=default", folder, self.variables)

    def type(self, command: Command) -> subprocess.CompletedProcess[str]:
        """Type one command of the page; what a cluster would do meanwhile is done before."""
        if command.typed == _CONTROLLER_IS_UP:
            self._be_a_cluster()
        return typed(command.typed, self.folder, self.variables)

    def close(self) -> None:
        if self._controller is not None:
            self._controller.kill()
        self._api.close()

    def _be_a_cluster(self) -> None:
        _create_node_and_endpoint(self._api)
        (port,) = free_ports(1)
        command = [sys.executable, "-m", "reconciler", "controller", "--config=lab", f"--http-address=127.0.0.1:{port}"]
        self._controller = Daemon(["env", "-C", str(self.folder), *command], self._log, self.variables)


@pytest.fixture(scope="module")
def walk(cluster: ControlPlane, kubectl_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    folder = tmp_path_factory.mktemp("quickstart") / "checkout"
    shutil.copytree(ROOT / "kustomize", folder / "kustomize")
    made = Walk(folder, cluster, kubectl_program)
    yield made
    made.close()


def _builds_the_image(_: Walk) -> None:
    shown = subprocess.run(
        ["make", "--dry-run", "image"], cwd=ROOT, capture_output=True, text=True, check=True, env=environment()
    )
    assert f"--tag {_IMAGE} " in shown.stdout.replace("\\\n", " ")


def _is_the_image_of_the_manifests(walk: Walk) -> None:
    built = typed("kubectl kustomize kustomize/overlays/l2", walk.folder, walk.variables)
    assert f"image: {_IMAGE}\n" in built.stdout


def _finds_no_pods_without_a_kubelet(walk: Walk) -> None:
    command = "kubectl wait --namespace lb-reconciler --for=condition=ready pod --all --timeout=180s"
    assert typed(command, walk.folder, walk.variables).stderr == "error: no matching resources found\n"


def _is_the_address_it_has(walk: Walk) -> None:
    command = "kubectl get service web -o jsonpath='{.status.loadBalancer.ingress[0].ip}'"
    assert typed(command, walk.folder, walk.variables).stdout == "172.18.255.200"


def _shows_the_controller(walk: Walk) -> None:
    wait_until(lambda: "passed since" in (shown := _status(walk)) and "Services  1 assigned" in shown, "its status")


def _status(walk: Walk) -> str:
    return typed("reconciler status", walk.folder, walk.variables).stdout


def _is_a_project(_: Walk) -> None:
    assert (ROOT / "pyproject.toml").is_file()
    assert (ROOT / "reconciler" / "__main__.py").is_file()


def _needs_no_check(_: Walk) -> None:
    """It is others' programs alone."""


# What cannot run here, and why not: kind, k3s, Docker, a registry, a kubelet; or it never ends by itself.
NOT_HERE: dict[str, Callable[[Walk], None]] = {
    "python3 -m venv .venv": _needs_no_check,
    ".venv/bin/pip install --quiet .": _is_a_project,
    'export PATH="$PWD/.venv/bin:$PATH"': _needs_no_check,
    "make image": _builds_the_image,
    "kind create cluster --name lb": _needs_no_check,
    f"kind load docker-image --name lb {_IMAGE}": _is_the_image_of_the_manifests,
    f"docker save {_IMAGE} | sudo k3s ctr images import -": _is_the_image_of_the_manifests,
    "export KUBECONFIG=/etc/rancher/k3s/k3s.yaml": _needs_no_check,
    "docker network inspect kind --format '{{range .IPAM.Config}}{{println .Subnet}}{{end}}'": _needs_no_check,
    "kubectl wait --namespace lb-reconciler --for=condition=ready pod --all --timeout=180s": (
        _finds_no_pods_without_a_kubelet
    ),
    "curl --silent --fail --output /dev/null --write-out '%{http_code}\\n' http://172.18.255.200/": (
        _is_the_address_it_has
    ),
    "reconciler status --watch": _shows_the_controller,
    # Namespaces go when their controller has emptied them, and there is none here.
    "kubectl delete -k kustomize/overlays/l2": _is_the_image_of_the_manifests,
    "kind delete cluster --name lb": _needs_no_check,
}


def test_every_command_of_the_quickstart_does_what_the_page_says(walk: Walk) -> None:
    ran = 0
    for command in commands(PAGE):
        if command.typed in NOT_HERE:
            NOT_HERE[command.typed](walk)
            continue
        finished = walk.type(command)
        ran += 1
        if command.printed is None:
            assert finished.returncode == 0, (command.typed, finished.stderr)
        else:
            assert finished.stdout == command.printed, (command.typed, finished.stderr)
    assert ran > 10


def test_what_is_not_typed_here_is_on_the_page() -> None:
    assert set(NOT_HERE) <= {command.typed for command in commands(PAGE)}


def _create_node_and_endpoint(api: Api) -> None:
    """What a cluster of kind has: one node, and the Pod of the Deployment on it."""
    node = {"metadata": {"name": "lb-control-plane"}}
    api.create("nodes", None, {"apiVersion": "v1", "kind": "Node", **node})
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    api.request("PATCH", "/api/v1/nodes/lb-control-plane/status", ready, "application/strategic-merge-patch+json")
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.244.0.5"], "nodeName": "lb-control-plane", "conditions": {"ready": True}}],
        "ports": [{"name": "", "port": 80, "protocol": "TCP"}],
    }
    api.request("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", slice_)
