"""A peer that sends what it likes: a listening socket, and a coroutine that has every connection."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from reconciler.bgp.families import Family
from reconciler.bgp.parameters import SessionParameters
from reconciler.bgp.transport import Remote
from reconciler.cli.lab import entered
from tests.bgp.interop.features import OUR_ASN, ROUTER_ASN
from tests.bgp.interop.site import SPARE, Site
from tests.bgp.interop.talk import RETRY, octets

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

MARKER = b"\xff" * 16
OPEN, UPDATE, NOTIFICATION, KEEPALIVE = 1, 2, 3, 4


def message(kind: int, body: bytes = b"", length: int | None = None) -> bytes:
    """A message (RFC 4271 section 4.1), with a length that may be a lie."""
    return MARKER + struct.pack("!HB", 19 + len(body) if length is None else length, kind) + body


def opening(
    *, version: int = 4, asn: int = ROUTER_ASN, hold_time: int = 30, router_id: bytes = b"\xc0\x00\x02\xfe"
) -> bytes:
    """An OPEN that offers both families, and AS numbers of four octets."""
    families = b"\x01\x04\x00\x01\x00\x01" + b"\x01\x04\x00\x02\x00\x01"
    capabilities = families + b"\x41\x04" + struct.pack("!I", asn)
    options = b"\x02" + bytes((len(capabilities),)) + capabilities
    head = struct.pack("!BHH4sB", version, min(asn, 23456), hold_time, router_id, len(options))
    return message(OPEN, head + options)


ALIVE = message(KEEPALIVE)


async def read_message(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The next message that arrives: its type, and what is in it."""
    head = await reader.readexactly(19)
    length, kind = struct.unpack("!HB", head[16:])
    return kind, await reader.readexactly(length - 19)


async def establish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, hold_time: int = 30) -> None:
    """Come to a session as one should."""
    writer.write(opening(hold_time=hold_time) + ALIVE)
    while (await read_message(reader))[0] != KEEPALIVE:
        pass


async def read_all(reader: asyncio.StreamReader) -> list[tuple[int, bytes]]:
    """All that arrives until the connection ends."""
    read: list[tuple[int, bytes]] = []
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            read.append(await read_message(reader))
    return read


@asynccontextmanager
async def listening(site: Site, script: Script, *, receive_buffer: int | None = None) -> AsyncIterator[None]:
    """Run the script for each connection that comes to the spare host."""
    with entered(site.lab.namespace(SPARE)):
        made = socket.create_server((site.lab.address(SPARE), 179))
    if receive_buffer is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            # asyncio would log a cancelled one as an error.
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                await script(reader, writer)
        finally:
            running.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, sock=made)
    try:
        yield
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def toward(site: Site) -> tuple[SessionParameters, Remote]:
    """How we talk to it."""
    parameters = SessionParameters(
        local_asn=OUR_ASN,
        remote_asn=ROUTER_ASN,
        families=frozenset(Family),
        connect_retry_time=RETRY,
    )
    return parameters, Remote(octets(site.lab.address(SPARE)))


def with_hold_time(parameters: SessionParameters, hold_time: float) -> SessionParameters:
    """The same, with another hold time."""
    return replace(parameters, hold_time=hold_time)
