"""
The objects of a cluster of manifests, each of which may appear once, and the status that was written beside them.

A cluster of a hundred thousand Services passes through here. No I/O.
"""

from collections.abc import Callable
from hashlib import blake2b

import msgspec

from reconciler.cluster import wire
from reconciler.cluster.api_object import GROUPS, ApiObject, decode, refuse
from reconciler.cluster.objects import (
    DEFAULT_NAMESPACE,
    POOL_ANNOTATION,
    Interned,
    condition_of,
    ingress_of,
    may_be_ours,
    node_of,
    service_of,
    slice_of,
)
from reconciler.model.observed import Endpoint, Node, ObservedState, Secret, Service, ServiceKey
from reconciler.model.selectors import Labels

# A manifest that somebody typed has no time of creation, and must not go before the Services that exist.
_NOT_CREATED_YET = "9999-12-31T23:59:59Z"

_CLUSTER_SCOPED = frozenset({"Node", "Namespace"})


class Inventory:
    """The objects of one cluster as they are read, one after the other; `observed` is what they add up to."""

    def __init__(self) -> None:
        self._services: dict[ServiceKey, Service] = {}
        self._endpoints: dict[ServiceKey, tuple[Endpoint, ...]] = {}
        self._nodes: dict[str, Node] = {}
        self._namespaces: dict[str, Labels] = {}
        self._secrets: dict[str, Secret] = {}
        self._files: dict[str, dict[str, str]] = {kind: {} for kind in GROUPS}
        self._kept = Interned()
        self._readers: dict[str, Callable[[ApiObject], None]] = {
            "Service": self._add_service,
            "EndpointSlice": self._add_slice,
            "Node": self._add_node,
            "Namespace": self._add_namespace,
            "Secret": self._add_secret,
        }

    def add(self, found: ApiObject) -> None:
        """
        Read one object.

        Raises:
            ClusterError: A field has the wrong type, or the same object was read before; the message names file,
                object and field, or both files.
        """
        self._readers[found.kind](found)

    def record_status(self, key: ServiceKey, record: wire.StatusRecord) -> None:
        """Let what a controller wrote stand for the status in the manifest; without a manifest it means nothing."""
        if service := self._services.get(key):
            self._services[key] = with_status(service, record)

    def observed(self, *, namespace: str) -> ObservedState:
        """Everything read so far, sorted. `namespace` is the one whose Secrets are ours."""
        prefix = f"{namespace}/"
        ours = {key.removeprefix(prefix): secret for key, secret in self._secrets.items() if key.startswith(prefix)}
        return ObservedState(
            services=tuple(self._services[key] for key in sorted(self._services)),
            endpoints=self._endpoints,
            nodes=tuple(self._nodes[name] for name in sorted(self._nodes)),
            namespaces=self._namespaces,
            secrets=ours or None,
        )

    def manifests(self) -> dict[ServiceKey, tuple[str, Service]]:
        """Of each Service, the file it was read from and, as long as no status was recorded, what it says there."""
        files = self._files["Service"]
        return {key: (files[key], service) for key, service in self._services.items()}

    def _add_service(self, found: ApiObject) -> None:
        decoded = decode(found, _SERVICE)
        metadata = decoded.metadata
        namespace, key = self._claim(found, metadata.name, metadata.namespace)
        metadata.creation_timestamp = metadata.creation_timestamp or _NOT_CREATED_YET
        metadata.resource_version = metadata.resource_version or _digest(found.raw)
        annotations = None
        if may_be_ours(metadata.annotations):
            annotations = decode(found, _STRINGS, metadata.annotations, ("metadata", "annotations"))
        self._services[key] = service_of(
            decoded, key=key, namespace=namespace, annotations=annotations or {}, kept=self._kept
        )

    def _add_slice(self, found: ApiObject) -> None:
        decoded = decode(found, _ENDPOINT_SLICE)
        namespace, _ = self._claim(found, decoded.metadata.name, decoded.metadata.namespace)
        part = slice_of(decoded, namespace=namespace, kept=self._kept)
        if part.service is not None:
            self._endpoints[part.service] = self._endpoints.get(part.service, ()) + part.endpoints

    def _add_node(self, found: ApiObject) -> None:
        decoded = decode(found, _NODE)
        _, name = self._claim(found, decoded.metadata.name, None)
        self._nodes[name] = node_of(decoded, kept=self._kept)

    def _add_namespace(self, found: ApiObject) -> None:
        metadata = decode(found, _NAMESPACE).metadata
        _, name = self._claim(found, metadata.name, None)
        self._namespaces[name] = self._kept.labels(metadata.labels)

    def _add_secret(self, found: ApiObject) -> None:
        decoded = decode(found, _SECRET)
        metadata = decoded.metadata
        _, key = self._claim(found, metadata.name, metadata.namespace)
        has_password = any(keys and bytes(keys.password) != b"null" for keys in (decoded.data, decoded.string_data))
        self._secrets[key] = Secret(metadata.name, decoded.type or "Opaque", has_password)

    def _claim(self, found: ApiObject, name: str, namespace: str | None) -> tuple[str, ServiceKey]:
        """The namespace and key of an object that may appear once only."""
        if not name:
            refuse(found, "metadata.name is missing", ("metadata",))
        namespace = self._kept.keep(namespace or DEFAULT_NAMESPACE)
        if "/" in name or "/" in namespace:
            refuse(found, "a name cannot hold a slash", ("metadata",))
        key = self._kept.keep(name if found.kind in _CLUSTER_SCOPED else f"{namespace}/{name}")
        files = self._files[found.kind]
        if key in files:
            other = files[key]
            where = "twice in this file" if other == found.place.file else f"in {other} as well"
            refuse(found, f"written {where}: keep one")
        files[key] = found.place.file
        return namespace, ServiceKey(key)


def with_status(service: Service, record: wire.StatusRecord) -> Service:
    """A Service whose status, and what we annotate beside it, is what the record says instead of the manifest."""
    status = record.status or _NO_STATUS
    ingress, unreadable = ingress_of(status)
    return msgspec.structs.replace(
        service,
        ingress=ingress,
        unreadable_ingress=unreadable,
        allocated_pool=(record.annotations or {}).get(POOL_ANNOTATION),
        condition=condition_of(status),
        resource_version=version_of(service.resource_version, record.generation),
    )


def version_of(manifest_version: str, generation: int) -> str:
    """The resource version of a Service: it changes with the manifest and with every write of the status."""
    return f"{manifest_version}+{generation}" if generation else manifest_version


def _digest(raw: msgspec.Raw) -> str:
    """Stands for a resource version where a manifest has none: it changes whenever the manifest does."""
    return blake2b(raw, digest_size=8).hexdigest()


_NO_STATUS = wire.ServiceStatus()
_SERVICE = msgspec.json.Decoder(wire.Service)
_ENDPOINT_SLICE = msgspec.json.Decoder(wire.EndpointSlice)
_NODE = msgspec.json.Decoder(wire.Node)
_NAMESPACE = msgspec.json.Decoder(wire.Namespace)
_SECRET = msgspec.json.Decoder(wire.Secret)
_STRINGS: msgspec.json.Decoder[dict[str, str] | None] = msgspec.json.Decoder(dict[str, str] | None)
