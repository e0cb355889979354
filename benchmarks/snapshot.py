"""A made-up cluster of any size as one JSON snapshot, and the configuration that serves it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMESPACES = 50
ADDRESSES_PER_POOL = 1024


def write_snapshot(path: Path, *, services: int, nodes: int) -> None:
    """Services (every second one holds the address it would be given), an EndpointSlice for each, and nodes."""
    with path.open("w", encoding="utf-8") as out:
        out.write('{"apiVersion":"v1","kind":"List","items":[\n')
        for number, item in enumerate(_objects(services, nodes)):
            out.write((",\n" if number else "") + json.dumps(item, separators=(",", ":")))
        out.write("]}\n")


def write_pools(path: Path, *, pools: int) -> None:
    """Pools of 1 024 addresses each, all announced by ARP from every node."""
    documents = [
        f"apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {{name: pool-{n:03}}}\n"
        f"spec:\n  addresses:\n    - {_address(n * ADDRESSES_PER_POOL)}/22\n"
        for n in range(pools)
    ]
    documents.append("apiVersion: metallb.io/v1beta1\nkind: L2Advertisement\nmetadata: {name: everywhere}\n")
    path.write_text("---\n".join(documents), encoding="utf-8")


def _address(offset: int) -> str:
    return f"10.{offset >> 16 & 255}.{offset >> 8 & 255}.{offset & 255}"


def _objects(services: int, nodes: int) -> Iterator[dict[str, Any]]:
    for number in range(nodes):
        yield {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": f"node-{number:03}", "labels": {"rack": str(number % 10)}},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }
    for number in range(services):
        yield _service(number)
        yield _endpoint_slice(number, nodes)


def _names(number: int) -> tuple[str, str]:
    return f"team-{number % NAMESPACES:02}", f"service-{number:06}"


def _service(number: int) -> dict[str, Any]:
    namespace, name = _names(number)
    cluster_ip = f"10.{128 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": namespace,
        "uid": f"00000000-0000-4000-8000-{number:012}",
        "resourceVersion": str(1000 + number),
        "creationTimestamp": f"2026-{1 + number // 10_000 % 12:02}-01T{number // 3600 % 24:02}:{number // 60 % 60:02}"
        f":{number % 60:02}Z",
        "labels": {"app": name, "tier": ("front", "back")[number % 2]},
    }
    service: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "type": "LoadBalancer",
            "clusterIP": cluster_ip,
            "clusterIPs": [cluster_ip],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "externalTrafficPolicy": "Cluster",
            "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080, "nodePort": 30_000}],
            "selector": {"app": name},
        },
        "status": {"loadBalancer": {}},
    }
    if number % 2 == 0:
        metadata["annotations"] = {"metallb.io/ip-allocated-from-pool": f"pool-{number // ADDRESSES_PER_POOL:03}"}
        service["status"] = {"loadBalancer": {"ingress": [{"ip": _address(number), "ipMode": "VIP"}]}}
    return service


def _endpoint_slice(number: int, nodes: int) -> dict[str, Any]:
    namespace, name = _names(number)
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-abcde",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": [f"10.244.{(number + n) % nodes}.{number & 255}"],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "nodeName": f"node-{(number + n) % nodes:03}",
            }
            for n in range(2)
        ],
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
    }
