"""Our OPEN, and what it means together with the peer's (RFC 4271 section 6.2, RFC 5492, 6286, 6793). No I/O."""

from ipaddress import IPv4Address

from reconciler.bgp.attributes import AS_TRANS
from reconciler.bgp.capabilities import Offer, encode_offer, multiprotocol, offer_of, read_offer
from reconciler.bgp.families import Family
from reconciler.bgp.framing import MAX_EXTENDED_LENGTH, MAX_LENGTH
from reconciler.bgp.messages import Open
from reconciler.bgp.notification import Code, Notification, OpenError, ProtocolError
from reconciler.bgp.parameters import Agreement, LocalEnd, PeerRestart, RemoteAS, SessionParameters

# RFC 4271 section 4.2: a hold time is 0, or this at least; the field has two octets.
_LEAST_HOLD_TIME = 3
_MOST_HOLD_TIME = 0xFFFF
# RFC 4271 section 4.4: not more often than that.
_LEAST_KEEPALIVE_TIME = 1.0
_NAMES = {Family.IPV4: "IPv4", Family.IPV6: "IPv6"}


def open_of(
    parameters: SessionParameters,
    local: LocalEnd,
    *,
    with_capabilities: bool = True,
    is_restarting: bool = False,
    is_forwarding: bool = True,
) -> Open:
    """
    Our OPEN over that connection.

    Args:
        parameters: Of the session.
        local: Our end of the connection.
        with_capabilities: False for a peer that has refused them; see `refuses_capabilities`.
        is_restarting: The R bit of graceful restart: ours is a new process, and the peer may have routes of the last.
        is_forwarding: The F bit of every family: the node has forwarded for these routes meanwhile.
    """
    offer = offer_of(
        parameters, is_over_ipv6=len(local.address) == 16, is_restarting=is_restarting, is_forwarding=is_forwarding
    )
    return Open(
        asn=parameters.local_asn if parameters.local_asn < 1 << 16 else AS_TRANS,
        hold_time=min(int(parameters.hold_time), _MOST_HOLD_TIME),
        router_id=local.router_id,
        capabilities=encode_offer(offer) if with_capabilities else (),
    )


def refuses_capabilities(parameters: SessionParameters, notification: Notification) -> bool:
    """
    Whether a NOTIFICATION, received in answer to our OPEN, is a reason to try once more without capabilities.

    A peer from before RFC 5492 answers so. Without capabilities there is IPv4 alone.
    """
    refused = (Code.OPEN, OpenError.UNSUPPORTED_PARAMETER)
    return (notification.code, notification.subcode) == refused and Family.IPV4 in parameters.families


def negotiate(parameters: SessionParameters, ours: Open, theirs: Open) -> Agreement:
    """
    What both OPENs mean together.

    Raises:
        ProtocolError: 2/2, 2/3, 2/6 or 2/7, in this order, with a sentence that names the values; 2/0 for a capability
            that cannot be read.
    """
    we, they = read_offer(ours.capabilities), read_offer(theirs.capabilities)
    remote_asn = theirs.asn if they.asn is None else they.asn
    _check_as(parameters, remote_asn)
    is_ibgp = remote_asn == parameters.local_asn
    _check_identifier(theirs.router_id, ours.router_id, is_ibgp=is_ibgp)
    hold_time = negotiate_hold_time(ours.hold_time, theirs.hold_time)
    families = _common_families(we, they)
    return Agreement(
        remote_asn=remote_asn,
        remote_router_id=theirs.router_id,
        is_ibgp=is_ibgp,
        hold_time=hold_time,
        keepalive_time=_keepalive_time(hold_time, parameters.keepalive_time),
        families=families,
        four_octet_as=we.asn is not None and they.asn is not None,
        max_length=MAX_EXTENDED_LENGTH if we.extended_message and they.extended_message else MAX_LENGTH,
        route_refresh=we.route_refresh and they.route_refresh,
        enhanced_refresh=we.enhanced_refresh and they.enhanced_refresh,
        extended_next_hop=we.extended_next_hop and they.extended_next_hop,
        graceful_restart=_restart(we.graceful_restart, they.graceful_restart, families),
    )


def negotiate_hold_time(ours: int, theirs: int) -> float:
    """
    Agree on a hold time: the shorter one; 0, which either side may want, turns it off.

    Args:
        ours: What our OPEN says, in seconds.
        theirs: What the peer's says, in seconds.

    Raises:
        ProtocolError: 2/6, when the peer proposes one or two seconds.
    """
    if 0 < theirs < _LEAST_HOLD_TIME:
        raise _refusal(f"the peer proposes a hold time of {theirs} s, less than 3 s", OpenError.HOLD_TIME)
    return float(min(ours, theirs))


def _check_as(parameters: SessionParameters, remote: int) -> None:
    local, expected = parameters.local_asn, parameters.remote_asn
    if remote in (0, AS_TRANS):
        raise _refusal(f"the peer says that its AS is {remote}, which no AS may be", OpenError.BAD_PEER_AS)
    match expected:
        case RemoteAS.INTERNAL:
            is_right, wanted = remote == local, f"ours, {local}"
        case RemoteAS.EXTERNAL:
            is_right, wanted = remote != local, f"any but ours, {local}"
        case int():
            is_right, wanted = remote == expected, f"{expected}"
    if not is_right:
        raise _refusal(f"the peer says that its AS is {remote}; configured is {wanted}", OpenError.BAD_PEER_AS)


def _check_identifier(theirs: bytes, ours: bytes, *, is_ibgp: bool) -> None:
    if not any(theirs):
        raise _refusal("the peer's BGP identifier is 0.0.0.0", OpenError.BAD_IDENTIFIER)
    # RFC 6286 section 2.2: it is unique within an AS.
    if is_ibgp and theirs == ours:
        raise _refusal(
            f"the peer's BGP identifier is {IPv4Address(theirs)}, the same as ours", OpenError.BAD_IDENTIFIER
        )


def _common_families(we: Offer, they: Offer) -> frozenset[Family]:
    ours, theirs = _families(we), _families(they)
    if not ours & theirs:
        raise ProtocolError(
            f"no address family in common: we offer {_listed(ours)}, the peer {_listed(theirs)}",
            Notification(Code.OPEN, OpenError.UNSUPPORTED_CAPABILITY, multiprotocol(ours)),
        )
    return ours & theirs


def _families(offer: Offer) -> frozenset[Family]:
    """RFC 4760 section 8: who names none means IPv4 unicast."""
    return frozenset({Family.IPV4}) if offer.families is None else offer.families


def _listed(families: frozenset[Family]) -> str:
    return " and ".join(f"{_NAMES[family]} unicast" for family in sorted(families)) or "others"


def _keepalive_time(hold_time: float, configured: float | None) -> float:
    """A third of the hold time at most, so that two may be lost (RFC 4271 section 4.4)."""
    third = hold_time / 3
    return max(min(configured or third, third), _LEAST_KEEPALIVE_TIME) if hold_time else 0.0


def _restart(ours: PeerRestart | None, theirs: PeerRestart | None, families: frozenset[Family]) -> PeerRestart | None:
    if ours is None or theirs is None:
        return None
    return PeerRestart(
        families=theirs.families & families,
        preserved=theirs.preserved & families,
        restart_time=theirs.restart_time,
        is_restarting=theirs.is_restarting,
        understands_notifications=theirs.understands_notifications,
    )


def _refusal(message: str, subcode: OpenError) -> ProtocolError:
    return ProtocolError(message, Notification(Code.OPEN, subcode))
