"""Statuses: what is somebody else's, what is found at the start, and what a controller says of itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.controlplane.api import wait_until
from tests.loop.conftest import NewCorner
from tests.loop.corner import CONDITION, EVERYWHERE, FROM_POOL, THEIRS, Corner, from_pool, pool, requested
from tests.loop.rows import name_of, service_name
from tests.loop.running import RunningController


@pytest.fixture(scope="module")
def corner(new_corner: NewCorner) -> Corner:
    """One for all tests of this module: each has Services of its own."""
    made = new_corner()
    made.write(pool("p", "10.9.0.0/24"), EVERYWHERE)
    return made


@pytest.fixture(scope="module")
def running(corner: Corner) -> Iterator[RunningController]:
    found_at_start(corner)
    with corner.start() as controller:
        yield controller.wait_until_ready()


# What is somebody else's


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"loadBalancerClass": "example.com/somebody-else"}, id="another class"),
        pytest.param({"loadBalancerClass": None}, id="no class"),
        pytest.param({"loadBalancerClass": None, "type": "ClusterIP"}, id="another type"),
    ],
)
@pytest.mark.parametrize("has_status", [True, False])
def test_a_service_that_is_not_ours_is_never_touched(
    corner: Corner,
    running: RunningController,
    request: pytest.FixtureRequest,
    spec: Mapping[str, Any],
    has_status: bool,
) -> None:
    name = service_name(request)
    corner.create(name, **spec)
    if has_status:
        corner.add_condition(name)
        if "type" not in spec:
            corner.api.patch_status(corner.namespace, name, {"loadBalancer": {"ingress": [{"ip": "10.9.0.3"}]}})
    before = corner.get(name)
    running.look_again()
    served_after(corner, name)
    assert corner.get(name) == before
    assert corner.events(name) == []


@pytest.mark.usefixtures("running")
def test_conditions_and_fields_of_other_writers_stay(corner: Corner) -> None:
    corner.create("crowded", annotations={"example.com/note": "theirs"}, labels={"app": "crowded"})
    corner.wait_for_address("crowded")
    corner.add_condition("crowded")
    before = corner.get("crowded")
    corner.patch("crowded", {"metadata": {"annotations": requested("10.9.0.99")}})
    corner.wait_for_address("crowded", "10.9.0.99")
    after = corner.get("crowded")
    types = {condition["type"] for condition in after["status"]["conditions"]}
    assert types == {THEIRS, CONDITION}
    assert after["metadata"]["annotations"]["example.com/note"] == "theirs"
    assert after["metadata"]["labels"] == {"app": "crowded"}
    assert after["spec"] == before["spec"]


@pytest.mark.usefixtures("running")
def test_nothing_but_the_status_and_one_annotation_is_ever_written(corner: Corner) -> None:
    made = corner.create("spared")
    corner.wait_for_address("spared")
    found = corner.api.get("services", corner.namespace, "spared")
    assert found["spec"] == made["spec"]
    ours = [entry for entry in found["metadata"]["managedFields"] if entry["manager"].startswith("lb-reconciler")]
    assert {entry["subresource"] for entry in ours} == {"status"}
    for entry in ours:
        fields = entry["fieldsV1"]
        assert set(fields) <= {"f:metadata", "f:status"}
        assert set(fields["f:metadata"]) == {"f:annotations"}
        assert set(fields["f:metadata"]["f:annotations"]) - {"."} == {f"f:{FROM_POOL}"}


def served_after(corner: Corner, name: str) -> None:
    """Return when a Service that was created later than all that happened so far has been served."""
    later = f"{name[:40].rstrip('-')}-later"
    corner.create(later)
    corner.wait_for_address(later)


# Statuses that the controller finds when it starts


@dataclass(frozen=True)
class Standing:
    """What the status of a Service says before anybody of us looks at it, and what it says afterwards."""

    ingress: tuple[Mapping[str, str], ...]
    expected: str | None
    ours: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)
    refused: str | None = None


STANDING = {
    "an address of a pool is kept": Standing(({"ip": "10.9.0.120"},), "10.9.0.120"),
    "an address of ours is kept": Standing(({"ip": "10.9.0.121"},), "10.9.0.121", ours=True),
    "an address of no pool is replaced": Standing(({"ip": "203.0.113.5"},), "10.9.0."),
    "an address of ours that is of no pool any more is replaced": Standing(
        ({"ip": "203.0.113.6"},), "10.9.0.", ours=True
    ),
    "a host name is replaced": Standing(({"hostname": "lb.example.com"},), "10.9.0."),
    "an address stays and a host name beside it goes": Standing(
        ({"ip": "10.9.0.122"}, {"hostname": "lb.example.com"}), "10.9.0.122"
    ),
    "an address of the other family is replaced": Standing(({"ip": "fd09:2::5"},), "10.9.0.", ours=True),
    "two addresses of one family are replaced": Standing(
        ({"ip": "10.9.0.123"}, {"ip": "203.0.113.7"}), "10.9.0.", ours=True
    ),
    "what others wrote stays where we have nothing better": Standing(
        ({"ip": "203.0.113.8"},), "203.0.113.8", annotations=from_pool("ghost"), refused="UnknownPool"
    ),
    "a host name stays where we have nothing better": Standing(
        ({"hostname": "lb.example.com"},), None, annotations=from_pool("ghost"), refused="UnknownPool"
    ),
}


def found_at_start(corner: Corner) -> None:
    for row, standing in STANDING.items():
        mark = {FROM_POOL: "p"} if standing.ours else {}
        corner.create(name_of(row), annotations={**mark, **standing.annotations})
        status = {"loadBalancer": {"ingress": list(standing.ingress)}}
        corner.api.patch_status(corner.namespace, name_of(row), status)


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("row", STANDING)
def test_of_what_is_found_at_the_start(corner: Corner, row: str) -> None:
    standing, name = STANDING[row], name_of(row)
    if standing.refused:
        corner.wait_for_refusal(name, standing.refused)
    else:
        wait_until(lambda: corner.condition(name).get("status") == "True", "it is assigned")
    found = corner.get(name)
    entries = found["status"]["loadBalancer"]["ingress"]
    if standing.refused:
        assert [{key: entry[key] for key in entry if key != "ipMode"} for entry in entries] == list(standing.ingress)
        assert FROM_POOL not in found["metadata"]["annotations"]
        return
    (entry,) = entries
    assert "hostname" not in entry
    assert standing.expected is not None
    assert entry["ip"].startswith(standing.expected)
    assert found["metadata"]["annotations"][FROM_POOL] == "p"


# Exposition


def test_the_port_answers_what_was_promised(corner: Corner, running: RunningController) -> None:
    corner.create("counted")
    corner.wait_for_address("counted")
    assert running.ask("/healthz") == (200, "ok\n")
    assert running.ask("/readyz") == (200, "ok\n")
    found = running.status()
    assert found["role"] == "controller"
    assert (found["leading"], found["leader"], found["lbClass"]) == (True, "replica", corner.lb_class)
    assert found["revision"] == found["newest"]["revision"]
    assert found["newest"]["verdict"] == "passed"
    assert found["problems"] == []
    assert found["cluster"] == {"synced": True, "awaySince": None, "error": None}
    (state,) = [s for s in found["services"] if s["service"] == f"{corner.namespace}/counted"]
    assert (state["addresses"], state["pool"]) == (corner.ingress("counted"), "p")
    assert running.ask("/nothing")[0] == 404


def test_the_metrics_have_the_names_of_metallb_and_ours(corner: Corner, running: RunningController) -> None:
    corner.create("measured")
    corner.wait_for_address("measured")
    wait_until(lambda: running.metric("metallb_allocator_addresses_total", pool="p") == 256, "the pool")
    in_use = "metallb_allocator_addresses_in_use_total"
    assert 0 < running.metric(in_use, pool="p") <= 256
    assert running.metric("metallb_k8s_client_config_loaded_bool") == 1
    assert running.metric("metallb_k8s_client_config_stale_bool") == 0
    assert running.metric("metallb_k8s_client_updates_total") > 0
    assert running.metric("metallb_k8s_client_update_errors_total") == 0
    assert running.metric("lb_reconciler_leading") == 1
    assert running.metric("lb_reconciler_plan_held") == 0
    assert running.metric("lb_reconciler_cluster_synced") == 1
    assert running.metric("lb_reconciler_passes_total", result="done") > 0
    assert running.metric("lb_reconciler_passes_total", result="failed") == 0
    assert running.metric("lb_reconciler_writes_total", result="written") > 0
    revision = running.status()["revision"]
    assert running.metric("lb_reconciler_applied_revision_info", revision=revision) == 1
