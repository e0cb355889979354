"""
Capabilities: what one side offers ↔ the list in an OPEN (RFC 5492 and one RFC for each). No I/O.

What both offers together mean is decided in `negotiation`.
"""

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct as Layout

import msgspec

from reconciler.bgp.families import UNICAST, Family
from reconciler.bgp.notification import Code, Notification, OpenError, ProtocolError
from reconciler.bgp.parameters import PeerRestart, SessionParameters

MOST_RESTART_TIME = 0xFFF
_FAMILY = Layout("!HBB")  # AFI, reserved, SAFI
_NEXT_HOP = Layout("!HHH")  # AFI and SAFI of the NLRI, AFI of the next hop
_RESTART_FAMILY = Layout("!HBB")  # AFI, SAFI, flags
_RESTARTING, _NOTIFICATIONS = 0x8000, 0x4000
_PRESERVED = 0x80
_FAMILIES = {int(family): family for family in Family}
_IPV4_BY_IPV6 = (Family.IPV4, UNICAST, Family.IPV6)


class CapabilityCode(IntEnum):
    """The capabilities that we know. Peers may send others, which are ignored."""

    MULTIPROTOCOL = 1
    ROUTE_REFRESH = 2
    EXTENDED_NEXT_HOP = 5
    EXTENDED_MESSAGE = 6
    GRACEFUL_RESTART = 64
    FOUR_OCTET_AS = 65
    ENHANCED_ROUTE_REFRESH = 70
    ROUTE_REFRESH_BEFORE_RFC = 128


class Capability(msgspec.Struct, frozen=True, gc=False):
    """One capability as it stands in an OPEN; the value has at most 255 octets."""

    code: int
    value: bytes = b""


@dataclass(frozen=True, slots=True)
class Offer:
    """
    What the capabilities of one side say, of what we know.

    `families` None is no multiprotocol capability at all; empty, that there are some, but of other families. `asn` is
    the four-octet AS. `extended_next_hop` is that of IPv4 routes by IPv6.
    """

    families: frozenset[Family] | None = None
    asn: int | None = None
    route_refresh: bool = False
    enhanced_refresh: bool = False
    extended_message: bool = False
    extended_next_hop: bool = False
    graceful_restart: PeerRestart | None = None


def offer_of(
    parameters: SessionParameters, *, is_over_ipv6: bool, is_restarting: bool = False, is_forwarding: bool = True
) -> Offer:
    """
    What we offer.

    Args:
        parameters: Of the session.
        is_over_ipv6: The connection is IPv6: IPv4 routes may need a next hop of that family.
        is_restarting: We were here before, and forgot the peer's routes (the R bit of RFC 4724).
        is_forwarding: What was announced before the restart was forwarded all the time (the F bit).
    """
    families = parameters.families if parameters.multiprotocol else frozenset({Family.IPV4})
    restart = PeerRestart(
        families=families,
        preserved=families if is_forwarding else frozenset(),
        restart_time=min(parameters.restart_time, MOST_RESTART_TIME),
        is_restarting=is_restarting,
        understands_notifications=True,
    )
    return Offer(
        families=families if parameters.multiprotocol else None,
        asn=parameters.local_asn,
        route_refresh=True,
        enhanced_refresh=True,
        extended_message=True,
        extended_next_hop=is_over_ipv6 and parameters.multiprotocol and Family.IPV4 in families,
        graceful_restart=restart if parameters.graceful_restart else None,
    )


def encode_offer(offer: Offer) -> tuple[Capability, ...]:
    """Families and AS first, as the oldest peers expect them."""
    listed = [
        Capability(CapabilityCode.MULTIPROTOCOL, _FAMILY.pack(family, 0, UNICAST))
        for family in sorted(offer.families or ())
    ]
    if offer.asn is not None:
        listed.append(Capability(CapabilityCode.FOUR_OCTET_AS, offer.asn.to_bytes(4)))
    if offer.route_refresh:
        listed.append(Capability(CapabilityCode.ROUTE_REFRESH))
    if offer.extended_next_hop:
        listed.append(Capability(CapabilityCode.EXTENDED_NEXT_HOP, _NEXT_HOP.pack(*_IPV4_BY_IPV6)))
    if offer.extended_message:
        listed.append(Capability(CapabilityCode.EXTENDED_MESSAGE))
    if offer.graceful_restart is not None:
        listed.append(Capability(CapabilityCode.GRACEFUL_RESTART, _restart(offer.graceful_restart)))
    if offer.enhanced_refresh:
        listed.append(Capability(CapabilityCode.ENHANCED_ROUTE_REFRESH))
    return tuple(listed)


