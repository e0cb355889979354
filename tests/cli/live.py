"""A live cluster for the commands: something of every kind in a namespace of the test, and the command line for it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.controlplane.api import Api, wait_until
from tests.controlplane.harness import USERS

_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"

POOLS = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: gold}
spec:
  addresses: [192.0.2.0/28]
  serviceAllocation:
    namespaceSelectors: [{matchLabels: {tier: front}}]
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: other}
spec: {addresses: [198.51.100.0/30], autoAssign: false}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: everything}
"""
PEER = """
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: tor}
spec: {myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.254, passwordSecret: {name: tor-password}}
"""


def furnish(api: Api, namespace: str, lb_class: str) -> None:
    """A holder, two pending Services and one that cannot be served, endpoints, and two nodes, one of them not ready."""
    api.patch("namespaces", None, namespace, {"metadata": {"labels": {"tier": "front"}}})
    api.create_service(namespace, "held", loadBalancerClass=lb_class, annotations=_from("gold"))
    api.patch_status(namespace, "held", {"loadBalancer": {"ingress": [{"ip": "192.0.2.5"}]}})
    api.create_service(namespace, "fresh", loadBalancerClass=lb_class, labels={"app": "fresh"})
    applied = _last_applied()
    api.create_service(
        namespace, "local", loadBalancerClass=lb_class, annotations=applied, externalTrafficPolicy="Local"
    )
    wish = {"metallb.io/address-pool": "silver"}
    api.create_service(namespace, "wish", loadBalancerClass=lb_class, annotations=wish)
    for name, node in (("held", "a"), ("local", "b"), ("gone", "a")):
        api.create("endpointslices", namespace, _slice(name, f"{namespace}-{node}"))
    for node, ready in (("a", "True"), ("b", "False")):
        api.create("nodes", None, {"metadata": {"name": f"{namespace}-{node}", "labels": {"rack": node}}})
        conditions = [
            {"type": "Ready", "status": ready, "reason": "KubeletSays", "lastHeartbeatTime": "2026-01-01T00:00:00Z"},
            {"type": "DiskPressure", "status": "False"},
        ]
        status = {"status": {"conditions": conditions}}
        api.patch("nodes", None, f"{namespace}-{node}", status, subresource="status")
    api.create("secrets", namespace, _secret("unrelated-secret"))


def _from(pool: str) -> dict[str, str]:
    return {"metallb.io/ip-allocated-from-pool": pool}


def _last_applied() -> dict[str, str]:
    return {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"spec": "a long text"})}


def _slice(service: str, node: str) -> Mapping[str, object]:
    return {
        "metadata": {"name": f"{service}-x", "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.7"], "nodeName": node, "conditions": {"ready": True}}],
        "ports": [{"port": 80}],
    }


def _secret(name: str) -> Mapping[str, object]:
    return {"metadata": {"name": name}, "type": "kubernetes.io/basic-auth", "stringData": {"password": "opensesame"}}


def add_password(api: Api, namespace: str) -> None:
    """The Secret that `PEER` names."""
    api.create("secrets", namespace, _secret("tor-password"))


@contextmanager
def reader_without_secrets(api: Api) -> Iterator[str]:
    """
    A user who may list what a snapshot holds, and nothing else.

    The right is in force inside of the context, and is not any more afterwards: others use this user as well.
    """
    name = "lb-reconciler-test-reader"
    user = "nobody"
    rules = [
        {"apiGroups": [""], "resources": ["services", "nodes", "namespaces"], "verbs": ["list"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"]},
    ]
    subject = {"kind": "User", "name": USERS[user][0], "apiGroup": "rbac.authorization.k8s.io"}
    role = {"kind": "ClusterRole", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
    api.create("clusterroles", None, {"metadata": {"name": name}, "rules": rules})
    api.create("clusterrolebindings", None, {"metadata": {"name": name}, "subjects": [subject], "roleRef": role})
    listed = [(rule["apiGroups"][0], resource) for rule in rules for resource in rule["resources"]]
    # The API server follows its own roles by a watch.
    try:
        wait_until(lambda: all(_may_list(api, user, *kind) for kind in listed), "the right is in force")
        yield user
    finally:
        api.delete("clusterrolebindings", None, name)
        api.delete("clusterroles", None, name)
        wait_until(lambda: not any(_may_list(api, user, *kind) for kind in listed), "it is taken away")


def _may_list(api: Api, user: str, group: str, resource: str) -> bool:
    asked = {"verb": "list", "group": group, "resource": resource}
    review = {"spec": {"user": USERS[user][0], "resourceAttributes": asked}}
    return api.request("POST", _REVIEWS, review)["status"]["allowed"] is True


def write_config(directory: Path, *documents: str) -> Path:
    """A directory of configuration."""
    directory.mkdir()
    for number, text in enumerate(documents):
        (directory / f"{number}.yaml").write_text(text, "utf-8")
    return directory
