"""One peer and whatever may come: what is answered, what is told, and what is tried next."""

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.bgp.capabilities import Capability
from reconciler.bgp.events import CancelDial, Close, Dial, Ended, Established, State, StateChanged
from reconciler.bgp.families import Family, prefix_of
from reconciler.bgp.framing import MessageType, message
from reconciler.bgp.messages import (
    KEEPALIVE,
    Open,
    RouteRefresh,
    decode_open,
    encode_notification,
    encode_open,
    encode_route_refresh,
)
from reconciler.bgp.notification import Cease, Notification, cease, hard_reset
from reconciler.bgp.parameters import SessionParameters
from reconciler.bgp.routes import RouteAttributes
from tests.bgp.alone import HIGHER, LOCAL, LOWER, OURS, Alone
from tests.bgp.hostile_messages import streams

IDLE, CONNECT, ACTIVE = State.IDLE, State.CONNECT, State.ACTIVE
OPEN_SENT, OPEN_CONFIRM, ESTABLISHED = State.OPEN_SENT, State.OPEN_CONFIRM, State.ESTABLISHED
RESTARTING = replace(OURS, graceful_restart=True)
END_OF_RIB = message(MessageType.UPDATE, bytes(4))
REFRESH = encode_route_refresh(RouteRefresh(Family.IPV4))
# ORIGIN, AS_PATH [64501], NEXT_HOP.
ATTRIBUTES = bytes.fromhex("40010100 4002060201 0000fbf5 40030 40a000009".replace(" ", ""))


def update(*prefixes: bytes, withdrawn: bytes = b"", attributes: bytes = ATTRIBUTES) -> bytes:
    body = len(withdrawn).to_bytes(2) + withdrawn
    if not prefixes:
        return message(MessageType.UPDATE, body + bytes(2))
    return message(MessageType.UPDATE, body + len(attributes).to_bytes(2) + attributes + b"".join(prefixes))


def prefix(number: int) -> bytes:
    return prefix_of(bytes((10, 1)) + number.to_bytes(2), 32)


def opening(asn: int = 64501, hold_time: int = 90, router_id: bytes = HIGHER, *capabilities: Capability) -> bytes:
    return encode_open(Open(asn=asn, hold_time=hold_time, router_id=router_id, capabilities=capabilities))


def with_version(number: int) -> bytes:
    valid = opening()
    return valid[:19] + bytes((number,)) + valid[20:]


MP_OTHER = Capability(1, bytes((0, 25, 0, 70)))

REFUSED = [
    # The state, what the peer sends there, and the NOTIFICATION that answers it.
    pytest.param(OPEN_SENT, b"\0" * 19, "1/1", id="a marker"),
    pytest.param(OPEN_SENT, KEEPALIVE[:16] + b"\0\x12\4", "1/2 0012", id="a message that is too short"),
    pytest.param(OPEN_SENT, KEEPALIVE[:16] + b"\x10\1\2", "1/2 1001", id="a message that is too long"),
    pytest.param(OPEN_SENT, KEEPALIVE[:16] + b"\0\x13\x09", "1/3 09", id="a type that is none"),
    pytest.param(OPEN_SENT, with_version(3), "2/1 0004", id="another version"),
    pytest.param(OPEN_SENT, opening(64502), "2/2", id="another AS"),
    pytest.param(OPEN_SENT, opening(0), "2/2", id="AS 0"),
    pytest.param(OPEN_SENT, opening(router_id=bytes(4)), "2/3", id="the identifier 0.0.0.0"),
    pytest.param(OPEN_SENT, message(MessageType.OPEN, opening()[19:-1] + bytes((2, 9, 0))), "2/4", id="a parameter"),
    pytest.param(OPEN_SENT, opening(hold_time=2), "2/6", id="a hold time of 2 s"),
    pytest.param(OPEN_SENT, opening(64501, 90, HIGHER, MP_OTHER), "2/7 010400010001010400020001", id="other families"),
    pytest.param(OPEN_SENT, KEEPALIVE, "5/1", id="KEEPALIVE before OPEN"),
    pytest.param(OPEN_SENT, END_OF_RIB, "5/1", id="UPDATE before OPEN"),
    pytest.param(OPEN_SENT, REFRESH, "5/1", id="ROUTE-REFRESH before OPEN"),
    pytest.param(OPEN_CONFIRM, opening(), "5/2", id="a second OPEN"),
    pytest.param(OPEN_CONFIRM, END_OF_RIB, "5/2", id="UPDATE before KEEPALIVE"),
    pytest.param(OPEN_CONFIRM, REFRESH, "5/2", id="ROUTE-REFRESH before KEEPALIVE"),
    pytest.param(OPEN_CONFIRM, b"\0" * 19, "1/1", id="a marker after OPEN"),
    pytest.param(ESTABLISHED, opening(), "5/3", id="OPEN in a session"),
    pytest.param(ESTABLISHED, b"\0" * 19, "1/1", id="a marker in a session"),
    pytest.param(ESTABLISHED, message(MessageType.UPDATE, bytes((0, 9, 0, 0))), "3/1", id="lengths of an UPDATE"),
    pytest.param(ESTABLISHED, update(b"\x21" + bytes(5)), "3/10", id="a prefix of 33 bits"),
    pytest.param(ESTABLISHED, message(MessageType.ROUTE_REFRESH, b"\0\1\1\1\0"), "7/1 *", id="a long BoRR"),
]


