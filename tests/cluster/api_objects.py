"""Objects, list pages and watch events as an API server writes them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]


def a_service(name: str, version: int | str, *, ingress: str = "", labels: Mapping[str, str] | None = None) -> Json:
    """A LoadBalancer Service of namespace `shop`."""
    metadata = {"name": name, "namespace": "shop", "resourceVersion": str(version), "labels": dict(labels or {})}
    status: Json = {"loadBalancer": {"ingress": [{"ip": ip} for ip in ingress.split()]}}
    return {"metadata": metadata, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}, "status": status}


def a_slice(name: str, version: int, service: str | None, *nodes: str) -> Json:
    """An EndpointSlice of namespace `shop`, with one endpoint on each of the nodes."""
    labels = {"kubernetes.io/service-name": service} if service else {}
    metadata = {"name": name, "namespace": "shop", "resourceVersion": str(version), "labels": labels}
    return {"metadata": metadata, "endpoints": [{"addresses": ["10.0.0.1"], "nodeName": node} for node in nodes]}


def a_page(items: Iterable[Json], version: int | str = 1, more: str = "") -> bytes:
    """A page of a list; `more` is the token of the next one."""
    return json.dumps({"metadata": {"resourceVersion": str(version), "continue": more}, "items": list(items)}).encode()


def an_event(type: str, object: Json) -> bytes:  # noqa: A002 - the words of the API
    """One line of a watch."""
    return json.dumps({"type": type, "object": object}).encode()


def a_bookmark(version: int | str) -> bytes:
    """An event that only says how far the watch has come."""
    return an_event("BOOKMARK", {"kind": "Service", "metadata": {"resourceVersion": str(version)}, "spec": {}})


def an_error(code: int, reason: str, message: str = "") -> bytes:
    """The event that ends a watch."""
    return an_event(
        "ERROR", {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}
    )
