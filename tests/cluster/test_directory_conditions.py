"""Conditions in a directory of manifests: ours beside those of other people, with the time at which they turned."""

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.cluster import status_records
from reconciler.cluster.directory import DirectoryCluster
from reconciler.model.observed import AssignedCondition, Service, ServiceKey
from reconciler.plan.actions import AssignAddresses, ClearAddresses, RecordCondition, RecordEvent
from reconciler.plan.conditions import assigned, not_assigned
from tests.builders import addresses

KEY = ServiceKey("shop/web")
OURS = "lb-reconciler.io/Assigned"
THEIRS = {"type": "example.org/Ready", "status": "True", "observedGeneration": 3}
FULL = not_assigned("pool-exhausted", "no available IPs")
EARLIER, NOW = "2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"


def write(root: Path, *, annotations: dict[str, str] | None = None, **status: Any) -> None:
    metadata = {"name": "web", "namespace": "shop", "annotations": annotations or {}}
    manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"type": "LoadBalancer"},
        "status": status,
    }
    (root / "a.json").write_text(json.dumps(manifest), encoding="utf-8")


def record(root: Path) -> Any:
    return json.loads((root / "status/shop/web.json").read_text(encoding="utf-8"))


def conditions(root: Path) -> dict[str, Any]:
    return {found["type"]: found for found in record(root)["status"]["conditions"]}


@pytest.fixture
def cluster(tmp_path: Path) -> DirectoryCluster:
    write(tmp_path)
    return DirectoryCluster(tmp_path, namespace="lb")


async def look(cluster: DirectoryCluster) -> Service:
    (found,) = (await cluster.observe()).services
    return found


async def say(cluster: DirectoryCluster, condition: AssignedCondition | None) -> Service:
    service = await look(cluster)
    await cluster.apply(RecordCondition(KEY, service.resource_version, condition))
    return await look(cluster)


async def assign(cluster: DirectoryCluster) -> Service:
    service = await look(cluster)
    version = service.resource_version
    await cluster.apply(AssignAddresses(KEY, (), addresses("192.0.2.1"), "p", version, "r", "m", assigned("p")))
    return await look(cluster)


async def test_a_condition_is_read_back_with_the_time_at_which_it_turned(cluster: DirectoryCluster) -> None:
    found = await say(cluster, FULL)
    assert found.condition is not None
    assert (found.condition.status, found.condition.reason) == ("False", "PoolExhausted")
    assert found.condition.last_transition.endswith("Z")
    assert (found.ingress, found.allocated_pool) == ((), None)


async def test_a_condition_leaves_addresses_and_annotation_as_they_are(
    tmp_path: Path, cluster: DirectoryCluster
) -> None:
    ingress = [{"ip": "192.0.2.7", "ipMode": "VIP"}, {"hostname": "lb.example.org"}]
    write(tmp_path, annotations={"metallb.io/ip-allocated-from-pool": "gold"}, loadBalancer={"ingress": ingress})
    found = await say(cluster, FULL)
    assert (found.ingress, found.unreadable_ingress) == (addresses("192.0.2.7"), ("lb.example.org",))
    assert found.allocated_pool == "gold"
    assert record(tmp_path)["status"]["loadBalancer"]["ingress"] == ingress
    again = await say(cluster, assigned("gold"))
    assert (again.ingress, again.allocated_pool) == (found.ingress, "gold")


async def test_conditions_of_others_stay_as_they_are(tmp_path: Path, cluster: DirectoryCluster) -> None:
    write(tmp_path, conditions=[THEIRS])
    await say(cluster, FULL)
    assert conditions(tmp_path)["example.org/Ready"] == THEIRS
    found = await assign(cluster)
    await cluster.apply(ClearAddresses(KEY, found.ingress, found.resource_version, "r", "m"))
    assert conditions(tmp_path) == {"example.org/Ready": THEIRS}