@pytest.mark.parametrize(("state", "data", "expected"), REFUSED)
def test_what_is_wrong_is_refused(state: State, data: bytes, expected: str) -> None:
    alone = Alone().to(state)
    alone.sent(), alone.peer.events(), alone.commands()
    alone.say(data)
    codes, _, octets = expected.partition(" ")
    (told,) = alone.notified()
    assert f"{told.code}/{told.subcode}" == codes
    assert octets in ("*", told.data.hex())
    (ended,) = alone.endings()
    assert (ended.sent, ended.received, ended.was_established) == (told, None, state is ESTABLISHED)
    assert ended.why
    assert ended.retry_in == 1.0
    assert alone.commands() == [Close(1)]
    assert alone.peer.state is IDLE
    assert alone.peer.counts().notifications_sent == 1


def test_an_internal_peer_with_our_identifier_is_refused() -> None:
    internal = replace(OURS, remote_asn=64500)
    alone = Alone(internal, theirs=internal).to(OPEN_SENT)
    alone.say(alone.opening(LOCAL.router_id))
    assert [(each.code, each.subcode) for each in alone.notified()] == [(2, 3)]


@pytest.mark.parametrize(
    ("state", "after", "why"),
    [
        (OPEN_SENT, 240, "the peer sent no OPEN within 240 s"),
        (OPEN_CONFIRM, 90, "the peer said nothing for 90 s"),
        (ESTABLISHED, 90, "the peer said nothing for 90 s"),
    ],
)
def test_silence_is_answered_with_4(state: State, after: float, why: str) -> None:
    alone = Alone().to(state)
    alone.wait(after - 0.001)
    assert alone.notified() == []
    alone.wait(0.001)
    assert alone.notified() == [Notification(4)]
    (ended,) = alone.endings()
    assert ended.why == why


@pytest.mark.parametrize("said", [KEEPALIVE, END_OF_RIB, REFRESH, update(prefix(1))])
def test_every_message_of_a_session_restarts_the_hold_timer(said: bytes) -> None:
    alone = Alone().to(ESTABLISHED)
    for _ in range(5):
        alone.wait(80)
        alone.say(said)
    assert alone.peer.state is ESTABLISHED


def test_who_looks_late_reads_first() -> None:
    alone = Alone().to(ESTABLISHED)
    alone.now += 100
    alone.peer.handle_timer(alone.now)
    alone.say(KEEPALIVE)
    alone.wait(80)
    assert alone.peer.state is ESTABLISHED
    alone.now += 100
    alone.peer.handle_timer(alone.now)
    assert alone.peer.state is ESTABLISHED
    # Once only: whoever always looks late would never notice a silence.
    alone.now += 100
    alone.peer.handle_timer(alone.now)
    assert alone.peer.state is not ESTABLISHED


def test_keepalives_are_sent_on_time() -> None:
    alone = Alone(draw=0.0).to(ESTABLISHED)
    alone.sent()
    times = []
    for _ in range(100):
        alone.wait(1)
        alone.say(KEEPALIVE)
        times += [alone.now] * alone.kinds().count(MessageType.KEEPALIVE)
    # A third of 90 s, the least jitter.
    assert times == [23, 45, 68, 90]


def test_keepalives_do_not_pile_up_for_a_peer_that_does_not_read() -> None:
    alone = Alone().to(ESTABLISHED)
    alone.sent()
    for _ in range(6):
        alone.wait(60)
        alone.say(KEEPALIVE)
        alone.say(KEEPALIVE)
    assert alone.kinds() == [MessageType.KEEPALIVE]


