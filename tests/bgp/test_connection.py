"""What one connection makes of rare things: failures that are not ours, routes that are malformed, two ends at once."""

import pytest

from reconciler.bgp.events import Dial, Ended, RoutesRefused, State
from reconciler.bgp.framing import MessageType, message
from reconciler.bgp.notification import Cease
from tests.bgp.alone import Alone

# ORIGIN 3 is none, AS_PATH [64501], NEXT_HOP; and one prefix.
_ATTRIBUTES = bytes.fromhex("40010103 40020602010000fbf5 4003040a000009")
_MALFORMED = message(MessageType.UPDATE, bytes(2) + len(_ATTRIBUTES).to_bytes(2) + _ATTRIBUTES + bytes((24, 10, 1, 1)))


def test_connections_of_the_peer_that_come_to_nothing_do_not_keep_us_from_dialing() -> None:
    alone = Alone().to(State.CONNECT)
    for _ in range(10):
        number = alone.accept()
        alone.peer.closed(number, "", alone.now)
    alone.peer.events()
    alone.peer.dial_failed("refused", alone.now)
    (ended,) = alone.endings()
    assert ended.retry_in == 1.0


def test_a_session_that_the_peer_opened_and_that_does_not_last_is_a_failure() -> None:
    alone = Alone().to(State.CONNECT)
    waits = []
    for _ in range(3):
        number = alone.accept()
        alone.say(alone.opening())
        alone.say(message(MessageType.KEEPALIVE))
        assert alone.peer.state is State.ESTABLISHED
        alone.peer.closed(number, "", alone.now)
        waits += [ended.retry_in for ended in alone.endings() if ended.was_established]
    assert waits == sorted(set(waits), key=lambda wait: wait or 0.0)


def test_malformed_routes_are_told_once_a_session_and_counted() -> None:
    alone = Alone().to(State.ESTABLISHED)
    alone.peer.events()
    for _ in range(3):
        alone.say(_MALFORMED)
    assert alone.peer.events() == [RoutesRefused("the attribute ORIGIN of a route is malformed")]
    assert (alone.peer.counts().updates_refused, alone.peer.counts().updates_received) == (3, 3)
    assert alone.peer.state is State.ESTABLISHED


def test_malformed_routes_are_told_again_in_the_next_session() -> None:
    alone = Alone().to(State.ESTABLISHED)
    alone.say(_MALFORMED)
    alone.peer.closed(alone.connection, "gone", alone.now)
    alone.peer.commands(), alone.peer.events()
    alone.wait(2)
    alone.connect()
    alone.say(alone.opening())
    alone.say(message(MessageType.KEEPALIVE))
    alone.say(_MALFORMED)
    assert sum(isinstance(event, RoutesRefused) for event in alone.peer.events()) == 1


@pytest.mark.parametrize(
    ("hindrance", "why"),
    [
        pytest.param(
            "192.0.2.9 is no address of this host", "192.0.2.9 is no address of this host", id="what is known"
        ),
        pytest.param(None, "nobody answered our connection within 15 s", id="silence"),
    ],
)
def test_a_dial_that_could_not_be_tried_says_why(hindrance: str | None, why: str) -> None:
    alone = Alone().to(State.CONNECT)
    alone.peer.hindered(hindrance)
    alone.wait(15)
    assert [ended.why for ended in alone.endings()] == [why]
    assert Dial() in alone.commands()


def test_a_session_that_bfd_and_the_hold_timer_end_at_once_ends_once() -> None:
    alone = Alone().to(State.ESTABLISHED)
    alone.peer.events()
    alone.wait(90)
    alone.peer.fail(alone.now, Cease.BFD_DOWN, "BFD went down")
    assert [event.why for event in alone.peer.events() if isinstance(event, Ended)] == [
        "the peer said nothing for 90 s"
    ]
    assert [notification.code for notification in alone.notified()] == [4]
