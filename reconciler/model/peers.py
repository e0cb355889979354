"""BGPPeer and BFDProfile."""

from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.addresses.family import Address
from reconciler.model.origin import Origin
from reconciler.model.selectors import LabelSelector


class DynamicASN(StrEnum):
    """Accept any remote AS that equals (internal) or differs from (external) ours."""

    INTERNAL = "internal"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class BFDProfile:
    """BFD parameters. Intervals in milliseconds; None leaves the protocol's default (300 ms, 300 ms, 3, 50 ms, 254)."""

    name: str
    receive_interval_ms: int | None = None
    transmit_interval_ms: int | None = None
    detect_multiplier: int | None = None
    echo_interval_ms: int | None = None
    echo_mode: bool = False
    passive_mode: bool = False
    minimum_ttl: int | None = None
    origin: Origin = field(default=Origin("", 1, 1), compare=False)


@dataclass(frozen=True, slots=True)
class BGPPeer:
    """
    A router to which nodes open a BGP session.

    Exactly one of `peer_asn` and `dynamic_asn`, and of `peer_address` and `interface`, is set. Times in seconds,
    None when unset; both of `hold_time` and `keepalive_time` are set or neither. `password_secret` names a Secret of
    type kubernetes.io/basic-auth in our own namespace. Empty `node_selectors` mean every node.
    """

    name: str
    my_asn: int
    peer_asn: int | None = None
    dynamic_asn: DynamicASN | None = None
    local_asn: int | None = None
    peer_address: Address | None = None
    interface: str | None = None
    peer_port: int = 179
    source_address: Address | None = None
    router_id: Address | None = None
    hold_time: float | None = None
    keepalive_time: float | None = None
    connect_time: float | None = None
    password: str | None = field(default=None, repr=False)
    password_secret: str | None = None
    bfd: BFDProfile | None = None
    enable_graceful_restart: bool = False
    ebgp_multi_hop: bool = False
    vrf: str | None = None
    disable_mp: bool = False
    dual_stack_address_family: bool = False
    node_selectors: tuple[LabelSelector, ...] = ()
    origin: Origin = field(default=Origin("", 1, 1), compare=False)
