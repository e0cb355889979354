"""A bad revision: what ran before runs on, everybody can see that it does, and a restart changes neither."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.controlplane.api import wait_until
from tests.loop.conftest import NewCorner
from tests.loop.corner import EVERYWHERE, Corner, pool
from tests.loop.running import RunningController

GOOD = (pool("p", "10.9.0.0/28"), EVERYWHERE)
# In the file the entry is on the fourth line.
BAD = pool("q", "10.9.0.7/33")
PLACE = "bad.yaml:4:22"
STALE = "metallb_k8s_client_config_stale_bool"
LOADED = "metallb_k8s_client_config_loaded_bool"


@dataclass(frozen=True)
class Refused:
    """A controller under a bad revision, and what it said of itself before."""

    corner: Corner
    controller: RunningController
    before: Any


def spoil(corner: Corner) -> None:
    corner.write(BAD, name="bad.yaml")


def mend(corner: Corner) -> None:
    (corner.config / "bad.yaml").unlink()


@pytest.fixture(scope="module")
def refused(new_corner: NewCorner) -> Iterator[Refused]:
    corner = new_corner()
    corner.write(*GOOD)
    corner.api.create("configmaps", corner.namespace, {"metadata": {"name": "configuration"}})
    corner.create("older")
    with corner.start(f"--config-object={corner.namespace}/configuration") as controller:
        corner.wait_for_address("older")
        before = corner.wait_for_verdict("passed")
        spoil(corner)
        corner.wait_for_verdict("refused")
        yield Refused(corner, controller, before)


def test_the_log_names_the_line(refused: Refused) -> None:
    assert len(refused.controller.wait_for_lines(f"error: {PLACE}: error[", "10.9.0.7/33")) == 1
    revision = refused.before["revision"]
    (line,) = refused.controller.wait_for_lines("warning: ", "is refused")
    assert f"{revision} stays in force" in line
    assert PLACE in line


def test_the_metrics_say_that_the_configuration_is_stale(refused: Refused) -> None:
    assert refused.controller.metric(STALE) == 1
    assert refused.controller.metric(LOADED) == 1
    assert refused.controller.metric("lb_reconciler_newest_revision_verdict", verdict="refused") == 1
    assert refused.controller.metric("lb_reconciler_configuration_problems", severity="error") == 1


@pytest.mark.parametrize(
    ("kind", "name"),
    [pytest.param("Pod", "replica", id="its Pod"), pytest.param("ConfigMap", "configuration", id="the ConfigMap")],
)
def test_an_event_tells_who_looks_at(refused: Refused, kind: str, name: str) -> None:
    event = refused.corner.wait_for_event(name, "ConfigurationRefused", PLACE, kind=kind)
    assert event["type"] == "Warning"
    assert event["count"] == 1
    if kind == "ConfigMap":
        found = refused.corner.api.get("configmaps", refused.corner.namespace, name)
        assert event["involvedObject"]["uid"] == found["metadata"]["uid"]


def test_the_status_lists_the_problems(refused: Refused) -> None:
    found = refused.controller.status()
    assert found["revision"] == refused.before["revision"]
    assert found["newest"]["revision"] not in {None, found["revision"]}
    assert found["newest"]["verdict"] == "refused"
    assert PLACE in found["newest"]["message"]
    (problem,) = found["problems"]
    assert (problem["path"], problem["line"], problem["column"]) == ("bad.yaml", 4, 22)


def test_the_status_configmap_has_the_verdict_and_the_revision_in_force(refused: Refused) -> None:
    published = refused.corner.board()
    assert published["newest"]["verdict"] == "refused"
    assert published["revision"] == refused.before["revision"]
    assert published["problems"][0]["path"] == "bad.yaml"


def test_it_stays_ready_and_serves_on(refused: Refused) -> None:
    assert refused.controller.ask("/readyz") == (200, "ok\n")
    held = refused.corner.ingress("older")
    refused.corner.create("meanwhile")
    refused.corner.wait_for_address("meanwhile", "10.9.0.1")
    assert refused.corner.ingress("older") == held


def test_it_is_said_once_however_often_it_is_looked_at(refused: Refused) -> None:
    refused.controller.look_again()
    refused.controller.look_again()
    assert len(refused.controller.lines("is refused")) == 1
    assert [
        event["count"] for event in refused.corner.events("replica", kind="Pod", reason="ConfigurationRefused")
    ] == [1]


def test_a_restart_with_a_state_directory_goes_on_and_one_without_waits(corner: Corner) -> None:
    corner.write(*GOOD)
    corner.create("older")
    with corner.start(state=corner.state) as first:
        held = corner.wait_for_address("older")
        revision = corner.wait_for_verdict("passed")["revision"]
        first.kill()
    spoil(corner)
    with corner.start(state=corner.state) as second:
        corner.create("newer")
        corner.wait_for_address("newer")
        assert corner.ingress("older") == held
        assert second.ask("/readyz") == (200, "ok\n")
        assert second.status()["revision"] == revision
        wait_until(lambda: second.metric(STALE) == 1, "stale")
        assert second.wait_for_lines(f"error: {PLACE}: error[")
        corner.wait_for_event("replica", "ConfigurationRefused", PLACE, kind="Pod")
        corner.wait_for_verdict("refused")
        second.kill()
    with corner.start() as third:
        wait_until(lambda: PLACE in third.ask("/readyz")[1], "it says why it is not ready")
        code, reason = third.ask("/readyz")
        assert code == 503
        assert reason.startswith("no valid configuration: ")
        corner.create("too-late")
        wait_until(lambda: third.status()["leading"], "it leads")
        third.look_again()
        assert corner.taken() == {"older": held, "newer": ["10.9.0.1"], "too-late": []}
        assert third.metric(LOADED) == 0
        mend(corner)
        corner.wait_for_address("too-late", "10.9.0.2")
        assert third.ask("/readyz") == (200, "ok\n")
        assert third.metric(LOADED) == 1


def test_the_good_revision_is_no_longer_stale_when_it_comes_back(corner: Corner) -> None:
    corner.write(*GOOD)
    with corner.start() as controller:
        controller.wait_until_ready()
        corner.wait_for_verdict("passed")
        spoil(corner)
        wait_until(lambda: controller.metric(STALE) == 1, "stale")
        mend(corner)
        wait_until(lambda: controller.metric(STALE) == 0, "not stale any more")
        published = corner.wait_for_verdict("passed")
        assert published["newest"]["revision"] == published["revision"]
        assert published["problems"] == []
        corner.config.rename(corner.config.with_name("elsewhere"))
        wait_until(lambda: controller.metric(STALE) == 1, "stale without any files")
        assert controller.ask("/readyz") == (200, "ok\n")
        assert str(corner.config) in corner.wait_for_verdict("refused")["newest"]["message"]
        corner.create("orphan")
        corner.wait_for_address("orphan", "10.9.0.0")
        corner.config.with_name("elsewhere").rename(corner.config)
        wait_until(lambda: controller.metric(STALE) == 0, "not stale any more")


def test_what_is_wrong_beside_the_nodes_of_the_cluster_is_refused_as_well(corner: Corner) -> None:
    label, node = f"{corner.namespace}.example.com/rack", corner.namespace
    corner.write(*GOOD, peer("a", f"{label}-a"), peer("b", f"{label}-b"))
    corner.api.create("nodes", None, {"metadata": {"name": node, "labels": {f"{label}-a": "", f"{label}-b": ""}}})
    try:
        with corner.start(interval=1) as controller:
            wait_until(lambda: "share a node" in controller.ask("/readyz")[1], "it says what is wrong")
            assert controller.ask("/readyz")[0] == 503
            corner.wait_for_verdict("refused")
            corner.api.patch("nodes", None, node, {"metadata": {"labels": {f"{label}-b": None}}})
            controller.wait_until_ready()
            corner.wait_for_verdict("passed")
    finally:
        corner.api.delete("nodes", None, node)


def peer(name: str, label: str) -> str:
    return f"""\
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {{name: {name}}}
spec:
  myASN: 64512
  peerASN: 64513
  peerAddress: 192.0.2.254
  nodeSelectors: [{{matchLabels: {{"{label}": ""}}}}]
"""
