"""API objects as the model sees them, field by field."""

import json
from typing import Any

import msgspec
import pytest

from reconciler.cluster.api_object import Place, objects_in
from reconciler.cluster.inventory import Inventory
from reconciler.model.observed import (
    AssignedCondition,
    Endpoint,
    FamilyPolicy,
    Node,
    NodeName,
    ObservedState,
    Port,
    Secret,
    Service,
    ServiceKey,
)
from tests.builders import addresses

METADATA = {"name": "web", "namespace": "shop"}


def read(*documents: Any, namespace: str = "lb") -> ObservedState:
    inventory = Inventory()
    for number, document in enumerate(documents):
        raw = msgspec.Raw(json.dumps(document).encode())
        for found in objects_in(raw, Place(f"{number}.json")):
            inventory.add(found)
    return inventory.observed(namespace=namespace)


def a_service(spec: Any = None, status: Any = None, **metadata: Any) -> dict[str, Any]:
    found = {"apiVersion": "v1", "kind": "Service", "metadata": {**METADATA, **metadata}}
    return {**found, **({"spec": spec} if spec else {}), **({"status": status} if status else {})}


def read_service(document: dict[str, Any]) -> Service:
    (found,) = read(document).services
    return found


def test_a_service_with_everything() -> None:
    found = read_service(
        a_service(
            {
                "type": "LoadBalancer",
                "loadBalancerClass": "example.org/lb",
                "clusterIP": "10.96.0.7",
                "clusterIPs": ["10.96.0.7", "fd00::7"],
                "ipFamilies": ["IPv4", "IPv6"],
                "ipFamilyPolicy": "PreferDualStack",
                "loadBalancerIP": "192.0.2.9",
                "externalTrafficPolicy": "Local",
                "selector": {"tier": "front", "app": "web"},
                "ports": [{"port": 53, "protocol": "UDP", "nodePort": 30053}, {"port": 80, "targetPort": "http"}],
                "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}},
            },
            {
                "loadBalancer": {"ingress": [{"ip": "192.0.2.7", "ipMode": "VIP"}, {"hostname": "lb.example.org"}]},
                "conditions": [
                    {"type": "Other", "status": "True"},
                    {"type": "lb-reconciler.io/Assigned", "status": "False", "reason": "r", "message": "m"},
                ],
            },
            labels={"b": "2", "a": "1"},
            annotations={"metallb.io/ip-allocated-from-pool": "gold"},
            creationTimestamp="2026-01-02T03:04:05Z",
            resourceVersion="77",
            managedFields=[{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
        )
    )
    assert found == Service(
        key=ServiceKey("shop/web"),
        namespace="shop",
        name="web",
        type="LoadBalancer",
        load_balancer_class="example.org/lb",
        labels=(("a", "1"), ("b", "2")),
        created_at="2026-01-02T03:04:05Z",
        resource_version="77",
        cluster_ips=("10.96.0.7", "fd00::7"),
        family_policy=FamilyPolicy.PREFER_DUAL_STACK,
        load_balancer_ip="192.0.2.9",
        ports=(Port("UDP", 53), Port("TCP", 80)),
        external_traffic_policy="Local",
        selector=(("app", "web"), ("tier", "front")),
        ingress=addresses("192.0.2.7"),
        unreadable_ingress=("lb.example.org",),
        allocated_pool="gold",
        condition=AssignedCondition("False", "r", "m"),
    )


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(a_service(), id="neither spec nor status"),
        pytest.param({**a_service(), "spec": None, "status": None}, id="null for both"),
        pytest.param(a_service({"ports": None, "selector": None, "clusterIPs": None}), id="null for lists and maps"),
        pytest.param(a_service(None, {"loadBalancer": None, "conditions": None}), id="null inside the status"),
        pytest.param(a_service(None, {"loadBalancer": {"ingress": None}}), id="null for ingress"),
        pytest.param(
            a_service(labels=None, annotations=None, creationTimestamp=None, resourceVersion=None),
            id="null in the metadata",
        ),
        pytest.param(
            a_service({"ipFamilyPolicy": None, "externalTrafficPolicy": None, "loadBalancerIP": ""}),
            id="null and empty texts",
        ),
    ],
)
def test_absent_and_null_are_the_same(document: dict[str, Any]) -> None:
    found = msgspec.structs.replace(read_service(document), resource_version="", created_at="")
    assert found == Service(key=ServiceKey("shop/web"), namespace="shop", name="web", type="ClusterIP")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({"clusterIPs": ["10.0.0.1", "fd00::1"], "clusterIP": "10.0.0.1"}, ("10.0.0.1", "fd00::1")),
        pytest.param({"clusterIP": "10.0.0.1"}, ("10.0.0.1",), id="the single field where the list is absent"),
        pytest.param({"clusterIPs": [], "clusterIP": "10.0.0.1"}, ("10.0.0.1",), id="or empty"),
        pytest.param({"clusterIP": "None"}, ("None",), id="headless as it is written"),
        pytest.param({"clusterIP": ""}, (), id="nothing yet"),
    ],
)
def test_cluster_ips(spec: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert read_service(a_service(spec)).cluster_ips == expected


@pytest.mark.parametrize(
    ("families", "expected"),
    [
        pytest.param(["IPv6", "IPv4"], True, id="IPv6 first"),
        pytest.param(["IPv4", "IPv6"], False, id="IPv4 first"),
        pytest.param([], False, id="none"),
    ],
)
def test_the_first_family_is_preferred(families: list[str], expected: bool) -> None:
    assert read_service(a_service({"ipFamilies": families})).prefers_ipv6 is expected


@pytest.mark.parametrize(
    ("annotations", "field", "expected"),
    [
        pytest.param({"metallb.io/address-pool": "a"}, "requested_pool", "a", id="current pool"),
        pytest.param({"metallb.universe.tf/address-pool": "b"}, "requested_pool", "b", id="legacy pool"),
        pytest.param(
            {"metallb.io/address-pool": "a", "metallb.universe.tf/address-pool": "b"},
            "requested_pool",
            "a",
            id="current before legacy",
        ),
        pytest.param(
            {"metallb.io/address-pool": "", "metallb.universe.tf/address-pool": "b"},
            "requested_pool",
            "",
            id="current before legacy even when empty",
        ),
        pytest.param({}, "requested_ips", None, id="no request"),
        pytest.param({"metallb.io/loadBalancerIPs": ""}, "requested_ips", "", id="an empty request is one"),
        pytest.param({"metallb.io/loadBalancerIPs": "1,2"}, "requested_ips", "1,2", id="current addresses"),
        pytest.param({"metallb.universe.tf/loadBalancerIPs": "3"}, "requested_ips", "3", id="legacy addresses"),
        pytest.param({"metallb.io/allow-shared-ip": "k"}, "sharing_key", "k", id="current sharing key"),
        pytest.param({"metallb.universe.tf/allow-shared-ip": "k"}, "sharing_key", "k", id="legacy sharing key"),
        pytest.param({"metallb.io/allow-shared-ip": ""}, "announces_shared_ip", True, id="presence counts"),
        pytest.param({"metallb.universe.tf/allow-shared-ip": ""}, "announces_shared_ip", True, id="of either name"),
        pytest.param({"metallb.io/address-pool": "a"}, "announces_shared_ip", False, id="and absence"),
        pytest.param({"metallb.io/ip-allocated-from-pool": "p"}, "allocated_pool", "p", id="our mark"),
        pytest.param({"metallb.io/ip-allocated-from-pool": ""}, "allocated_pool", "", id="our mark, empty"),
        pytest.param(
            {"metallb.universe.tf/ip-allocated-from-pool": "p"}, "allocated_pool", None, id="its twin is never read"
        ),
        pytest.param(
            {"metallb.universe.tf/z": "1", "metallb.universe.tf/address-pool": "p", "metallb.io/a": "2"},
            "deprecated_annotations",
            ("metallb.universe.tf/address-pool", "metallb.universe.tf/z"),
            id="every legacy name is deprecated",
        ),
        pytest.param({"other": "metallb.io/address-pool"}, "requested_pool", "", id="a value is no name"),
    ],
)
def test_annotations(annotations: dict[str, str], field: str, expected: object) -> None:
    assert getattr(read_service(a_service(annotations=annotations)), field) == expected


def test_an_annotation_written_with_escapes_is_found() -> None:
    annotations = rb'{"\u006detallb.io/address-pool":"p"}'
    text = b'{"apiVersion":"v1","kind":"Service","metadata":{"name":"a","annotations":%b}}' % annotations
    inventory = Inventory()
    for found in objects_in(msgspec.Raw(text), Place("a.json")):
        inventory.add(found)
    (service,) = inventory.observed(namespace="lb").services
    assert service.requested_pool == "p"


@pytest.mark.parametrize(
    ("entries", "readable", "unreadable"),
    [
        pytest.param([{"ip": "192.0.2.1"}, {"ip": "2001:DB8::1"}], "192.0.2.1 2001:db8::1", (), id="both families"),
        pytest.param([{"ip": "::ffff:192.0.2.1"}], "192.0.2.1", (), id="IPv4-mapped is IPv4"),
        pytest.param([{"hostname": "a.example"}], "", ("a.example",), id="a host name"),
        pytest.param([{"ip": "192.0.2.300"}], "", ("192.0.2.300",), id="no address"),
        pytest.param([{}], "", ("",), id="an empty entry"),
        pytest.param([{"ip": "", "hostname": "h"}, {"ip": "192.0.2.1"}], "192.0.2.1", ("h",), id="one of each"),
        pytest.param([{"ip": "192.0.2.1", "hostname": "h"}], "192.0.2.1", (), id="both in one entry"),
    ],
)
def test_ingress(entries: list[dict[str, str]], readable: str, unreadable: tuple[str, ...]) -> None:
    found = read_service(a_service(None, {"loadBalancer": {"ingress": entries}}))
    assert (found.ingress, found.unreadable_ingress) == (addresses(readable), unreadable)


def test_a_manifest_without_a_version_has_one_that_changes_with_it() -> None:
    versions = {read_service(a_service({"clusterIP": ip})).resource_version for ip in ("10.0.0.1", "10.0.0.1", "x")}
    assert len(versions) == 2
    assert "" not in versions


def test_a_manifest_without_a_namespace_is_in_default() -> None:
    document = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    assert read_service(document).key == "default/web"


def a_slice(*endpoints: Any, name: str = "web-1", service: str | None = "web") -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": service} if service else {"other": "label"}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": "shop", "labels": labels},
        "endpoints": list(endpoints) or None,
    }


