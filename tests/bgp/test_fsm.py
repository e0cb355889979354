"""The table of states against RFC 4271 section 8.2.2, row by row, and the page that is drawn from it."""

from itertools import product

import pytest

from reconciler.bgp.events import State
from reconciler.bgp.fsm import EVENT_NUMBERS, TRANSITIONS, Action, Input
from tests.bgp.states_page import PAGE, page

IDLE, CONNECT, ACTIVE = State.IDLE, State.CONNECT, State.ACTIVE
OPEN_SENT, OPEN_CONFIRM, ESTABLISHED = State.OPEN_SENT, State.OPEN_CONFIRM, State.ESTABLISHED

WORDS = {
    Action.SEND_OPEN: "OPEN",
    Action.SEND_KEEPALIVE: "KEEPALIVE",
    Action.SEND_ERROR: "error",
    Action.SEND_CEASE: "CEASE",
    Action.SEND_COLLISION: "CEASE/7",
    Action.SEND_HOLD_EXPIRED: "4",
    Action.SEND_SEND_HOLD_EXPIRED: "8",
    Action.SEND_FSM_ERROR: "5",
    Action.DIAL: "dial",
    Action.COUNT_FAILURE: "+1",
    Action.CLEAR_RETRIES: "=0",
    Action.END_ROUTES: "end",
    Action.BEGIN_ROUTES: "begin",
    Action.TAKE_UPDATE: "count",
    Action.DROP: "drop",
}

GIVEN_UP = "drop +1"
# By the numbers of the RFC; the rest of a state by 0. The state afterwards, and what is done, in order.
ROWS: dict[State, dict[int, tuple[State, str]]] = {
    IDLE: {
        1: (CONNECT, "=0 dial"),
        2: (IDLE, "drop =0"),
        4: (ACTIVE, "=0"),
        13: (CONNECT, "dial"),
        23: (IDLE, "drop"),
        0: (IDLE, ""),
    },
    CONNECT: {
        1: (CONNECT, ""),
        2: (IDLE, "drop =0"),
        4: (CONNECT, ""),
        9: (CONNECT, "drop dial"),
        16: (OPEN_SENT, "OPEN"),
        17: (OPEN_SENT, "OPEN"),
        0: (IDLE, GIVEN_UP),
    },
    ACTIVE: {
        1: (ACTIVE, ""),
        2: (IDLE, "drop =0"),
        4: (ACTIVE, ""),
        9: (CONNECT, "dial"),
        16: (OPEN_SENT, "OPEN"),
        17: (OPEN_SENT, "OPEN"),
        0: (IDLE, GIVEN_UP),
    },
    OPEN_SENT: {
        1: (OPEN_SENT, ""),
        2: (IDLE, "CEASE drop =0"),
        4: (OPEN_SENT, ""),
        8: (IDLE, f"CEASE {GIVEN_UP}"),
        10: (IDLE, f"4 {GIVEN_UP}"),
        16: (OPEN_SENT, ""),
        17: (OPEN_SENT, ""),
        18: (ACTIVE, GIVEN_UP),
        19: (OPEN_CONFIRM, "KEEPALIVE"),
        21: (IDLE, f"error {GIVEN_UP}"),
        22: (IDLE, f"error {GIVEN_UP}"),
        23: (IDLE, f"CEASE/7 {GIVEN_UP}"),
        24: (IDLE, GIVEN_UP),
        25: (IDLE, GIVEN_UP),
        0: (IDLE, f"5 {GIVEN_UP}"),
    },
    OPEN_CONFIRM: {
        1: (OPEN_CONFIRM, ""),
        2: (IDLE, "CEASE drop =0"),
        4: (OPEN_CONFIRM, ""),
        8: (IDLE, f"CEASE {GIVEN_UP}"),
        10: (IDLE, f"4 {GIVEN_UP}"),
        11: (OPEN_CONFIRM, "KEEPALIVE"),
        16: (OPEN_CONFIRM, ""),
        17: (OPEN_CONFIRM, ""),
        18: (IDLE, GIVEN_UP),
        21: (IDLE, f"error {GIVEN_UP}"),
        22: (IDLE, f"error {GIVEN_UP}"),
        23: (IDLE, f"CEASE/7 {GIVEN_UP}"),
        24: (IDLE, GIVEN_UP),
        25: (IDLE, GIVEN_UP),
        26: (ESTABLISHED, "begin"),
        0: (IDLE, f"5 {GIVEN_UP}"),
    },
    ESTABLISHED: {
        1: (ESTABLISHED, ""),
        2: (IDLE, "CEASE end drop =0"),
        4: (ESTABLISHED, ""),
        8: (IDLE, f"CEASE end {GIVEN_UP}"),
        10: (IDLE, f"4 end {GIVEN_UP}"),
        11: (ESTABLISHED, "KEEPALIVE"),
        16: (ESTABLISHED, ""),
        17: (ESTABLISHED, ""),
        18: (IDLE, f"end {GIVEN_UP}"),
        21: (IDLE, f"error end {GIVEN_UP}"),
        22: (IDLE, f"error end {GIVEN_UP}"),
        23: (IDLE, f"CEASE/7 end {GIVEN_UP}"),
        24: (IDLE, f"end {GIVEN_UP}"),
        25: (IDLE, f"end {GIVEN_UP}"),
        26: (ESTABLISHED, ""),
        27: (ESTABLISHED, "count"),
        28: (IDLE, f"error end {GIVEN_UP}"),
        29: (IDLE, f"8 end {GIVEN_UP}"),
        0: (IDLE, f"5 end {GIVEN_UP}"),
    },
}


@pytest.mark.parametrize(("state", "given"), list(product(State, EVENT_NUMBERS)))
def test_a_row_of_the_rfc(state: State, given: Input) -> None:
    step = TRANSITIONS[state, given]
    rows = ROWS[state]
    expected = rows.get(EVENT_NUMBERS[given], rows[0])
    assert (step.state, " ".join(WORDS[action] for action in step.actions if action in WORDS)) == expected


def test_every_state_has_a_row_for_every_input() -> None:
    assert set(TRANSITIONS) == set(product(State, Input))


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (IDLE, "drop =0"),
        (CONNECT, "drop =0"),
        (ACTIVE, "drop =0"),
        (OPEN_SENT, "drop =0"),
        (ESTABLISHED, "end drop =0"),
    ],
)
def test_leaving_says_nothing(state: State, expected: str) -> None:
    step = TRANSITIONS[state, Input.LEAVE]
    assert (step.state, " ".join(WORDS[action] for action in step.actions)) == (IDLE, expected)


def test_who_gave_up_tries_again_and_who_was_stopped_does_not() -> None:
    for (state, given), step in TRANSITIONS.items():
        if state is IDLE or step.state is not IDLE:
            continue
        waits = Action.START_IDLE_HOLD in step.actions
        # Who loses a collision waits for the end of the other connection.
        assert waits == (given not in {Input.MANUAL_STOP, Input.LEAVE, Input.COLLISION})
        assert Action.DROP in step.actions


def test_the_page_is_drawn_from_the_table() -> None:
    assert PAGE.read_text("utf-8") == page(), "python -m tests.bgp.states_page draws it anew"