def test_keepalives_go_before_routes() -> None:
    alone = Alone()
    for number in range(30_000):
        alone.rib.announce(Family.IPV4, prefix(number), RouteAttributes())
    alone.to(ESTABLISHED)
    alone.peer.data_to_send(1, 4096)
    alone.wait(30)
    data = alone.peer.data_to_send(1, 4096)
    assert data.startswith(KEEPALIVE)
    assert len(KEEPALIVE) < len(data) <= 65535 + 4096


def test_a_peer_that_takes_nothing_loses_its_session() -> None:
    alone = Alone(send_hold_time=100.0).to(ESTABLISHED)
    for _ in range(9):
        alone.wait(10)
        alone.say(KEEPALIVE)
    alone.peer.progressed(1, alone.now)
    for _ in range(9):
        alone.wait(10)
        alone.say(KEEPALIVE)
    assert alone.peer.state is ESTABLISHED
    alone.wait(10)
    assert alone.notified() == [Notification(8)]
    assert [each.why for each in alone.endings()] == ["the peer took nothing for 100 s"]


@pytest.mark.parametrize(("hold_time", "expected"), [(90.0, 480.0), (3600.0, 7200.0), (0.0, 480.0)])
def test_a_peer_has_eight_minutes_or_two_hold_times(hold_time: float, expected: float) -> None:
    alone = Alone(replace(OURS, hold_time=hold_time)).to(ESTABLISHED)
    while alone.now < expected - 1:
        alone.wait(1)
        alone.say(KEEPALIVE)
    assert alone.peer.state is ESTABLISHED
    alone.wait(1)
    assert alone.peer.state is not ESTABLISHED


@pytest.mark.parametrize("state", [OPEN_SENT, OPEN_CONFIRM, ESTABLISHED])
def test_stopping_says_why(state: State) -> None:
    alone = Alone().to(state)
    alone.sent(), alone.commands()
    alone.peer.stop(alone.now, Cease.ADMINISTRATIVE_SHUTDOWN, "this node is drained")
    assert alone.notified() == [cease(Cease.ADMINISTRATIVE_SHUTDOWN, "this node is drained")]
    assert alone.commands() == [Close(1)]
    (ended,) = alone.endings()
    assert ended.retry_in is None
    assert alone.peer.deadline() == inf
    alone.wait(1000)
    assert alone.commands() == []


def test_stopping_gives_up_a_dial() -> None:
    alone = Alone().to(CONNECT)
    alone.peer.stop(alone.now, Cease.PEER_DECONFIGURED)
    assert alone.commands() == [Dial(), CancelDial()]
    alone.peer.connected(7, LOCAL, alone.now)
    assert alone.commands() == [Close(7)]


@pytest.mark.parametrize("state", [OPEN_SENT, OPEN_CONFIRM, ESTABLISHED])
def test_leaving_says_nothing(state: State) -> None:
    alone = Alone(RESTARTING).to(state)
    alone.sent(), alone.commands()
    alone.peer.leave(alone.now)
    assert alone.sent() == []
    assert alone.commands() == [Close(1)]
    assert alone.peer.deadline() == inf


@pytest.mark.parametrize(
    ("subcode", "parameters", "is_hard"),
    [
        (Cease.ADMINISTRATIVE_SHUTDOWN, RESTARTING, True),
        (Cease.PEER_DECONFIGURED, RESTARTING, True),
        (Cease.OTHER_CONFIGURATION_CHANGE, RESTARTING, False),
        (Cease.ADMINISTRATIVE_SHUTDOWN, OURS, False),
    ],
)
def test_a_peer_that_would_keep_our_routes_is_told_not_to(
    subcode: Cease, parameters: SessionParameters, is_hard: bool
) -> None:
    alone = Alone(parameters).to(ESTABLISHED)
    alone.sent()
    alone.peer.stop(alone.now, subcode)
    assert alone.notified() == [hard_reset(cease(subcode)) if is_hard else cease(subcode)]


def test_a_peer_that_knows_no_hard_reset_is_told_plainly() -> None:
    alone = Alone(RESTARTING).to(OPEN_SENT)
    families = [Capability(1, bytes((0, family, 0, 1))) for family in Family]
    # The flags have no N bit.
    restart = Capability(64, bytes((0, 120)) + bytes((0, 1, 1, 0x80)))
    alone.say(opening(64501, 90, HIGHER, *families, restart))
    alone.say(KEEPALIVE)
    assert alone.peer.agreement is not None
    assert alone.peer.agreement.graceful_restart is not None
    alone.peer.stop(alone.now, Cease.PEER_DECONFIGURED)
    assert alone.notified() == [cease(Cease.PEER_DECONFIGURED)]


