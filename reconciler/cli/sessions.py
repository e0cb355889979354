"""BGP sessions as speakers published them: a line for each, what is wrong with it, and what `explain` tells of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

import msgspec

from reconciler.cli.escape import visible
from reconciler.cli.text import Paint, count
from reconciler.telemetry.sessions import SessionRow
from reconciler.telemetry.speaker_status import SpeakerStatus

_MOST_SESSIONS = 60
_WIDEST = 44
_UP, _DOWN, _UNKNOWN = "established", "down", "unknown"
_NO_CAUSE = "nothing has failed yet: the first attempt is under way, or the peer is to connect"
_COLOURS = {_UP: "green", _DOWN: "red", _UNKNOWN: "yellow"}


@dataclass(frozen=True, slots=True)
class _Line:
    """One session, its node, and how it is; unknown where nothing is heard of the speaker any more."""

    node: str
    session: SessionRow
    state: str


def write_sessions(speakers: Iterable[SpeakerStatus], out: TextIO, *, missed: Collection[str], paint: Paint) -> None:
    """
    A table of all sessions, those with troubles first where there are too many; nothing where there are none.

    `missed` are the nodes whose speakers are not heard of: what these have published last is not believed.
    """
    lines = [
        _Line(status.node, session, _state(session, is_missed=status.node in missed))
        for status in sorted(speakers, key=lambda status: status.node)
        for session in status.sessions
    ]
    if not lines:
        return
    established = sum(line.state == _UP for line in lines)
    is_well = established == len(lines) and all(line.session.trouble is None for line in lines)
    fact = f"{established} of {len(lines)} established"
    out.write(f"{paint('BGP sessions', 'bold')}  {paint(fact, 'green' if is_well else 'yellow')}\n")
    shown = sorted(lines, key=lambda line: line.state == _UP and line.session.trouble is None)[:_MOST_SESSIONS]
    _write_lines(sorted(shown, key=lambda line: (line.node, line.session.peer)), out, paint)
    if len(lines) > len(shown):
        out.write(f"  and {count(len(lines) - len(shown), 'more session')}: --output json lists all of them\n")
    out.write("\n")


def _write_lines(lines: Sequence[_Line], out: TextIO, paint: Paint) -> None:
    cells = [
        (visible(line.node), visible(line.session.peer), _remote(line.session), *_words(line.session, line.state))
        for line in lines
    ]
    widths = [min(max(map(len, column)), _WIDEST) for column in zip(*cells, strict=True)]
    for line, row in zip(lines, cells, strict=True):
        padded = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)]
        padded[3] = paint(padded[3], _COLOURS[line.state])
        out.write(f"  {'  '.join(padded)}".rstrip() + "\n")
        if cause := _cause(line.session.trouble, line.state):
            out.write(f"      {paint(visible(cause), 'yellow')}\n")


def _cause(trouble: str | None, state: str) -> str | None:
    """What is to be said of it; nobody is left alone with a session that is down."""
    if state == _UNKNOWN:
        return None
    return trouble or (_NO_CAUSE if state == _DOWN else None)


def _state(session: SessionRow, *, is_missed: bool) -> str:
    if is_missed:
        return _UNKNOWN
    return _UP if session.is_established else _DOWN


def _remote(session: SessionRow) -> str:
    return visible(session.remote) + (f" in {visible(session.vrf)}" if session.vrf else "")


def _words(session: SessionRow, state: str) -> tuple[str, str, str]:
    """How it is and since when, how many of its routes it has been told, and BFD."""
    if state == _UNKNOWN:
        return "unknown: the speaker is missing", "", ""
    since = session.since if state == _UP else session.down_since
    told = f"{session.told} of {session.wanted} {'prefix' if session.wanted == 1 else 'prefixes'}"
    bfd = f"BFD {visible(session.bfd)}" if session.bfd else ""
    return f"{state}{_since(since)}", told, bfd


def _since(moment: datetime | None) -> str:
    return f" since {moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if moment else ""


class SessionStanding(
    msgspec.Struct,
    frozen=True,
    gc=False,
    kw_only=True,
    rename={"down_since": "downSince", "bfd_problem": "bfdProblem"},
):
    """
    The session by which one node tells one peer of a Service, as the node's speaker published it last.

    `state` is established, down, or unknown, and then everything else is None. `trouble` is what is wrong with it.
    """

    node: str
    peer: str
    state: str = _UNKNOWN
    remote: str | None = None
    vrf: str | None = None
    since: datetime | None = None
    down_since: datetime | None = None
    wanted: int | None = None
    told: int | None = None
    bfd: str | None = None
    bfd_problem: str | None = None
    trouble: str | None = None


def standings(
    asked: Iterable[tuple[str, str]], speakers: Iterable[SpeakerStatus], *, missed: Collection[str]
) -> tuple[SessionStanding, ...]:
    """How the sessions of these nodes with these peers are, sorted; `missed` as in `write_sessions`."""
    known: Mapping[tuple[str, str], SessionRow] = {
        (status.node, session.peer): session
        for status in speakers
        if status.node not in missed
        for session in status.sessions
    }
    return tuple(_standing(node, peer, known.get((node, peer))) for node, peer in sorted(set(asked)))


def _standing(node: str, peer: str, session: SessionRow | None) -> SessionStanding:
    if session is None:
        return SessionStanding(node=node, peer=peer)
    return SessionStanding(
        node=node,
        peer=peer,
        state=_UP if session.is_established else _DOWN,
        remote=session.remote,
        vrf=session.vrf,
        since=session.since if session.is_established else None,
        down_since=session.down_since,
        wanted=session.wanted,
        told=session.told,
        bfd=session.bfd,
        bfd_problem=session.bfd_problem,
        trouble=session.trouble,
    )


def standing_line(found: SessionStanding) -> str:
    """One of them as a line for people."""
    return f"{visible(found.node)}  {visible(found.peer)}  {visible(standing_text(found))}"


def standing_text(found: SessionStanding) -> str:
    """How it is, in words; not escaped."""
    if found.state == _UNKNOWN:
        return "unknown: the speaker of that node has published nothing of it"
    facts = [f"{found.state}{_since(found.since or found.down_since)}"]
    facts += [f"{found.told} of {found.wanted} prefixes"] if found.state == _UP else []
    facts += [f"BFD {found.bfd}"] if found.bfd else []
    cause = _cause(found.trouble, found.state)
    facts += [cause] if cause else []
    vrf = f" in {found.vrf}" if found.vrf else ""
    return f"{found.remote}{vrf}  {', '.join(facts)}"
