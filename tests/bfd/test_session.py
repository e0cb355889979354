"""One session against another, and against packets made by hand: RFC 5880 section 6.8."""

from itertools import cycle, pairwise, product
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.bfd.authentication import Meticulous
from reconciler.bfd.ignored import Ignored
from reconciler.bfd.intervals import Parameters, ParametersError
from reconciler.bfd.packets import ControlPacket, Diagnostic, State, decode, encode
from reconciler.bfd.session import Event, Heard, Session, StateChanged, Unheard
from reconciler.bfd.transitions import RECEIVED, TRANSITIONS, Input
from tests.bfd.pair import FAST, Pair, Side

DOWN, INIT, UP, ADMIN_DOWN = State.DOWN, State.INIT, State.UP, State.ADMIN_DOWN
EXPIRED, SIGNALED = Diagnostic.DETECTION_TIME_EXPIRED, Diagnostic.NEIGHBOR_SIGNALED_DOWN


def said(state: State, **others: object) -> ControlPacket:
    """A packet of a peer with discriminator 9, who knows ours, sends every 50 ms and bears as much."""
    fields: dict[str, object] = {
        "detect_multiplier": 3,
        "my_discriminator": 9,
        "your_discriminator": 1,
        "desired_min_tx_us": 50_000,
        "required_min_rx_us": 50_000,
    }
    return ControlPacket(state=state, **(fields | others))  # type: ignore[arg-type]  # each field is checked when it is encoded


def alone(parameters: Parameters = FAST, authentication: Meticulous | None = None) -> Session:
    return Session(parameters, 1, 0.0, jitter=lambda: 0.0, authentication=authentication)


def tell(session: Session, packet: ControlPacket, now: float = 0.0) -> Ignored | None:
    return session.receive(packet, encode(packet), now)


def sent(session: Session) -> list[ControlPacket]:
    return [decode(data) for data in session.data_to_send()]


def in_state(state: State) -> Session:
    """A session that has come to a state; its packets and events are taken away."""
    session = alone()
    for packet in {UP: [said(DOWN), said(UP)], INIT: [said(DOWN)]}.get(state, []):
        tell(session, packet)
    if state == ADMIN_DOWN:
        session.disable(0.0)
    session.data_to_send(), session.events()
    assert session.state == state
    return session


ROWS: dict[tuple[State, State], tuple[State, Diagnostic | None]] = {
    # (ours, the one in the packet): (ours afterwards, the diagnostic that is told where it changes)
    (DOWN, ADMIN_DOWN): (DOWN, None),
    (DOWN, DOWN): (INIT, None),
    (DOWN, INIT): (UP, None),
    (DOWN, UP): (DOWN, None),
    (INIT, ADMIN_DOWN): (DOWN, SIGNALED),
    (INIT, DOWN): (INIT, None),
    (INIT, INIT): (UP, None),
    (INIT, UP): (UP, None),
    (UP, ADMIN_DOWN): (DOWN, SIGNALED),
    (UP, DOWN): (DOWN, SIGNALED),
    (UP, INIT): (UP, None),
    (UP, UP): (UP, None),
    (ADMIN_DOWN, ADMIN_DOWN): (ADMIN_DOWN, None),
    (ADMIN_DOWN, DOWN): (ADMIN_DOWN, None),
    (ADMIN_DOWN, INIT): (ADMIN_DOWN, None),
    (ADMIN_DOWN, UP): (ADMIN_DOWN, None),
}


@pytest.mark.parametrize(("ours", "theirs"), list(product(State, State)), ids=lambda state: state.name)
def test_a_packet_moves_a_session(ours: State, theirs: State) -> None:
    after, diagnostic = ROWS[ours, theirs]
    session = in_state(ours)
    tell(session, said(theirs))
    assert session.state == after
    changes = [event for event in session.events() if isinstance(event, StateChanged)]
    assert [(change.before, change.after, change.remote_state) for change in changes] == (
        [(ours, after, theirs)] if after != ours else []
    )
    if diagnostic is not None:
        assert [packet.diagnostic for packet in sent(session)] == [diagnostic]


def test_the_table_names_no_step_that_changes_nothing() -> None:
    assert all(step.state != before for (before, _), step in TRANSITIONS.items())
    assert set(RECEIVED) == set(State)
    assert {given for _, given in TRANSITIONS} <= set(Input)


