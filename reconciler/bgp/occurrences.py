"""What a message of the peer is to the state machine: an input, and what comes with it. No I/O."""

import msgspec

from reconciler.bgp.events import State
from reconciler.bgp.families import Family
from reconciler.bgp.framing import MessageType
from reconciler.bgp.fsm import Input
from reconciler.bgp.messages import Open, Subtype, decode_notification, decode_open, decode_route_refresh
from reconciler.bgp.negotiation import negotiate
from reconciler.bgp.notification import Code, Notification, OpenError, ProtocolError
from reconciler.bgp.parameters import Agreement, SessionParameters
from reconciler.bgp.received import Received, read_update

_VERSION_ERROR = (Code.OPEN, OpenError.VERSION)
_NAMES = {
    MessageType.OPEN: "an OPEN",
    MessageType.KEEPALIVE: "a KEEPALIVE",
    MessageType.UPDATE: "an UPDATE",
    MessageType.ROUTE_REFRESH: "a ROUTE-REFRESH",
}


class Occurrence(msgspec.Struct, frozen=True, gc=False):
    """
    An input. `why` says it in words, for the case that it ends the connection; `notification` is what the peer is told
    where the table says CEASE or error, and `received` what the peer told us. Then what messages contain: `agreement`
    of an OPEN, `update`, and the family that a ROUTE-REFRESH asks for.
    """

    given: Input
    why: str = ""
    notification: Notification | None = None
    received: Notification | None = None
    agreement: Agreement | None = None
    update: Received | None = None
    refreshed: Family | None = None


class Situation(msgspec.Struct, frozen=True, gc=False):
    """What a message is to be understood by. `opening` is our OPEN; `agreement` there is once the peer's was valid."""

    state: State
    parameters: SessionParameters
    opening: Open
    agreement: Agreement | None


def hear(kind: MessageType, body: bytes, situation: Situation) -> Occurrence:
    """Understand a message. One that the state does not allow is not looked into: the table refuses it."""
    if kind is MessageType.NOTIFICATION:
        told = decode_notification(body)
        is_version = (told.code, told.subcode) == _VERSION_ERROR
        given = Input.VERSION_ERROR_RECEIVED if is_version else Input.NOTIFICATION
        return Occurrence(given, f"the peer sent {told}", received=told)
    why = f"the peer sent {_NAMES[kind]} in the state {situation.state}"
    match kind:
        case MessageType.OPEN:
            return _hear_open(body, situation, why)
        case MessageType.KEEPALIVE:
            return Occurrence(Input.KEEPALIVE, why)
        case MessageType.UPDATE:
            return _hear_update(body, situation, why)
        case MessageType.ROUTE_REFRESH:
            return _hear_route_refresh(body, situation, why)


def _hear_open(body: bytes, situation: Situation, why: str) -> Occurrence:
    if situation.state is not State.OPEN_SENT:
        return Occurrence(Input.OPEN, why)
    try:
        agreement = negotiate(situation.parameters, situation.opening, decode_open(body))
    except ProtocolError as error:
        return Occurrence(Input.OPEN_ERROR, str(error), error.notification)
    return Occurrence(Input.OPEN, agreement=agreement)


def _hear_update(body: bytes, situation: Situation, why: str) -> Occurrence:
    agreement = situation.agreement
    if situation.state is not State.ESTABLISHED or agreement is None:
        return Occurrence(Input.UPDATE, why)
    try:
        return Occurrence(Input.UPDATE, update=read_update(body, agreement))
    except ProtocolError as error:
        return Occurrence(Input.UPDATE_ERROR, str(error), error.notification)


def _hear_route_refresh(body: bytes, situation: Situation, why: str) -> Occurrence:
    agreement = situation.agreement
    if situation.state is not State.ESTABLISHED or agreement is None:
        return Occurrence(Input.ROUTE_REFRESH, why)
    try:
        told = decode_route_refresh(body)
    except ProtocolError as error:
        return Occurrence(Input.ROUTE_REFRESH_ERROR, str(error), error.notification)
    is_wanted = told is not None and told.subtype is Subtype.REQUEST and agreement.route_refresh
    # RFC 2918 section 4: what was not agreed on is ignored.
    return Occurrence(Input.ROUTE_REFRESH, refreshed=told.family if is_wanted and told is not None else None)
