"""What a cluster looks like right now: Services, endpoints, nodes, namespaces, and the snapshot of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

import msgspec

from reconciler.addresses.family import Address
from reconciler.model.selectors import Labels, labels_of

ServiceKey = NewType("ServiceKey", str)  # "namespace/name"
NodeName = NewType("NodeName", str)
InterfaceName = NewType("InterfaceName", str)

_NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"


class FamilyPolicy(StrEnum):
    """`spec.ipFamilyPolicy`; absent is SingleStack."""

    SINGLE_STACK = "SingleStack"
    PREFER_DUAL_STACK = "PreferDualStack"
    REQUIRE_DUAL_STACK = "RequireDualStack"


class Port(msgspec.Struct, frozen=True, order=True, gc=False):
    """One port of a Service, as it is reached from outside."""

    protocol: str
    number: int

    def __str__(self) -> str:
        return f"{self.protocol}/{self.number}"


class AssignedCondition(msgspec.Struct, frozen=True, gc=False):
    """
    The condition `lb-reconciler.io/Assigned` that we keep in a Service's status.

    `last_transition` is when its status last changed, RFC 3339 text; empty where that is not known yet.
    """

    status: str
    reason: str = ""
    message: str = ""
    last_transition: str = ""


class Service(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """
    The fields of a Service that a decision may depend on.

    `ingress` are the addresses in its status, in their order; `unreadable_ingress` are those without one (host names).
    `requested_ips` is the text of the annotation `metallb.io/loadBalancerIPs`, None when absent; `requested_pool`
    and `sharing_key` are empty when absent. `allocated_pool` is the annotation that a controller writes beside an
    address, None when absent. `announces_shared_ip` is whether either sharing annotation is present, whatever its
    value. `created_at` is the RFC 3339 text, which sorts by time. `uid` tells a Service from one that had its name
    before it; a manifest may have none.
    """

    key: ServiceKey
    namespace: str
    name: str
    uid: str = ""
    type: str = "LoadBalancer"
    load_balancer_class: str | None = None
    labels: Labels = ()
    created_at: str = ""
    resource_version: str = ""
    cluster_ips: tuple[str, ...] = ()
    family_policy: FamilyPolicy = FamilyPolicy.SINGLE_STACK
    prefers_ipv6: bool = False
    load_balancer_ip: str = ""
    requested_ips: str | None = None
    requested_pool: str = ""
    sharing_key: str = ""
    announces_shared_ip: bool = False
    deprecated_annotations: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    external_traffic_policy: str = "Cluster"
    selector: Labels = ()
    ingress: tuple[Address, ...] = ()
    unreadable_ingress: tuple[str, ...] = ()
    allocated_pool: str | None = None
    condition: AssignedCondition | None = None

    @property
    def is_load_balancer(self) -> bool:
        """Whether the Service asks for an address at all."""
        return self.type == "LoadBalancer"

    @property
    def is_ours(self) -> bool:
        """
        Whether a controller of MetalLB's or ours wrote the addresses in the status, by the marks that they leave.

        A condition that is False only says that we refused the Service: the addresses are somebody else's.
        """
        return self.allocated_pool is not None or (self.condition is not None and self.condition.status == "True")

    @property
    def is_local(self) -> bool:
        """Whether only nodes with a local endpoint may take its traffic."""
        return self.external_traffic_policy == "Local"


class Endpoint(msgspec.Struct, frozen=True, gc=False):
    """
    One endpoint of an EndpointSlice (discovery.k8s.io/v1).

    `serving`: ready unset or true, or else serving true. `node` is None when the slice names none.
    """

    node: NodeName | None
    serving: bool
    has_address: bool = True


class Node(msgspec.Struct, frozen=True, gc=False):
    """
    A node. `ready`: its condition Ready is True or absent. `excluded`: it carries the label
    node.kubernetes.io/exclude-from-external-load-balancers, whatever its value. `taints` are the keys of its taints,
    sorted, whatever their values and effects.
    """

    name: NodeName
    labels: Labels = ()
    ready: bool = True
    network_unavailable: bool = False
    excluded: bool = False
    taints: tuple[str, ...] = ()


class Link(msgspec.Struct, frozen=True, gc=False):
    """A network interface of a node, and whether it has a carrier."""

    name: InterfaceName
    carrier: bool = True


class Member(msgspec.Struct, frozen=True, gc=False):
    """
    A speaker that is alive.

    `links` is None where nothing is known of them: all count as up. `others_up`: there are more than those, and every
    one has a carrier. `former` are the configurations before the present one that it still has, by their shortened
    revisions; None where that is not known, and it counts as having all.
    """

    node: NodeName
    links: frozenset[Link] | None = None
    others_up: bool = False
    former: frozenset[str] | None = None


Members = frozenset[Member]


class Secret(msgspec.Struct, frozen=True, gc=False):
    """What a check may know of a Secret in our own namespace; never its content."""

    name: str
    type: str = "Opaque"
    has_password: bool = False


@dataclass(frozen=True, slots=True)
class ObservedState:
    """
    A snapshot of a cluster.

    Services and nodes are sorted by key and name; namespaces map a name to its labels; secrets are those of our own
    namespace, by name, None where the snapshot holds none of them.
    """

    services: tuple[Service, ...] = ()
    endpoints: Mapping[ServiceKey, tuple[Endpoint, ...]] = field(default_factory=dict)
    nodes: tuple[Node, ...] = ()
    namespaces: Mapping[str, Labels] = field(default_factory=dict)
    secrets: Mapping[str, Secret] | None = None

    def namespace_labels(self, name: str) -> Labels:
        """The labels of a namespace, and the one that every API server sets, also where a manifest leaves it out."""
        return labels_of({**dict(self.namespaces.get(name, ())), _NAMESPACE_NAME_LABEL: name}.items())