def test_two_sides_come_up_within_three_packets_each() -> None:
    pair = Pair()
    pair.run(0)
    assert pair.a.state == pair.b.state == UP
    assert pair.now == 0.0
    assert [change.after for change in pair.a.changes()] in ([INIT, UP], [UP])


def test_before_it_is_up_a_session_sends_once_a_second() -> None:
    pair = Pair()
    pair.cut()
    pair.run(3.5)
    assert pair.a.times() == [0.0, 1.0, 2.0, 3.0]
    assert all(packet.desired_min_tx_us == 1_000_000 for _, packet in pair.a.sent)


def test_once_up_it_sends_as_often_as_both_agree() -> None:
    pair = Pair(Parameters(0.05, 0.02, 3), Parameters(0.01, 0.1, 3)).up()
    since = pair.now
    pair.run(2)
    of_a = [at for at in pair.a.times() if at > since]
    of_b = [at for at in pair.b.times() if at > since]
    # The slower of what one wishes and the other bears.
    assert [b - a for a, b in pairwise(of_a)] == pytest.approx([0.1] * (len(of_a) - 1))
    assert [b - a for a, b in pairwise(of_b)] == pytest.approx([0.02] * (len(of_b) - 1))


@pytest.mark.parametrize(
    ("jitter", "multiplier", "gap"),
    [(0.0, 3, 0.05), (1.0, 3, 0.0375), (0.0, 1, 0.045), (1.0, 1, 0.0375)],
)
def test_gaps_are_up_to_a_quarter_shorter(jitter: float, multiplier: int, gap: float) -> None:
    parameters = Parameters(0.05, 0.05, multiplier)
    pair = Pair(parameters, parameters, jitter=lambda: jitter).up()
    since = pair.now
    pair.run(1)
    times = [at for at in pair.a.times() if at > since]
    assert [b - a for a, b in pairwise(times)] == pytest.approx([gap] * (len(times) - 1))


@pytest.mark.parametrize(
    ("of_a", "of_b", "expected"),
    [
        pytest.param(FAST, FAST, 0.15, id="the same on both sides"),
        pytest.param(Parameters(0.05, 0.05, 9), Parameters(0.05, 0.05, 2), 0.1, id="the peer's multiplier counts"),
        pytest.param(Parameters(0.05, 0.2, 3), FAST, 0.6, id="what we bear is slower"),
        pytest.param(FAST, Parameters(0.3, 0.05, 3), 0.9, id="what the peer sends is slower"),
    ],
)
def test_silence_is_noticed_after_the_detection_time(of_a: Parameters, of_b: Parameters, expected: float) -> None:
    pair = Pair(of_a, of_b).up()
    assert pair.a.session.detection_time == pytest.approx(expected)
    pair.cut()
    last = pair.b.sent[-1][0]
    pair.run(5)
    expired = [at for at, event in pair.a.reported if event == Unheard(was_up=True)]
    assert expired == pytest.approx([last + expected])
    assert StateChanged(UP, DOWN, EXPIRED, DOWN) in pair.a.changes()


def test_after_silence_it_says_why_and_forgets_who_the_peer_was() -> None:
    pair = Pair().up()
    pair.cut()
    pair.run_until(lambda: pair.a.state == DOWN)
    last = pair.a.sent[-1][1]
    assert (last.state, last.diagnostic, last.your_discriminator) == (DOWN, EXPIRED, 0)


def test_both_come_up_again_when_they_hear_each_other() -> None:
    pair = Pair().up()
    pair.cut()
    pair.run(5)
    pair.lose = lambda *_: False
    pair.run(2)
    assert pair.a.state == pair.b.state == UP
    assert [event for _, event in pair.a.reported if not isinstance(event, StateChanged)] == [
        Heard(),
        Unheard(was_up=True),
        Heard(),
    ]


def test_where_one_hears_nothing_the_other_learns_it_and_does_not_call_it_silence() -> None:
    pair = Pair().up()
    pair.lose = lambda side, _: side is pair.a
    pair.run_until(lambda: pair.a.state == DOWN)
    assert pair.a.changes()[-1].diagnostic is SIGNALED
    assert pair.b.changes()[-1].diagnostic is EXPIRED
    assert not [event for _, event in pair.a.reported if isinstance(event, Unheard)]


