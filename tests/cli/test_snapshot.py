"""`reconciler snapshot`: small, stable and harmless, and `diff` says the same of it as of the cluster."""

import json
import os
import threading
from pathlib import Path

import pytest

from reconciler.cluster.api_object import ApiObject, Place, objects_in
from reconciler.cluster.trimming import Trimmed, snapshot_lines
from tests.cli.conftest import EXAMPLES, Run
from tests.cli.live import POOLS, furnish, write_config
from tests.controlplane.api import Api, Object
from tests.controlplane.harness import ControlPlane


@pytest.fixture
def furnished(api: Api, namespace: str, lb_class: str) -> str:
    furnish(api, namespace, lb_class)
    return namespace


@pytest.fixture
def kubeconfig(control_plane: ControlPlane) -> Path:
    return control_plane.kubeconfig("admin")


def objects(text: str, namespace: str) -> dict[str, Object]:
    """Those that belong to a test, by kind and name."""
    return {
        f"{found['kind']}/{found['metadata']['name']}": found
        for found in json.loads(text)["items"]
        if namespace in (found["metadata"].get("namespace"), found["metadata"]["name"][:13])
    }


def test_diff_says_the_same_of_a_snapshot_as_of_the_cluster(
    reconciler: Run, tmp_path: Path, furnished: str, lb_class: str, kubeconfig: Path
) -> None:
    config = write_config(tmp_path / "config", POOLS)
    file = tmp_path / "cluster.json"
    assert reconciler(f"snapshot --kubeconfig {kubeconfig} --output-file {file}") == (0, "", "")
    live = f"--kubeconfig {kubeconfig} --lb-class {lb_class}"
    saved = f"--cluster dir:{file} --lb-class {lb_class}"
    for line in (
        f"diff --config {config} --output json",
        f"diff --config {config}",
        *(f"explain {furnished}/{name} --config {config} --output json" for name in ("held", "local", "wish")),
    ):
        of_cluster, of_snapshot = reconciler(f"{line} {live}"), reconciler(f"{line} {saved}")
        assert of_cluster == of_snapshot
        assert of_cluster[1]


def test_a_snapshot_holds_what_a_decision_rests_on_and_nothing_else(
    reconciler: Run, furnished: str, lb_class: str, kubeconfig: Path
) -> None:
    status, out, err = reconciler(f"snapshot --kubeconfig {kubeconfig}")
    assert (status, err) == (0, "")
    found = objects(out, furnished)
    assert sorted(found) == [
        "EndpointSlice/held-x",
        "EndpointSlice/local-x",
        f"Namespace/{furnished}",
        f"Node/{furnished}-a",
        f"Node/{furnished}-b",
        "Service/fresh",
        "Service/held",
        "Service/local",
        "Service/wish",
    ]
    node = found[f"Node/{furnished}-b"]
    assert node["metadata"].keys() == {"name", "labels"}
    assert node["status"] == {"conditions": [{"type": "Ready", "status": "False"}]}
    local = found["Service/local"]
    assert local["metadata"].keys() == {"name", "namespace", "creationTimestamp"}
    assert local["spec"]["loadBalancerClass"] == lb_class
    assert found["Service/held"]["status"] == {"loadBalancer": {"ingress": [{"ip": "192.0.2.5"}]}}
    for needless in ("managedFields", "resourceVersion", "uid", "last-applied", "heartbeat", "DiskPressure"):
        assert needless not in out


def test_nothing_of_any_secret_is_saved_or_even_asked_for(
    reconciler: Run, furnished: str, control_plane: ControlPlane
) -> None:
    before = len(control_plane.audited("admin"))
    status, out, _ = reconciler(f"snapshot --kubeconfig {control_plane.kubeconfig('admin')}")
    assert status == 0
    assert furnished in out
    for secret in ("Secret", "unrelated-secret", "opensesame"):
        assert secret not in out
    asked = {event["objectRef"]["resource"] for event in control_plane.audited("admin")[before:]}
    assert asked == {"services", "nodes", "endpointslices", "namespaces"}


def test_nothing_changes_in_a_snapshot_while_nothing_that_matters_does(
    reconciler: Run, furnished: str, api: Api, kubeconfig: Path
) -> None:
    _, before, _ = reconciler(f"snapshot --kubeconfig {kubeconfig}")
    api.patch("services", furnished, "fresh", {"metadata": {"annotations": {"example.com/seen": "now"}}})
    heartbeat = {"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-02-02T00:00:00Z"}]}
    api.patch("nodes", None, f"{furnished}-a", {"status": heartbeat}, subresource="status")
    api.delete("endpointslices", furnished, "gone-x")
    _, after, _ = reconciler(f"snapshot --kubeconfig {kubeconfig}")
    assert objects(before, furnished) == objects(after, furnished)


def test_every_object_has_a_line_of_its_own(reconciler: Run, furnished: str, kubeconfig: Path) -> None:
    _, out, _ = reconciler(f"snapshot --kubeconfig {kubeconfig}")
    first, *lines, last = out.splitlines()
    assert (first, last) == ('{"apiVersion":"v1","kind":"List","items":[', "]}")
    assert [json.loads(line.rstrip(","))["kind"] for line in lines if furnished in line].count("Service") == 4


