"""HTTP/1.1 messages on a stream, octet by octet as they came: where a head ends and where a body ends."""

from asyncio import IncompleteReadError, StreamReader
from collections.abc import AsyncIterator
from dataclasses import dataclass

_PIECE = 65536


@dataclass(frozen=True, slots=True)
class Head:
    """The first line and the header fields of a message; `raw` is all of it, with the empty line."""

    raw: bytes
    first_line: tuple[str, ...]
    fields: dict[str, str]

    @property
    def method(self) -> str:
        return self.first_line[0]

    @property
    def path(self) -> str:
        """With its query."""
        return self.first_line[1]

    @property
    def status(self) -> int:
        return int(self.first_line[1])


async def read_head(reader: StreamReader) -> Head | None:
    """None where the stream ends before a message."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except IncompleteReadError:
        return None
    first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    fields = (line.split(":", 1) for line in lines)
    return Head(raw, tuple(first.split(" ", 2)), {name.lower(): value.strip() for name, value in fields})


def has_body(request: Head, answer: Head) -> bool:
    """Whether an answer has a body (RFC 9112 section 6.3)."""
    return request.method != "HEAD" and answer.status not in {204, 304} and answer.status >= 200


async def read_body(reader: StreamReader, head: Head) -> AsyncIterator[bytes]:
    """
    The octets of a body in pieces, the framing of chunks included; one chunk is one piece.

    Raises:
        IncompleteReadError: The stream ended in the middle.
    """
    if head.fields.get("transfer-encoding") == "chunked":
        while True:
            size = await reader.readuntil(b"\r\n")
            length = int(size.split(b";")[0], 16)
            yield size + await reader.readexactly(length + 2)
            if length == 0:
                return
    left = int(head.fields.get("content-length", "0"))
    while left > 0:
        piece = await reader.read(min(left, _PIECE))
        if not piece:
            raise IncompleteReadError(b"", left)
        left -= len(piece)
        yield piece
