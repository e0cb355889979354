"""One installation for the tests of this room: it takes long to start, and each test leaves it in order."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from reconciler.cli.lab import Lab, LabError, entered, why_no_lab
from tests.controlplane.api import wait_until
from tests.controlplane.build import NoControlPlaneError, Programs, find_kube_proxy
from tests.controlplane.harness import ControlPlane
from tests.fullpath.client import HOST, WebClient
from tests.fullpath.installation import API_HOST, Installation, installed
from tests.fullpath.pods import Pod, running_pods
from tests.loop.corner import EVERYWHERE, pool

NODES = ("n1", "n2", "n3")
_FILES = "---\n".join((pool("lab", "192.0.2.200-192.0.2.239", "2001:db8::200-2001:db8::23f"), EVERYWHERE))


@pytest.fixture(scope="session")
def kube_proxy(request: pytest.FixtureRequest) -> Path:
    """The program, built where it is not there yet. Skips where it cannot be had; fails in CI."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    try:
        with capture.global_and_fixture_disabled():
            return find_kube_proxy()
    except NoControlPlaneError as exc:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no kube-proxy to test with: {exc}")


@pytest.fixture(scope="module")
def wide_lab() -> Iterator[Lab]:
    """A host of the API server, three nodes and a client. Skips where there can be none; fails in CI."""
    reason = why_no_lab(("ip", "sysctl", "nft", "arping", "ndisc6"))
    if reason is not None:
        if os.environ.get("CI") == "true":
            raise LabError(reason)
        pytest.skip(reason)
    with Lab(API_HOST, *NODES, HOST) as made:
        yield made


@pytest.fixture(scope="module")
def pods(wide_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Pod]]:
    """A web server on each node."""
    with running_pods(wide_lab, NODES, tmp_path_factory.mktemp("pods")) as running:
        yield running


@pytest.fixture(scope="module")
def installation(
    control_plane_programs: Programs,
    kube_proxy: Path,
    wide_lab: Lab,
    pods: dict[str, Pod],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Installation]:
    """Everything runs, and the speakers know each other. Tests run on the host of the API server."""
    assert pods
    folder = tmp_path_factory.mktemp("installation")
    with entered(wide_lab.namespace(API_HOST)), ExitStack() as stack:
        control_plane = ControlPlane(control_plane_programs, wide_lab.address(API_HOST))
        stack.callback(control_plane.close)
        made = stack.enter_context(installed(wide_lab, NODES, control_plane, folder))
        made.api.create_namespace("shop")
        (made.config / "pools.yaml").write_text(_FILES, "utf-8")
        controller = stack.enter_context(made.start_controller())
        for node in NODES:
            # Before there is a key: the controller makes it.
            made.start_speaker(node)
            stack.callback(made.start_kube_proxy(kube_proxy, node).kill)
        made.wait_until_together()
        controller.wait_until_ready()
        wait_until(lambda: all("kube-proxy" in wide_lab.run(n, "nft", "list", "tables") for n in NODES), "kube-proxy")
        yield made


@pytest.fixture
def web(wide_lab: Lab) -> WebClient:
    return WebClient(wide_lab, NODES)