def test_a_peer_that_begins_anew_takes_the_session_down_and_up() -> None:
    session = in_state(UP)
    tell(session, said(DOWN, my_discriminator=77, your_discriminator=0))
    assert session.state == DOWN
    tell(session, said(DOWN, my_discriminator=77, your_discriminator=0), 0.1)
    assert session.state == INIT
    assert sent(session)[-1].your_discriminator == 77


def test_a_poll_is_answered_at_once_and_beside_the_timers() -> None:
    session = in_state(UP)
    before = session.deadline()
    tell(session, said(UP, is_poll=True), 0.01)
    answers = sent(session)
    assert [(answer.is_final, answer.is_poll) for answer in answers] == [(True, False)]
    assert session.deadline() == before


def test_up_begins_with_a_poll_that_ends_with_the_answer() -> None:
    session = in_state(INIT)
    tell(session, said(UP))
    assert [(packet.is_poll, packet.desired_min_tx_us) for packet in sent(session)] == [(True, 50_000)]
    session.handle_timer(session.deadline())
    assert sent(session)[0].is_poll
    tell(session, said(UP, is_final=True), 0.06)
    session.handle_timer(session.deadline())
    assert not sent(session)[0].is_poll


def test_a_peer_that_bears_more_than_at_first_gets_the_next_packet_soon() -> None:
    # FRR asks for one second until it is up, and counts by what it asks for afterwards from then on.
    session = in_state(INIT)
    tell(session, said(UP, required_min_rx_us=1_000_000))
    assert session.deadline() >= 0.15
    session.handle_timer(0.0)
    session.data_to_send()
    tell(session, said(UP, is_poll=True), 0.02)
    session.data_to_send()
    assert session.deadline() == pytest.approx(0.05)


def test_a_slower_transmit_interval_waits_for_the_answer() -> None:
    pair = Pair().up()
    pair.lose = lambda side, packet: side is pair.b and packet.is_final
    pair.a.session.change(Parameters(0.2, 0.05, 3), pair.now)
    since = pair.now
    pair.run(1)
    times = [at for at, packet in pair.a.sent if at > since and packet.is_poll]
    assert [b - a for a, b in pairwise(times)] == pytest.approx([0.05] * (len(times) - 1))
    pair.lose = lambda *_: False
    pair.run(1)
    times = pair.a.times()[-4:]
    assert [b - a for a, b in pairwise(times)] == pytest.approx([0.2] * 3)
    assert pair.a.state == pair.b.state == UP


def test_a_faster_receive_interval_waits_for_the_answer() -> None:
    slow = Parameters(0.05, 0.2, 3)
    pair = Pair(slow, FAST).up()
    pair.lose = lambda side, packet: side is pair.b and packet.is_final
    pair.a.session.change(FAST, pair.now)
    pair.run(1)
    assert pair.a.session.detection_time == pytest.approx(0.6)
    pair.lose = lambda *_: False
    pair.run(1)
    assert pair.a.session.detection_time == pytest.approx(0.15)
    assert pair.a.state == pair.b.state == UP


def test_two_changes_in_a_row_are_two_polls_with_a_packet_between_them() -> None:
    session = in_state(UP)
    tell(session, said(UP, is_final=True))
    session.change(Parameters(0.06, 0.05, 3), 0.0)
    session.change(Parameters(0.07, 0.05, 3), 0.0)
    polls = []
    now = 0.0
    for _ in range(6):
        now = max(now, session.deadline())
        tell(session, said(UP), now)
        session.handle_timer(now)
        out = sent(session)
        polls += [packet.is_poll for packet in out]
        if any(packet.is_poll for packet in out):
            tell(session, said(UP, is_final=True), now)
            session.data_to_send()
    assert polls[:4] == [True, False, True, False]


def test_the_same_parameters_are_no_change() -> None:
    session = in_state(UP)
    tell(session, said(UP, is_final=True))
    session.change(FAST, 0.0)
    session.handle_timer(session.deadline())
    assert not sent(session)[0].is_poll


def test_a_peer_may_want_no_packets() -> None:
    session = in_state(UP)
    tell(session, said(UP, required_min_rx_us=0), 0.1)
    session.data_to_send()
    assert session.deadline() == pytest.approx(0.25)
    tell(session, said(UP, is_poll=True, required_min_rx_us=0), 0.2)
    assert [packet.is_final for packet in sent(session)] == [True]