# The file


def test_a_file_is_replaced_as_a_whole(reconciler: Run, tmp_path: Path, furnished: str, kubeconfig: Path) -> None:
    file = tmp_path / "cluster.json"
    file.write_text("before")
    held_open = file.open()
    assert reconciler(f"snapshot --kubeconfig {kubeconfig} --output-file {file}")[0] == 0
    assert held_open.read() == "before"
    held_open.close()
    assert furnished in file.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["cluster.json"]


def test_others_may_read_the_file_as_any_other(reconciler: Run, tmp_path: Path, kubeconfig: Path) -> None:
    former = os.umask(0o027)
    try:
        assert reconciler(f"snapshot --kubeconfig {kubeconfig} --output-file {tmp_path / 'x'}")[0] == 0
    finally:
        os.umask(former)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link(reconciler: Run, tmp_path: Path, kubeconfig: Path) -> None:
    target = tmp_path / "target"
    target.write_text("before")
    (tmp_path / "link").symlink_to(target)
    assert reconciler(f"snapshot --kubeconfig {kubeconfig} --output-file {tmp_path / 'link'}")[0] == 0
    assert (tmp_path / "link").is_symlink()
    assert target.read_text().startswith("{")


def test_a_named_pipe_is_written_to(reconciler: Run, tmp_path: Path, kubeconfig: Path) -> None:
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    assert reconciler(f"snapshot --kubeconfig {kubeconfig} --output-file {pipe}")[0] == 0
    reader.join(timeout=30)
    assert read[0].endswith("]}\n")
    assert pipe.is_fifo()


def test_a_file_that_cannot_be_written_is_one_line(reconciler: Run, tmp_path: Path, kubeconfig: Path) -> None:
    status, out, err = reconciler(f"snapshot --kubeconfig {kubeconfig} --output-file {tmp_path / 'no/such'}")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert f"{tmp_path / 'no/such'}: cannot be written: No such file or directory" in err


def test_a_cluster_that_cannot_be_read_leaves_the_file_alone(
    reconciler: Run, tmp_path: Path, control_plane: ControlPlane
) -> None:
    file = tmp_path / "cluster.json"
    file.write_text("before")
    status, _, _ = reconciler(f"snapshot --kubeconfig {control_plane.kubeconfig('nobody')} --output-file {file}")
    assert (status, file.read_text()) == (2, "before")
    assert [path.name for path in tmp_path.iterdir()] == ["cluster.json"]


# Trimming, without a server


def trimmed(text: str) -> list[Object]:
    import msgspec

    kept = Trimmed()
    for found in objects_in(msgspec.Raw(text.encode()), Place("x")):
        kept.add(found)
    return list(json.loads(b"".join(snapshot_lines([kept])))["items"])


def item(kind: str, name: str, **more: object) -> Object:
    group = "discovery.k8s.io/v1" if kind == "EndpointSlice" else "v1"
    metadata = {"name": name, "namespace": "a", **dict(more.pop("metadata", {}))}  # type: ignore[call-overload]
    return {"apiVersion": group, "kind": kind, "metadata": metadata, **more}


def test_our_own_annotations_and_condition_stay() -> None:
    annotations = {"metallb.io/address-pool": "p", "metallb.universe.tf/allow-shared-ip": "k", "example.com/x": "y"}
    ours = {"type": "lb-reconciler.io/Assigned", "status": "False", "reason": "no-pools", "message": "none"}
    theirs = {"type": "example.com/Other", "status": "True"}
    service = item(
        "Service",
        "web",
        metadata={"annotations": annotations, "managedFields": [{"manager": "x"}]},
        spec={"type": "LoadBalancer", "sessionAffinity": "None"},
        status={"conditions": [theirs, ours]},
    )
    (found,) = trimmed(json.dumps({"kind": "List", "items": [service]}))
    assert found["metadata"]["annotations"].keys() == annotations.keys() - {"example.com/x"}
    assert found["status"] == {"conditions": [ours]}
    assert found["spec"] == {"type": "LoadBalancer"}


def test_the_order_of_the_objects_does_not_matter() -> None:
    items = [item("Node", "n"), item("Service", "b"), item("Service", "a"), item("Namespace", "z")]
    names = [found["metadata"]["name"] for found in trimmed(json.dumps(items))]
    assert names == ["z", "n", "a", "b"]
    assert trimmed(json.dumps(items)) == trimmed(json.dumps(items[::-1]))


def test_trimming_twice_changes_nothing() -> None:
    from reconciler.cluster.manifests import objects_of

    kept = Trimmed()
    for path in sorted((EXAMPLES / "demo-cluster").glob("*.yaml")):
        for found in objects_of(path):
            kept.add(ApiObject(found.raw, found.kind, found.place))
    once = b"".join(snapshot_lines([kept])).decode()
    assert len(json.loads(once)["items"]) > 10
    assert trimmed(once) == json.loads(once)["items"]
