"""Messages in a stream of octets: the header (RFC 4271 sections 4.1 and 6.1, RFC 8654). No I/O."""

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct as Layout

from reconciler.bgp.notification import Code, HeaderError, Notification, ProtocolError

MARKER = b"\xff" * 16
HEADER_LENGTH = 19
MAX_LENGTH = 4096
MAX_EXTENDED_LENGTH = 65535
_LAYOUT = Layout("!16sHB")


class MessageType(IntEnum):
    """What a message is."""

    OPEN = 1
    UPDATE = 2
    NOTIFICATION = 3
    KEEPALIVE = 4
    ROUTE_REFRESH = 5


# By number: much cheaper than a call of the class.
_TYPES = {int(kind): kind for kind in MessageType}

# The lengths a message may have: at least, at most. ROUTE-REFRESH has an error code of its own, which its body decides.
_LENGTHS = {
    MessageType.OPEN: (29, MAX_LENGTH),
    MessageType.UPDATE: (23, MAX_EXTENDED_LENGTH),
    MessageType.NOTIFICATION: (21, MAX_EXTENDED_LENGTH),
    MessageType.KEEPALIVE: (HEADER_LENGTH, HEADER_LENGTH),
    MessageType.ROUTE_REFRESH: (HEADER_LENGTH, MAX_EXTENDED_LENGTH),
}


def message(kind: MessageType, body: bytes = b"") -> bytes:
    """A whole message; its length is not checked against what was agreed."""
    return _LAYOUT.pack(MARKER, HEADER_LENGTH + len(body), kind) + body


class Framer:
    """
    Octets in, cut anywhere; whole messages out.

    `max_length` may be raised once both sides have agreed to extended messages; it holds from the next message on, also
    within an iteration.
    """

    def __init__(self) -> None:
        self.max_length = MAX_LENGTH
        self._octets = bytearray()
        self._start = 0

    def feed(self, data: bytes) -> None:
        """Octets have arrived. Iterate after it: what is not taken is kept."""
        del self._octets[: self._start]
        self._start = 0
        self._octets += data

    def __iter__(self) -> Iterator[tuple[MessageType, bytes]]:
        """
        The whole messages that are there, each once: the type and what follows the header.

        Raises:
            ProtocolError: 1/1, 1/2 or 1/3. What follows in the stream has no meaning.
        """
        while len(self._octets) - self._start >= HEADER_LENGTH:
            marker, length, number = _LAYOUT.unpack_from(self._octets, self._start)
            kind = _checked(marker, length, number, self.max_length)
            end = self._start + length
            if end > len(self._octets):
                return
            body = bytes(self._octets[self._start + HEADER_LENGTH : end])
            self._start = end
            yield kind, body


def bad_length(length: int, what: str) -> ProtocolError:
    """A message whose header names a length that it may not have; the peer is told which."""
    return ProtocolError(
        f"{what} has a length of {length} octets",
        Notification(Code.HEADER, HeaderError.BAD_LENGTH, length.to_bytes(2)),
    )


def _checked(marker: bytes, length: int, number: int, max_length: int) -> MessageType:
    if marker != MARKER:
        raise ProtocolError(
            "the stream of messages is not synchronized: a marker is not all ones",
            Notification(Code.HEADER, HeaderError.NOT_SYNCHRONIZED),
        )
    if not HEADER_LENGTH <= length <= max_length:
        raise bad_length(length, "a message")
    kind = _TYPES.get(number)
    if kind is None:
        raise ProtocolError(
            f"a message has the unknown type {number}",
            Notification(Code.HEADER, HeaderError.BAD_TYPE, bytes((number,))),
        )
    shortest, longest = _LENGTHS[kind]
    if not shortest <= length <= longest:
        raise bad_length(length, f"{_NAMES[kind]} message")
    return kind


_NAMES = {
    MessageType.OPEN: "an OPEN",
    MessageType.UPDATE: "an UPDATE",
    MessageType.NOTIFICATION: "a NOTIFICATION",
    MessageType.KEEPALIVE: "a KEEPALIVE",
    MessageType.ROUTE_REFRESH: "a ROUTE-REFRESH",
}
