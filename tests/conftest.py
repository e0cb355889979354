"""What every room's tests may ask for: a real control plane, and a corner of it for each test."""

import os
import secrets
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from reconciler.cli.lab import Lab, LabError, why_no_lab
from tests.controlplane.api import Api
from tests.controlplane.build import NoControlPlaneError, Programs, find_programs
from tests.controlplane.harness import ControlPlane
from tests.controlplane.manifests import apply_rights
from tests.controlplane.rights import Right

# How long an example takes, or to draw one, tells of a busy machine and not of us. All else is as Hypothesis has it,
# which in CI draws the same examples in every run.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


@pytest.fixture(scope="session")
def control_plane_programs(request: pytest.FixtureRequest) -> Programs:
    """kube-apiserver and etcd, built where they are not there yet. Skips where they cannot be had; fails in CI."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    try:
        # A build takes minutes, and says so.
        with capture.global_and_fixture_disabled():
            return find_programs()
    except NoControlPlaneError as exc:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no API server to test against: {exc}")


@pytest.fixture(scope="session")
def control_plane(control_plane_programs: Programs) -> Iterator[ControlPlane]:
    """The API server of this run. All tests share it, so none of them stops it."""
    running = ControlPlane(control_plane_programs)
    yield running
    running.close()


@pytest.fixture
def own_control_plane(control_plane_programs: Programs) -> Iterator[ControlPlane]:
    """An API server for one test, which may kill it, empty it or make it forget. It takes seconds to start."""
    running = ControlPlane(control_plane_programs)
    yield running
    running.close()


@pytest.fixture(scope="session")
def api(control_plane: ControlPlane) -> Iterator[Api]:
    """What an administrator may do on the shared API server."""
    client = control_plane.api()
    yield client
    client.close()


@pytest.fixture(scope="session")
def rbac(api: Api) -> frozenset[Right]:
    """The rights of the controller's users on the shared API server, as the manifests give them; none without this."""
    return apply_rights(api)


@pytest.fixture
def namespace(api: Api) -> Iterator[str]:
    """A namespace of this test. Nodes whose names begin with its name go with it: others would elect them."""
    name = f"test-{secrets.token_hex(4)}"
    api.create_namespace(name)
    yield name
    for node in api.objects("nodes"):
        if node["metadata"]["name"].startswith(name):
            api.delete("nodes", None, node["metadata"]["name"])


@pytest.fixture
def lb_class() -> str:
    """A load-balancer class of this test: Services of other tests are none of its business."""
    return f"example.com/t-{secrets.token_hex(4)}"


@pytest.fixture
def lab_hosts() -> tuple[str, ...]:
    """The hosts of `lab`; a test module may name others."""
    return "n1", "n2", "n3", "client"


@pytest.fixture
def lab(lab_hosts: tuple[str, ...]) -> Iterator[Lab]:
    """A network of namespaces for one test. Skips where there can be none; fails in CI."""
    reason = why_no_lab()
    if reason is not None:
        if os.environ.get("CI") == "true":
            raise LabError(reason)
        pytest.skip(reason)
    with Lab(*lab_hosts) as made:
        yield made