def test_a_failure_that_the_owner_knows_ends_the_session_and_nothing_else() -> None:
    alone = Alone().to(ESTABLISHED)
    alone.sent(), alone.commands(), alone.peer.events()
    alone.peer.fail(alone.now, Cease.BFD_DOWN, "BFD is down")
    assert alone.notified() == [cease(Cease.BFD_DOWN)]
    (ended,) = alone.endings()
    assert (ended.why, ended.was_established, ended.retry_in) == ("BFD is down", True, 1.0)
    alone.wait(1)
    assert alone.commands() == [Close(1), Dial()]


def test_what_the_peer_says_last_is_told() -> None:
    alone = Alone().to(ESTABLISHED)
    alone.sent(), alone.commands(), alone.peer.events()
    told = cease(Cease.ADMINISTRATIVE_SHUTDOWN, "maintenance")
    alone.say(encode_notification(told))
    (ended,) = alone.endings()
    assert ended.why == 'the peer sent Cease: Administrative Shutdown (6/2): "maintenance"'
    assert (ended.received, ended.sent) == (told, None)
    assert alone.sent() == []


def test_a_peer_without_optional_parameters_is_asked_without() -> None:
    alone = Alone(replace(OURS, connect_retry_time=1.0)).to(OPEN_SENT)
    offered = []
    for answer in (Notification(2, 4), Notification(6, 2), Notification(2, 4), Notification(2, 4)):
        (said,) = [body for kind, body in alone.sent() if kind is MessageType.OPEN]
        offered.append(bool(decode_open(said).capabilities))
        alone.say(encode_notification(answer))
        alone.wait(1)
        alone.connect()
    assert offered == [True, False, True, False]


def test_a_peer_without_capabilities_gets_a_session_for_ipv4() -> None:
    alone = Alone().to(OPEN_SENT)
    alone.say(encode_notification(Notification(2, 4)))
    alone.wait(1)
    alone.connect()
    alone.say(opening())
    alone.say(KEEPALIVE)
    assert alone.peer.agreement is not None
    assert alone.peer.agreement.families == {Family.IPV4}


def test_a_process_that_follows_another_says_so_until_it_has_a_session() -> None:
    alone = Alone(replace(RESTARTING, is_restarting=True)).to(OPEN_SENT)
    flags = []
    for has_session in (False, True, False):
        (said,) = [body for kind, body in alone.sent() if kind is MessageType.OPEN]
        (restart,) = [each.value for each in decode_open(said).capabilities if each.code == 64]
        # Both families are preserved, all the time.
        assert {restart[5], restart[9]} == {0x80}
        flags.append(restart[0] & 0x80)
        if has_session:
            alone.say(alone.opening())
            alone.say(KEEPALIVE)
        alone.peer.closed(alone.connection, "", alone.now)
        (ended,) = alone.endings()
        alone.wait(ended.retry_in or 0.0)
        alone.connect()
    assert flags == [0x80, 0x80, 0]


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ([update(*map(prefix, range(10)))], 10),
        ([update(prefix(1))] * 50, 50),
        ([update(*map(prefix, range(10))), update(withdrawn=b"".join(map(prefix, range(10))))] * 3, 30),
    ],
)
def test_as_many_prefixes_as_allowed(said: list[bytes], left: int) -> None:
    alone = Alone(replace(OURS, maximum_prefixes=10)).to(ESTABLISHED)
    for each in said:
        alone.say(each)
    assert alone.peer.state is ESTABLISHED
    assert alone.peer.counts().received_prefixes == left


@pytest.mark.parametrize("parameters", [OURS, RESTARTING])
def test_more_prefixes_than_allowed(parameters: SessionParameters) -> None:
    alone = Alone(replace(parameters, maximum_prefixes=10)).to(ESTABLISHED)
    alone.sent()
    alone.say(update(*map(prefix, range(10))))
    alone.say(update(prefix(11)))
    expected = cease(Cease.MAXIMUM_PREFIXES)
    assert alone.notified() == [hard_reset(expected) if parameters is RESTARTING else expected]
    assert [each.why for each in alone.endings()] == ["the peer tells us of more than 10 prefixes"]


