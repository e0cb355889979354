"""Reports as JUnit XML, in the form that Jenkins and GitLab read."""

from collections.abc import Iterable, Iterator
from io import StringIO
from typing import TextIO

from reconciler.cli.escape import xml
from reconciler.cli.explanation import Explanation, brief, state, write_text
from reconciler.cli.places import Places
from reconciler.cli.report import Action, ConfigRow, DiffReport, ProblemRow, ServiceRow, ValidateReport
from reconciler.cli.text import plan_line
from reconciler.model.origin import Severity

_FAILING = (Action.CLEAR, Action.REFUSE)


def write_validate(report: ValidateReport, out: TextIO, *, places: Places) -> None:
    """One test case a problem, which fails when it fails the command; one that passes when there is none."""
    problems = report.config.problems
    failing = sum(report.fails(problem) for problem in problems)
    _open(out, "validate", tests=max(1, len(problems)), failures=failing)
    if not problems:
        _write_passed("configuration", report.config.revision, out)
    for problem in problems:
        _write_problem(problem, out, places, fails=report.fails(problem))
    _close(out)


def write_diff(report: DiffReport, out: TextIO, *, places: Places, base_places: Places) -> None:
    """One test case a Service, which fails when it loses or lacks an address, and one for the guard."""
    if not report.valid:
        _write_invalid(report, out, places, base_places)
        return
    warnings = list(_problems(report, places, base_places))
    failing = sum(row.action in _FAILING for row in report.services) + report.guard.held
    skipped = sum(row.action is Action.IGNORE for row in report.services)
    _open(out, "diff", tests=len(warnings) + len(report.services) + 1, failures=failing, skipped=skipped)
    for problem, where in warnings:
        _write_problem(problem, out, where, fails=False)
    for row in report.services:
        _write_service(row, out, places)
    if report.guard.held:
        _write_failed("guard", "plan", "held", f"This plan {report.guard.reason or 'needs approval'}", out)
    else:
        _write_passed("guard", plan_line(report.summary), out)
    _close(out)


def write_explain(found: Explanation, out: TextIO, *, places: Places) -> None:
    """One test case, which fails when the Service loses or lacks an address; its output is the text of `explain`."""
    fails, skips = found.action in _FAILING, found.action is Action.IGNORE
    _open(out, "explain", tests=1, failures=fails, skipped=skips)
    out.write(f'  <testcase name="{xml(found.service)}" classname="services">')
    text = StringIO()
    write_text(found, text, places=places, color=False)
    if fails:
        message = f"{state(found)}: {found.message}" if found.message else state(found)
        out.write(f'<failure type="{xml(found.reason or found.action)}" message="{xml(message)}">')
        out.write(f"{xml(brief(found, places))}</failure>")
    elif skips:
        out.write(f'<skipped message="{xml(state(found))}"/>')
    out.write(f"<system-out>{xml(text.getvalue())}</system-out></testcase>\n")
    _close(out)


def _write_invalid(report: DiffReport, out: TextIO, places: Places, base_places: Places) -> None:
    problems = list(_problems(report, places, base_places))
    errors = sum(problem.severity is Severity.ERROR for problem, _ in problems)
    _open(out, "diff", tests=len(problems), failures=errors)
    for problem, where in problems:
        _write_problem(problem, out, where, fails=problem.severity is Severity.ERROR)
    _close(out)


def _problems(report: DiffReport, places: Places, base_places: Places) -> Iterator[tuple[ProblemRow, Places]]:
    both: Iterable[tuple[ConfigRow | None, Places]] = ((report.config, places), (report.base, base_places))
    for config, where in both:
        for problem in config.problems if config else ():
            yield problem, where


def _open(out: TextIO, name: str, *, tests: int, failures: int, skipped: int = 0) -> None:
    counts = f'tests="{tests:d}" failures="{failures:d}" errors="0"'
    out.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="lb-reconciler" {counts}>\n')
    out.write(f' <testsuite name="{name}" {counts} skipped="{skipped:d}">\n')


def _close(out: TextIO) -> None:
    out.write(" </testsuite>\n</testsuites>\n")


def _write_problem(problem: ProblemRow, out: TextIO, places: Places, *, fails: bool) -> None:
    place = f"{places.find(problem.path)}:{problem.line}:{problem.column}"
    notes = "".join(f"\n{places.find(r.path)}:{r.line}:{r.column}: {r.note}" for r in problem.related)
    text = f"{place}: {problem.severity.value}[{problem.code}]: {problem.message}{notes}"
    if fails:
        _write_failed(place, places.find(problem.path), problem.code, text, out, message=problem.message)
    else:
        _write_passed(place, text, out, classname=places.find(problem.path))


def _write_service(row: ServiceRow, out: TextIO, places: Places) -> None:
    if row.action is Action.IGNORE:
        out.write(f'  <testcase name="{xml(row.service)}" classname="services">')
        out.write(f'<skipped message="{xml(row.reason or "")}"/></testcase>\n')
        return
    before, after = ", ".join(row.before) or "none", ", ".join(row.after) or "none"
    lines = [f"{row.action}: {before} -> {after}"]
    if row.cause:
        lines.append(f"{places.find(row.cause.path)}:{row.cause.line}:{row.cause.column}")
    lines += [part for part in (row.message, row.advice) if part]
    if row.action in _FAILING:
        message = row.message or row.action.value
        _write_failed(row.service, "services", row.reason or row.action.value, "\n".join(lines), out, message=message)
    else:
        _write_passed(row.service, "\n".join(lines), out, classname="services")


def _write_failed(name: str, classname: str, kind: str, text: str, out: TextIO, *, message: str | None = None) -> None:
    out.write(f'  <testcase name="{xml(name)}" classname="{xml(classname)}">')
    out.write(f'<failure type="{xml(kind)}" message="{xml(message or text)}">{xml(text)}</failure></testcase>\n')


def _write_passed(name: str, text: str, out: TextIO, *, classname: str = "plan") -> None:
    out.write(f'  <testcase name="{xml(name)}" classname="{xml(classname)}">')
    out.write(f"<system-out>{xml(text)}</system-out></testcase>\n")