async def test_what_others_write_later_into_the_manifest_counts(tmp_path: Path, cluster: DirectoryCluster) -> None:
    await say(cluster, FULL)
    write(tmp_path, conditions=[{**THEIRS, "status": "False"}])
    await say(cluster, assigned("p"))
    assert conditions(tmp_path)["example.org/Ready"]["status"] == "False"


async def test_and_what_they_write_into_the_status(tmp_path: Path, cluster: DirectoryCluster) -> None:
    await say(cluster, FULL)
    changed = record(tmp_path)
    changed["status"]["conditions"].append(THEIRS)
    (tmp_path / "status/shop/web.json").write_text(json.dumps(changed), encoding="utf-8")
    await say(cluster, assigned("p"))
    assert set(conditions(tmp_path)) == {"example.org/Ready", OURS}


async def test_a_condition_that_is_taken_away(tmp_path: Path, cluster: DirectoryCluster) -> None:
    await say(cluster, FULL)
    assert (await say(cluster, None)).condition is None
    assert conditions(tmp_path) == {}


async def test_a_clear_may_say_why(cluster: DirectoryCluster) -> None:
    found = await assign(cluster)
    await cluster.apply(ClearAddresses(KEY, found.ingress, found.resource_version, "r", "m", FULL))
    after = await look(cluster)
    assert after.condition is not None
    assert (after.ingress, after.allocated_pool, after.condition.status) == ((), None, "False")


@pytest.mark.parametrize(
    ("held", "wanted", "turned_at"),
    [
        pytest.param(None, assigned("p"), NOW, id="there was none"),
        pytest.param("True", assigned("q"), EARLIER, id="the status stays"),
        pytest.param("True", FULL, NOW, id="the status turns"),
    ],
)
def test_the_time_changes_with_the_status_only(held: str | None, wanted: AssignedCondition, turned_at: str) -> None:
    before = [{"type": OURS, "status": held, "lastTransitionTime": EARLIER}] if held else []
    stated = status_records.Stated(4, {}, {"conditions": before})
    action = RecordCondition(KEY, "1", wanted)
    written = status_records.after(action, stated, status_records.Stated(), now=NOW)
    assert written.generation == 5
    assert [found["lastTransitionTime"] for found in written.conditions] == [turned_at]


async def test_an_event_may_be_repeated_once_the_condition_was_written(
    tmp_path: Path, cluster: DirectoryCluster
) -> None:
    event = RecordEvent(KEY, "Warning", "AllocationFailed", "no")
    await say(cluster, FULL)
    for _ in range(2):
        await cluster.apply(event)
    await say(cluster, None)
    await cluster.apply(event)
    assert len((tmp_path / "status/events.jsonl").read_text(encoding="utf-8").splitlines()) == 2


# What stands is the same object.


async def test_without_a_change_the_snapshot_is_the_same(cluster: DirectoryCluster) -> None:
    assert await cluster.observe() is await cluster.observe()


async def test_what_did_not_change_is_the_same_object(tmp_path: Path, cluster: DirectoryCluster) -> None:
    other = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "other", "namespace": "shop"}}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "ash"}}
    (tmp_path / "b.json").write_text(json.dumps(other) + json.dumps(node), encoding="utf-8")
    before = await cluster.observe()
    write(tmp_path, annotations={"metallb.io/address-pool": "gold"})
    after = await cluster.observe()
    assert [one is two for one, two in zip(before.services, after.services, strict=True)] == [True, False]
    assert (after.nodes is before.nodes, after.endpoints is before.endpoints) == (True, True)
    assert after.services[1].requested_pool == "gold"


async def test_endpoints_are_read_at_this_moment(tmp_path: Path, cluster: DirectoryCluster) -> None:
    assert not await cluster.endpoints()
    labels = {"kubernetes.io/service-name": "web"}
    slices = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "web-1", "namespace": "shop", "labels": labels},
        "endpoints": [{"addresses": ["10.0.0.1"], "nodeName": "ash"}],
    }
    (tmp_path / "b.json").write_text(json.dumps(slices), encoding="utf-8")
    assert [endpoint.node for endpoint in (await cluster.endpoints())[KEY]] == ["ash"]
