"""The state machine of a session (RFC 5880 section 6.8.6) as a table: state and input → state and diagnostic."""

from enum import StrEnum
from typing import NamedTuple

from reconciler.bfd.packets import Diagnostic, State


class Input(StrEnum):
    """What moves a session: the state in a packet that was accepted, time, or the administrator."""

    ADMIN_DOWN_RECEIVED = "admin-down-received"
    DOWN_RECEIVED = "down-received"
    INIT_RECEIVED = "init-received"
    UP_RECEIVED = "up-received"
    DETECTION_TIME_EXPIRED = "detection-time-expired"
    DISABLED = "disabled"
    ENABLED = "enabled"


RECEIVED = {
    State.ADMIN_DOWN: Input.ADMIN_DOWN_RECEIVED,
    State.DOWN: Input.DOWN_RECEIVED,
    State.INIT: Input.INIT_RECEIVED,
    State.UP: Input.UP_RECEIVED,
}


class Step(NamedTuple):
    """The state after an input, and why, where that is a reason to tell; None leaves the diagnostic as it is."""

    state: State
    diagnostic: Diagnostic | None = None


_EXPIRED = Step(State.DOWN, Diagnostic.DETECTION_TIME_EXPIRED)
_SIGNALED = Step(State.DOWN, Diagnostic.NEIGHBOR_SIGNALED_DOWN)
_DISABLED = Step(State.ADMIN_DOWN, Diagnostic.ADMINISTRATIVELY_DOWN)
_UP = Step(State.UP, Diagnostic.NONE)

# What is not listed changes nothing.
TRANSITIONS: dict[tuple[State, Input], Step] = {
    (State.DOWN, Input.DOWN_RECEIVED): Step(State.INIT),
    (State.DOWN, Input.INIT_RECEIVED): _UP,
    (State.DOWN, Input.DISABLED): _DISABLED,
    (State.INIT, Input.ADMIN_DOWN_RECEIVED): _SIGNALED,
    (State.INIT, Input.INIT_RECEIVED): _UP,
    (State.INIT, Input.UP_RECEIVED): _UP,
    (State.INIT, Input.DETECTION_TIME_EXPIRED): _EXPIRED,
    (State.INIT, Input.DISABLED): _DISABLED,
    (State.UP, Input.ADMIN_DOWN_RECEIVED): _SIGNALED,
    (State.UP, Input.DOWN_RECEIVED): _SIGNALED,
    (State.UP, Input.DETECTION_TIME_EXPIRED): _EXPIRED,
    (State.UP, Input.DISABLED): _DISABLED,
    (State.ADMIN_DOWN, Input.ENABLED): Step(State.DOWN),
}
