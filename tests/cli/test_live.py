"""`diff` and `explain` against a real API server."""

import json
from pathlib import Path

import pytest

from reconciler.cluster.connection import Connection
from reconciler.cluster.live import read_live
from reconciler.telemetry.speaker_status import document
from tests.cli.conftest import Run
from tests.cli.live import PEER, POOLS, add_password, furnish, reader_without_secrets, write_config
from tests.controlplane.api import Api, wait_until
from tests.controlplane.harness import ControlPlane
from tests.telemetry.builders import SESSION, speaker


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path / "config", POOLS)


@pytest.fixture
def furnished(api: Api, namespace: str, lb_class: str) -> str:
    furnish(api, namespace, lb_class)
    return namespace


@pytest.fixture
def admin(control_plane: ControlPlane, lb_class: str) -> str:
    return f"--kubeconfig {control_plane.kubeconfig('admin')} --lb-class {lb_class}"


def test_diff_of_a_live_cluster(reconciler: Run, config: Path, furnished: str, admin: str) -> None:
    status, out, err = reconciler(f"diff --config {config} {admin} --output json")
    assert (status, err) == (1, "")
    found = json.loads(out)
    rows = {row["service"]: row for row in found["services"] if row["action"] != "ignore"}
    assert {key.removeprefix(f"{furnished}/"): row["action"] for key, row in rows.items()} == {
        "held": "keep",
        "fresh": "assign",
        "local": "assign",
        "wish": "refuse",
    }
    assert rows[f"{furnished}/held"]["after"] == ["192.0.2.5"]
    assert rows[f"{furnished}/wish"]["reason"] == "unknown-pool"
    assert {(a["service"], a["node"]) for a in found["announcements"]} == {(f"{furnished}/held", f"{furnished}-a")}


def test_explain_of_a_live_service(reconciler: Run, config: Path, furnished: str, admin: str) -> None:
    status, out, err = reconciler(f"explain {furnished}/local --config {config} {admin}")
    assert (status, err) == (0, "")
    assert "would be given 192.0.2." in out
    assert f"{furnished}-b" in out


ROUTES = """
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: everything}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: tor-a}
spec: {myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.254}
"""


def test_explain_tells_the_sessions_that_speakers_have_published(
    reconciler: Run, tmp_path: Path, furnished: str, admin: str, lb_class: str, *, api: Api
) -> None:
    config = write_config(tmp_path / "config", POOLS, ROUTES)
    line = f"explain {furnished}/held --config {config} {admin} --namespace {furnished} --output json"
    # Nobody has published anything, and there is not even a place for it.
    assert json.loads(reconciler(line)[1])["sessions"] == []
    api.create_namespace(f"{furnished}-status")
    said = document(speaker(node=f"{furnished}-a", sessions=[SESSION], members=(), lb_class=lb_class)).decode()
    config_map = {"metadata": {"name": "lb-reconciler-status-a"}, "data": {"status.json": said}}
    api.create("configmaps", f"{furnished}-status", config_map)
    status, out, err = reconciler(line)
    assert (status, err) == (0, "")
    # Other tests have nodes in the same cluster.
    found = {(row["node"], row["peer"]): row["state"] for row in json.loads(out)["sessions"]}
    assert found[f"{furnished}-a", "tor-a"] == "established"


def test_explain_goes_without_the_right_to_see_what_was_published(
    reconciler: Run, tmp_path: Path, furnished: str, control_plane: ControlPlane, lb_class: str, *, api: Api
) -> None:
    config = write_config(tmp_path / "config", POOLS, ROUTES)
    with reader_without_secrets(api) as user:
        allowed = control_plane.api(user)
        wait_until(lambda: allowed.objects("services") is not None, "the right to list is in force")
        allowed.close()
        status, out, err = reconciler(
            f"explain {furnished}/held --config {config} --kubeconfig {control_plane.kubeconfig(user)} "
            f"--lb-class {lb_class} --namespace {furnished} --output json"
        )
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["sessions"] == []
    assert {row["peer"] for row in found["announcements"]} == {None, "tor-a"}


def test_the_live_cluster_is_the_default(
    reconciler: Run, config: Path, furnished: str, control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RECONCILER_CLUSTER", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig("admin")))
    status, out, _ = reconciler(f"explain {furnished}/held --config {config} --context tests")
    assert (status, "not-our-class" in out) == (0, True)


def test_secrets_of_our_namespace_are_looked_up(
    reconciler: Run, tmp_path: Path, api: Api, namespace: str, admin: str
) -> None:
    config = write_config(tmp_path / "config", POOLS, PEER)
    line = f"diff --config {config} {admin} --namespace {namespace} --output json"
    status, out, _ = reconciler(line)
    (problem,) = json.loads(out)["config"]["problems"]
    assert (status, problem["severity"]) == (2, "error")
    assert "tor-password" in problem["message"]
    add_password(api, namespace)
    status, out, _ = reconciler(line)
    assert (status, json.loads(out)["config"]["problems"]) == (0, [])
    assert "opensesame" not in out


def test_secrets_that_may_not_be_listed_are_unknown(
    reconciler: Run, tmp_path: Path, api: Api, namespace: str, control_plane: ControlPlane
) -> None:
    config = write_config(tmp_path / "config", POOLS, PEER)
    with reader_without_secrets(api) as user:
        allowed = control_plane.api(user)
        wait_until(lambda: allowed.objects("services") is not None, "the right to list is in force")
        allowed.close()
        status, out, _ = reconciler(
            f"diff --config {config} --kubeconfig {control_plane.kubeconfig(user)} "
            f"--lb-class example.com/nobodys --namespace {namespace} --output json"
        )
    (problem,) = json.loads(out)["config"]["problems"]
    assert (status, problem["severity"]) == (0, "warning")


@pytest.mark.parametrize(
    "command", ["diff --config {config}", "explain a/b --config {config}", "status", "snapshot", "status --output json"]
)
def test_who_may_not_read_is_told_in_one_line(
    reconciler: Run, config: Path, control_plane: ControlPlane, command: str
) -> None:
    line = f"{command.format(config=config)} --kubeconfig {control_plane.kubeconfig('nobody')}"
    status, out, err = reconciler(line)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "403 Forbidden" in err
    assert 'User "nobody" cannot list resource' in err


@pytest.mark.parametrize("command", ["diff --config {config}", "explain a/b --config {config}", "status", "snapshot"])
def test_a_cluster_that_is_away_is_one_line(
    reconciler: Run, config: Path, control_plane: ControlPlane, command: str
) -> None:
    kubeconfig = control_plane.kubeconfig("admin", server="https://127.0.0.1:1")
    status, out, err = reconciler(f"{command.format(config=config)} --kubeconfig {kubeconfig}")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "https://127.0.0.1:1" in err


async def test_lists_are_read_page_by_page(api: Api, namespace: str, control_plane: ControlPlane) -> None:
    for number in range(5):
        api.create_service(namespace, f"s{number}")
    connection = await Connection.open(kubeconfig=str(control_plane.kubeconfig("admin")))
    try:
        observed = await read_live(connection, namespace=namespace, secrets=False, page_size=2)
    finally:
        await connection.close()
    assert observed.secrets is None
    assert [service.name for service in observed.services if service.namespace == namespace] == [
        f"s{number}" for number in range(5)
    ]


def test_a_directory_has_no_kubeconfig(reconciler: Run, config: Path) -> None:
    status, out, err = reconciler(f"diff --config {config} --cluster dir:x --context tests")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "belong to --cluster kube" in err
