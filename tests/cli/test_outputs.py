"""
Every report in every format, compared with the checked-in text under expected/.

`RECONCILER_REWRITE_EXPECTED=1 pytest tests/cli` writes what is printed now; read the difference before committing it.
"""

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.cli.explanation import Explanation
from reconciler.cli.options import Output
from reconciler.cli.places import Places
from reconciler.cli.render import render_diff, render_explain, render_validate
from reconciler.cli.report import DiffReport, ValidateReport
from tests.cli import builders

EXPECTED = Path(__file__).parent / "expected"
SUFFIXES = {"text": "txt", "json": "json", "markdown": "md", "github": "github.txt", "sarif": "sarif", "junit": "xml"}
REWRITE = "RECONCILER_REWRITE_EXPECTED"

Report = ValidateReport | DiffReport | Explanation
REPORTS: dict[str, Callable[[], Report]] = {
    "validate-clean": builders.validated,
    "validate-problems": lambda: builders.validated(builders.DEPRECATED, builders.OVERLAP),
    "validate-warning": lambda: builders.validated(builders.DEPRECATED),
    "validate-strict": lambda: builders.validated(builders.DEPRECATED, strict=True),
    "diff-changes": lambda: builders.changed(warnings=(builders.DEPRECATED,)),
    "diff-held": lambda: builders.changed(guard=builders.HELD),
    "diff-nothing": builders.unchanged,
    "diff-invalid": builders.invalid,
    "diff-hostile": builders.hostile,
    "explain-kept": builders.explained_kept,
    "explain-refused": builders.explained_refused,
    "explain-held": builders.explained_held,
    "explain-ignored": lambda: builders.explained(builders.SERVICES[3]),
    "explain-hostile": builders.explained_hostile,
}


def printed(report: Report, output: Output, *, color: bool = False) -> str:
    out = io.StringIO()
    places = Places(())
    if isinstance(report, ValidateReport):
        render_validate(report, output, out, places=places, color=color)
    elif isinstance(report, Explanation):
        render_explain(report, output, out, places=places, color=color)
    else:
        render_diff(report, output, out, places=places, base_places=places, color=color)
    return out.getvalue()


@pytest.mark.parametrize("output", list(Output))
@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_printed_as_expected(name: str, output: Output) -> None:
    path = EXPECTED / f"{name}.{SUFFIXES[output]}"
    text = printed(REPORTS[name](), output)
    if os.environ.get(REWRITE):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_ci_never_rewrites_what_it_compares_with() -> None:
    assert not (os.environ.get("CI") and os.environ.get(REWRITE))


def test_color_adds_nothing_but_color() -> None:
    plain = printed(builders.changed(guard=builders.HELD), Output.TEXT)
    colored = printed(builders.changed(guard=builders.HELD), Output.TEXT, color=True)
    assert colored != plain
    for code in ("0", "1", "2", "31", "32", "33", "36"):
        colored = colored.replace(f"\x1b[{code}m", "")
    assert colored == plain


@pytest.mark.parametrize("output", [o for o in Output if o not in (Output.JSON, Output.SARIF)])
@pytest.mark.parametrize("name", ["diff-hostile", "explain-hostile"])
def test_nothing_that_somebody_else_wrote_reaches_a_terminal_unescaped(name: str, output: Output) -> None:
    text = printed(REPORTS[name](), output)
    assert not [c for c in text if not c.isprintable() and c != "\n"]


def test_a_workflow_command_cannot_be_smuggled_in() -> None:
    lines = printed(builders.hostile(), Output.GITHUB).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::warning", "::error", "::warning", "::notice"]
    (line,) = printed(builders.explained_hostile(), Output.GITHUB).splitlines()
    assert line.startswith("::warning file=")


@pytest.mark.parametrize("output", list(Output))
def test_every_output_of_explain_tells_what_text_tells(output: Output) -> None:
    kept = printed(builders.explained_kept(), output)
    for fact in (
        *("a/ours", "192.0.2.1", "gold", "worker-1", "tor-b", "64512:1", "notOwner", "worker-3"),
        *("established", "it refuses the connection", "unknown"),
    ):
        assert fact in kept
    refused = printed(builders.explained_refused(), output)
    for fact in ("shop/big", "pool-exhausted", "pools/b.yaml", "add addresses to tiny", "pool-not-compatible"):
        assert fact in refused
    assert "AllocationFailed" in refused
