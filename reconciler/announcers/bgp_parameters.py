"""What a BGPPeer and our settings for it make of a session, and of the BFD session that guards it. No I/O."""

from dataclasses import dataclass, field

from reconciler.addresses.family import Family
from reconciler.bfd.demultiplexing import LARGEST_TTL, Path
from reconciler.bfd.intervals import Parameters
from reconciler.bgp.families import Family as RouteFamily
from reconciler.bgp.parameters import HOLD_TIME, RemoteAS, SessionParameters
from reconciler.bgp.remote import Remote
from reconciler.model.peers import BFDProfile, BGPPeer, DynamicASN
from reconciler.model.settings import BGPPeerSettings
from reconciler.placement.routes import families_of

ROUTE_FAMILIES = {Family.IPV4: RouteFamily.IPV4, Family.IPV6: RouteFamily.IPV6}

# UDP ports (RFC 5881 section 4, RFC 5883 section 5).
SINGLE_HOP_PORT, MULTIHOP_PORT = 3784, 4784
# What FRR and BIRD have for a field that a profile leaves out, in seconds; the multiplier, and a TTL of several hops.
_BFD_INTERVAL, _BFD_MULTIPLIER, _BFD_MINIMUM_TTL = 0.3, 3, 254
_MILLISECONDS = 1000

_REMOTE_AS = {DynamicASN.INTERNAL: RemoteAS.INTERNAL, DynamicASN.EXTERNAL: RemoteAS.EXTERNAL}


@dataclass(frozen=True, slots=True)
class Terms:
    """All that a session depends on: it begins anew where any of it changes, and nowhere else."""

    parameters: SessionParameters
    remote: Remote = field(repr=False)


@dataclass(frozen=True, slots=True)
class Track:
    """Where the packets of a BFD session go: the UDP port, the VRF, and between whom."""

    port: int
    device: str | None
    path: Path


def terms_of(peer: BGPPeer, settings: BGPPeerSettings, password: bytes | None) -> Terms:
    """
    Args:
        peer: As configured; what decides where it runs is no part of its session.
        settings: Those of that peer.
        password: The one in force, from wherever it comes.
    """
    families = families_of(peer)
    parameters = SessionParameters(
        local_asn=local_asn_of(peer),
        remote_asn=_remote_asn(peer),
        families=frozenset(ROUTE_FAMILIES[family] for family in families),
        hold_time=HOLD_TIME if peer.hold_time is None else peer.hold_time,
        keepalive_time=peer.keepalive_time,
        connect_retry_time=peer.connect_time,
        # IPv6 routes need the capability, whatever disableMP says.
        multiprotocol=not peer.disable_mp or families != (Family.IPV4,),
        graceful_restart=peer.enable_graceful_restart,
        maximum_prefixes=settings.maximum_prefixes,
        is_multihop=peer.ebgp_multi_hop,
        is_passive=settings.passive,
    )
    remote = Remote(
        address=None if peer.peer_address is None else peer.peer_address.packed,
        interface=peer.interface,
        port=peer.peer_port,
        source=None if peer.source_address is None else peer.source_address.packed,
        password=password,
        device=peer.vrf,
        hops=settings.gtsm_hops,
        router_id=None if peer.router_id is None else peer.router_id.packed,
    )
    return Terms(parameters, remote)


def local_asn_of(peer: BGPPeer) -> int:
    """The AS that the peer sees: `localASN` alone where it is set, as with `no-prepend replace-as` of other routers."""
    return peer.local_asn or peer.my_asn


def _remote_asn(peer: BGPPeer) -> int | RemoteAS:
    if peer.dynamic_asn is not None:
        return _REMOTE_AS[peer.dynamic_asn]
    return peer.peer_asn or 0


def bfd_parameters_of(profile: BFDProfile) -> Parameters:
    """The intervals of a profile; those of echo packets have no meaning here, because none are sent."""
    return Parameters(
        desired_min_tx=_seconds(profile.transmit_interval_ms),
        required_min_rx=_seconds(profile.receive_interval_ms),
        detect_multiplier=profile.detect_multiplier or _BFD_MULTIPLIER,
        is_passive=profile.passive_mode,
    )


def _seconds(milliseconds: int | None) -> float:
    return _BFD_INTERVAL if milliseconds is None else milliseconds / _MILLISECONDS


def is_beyond_the_link(peer: BGPPeer, *, is_on_link: bool | None) -> bool | None:
    """
    Whether BFD with a peer crosses several hops, decided as FRR does: eBGP does where that is configured, iBGP where
    the peer is no neighbour on the link.

    Args:
        peer: As configured.
        is_on_link: What the kernel says of the connection; None before there was one.

    Returns:
        None where that is needed and not known yet.
    """
    if peer.ebgp_multi_hop:
        return True
    if peer.peer_address is None or not _is_internal(peer):
        return False
    return None if is_on_link is None else not is_on_link


def _is_internal(peer: BGPPeer) -> bool:
    return peer.dynamic_asn is DynamicASN.INTERNAL or peer.peer_asn == local_asn_of(peer)


def track_of(peer: BGPPeer, remote: bytes, interface: int, *, is_multihop: bool) -> Track:
    """
    Args:
        peer: As configured, with a BFD profile.
        remote: Its address, 4 or 16 octets; the link-local one where it is found by its interface.
        interface: Index of that interface; 0 for none.
        is_multihop: See `is_beyond_the_link`.
    """
    source = None if peer.source_address is None else peer.source_address.packed
    if not is_multihop:
        return Track(SINGLE_HOP_PORT, peer.vrf, Path(remote, source, interface, LARGEST_TTL))
    minimum_ttl = peer.bfd.minimum_ttl if peer.bfd else None
    return Track(MULTIHOP_PORT, peer.vrf, Path(remote, source, interface, minimum_ttl or _BFD_MINIMUM_TTL))


def most_demanding(wanted: tuple[Parameters, ...]) -> Parameters:
    """What satisfies all who share one BFD session: the shortest intervals, and silence only where all ask for it."""
    return Parameters(
        desired_min_tx=min(one.desired_min_tx for one in wanted),
        required_min_rx=min(one.required_min_rx for one in wanted),
        detect_multiplier=min(one.detect_multiplier for one in wanted),
        is_passive=all(one.is_passive for one in wanted),
    )
