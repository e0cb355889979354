"""Reports as SARIF 2.1.0 (OASIS Standard), for code scanning."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, TextIO
from urllib.parse import quote

from msgspec import to_builtins

from reconciler import __version__
from reconciler.cli.escape import visible, visible_lines
from reconciler.cli.explanation import Explanation, brief
from reconciler.cli.places import Places
from reconciler.cli.report import Action, DiffReport, Exit, ProblemRow, ServiceRow, ValidateReport
from reconciler.model.origin import Origin, Severity

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {
    Action.CLEAR: "warning",
    Action.CHANGE: "warning",
    Action.REFUSE: "warning",
    Action.KEEP: "warning",
    Action.ASSIGN: "note",
}
_RULES = {
    "service-assign": "A Service would be given an address.",
    "service-change": "A Service would change address.",
    "service-clear": "A Service would lose its address.",
    "service-keep": "A Service keeps its address although its request cannot be met.",
    "service-refuse": "A Service would have no address.",
    "service-state": "What a Service has and will have, and why.",
    "plan-held": "The plan takes more away than may pass without approval.",
}
_Json = dict[str, Any]


def write_validate(report: ValidateReport, out: TextIO, *, places: Places) -> None:
    """One result a problem."""
    results = list(_problem_results(report.config.problems, places))
    _write("validate", results, report.exit_status(), out)


def write_diff(report: DiffReport, out: TextIO, *, places: Places, base_places: Places) -> None:
    """One result a problem, one for each Service that changes or is refused, one when the plan is held."""
    results = list(_problem_results(report.config.problems, places))
    if report.base is not None:
        results += _problem_results(report.base.problems, base_places)
    if report.valid:
        results += (_service_result(row, places) for row in report.services if _is_result(row))
        if report.guard.held:
            reason = f"This plan {report.guard.reason or 'needs approval'}"
            results.append(_result("plan-held", "error", reason, report.guard.settings, places))
    _write("diff", results, report.exit_status(), out)


def write_explain(found: Explanation, out: TextIO, *, places: Places) -> None:
    """One result for the Service; its properties are the facts as in the JSON output."""
    result = _result("service-state", "warning" if found.unwell else "note", "", found.cause, places)
    result |= {"message": {"text": visible_lines(brief(found, places))}, "properties": to_builtins(found)}
    _write("explain", [result], Exit.NOTHING, out)


def _is_result(row: ServiceRow) -> bool:
    return row.action in _LEVELS and (row.action is not Action.KEEP or row.reason is not None)


def _problem_results(problems: Iterable[ProblemRow], places: Places) -> Iterator[_Json]:
    for problem in problems:
        level = "error" if problem.severity is Severity.ERROR else "warning"
        origin = Origin(problem.path, problem.line, problem.column)
        result = _result(problem.code, level, problem.message, origin, places)
        if problem.related:
            result["relatedLocations"] = [
                {**_location(Origin(r.path, r.line, r.column), places), "message": {"text": visible(r.note)}}
                for r in problem.related
            ]
        yield result


def _service_result(row: ServiceRow, places: Places) -> _Json:
    before, after = ", ".join(row.before) or "none", ", ".join(row.after) or "none"
    why = "".join(f": {part}" for part in (row.message, row.advice) if part)
    return _result(
        f"service-{row.action}", _LEVELS[row.action], f"{row.service} {before} -> {after}{why}", row.cause, places
    )


def _result(rule: str, level: str, message: str, origin: Origin | None, places: Places) -> _Json:
    result: _Json = {"ruleId": rule, "level": level, "message": {"text": visible(message)}}
    if origin is not None:
        result["locations"] = [_location(origin, places)]
    return result


def _location(origin: Origin, places: Places) -> _Json:
    uri = quote(places.find(origin.path), errors="surrogateescape")
    region = {"startLine": origin.line, "startColumn": origin.column}
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}


def _write(command: str, results: list[_Json], exit_status: Exit, out: TextIO) -> None:
    rules = sorted({result["ruleId"] for result in results})
    index = {rule: number for number, rule in enumerate(rules)}
    for result in results:
        result["ruleIndex"] = index[result["ruleId"]]
    run = {
        "tool": {"driver": {"name": "lb-reconciler", "version": __version__, "rules": [_rule(r) for r in rules]}},
        "automationDetails": {"id": f"lb-reconciler/{command}/"},
        "invocations": [{"executionSuccessful": exit_status is not Exit.FAILED, "exitCode": int(exit_status)}],
        # Columns count characters, as everywhere in our output; SARIF would take UTF-16 units otherwise.
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    json.dump({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, out, indent=1)
    out.write("\n")


def _rule(rule: str) -> _Json:
    description = _RULES.get(rule, f"{rule.replace('-', ' ').capitalize()}.")
    return {"id": rule, "shortDescription": {"text": description}}
