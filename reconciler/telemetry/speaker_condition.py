"""How the speakers of a cluster are, from what they have published: a word for each, and what is wrong. No I/O."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from enum import StrEnum
from itertools import chain
from typing import NamedTuple

import msgspec

from reconciler.model.desired import short_revision
from reconciler.telemetry.speaker_status import MemberState, SpeakerStatus
from reconciler.telemetry.status import REFUSED

_MOST_NAMED = 5


class SpeakerState(StrEnum):
    """One word for a speaker."""

    READY = "ready"
    NOT_READY = "not ready"
    LEAVING = "leaving"
    DRAINED = "drained"
    MISSING = "missing"  # others hear nothing of it


class SpeakerCondition(NamedTuple):
    """A speaker, the word for its state, and what is wrong with it, a sentence each."""

    status: SpeakerStatus
    state: SpeakerState
    troubles: tuple[str, ...]


def speakers_among(documents: Iterable[bytes]) -> Iterator[SpeakerStatus]:
    """Those of the published documents that are a speaker's; any other is passed over."""
    for document in documents:
        try:
            status = msgspec.json.decode(document, type=SpeakerStatus)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        if status.role == "speaker":
            yield status


def conditions_of(speakers: Iterable[SpeakerStatus]) -> tuple[SpeakerCondition, ...]:
    """How each of them is, by node."""
    listed = sorted(speakers, key=lambda status: status.node)
    missed = missed_nodes(listed)
    return tuple(_condition(status, missed.get(status.node, ())) for status in listed)


def missed_nodes(speakers: Iterable[SpeakerStatus]) -> Mapping[str, list[str]]:
    """By node, by name, who says that it hears nothing of its speaker: what a dead one has published stays."""
    missed: dict[str, list[str]] = {}
    for status in speakers:
        for row in status.members:
            if row.state in {MemberState.ABSENT, MemberState.SILENT} and row.node != status.node:
                missed.setdefault(row.node, []).append(status.node)
    return missed


def addresses_counted(number: int) -> str:
    """So many addresses, in words."""
    return "1 address" if number == 1 else f"{number} addresses"


def named(nodes: Sequence[str]) -> str:
    """The first few of them, and how many more there are."""
    more = len(nodes) - _MOST_NAMED
    return ", ".join(nodes[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _condition(status: SpeakerStatus, missed_by: Sequence[str]) -> SpeakerCondition:
    troubles = (_of_the_group(status, missed_by), _of_revisions(status), _of_the_network(status), _of_the_node(status))
    state = SpeakerState.MISSING if missed_by else _state(status)
    return SpeakerCondition(status, state, tuple(chain.from_iterable(troubles)))


def _state(status: SpeakerStatus) -> SpeakerState:
    if status.leaving:
        return SpeakerState.LEAVING
    if status.drained:
        return SpeakerState.DRAINED
    return SpeakerState.READY if status.not_ready is None else SpeakerState.NOT_READY


def _of_the_group(status: SpeakerStatus, missed_by: Sequence[str]) -> Iterator[str]:
    if missed_by:
        yield f"not heard of by {named(missed_by)}"
    if status.not_ready:
        yield status.not_ready
    if status.handovers:
        yield f"{addresses_counted(len(status.handovers))} on the way to another node"


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
    if status.listening_problem:
        yield f"BGP peers cannot connect: {status.listening_problem}"
    for met in status.conflicts[:_MOST_NAMED]:
        yield f"conflict about {met.address}: {met.message or f'{met.mac} has it as well'}"
    more = len(status.conflicts) - _MOST_NAMED
    if more > 0:
        yield f"and {more} more conflict{'s' if more > 1 else ''}"


def _of_the_node(status: SpeakerStatus) -> Iterator[str]:
    if status.cluster.away_since:
        yield f"cluster away since {status.cluster.away_since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    yield from filter(None, (status.last_pass.error, status.state_dir_problem, status.cut))
