"""Reports as text for a terminal: one line a fact, the decisive words in colour when asked for."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TextIO

from msgspec.structs import replace

from reconciler.cli.escape import visible
from reconciler.cli.places import Places
from reconciler.cli.report import (
    Action,
    AnnouncementRow,
    ConfigRow,
    DiffReport,
    GuardRow,
    PoolRow,
    ProblemRow,
    ServiceRow,
    Summary,
    ValidateReport,
)
from reconciler.model.origin import Origin, Severity
from reconciler.plan.announcements import Change

_WIDEST_COLUMN = 44
_UNCOUNTABLE = 1 << 24
_COLOURS = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "faint": "2"}
# In the order in which they are shown: what is taken away first.
_SYMBOLS = {
    Action.CLEAR: ("-", "red"),
    Action.CHANGE: ("~", "yellow"),
    Action.ASSIGN: ("+", "green"),
    Action.REFUSE: ("!", "red"),
    Action.KEEP: ("=", "yellow"),
}
_CHANGE_SYMBOLS = {Change.ADD: ("+", "green"), Change.REMOVE: ("-", "red")}


class Paint:
    """Colours words, or leaves them as they are."""

    def __init__(self, *, color: bool) -> None:
        self._color = color

    def __call__(self, text: str, colour: str) -> str:
        """The text in a colour (ECMA-48 SGR)."""
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self._color else text


def write_validate(report: ValidateReport, out: TextIO, *, places: Places, color: bool) -> None:
    """One line a problem, then one that says what was read."""
    paint = Paint(color=color)
    write_problems(report.config.problems, out, places=places, paint=paint)
    out.write(_verdict(report, paint) + "\n")


def _verdict(report: ValidateReport, paint: Paint) -> str:
    read = count(report.documents, "document")
    skipped = f" ({report.foreign} of other kinds skipped)" if report.foreign else ""
    found = ", ".join(
        count(report.config.count(severity), severity.value) for severity in Severity if report.config.count(severity)
    )
    if not report.config.valid:
        return f"{paint('invalid', 'red')}: {read}{skipped}, {found}"
    return (
        f"{paint('valid', 'green')}: {read}{skipped}{', ' if found else ''}{found}, revision {report.config.revision}"
    )


def write_problems(problems: Iterable[ProblemRow], out: TextIO, *, places: Places, paint: Paint) -> None:
    """One line a problem, its other places below it."""
    for problem in problems:
        colour = "red" if problem.severity is Severity.ERROR else "yellow"
        label = paint(f"{problem.severity.value}[{problem.code}]", colour)
        place = f"{visible(places.find(problem.path))}:{problem.line}:{problem.column}"
        out.write(f"{paint(place, 'bold')}: {label}: {visible(problem.message)}\n")
        for related in problem.related:
            where = f"{visible(places.find(related.path))}:{related.line}:{related.column}"
            out.write(f"  {where}: note: {visible(related.note)}\n")


def write_diff(report: DiffReport, out: TextIO, *, places: Places, base_places: Places, color: bool) -> None:
    """What changes: Services, announcements, how full the pools get, one line of counts, and a verdict when held."""
    paint = Paint(color=color)
    write_configs(report.config, report.base, out, places=places, base_places=base_places, paint=paint)
    if not report.valid:
        return
    _write_services(report.services, out, places=places, paint=paint)
    _write_announcements(report.stream(), out, places=places, paint=paint)
    if report.summary.changes:
        _write_pools(report.pools, out, paint=paint)
    _write_guard(report.guard, out, places=places, paint=paint)
    out.write(plan_line(report.summary) + "\n")


def write_configs(
    config: ConfigRow, base: ConfigRow | None, out: TextIO, *, places: Places, base_places: Places, paint: Paint
) -> None:
    """The problems of both configurations."""
    write_problems(config.problems, out, places=places, paint=paint)
    if base is not None:
        write_problems(base.problems, out, places=base_places, paint=paint)


def _write_services(rows: Iterable[ServiceRow], out: TextIO, *, places: Places, paint: Paint) -> None:
    shown = [row for row in rows if row.action in _SYMBOLS and (row.action is not Action.KEEP or row.reason)]
    if not shown:
        return
    order = list(_SYMBOLS)
    shown.sort(key=lambda row: order.index(row.action))
    name_width = min(max(len(row.service) for row in shown), _WIDEST_COLUMN)
    what_width = min(max(len(_what(row)) for row in shown), _WIDEST_COLUMN)
    out.write(paint("Services", "bold") + "\n")
    for row in shown:
        symbol, colour = _SYMBOLS[row.action]
        line = f"  {symbol} {visible(row.service):{name_width}}  {_what(row):{what_width}}  {_tail(row, places)}"
        out.write(paint(line.rstrip(), colour) + "\n")
        out.writelines(f"      {detail}\n" for detail in _details(row))
    out.write("\n")


def _what(row: ServiceRow) -> str:
    before, after = ", ".join(row.before), ", ".join(row.after)
    match row.action:
        case Action.CHANGE if row.before != row.after:
            return f"{before} -> {after}"
        case Action.CLEAR:
            return f"{before} cleared" if before else "cleared"
        case Action.REFUSE:
            return f"{after} is not ours" if after else "no address"
        case Action.KEEP:
            return f"{after} kept"
        case _:
            return after


def _tail(row: ServiceRow, places: Places) -> str:
    pool = f"({visible(row.pool)})" if row.pool else ""
    reason = row.reason or "" if row.action in (Action.REFUSE, Action.CLEAR, Action.KEEP) else ""
    return "  ".join(word for word in (pool, reason, place(row.cause, places)) if word)


def _details(row: ServiceRow) -> Iterator[str]:
    if row.message and row.action is not Action.ASSIGN:
        yield visible(row.message)
    if row.advice:
        yield f"fix: {visible(row.advice)}"


def place(origin: Origin | None, places: Places) -> str:
    """The origin as `path:line:column`, empty when there is none."""
    return f"{visible(places.find(origin.path))}:{origin.line}:{origin.column}" if origin else ""


def _write_announcements(rows: Iterable[AnnouncementRow], out: TextIO, *, places: Places, paint: Paint) -> None:
    changes = (row for row in rows if row.change is not Change.KEEP)
    wrote = False
    for node, of_node in groupby(changes, key=lambda row: row.node):
        if not wrote:
            out.write(paint("Announcements", "bold") + "\n")
            wrote = True
        out.write(f"  {visible(node)}\n")
        for row, peers in by_peers(of_node):
            symbol, colour = _CHANGE_SYMBOLS[row.change]
            line = f"    {symbol} {announcement(row, peers)}  {place(row.cause, places)}"
            out.write(paint(line.rstrip(), colour) + "\n")
    if wrote:
        out.write("\n")


def by_peers(rows: Iterable[AnnouncementRow]) -> Iterator[tuple[AnnouncementRow, tuple[str, ...]]]:
    """The first of each run of rows that differ in their peer only, and all of its peers."""
    first: AnnouncementRow | None = None
    peers: list[str] = []
    for row in rows:
        if first is not None and row.peer is not None and replace(row, peer=first.peer) == first:
            peers.append(row.peer)
            continue
        if first is not None:
            yield first, tuple(peers)
        first, peers = row, [row.peer] if row.peer else []
    if first is not None:
        yield first, tuple(peers)


def announcement(row: AnnouncementRow, peers: Iterable[str]) -> str:
    """What is announced, for whom and how, in columns."""
    if row.prefix is None:
        how = f"on {', '.join(map(visible, row.interfaces))}" if row.interfaces else "on every interface"
        return _columns(row, row.address, how)
    how = f"to {', '.join(map(visible, peers))}"
    if row.local_pref is not None:
        how += f", local preference {row.local_pref}"
    if row.communities:
        how += f", communities {' '.join(row.communities)}"
    return _columns(row, row.prefix, how)


def _columns(row: AnnouncementRow, what: str, how: str) -> str:
    return f"{row.protocol:<3}  {what:18}  {visible(row.service):24}  {how}"


def _write_pools(rows: Iterable[PoolRow], out: TextIO, *, paint: Paint) -> None:
    table = [
        (visible(r.pool), _fill(r.assigned_ipv4, r.available_ipv4), _fill(r.assigned_ipv6, r.available_ipv6))
        for r in rows
    ]
    if not table:
        return
    name_width = max(len("Pools"), *(len(name) for name, _, _ in table))
    fill_width = max(len("IPv4"), *(len(fill) for _, fill, _ in table))
    out.write(paint(f"{'Pools':{name_width + 2}}  {'IPv4':{fill_width}}  IPv6", "bold") + "\n")
    for name, ipv4, ipv6 in table:
        out.write(f"  {name:{name_width}}  {ipv4:{fill_width}}  {ipv6}".rstrip() + "\n")
    out.write("\n")


def _fill(assigned: int, available: int) -> str:
    return f"{assigned} of {size(assigned + available)} in use" if assigned + available else "-"


def size(addresses: int) -> str:
    """A number of addresses; beyond what anybody counts, the power of two below it."""
    if addresses < _UNCOUNTABLE:
        return str(addresses)
    power = addresses.bit_length() - 1
    return f"2^{power}" if addresses == 1 << power else f"over 2^{power}"


def _write_guard(guard: GuardRow, out: TextIO, *, places: Places, paint: Paint) -> None:
    if guard.approved:
        out.write(f"Approved: the configuration carries the digest of this plan, {guard.digest}.\n\n")
    if not guard.held:
        return
    out.write(paint(f"HELD: this plan {visible(held_because(guard))}.", "red") + "\n")
    out.write("  The Services it is about keep what they have until it is approved.\n")
    if guard.digest is None:
        out.write("\n")
        return
    if guard.settings is not None:
        out.write(f"  To let exactly this plan through, set approvedPlan at {place(guard.settings, places)}:\n\n")
    else:
        out.write("  To let exactly this plan through, commit this beside the configuration:\n\n")
    out.writelines(f"    {line}\n" for line in approval(guard.digest))
    out.write("\n")


def held_because(guard: GuardRow) -> str:
    """Why a plan is held, without how to approve it: that is printed as a document."""
    return (guard.reason or "needs approval").partition("; to approve")[0]


def approval(digest: str) -> tuple[str, ...]:
    """The document that approves a plan, line by line."""
    return (
        "apiVersion: lb-reconciler.io/v1alpha1",
        "kind: ReconcilerSettings",
        "metadata:",
        "  name: settings",
        "spec:",
        "  guard:",
        f"    approvedPlan: {digest}",
    )


def plan_line(summary: Summary) -> str:
    """The counts in one line."""
    if not summary.changes:
        refused = f", {summary.refuse} refused" if summary.refuse else ""
        return f"No changes: {count(summary.keep, 'Service')} kept{refused}."
    services = f"{summary.assign} to assign, {summary.change} to change, {summary.clear} to clear"
    return (
        f"Plan: {services}, {summary.refuse} refused; {summary.announce} to announce, {summary.withdraw} to withdraw."
    )


def count(number: int, noun: str) -> str:
    """`1 document`, `2 documents`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