def test_who_wants_no_packets_does_not_wait_for_any() -> None:
    pair = Pair(Parameters(0.05, 0.0, 3), FAST).up()
    pair.run(5)
    assert pair.a.state == pair.b.state == UP
    pair.cut()
    pair.run(1)
    assert (pair.a.state, pair.b.state) == (UP, DOWN)


def test_a_peer_in_demand_mode_gets_no_periodic_packets() -> None:
    session = in_state(UP)
    tell(session, said(UP, is_final=True), 0.0)
    tell(session, said(UP, is_demand=True), 0.1)
    session.data_to_send()
    assert session.deadline() == pytest.approx(0.25)
    # A Poll of ours is sent nevertheless.
    session.change(Parameters(0.06, 0.05, 3), 0.1)
    session.handle_timer(session.deadline())
    assert [packet.is_poll for packet in sent(session)] == [True]
    tell(session, said(UP, is_demand=True, is_final=True), 0.2)
    assert session.deadline() == pytest.approx(0.35)


def test_a_passive_side_is_silent_until_it_is_spoken_to() -> None:
    passive = Parameters(0.05, 0.05, 3, is_passive=True)
    pair = Pair(passive, passive)
    pair.run(60)
    assert (pair.a.sent, pair.b.sent) == ([], [])
    assert pair.a.session.deadline() == inf
    pair = Pair(passive, FAST).up()
    assert pair.a.state == UP
    pair.cut()
    pair.run(1)
    count = len(pair.a.sent)
    pair.run(60)
    assert len(pair.a.sent) == count


def test_disabled_is_no_failure_to_the_peer() -> None:
    pair = Pair().up()
    pair.a.session.disable(pair.now)
    pair.settle()
    assert pair.b.changes()[-1] == StateChanged(UP, DOWN, SIGNALED, ADMIN_DOWN)
    pair.run(20)
    assert (pair.a.state, pair.b.state) == (ADMIN_DOWN, DOWN)
    assert pair.a.sent[-1][1].diagnostic == Diagnostic.ADMINISTRATIVELY_DOWN
    assert Unheard(was_up=True) not in [event for _, event in pair.b.reported]
    pair.a.session.enable(pair.now)
    pair.run(2)
    assert pair.a.state == pair.b.state == UP


def test_a_disabled_session_discards_what_arrives() -> None:
    session = in_state(ADMIN_DOWN)
    assert tell(session, said(DOWN)) is Ignored.ADMINISTRATIVELY_DOWN
    assert session.events() == []


def test_a_peer_that_dies_while_it_comes_up_is_no_silence_of_somebody_that_was_up() -> None:
    session = in_state(INIT)
    session.handle_timer(session.deadline())
    assert session.state == DOWN
    assert Unheard(was_up=False) in session.events()


def test_who_comes_late_gives_the_peer_another_detection_time_once() -> None:
    session = in_state(UP)
    session.excuse(0.049, 0.3)
    assert session.deadline() <= 0.15
    session.excuse(0.05, 0.3)
    session.handle_timer(0.3)
    assert session.state == UP
    session.excuse(0.05, 0.45)
    session.handle_timer(0.45)
    assert session.state == DOWN


def test_a_packet_earns_another_excuse() -> None:
    session = in_state(UP)
    session.excuse(0.1, 0.1)
    tell(session, said(UP), 0.2)
    session.excuse(0.1, 0.34)
    session.handle_timer(0.36)
    assert session.state == UP


def keys() -> tuple[Meticulous, Meticulous]:
    return (
        Meticulous(send_key=b"a to b", receive_key=b"b to a", sequence=(1 << 32) - 20),
        Meticulous(send_key=b"b to a", receive_key=b"a to b", sequence=7),
    )


def test_authenticated_sides_come_up_and_survive_a_cut() -> None:
    pair = Pair(keys=keys()).up()
    pair.cut()
    pair.run(60)
    pair.lose = lambda *_: False
    pair.run(2)
    assert pair.a.state == pair.b.state == UP


@pytest.mark.parametrize(
    ("authentication", "packet", "expected"),
    [
        pytest.param(None, said(DOWN, authentication=b"\1\4\1x"), Ignored.AUTHENTICATION_NOT_EXPECTED, id="not ours"),
        pytest.param(keys()[0], said(DOWN), Ignored.NOT_AUTHENTICATED, id="not the peer's"),
    ],
)
def test_both_must_authenticate_or_none(
    authentication: Meticulous | None, packet: ControlPacket, expected: Ignored
) -> None:
    session = alone(authentication=authentication)
    assert tell(session, packet) is expected
    assert session.state == DOWN
    assert session.events() == []


