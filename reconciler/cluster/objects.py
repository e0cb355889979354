"""
API objects to the model: which field of a Service, EndpointSlice, Node, Namespace or Secret means what. No I/O.

Objects come decoded into the fields that we read, and leave as values that hold only what a decision may need.
"""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from reconciler.addresses.family import Address, AddressError, parse_address
from reconciler.cluster import wire
from reconciler.cluster.api_object import ApiObject, decode, refuse
from reconciler.model.observed import (
    AssignedCondition,
    Endpoint,
    FamilyPolicy,
    Node,
    NodeName,
    Port,
    Service,
    ServiceKey,
)
from reconciler.model.selectors import Labels

POOL_ANNOTATION = "metallb.io/ip-allocated-from-pool"
ASSIGNED_CONDITION = "lb-reconciler.io/Assigned"
# kubectl's own choice for a manifest that names no namespace.
DEFAULT_NAMESPACE = "default"

_CURRENT_PREFIX = "metallb.io/"
_LEGACY_PREFIX = "metallb.universe.tf/"
_PREFIXES = (_CURRENT_PREFIX, _LEGACY_PREFIX)
_EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"

Part = TypeVar("Part")


class Interned:
    """
    Parts of objects, equal ones kept once: a hundred thousand Services share most of their labels, ports and names.

    Nothing is lost when it is emptied, only what is read later does not share with what was read before.
    """

    def __init__(self) -> None:
        self._kept: dict[Any, Any] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def clear(self) -> None:
        """Forget everything, so that parts of objects which are gone can go too."""
        self._kept.clear()

    def keep(self, part: Part) -> Part:
        """The part that was met first of all equal ones."""
        kept: Part = self._kept.setdefault(part, part)
        return kept

    def labels(self, labels: dict[str, str] | None) -> Labels:
        """Sorted by key."""
        if not labels:
            return ()
        keep = self._kept.setdefault
        pairs = [keep(pair, pair) for pair in labels.items()]
        pairs.sort()
        found: Labels = tuple(pairs)
        kept: Labels = keep(found, found)
        return kept

    def ports(self, ports: list[wire.ServicePort] | None) -> tuple[Port, ...]:
        """In their order."""
        facts = tuple([(port.protocol or "TCP", port.port) for port in ports or ()])
        kept: tuple[Port, ...] | None = self._kept.get(facts)
        if kept is None:
            kept = self._kept[facts] = tuple(Port(protocol, number) for protocol, number in facts)
        return kept

    def endpoint(self, endpoint: wire.Endpoint) -> Endpoint:
        """One endpoint, as far as it matters where it is and whether it serves."""
        conditions = endpoint.conditions
        serving = conditions is None or conditions.ready in {None, True} or conditions.serving is True
        facts = (endpoint.node_name, serving, bool(endpoint.addresses))
        kept: Endpoint | None = self._kept.get(facts)
        if kept is None:
            node, _, has_address = facts
            kept = Endpoint(NodeName(node) if node else None, serving=serving, has_address=has_address)
            self._kept[facts] = kept
        return kept


def may_be_ours(annotations: msgspec.Raw) -> bool:
    """
    Whether annotations are worth decoding.

    Most Services carry none of ours, but a long last-applied-configuration. A backslash may hide a letter of the word.
    """
    text = bytes(annotations)
    return b"metallb" in text or b"\\u" in text


def service_of(
    found: wire.Service, *, key: ServiceKey, namespace: str, annotations: Mapping[str, str], kept: Interned
) -> Service:
    """A Service. `annotations` may be empty where none of them can be ours."""
    metadata, spec, status = found.metadata, found.spec or _NO_SPEC, found.status or _NO_STATUS
    ours = _annotations(annotations) if annotations else _NO_ANNOTATIONS
    ingress, unreadable = ingress_of(status)
    keep = kept.keep
    return Service(
        key=key,
        namespace=namespace,
        name=metadata.name,
        uid=metadata.uid or "",
        type=keep(spec.type) or "ClusterIP",
        load_balancer_class=spec.load_balancer_class and keep(spec.load_balancer_class),
        labels=kept.labels(metadata.labels),
        created_at=metadata.creation_timestamp or "",
        resource_version=metadata.resource_version or "",
        cluster_ips=tuple(spec.cluster_ips or ([spec.cluster_ip] if spec.cluster_ip else [])),
        family_policy=spec.ip_family_policy or FamilyPolicy.SINGLE_STACK,
        prefers_ipv6=(spec.ip_families or [""])[0] == "IPv6",
        load_balancer_ip=spec.load_balancer_ip or "",
        requested_ips=ours.requested_ips,
        requested_pool=ours.requested_pool,
        sharing_key=ours.sharing_key,
        announces_shared_ip=ours.announces_shared_ip,
        deprecated_annotations=ours.deprecated,
        ports=kept.ports(spec.ports),
        external_traffic_policy=keep(spec.external_traffic_policy) or "Cluster",
        selector=kept.labels(spec.selector),
        ingress=ingress,
        unreadable_ingress=unreadable,
        allocated_pool=ours.allocated_pool and keep(ours.allocated_pool),
        condition=condition_of(status),
    )


