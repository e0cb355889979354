"""
OPEN, NOTIFICATION, ROUTE-REFRESH and KEEPALIVE ↔ octets (RFC 4271 section 4, RFC 2918, 7313, 9072). No I/O.

The header is the work of `framing`; UPDATEs are written by `updates` and read by `received`. Whether an OPEN is
acceptable is decided in `negotiation`.
"""

from enum import IntEnum
from struct import Struct as Layout

import msgspec

from reconciler.bgp.capabilities import Capability, decode_capabilities, encode_capabilities, malformed
from reconciler.bgp.families import UNICAST, Family
from reconciler.bgp.framing import HEADER_LENGTH, MAX_LENGTH, MessageType, bad_length, message
from reconciler.bgp.notification import Code, Notification, OpenError, ProtocolError

VERSION = 4
KEEPALIVE = message(MessageType.KEEPALIVE)

_OPEN = Layout("!BHH4sB")
_CAPABILITIES = 2
# RFC 9072 section 2: this length, and this type of the first parameter, mark the extended form.
_EXTENDED = 255
_REFRESH = Layout("!HBB")
_FAMILIES = {int(family): family for family in Family}


class Open(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """
    An OPEN. `asn` is the field of two octets: 23456 for an AS that does not fit; the capability has the real one.
    `hold_time` in seconds, `router_id` 4 octets. The capabilities of all parameters follow each other.
    """

    asn: int
    hold_time: int
    router_id: bytes
    capabilities: tuple[Capability, ...] = ()


class Subtype(IntEnum):
    """What a ROUTE-REFRESH says (RFC 7313)."""

    REQUEST = 0
    BEGIN = 1
    END = 2


class RouteRefresh(msgspec.Struct, frozen=True, gc=False):
    """Tell me of that family again, or: here it comes, and that was it."""

    family: Family
    subtype: Subtype = Subtype.REQUEST


def encode_open(opening: Open) -> bytes:
    """A whole message; the extended form only where the capabilities do not fit into the classic one."""
    head = (VERSION, opening.asn, opening.hold_time, opening.router_id)
    capabilities = encode_capabilities(opening.capabilities)
    if not capabilities:
        return message(MessageType.OPEN, _OPEN.pack(*head, 0))
    if len(capabilities) + 2 <= _EXTENDED:
        parameter = bytes((_CAPABILITIES, len(capabilities))) + capabilities
        return message(MessageType.OPEN, _OPEN.pack(*head, len(parameter)) + parameter)
    parameter = bytes((_CAPABILITIES,)) + len(capabilities).to_bytes(2) + capabilities
    extended = bytes((_EXTENDED,)) + len(parameter).to_bytes(2) + parameter
    return message(MessageType.OPEN, _OPEN.pack(*head, _EXTENDED) + extended)


def decode_open(body: bytes) -> Open:
    """
    Read an OPEN as far as it has a form. Its values are not judged, apart from the version.

    Raises:
        ProtocolError: 2/1 for another version, 2/4 for a parameter that we do not know, 2/0 for one that is malformed.
    """
    version, asn, hold_time, router_id, length = _OPEN.unpack_from(body)
    if version != VERSION:
        raise ProtocolError(
            f"the peer speaks version {version} of BGP, we speak {VERSION}",
            Notification(Code.OPEN, OpenError.VERSION, VERSION.to_bytes(2)),
        )
    parameters = body[_OPEN.size :]
    if length and parameters[:1] == bytes((_EXTENDED,)):
        if len(parameters) < 3:
            raise malformed("the optional parameters of the OPEN end in their length")
        capabilities = _decode_parameters(parameters[3:], int.from_bytes(parameters[1:3]), Layout("!BH"))
    else:
        capabilities = _decode_parameters(parameters, length, Layout("!BB"))
    return Open(asn=asn, hold_time=hold_time, router_id=router_id, capabilities=capabilities)


def _decode_parameters(data: bytes, length: int, layout: Layout) -> tuple[Capability, ...]:
    if length != len(data):
        raise malformed(f"the optional parameters of the OPEN have {len(data)} octets, and {length} are named")
    found: list[Capability] = []
    at = 0
    while at < len(data):
        start = at + layout.size
        if start > len(data):
            raise malformed("an optional parameter of the OPEN ends in its length")
        kind, size = layout.unpack_from(data, at)
        at = start + size
        if at > len(data):
            raise malformed("an optional parameter of the OPEN is longer than all of them")
        if kind != _CAPABILITIES:
            raise ProtocolError(
                f"the OPEN has the unknown optional parameter {kind}",
                Notification(Code.OPEN, OpenError.UNSUPPORTED_PARAMETER),
            )
        found += decode_capabilities(data[start:at])
    return tuple(found)


def encode_notification(notification: Notification) -> bytes:
    """A whole message; data that do not fit into one are cut."""
    body = bytes((notification.code, notification.subcode)) + notification.data
    return message(MessageType.NOTIFICATION, body[: MAX_LENGTH - HEADER_LENGTH])


def decode_notification(body: bytes) -> Notification:
    """Whatever a NOTIFICATION says is accepted: there is no answer to it (RFC 4271 section 6.4)."""
    return Notification(body[0], body[1], bytes(body[2:]))


def encode_route_refresh(refresh: RouteRefresh) -> bytes:
    """A whole message."""
    return message(MessageType.ROUTE_REFRESH, _REFRESH.pack(refresh.family, refresh.subtype, UNICAST))


def decode_route_refresh(body: bytes) -> RouteRefresh | None:
    """
    None where it is to be ignored: a family or a subtype that we do not know.

    Raises:
        ProtocolError: 7/1 for a BoRR or EoRR of another length (RFC 7313 section 5), 1/2 for such a request.
    """
    if len(body) == _REFRESH.size:
        afi, subtype, safi = _REFRESH.unpack(body)
        if safi != UNICAST or afi not in _FAMILIES or subtype > Subtype.END:
            return None
        return RouteRefresh(_FAMILIES[afi], Subtype(subtype))
    if len(body) < 3 or body[2] == Subtype.REQUEST:
        # A longer one may carry filters (RFC 5291), which nobody has offered.
        raise bad_length(HEADER_LENGTH + len(body), "a ROUTE-REFRESH message")
    if body[2] > Subtype.END:
        return None
    raise ProtocolError(
        f"a ROUTE-REFRESH message has a body of {len(body)} octets",
        Notification(Code.ROUTE_REFRESH, 1, message(MessageType.ROUTE_REFRESH, body)),
    )
