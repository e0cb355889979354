"""Which output format prints a report."""

from typing import TextIO, assert_never

from reconciler.cli import explanation, github, json_stream, junit, markdown, sarif, text
from reconciler.cli.explanation import Explanation
from reconciler.cli.options import Output
from reconciler.cli.places import Places
from reconciler.cli.report import DiffReport, ValidateReport


def render_validate(report: ValidateReport, output: Output, out: TextIO, *, places: Places, color: bool) -> None:
    """Print what `validate` found."""
    match output:
        case Output.TEXT:
            text.write_validate(report, out, places=places, color=color)
        case Output.JSON:
            json_stream.write_validate(report, out)
        case Output.MARKDOWN:
            markdown.write_validate(report, out, places=places)
        case Output.GITHUB:
            github.write_validate(report, out, places=places)
        case Output.SARIF:
            sarif.write_validate(report, out, places=places)
        case Output.JUNIT:
            junit.write_validate(report, out, places=places)
        case _:
            assert_never(output)


def render_diff(
    report: DiffReport, output: Output, out: TextIO, *, places: Places, base_places: Places, color: bool
) -> None:
    """Print what `diff` found. `base_places` finds the files of the base configuration."""
    match output:
        case Output.TEXT:
            text.write_diff(report, out, places=places, base_places=base_places, color=color)
        case Output.JSON:
            json_stream.write_diff(report, out)
        case Output.MARKDOWN:
            markdown.write_diff(report, out, places=places, base_places=base_places)
        case Output.GITHUB:
            github.write_diff(report, out, places=places, base_places=base_places)
        case Output.SARIF:
            sarif.write_diff(report, out, places=places, base_places=base_places)
        case Output.JUNIT:
            junit.write_diff(report, out, places=places, base_places=base_places)
        case _:
            assert_never(output)


def render_explain(found: Explanation, output: Output, out: TextIO, *, places: Places, color: bool) -> None:
    """Print what `explain` found."""
    match output:
        case Output.TEXT:
            explanation.write_text(found, out, places=places, color=color)
        case Output.JSON:
            out.write(f"{json_stream.encode(found)}\n")
        case Output.MARKDOWN:
            markdown.write_explain(found, out, places=places)
        case Output.GITHUB:
            github.write_explain(found, out, places=places)
        case Output.SARIF:
            sarif.write_explain(found, out, places=places)
        case Output.JUNIT:
            junit.write_explain(found, out, places=places)
        case _:
            assert_never(output)