@pytest.mark.parametrize(
    ("conditions", "serving"),
    [
        pytest.param(None, True, id="no conditions"),
        pytest.param({"ready": True}, True, id="S-L2-28 ready"),
        pytest.param({"serving": True}, True, id="S-L2-28 ready unset, serving"),
        pytest.param({"ready": True, "serving": False}, True, id="S-L2-28 ready, not serving"),
        pytest.param({}, True, id="S-L2-28 empty conditions"),
        pytest.param({"ready": None, "serving": False}, True, id="S-L2-28 ready unset, not serving"),
        pytest.param({"ready": False}, False, id="S-L2-28 not ready"),
        pytest.param({"ready": False, "serving": True, "terminating": True}, True, id="terminating, still serving"),
        pytest.param({"ready": False, "serving": None}, False, id="not ready, serving unset"),
        pytest.param({"ready": False, "serving": False}, False, id="neither"),
    ],
)
def test_whether_an_endpoint_serves(conditions: Any, serving: bool) -> None:
    found = read(a_slice({"addresses": ["10.0.0.1"], "nodeName": "n", "conditions": conditions}))
    assert found.endpoints == {"shop/web": (Endpoint(NodeName("n"), serving),)}


def test_slices_of_a_service_are_taken_together() -> None:
    one = {"addresses": ["10.0.0.1"], "nodeName": "n1"}
    found = read(a_slice(one), a_slice({"addresses": []}, name="web-2"), a_slice(name="web-3"))
    assert found.endpoints == {
        "shop/web": (Endpoint(NodeName("n1"), True), Endpoint(None, True, has_address=False)),
    }


