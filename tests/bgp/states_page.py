"""
Draws `docs/bgp-states.md` from the table that the sessions run on.

`python -m tests.bgp.states_page` writes it anew.
"""

from pathlib import Path

from reconciler.bgp.events import State
from reconciler.bgp.fsm import EVENT_NUMBERS, TRANSITIONS, Input, Step

PAGE = Path(__file__).parents[2] / "docs/bgp-states.md"

_INTRODUCTION = """\
# The states of a BGP session

Every TCP connection with a peer has a state machine of its own (RFC 4271 section 8.2): the one that dials, and one for
a connection that the peer opened. Which of two connections stays is decided between them (section 6.8), and the loser
is handed `OpenCollisionDump`. `reconciler status` shows the state of the machine that has come farthest.

This page is drawn from `TRANSITIONS` in `reconciler/bgp/fsm.py`, the table that the machines run on; a test compares
the two, and `python -m tests.bgp.states_page` draws it anew.

Numbers before the inputs are those of the RFC. DelayOpen (12, 20) is left out: it has a speaker wait for the OPEN of
the other side, for the sake of peers that share an address, and ours speak first. Where the table says other things
than the RFC:

- Every return to Idle that was not asked for counts as a failure (the ConnectRetryCounter), also the few that the RFC
  does not count: the IdleHoldTimer runs 0, 1, 2, 4, ... seconds by that count, so that no peer can make us dial in a
  circle. Only a session that has lasted its hold time (at least 10 s) sets it back. A connection that the peer opened
  counts only if it became a session: see [the decision](decisions/bgp-back-off.md).
- From OpenSent, a lost connection leads to Active as in the RFC; the ConnectRetryTimer then runs as long as the
  IdleHoldTimer would. In Connect it ends a dial that nobody answers.
- A passive peer (`ManualStart_with_PassiveTcpEstablishment`) never dials: its ConnectRetryTimer does not run.
- No NOTIFICATION answers a NOTIFICATION (section 6.4), in no state.
- `SendHoldTimer_Expires` is that of RFC 9687. `RouteRefreshMsg` (RFC 2918), `RouteRefreshMsgErr` (RFC 7313) and `Leave`
  have no numbers; `Leave` closes without a word, so that a peer keeps our routes through a restart (RFC 4724).
"""


def page() -> str:
    """The whole page."""
    tables = "\n".join(_section(state) for state in State)
    return f"{_INTRODUCTION}\n{_diagram()}\n{tables}"


def _diagram() -> str:
    arrows = {
        (before, step.state): [
            given for (state, given), other in TRANSITIONS.items() if (state, other.state) == (before, step.state)
        ]
        for (before, _), step in TRANSITIONS.items()
        if step.state not in {before, State.IDLE}
    }
    lines = [f"    {_node(before)} --> {_node(after)}: {', '.join(given)}" for (before, after), given in arrows.items()]
    backs = [f"    {_node(state)} --> Idle: stopped, or any failure" for state in State if state is not State.IDLE]
    return "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> Idle", *lines, *backs, "```", ""])


def _section(state: State) -> str:
    inputs_by_step: dict[Step, list[Input]] = {}
    for given in Input:
        inputs_by_step.setdefault(TRANSITIONS[state, given], []).append(given)
    rows = [
        f"| {'<br>'.join(map(_input, given))} | {_actions(step)} | {_node(step.state)} |"
        for step, given in inputs_by_step.items()
    ]
    return "\n".join([f"## {_node(state)}", "", "| Input | Actions | Next |", "| --- | --- | --- |", *rows, ""])


def _input(given: Input) -> str:
    number = EVENT_NUMBERS.get(given)
    return f"`{given}`" if number is None else f"{number} `{given}`"


def _actions(step: Step) -> str:
    return "; ".join(step.actions) or "none"


def _node(state: State) -> str:
    return "".join(word.capitalize() for word in state.split("-"))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