class EndpointSlice(msgspec.Struct, frozen=True, gc=False):
    """Some of the endpoints of one Service; of none where the slice does not say of which."""

    service: ServiceKey | None
    endpoints: tuple[Endpoint, ...]


def slice_of(found: wire.EndpointSlice, *, namespace: str, kept: Interned) -> EndpointSlice:
    """An EndpointSlice."""
    labels = found.metadata.labels
    if not labels or not labels.service_name:
        return EndpointSlice(None, ())  # Kubernetes API: a slice without the label belongs to no Service.
    service = ServiceKey(kept.keep(f"{namespace}/{labels.service_name}"))
    return EndpointSlice(service, tuple([kept.endpoint(endpoint) for endpoint in found.endpoints or ()]))


def node_of(found: wire.Node, *, kept: Interned) -> Node:
    """A Node."""
    conditions = {c.type: c.status for c in (found.status and found.status.conditions) or ()}
    labels = found.metadata.labels or {}
    taints = (found.spec and found.spec.taints) or ()
    return Node(
        name=NodeName(found.metadata.name),
        labels=kept.labels(labels),
        ready=conditions.get("Ready", "True") == "True",
        network_unavailable=conditions.get("NetworkUnavailable") == "True",
        excluded=_EXCLUDE_LABEL in labels,
        taints=kept.keep(tuple(sorted({taint.key for taint in taints if taint.key}))),
    )


def ingress_of(status: wire.ServiceStatus) -> tuple[tuple[Address, ...], tuple[str, ...]]:
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


def condition_of(status: wire.ServiceStatus) -> AssignedCondition | None:
    """Our condition in a status."""
    for condition in status.conditions or ():
        if condition.type == ASSIGNED_CONDITION:
            return AssignedCondition(
                condition.status or "",
                condition.reason or "",
                condition.message or "",
                condition.last_transition_time or "",
            )
    return None


def password_of(found: ApiObject, key: str) -> bytes | None:
    """
    The value of the key `password`, if the object is the Secret of that `namespace/name` and has one.

    Raises:
        ClusterError: The Secret cannot be read, or its data is not base64; the message never quotes it.
    """
    if found.kind != "Secret":
        return None
    decoded = decode(found, _SECRET)
    if f"{decoded.metadata.namespace or DEFAULT_NAMESPACE}/{decoded.metadata.name}" != key:
        return None
    # Kubernetes API, v1 Secret: stringData overrides data.
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


class _Annotations(msgspec.Struct, frozen=True, gc=False):
    requested_ips: str | None = None
    requested_pool: str = ""
    sharing_key: str = ""
    announces_shared_ip: bool = False
    deprecated: tuple[str, ...] = ()
    allocated_pool: str | None = None


_NO_ANNOTATIONS = _Annotations()


def _annotations(annotations: Mapping[str, str]) -> _Annotations:
    if [name for name in annotations if name.startswith(_PREFIXES)] == [POOL_ANNOTATION]:
        return _Annotations(allocated_pool=annotations[POOL_ANNOTATION])  # what most have: nothing but our own
    sharing = _either(annotations, "allow-shared-ip")
    return _Annotations(
        requested_ips=_either(annotations, "loadBalancerIPs"),
        requested_pool=_either(annotations, "address-pool") or "",
        sharing_key=sharing or "",
        announces_shared_ip=sharing is not None,
        deprecated=tuple(sorted(key for key in annotations if key.startswith(_LEGACY_PREFIX))),
        allocated_pool=annotations.get(POOL_ANNOTATION),
    )


def _either(annotations: Mapping[str, str], name: str) -> str | None:
    """The annotation under its current name, even when empty, or else under its legacy one."""
    current = annotations.get(_CURRENT_PREFIX + name)
    return annotations.get(_LEGACY_PREFIX + name) if current is None else current


_NO_SPEC = wire.ServiceSpec()
_NO_STATUS = wire.ServiceStatus()
_SECRET = msgspec.json.Decoder(wire.Secret)
_TEXT: msgspec.json.Decoder[str | None] = msgspec.json.Decoder(str | None)