def test_a_slice_of_no_service_is_left_out() -> None:
    assert read(a_slice({"addresses": ["10.0.0.1"]}, service=None)).endpoints == {}


def a_node(*conditions: tuple[str, str], **labels: str) -> dict[str, Any]:
    status = {"conditions": [{"type": kind, "status": status} for kind, status in conditions]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "labels": labels}, "status": status}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(a_node(), Node(NodeName("n")), id="ready where nothing is said"),
        pytest.param(a_node(("Ready", "True")), Node(NodeName("n")), id="ready"),
        pytest.param(a_node(("Ready", "False")), Node(NodeName("n"), ready=False), id="not ready"),
        pytest.param(a_node(("Ready", "Unknown")), Node(NodeName("n"), ready=False), id="not heard of"),
        pytest.param(
            a_node(("NetworkUnavailable", "True")), Node(NodeName("n"), network_unavailable=True), id="no network"
        ),
        pytest.param(a_node(("NetworkUnavailable", "False")), Node(NodeName("n")), id="a network"),
        pytest.param(a_node(rack="7"), Node(NodeName("n"), labels=(("rack", "7"),)), id="labels"),
        pytest.param(
            a_node(**{"node.kubernetes.io/exclude-from-external-load-balancers": "false"}),
            Node(
                NodeName("n"),
                labels=(("node.kubernetes.io/exclude-from-external-load-balancers", "false"),),
                excluded=True,
            ),
            id="excluded, whatever the value",
        ),
    ],
)
def test_nodes(document: dict[str, Any], expected: Node) -> None:
    assert read(document).nodes == (expected,)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(None, (), id="no spec"),
        pytest.param({"unschedulable": True}, (), id="a cordon that no controller has seen"),
        pytest.param({"taints": None}, (), id="null"),
        pytest.param(
            {"taints": [{"key": "b", "effect": "NoExecute"}, {"key": "a", "value": "x"}]}, ("a", "b"), id="two"
        ),
        pytest.param(
            {"taints": [{"key": "a", "effect": "NoExecute"}, {"key": "a"}]}, ("a",), id="one key, two effects"
        ),
        pytest.param({"taints": [{"effect": "NoExecute"}]}, (), id="no key"),
    ],
)
def test_of_taints_the_keys_are_read(spec: Any, expected: tuple[str, ...]) -> None:
    assert read({**a_node(), "spec": spec}).nodes == (Node(NodeName("n"), taints=expected),)


