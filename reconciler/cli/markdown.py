"""Reports as Markdown for a pull request: the verdict on top, then one table of what changes and from which line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TextIO

from reconciler.cli.escape import markdown_code, markdown_text
from reconciler.cli.explanation import Explanation, facts, further, silent, state, successors, tried
from reconciler.cli.places import Places
from reconciler.cli.report import (
    Action,
    AnnouncementRow,
    ConfigRow,
    DiffReport,
    GuardRow,
    ProblemRow,
    ServiceRow,
    ValidateReport,
)
from reconciler.cli.sessions import SessionStanding, standing_text
from reconciler.cli.text import approval, by_peers, count, held_because, plan_line, size
from reconciler.model.origin import Origin, Severity
from reconciler.plan.announcements import Change

# GitHub refuses a comment over 65 536 characters; a marker or a heading of the caller's own must fit as well.
LARGEST = 60_000
_SERVICES_SHARE, _PROBLEMS_SHARE, _ANNOUNCEMENTS_SHARE, _POOLS_SHARE = 28_000, 8_000, 9_000, 4_000
_EVENTS_SHARE = 4_000
_FINE = ":white_check_mark:"
_LONGEST_CELL, _NAMED = 600, 20
_VERBS = {
    Action.ASSIGN: "assign",
    Action.CHANGE: "**change**",
    Action.CLEAR: "**clear**",
    Action.REFUSE: "refuse",
    Action.KEEP: "keep",
}


@dataclass(slots=True)
class Table:
    """Rows up to a number of characters; what does not fit is counted."""

    header: Sequence[str]
    share: int
    rows: list[str] = field(default_factory=list)
    left_out: int = 0
    _used: int = 0

    def add(self, cells: Iterable[str]) -> None:
        """Take a row, or count it."""
        line = f"| {' | '.join(cells)} |"
        if self.left_out or self._used + len(line) > self.share:
            self.left_out += 1
            return
        self._used += len(line) + 1
        self.rows.append(line)

    def lines(self) -> list[str]:
        """The table, a note about what was left out, and an empty line; nothing when there are no rows at all."""
        if not self.rows and not self.left_out:
            return []
        head = [f"| {' | '.join(self.header)} |", f"|{' --- |' * len(self.header)}"]
        note = [f"_{count(self.left_out, 'more row')} left out to keep this short; `--output json` has them all._", ""]
        return [*head, *self.rows, "", *(note if self.left_out else [])]


def write_validate(report: ValidateReport, out: TextIO, *, places: Places) -> None:
    """A heading with the verdict, and the problems in a table."""
    config = report.config
    if not config.problems:
        out.write(f"### :white_check_mark: Configuration is valid\n\n{count(report.documents, 'document')}, ")
        out.write(f"revision {markdown_code(config.revision)}\n")
        return
    icon = ":x:" if report.exit_status() else ":warning:"
    out.write(f"### {icon} {_found(config)} in the configuration\n\n")
    out.write("\n".join(_problem_table(config.problems, places, _SERVICES_SHARE).lines()))


def _found(config: ConfigRow) -> str:
    numbers = ((config.count(severity), severity.value) for severity in Severity)
    return ", ".join(count(number, noun) for number, noun in numbers if number)


def _problem_table(problems: Iterable[ProblemRow], places: Places, share: int) -> Table:
    table = Table(("Line", "Severity", "Problem"), share)
    for problem in problems:
        notes = "".join(
            f"<br>{_place(places, related.path, related.line, related.column)}: {_words(related.note)}"
            for related in problem.related
        )
        where = _place(places, problem.path, problem.line, problem.column)
        table.add((where, problem.severity.value, f"{_words(problem.message)} {markdown_code(problem.code)}{notes}"))
    return table


def write_diff(report: DiffReport, out: TextIO, *, places: Places, base_places: Places) -> None:
    """The verdict, the Services that change and those that are refused, and the announcements, folded."""
    lines: list[str] = []
    for config, where in ((report.config, places), (report.base, base_places)):
        if config is not None and config.problems:
            title = "Problems" if config is report.config else "Problems of the base"
            lines += [f"#### {title}", "", *_problem_table(config.problems, where, _PROBLEMS_SHARE).lines()]
    if not report.valid:
        out.write("\n".join(["### :x: The configuration is not valid", "", *lines]))
        return
    announcements = _announcement_table(report.stream())
    lines += _service_table(report.services, places).lines()
    lines += _folded("Announcements that start or stop", announcements)
    lines += _folded("How full the pools are afterwards", _pool_table(report))
    out.write("\n".join([_headline(report), "", plan_line(report.summary), "", *_held(report.guard, places), *lines]))


def write_explain(found: Explanation, out: TextIO, *, places: Places) -> None:
    """The state of the Service, what stands behind it, and which nodes announce it or why they do not."""
    icon = ":warning:" if found.unwell else ":information_source:" if found.action is Action.IGNORE else _FINE
    lines = [f"### {icon} {_words(state(found))}", ""]
    listed = [f"- **{label}**: {_words(text)}" for label, text in facts(found, places) if text]
    lines += [*listed, ""] if listed else []
    lines += _tried_table(found, places).lines()
    lines += _announcer_table(found, places).lines()
    lines += [*_session_table(found.sessions).lines(), *_silent_table(found).lines()]
    for following in successors(found):
        lines += [f"If that node fails: {_words(following)}", ""]
    events = Table(("Event", "Reason", "Message"), _EVENTS_SHARE)
    for event in found.events:
        events.add((event.type, markdown_code(event.reason), _words(event.message)))
    out.write("\n".join([*lines, *events.lines()]))


def _tried_table(found: Explanation, places: Places) -> Table:
    table = Table(("Pool that was tried", "Why not", "Line"), _POOLS_SHARE)
    for cause in tried(found):
        why = f"{_words(cause.message)} {markdown_code(cause.reason)}"
        table.add((markdown_code(cause.pool), why, _origin(cause.cause, places)))
    for line in further(found):
        table.add((line, "", ""))
    return table


def _announcer_table(found: Explanation, places: Places) -> Table:
    table = Table(("Announced by", "", "What", "How", "Line"), _SERVICES_SHARE)
    for row, peers in by_peers(found.announcements):
        what = f"{row.protocol} {markdown_code(row.prefix or row.address)}"
        table.add((markdown_code(row.node), row.change.value, what, _how(row, peers), _origin(row.cause, places)))
    return table


def _session_table(sessions: Iterable[SessionStanding]) -> Table:
    table = Table(("Node", "Peer", "Session"), _ANNOUNCEMENTS_SHARE)
    for found in sessions:
        table.add((markdown_code(found.node), markdown_code(found.peer), _words(standing_text(found))))
    return table


def _silent_table(found: Explanation) -> Table:
    table = Table(("Not announced by", "Protocol", "Why not"), _ANNOUNCEMENTS_SHARE)
    for protocol, nodes, reason, message in silent(found):
        table.add((_nodes(nodes), protocol, f"{_words(message)} {markdown_code(reason)}"))
    return table


def _nodes(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(markdown_code, names[:_NAMED])) + more


def _how(row: AnnouncementRow, peers: Sequence[str]) -> str:
    if row.prefix is None:
        return f"on {', '.join(map(markdown_code, row.interfaces)) or 'every interface'}"
    preference = f", local preference {row.local_pref}" if row.local_pref is not None else ""
    communities = f", communities {' '.join(map(markdown_code, row.communities))}" if row.communities else ""
    return f"to {', '.join(map(markdown_code, peers))}{preference}{communities}"


def _headline(report: DiffReport) -> str:
    if report.guard.held:
        return "### :no_entry: This plan is held"
    if report.summary.changes:
        return "### What this configuration would change"
    return "### :white_check_mark: This configuration would change nothing"


def _held(guard: GuardRow, places: Places) -> list[str]:
    if guard.approved:
        return [f"Approved: the configuration carries its digest, {markdown_code(guard.digest or '')}.", ""]
    if not guard.held:
        return []
    lines = [f"It {_words(held_because(guard))}.", ""]
    if guard.digest is None:
        return lines
    where = f" in {_origin(guard.settings, places)}" if guard.settings else ""
    return [
        *lines,
        f"To let exactly this plan through, commit{where}:",
        "",
        "```yaml",
        *approval(guard.digest),
        "```",
        "",
    ]


def _service_table(rows: Iterable[ServiceRow], places: Places) -> Table:
    table = Table(("Service", "", "Before", "After", "Pool", "Why", "Line"), _SERVICES_SHARE)
    shown = (row for row in rows if row.action in _VERBS and (row.action is not Action.KEEP or row.reason))
    # What takes an address away comes first: it must not be what a long table leaves out.
    for row in sorted(shown, key=lambda row: (row.action not in (Action.CLEAR, Action.CHANGE), row.service)):
        table.add(
            (
                markdown_code(row.service),
                _VERBS[row.action],
                _addresses(row.before),
                _addresses(row.after),
                markdown_code(row.pool) if row.pool else "",
                _why(row),
                _origin(row.cause, places),
            )
        )
    return table


def _why(row: ServiceRow) -> str:
    if row.action is Action.ASSIGN:
        return ""
    reason = markdown_code(row.reason) if row.reason else ""
    advice = f"<br>Fix: {_words(row.advice)}" if row.advice else ""
    return f"{_words(row.message or '')} {reason}{advice}".strip()


def _announcement_table(rows: Iterable[AnnouncementRow]) -> Table:
    table = Table(("Node", "", "Service", "Announces", "How"), _ANNOUNCEMENTS_SHARE)
    for row, peers in by_peers(row for row in rows if row.change is not Change.KEEP):
        how = f"{'to ' if peers else ''}{', '.join(map(markdown_code, peers or row.interfaces))}"
        what = markdown_code(row.prefix or row.address)
        table.add(
            (
                markdown_code(row.node),
                row.change.value,
                markdown_code(row.service),
                what,
                f"{row.protocol} {how}".rstrip(),
            )
        )
    return table


def _pool_table(report: DiffReport) -> Table:
    table = Table(("Pool", "IPv4 in use", "IPv4 free", "IPv6 in use", "IPv6 free"), _POOLS_SHARE)
    for row in report.pools:
        numbers = (row.assigned_ipv4, row.available_ipv4, row.assigned_ipv6, row.available_ipv6)
        table.add((markdown_code(row.pool), *map(size, numbers)))
    return table


def _folded(title: str, table: Table) -> list[str]:
    lines = table.lines()
    return ["<details>", f"<summary>{title}</summary>", "", *lines, "</details>", ""] if lines else []


def _addresses(addresses: Iterable[str]) -> str:
    return ", ".join(map(markdown_code, addresses))


def _words(text: str) -> str:
    cut = text if len(text) <= _LONGEST_CELL else text[:_LONGEST_CELL] + " ..."
    return markdown_text(cut)


def _place(places: Places, path: str, line: int, column: int) -> str:
    return markdown_code(f"{places.find(path)}:{line}:{column}")


def _origin(origin: Origin | None, places: Places) -> str:
    return _place(places, origin.path, origin.line, origin.column) if origin else ""