def multiprotocol(families: frozenset[Family]) -> bytes:
    """The capabilities of these families as octets: what a peer lacks, for a NOTIFICATION 2/7."""
    return encode_capabilities(encode_offer(Offer(families)))


def encode_capabilities(capabilities: tuple[Capability, ...]) -> bytes:
    """The list as it stands in an optional parameter."""
    return b"".join(bytes((each.code, len(each.value))) + each.value for each in capabilities)


def decode_capabilities(data: bytes) -> tuple[Capability, ...]:
    """
    The list of one optional parameter, unknown ones included.

    Raises:
        ProtocolError: 2/0, when one of them is longer than the parameter.
    """
    found = []
    at = 0
    while at < len(data):
        start = at + 2
        if start > len(data) or start + data[at + 1] > len(data):
            raise malformed("a capability is longer than the parameter that it stands in")
        at = start + data[start - 1]
        found.append(Capability(data[start - 2], bytes(data[start:at])))
    return tuple(found)


def read_offer(capabilities: tuple[Capability, ...]) -> Offer:
    """
    What they mean. Of one that may stand there only once, the last one counts (RFC 4724 section 3).

    One that is malformed and only adds to a session counts as absent; without the family or the AS that one names, the
    session would mean something else.

    Raises:
        ProtocolError: 2/0, a family or an AS is malformed.
    """
    values: dict[int, list[bytes]] = {}
    for capability in capabilities:
        values.setdefault(capability.code, []).append(capability.value)
    families, asns = values.get(CapabilityCode.MULTIPROTOCOL), values.get(CapabilityCode.FOUR_OCTET_AS)
    restarts = values.get(CapabilityCode.GRACEFUL_RESTART)
    return Offer(
        families=None if families is None else _read_families(families),
        asn=None if asns is None else _read_asn(asns[-1]),
        route_refresh=b"" in values.get(CapabilityCode.ROUTE_REFRESH, ())
        or b"" in values.get(CapabilityCode.ROUTE_REFRESH_BEFORE_RFC, ()),
        enhanced_refresh=b"" in values.get(CapabilityCode.ENHANCED_ROUTE_REFRESH, ()),
        extended_message=b"" in values.get(CapabilityCode.EXTENDED_MESSAGE, ()),
        extended_next_hop=any(map(_has_ipv4_by_ipv6, values.get(CapabilityCode.EXTENDED_NEXT_HOP, ()))),
        graceful_restart=None if restarts is None else _read_restart(restarts[-1]),
    )


def malformed(message: str) -> ProtocolError:
    """An optional parameter that we know cannot be read (RFC 4271 section 6.2)."""
    return ProtocolError(message, Notification(Code.OPEN, OpenError.UNSPECIFIC))


def _read_families(values: list[bytes]) -> frozenset[Family]:
    if any(len(value) != _FAMILY.size for value in values):
        raise malformed("a multiprotocol capability does not have 4 octets")
    named = (_FAMILY.unpack(value) for value in values)
    return frozenset(_FAMILIES[afi] for afi, _, safi in named if safi == UNICAST and afi in _FAMILIES)


def _read_asn(value: bytes) -> int:
    if len(value) != 4:
        raise malformed("the capability of four-octet AS numbers does not have 4 octets")
    return int.from_bytes(value)


def _has_ipv4_by_ipv6(value: bytes) -> bool:
    return len(value) % _NEXT_HOP.size == 0 and _IPV4_BY_IPV6 in _NEXT_HOP.iter_unpack(value)


def _restart(restart: PeerRestart) -> bytes:
    head = restart.restart_time
    head |= _RESTARTING if restart.is_restarting else 0
    head |= _NOTIFICATIONS if restart.understands_notifications else 0
    listed = (
        _RESTART_FAMILY.pack(family, UNICAST, _PRESERVED if family in restart.preserved else 0)
        for family in sorted(restart.families)
    )
    return head.to_bytes(2) + b"".join(listed)


def _read_restart(value: bytes) -> PeerRestart | None:
    if len(value) < 2 or (len(value) - 2) % _RESTART_FAMILY.size:
        return None
    head = int.from_bytes(value[:2])
    flags = {
        _FAMILIES[afi]: flags
        for afi, safi, flags in _RESTART_FAMILY.iter_unpack(value[2:])
        if safi == UNICAST and afi in _FAMILIES
    }
    return PeerRestart(
        families=frozenset(flags),
        preserved=frozenset(family for family, bits in flags.items() if bits & _PRESERVED),
        restart_time=head & MOST_RESTART_TIME,
        is_restarting=bool(head & _RESTARTING),
        understands_notifications=bool(head & _NOTIFICATIONS),
    )
