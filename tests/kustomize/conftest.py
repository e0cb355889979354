"""kubectl, what it makes of each directory, and an API server that has the manifests."""

import os
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.controlplane.api import Api
from tests.controlplane.build import NoControlPlaneError, Programs
from tests.controlplane.harness import ControlPlane
from tests.kustomize.program import find_kubectl
from tests.kustomize.rendered import KUSTOMIZE, Rendered

Render = Callable[[str], Rendered]
Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def kubectl_program(request: pytest.FixtureRequest) -> Path:
    """The program, built where it is not there yet. Skips where it cannot be had; fails in CI."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    try:
        with capture.global_and_fixture_disabled():
            return find_kubectl()
    except NoControlPlaneError as exc:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no kubectl to test with: {exc}")


@pytest.fixture(scope="session")
def render(kubectl_program: Path) -> Render:
    """What `kubectl kustomize` makes of a directory below `kustomize`."""

    @cache
    def made(directory: str) -> Rendered:
        command = [str(kubectl_program), "kustomize", str(KUSTOMIZE / directory)]
        finished = subprocess.run(command, capture_output=True, text=True, check=True)
        # What is deprecated is a warning there.
        assert finished.stderr == ""
        return Rendered(tuple(YAML(typ="safe").load_all(finished.stdout)))

    return made


@pytest.fixture(scope="session")
def cluster(control_plane_programs: Programs) -> Iterator[ControlPlane]:
    """An API server for the tests of this room: what is applied there concerns nobody else."""
    running = ControlPlane(control_plane_programs)
    yield running
    running.close()


@pytest.fixture(scope="session")
def admin(cluster: ControlPlane) -> Iterator[Api]:
    """What an administrator may do on it."""
    client = cluster.api()
    yield client
    client.close()


@pytest.fixture(scope="session")
def kubectl(cluster: ControlPlane, kubectl_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """Runs kubectl as an administrator, in the root of the checkout; to fail is an error unless `check=False`."""
    home = tmp_path_factory.mktemp("home")
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": str(cluster.kubeconfig("admin"))}

    def run(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        finished = subprocess.run(
            [str(kubectl_program), *arguments],
            cwd=KUSTOMIZE.parent,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0 or not check, finished.stderr
        return finished

    return run
