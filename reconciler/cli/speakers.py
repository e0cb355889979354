"""What speakers say of themselves, at a glance: a line for each, and what is wrong with it."""

from collections.abc import Iterable, Sequence
from typing import TextIO

from reconciler.cli.escape import visible
from reconciler.cli.text import Paint, count
from reconciler.model.desired import short_revision
from reconciler.telemetry.speaker_condition import (
    SpeakerCondition,
    SpeakerState,
    addresses_counted,
    conditions_of,
    missed_nodes,
    named,
)
from reconciler.telemetry.speaker_status import SpeakerStatus

_MOST_SPEAKERS = 40
_COLOURS = {
    SpeakerState.READY: "green",
    SpeakerState.NOT_READY: "red",
    SpeakerState.LEAVING: "yellow",
    SpeakerState.DRAINED: "yellow",
    SpeakerState.MISSING: "red",
}


def write_speakers(speakers: Iterable[SpeakerStatus], out: TextIO, *, paint: Paint) -> None:
    """A table of them, those with troubles first where there are too many; nothing where there are none."""
    listed = sorted(speakers, key=lambda status: status.node)
    if not listed:
        return
    rows = conditions_of(listed)
    _write_heading(rows, out, paint)
    shown = sorted(sorted(rows, key=lambda row: not row.troubles)[:_MOST_SPEAKERS], key=lambda row: row.status.node)
    width = max(len(visible(row.status.node)) for row in shown)
    for row in shown:
        out.write(f"  {_line(row, width, paint)}\n")
        out.writelines(f"      {paint(visible(trouble), 'yellow')}\n" for trouble in row.troubles)
    if len(rows) > len(shown):
        out.write(f"  and {count(len(rows) - len(shown), 'more speaker')}: --output json lists all of them\n")
    if without := sorted(missed_nodes(listed).keys() - {row.status.node for row in rows}):
        out.write(f"  no speaker on {visible(named(without))}\n")
    out.write("\n")


def _write_heading(rows: Sequence[SpeakerCondition], out: TextIO, paint: Paint) -> None:
    ready = sum(1 for row in rows if row.state == SpeakerState.READY)
    facts = [f"{ready} of {len(rows)} ready"]
    # As long as nodes elect by different files, an address may have two owners, or none.
    if len({row.status.revision for row in rows if row.state != SpeakerState.MISSING}) > 1:
        facts.append("different revisions in use")
    is_well = ready == len(rows) and len(facts) == 1 and not any(row.troubles for row in rows)
    out.write(f"{paint('Speakers', 'bold')}  {paint(', '.join(facts), 'green' if is_well else 'yellow')}\n")


def _line(row: SpeakerCondition, width: int, paint: Paint) -> str:
    status, counts = row.status, row.status.counts
    facts = [
        f"{addresses_counted(counts.addresses_ipv4 + counts.addresses_ipv6)} of {count(counts.services, 'Service')}"
    ]
    if counts.sessions:
        # Who speaks BGP alone answers for no address, and that is no fault.
        facts = [*(facts if counts.services else []), f"{counts.established} of {count(counts.sessions, 'session')}"]
    says = ", ".join(facts)
    revision = visible(short_revision(status.revision)) if status.revision else "no revision"
    state = paint(f"{row.state:9}", _COLOURS[row.state])
    return f"{visible(status.node):{width}}  {state}  {revision:12}  {count(counts.members, 'member'):10}  {says}"