def test_routes_are_told_again_where_the_peer_asks() -> None:
    alone = Alone()
    alone.rib.announce(Family.IPV4, prefix(1), RouteAttributes())
    alone.rib.settled()
    alone.to(ESTABLISHED)
    first = alone.kinds().count(MessageType.UPDATE)
    assert first == 3  # The route, and End-of-RIB of two families.
    alone.say(REFRESH)
    assert alone.kinds() == [MessageType.ROUTE_REFRESH, MessageType.UPDATE, MessageType.ROUTE_REFRESH]
    alone.say(encode_route_refresh(RouteRefresh(Family.IPV6)))
    assert alone.kinds() == [MessageType.ROUTE_REFRESH] * 2
    assert alone.peer.counts().updates_sent == 4
    assert alone.peer.counts().route_refreshes_received == 2


def test_a_new_session_is_told_everything() -> None:
    alone = Alone()
    alone.rib.announce(Family.IPV4, prefix(1), RouteAttributes())
    alone.to(ESTABLISHED)
    assert alone.kinds().count(MessageType.UPDATE) == 1
    alone.peer.closed(1, "connection reset", alone.now)
    assert not alone.rib.is_all_told
    alone.wait(1)
    alone.connect()
    alone.say(alone.opening())
    alone.say(KEEPALIVE)
    assert alone.kinds().count(MessageType.UPDATE) == 1


# Two connections


@pytest.mark.parametrize(("theirs", "winner"), [(HIGHER, 2), (LOWER, 1)])
def test_the_higher_identifier_decides(theirs: bytes, winner: int) -> None:
    alone = Alone().to(OPEN_SENT)
    alone.accept()
    alone.say(alone.opening(theirs), 1)
    alone.say(alone.opening(theirs), 2)
    loser = 3 - winner
    assert alone.notified(loser) == [cease(Cease.COLLISION)]
    assert alone.notified(winner) == []
    assert alone.commands() == [Close(loser)]
    alone.say(KEEPALIVE, winner)
    assert alone.peer.state is ESTABLISHED
    assert alone.endings() == []


def test_identifiers_are_unsigned() -> None:
    alone = Alone().to(OPEN_SENT)
    alone.accept()
    alone.say(alone.opening(bytes((200, 0, 0, 1))), 1)
    alone.say(alone.opening(bytes((200, 0, 0, 1))), 2)
    assert alone.commands() == [Close(1)]


def test_an_established_one_stays() -> None:
    alone = Alone().to(OPEN_SENT)
    alone.accept()
    alone.say(alone.opening(HIGHER), 1)
    alone.say(KEEPALIVE, 1)
    assert alone.notified(2) == [cease(Cease.COLLISION)]
    alone.accept()
    assert alone.notified(3) == [cease(Cease.COLLISION)]
    assert alone.commands() == [Close(2), Close(3)]
    assert alone.peer.state is ESTABLISHED


def test_a_dial_is_given_up_for_a_session() -> None:
    alone = Alone().to(CONNECT)
    alone.accept()
    alone.say(alone.opening())
    assert alone.commands() == [Dial()]
    alone.say(KEEPALIVE)
    assert alone.commands() == [CancelDial()]
    alone.peer.closed(1, "", alone.now)
    (ended,) = alone.endings()
    assert ended.retry_in == 2.0
    alone.wait(2)
    assert alone.commands() == [Dial()]


def test_a_second_one_of_the_peer_takes_the_place_of_the_first() -> None:
    alone = Alone(replace(OURS, is_passive=True))
    alone.peer.start(0.0)
    alone.accept()
    alone.accept()
    assert alone.commands() == [Close(1)]
    assert alone.notified(1) == [cease(Cease.COLLISION)]
    alone.say(alone.opening())
    alone.say(KEEPALIVE)
    assert alone.peer.state is ESTABLISHED


def test_who_is_not_started_takes_nobody() -> None:
    alone = Alone()
    alone.accept()
    assert alone.notified() == [cease(Cease.CONNECTION_REJECTED)]
    assert alone.commands() == [Close(1)]


@pytest.mark.parametrize(("says_so", "after", "is_new"), [(True, 60, True), (False, 60, False), (True, 1, False)])
def test_a_peer_that_restarted_gets_a_new_session_at_once(says_so: bool, after: float, is_new: bool) -> None:
    alone = Alone(RESTARTING).to(ESTABLISHED)
    alone.wait(after)
    alone.sent(1), alone.commands(), alone.peer.events()
    alone.accept()
    alone.say(alone.opening(is_restarting=says_so), 2)
    alone.say(KEEPALIVE, 2)
    assert alone.peer.state is ESTABLISHED
    assert alone.commands() == [Close(1 if is_new else 2)]
    assert alone.sent(1) == []
    moves = [type(event) for event in alone.peer.events() if not isinstance(event, StateChanged)]
    assert moves == ([Ended, Established] if is_new else [])


