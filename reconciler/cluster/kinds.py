"""The kinds that are followed on an API server: where each is listed, and how one of its objects is read. No I/O."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from reconciler.cluster import wire
from reconciler.cluster.objects import (
    DEFAULT_NAMESPACE,
    EndpointSlice,
    Interned,
    may_be_ours,
    node_of,
    service_of,
    slice_of,
)
from reconciler.model.observed import Node, Service, ServiceKey
from reconciler.model.selectors import Labels

Decoded = TypeVar("Decoded", wire.Service, wire.Namespace, wire.Node, wire.EndpointSlice)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Kind(Generic[Decoded, Value]):
    """
    One kind of object.

    `name` is for people. `read` makes the value of an object with that key; it raises msgspec's errors. `version_of`
    and `at_version` are those of values that carry a resource version, because they are written: the version of a
    value, and the same value at another version.
    """

    name: str
    path: str
    object: msgspec.json.Decoder[Decoded]
    listing: msgspec.json.Decoder[wire.Listing[Decoded]]
    read: Callable[[Decoded, str, Interned], Value]
    namespaced: bool = True
    version_of: Callable[[Value], str] | None = None
    at_version: Callable[[Value, str], Value] | None = None

    def key_of(self, metadata: wire.Identity | wire.Metadata | wire.ServiceMetadata | wire.SliceMetadata) -> str:
        """
        The key of an object: `namespace/name`, or its name where it is in no namespace.

        Raises:
            msgspec.ValidationError: It has no name.
        """
        if not metadata.name:
            raise msgspec.ValidationError("metadata.name is missing")
        return f"{metadata.namespace or DEFAULT_NAMESPACE}/{metadata.name}" if self.namespaced else metadata.name


def _service(found: wire.Service, key: str, kept: Interned) -> Service:
    annotations = None
    if may_be_ours(found.metadata.annotations):
        annotations = _STRINGS.decode(found.metadata.annotations)
    namespace = kept.keep(found.metadata.namespace or DEFAULT_NAMESPACE)
    return service_of(found, key=ServiceKey(key), namespace=namespace, annotations=annotations or {}, kept=kept)


def _slice(found: wire.EndpointSlice, key: str, kept: Interned) -> EndpointSlice:
    return slice_of(found, namespace=key.partition("/")[0], kept=kept)


def _node(found: wire.Node, _key: str, kept: Interned) -> Node:
    return node_of(found, kept=kept)


def _namespace(found: wire.Namespace, _key: str, kept: Interned) -> Labels:
    return kept.labels(found.metadata.labels)


_STRINGS: msgspec.json.Decoder[dict[str, str] | None] = msgspec.json.Decoder(dict[str, str] | None)

SERVICES: Kind[wire.Service, Service] = Kind(
    "Service",
    "/api/v1/services",
    msgspec.json.Decoder(wire.Service),
    msgspec.json.Decoder(wire.Listing[wire.Service]),
    _service,
    version_of=lambda service: service.resource_version,
    at_version=lambda service, version: msgspec.structs.replace(service, resource_version=version),
)
NAMESPACES: Kind[wire.Namespace, Labels] = Kind(
    "Namespace",
    "/api/v1/namespaces",
    msgspec.json.Decoder(wire.Namespace),
    msgspec.json.Decoder(wire.Listing[wire.Namespace]),
    _namespace,
    namespaced=False,
)
NODES: Kind[wire.Node, Node] = Kind(
    "Node",
    "/api/v1/nodes",
    msgspec.json.Decoder(wire.Node),
    msgspec.json.Decoder(wire.Listing[wire.Node]),
    _node,
    namespaced=False,
)
ENDPOINT_SLICES: Kind[wire.EndpointSlice, EndpointSlice] = Kind(
    "EndpointSlice",
    "/apis/discovery.k8s.io/v1/endpointslices",
    msgspec.json.Decoder(wire.EndpointSlice),
    msgspec.json.Decoder(wire.Listing[wire.EndpointSlice]),
    _slice,
)
