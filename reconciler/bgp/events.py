"""What a peer's machine tells its owner, and what it asks of the transport. No I/O."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from reconciler.bgp.notification import Notification
from reconciler.bgp.parameters import Agreement, LocalEnd


class State(StrEnum):
    """States of RFC 4271 section 8.2.2; the words are shown in the status."""

    IDLE = "idle"
    CONNECT = "connect"
    ACTIVE = "active"
    OPEN_SENT = "open-sent"
    OPEN_CONFIRM = "open-confirm"
    ESTABLISHED = "established"


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The session, or the attempt that has come farthest, moved."""

    before: State
    after: State


@dataclass(frozen=True, slots=True)
class Established:
    """Routes are told from now on. `local` is our end of the connection."""

    agreement: Agreement
    local: LocalEnd


@dataclass(frozen=True, slots=True)
class Ended:
    """
    A session, or an attempt, is over. `why` is one sentence for people. `was_established`: there was a session.
    `sent` or `received` is the NOTIFICATION that ended it, if one did; `retry_in` seconds until the next attempt, None
    where there is none.
    """

    why: str
    was_established: bool
    sent: Notification | None = None
    received: Notification | None = None
    retry_in: float | None = None


@dataclass(frozen=True, slots=True)
class RoutesRefused:
    """
    Routes of the peer were malformed, and count as withdrawn (RFC 7606). Told of the first ones of a session: `why` is
    one sentence for people.
    """

    why: str


Event = StateChanged | Established | Ended | RoutesRefused


@dataclass(frozen=True, slots=True)
class Dial:
    """Open a TCP connection; answer with `Peer.connected` or `Peer.dial_failed`."""


@dataclass(frozen=True, slots=True)
class CancelDial:
    """Give up the connection that is being opened; no answer is wanted any more."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close a connection once what `data_to_send` gave is on its way; no `closed` is wanted any more."""

    connection: int


Command = Dial | CancelDial | Close


class Counts(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """
    Messages of one peer, in all its sessions; `updates_refused` are UPDATEs of which routes were malformed.

    `received_prefixes` counts announcements in this session, those of the same prefix too: nothing is kept that would
    tell them apart.
    """

    opens_sent: int = 0
    opens_received: int = 0
    notifications_sent: int = 0
    notifications_received: int = 0
    updates_sent: int = 0
    updates_received: int = 0
    updates_refused: int = 0
    keepalives_sent: int = 0
    keepalives_received: int = 0
    route_refreshes_sent: int = 0
    route_refreshes_received: int = 0
    established: int = 0
    received_prefixes: int = 0
