"""Reports as workflow commands, which GitHub shows as annotations beside the lines of a pull request."""

from collections.abc import Iterable
from itertools import groupby
from typing import TextIO

from reconciler.cli.escape import command_message, command_property
from reconciler.cli.explanation import Explanation, brief
from reconciler.cli.places import Places
from reconciler.cli.report import Action, DiffReport, ProblemRow, ServiceRow, ValidateReport
from reconciler.cli.text import count, plan_line
from reconciler.model.origin import Origin

_NAMED = 10
_LEVELS = {
    Action.CLEAR: ("warning", "would lose an address"),
    Action.CHANGE: ("warning", "would change address"),
    Action.REFUSE: ("warning", "would have no address"),
    Action.KEEP: ("warning", "would keep what it has, its request cannot be met"),
    Action.ASSIGN: ("notice", "would be given an address"),
}


def write_validate(report: ValidateReport, out: TextIO, *, places: Places) -> None:
    """One annotation a problem."""
    _write_problems(report.config.problems, out, places)


def write_diff(report: DiffReport, out: TextIO, *, places: Places, base_places: Places) -> None:
    """
    One annotation a problem, then one for each line and what it would do to Services.

    GitHub shows ten errors, ten warnings and ten notices of a step, so what a line does to many Services is one.
    """
    _write_problems(report.config.problems, out, places)
    if report.base is not None:
        _write_problems(report.base.problems, out, base_places)
    if not report.valid:
        return
    if report.guard.held:
        message = f"This plan {report.guard.reason or 'needs approval'}"
        _write("error", message, out, origin=report.guard.settings, title="plan held", places=places)
    _write_services(report.services, out, places)
    _write("notice", plan_line(report.summary), out, origin=None, title="plan", places=places)


def write_explain(found: Explanation, out: TextIO, *, places: Places) -> None:
    """One annotation at the line behind the state of the Service."""
    level = "warning" if found.unwell else "notice"
    _write(level, brief(found, places), out, origin=found.cause, title=found.service, places=places)


def _write_problems(problems: Iterable[ProblemRow], out: TextIO, places: Places) -> None:
    for problem in problems:
        notes = "".join(
            f"\n{places.find(related.path)}:{related.line}:{related.column}: {related.note}"
            for related in problem.related
        )
        origin = Origin(problem.path, problem.line, problem.column)
        _write(problem.severity.value, problem.message + notes, out, origin=origin, title=problem.code, places=places)


def _write_services(rows: Iterable[ServiceRow], out: TextIO, places: Places) -> None:
    order = list(_LEVELS)
    shown = (row for row in rows if row.action in _LEVELS and (row.action is not Action.KEEP or row.reason))
    ordered = sorted(shown, key=lambda row: (order.index(row.action), row.cause or Origin("", 0, 0), row.service))
    for (action, cause), group in groupby(ordered, key=lambda row: (row.action, row.cause)):
        level, fact = _LEVELS[action]
        of_line = list(group)
        lines = [_service(row) for row in of_line[:_NAMED]]
        if len(of_line) > _NAMED:
            lines.append(f"and {len(of_line) - _NAMED} more")
        title = f"{count(len(of_line), 'Service')} {fact}"
        _write(level, "\n".join(lines), out, origin=cause, title=title, places=places)


def _service(row: ServiceRow) -> str:
    before, after = ", ".join(row.before) or "none", ", ".join(row.after) or "none"
    moves = f" {before}" if row.before == row.after else f" {before} -> {after}"
    why = f": {row.message}" if row.message and row.action is not Action.ASSIGN else ""
    return f"{row.service}{moves}{why}{f' ({row.advice})' if row.advice else ''}"


def _write(level: str, message: str, out: TextIO, *, origin: Origin | None, title: str, places: Places) -> None:
    properties = f"title={command_property(title)}"
    if origin is not None:
        file = command_property(places.find(origin.path))
        properties = f"file={file},line={origin.line},col={origin.column},{properties}"
    out.write(f"::{level} {properties}::{command_message(message)}\n")
