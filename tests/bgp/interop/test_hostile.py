"""Peers that send nonsense, too much, too slowly, or do not read; nobody else feels it."""

import asyncio
import random
import struct
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from reconciler.bgp import timers
from reconciler.bgp.families import Family, prefix_of
from reconciler.bgp.notification import Notification
from reconciler.bgp.routes import RouteAttributes
from tests.bgp.interop.raw_peer import (
    ALIVE,
    KEEPALIVE,
    MARKER,
    NOTIFICATION,
    OPEN,
    UPDATE,
    establish,
    listening,
    message,
    opening,
    read_all,
    toward,
    with_hold_time,
)
from tests.bgp.interop.talk import PLAIN, Speaker, until

_MIB = 1 << 20


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param(random.Random(1).randbytes(200), (1, 1), id="noise"),  # noqa: S311 # not for secrets
        pytest.param(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", (1, 1), id="another protocol"),
        pytest.param(message(KEEPALIVE, length=18), (1, 2), id="a message shorter than its head"),
        pytest.param(message(OPEN, length=0xFFFF), (1, 2), id="an OPEN longer than any may be"),
        pytest.param(message(77), (1, 3), id="a type that does not exist"),
        pytest.param(opening(version=3), (2, 1), id="version 3"),
        pytest.param(opening(router_id=bytes(4)), (2, 3), id="no router ID"),
        pytest.param(opening(hold_time=1), (2, 6), id="a hold time of one second"),
        pytest.param(ALIVE, (5, 1), id="a KEEPALIVE before the OPEN"),
        pytest.param(opening() + message(UPDATE, bytes(4)), (5, 2), id="an UPDATE before the KEEPALIVE"),
        pytest.param(opening() + ALIVE + opening(), (5, 3), id="an OPEN in a session"),
        pytest.param(opening() + ALIVE + MARKER + bytes(7), (1, 2), id="half of nothing in a session"),
        pytest.param(opening() + ALIVE + message(UPDATE, b"\xff" * 8), (3, 1), id="an UPDATE beyond its end"),
    ],
)
async def test_a_peer_that_breaks_the_rules_is_told_which(
    speaker: Speaker, sent: bytes, expected: tuple[int, int]
) -> None:
    heard: list[tuple[int, bytes]] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        heard.extend(await read_all(reader))

    async with listening(speaker.site, script):
        talk = speaker.open_raw(*toward(speaker.site))
        ended = await talk.ended()
        assert ended.sent is not None
        assert (ended.sent.code, ended.sent.subcode) == expected
        await until(lambda: NOTIFICATION in [kind for kind, _ in heard], lambda: heard)
        assert next(tuple(body[:2]) for kind, body in heard if kind == NOTIFICATION) == expected


async def test_a_peer_that_closes_at_once_is_tried_again(speaker: Speaker) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader, writer

    async with listening(speaker.site, script):
        talk = speaker.open_raw(*toward(speaker.site))
        await until(lambda: len(talk.ends) > 1, lambda: talk.events)
        assert not any(ended.was_established for ended in talk.ends)


async def test_a_peer_that_sends_octet_by_octet(speaker: Speaker) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for octet in opening() + ALIVE + message(UPDATE, bytes(4)):
            writer.write(bytes((octet,)))
            await writer.drain()
            # A turn of the loop, so that they arrive one by one.
            await asyncio.sleep(0)
        await read_all(reader)

    async with listening(speaker.site, script):
        talk = speaker.open_raw(*toward(speaker.site))
        await talk.established()
        await until(lambda: talk.neighbor.counts().updates_received == 1, talk.neighbor.counts)
        assert talk.ends == []


async def test_a_flood_of_routes_is_not_kept(speaker: Speaker) -> None:
    messages = [_update(number) for number in range(1000)]

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await establish(reader, writer)
        for one in messages:
            writer.write(one)
            await writer.drain()
        await read_all(reader)

    async with listening(speaker.site, script):
        talk = speaker.open_raw(*toward(speaker.site))
        with _less_than(_MIB):
            await until(lambda: talk.neighbor.counts().updates_received == len(messages), talk.neighbor.counts)
        assert talk.neighbor.counts().received_prefixes == len(messages) * _EACH
        assert talk.ends == []


_EACH = 800


def _update(number: int) -> bytes:
    """An UPDATE with as many prefixes as fit, each of them new."""
    attributes = bytes.fromhex("400101004002060201") + struct.pack("!I", 65000) + bytes.fromhex("400304c00002fe")
    first = number * _EACH
    prefixes = b"".join(b"\x20" + struct.pack("!I", (first + step) & 0xFFFFFFFF) for step in range(_EACH))
    return message(UPDATE, struct.pack("!HH", 0, len(attributes)) + attributes + prefixes)


async def test_a_peer_that_does_not_read_is_left(speaker: Speaker, monkeypatch: pytest.MonkeyPatch) -> None:
    # RFC 9687 asks for 8 minutes at least.
    monkeypatch.setattr(timers, "SHORTEST_SEND_HOLD_TIME", 1.0)
    parameters, remote = toward(speaker.site)
    routes = 40_000
    most = 0

    def is_over() -> bool:
        nonlocal most
        most = max(most, talk.neighbor.rib.told)
        return bool(talk.ends)

    async with listening(speaker.site, _deaf, receive_buffer=4096):
        talk = speaker.open_raw(with_hold_time(parameters, 0.0), remote)
        for number in range(routes):
            talk.neighbor.rib.announce(Family.IPV6, prefix_of(number.to_bytes(16), 128), PLAIN)
        await until(is_over, lambda: talk.events)
    # What the kernel does not take is not even written.
    assert 0 < most < routes // 2
    ended = talk.ends[0]
    assert ended.was_established
    assert ended.sent == Notification(8)


async def _deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await establish(reader, writer, hold_time=0)
    transport = writer.transport
    assert isinstance(transport, asyncio.ReadTransport)
    transport.pause_reading()
    await asyncio.Event().wait()


async def test_one_that_does_not_read_holds_up_nobody_else(speaker: Speaker) -> None:
    async with listening(speaker.site, _deaf, receive_buffer=4096):
        parameters, remote = toward(speaker.site)
        deaf = speaker.open_raw(with_hold_time(parameters, 0.0), remote)
        other = speaker.open("ebgp", "bird")
        prefixes = [f"198.51.{block}.{number}/32" for block in range(20) for number in range(256)]
        for talk in (deaf, other):
            for number, prefix in enumerate(prefixes):
                talk.announce(prefix, attributes=RouteAttributes(large_communities=((65001, 1, number),)))
        await deaf.established()
        await other.table(*prefixes)
        other.withdraw(*prefixes[1:])
        await other.route(prefixes[0])


@contextmanager
def _less_than(octets: int) -> Iterator[None]:
    """What happens takes less memory than that at any moment."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        yield
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most - before < octets
