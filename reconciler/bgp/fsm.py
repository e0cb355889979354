"""
The state machine of one connection (RFC 4271 section 8.2.2) as a table: state and input → actions and state.

Every TCP connection with a peer has its own machine: the one that dials, and one for each connection that the peer
opened. The table is complete: each state has a row for each input. `docs/bgp-states.md` is drawn from it, and says
where it departs from the RFC and why.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from reconciler.bgp.events import State


class Input(StrEnum):
    """
    What moves a machine, by the names of the RFCs; the last three are ours.

    Left out are the optional events of delayed OPENs (12, 20: we always speak first, there is nothing to wait for), of
    automatic starts (3, 5 to 7: the IdleHoldTimer is what starts again), and of connections of unknown hosts (14, 15:
    the transport closes those).
    """

    MANUAL_START = "ManualStart"
    MANUAL_STOP = "ManualStop"
    MANUAL_START_PASSIVE = "ManualStart_with_PassiveTcpEstablishment"
    AUTOMATIC_STOP = "AutomaticStop"
    CONNECT_RETRY_TIMER = "ConnectRetryTimer_Expires"
    HOLD_TIMER = "HoldTimer_Expires"
    KEEPALIVE_TIMER = "KeepaliveTimer_Expires"
    IDLE_HOLD_TIMER = "IdleHoldTimer_Expires"
    TCP_ACKED = "Tcp_CR_Acked"
    TCP_CONFIRMED = "TcpConnectionConfirmed"
    TCP_FAILS = "TcpConnectionFails"
    OPEN = "BGPOpen"
    HEADER_ERROR = "BGPHeaderErr"
    OPEN_ERROR = "BGPOpenMsgErr"
    COLLISION = "OpenCollisionDump"
    VERSION_ERROR_RECEIVED = "NotifMsgVerErr"
    NOTIFICATION = "NotifMsg"
    KEEPALIVE = "KeepAliveMsg"
    UPDATE = "UpdateMsg"
    UPDATE_ERROR = "UpdateMsgErr"
    SEND_HOLD_TIMER = "SendHoldTimer_Expires"
    ROUTE_REFRESH = "RouteRefreshMsg"
    ROUTE_REFRESH_ERROR = "RouteRefreshMsgErr"
    LEAVE = "Leave"


# RFC 4271 section 8.1 and RFC 9687 section 3.
EVENT_NUMBERS: Mapping[Input, int] = MappingProxyType(
    {
        Input.MANUAL_START: 1,
        Input.MANUAL_STOP: 2,
        Input.MANUAL_START_PASSIVE: 4,
        Input.AUTOMATIC_STOP: 8,
        Input.CONNECT_RETRY_TIMER: 9,
        Input.HOLD_TIMER: 10,
        Input.KEEPALIVE_TIMER: 11,
        Input.IDLE_HOLD_TIMER: 13,
        Input.TCP_ACKED: 16,
        Input.TCP_CONFIRMED: 17,
        Input.TCP_FAILS: 18,
        Input.OPEN: 19,
        Input.HEADER_ERROR: 21,
        Input.OPEN_ERROR: 22,
        Input.COLLISION: 23,
        Input.VERSION_ERROR_RECEIVED: 24,
        Input.NOTIFICATION: 25,
        Input.KEEPALIVE: 26,
        Input.UPDATE: 27,
        Input.UPDATE_ERROR: 28,
        Input.SEND_HOLD_TIMER: 29,
    }
)


class Action(StrEnum):
    """What a machine does on its way, in the words of the page that is drawn."""

    CLEAR_RETRIES = "set the ConnectRetryCounter to 0"
    COUNT_FAILURE = "add 1 to the ConnectRetryCounter"
    START_IDLE_HOLD = "start the IdleHoldTimer"
    START_CONNECT_RETRY = "start the ConnectRetryTimer"
    STOP_CONNECT_RETRY = "stop the ConnectRetryTimer"
    DIAL = "dial"
    SEND_OPEN = "send OPEN"
    START_OPEN_HOLD = "start the HoldTimer with 240 s"
    SEND_KEEPALIVE = "send KEEPALIVE"
    START_HOLD = "start the HoldTimer with what is agreed"
    START_KEEPALIVE = "start the KeepaliveTimer"
    START_SEND_HOLD = "start the SendHoldTimer"
    BEGIN_ROUTES = "begin to tell routes"
    TAKE_UPDATE = "count the prefixes"
    TELL_AGAIN = "tell the family again"
    SEND_ERROR = "send the NOTIFICATION of the error"
    SEND_CEASE = "send CEASE"
    SEND_COLLISION = "send CEASE/7"
    SEND_HOLD_EXPIRED = "send NOTIFICATION 4"
    SEND_SEND_HOLD_EXPIRED = "send NOTIFICATION 8"
    SEND_FSM_ERROR = "send NOTIFICATION 5 with the subcode of the state"
    END_ROUTES = "tell no routes any more"
    DROP = "stop the timers, close or stop dialing"


class Step(NamedTuple):
    """What an input does in a state: actions in order, and the state afterwards."""

    actions: tuple[Action, ...]
    state: State


_A = Action
_GIVE_UP = (_A.DROP, _A.COUNT_FAILURE, _A.START_IDLE_HOLD)
_STOPPED = Step((_A.DROP, _A.CLEAR_RETRIES), State.IDLE)
_FAILED = Step(_GIVE_UP, State.IDLE)
_TO_OPEN_SENT = Step((_A.STOP_CONNECT_RETRY, _A.SEND_OPEN, _A.START_OPEN_HOLD), State.OPEN_SENT)
_TO_CONNECT = Step((_A.START_CONNECT_RETRY, _A.DIAL), State.CONNECT)
# Whoever loses a collision does not dial again as long as the winner lives.
_COLLIDED = Step((_A.DROP, _A.COUNT_FAILURE), State.IDLE)


def _after(*actions: Action) -> Step:
    return Step((*actions, *_GIVE_UP), State.IDLE)


def _every(rest: Step, rows: Mapping[Input, Step]) -> dict[Input, Step]:
    return {given: rows.get(given, rest) for given in Input}


_IDLE = _every(
    Step((), State.IDLE),
    {
        Input.MANUAL_START: Step((_A.CLEAR_RETRIES, *_TO_CONNECT.actions), State.CONNECT),
        Input.MANUAL_START_PASSIVE: Step((_A.CLEAR_RETRIES,), State.ACTIVE),
        Input.IDLE_HOLD_TIMER: _TO_CONNECT,
        Input.MANUAL_STOP: _STOPPED,
        Input.LEAVE: _STOPPED,
        Input.COLLISION: Step((_A.DROP,), State.IDLE),
    },
)

_CONNECT = _every(
    _FAILED,
    {
        Input.MANUAL_START: Step((), State.CONNECT),
        Input.MANUAL_START_PASSIVE: Step((), State.CONNECT),
        Input.MANUAL_STOP: _STOPPED,
        Input.LEAVE: _STOPPED,
        Input.CONNECT_RETRY_TIMER: Step((_A.DROP, *_TO_CONNECT.actions), State.CONNECT),
        Input.TCP_ACKED: _TO_OPEN_SENT,
        Input.TCP_CONFIRMED: _TO_OPEN_SENT,
        Input.COLLISION: _COLLIDED,
    },
)

_ACTIVE = _every(
    _FAILED,
    {
        Input.MANUAL_START: Step((), State.ACTIVE),
        Input.MANUAL_START_PASSIVE: Step((), State.ACTIVE),
        Input.MANUAL_STOP: _STOPPED,
        Input.LEAVE: _STOPPED,
        Input.CONNECT_RETRY_TIMER: _TO_CONNECT,
        Input.TCP_ACKED: _TO_OPEN_SENT,
        Input.TCP_CONFIRMED: _TO_OPEN_SENT,
        Input.COLLISION: _COLLIDED,
    },
)


def _talking(state: State, rows: Mapping[Input, Step]) -> dict[Input, Step]:
    """What is the same in every state in which OPEN was sent."""
    same = Step((), state)
    common = {
        Input.MANUAL_START: same,
        Input.MANUAL_START_PASSIVE: same,
        # A second connection has a machine of its own.
        Input.TCP_ACKED: same,
        Input.TCP_CONFIRMED: same,
        Input.MANUAL_STOP: Step((_A.SEND_CEASE, *_STOPPED.actions), State.IDLE),
        Input.LEAVE: _STOPPED,
        Input.AUTOMATIC_STOP: _after(_A.SEND_CEASE),
        Input.HOLD_TIMER: _after(_A.SEND_HOLD_EXPIRED),
        Input.TCP_FAILS: _FAILED,
        Input.HEADER_ERROR: _after(_A.SEND_ERROR),
        Input.OPEN_ERROR: _after(_A.SEND_ERROR),
        Input.COLLISION: Step((_A.SEND_COLLISION, *_COLLIDED.actions), State.IDLE),
        Input.VERSION_ERROR_RECEIVED: _FAILED,
        # RFC 4271 section 6.4: nothing answers a NOTIFICATION.
        Input.NOTIFICATION: _FAILED,
    }
    return _every(_after(_A.SEND_FSM_ERROR), common | dict(rows))


_OPEN_SENT = _talking(
    State.OPEN_SENT,
    {
        Input.TCP_FAILS: Step((_A.DROP, _A.COUNT_FAILURE, _A.START_CONNECT_RETRY), State.ACTIVE),
        Input.OPEN: Step((_A.SEND_KEEPALIVE, _A.START_HOLD, _A.START_KEEPALIVE), State.OPEN_CONFIRM),
    },
)

_OPEN_CONFIRM = _talking(
    State.OPEN_CONFIRM,
    {
        Input.KEEPALIVE_TIMER: Step((_A.SEND_KEEPALIVE, _A.START_KEEPALIVE), State.OPEN_CONFIRM),
        Input.KEEPALIVE: Step((_A.START_HOLD, _A.START_SEND_HOLD, _A.BEGIN_ROUTES), State.ESTABLISHED),
    },
)


def _ending_routes(row: Step) -> Step:
    if row.state is not State.IDLE:
        return row
    sent = tuple(action for action in row.actions if action not in {*_GIVE_UP, *_STOPPED.actions})
    return Step((*sent, _A.END_ROUTES, *row.actions[len(sent) :]), State.IDLE)


_ESTABLISHED = {
    given: _ending_routes(step)
    for given, step in _talking(
        State.ESTABLISHED,
        {
            Input.KEEPALIVE_TIMER: Step((_A.SEND_KEEPALIVE, _A.START_KEEPALIVE), State.ESTABLISHED),
            Input.KEEPALIVE: Step((_A.START_HOLD,), State.ESTABLISHED),
            Input.UPDATE: Step((_A.START_HOLD, _A.TAKE_UPDATE), State.ESTABLISHED),
            Input.UPDATE_ERROR: _after(_A.SEND_ERROR),
            Input.ROUTE_REFRESH: Step((_A.START_HOLD, _A.TELL_AGAIN), State.ESTABLISHED),
            Input.ROUTE_REFRESH_ERROR: _after(_A.SEND_ERROR),
            Input.SEND_HOLD_TIMER: _after(_A.SEND_SEND_HOLD_EXPIRED),
        },
    ).items()
}

TRANSITIONS: Mapping[tuple[State, Input], Step] = MappingProxyType(
    {
        (state, given): step
        for state, rows in (
            (State.IDLE, _IDLE),
            (State.CONNECT, _CONNECT),
            (State.ACTIVE, _ACTIVE),
            (State.OPEN_SENT, _OPEN_SENT),
            (State.OPEN_CONFIRM, _OPEN_CONFIRM),
            (State.ESTABLISHED, _ESTABLISHED),
        )
        for given, step in rows.items()
    }
)
