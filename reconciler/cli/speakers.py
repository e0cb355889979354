"""What speakers say of themselves, at a glance: a line for each, and what is wrong with it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from itertools import chain
from typing import TextIO

from reconciler.cli.escape import visible
from reconciler.cli.text import Paint, count
from reconciler.model.desired import short_revision
from reconciler.telemetry.speaker_status import MemberState, SpeakerStatus
from reconciler.telemetry.status import REFUSED

_MOST_SPEAKERS = 40
_MOST_NAMED = 5
_READY, _NOT_READY, _LEAVING, _DRAINED, _MISSING = "ready", "not ready", "leaving", "drained", "missing"
_COLOURS = {_READY: "green", _NOT_READY: "red", _LEAVING: "yellow", _DRAINED: "yellow", _MISSING: "red"}


@dataclass(frozen=True, slots=True)
class _Row:
    """A speaker, the word for its state, and what is wrong with it."""

    status: SpeakerStatus
    state: str
    troubles: tuple[str, ...]


def write_speakers(speakers: Iterable[SpeakerStatus], out: TextIO, *, paint: Paint) -> None:
    """A table of them, those with troubles first where there are too many; nothing where there are none."""
    listed = sorted(speakers, key=lambda status: status.node)
    if not listed:
        return
    missed = _missed(listed)
    rows = [_row(status, missed.get(status.node, ())) for status in listed]
    _write_heading(rows, out, paint)
    shown = sorted(sorted(rows, key=lambda row: not row.troubles)[:_MOST_SPEAKERS], key=lambda row: row.status.node)
    width = max(len(visible(row.status.node)) for row in shown)
    for row in shown:
        out.write(f"  {_line(row, width, paint)}\n")
        out.writelines(f"      {paint(visible(trouble), 'yellow')}\n" for trouble in row.troubles)
    if len(rows) > len(shown):
        out.write(f"  and {count(len(rows) - len(shown), 'more speaker')}: --output json lists all of them\n")
    if without := sorted(missed.keys() - {row.status.node for row in rows}):
        out.write(f"  no speaker on {visible(_named(without))}\n")
    out.write("\n")


def _row(status: SpeakerStatus, missed_by: Sequence[str]) -> _Row:
    troubles = (_of_the_group(status, missed_by), _of_revisions(status), _of_the_network(status), _of_the_node(status))
    return _Row(status, _MISSING if missed_by else _state(status), tuple(chain.from_iterable(troubles)))


def _write_heading(rows: Sequence[_Row], out: TextIO, paint: Paint) -> None:
    ready = sum(1 for row in rows if row.state == _READY)
    facts = [f"{ready} of {len(rows)} ready"]
    # As long as nodes elect by different files, an address may have two owners, or none.
    if len({row.status.revision for row in rows if row.state != _MISSING}) > 1:
        facts.append("different revisions in use")
    is_well = ready == len(rows) and len(facts) == 1 and not any(row.troubles for row in rows)
    out.write(f"{paint('Speakers', 'bold')}  {paint(', '.join(facts), 'green' if is_well else 'yellow')}\n")


def _line(row: _Row, width: int, paint: Paint) -> str:
    status, counts = row.status, row.status.counts
    says = f"{_addresses(counts.addresses_ipv4 + counts.addresses_ipv6)} of {count(counts.services, 'Service')}"
    revision = visible(short_revision(status.revision)) if status.revision else "no revision"
    state = paint(f"{row.state:9}", _COLOURS[row.state])
    return f"{visible(status.node):{width}}  {state}  {revision:12}  {count(counts.members, 'member'):10}  {says}"


def _missed(speakers: Iterable[SpeakerStatus]) -> Mapping[str, list[str]]:
    """By node, who says that it hears nothing of its speaker: what a dead one has published stays."""
    missed: dict[str, list[str]] = {}
    for status in speakers:
        for row in status.members:
            if row.state in {MemberState.ABSENT, MemberState.SILENT} and row.node != status.node:
                missed.setdefault(row.node, []).append(status.node)
    return missed


def _state(status: SpeakerStatus) -> str:
    if status.leaving:
        return _LEAVING
    if status.drained:
        return _DRAINED
    return _READY if status.not_ready is None else _NOT_READY


def _of_the_group(status: SpeakerStatus, missed_by: Sequence[str]) -> Iterator[str]:
    if missed_by:
        yield f"not heard of by {_named(missed_by)}"
    if status.not_ready:
        yield status.not_ready
    if status.handovers:
        yield f"{_addresses(len(status.handovers))} on the way to another node"


def _of_revisions(status: SpeakerStatus) -> Iterator[str]:
    newest = status.newest
    if newest.verdict == REFUSED or newest.revision is None:
        if newest.message:
            yield f"the newest files are refused: {newest.message}"
    elif newest.revision is not None and newest.revision != status.revision:
        why = newest.message or newest.verdict or "there is no verdict on it"
        yield f"revision {short_revision(newest.revision)} is not in use: {why}"


def _of_the_network(status: SpeakerStatus) -> Iterator[str]:
    for link in status.links:
        if not link.used or not link.carrier:
            yield f"{link.name}: {link.reason or 'no carrier'}"
    for met in status.conflicts[:_MOST_NAMED]:
        yield f"conflict about {met.address}: {met.message or f'{met.mac} has it as well'}"
    more = len(status.conflicts) - _MOST_NAMED
    if more > 0:
        yield f"and {count(more, 'more conflict')}"


def _of_the_node(status: SpeakerStatus) -> Iterator[str]:
    if status.cluster.away_since:
        yield f"cluster away since {status.cluster.away_since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    yield from filter(None, (status.last_pass.error, status.state_dir_problem, status.cut))


def _addresses(number: int) -> str:
    return "1 address" if number == 1 else f"{number} addresses"


def _named(nodes: Sequence[str]) -> str:
    more = len(nodes) - _MOST_NAMED
    return ", ".join(nodes[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
