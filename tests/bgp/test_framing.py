"""Messages in a stream: however it is cut, the same messages come out, or the same error."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.bgp.framing import HEADER_LENGTH, MARKER, Framer, MessageType, message
from reconciler.bgp.messages import KEEPALIVE
from reconciler.bgp.notification import Notification, ProtocolError
from tests.bgp.hostile_messages import hostile_messages, streams
from tests.l2.vectors import vector

Outcome = tuple[list[tuple[MessageType, bytes]], Notification | None]


def framed(parts: Sequence[bytes], max_length: int = 4096) -> Outcome:
    """What comes out of a stream that arrives in these parts."""
    framer = Framer()
    framer.max_length = max_length
    found = []
    try:
        for part in parts:
            framer.feed(part)
            for each in framer:
                found.append(each)  # noqa: PERF402  # what came before an error counts
    except ProtocolError as error:
        return found, error.notification
    return found, None


def header(length: int, kind: int) -> bytes:
    return MARKER + length.to_bytes(2) + bytes([kind])


def test_a_keepalive_has_the_octets_of_the_vector() -> None:
    assert vector("bgp-keepalive") == KEEPALIVE
    assert framed([KEEPALIVE * 2]) == ([(MessageType.KEEPALIVE, b"")] * 2, None)


@given(stream=streams, cuts=st.lists(st.integers(0, 300), max_size=8))
def test_where_the_stream_is_cut_makes_no_difference(stream: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    parts = [stream[a:b] for a, b in pairwise(edges)]
    assert framed(parts) == framed([stream]) == framed([bytes([octet]) for octet in stream])


@given(kinds=st.lists(st.sampled_from([MessageType.UPDATE, MessageType.NOTIFICATION]), max_size=20), data=st.data())
def test_messages_come_out_as_they_went_in(kinds: list[MessageType], data: st.DataObject) -> None:
    messages = [(kind, data.draw(st.binary(min_size=4, max_size=50))) for kind in kinds]
    assert framed([b"".join(message(*each) for each in messages)]) == (messages, None)


@pytest.mark.parametrize(
    ("octets", "notification"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\n", Notification(1, 1), id="another protocol"),
        pytest.param(b"\xff" * 15 + b"\xfe" + b"\0\x13\4", Notification(1, 1), id="a marker with a bit of 0"),
        pytest.param(header(18, 4), Notification(1, 2, b"\0\x12"), id="shorter than a header"),
        pytest.param(header(0, 2), Notification(1, 2, b"\0\0"), id="a length of 0"),
        pytest.param(header(4097, 2), Notification(1, 2, b"\x10\x01"), id="longer than any"),
        pytest.param(header(28, 1), Notification(1, 2, b"\0\x1c"), id="a short OPEN"),
        pytest.param(header(22, 2), Notification(1, 2, b"\0\x16"), id="a short UPDATE"),
        pytest.param(header(20, 3), Notification(1, 2, b"\0\x14"), id="a short NOTIFICATION"),
        pytest.param(header(20, 4), Notification(1, 2, b"\0\x14"), id="a long KEEPALIVE"),
        pytest.param(header(19, 0), Notification(1, 3, b"\0"), id="type 0"),
        pytest.param(header(19, 6), Notification(1, 3, b"\6"), id="type 6"),
        pytest.param(header(5000, 6), Notification(1, 2, b"\x13\x88"), id="the length before the type"),
    ],
)
def test_a_header_that_is_refused(octets: bytes, notification: Notification) -> None:
    good = [(MessageType.KEEPALIVE, b"")]
    # What came before is heard, and the rest of the message is not waited for.
    assert framed([KEEPALIVE + octets]) == (good, notification)


@pytest.mark.parametrize(
    ("octets", "found"),
    [
        pytest.param(header(65535, 2) + bytes(65516), [(MessageType.UPDATE, bytes(65516))], id="a long UPDATE"),
        pytest.param(header(4097, 1), Notification(1, 2, b"\x10\x01"), id="a long OPEN"),
        pytest.param(header(65535, 4), Notification(1, 2, b"\xff\xff"), id="a long KEEPALIVE"),
    ],
)
def test_extended_messages(octets: bytes, found: list[tuple[MessageType, bytes]] | Notification) -> None:
    expected = ([], found) if isinstance(found, Notification) else (found, None)
    assert framed([octets], max_length=65535) == expected


def test_a_longer_maximum_holds_from_the_next_message_on() -> None:
    framer = Framer()
    framer.feed(vector("bgp-open") + message(MessageType.UPDATE, bytes(5000)))
    kinds = []
    for kind, _ in framer:
        kinds.append(kind)
        framer.max_length = 65535
    assert kinds == [MessageType.OPEN, MessageType.UPDATE]


def test_what_was_taken_is_not_kept() -> None:
    framer = Framer()
    for _ in range(1000):
        framer.feed(KEEPALIVE * 10 + KEEPALIVE[:7])
        assert len(list(framer)) == 10
        framer.feed(KEEPALIVE[7:])
        assert len(list(framer)) == 1
    assert len(framer._octets) <= len(KEEPALIVE) * 11


@given(body=hostile_messages)
def test_a_notification_for_a_bad_header_names_what_was_bad(body: bytes) -> None:
    _, notification = framed([body])
    if notification is None:
        return
    match notification:
        case Notification(code=1, subcode=1, data=b""):
            assert body[:16] != MARKER
        case Notification(code=1, subcode=2, data=data):
            assert len(data) == 2
        case Notification(code=1, subcode=3, data=data):
            assert data[0] not in set(MessageType)
        case _:
            pytest.fail(f"{notification} is not about a header")
    assert len(body) >= HEADER_LENGTH
