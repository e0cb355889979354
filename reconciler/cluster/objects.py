"""
API objects to the model: which field of a Service, EndpointSlice, Node, Namespace or Secret means what. No I/O.

Objects come as JSON text and leave as values that hold only what a decision may need. A cluster of a hundred thousand
Services passes through here, so equal names, labels, ports and endpoints are kept once.
"""

from base64 import b64decode
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, cast

import msgspec

from reconciler.addresses.family import Address, AddressError, parse_address
from reconciler.cluster import wire
from reconciler.cluster.api_object import GROUPS, ApiObject, decode, refuse
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
from reconciler.model.selectors import Labels

POOL_ANNOTATION = "metallb.io/ip-allocated-from-pool"
ASSIGNED_CONDITION = "lb-reconciler.io/Assigned"

_CURRENT_PREFIX = "metallb.io/"
_LEGACY_PREFIX = "metallb.universe.tf/"
_EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"
# kubectl's own choice for a manifest that names no namespace.
_DEFAULT_NAMESPACE = "default"
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
        self._kept: dict[Any, Any] = {}
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

    def versions(self) -> dict[ServiceKey, tuple[str, str]]:
        """Of each Service, the file it was read from and its resource version there."""
        files = self._files["Service"]
        return {key: (files[key], service.resource_version) for key, service in self._services.items()}

    def _add_service(self, found: ApiObject) -> None:
        decoded = decode(found, _SERVICE)
        metadata, spec, status = decoded.metadata, decoded.spec or _NO_SPEC, decoded.status or _NO_STATUS
        namespace, key = self._claim(found, metadata.name, metadata.namespace)
        cluster_ips = spec.cluster_ips or ([spec.cluster_ip] if spec.cluster_ip else [])
        annotations = _annotations(found, metadata.annotations)
        ingress, unreadable = _ingress(status)
        keep = self._kept.setdefault
        self._services[key] = Service(
            key=key,
            namespace=namespace,
            name=metadata.name,
            type=keep(spec.type, spec.type) or "ClusterIP",
            load_balancer_class=spec.load_balancer_class,
            labels=self._labels(metadata.labels),
            created_at=metadata.creation_timestamp or _NOT_CREATED_YET,
            resource_version=metadata.resource_version or _digest(found.raw),
            cluster_ips=tuple(cluster_ips),
            family_policy=spec.ip_family_policy or FamilyPolicy.SINGLE_STACK,
            prefers_ipv6=(spec.ip_families or [""])[0] == "IPv6",
            load_balancer_ip=spec.load_balancer_ip or "",
            requested_ips=annotations.requested_ips,
            requested_pool=annotations.requested_pool,
            sharing_key=annotations.sharing_key,
            announces_shared_ip=annotations.announces_shared_ip,
            deprecated_annotations=annotations.deprecated,
            ports=self._ports(spec.ports),
            external_traffic_policy=keep(spec.external_traffic_policy, spec.external_traffic_policy) or "Cluster",
            selector=self._labels(spec.selector),
            ingress=ingress,
            unreadable_ingress=unreadable,
            allocated_pool=annotations.allocated_pool and keep(annotations.allocated_pool, annotations.allocated_pool),
            condition=_assigned_condition(status),
        )

    def _add_slice(self, found: ApiObject) -> None:
        decoded = decode(found, _ENDPOINT_SLICE)
        metadata = decoded.metadata
        namespace, _ = self._claim(found, metadata.name, metadata.namespace)
        if not metadata.labels or not metadata.labels.service_name:
            return  # Kubernetes API: a slice without the label belongs to no Service.
        key = ServiceKey(f"{namespace}/{metadata.labels.service_name}")
        endpoints = tuple([self._endpoint(endpoint) for endpoint in decoded.endpoints or ()])
        self._endpoints[key] = self._endpoints.get(key, ()) + endpoints

    def _endpoint(self, endpoint: wire.Endpoint) -> Endpoint:
        conditions = endpoint.conditions
        serving = conditions is None or conditions.ready in {None, True} or conditions.serving is True
        facts = (endpoint.node_name, serving, bool(endpoint.addresses))
        kept = self._kept.get(facts)
        if kept is None:
            node, _, has_address = facts
            kept = Endpoint(NodeName(node) if node else None, serving=serving, has_address=has_address)
            self._kept[facts] = kept
        return cast(Endpoint, kept)

    def _add_node(self, found: ApiObject) -> None:
        decoded = decode(found, _NODE)
        conditions = {c.type: c.status for c in (decoded.status and decoded.status.conditions) or ()}
        labels = decoded.metadata.labels or {}
        _, name = self._claim(found, decoded.metadata.name, None)
        self._nodes[name] = Node(
            name=NodeName(name),
            labels=self._labels(labels),
            ready=conditions.get("Ready", "True") == "True",
            network_unavailable=conditions.get("NetworkUnavailable") == "True",
            excluded=_EXCLUDE_LABEL in labels,
        )

    def _add_namespace(self, found: ApiObject) -> None:
        metadata = decode(found, _NAMESPACE).metadata
        _, name = self._claim(found, metadata.name, None)
        self._namespaces[name] = self._labels(metadata.labels)

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
        namespace = namespace or _DEFAULT_NAMESPACE
        namespace = self._kept.setdefault(namespace, namespace)
        if "/" in name or "/" in namespace:
            refuse(found, "a name cannot hold a slash", ("metadata",))
        key = name if found.kind in _CLUSTER_SCOPED else f"{namespace}/{name}"
        key = self._kept.setdefault(key, key)
        files = self._files[found.kind]
        if key in files:
            other = files[key]
            where = "twice in this file" if other == found.place.file else f"in {other} as well"
            refuse(found, f"written {where}: keep one")
        files[key] = found.place.file
        return namespace, ServiceKey(key)

    def _labels(self, labels: dict[str, str] | None) -> Labels:
        if not labels:
            return ()
        keep = self._kept.setdefault
        pairs = [keep(pair, pair) for pair in labels.items()]
        pairs.sort()
        found = tuple(pairs)
        return cast(Labels, keep(found, found))

    def _ports(self, ports: list[wire.ServicePort] | None) -> tuple[Port, ...]:
        facts = tuple([(port.protocol or "TCP", port.port) for port in ports or ()])
        kept = self._kept.get(facts)
        if kept is None:
            kept = self._kept[facts] = tuple(Port(protocol, number) for protocol, number in facts)
        return cast(tuple[Port, ...], kept)