def test_a_replayed_packet_keeps_nobody_alive() -> None:
    pair = Pair(keys=keys()).up()
    stored: list[bytes] = []
    receive = pair.a.session.receive

    def remember(packet: ControlPacket, data: bytes, now: float) -> Ignored | None:
        stored.append(data)
        return receive(packet, data, now)

    pair.a.session.receive = remember  # type: ignore[method-assign]  # the test listens on the wire
    pair.run(0.5)
    pair.cut()
    ends = pair.a.session.deadline() + 0.2
    while pair.now < ends:
        assert receive(decode(stored[-1]), stored[-1], pair.now) is Ignored.SEQUENCE
        pair.run(0.01)
    assert pair.a.state == DOWN


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda: Parameters(0, 1, 3), id="no transmit interval"),
        pytest.param(lambda: Parameters(5000, 1, 3), id="a transmit interval of more than 32 bits"),
        pytest.param(lambda: Parameters(1, -1, 3), id="a negative receive interval"),
        pytest.param(lambda: Parameters(1, 1, 0), id="multiplier 0"),
        pytest.param(lambda: Parameters(1, 1, 256), id="multiplier 256"),
    ],
)
def test_parameters_that_no_packet_can_tell_are_refused(made: object) -> None:
    with pytest.raises(ParametersError):
        made()  # type: ignore[operator]  # a lambda of the table


# What is drawn for the gaps, again and again.
draws = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=4)
intervals = st.integers(10, 300).map(lambda ms: ms / 1000)
parameters = st.builds(Parameters, intervals, intervals, st.integers(2, 5))


@given(of_a=parameters, of_b=parameters, lost=st.lists(st.booleans(), max_size=40), drawn=draws)
def test_whatever_gets_lost_both_are_up_soon_after_it_gets_through(
    of_a: Parameters, of_b: Parameters, lost: list[bool], drawn: list[float]
) -> None:
    pair = Pair(of_a, of_b, jitter=cycle(drawn).__next__)
    fates = list(reversed(lost))
    pair.lose = lambda *_: fates.pop() if fates else False
    pair.run_until(lambda: not fates, limit=120)
    # What is lost may have left one side waiting for as long as it had agreed to.
    pair.run(10)
    assert pair.a.state == pair.b.state == UP
    changes = len(pair.a.changes()), len(pair.b.changes())
    pair.run(20)
    assert (len(pair.a.changes()), len(pair.b.changes())) == changes


@given(
    of_a=parameters,
    changes=st.lists(st.tuples(parameters, st.floats(0, 0.5)), max_size=6),
    drawn=draws,
)
def test_no_change_of_parameters_takes_a_session_down(
    of_a: Parameters, changes: list[tuple[Parameters, float]], drawn: list[float]
) -> None:
    pair = Pair(of_a, FAST, jitter=cycle(drawn).__next__).up()
    downs = sum(change.after == DOWN for side in (pair.a, pair.b) for change in side.changes())
    for number, (changed, wait) in enumerate(changes):
        side: Side = pair.a if number % 2 else pair.b
        side.session.change(changed, pair.now)
        pair.run(wait)
    pair.run(10)
    assert pair.a.state == pair.b.state == UP
    assert sum(change.after == DOWN for side in (pair.a, pair.b) for change in side.changes()) == downs


@given(st.lists(st.tuples(st.sampled_from(State), st.booleans(), st.floats(0, 0.4)), max_size=30))
def test_no_sequence_of_packets_confuses_a_session(packets: list[tuple[State, bool, float]]) -> None:
    session = alone()
    now = 0.0
    events: list[Event] = []
    for state, flag, gap in packets:
        now += gap
        session.handle_timer(now)
        tell(session, said(state, is_poll=flag, is_final=not flag), now)
        events += session.events()
        assert len(session.data_to_send()) <= 6
        assert session.deadline() > now or session.state == ADMIN_DOWN
    states = [event for event in events if isinstance(event, StateChanged)]
    assert all(a.after == b.before for a, b in pairwise(states))
