"""One TCP connection in the event loop."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from itertools import pairwise
from resource import RUSAGE_SELF, getrusage
from types import SimpleNamespace

import pytest

from reconciler.bgp.remote import Reach
from reconciler.bgp.sockets import prepare
from reconciler.bgp.stream import CHUNK, Stream
from reconciler.cli.lab import Lab, entered
from tests.bgp.host import PATIENCE


@pytest.fixture
def lab_hosts() -> tuple[str, ...]:
    return ("n1",)


@pytest.fixture
def ends(lab: Lab) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a TCP connection: ours and the peer's, which blocks."""
    with entered(lab.namespace("n1")), socket.create_server(("127.0.0.1", 0)) as listener:
        # What the kernel would keep for a peer that does not read is small, then.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    ours.settimeout(0)
    theirs.settimeout(PATIENCE)
    prepare(ours, Reach(64))
    with ours, theirs:
        yield ours, theirs


class Recorder:
    """An owner that says what it is given to say."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = list(parts)
        self.pulled = self.sent = self.received = 0
        self.ended: list[str] = []
        self.is_closed = False
        self.largest = 0

    def stream_received(self, connection: int, data: bytes) -> None:
        assert connection == 7
        self.received += len(data)
        self.largest = max(self.largest, len(data))

    def stream_wants(self, connection: int, limit: int) -> bytes:
        assert connection == 7
        assert limit == CHUNK
        data = self.parts.pop(0) if self.parts else b""
        self.pulled += len(data)
        return data

    def stream_sent(self, connection: int) -> None:
        assert connection == 7
        self.sent += 1

    def stream_ended(self, connection: int, why: str) -> None:
        assert connection == 7
        self.ended.append(why)

    def stream_closed(self, connection: int) -> None:
        assert connection == 7
        self.is_closed = True


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_true():
            await asyncio.sleep(0.005)


Ends = tuple[socket.socket, socket.socket]


async def read_all(theirs: socket.socket) -> bytes:
    def read() -> bytes:
        return b"".join(iter(lambda: theirs.recv(1 << 20), b""))

    return await asyncio.to_thread(read)


async def test_all_is_sent_in_order_and_then_the_owner_is_asked_no_more(ends: Ends) -> None:
    parts = [bytes((number,)) * CHUNK for number in range(100)]
    owner = Recorder(*parts)
    stream = Stream(7, ends[0], owner)
    stream.write()
    reading = asyncio.create_task(read_all(ends[1]))
    await until(lambda: not owner.parts and stream.is_idle)
    stream.close()
    assert await reading == b"".join(parts)
    ends[1].close()
    await until(lambda: owner.is_closed)
    assert not owner.ended


async def test_a_peer_that_does_not_read_is_sent_only_what_the_kernel_takes(ends: Ends) -> None:
    owner = Recorder(*[bytes(CHUNK)] * 100)
    stream = Stream(7, ends[0], owner)
    stream.write()
    pulled = -1

    async def is_quiet() -> bool:
        nonlocal pulled
        before, pulled = pulled, owner.pulled
        await asyncio.sleep(0.1)
        return before == pulled == owner.pulled and pulled > 0

    async with asyncio.timeout(PATIENCE):
        while not await is_quiet():
            pass
    # The peer's window, what the kernel keeps unsent, and one part that it has not taken.
    assert owner.pulled < 100 * CHUNK / 2
    assert not stream.is_idle
    await until(lambda: not stream.has_progressed())
    taken = await asyncio.to_thread(ends[1].recv, 1 << 22)
    assert taken
    reading = asyncio.create_task(read_all(ends[1]))
    await until(stream.has_progressed)
    await until(lambda: not owner.parts and stream.is_idle)
    await until(stream.has_progressed)
    stream.close()
    assert len(await reading) + len(taken) == 100 * CHUNK


async def test_others_have_their_turn_between_two_parts(ends: Ends) -> None:
    owner = Recorder(*[bytes(CHUNK)] * 50)
    turns: list[int] = []

    def turn() -> None:
        turns.append(owner.pulled)
        if owner.parts:
            asyncio.get_running_loop().call_soon(turn)

    stream = Stream(7, ends[0], owner)
    reading = asyncio.create_task(read_all(ends[1]))
    stream.write()
    asyncio.get_running_loop().call_soon(turn)
    await until(lambda: not owner.parts)
    assert max(after - before for before, after in pairwise(turns)) <= CHUNK
    stream.close()
    await reading


async def test_a_flood_is_handed_on_in_parts_and_kept_nowhere(ends: Ends) -> None:
    owner = Recorder()
    stream = Stream(7, ends[0], owner)
    before = getrusage(RUSAGE_SELF).ru_maxrss
    block, blocks = bytes(1 << 20), 200

    def flood() -> None:
        for _ in range(blocks):
            ends[1].sendall(block)
        ends[1].shutdown(socket.SHUT_WR)

    await asyncio.to_thread(flood)
    await until(lambda: bool(owner.ended))
    assert owner.received == blocks << 20
    assert owner.largest <= CHUNK
    assert owner.ended == [""]
    assert getrusage(RUSAGE_SELF).ru_maxrss - before < 20 * 1024
    assert not stream.has_progressed()


async def test_the_last_octets_arrive_although_the_peer_is_still_talking(ends: Ends) -> None:
    owner = Recorder()
    stream = Stream(7, ends[0], owner)
    ends[1].sendall(bytes(1 << 16))
    owner.parts.append(b"farewell")
    stream.close()
    ends[1].sendall(bytes(1 << 16))
    assert await read_all(ends[1]) == b"farewell"
    ends[1].close()
    await until(lambda: owner.is_closed)
    assert not owner.ended


async def test_closing_does_not_wait_for_a_peer_that_neither_reads_nor_closes(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.bgp.stream.LINGER", 0.2)
    owner = Recorder(*[bytes(CHUNK)] * 1000)
    stream = Stream(7, ends[0], owner)
    stream.write()
    await until(lambda: owner.sent > 0)
    stream.close()
    await until(lambda: owner.is_closed)
    assert ends[0].fileno() == -1
    # What the kernel had taken does not stay there.
    with pytest.raises(ConnectionResetError):
        await read_all(ends[1])


async def test_a_reset_is_told_in_words(ends: Ends) -> None:
    owner = Recorder()
    stream = Stream(7, ends[0], owner)
    ends[1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    ends[1].close()
    await until(lambda: bool(owner.ended))
    assert owner.ended == ["the peer reset the connection"]
    stream.write()
    stream.close()
    await asyncio.sleep(0)
    assert (owner.pulled, owner.is_closed) == (0, False)


async def test_what_the_peer_said_last_is_read_although_it_takes_nothing_more(ends: Ends) -> None:
    owner = Recorder()
    ends[1].sendall(b"notification")
    # What we say is unread when it closes: a reset follows its last words.
    ends[0].sendall(b"unread")
    ends[1].close()
    stream = Stream(7, ends[0], owner)
    owner.parts = [b"x"] * 10
    stream.write()
    await until(lambda: bool(owner.ended))
    assert owner.received == len(b"notification")
    assert owner.ended[0]


async def test_an_aborted_stream_says_nothing(ends: Ends) -> None:
    owner = Recorder(b"never")
    stream = Stream(7, ends[0], owner)
    stream.write()
    stream.abort()
    assert await read_all(ends[1]) == b""
    assert vars(owner) == vars(SimpleNamespace(**vars(Recorder(b"never"))))