def with_status(service: Service, record: wire.StatusRecord) -> Service:
    """A Service whose status, and what we annotate beside it, is what the record says instead of the manifest."""
    status = record.status or _NO_STATUS
    ingress, unreadable = _ingress(status)
    return msgspec.structs.replace(
        service,
        ingress=ingress,
        unreadable_ingress=unreadable,
        allocated_pool=(record.annotations or {}).get(POOL_ANNOTATION),
        condition=_assigned_condition(status),
        resource_version=version_of(service.resource_version, record),
    )


def version_of(manifest_version: str, record: wire.StatusRecord | None) -> str:
    """The resource version of a Service: it changes with the manifest and with every write of the status."""
    return f"{manifest_version}+{record.generation}" if record else manifest_version


def password_of(found: ApiObject, key: str) -> bytes | None:
    """
    The value of the key `password`, if the object is the Secret of that `namespace/name` and has one.

    Raises:
        ClusterError: The Secret cannot be read, or its data is not base64; the message never quotes it.
    """
    if found.kind != "Secret":
        return None
    decoded = decode(found, _SECRET)
    if f"{decoded.metadata.namespace or _DEFAULT_NAMESPACE}/{decoded.metadata.name}" != key:
        return None
    # Kubernetes API, v1 Secret: stringData overrules data.
    string_data, data = decoded.string_data or wire.SecretKeys(), decoded.data or wire.SecretKeys()
    plain = decode(found, _TEXT, string_data.password, ("stringData", "password"))
    if plain is not None:
        return plain.encode()
    encoded = decode(found, _TEXT, data.password, ("data", "password"))
    if encoded is None:
        return None
    try:
        return b64decode(encoded, validate=True)
    except ValueError:
        refuse(found, "data.password: not base64", ("data", "password"))


