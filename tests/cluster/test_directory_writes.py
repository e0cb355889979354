"""What a directory does with the actions of a plan: written whole, refused when out of date, kept across a crash."""

import asyncio
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from msgspec import structs

from reconciler.allocation.allocate import allocate
from reconciler.cluster.directory import DirectoryCluster, read_snapshot
from reconciler.cluster.port import ClusterError, Conflict
from reconciler.model.desired import DesiredState
from reconciler.model.observed import ObservedState, Service, ServiceKey
from reconciler.plan.actions import AssignAddresses, ClearAddresses, RecordEvent, ServiceAction
from reconciler.plan.conditions import assigned
from reconciler.plan.services import applied, plan_services, writes
from tests.builders import addresses, desired, pool
from tests.strategies import desired_states, observed_states

KEY = ServiceKey("shop/web")


def manifest(name: str = "web", **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.1"},
        **more,
    }


def write(path: Path, *documents: dict[str, Any]) -> None:
    path.write_text("\n".join(map(json.dumps, documents)), encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "a.json", manifest(), manifest("other"))
    return tmp_path


def cluster_at(root: Path) -> DirectoryCluster:
    return DirectoryCluster(root, namespace="lb")


def observe(root: Path) -> dict[str, Service]:
    return {service.key: service for service in read_snapshot(root, namespace="lb").services}


def carry_out(cluster: DirectoryCluster, *actions: ServiceAction) -> None:
    async def run() -> None:
        for action in actions:
            await cluster.apply(action)

    asyncio.run(run())


def assign(service: Service, text: str, pool_name: str = "gold") -> AssignAddresses:
    return AssignAddresses(
        service=service.key,
        before=service.ingress,
        addresses=addresses(text),
        pool=pool_name,
        resource_version=service.resource_version,
        reason="assigned",
        message="because",
        condition=assigned(pool_name),
    )


def clear(service: Service) -> ClearAddresses:
    return ClearAddresses(service.key, service.ingress, service.resource_version, "no-pools", "because")


def test_an_assignment_is_read_back(root: Path) -> None:
    carry_out(cluster_at(root), assign(observe(root)[KEY], "192.0.2.7 2001:db8::7"))
    found = observe(root)[KEY]
    assert found.ingress == addresses("192.0.2.7 2001:db8::7")
    assert found.allocated_pool == "gold"
    assert found.condition is not None
    assert found.condition.status == "True"


def test_the_record_reads_like_the_api(root: Path) -> None:
    carry_out(cluster_at(root), assign(observe(root)[KEY], "192.0.2.7"))
    record = json.loads((root / "status/shop/web.json").read_text(encoding="utf-8"))
    (condition,) = record["status"]["conditions"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", condition.pop("lastTransitionTime"))
    assert record == {
        "generation": 1,
        "annotations": {"metallb.io/ip-allocated-from-pool": "gold"},
        "status": {
            "loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]},
            "conditions": [
                {
                    "type": "lb-reconciler.io/Assigned",
                    "status": "True",
                    "reason": "Assigned",
                    "message": 'from pool "gold"',
                }
            ],
        },
    }


def test_a_cleared_service_has_no_marks_left(root: Path) -> None:
    cluster = cluster_at(root)
    carry_out(cluster, assign(observe(root)[KEY], "192.0.2.7"))
    carry_out(cluster, clear(observe(root)[KEY]))
    found = observe(root)[KEY]
    assert (found.ingress, found.is_ours) == ((), False)


def test_the_manifest_is_never_touched(root: Path) -> None:
    before = (root / "a.json").read_bytes()
    carry_out(cluster_at(root), assign(observe(root)[KEY], "192.0.2.7"))
    assert (root / "a.json").read_bytes() == before


def test_a_single_file_has_its_status_beside_it(root: Path) -> None:
    file = root / "a.json"
    carry_out(cluster_at(file), assign(observe(file)[KEY], "192.0.2.7"))
    assert (root / "a.json.status/shop/web.json").exists()
    assert observe(file)[KEY].ingress == addresses("192.0.2.7")


def test_every_write_is_another_version(root: Path) -> None:
    cluster = cluster_at(root)
    versions = [observe(root)[KEY].resource_version]
    for n in range(3):
        carry_out(cluster, assign(observe(root)[KEY], f"192.0.2.{n}"))
        versions.append(observe(root)[KEY].resource_version)
    assert len(set(versions)) == 4


def test_an_action_on_an_old_status_is_a_conflict(root: Path) -> None:
    seen = observe(root)[KEY]
    carry_out(cluster_at(root), assign(seen, "192.0.2.7"))
    with pytest.raises(Conflict, match=r'Service "shop/web" is at version'):
        carry_out(cluster_at(root), assign(seen, "192.0.2.8"))
    assert observe(root)[KEY].ingress == addresses("192.0.2.7")


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param([manifest(spec={"type": "ClusterIP"})], id="an edited manifest"),
        pytest.param([manifest(metadata={"name": "web", "namespace": "shop", "labels": {"a": "b"}})], id="a new label"),
        pytest.param([manifest("other")], id="a deleted manifest"),
    ],
)
def test_an_action_on_an_old_manifest_is_a_conflict(root: Path, edit: Iterable[dict[str, Any]]) -> None:
    cluster = cluster_at(root)
    seen = asyncio.run(cluster.observe()).services
    write(root / "a.json", *edit)
    with pytest.raises(Conflict):
        carry_out(cluster, assign(next(s for s in seen if s.key == KEY), "192.0.2.7"))
    assert not (root / "status/shop").exists()