def test_namespaces_have_labels() -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"tier": "front"}}}
    assert read(namespace).namespaces == {"shop": (("tier", "front"),)}


def a_secret(name: str = "tor", namespace: str = "lb", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, **fields}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"type": "kubernetes.io/basic-auth", "data": {"password": "czNjcmV0"}}, True, id="data"),
        pytest.param({"type": "kubernetes.io/basic-auth", "stringData": {"password": "s3cret"}}, True, id="stringData"),
        pytest.param({"type": "kubernetes.io/basic-auth", "data": {"user": "eA=="}}, False, id="another key"),
        pytest.param({"type": "kubernetes.io/basic-auth", "data": None}, False, id="nothing"),
    ],
)
def test_of_a_secret_only_the_presence_of_a_password_is_known(fields: Any, expected: bool) -> None:
    assert read(a_secret(**fields)).secrets == {"tor": Secret("tor", "kubernetes.io/basic-auth", has_password=expected)}


def test_only_secrets_of_our_namespace_are_ours() -> None:
    assert read(a_secret(namespace="other")).secrets is None
    assert read(a_service()).secrets is None


def test_everything_is_sorted_whatever_the_order_of_the_documents() -> None:
    documents = [a_service(name="b"), a_service(name="a"), a_service(name="a", namespace="lab")]
    assert [service.key for service in read(*documents).services] == ["lab/a", "shop/a", "shop/b"]
    assert [s.key for s in read(*reversed(documents)).services] == ["lab/a", "shop/a", "shop/b"]


def test_a_service_that_was_never_created_is_the_youngest() -> None:
    assert read_service(a_service()).created_at > "2999-01-01T00:00:00Z"
