"""A cluster that MetalLB has run in: its kinds, its objects, and Services as its controller leaves them."""

from collections.abc import Mapping, Sequence
from functools import partial

from tests.controlplane.api import Api, ApiError, wait_until

KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "ipaddresspools": ("IPAddressPool", ("v1beta1",)),
    "l2advertisements": ("L2Advertisement", ("v1beta1",)),
    "bgpadvertisements": ("BGPAdvertisement", ("v1beta1",)),
    "bgppeers": ("BGPPeer", ("v1beta2", "v1beta1")),
    "bfdprofiles": ("BFDProfile", ("v1beta1",)),
    "communities": ("Community", ("v1beta1",)),
}
_FROM_POOL = "metallb.io/ip-allocated-from-pool"

Spec = Mapping[str, object]
# By resource, then by name.
OBJECTS: Mapping[str, Mapping[str, Spec]] = {
    "ipaddresspools": {
        "gold": {"addresses": ["192.0.2.0/28", "2001:db8:5::/120"], "avoidBuggyIPs": True},
        "lan": {"addresses": ["198.51.100.10-198.51.100.20"], "autoAssign": False},
    },
    "l2advertisements": {"lan": {"ipAddressPools": ["lan"], "interfaces": ["eth0"]}},
    "bgpadvertisements": {"gold": {"ipAddressPools": ["gold"], "communities": ["cheap"], "localPref": 150}},
    "bgppeers": {
        "tor-a": {
            "myASN": 64512,
            "peerASN": 64513,
            "peerAddress": "192.0.2.254",
            "holdTime": "9s",
            "bfdProfile": "fast",
            "passwordSecret": {"name": "tor-a-password", "namespace": "metallb-system"},
        },
        "tor-b": {"myASN": 64512, "peerASN": 64513, "peerAddress": "2001:db8::254", "passwordSecret": {}},
    },
    "bfdprofiles": {"fast": {"transmitInterval": 100, "receiveInterval": 100, "echoMode": False}},
    "communities": {"names": {"communities": [{"name": "cheap", "value": "65000:100"}]}},
}


def add_kinds(api: Api) -> None:
    """MetalLB's kinds, of any content; they stay for the other tests."""
    for plural, (kind, versions) in KINDS.items():
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
        spec = {
            "group": "metallb.io",
            "scope": "Namespaced",
            "names": names,
            "versions": [
                {"name": version, "served": True, "storage": not number, "schema": schema}
                for number, version in enumerate(versions)
            ],
        }
        body = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.metallb.io"},
            "spec": spec,
        }
        try:
            api.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body)
        except ApiError as exc:
            if exc.status != 409:
                raise
        for version in versions:
            wait_until(partial(_is_served, api, f"/apis/metallb.io/{version}/{plural}"), plural)


def _is_served(api: Api, path: str) -> bool:
    return api.status_of("GET", path) == 200


def add_objects(api: Api, namespace: str, objects: Mapping[str, Mapping[str, Spec]] = OBJECTS) -> None:
    """Configuration as somebody applied it; the server adds what servers add."""
    for resource, by_name in objects.items():
        kind, (version, *_) = KINDS[resource]
        for name, spec in by_name.items():
            body = {
                "apiVersion": f"metallb.io/{version}",
                "kind": kind,
                "metadata": {
                    "name": name,
                    "labels": {"team": "network"},
                    "annotations": {"kubectl.kubernetes.io/last-applied-configuration": '{"a": "long text"}'},
                },
                "spec": spec,
                "status": {"assignedIPv4": 1},
            }
            api.request("POST", f"/apis/metallb.io/{version}/namespaces/{namespace}/{resource}", body)
    password = {"metadata": {"name": "tor-a-password"}, "type": "kubernetes.io/basic-auth"}
    api.create("secrets", namespace, {**password, "stringData": {"password": "opensesame"}})


def hold(
    api: Api, namespace: str, name: str, addresses: Sequence[str], *, pool: str, lb_class: str, policy: str
) -> None:
    """A Service as MetalLB's controller writes it: entries with an address only, the API server adds the ipMode."""
    api.create_service(namespace, name, loadBalancerClass=lb_class, ipFamilyPolicy=policy)
    annotated = {
        "metadata": {"annotations": {_FROM_POOL: pool}},
        "status": {"loadBalancer": {"ingress": [{"ip": address} for address in addresses]}},
    }
    api.patch("services", namespace, name, annotated, subresource="status")
    endpoints = {
        "metadata": {"name": f"{name}-x", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.7"], "nodeName": f"{namespace}-a", "conditions": {"ready": True}}],
        "ports": [{"port": 80}],
    }
    api.create("endpointslices", namespace, endpoints)