def test_an_edit_of_another_service_in_the_file_is_no_conflict(root: Path) -> None:
    cluster = cluster_at(root)
    seen = observe(root)[KEY]
    asyncio.run(cluster.observe())
    write(root / "a.json", manifest(), manifest("other", spec={"type": "ClusterIP"}))
    carry_out(cluster, assign(seen, "192.0.2.7"))
    assert observe(root)[KEY].ingress == addresses("192.0.2.7")


def test_two_actions_of_one_plan_may_follow_each_other(root: Path) -> None:
    seen = observe(root)[KEY]
    cluster = cluster_at(root)
    carry_out(cluster, clear(seen), assign(seen, "192.0.2.7"))
    assert observe(root)[KEY].ingress == addresses("192.0.2.7")


def test_but_not_where_somebody_else_wrote_in_between(root: Path) -> None:
    seen = observe(root)[KEY]
    cluster = cluster_at(root)
    carry_out(cluster, clear(seen))
    carry_out(cluster_at(root), assign(observe(root)[KEY], "192.0.2.9"))
    with pytest.raises(Conflict):
        carry_out(cluster, assign(seen, "192.0.2.7"))


def test_a_name_that_leads_out_of_the_directory_is_refused(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    write(inside / "a.json", manifest(metadata={"name": "web", "namespace": ".."}))
    (service,) = read_snapshot(inside, namespace="lb").services
    with pytest.raises(ClusterError, match="no name that Kubernetes would accept"):
        carry_out(cluster_at(inside), assign(service, "192.0.2.7"))


def test_a_crash_before_the_rename_leaves_the_old_status(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = cluster_at(root)
    carry_out(cluster, assign(observe(root)[KEY], "192.0.2.7"))

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", crash)
        with pytest.raises(KeyboardInterrupt):
            carry_out(cluster, assign(observe(root)[KEY], "192.0.2.8"))
    assert observe(root)[KEY].ingress == addresses("192.0.2.7")
    carry_out(cluster_at(root), assign(observe(root)[KEY], "192.0.2.9"))
    assert observe(root)[KEY].ingress == addresses("192.0.2.9")
    assert sorted(path.name for path in (root / "status/shop").iterdir()) == ["web.json"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written_is_named(root: Path) -> None:
    seen = observe(root)[KEY]
    root.chmod(0o500)
    with pytest.raises(ClusterError, match="cannot write status: Permission denied"):
        carry_out(cluster_at(root), assign(seen, "192.0.2.7"))


def test_a_file_where_the_status_should_be_is_named(root: Path) -> None:
    seen = observe(root)[KEY]
    (root / "status").write_text("in the way", encoding="utf-8")
    with pytest.raises(ClusterError, match=r"status: cannot write status: File exists$"):
        carry_out(cluster_at(root), assign(seen, "192.0.2.7"))


def events_in(root: Path) -> list[tuple[str, str]]:
    lines = (root / "status/events.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines if line]
    return [(event["service"], event["reason"]) for event in found]


def test_events_are_lines_of_a_log(root: Path) -> None:
    first = RecordEvent(KEY, "Normal", "IPAllocated", 'Assigned IP ["192.0.2.7"]')
    second = RecordEvent(ServiceKey("shop/other"), "Warning", "AllocationFailed", "no")
    carry_out(cluster_at(root), first, second)
    assert events_in(root) == [("shop/web", "IPAllocated"), ("shop/other", "AllocationFailed")]


def test_an_event_is_repeated_only_after_a_write(root: Path) -> None:
    cluster = cluster_at(root)
    failed = RecordEvent(KEY, "Warning", "AllocationFailed", "no")
    carry_out(cluster, failed, failed)
    assert len(events_in(root)) == 1
    carry_out(cluster, assign(observe(root)[KEY], "192.0.2.7"), failed)
    assert len(events_in(root)) == 2


def test_a_role_that_writes_nothing_repeats_an_event_whenever_it_says_so(root: Path) -> None:
    cluster = DirectoryCluster(root, namespace="lb", repeats_events=True)
    announced = RecordEvent(KEY, "Normal", "nodeAssigned", "announcing")
    carry_out(cluster, announced, announced)
    assert len(events_in(root)) == 2


def test_a_line_that_was_cut_short_does_not_spoil_the_next(root: Path) -> None:
    (root / "status").mkdir()
    (root / "status/events.jsonl").write_text('{"time": "20', encoding="utf-8")
    carry_out(cluster_at(root), RecordEvent(KEY, "Normal", "IPAllocated", "x"))
    *_, last = (root / "status/events.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(last)["reason"] == "IPAllocated"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"data": {"password": "aHVudGVyMg=="}}, b"hunter2", id="data"),
        pytest.param({"stringData": {"password": "hunter2"}}, b"hunter2", id="stringData"),
        pytest.param({"data": {"password": "b2xk"}, "stringData": {"password": "new"}}, b"new", id="stringData first"),
        pytest.param({"data": {"password": ""}}, b"", id="an empty one"),
    ],
)
def test_a_password_is_looked_up(root: Path, fields: dict[str, Any], expected: bytes) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tor", "namespace": "lb"}, **fields}
    write(root / "s.json", secret)
    assert asyncio.run(cluster_at(root).secret("tor")) == expected


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"data": {"other": "eA=="}}, 'no Secret "lb/tor" with a password', id="another key"),
        pytest.param({"data": {"password": "hunter2!"}}, r"data\.password: not base64", id="no base64"),
    ],
)
def test_a_password_that_cannot_be_had_is_never_quoted(root: Path, fields: dict[str, Any], message: str) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tor", "namespace": "lb"}, **fields}
    write(root / "s.json", secret)
    with pytest.raises(ClusterError, match=message) as caught:
        asyncio.run(cluster_at(root).secret("tor"))
    assert "hunter2" not in str(caught.value)


