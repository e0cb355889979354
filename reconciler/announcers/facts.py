"""What an announcer tells of itself for the status: one row for each address."""

from enum import StrEnum

import msgspec

from reconciler.addresses.family import Address
from reconciler.model.observed import InterfaceName, NodeName


class Standing(StrEnum):
    """How an address that was given to this node stands here; the words are shown in the status."""

    PROBING = "probing"
    ANNOUNCED = "announced"
    LINGERING = "lingering"  # answered for until the successor has it
    IN_USE = "in-use"
    YIELDED = "yielded"
    NO_INTERFACE = "no-interface"


class AnnouncedAddress(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """
    An address and the interfaces on which it is answered for, sorted; none of them unless announced or lingering.

    `since` is in seconds on the announcer's clock. `mac` is that of another host that has the address or claims it,
    `member` the node of ours that it belongs to.
    """

    address: Address
    standing: Standing
    interfaces: tuple[InterfaceName, ...]
    since: float
    mac: str | None = None
    member: NodeName | None = None


class SessionCounts(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Messages of one BGP peer since it was opened, and packets of its BFD session."""

    opens_sent: int = 0
    opens_received: int = 0
    notifications_sent: int = 0
    notifications_received: int = 0
    updates_sent: int = 0
    updates_received: int = 0
    keepalives_sent: int = 0
    keepalives_received: int = 0
    route_refreshes_sent: int = 0
    route_refreshes_received: int = 0
    established: int = 0
    updates_refused: int = 0
    bfd_packets_sent: int = 0
    bfd_packets_received: int = 0
    bfd_up_events: int = 0
    bfd_down_events: int = 0


class PeerSession(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """
    One BGPPeer on this node, and the session with it.

    `remote` is an address with its port, or an interface; `state` a word of `bgp.events.State`, in it `since`, in
    seconds on the announcer's clock. `remote_asn` and `remote_router_id` are the peer's own word, None without a
    session. `wanted` routes it should hear of, `told` it has heard of in this session; `received` it has told us of.
    `last_error` is one sentence, and of `last_error_at`; `problem` what keeps us from even trying. `bfd` is the state
    of its BFD session in words, None where none is asked for, and `bfd_problem` what is wrong with it.
    """

    peer: str
    remote: str
    vrf: str | None
    state: str
    since: float
    local_asn: int
    remote_asn: int | None = None
    remote_router_id: str | None = None
    hold_time: float | None = None
    graceful_restart: bool = False
    families: tuple[str, ...] = ()
    wanted: int = 0
    told: int = 0
    received: int = 0
    last_error: str | None = None
    last_error_at: float | None = None
    retry_at: float | None = None
    problem: str | None = None
    bfd: str | None = None
    bfd_problem: str | None = None
    bfd_since: float | None = None
    counts: SessionCounts = SessionCounts()