# Attempts


def test_a_peer_that_refuses_after_its_open_is_not_asked_often() -> None:
    alone = Alone(draw=0.0)
    alone.peer.start(0.0)
    dials = 0
    while alone.now < 3600:
        dials += 1
        alone.connect()
        alone.say(alone.opening())
        alone.say(KEEPALIVE)
        assert alone.peer.state is ESTABLISHED
        alone.say(encode_notification(cease(Cease.ADMINISTRATIVE_SHUTDOWN)))
        (ended,) = alone.endings()
        assert ended.retry_in is not None
        alone.wait(ended.retry_in)
    assert dials <= 8 + 3600 / 90


def test_a_session_that_lasted_is_sought_again_at_once() -> None:
    alone = Alone().to(ESTABLISHED)
    alone.wait(89)
    alone.say(KEEPALIVE)
    alone.wait(1)
    alone.peer.closed(1, "", alone.now)
    (ended,) = alone.endings()
    assert (ended.why, ended.retry_in) == ("the peer closed the connection", 0.0)
    alone.wait(0)
    alone.commands()
    waits = []
    for _ in range(3):
        alone.peer.dial_failed("connection refused", alone.now)
        (ended,) = alone.endings()
        waits.append(ended.retry_in)
        alone.wait(ended.retry_in or 0.0)
    assert waits == [1.0, 2.0, 4.0]


def test_a_session_that_did_not_last_counts_as_a_failure() -> None:
    alone = Alone(replace(OURS, hold_time=3.0)).to(ESTABLISHED)
    alone.wait(1)
    alone.peer.closed(1, "", alone.now)
    (ended,) = alone.endings()
    assert ended.retry_in == 1.0


def test_what_happens_is_told_in_order() -> None:
    alone = Alone().to(ESTABLISHED)
    alone.peer.closed(1, "connection reset", alone.now)
    told = [event if isinstance(event, StateChanged) else type(event) for event in alone.peer.events()]
    assert told == [
        StateChanged(IDLE, CONNECT),
        StateChanged(CONNECT, OPEN_SENT),
        StateChanged(OPEN_SENT, OPEN_CONFIRM),
        StateChanged(OPEN_CONFIRM, ESTABLISHED),
        Established,
        StateChanged(ESTABLISHED, IDLE),
        Ended,
    ]


def test_messages_are_counted() -> None:
    alone = Alone().to(ESTABLISHED)
    alone.say(KEEPALIVE + update(prefix(1), prefix(2)) + END_OF_RIB + REFRESH)
    alone.say(encode_notification(cease(Cease.ADMINISTRATIVE_RESET)))
    counts = alone.peer.counts()
    assert (counts.opens_sent, counts.opens_received, counts.established) == (1, 1, 1)
    assert (counts.keepalives_sent, counts.keepalives_received) == (1, 2)
    assert (counts.updates_received, counts.route_refreshes_received, counts.notifications_received) == (2, 1, 1)
    assert counts.received_prefixes == 0


# Hostile octets


@settings(max_examples=300, deadline=None)
@given(
    state=st.sampled_from([CONNECT, OPEN_SENT, OPEN_CONFIRM, ESTABLISHED]),
    data=st.one_of(st.binary(max_size=200), streams),
    cuts=st.lists(st.integers(1, 60), max_size=6),
)
def test_whatever_arrives_raises_nothing_and_leaves_a_sane_peer(state: State, data: bytes, cuts: list[int]) -> None:
    alone = Alone(replace(RESTARTING, maximum_prefixes=3)).to(state)
    alone.commands()
    for cut in [*cuts, len(data)]:
        alone.say(data[:cut])
        data = data[cut:]
        alone.now += 0.1
        alone.peer.handle_timer(alone.now)
    alone.sent()
    closed = Close(1) in alone.commands()
    assert closed == (state is not CONNECT and alone.peer.state in (IDLE, ACTIVE))
    # In any case it will have a session.
    if alone.peer.state in (IDLE, ACTIVE):
        alone.wait(2)
        alone.connect()
        alone.say(alone.opening())
        alone.say(KEEPALIVE)
        assert alone.peer.state is ESTABLISHED
    assert alone.peer.deadline() < inf