def status_record(pool: str | None, addresses: tuple[Address, ...], *, generation: int) -> wire.StatusRecord:
    """What to write beside a manifest: these addresses from that pool, or nothing at all when `pool` is None."""
    if pool is None:
        return wire.StatusRecord(generation, {}, wire.ServiceStatus(wire.LoadBalancer([]), []))
    condition = wire.Condition(ASSIGNED_CONDITION, "True", "Assigned", f'from pool "{pool}"')
    ingress = [wire.Ingress(ip=str(address)) for address in addresses]
    return wire.StatusRecord(
        generation, {POOL_ANNOTATION: pool}, wire.ServiceStatus(wire.LoadBalancer(ingress), [condition])
    )


class _Annotations(msgspec.Struct, frozen=True, gc=False):
    requested_ips: str | None = None
    requested_pool: str = ""
    sharing_key: str = ""
    announces_shared_ip: bool = False
    deprecated: tuple[str, ...] = ()
    allocated_pool: str | None = None


_NO_ANNOTATIONS = _Annotations()


def _annotations(found: ApiObject, raw: msgspec.Raw) -> _Annotations:
    text = bytes(raw)
    # Most Services carry none of ours, but a long last-applied-configuration: not worth decoding. A backslash may
    # hide a letter of the word.
    if b"metallb" not in text and b"\\u" not in text:
        return _NO_ANNOTATIONS
    annotations = decode(found, _STRINGS, raw, ("metadata", "annotations")) or {}
    sharing = _either(annotations, "allow-shared-ip")
    return _Annotations(
        requested_ips=_either(annotations, "loadBalancerIPs"),
        requested_pool=_either(annotations, "address-pool") or "",
        sharing_key=sharing or "",
        announces_shared_ip=sharing is not None,
        deprecated=tuple(sorted(key for key in annotations if key.startswith(_LEGACY_PREFIX))),
        allocated_pool=annotations.get(POOL_ANNOTATION),
    )


def _either(annotations: dict[str, str], name: str) -> str | None:
    """The annotation under its current name, even when empty, or else under its legacy one."""
    current = annotations.get(_CURRENT_PREFIX + name)
    return annotations.get(_LEGACY_PREFIX + name) if current is None else current


def _ingress(status: wire.ServiceStatus) -> tuple[tuple[Address, ...], tuple[str, ...]]:
    """The addresses of a status, and the entries without one."""
    entries = status.load_balancer and status.load_balancer.ingress
    if not entries:
        return (), ()
    addresses: list[Address] = []
    unreadable: list[str] = []
    for entry in entries:
        try:
            addresses.append(parse_address(entry.ip or ""))
        except AddressError:
            unreadable.append(entry.ip or entry.hostname or "")
    return tuple(addresses), tuple(unreadable)


def _assigned_condition(status: wire.ServiceStatus) -> AssignedCondition | None:
    for condition in status.conditions or ():
        if condition.type == ASSIGNED_CONDITION:
            return AssignedCondition(condition.status or "", condition.reason or "", condition.message or "")
    return None


def _digest(raw: msgspec.Raw) -> str:
    """Stands for a resource version where a manifest has none: it changes whenever the manifest does."""
    return blake2b(raw, digest_size=8).hexdigest()


_NO_SPEC = wire.ServiceSpec()
_NO_STATUS = wire.ServiceStatus()
_SERVICE = msgspec.json.Decoder(wire.Service)
_ENDPOINT_SLICE = msgspec.json.Decoder(wire.EndpointSlice)
_NODE = msgspec.json.Decoder(wire.Node)
_NAMESPACE = msgspec.json.Decoder(wire.Namespace)
_SECRET = msgspec.json.Decoder(wire.Secret)
_TEXT: msgspec.json.Decoder[str | None] = msgspec.json.Decoder(str | None)
_STRINGS: msgspec.json.Decoder[dict[str, str] | None] = msgspec.json.Decoder(dict[str, str] | None)
