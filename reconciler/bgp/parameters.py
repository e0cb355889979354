"""What is configured of a session, and what both sides agree on. No I/O."""

from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.bgp.families import Family

# Seconds (RFC 4271 section 10; the hold time is what MetalLB sends by default).
HOLD_TIME = 90.0
CONNECT_RETRY_TIME = 120.0
RESTART_TIME = 120
DEFAULT_LOCAL_PREF = 100


class RemoteAS(StrEnum):
    """The AS of a peer of which no number is configured: the same as ours, or any other one."""

    INTERNAL = "internal"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class SessionParameters:
    """
    One side of a session: ours. Times in seconds.

    `families` are those that we offer. Without `multiprotocol` no such capability is offered, which means IPv4 alone.
    `hold_time` 0 means that neither side ever calls the other silent. `keepalive_time` None is a third of what is
    agreed; `connect_retry_time` None the default. `maximum_prefixes`: a peer that tells us of more loses its session.
    `restart_time` (RFC 4724) is offered where `graceful_restart` is set. `is_multihop` allows an eBGP peer beyond the
    link. `is_passive` waits for the peer to connect. `is_restarting`: this process follows another one whose routes a
    peer may have kept, which the OPENs say until the first session is established; it is no difference to a session.
    """

    local_asn: int
    remote_asn: int | RemoteAS
    families: frozenset[Family]
    hold_time: float = HOLD_TIME
    keepalive_time: float | None = None
    connect_retry_time: float | None = None
    multiprotocol: bool = True
    graceful_restart: bool = False
    restart_time: int = RESTART_TIME
    maximum_prefixes: int | None = None
    is_multihop: bool = False
    is_passive: bool = False
    is_restarting: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class LocalEnd:
    """
    Our side of one TCP connection, as the kernel tells it.

    `address` is 4 or 16 octets. `router_id` is our BGP identifier, 4 octets. The others are addresses of the interface
    that the connection leaves by, next hops for routes of either family: the first IPv4 address, the first global IPv6
    address, the link-local one; None where there is none. `is_on_link`: the peer is a neighbour on that interface.
    """

    address: bytes
    router_id: bytes
    ipv4: bytes | None = None
    ipv6: bytes | None = None
    link_local: bytes | None = None
    is_on_link: bool = True


@dataclass(frozen=True, slots=True)
class PeerRestart:
    """Graceful restart as a peer offers it (RFC 4724); `preserved` are the families with the F bit."""

    families: frozenset[Family]
    preserved: frozenset[Family]
    restart_time: int
    is_restarting: bool
    understands_notifications: bool  # RFC 8538, the N bit


@dataclass(frozen=True, slots=True)
class Agreement:
    """
    What both OPENs together mean for a session.

    `families` are those that both sides offered. `keepalive_time` is 0 where `hold_time` is. `extended_next_hop`:
    IPv4 routes may have an IPv6 next hop (RFC 8950). `graceful_restart`: both offered it, and the peer keeps our routes
    for our restart time, also where it names no family of its own. `max_length` is that of a message, 4096 or 65535
    (RFC 8654).
    """

    remote_asn: int
    remote_router_id: bytes
    is_ibgp: bool
    hold_time: float
    keepalive_time: float
    families: frozenset[Family]
    four_octet_as: bool
    max_length: int
    route_refresh: bool
    enhanced_refresh: bool
    extended_next_hop: bool
    graceful_restart: PeerRestart | None
