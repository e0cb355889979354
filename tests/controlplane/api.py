"""A plain client for what a test does to the API server, and what it looks at; nothing in it is code under test."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import urllib3

Found = TypeVar("Found")
Object = dict[str, Any]

_GROUPS = {
    "endpointslices": "discovery.k8s.io/v1",
    "leases": "coordination.k8s.io/v1",
    "clusterroles": "rbac.authorization.k8s.io/v1",
    "clusterrolebindings": "rbac.authorization.k8s.io/v1",
    "roles": "rbac.authorization.k8s.io/v1",
    "rolebindings": "rbac.authorization.k8s.io/v1",
}
_PATIENCE = 30.0
_MERGE = "application/merge-patch+json"


class ApiError(Exception):
    """The server said no."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"{status}: {body.decode(errors='replace')[:2000]}")
        self.status = status


class Api:
    """What one user may do, as JSON objects. Usable from several threads."""

    def __init__(self, url: str, token: str, ca_file: Path | None, patience: float = _PATIENCE) -> None:
        self.url = url
        self._patience = patience
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._pool = urllib3.PoolManager(maxsize=16, ca_certs=None if ca_file is None else str(ca_file), retries=False)

    def close(self) -> None:
        self._pool.clear()

    def request(self, method: str, path: str, body: object = None, content_type: str = "application/json") -> Object:
        """
        Send one request and read its answer.

        Raises:
            ApiError: The answer is no 2xx.
            urllib3.exceptions.HTTPError: There is no answer.
        """
        data = None if body is None else json.dumps(body).encode()
        answer = self._send(method, path, data, content_type)
        if not 200 <= answer.status < 300:
            raise ApiError(answer.status, answer.data)
        found = json.loads(answer.data)
        assert isinstance(found, dict)
        return found

    def status_of(self, method: str, path: str) -> int:
        """The status of the answer, whatever its body is."""
        return self._send(method, path, None, "application/json").status

    def get(self, resource: str, namespace: str | None, name: str) -> Object:
        return self.request("GET", path_of(resource, namespace, name))

    def find(self, resource: str, namespace: str | None, name: str) -> Object | None:
        """None where there is no such object."""
        try:
            return self.get(resource, namespace, name)
        except ApiError as exc:
            if exc.status == 404:
                return None
            raise

    def objects(self, resource: str, namespace: str | None = None, **query: str) -> list[Object]:
        """Those of one namespace, or all; `query` is that of the API (`labelSelector`, `fieldSelector`)."""
        path = path_of(resource, namespace)
        return list(self.request("GET", f"{path}?{urlencode(query)}" if query else path)["items"])

    def create(self, resource: str, namespace: str | None, body: Mapping[str, object]) -> Object:
        return self.request("POST", path_of(resource, namespace), body)

    def replace(self, resource: str, namespace: str | None, name: str, body: Mapping[str, object]) -> Object:
        return self.request("PUT", path_of(resource, namespace, name), body)

    def patch(
        self,
        resource: str,
        namespace: str | None,
        name: str,
        body: object,
        *,
        subresource: str = "",
        kind: str = _MERGE,
    ) -> Object:
        """A merge patch, unless `kind` names the media type of another."""
        return self.request("PATCH", path_of(resource, namespace, name, subresource), body, kind)

    def delete(self, resource: str, namespace: str | None, name: str) -> None:
        """Deletes it; without finalizers it is gone when this returns."""
        self.request("DELETE", path_of(resource, namespace, name))

    def create_namespace(self, name: str, labels: Mapping[str, str] | None = None) -> Object:
        return self.create("namespaces", None, {"metadata": {"name": name, "labels": dict(labels or {})}})

    def create_service(
        self,
        namespace: str,
        name: str,
        *,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        **spec: object,
    ) -> Object:
        """A LoadBalancer Service with one port; `spec` adds to that (`loadBalancerClass=`, `ipFamilies=`)."""
        metadata = {"name": name, "labels": dict(labels or {}), "annotations": dict(annotations or {})}
        wanted = {"type": "LoadBalancer", "ports": [{"port": 80}], **spec}
        return self.create("services", namespace, {"metadata": metadata, "spec": wanted})

    def patch_status(self, namespace: str, name: str, status: Mapping[str, object]) -> Object:
        """Writes to the status of a Service, as somebody else than the program under test."""
        return self.patch("services", namespace, name, {"status": status}, subresource="status")

    def ingress(self, namespace: str, name: str) -> list[str]:
        """The addresses that a Service has, in their order."""
        status = self.get("services", namespace, name)["status"]
        return [entry["ip"] for entry in status["loadBalancer"].get("ingress", []) if "ip" in entry]

    def _send(self, method: str, path: str, body: bytes | None, content_type: str) -> urllib3.BaseHTTPResponse:
        headers = {**self._headers, "Content-Type": content_type}
        return self._pool.request(method, self.url + path, body=body, headers=headers, timeout=self._patience)


def path_of(resource: str, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
    """The path of a resource of the API, or of one object of it, or of a part of that."""
    group = _GROUPS.get(resource)
    parts = ["/api/v1" if group is None else f"/apis/{group}"]
    parts += [f"namespaces/{namespace}"] if namespace else []
    parts += [part for part in (resource, name, subresource) if part]
    return "/".join(parts)


def wait_until(condition: Callable[[], Found], what: str = "", patience: float = _PATIENCE) -> Found:
    """
    Ask until the answer is true, and return it.

    Args:
        condition: Asked again and again; an AssertionError of it counts as no.
        what: What is waited for, for the message.
        patience: In seconds; how long until the test fails.
    """
    deadline = time.monotonic() + patience
    while True:
        complaint: AssertionError | None = None
        try:
            if found := condition():
                return found
        except AssertionError as exc:
            complaint = exc
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience:g} s: {what or condition}") from complaint
        time.sleep(0.02)
