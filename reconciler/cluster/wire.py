"""
The parts of Kubernetes API objects that we read, under their names on the wire. No I/O, no rules.

Every field may be absent or null, as in a manifest somebody typed; unknown fields are skipped undecoded.
"""

from typing import Generic, TypeVar

from msgspec import Raw, Struct, field

from reconciler.model.observed import FamilyPolicy

Item = TypeVar("Item")

# What an absent field that stays undecoded holds.
NULL = Raw(b"null")


class Head(Struct, gc=False, rename="camel"):
    """What every object begins with; `items` where it is a list."""

    api_version: str | None = None
    kind: str | None = None
    items: Raw = NULL


class Metadata(Struct, gc=False, rename="camel"):
    """ObjectMeta of objects of which only name and labels matter."""

    name: str = ""
    namespace: str | None = None
    uid: str | None = None
    labels: dict[str, str] | None = None
    resource_version: str | None = None


class ServiceMetadata(Struct, gc=False, rename="camel"):
    """ObjectMeta of a Service; annotations stay text, because most of them are long and none of our business."""

    name: str = ""
    namespace: str | None = None
    labels: dict[str, str] | None = None
    uid: str | None = None
    annotations: Raw = NULL
    creation_timestamp: str | None = None
    resource_version: str | None = None


class Condition(Struct, gc=False, omit_defaults=True, rename="camel"):
    """An entry of `status.conditions`."""

    type: str | None = None
    status: str | None = None
    reason: str | None = None
    message: str | None = None
    last_transition_time: str | None = None


class Ingress(Struct, gc=False, omit_defaults=True):
    """An entry of `status.loadBalancer.ingress`."""

    ip: str | None = None
    hostname: str | None = None


class LoadBalancer(Struct, gc=False):
    """`status.loadBalancer`."""

    ingress: list[Ingress] | None = None


class ServiceStatus(Struct, gc=False, rename="camel"):
    """`status` of a Service."""

    load_balancer: LoadBalancer | None = None
    conditions: list[Condition] | None = None


class ServicePort(Struct, gc=False):
    """An entry of `spec.ports`."""

    port: int
    protocol: str | None = None


class ServiceSpec(Struct, gc=False, rename="camel"):
    """`spec` of a Service."""

    type: str | None = None
    load_balancer_class: str | None = None
    cluster_ip: str | None = field(name="clusterIP", default=None)
    cluster_ips: list[str] | None = field(name="clusterIPs", default=None)
    ip_families: list[str] | None = None
    ip_family_policy: FamilyPolicy | None = None
    load_balancer_ip: str | None = field(name="loadBalancerIP", default=None)
    ports: list[ServicePort] | None = None
    external_traffic_policy: str | None = None
    selector: dict[str, str] | None = None


class Service(Struct, gc=False):
    """v1 Service."""

    metadata: ServiceMetadata
    spec: ServiceSpec | None = None
    status: ServiceStatus | None = None


class NodeStatus(Struct, gc=False):
    """`status` of a Node."""

    conditions: list[Condition] | None = None


class Taint(Struct, gc=False):
    """An entry of `spec.taints`."""

    key: str | None = None


class NodeSpec(Struct, gc=False):
    """`spec` of a Node."""

    taints: list[Taint] | None = None


class Node(Struct, gc=False):
    """v1 Node."""

    metadata: Metadata
    spec: NodeSpec | None = None
    status: NodeStatus | None = None


class Namespace(Struct, gc=False):
    """v1 Namespace."""

    metadata: Metadata


class SliceLabels(Struct, gc=False):
    """The one label of an EndpointSlice that means something here: the Service it belongs to."""

    service_name: str | None = field(name="kubernetes.io/service-name", default=None)


class SliceMetadata(Struct, gc=False, rename="camel"):
    """ObjectMeta of an EndpointSlice."""

    name: str = ""
    namespace: str | None = None
    labels: SliceLabels | None = None
    resource_version: str | None = None


class EndpointConditions(Struct, gc=False):
    """`conditions` of an endpoint; null is unset."""

    ready: bool | None = None
    serving: bool | None = None


class Endpoint(Struct, gc=False, rename="camel"):
    """An entry of `endpoints`."""

    addresses: list[str] | None = None
    conditions: EndpointConditions | None = None
    node_name: str | None = None


class EndpointSlice(Struct, gc=False):
    """discovery.k8s.io EndpointSlice."""

    metadata: SliceMetadata
    endpoints: list[Endpoint] | None = None


class SecretKeys(Struct, gc=False):
    """Whether the key is there; its value stays where it was read from and goes with it."""

    password: Raw = NULL


class Secret(Struct, gc=False, rename="camel"):
    """v1 Secret."""

    metadata: Metadata
    type: str | None = None
    data: SecretKeys | None = None
    string_data: SecretKeys | None = None


class StatusRecord(Struct, gc=False):
    """
    What a controller wrote beside a manifest: the status and annotations that stand for those in it.

    `generation` counts the writes.
    """

    generation: int = 0
    annotations: dict[str, str] | None = None
    status: ServiceStatus | None = None


class Identity(Struct, gc=False, rename="camel"):
    """Of the metadata of any object, what tells it from others; readable where the rest is not."""

    name: str = ""
    namespace: str | None = None
    resource_version: str | None = None


class Identified(Struct, gc=False):
    """Any object."""

    metadata: Identity


class ListMetadata(Struct, gc=False, rename="camel"):
    """ListMeta; `continue_` is the token of the next page, empty on the last one."""

    resource_version: str = ""
    continue_: str | None = field(name="continue", default=None)


class ListHead(Struct, gc=False):
    """A list without its items."""

    metadata: ListMetadata


class Listing(Struct, Generic[Item], gc=False):
    """One page of a list."""

    metadata: ListMetadata
    items: list[Item] | None = None


class WatchEvent(Struct, gc=False):
    """One line of a watch."""

    type: str
    object: Raw


class StatusDetails(Struct, gc=False, rename="camel"):
    """`details` of a Status."""

    retry_after_seconds: int | None = None


class Status(Struct, gc=False):
    """meta/v1 Status: an answer that is no object."""

    code: int | None = None
    reason: str | None = None
    message: str | None = None
    details: StatusDetails | None = None
