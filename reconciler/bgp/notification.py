"""NOTIFICATION: why a session ends (RFC 4271 sections 4.5 and 6, RFC 4486, 6608, 8538, 9003, 9384, 9687). No I/O."""

from enum import IntEnum

import msgspec

from reconciler.bgp.notification_words import CODES, SUBCODES
from reconciler.errors import ReconcilerError

# RFC 9003 section 2: the length of a shutdown communication is one octet.
MOST_COMMUNICATION = 255
# Of data that is no text, so much is shown.
_MOST_SHOWN = 32


class Code(IntEnum):
    """Error codes. Peers may send others."""

    HEADER = 1
    OPEN = 2
    UPDATE = 3
    HOLD_TIMER_EXPIRED = 4
    FSM = 5
    CEASE = 6
    ROUTE_REFRESH = 7
    SEND_HOLD_TIMER_EXPIRED = 8


class HeaderError(IntEnum):
    """Subcodes of HEADER."""

    NOT_SYNCHRONIZED = 1
    BAD_LENGTH = 2
    BAD_TYPE = 3


class OpenError(IntEnum):
    """Subcodes of OPEN."""

    UNSPECIFIC = 0
    VERSION = 1
    BAD_PEER_AS = 2
    BAD_IDENTIFIER = 3
    UNSUPPORTED_PARAMETER = 4
    HOLD_TIME = 6
    UNSUPPORTED_CAPABILITY = 7


class UpdateError(IntEnum):
    """Subcodes of UPDATE that end a session still (RFC 7606)."""

    MALFORMED_ATTRIBUTE_LIST = 1
    UNRECOGNIZED_WELL_KNOWN = 2
    OPTIONAL_ATTRIBUTE = 9
    NETWORK_FIELD = 10


class Cease(IntEnum):
    """Subcodes of CEASE."""

    MAXIMUM_PREFIXES = 1
    ADMINISTRATIVE_SHUTDOWN = 2
    PEER_DECONFIGURED = 3
    ADMINISTRATIVE_RESET = 4
    CONNECTION_REJECTED = 5
    OTHER_CONFIGURATION_CHANGE = 6
    COLLISION = 7
    OUT_OF_RESOURCES = 8
    HARD_RESET = 9
    BFD_DOWN = 10


_WITH_COMMUNICATION = (Cease.ADMINISTRATIVE_SHUTDOWN, Cease.ADMINISTRATIVE_RESET)


class Notification(msgspec.Struct, frozen=True, gc=False):
    """Code, subcode (0 is unspecific) and data. `str()` is one sentence with the words of the RFCs."""

    code: int
    subcode: int = 0
    data: bytes = b""

    def __str__(self) -> str:
        inner = self.inner
        if inner is None:
            return _sentence(self)
        # What is inside of the inner one is not looked into: a peer could nest thousands.
        return f"{_title(self)}, for {_sentence(inner)}"

    @property
    def communication(self) -> str | None:
        """What the peer's operator says of a shutdown or a reset, as it came; None without, or where it is no text."""
        if self.code != Code.CEASE or self.subcode not in _WITH_COMMUNICATION or not self.data:
            return None
        length = self.data[0]
        if not length or length >= len(self.data):
            return None
        try:
            return self.data[1 : 1 + length].decode()
        except UnicodeDecodeError:
            return None

    @property
    def inner(self) -> "Notification | None":
        """What a hard reset is about (RFC 8538 section 3); None where this is none, or does not say."""
        if (self.code, self.subcode) != (Code.CEASE, Cease.HARD_RESET) or len(self.data) < 2:
            return None
        return Notification(self.data[0], self.data[1], self.data[2:])


class ProtocolError(ReconcilerError):
    """The peer broke a rule of BGP; `notification` is what he is to be told."""

    def __init__(self, message: str, notification: Notification) -> None:
        super().__init__(message)
        self.notification = notification


def cease(subcode: Cease, message: str = "") -> Notification:
    """A CEASE; the message, cut to 255 octets of UTF-8, goes with an administrative shutdown or reset (RFC 9003)."""
    if not message or subcode not in _WITH_COMMUNICATION:
        return Notification(Code.CEASE, subcode)
    # Cutting may leave the beginning of a character, which is left out.
    text = message.encode(errors="replace")[:MOST_COMMUNICATION].decode(errors="ignore").encode()
    return Notification(Code.CEASE, subcode, bytes((len(text),)) + text)


def hard_reset(reason: Notification) -> Notification:
    """The same toward a peer that would else keep our routes: both sides have offered the N bit (RFC 8538)."""
    return Notification(Code.CEASE, Cease.HARD_RESET, bytes((reason.code, reason.subcode)) + reason.data)


def _sentence(notification: Notification) -> str:
    title = _title(notification)
    if (communication := notification.communication) is not None:
        return f'{title}: "{_printable(communication)}"'
    if not notification.data:
        return title
    shown = notification.data[:_MOST_SHOWN].hex()
    return f"{title}, data {shown}{'...' if len(notification.data) > _MOST_SHOWN else ''}"


def _title(notification: Notification) -> str:
    code, subcode = notification.code, notification.subcode
    numbers = f"({code}/{subcode})"
    error = CODES.get(code, "unknown error")
    if subcode == 0:
        return f"{error} {numbers}"
    return f"{error}: {SUBCODES.get((code, subcode), 'unknown subcode')} {numbers}"


def _printable(text: str) -> str:
    """What a peer says gets to logs and terminals: nothing of it may steer them, or end the quotation."""
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
