"""What stands in the way of a controller: rights that are missing, Services that cannot be written, places in use."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.controlplane.api import Api, ApiError, wait_until
from tests.loop.corner import EVERYWHERE, Corner, pool

POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"


@pytest.fixture
def untouchable(corner: Corner) -> Iterator[str]:
    """The name of a Service of whose status the API server takes no write."""
    name, policy = "untouchable", f"{corner.namespace}.example.com"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["services/status"]}
    where = {"matchLabels": {"kubernetes.io/metadata.name": corner.namespace}}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule], "namespaceSelector": where},
        "validations": [{"expression": f"object.metadata.name != '{name}'", "message": "not this one"}],
    }
    binding = {"policyName": policy, "validationActions": ["Deny"]}
    corner.api.request("POST", POLICIES, {"metadata": {"name": policy}, "spec": spec})
    corner.api.request("POST", BINDINGS, {"metadata": {"name": policy}, "spec": binding})
    corner.create(name)
    wait_until(lambda: is_refused(corner, name), "the policy is in force")
    yield name
    corner.api.request("DELETE", f"{BINDINGS}/{policy}")
    corner.api.request("DELETE", f"{POLICIES}/{policy}")


def is_refused(corner: Corner, name: str) -> bool:
    try:
        corner.add_condition(name)
    except ApiError as error:
        return error.status == 422
    return False


def test_a_service_that_cannot_be_written_holds_up_neither_others_nor_files(corner: Corner, untouchable: str) -> None:
    corner.write(pool("p", "10.9.0.0/28"), EVERYWHERE)
    with corner.start() as controller:
        corner.create("web")
        corner.wait_for_address("web", "10.9.0.1")
        corner.create("waiting", annotations={"metallb.io/address-pool": "q"})
        corner.wait_for_refusal("waiting", "UnknownPool")
        corner.write(pool("p", "10.9.0.0/28"), pool("q", "10.9.1.0/28"), EVERYWHERE)
        corner.wait_for_address("waiting", "10.9.1.0")
        assert corner.ingress(untouchable) == []
        assert controller.ask("/readyz") == (200, "ok\n")
        assert "not this one" in wait_until(lambda: controller.status()["lastPass"]["error"], "it says what failed")
        assert controller.metric("lb_reconciler_writes_total", result="failed") > 0
        assert controller.metric("metallb_k8s_client_update_errors_total") > 0
        # Said once for all attempts, though each is counted.
        assert len(controller.lines("warning: the pass for", "not this one")) <= 3
        assert controller.wait_for_lines(f"{corner.namespace}/{untouchable} was not written", "not this one")


@pytest.mark.parametrize(
    ("take_away", "complaint"),
    [
        pytest.param(
            lambda api, namespace: api.delete("rolebindings", namespace, "controller"),
            "no right to",
            id="no right to the status object",
        ),
        pytest.param(
            lambda api, namespace: api.delete("namespaces", None, namespace),
            "being terminated",
            id="a namespace on its way out",
        ),
    ],
)
def test_services_are_served_without_a_place_for_the_status_object(
    corner: Corner, take_away: Callable[[Api, str], None], complaint: str
) -> None:
    corner.write(pool("p", "10.9.0.0/28"), EVERYWHERE)
    take_away(corner.api, f"{corner.namespace}-status")
    with corner.start() as controller:
        corner.create("web")
        corner.wait_for_address("web", "10.9.0.0")
        assert controller.wait_for_lines("warning: ", complaint, f"{corner.namespace}-status")


def test_events_that_may_not_be_written_hold_nothing_up(corner: Corner) -> None:
    corner.write(pool("p", "10.9.0.0/28"), EVERYWHERE)
    quota = {"metadata": {"name": "no-events"}, "spec": {"hard": {"count/events": "0"}}}
    corner.api.create("resourcequotas", corner.namespace, quota)
    with corner.start() as controller:
        corner.create("web")
        corner.wait_for_address("web", "10.9.0.0")
        corner.create("vain", loadBalancerIP="192.0.2.1")
        corner.wait_for_refusal("vain")
        controller.look_again()
        assert controller.ask("/readyz") == (200, "ok\n")


def test_without_a_usable_state_directory_it_serves_and_says_so(corner: Corner, tmp_path: Path) -> None:
    corner.write(pool("p", "10.9.0.0/28"), EVERYWHERE)
    (tmp_path / "file").touch()
    with corner.start(state=tmp_path / "file" / "state") as controller:
        corner.create("web")
        corner.wait_for_address("web", "10.9.0.0")
        assert str(tmp_path) in controller.status()["stateDirProblem"]
        assert controller.wait_for_lines("warning: ", "is kept in memory only")
        wait_until(lambda: (corner.board() or {}).get("stateDirProblem"), "it is published")


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        pytest.param("--http-address=127.0.0.1:{port}", "cannot listen on 127.0.0.1:", id="a port in use"),
        pytest.param("--http-address=nonsense", "no address to listen on", id="an address that is none"),
        pytest.param("--kubeconfig=/nonexistent", "/nonexistent", id="a kubeconfig that is not there"),
        pytest.param("--config-object=nonsense", "is not NAMESPACE/NAME", id="an object that is none"),
        pytest.param("--config=-", "standard input", id="standard input"),
        pytest.param("--lease-duration=0", "lease-duration", id="a lease that is too short"),
    ],
)
def test_what_cannot_work_ends_with_one_line_and_status_2(corner: Corner, option: str, complaint: str) -> None:
    corner.write(pool("p", "10.9.0.0/28"))
    taken = socket.create_server(("127.0.0.1", 0))
    with taken, corner.start(option.format(port=taken.getsockname()[1])) as controller:
        assert controller.wait() == 2
        (line,) = controller.log.splitlines()
    assert complaint in line