def as_manifest(service: Service) -> dict[str, Any]:
    sharing = {"metallb.io/allow-shared-ip": service.sharing_key} if service.sharing_key else {}
    requests = {"metallb.io/loadBalancerIPs": service.requested_ips} if service.requested_ips is not None else {}
    pools = {"metallb.io/address-pool": service.requested_pool} if service.requested_pool else {}
    marks = {"metallb.io/ip-allocated-from-pool": service.allocated_pool} if service.allocated_pool else {}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": service.name,
            "namespace": service.namespace,
            "labels": dict(service.labels),
            "annotations": {**sharing, **requests, **pools, **marks},
            "creationTimestamp": service.created_at,
        },
        "spec": {
            "type": service.type,
            "loadBalancerClass": service.load_balancer_class,
            "clusterIPs": list(service.cluster_ips),
            "ipFamilies": ["IPv6" if service.prefers_ipv6 else "IPv4"],
            "ipFamilyPolicy": service.family_policy.value,
            "externalTrafficPolicy": service.external_traffic_policy,
            "selector": dict(service.selector),
            "ports": [{"protocol": port.protocol, "port": port.number} for port in service.ports],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": str(address)} for address in service.ingress]}},
    }


@settings(max_examples=40, deadline=None)
@given(desired_states(), observed_states(max_services=6))
def test_a_plan_carried_out_in_a_directory_leaves_nothing_to_do(
    tmp_path_factory: pytest.TempPathFactory, state: DesiredState, snapshot: ObservedState
) -> None:
    root = tmp_path_factory.mktemp("cluster")
    write(root / "a.json", *map(as_manifest, snapshot.services))
    cluster = cluster_at(root)
    observed = asyncio.run(cluster.observe())
    plan = plan_services(allocate(state, observed), observed, state)
    carry_out(cluster, *plan.actions)
    after = asyncio.run(cluster.observe())
    assert list(map(_without_times, after.services)) == list(map(_without_times, applied(observed, plan).services))
    allocation = allocate(state, after)
    again = plan_services(allocation, after, state)
    assert len(again.actions) == len(allocation.remarks)


def _without_times(service: Service) -> Service:
    condition = service.condition and structs.replace(service.condition, last_transition="")
    return structs.replace(service, condition=condition, resource_version="")


def test_an_exchange_is_carried_out_in_one_plan(root: Path) -> None:
    wanted = {"web": "192.0.2.2", "other": "192.0.2.1"}
    held = {"web": "192.0.2.1", "other": "192.0.2.2"}
    write(
        root / "a.json",
        *(
            manifest(
                name,
                metadata={
                    "name": name,
                    "namespace": "shop",
                    "annotations": {
                        "metallb.io/ip-allocated-from-pool": "p",
                        "metallb.io/loadBalancerIPs": wanted[name],
                    },
                },
                status={"loadBalancer": {"ingress": [{"ip": held[name]}]}},
            )
            for name in wanted
        ),
    )
    cluster, state = cluster_at(root), desired(pool("p", "192.0.2.0/29"))
    observed = asyncio.run(cluster.observe())
    plan = plan_services(allocate(state, observed), observed, state)
    assert len(list(writes(plan))) == 3
    carry_out(cluster, *plan.actions)
    assert {service.name: str(service.ingress[0]) for service in observe(root).values()} == wanted
