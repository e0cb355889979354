"""One Service in full: the facts of `explain`, and how a person reads them."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import TextIO

import msgspec

from reconciler.cli.escape import visible
from reconciler.cli.places import Places
from reconciler.cli.report import FORMAT_VERSION, Action, AnnouncementRow, EventRow, ServiceRow
from reconciler.cli.sessions import SessionStanding, standing_line
from reconciler.cli.text import Paint, announcement, by_peers, place
from reconciler.model.origin import Origin
from reconciler.plan.announcements import Change

_NAMED, _LONGEST = 10, 600


class PoolCauseRow(msgspec.Struct, frozen=True, gc=False):
    """Why one pool did not serve the Service."""

    pool: str
    reason: str
    message: str
    cause: Origin | None = None


class DeclineRow(msgspec.Struct, frozen=True, gc=False):
    """Why a node does not announce the Service by one protocol; `reason` is MetalLB's word for it."""

    node: str
    protocol: str
    reason: str
    message: str


class CandidateRow(msgspec.Struct, frozen=True, gc=False):
    """How a node stands in the Layer 2 election: `rank` 1 announces; without a rank it is no candidate."""

    node: str
    rank: int | None
    score: int
    reason: str | None = None
    message: str | None = None


class Explanation(
    ServiceRow,
    frozen=True,
    gc=False,
    kw_only=True,
    rename={"further_pools": "furtherPools", "format_version": "formatVersion"},
):
    """
    The row that `diff` prints of a Service, and what stands behind it.

    `type` is that of the Service; `causes` say pool by pool what stopped its request, the most useful first, and
    `further_pools` counts those that are left out;
    `announcements` and `declined` are sorted by node; `candidates` by rank; `held` is whether the guard holds the
    change back. `sessions` are those behind routes among the announcements, where speakers have published any.
    """

    type: str
    held: bool = False
    causes: tuple[PoolCauseRow, ...] = ()
    further_pools: int = 0
    announcements: tuple[AnnouncementRow, ...] = ()
    declined: tuple[DeclineRow, ...] = ()
    candidates: tuple[CandidateRow, ...] = ()
    events: tuple[EventRow, ...] = ()
    sessions: tuple[SessionStanding, ...] = ()
    format_version: int = FORMAT_VERSION

    @property
    def unwell(self) -> bool:
        """Whether somebody should look: the Service lacks, loses or changes what it asked for."""
        if self.action is Action.KEEP:
            return self.reason is not None
        return self.action in (Action.CHANGE, Action.CLEAR, Action.REFUSE)


def write_text(found: Explanation, out: TextIO, *, places: Places, color: bool) -> None:
    """What the Service has and will have, why, who announces it and who does not, and what to change."""
    paint = Paint(color=color)
    out.write(paint(state(found), "bold") + "\n")
    for label, text in facts(found, places):
        if text:
            out.write(f"  {label:8}  {text}\n")
    for title, lines in _sections(found, places):
        _write_section(title, lines, out, paint)


def brief(found: Explanation, places: Places) -> str:
    """All of it in few lines, for the message of an annotation; long lists are cut and counted."""
    lines = [state(found), *(f"{label}: {text}" for label, text in facts(found, places) if text and label != "line")]
    for title, section in _sections(found, places, most=_NAMED):
        lines += (f"{title.lower()}: {_cut(' '.join(line.split()))}" for line in islice(section, _NAMED))
        more = sum(1 for _ in section)
        lines += [f"{title.lower()}: {more} more"] if more else []
    return "\n".join(lines)


def _names(names: list[str], most: int | None) -> str:
    more = f" and {len(names) - most} more" if most is not None and len(names) > most else ""
    return ", ".join(names[:most]) + more


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."


def _sections(found: Explanation, places: Places, *, most: int | None = None) -> Iterator[tuple[str, Iterator[str]]]:
    yield "Pools that were tried", chain((_pool(cause, places) for cause in tried(found)), further(found))
    yield "Announced by", (_announced(row, peers, places) for row, peers in by_peers(found.announcements))
    yield "By these sessions", (standing_line(session) for session in found.sessions)
    yield "Not announced by", (f"{p:<3}  {_names(nodes, most)}  {r}: {m}" for p, nodes, r, m in silent(found))
    yield "If that node fails", successors(found)
    yield "Events", (f"{e.type} {e.reason}: {visible(e.message)}" for e in found.events)


def state(found: Explanation) -> str:
    """What the Service has and will have, as one sentence without its full stop."""
    name, pool = visible(found.service), f"from pool {visible(found.pool or '')}"
    before, after = ", ".join(found.before), ", ".join(found.after)
    match found.action:
        case Action.KEEP:
            words = f"has {after} {pool}"
        case Action.ASSIGN:
            words = f"is pending and would be given {after} {pool}"
        case Action.CHANGE if found.before == found.after:
            words = f"has {after}, which now comes {pool}"
        case Action.CHANGE:
            words = f"has {before} and would change to {after} {pool}"
        case Action.CLEAR:
            words = f"has {before or 'no address'} and would have none"
        case Action.REFUSE:
            words = "is pending"
        case Action.IGNORE if found.type == "LoadBalancer":
            words = "is another controller's"
        case _:
            words = "is no load balancer"
    return f"{name} {words}"


def facts(found: Explanation, places: Places) -> Iterator[tuple[str, str]]:
    """What stands behind the state: a label and a text each, which is empty where there is nothing to say."""
    if found.action is not Action.ASSIGN:
        yield "because", visible(found.message or "")
        yield "reason", found.reason or ""
    yield "line", place(found.cause, places)
    yield "fix", visible(found.advice or "")
    if found.held:
        yield "held", "the guard holds this change back until its plan is approved; see diff"


def tried(found: Explanation) -> tuple[PoolCauseRow, ...]:
    """Why each pool did not serve the request; a single cause is what the facts say already."""
    return found.causes if len(found.causes) > 1 else ()


def further(found: Explanation) -> tuple[str, ...]:
    """How many pools are not among those that `tried` names."""
    return (f"and {found.further_pools} more",) if found.further_pools else ()


def _pool(cause: PoolCauseRow, places: Places) -> str:
    return f"{visible(cause.pool)}  {cause.reason}: {visible(cause.message)}  {place(cause.cause, places)}".rstrip()


def _announced(row: AnnouncementRow, peers: Iterable[str], places: Places) -> str:
    change = {Change.ADD: "+ ", Change.REMOVE: "- ", Change.KEEP: ""}[row.change]
    return f"{change}{visible(row.node)}  {announcement(row, peers)}  {place(row.cause, places)}".rstrip()


def silent(found: Explanation) -> Iterator[tuple[str, list[str], str, str]]:
    """Protocol, nodes, reason and message, one for each reason; without an address no node has one to decline."""
    nodes: dict[tuple[str, str, str], list[str]] = {}
    for row in found.declined if found.after else ():
        nodes.setdefault((row.protocol, row.reason, visible(row.message)), []).append(visible(row.node))
    for (protocol, reason, message), names in nodes.items():
        yield protocol, names, reason, message


def successors(found: Explanation) -> Iterator[str]:
    """The nodes that would announce instead, in their order, as one line; nothing when there is none."""
    following = [visible(candidate.node) for candidate in found.candidates if (candidate.rank or 0) > 1]
    if following:
        yield ", then ".join(following)


def _write_section(title: str, lines: Iterable[str], out: TextIO, paint: Paint) -> None:
    written = False
    for line in lines:
        if not written:
            out.write(paint(f"\n{title}", "bold") + "\n")
            written = True
        out.write(f"  {line}\n")
