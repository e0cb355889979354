"""`reconciler validate`: configuration files to problems; nothing else is looked at."""

import sys
from collections.abc import Iterable, Sequence

from reconciler.cli.options import Output, wants_color
from reconciler.cli.places import Places, code_root
from reconciler.cli.progress import Progress
from reconciler.cli.render import render_validate
from reconciler.cli.report import ConfigRow, ProblemRow, ValidateReport
from reconciler.config.load import Loaded, load
from reconciler.model.origin import Problem, Severity


def run(configs: Sequence[str], *, output: Output, strict: bool) -> int:
    """
    Print what is wrong with a configuration and return the exit status.

    Raises:
        FilesError: Something named on the command line cannot be read.
    """
    with Progress() as progress:
        loaded = load(configs, follow=progress.follow)
    report = ValidateReport(config_row(loaded), documents=loaded.documents, foreign=loaded.foreign, strict=strict)
    places = Places(configs, root=code_root(output))
    render_validate(report, output, sys.stdout, places=places, color=wants_color(sys.stdout))
    return report.exit_status()


def config_row(loaded: Loaded, found_later: Iterable[Problem] = ()) -> ConfigRow:
    """A configuration as it is reported, with problems that only a cluster shows."""
    problems = sorted((*loaded.problems, *found_later))
    valid = loaded.desired is not None and all(problem.severity is not Severity.ERROR for problem in problems)
    return ConfigRow(loaded.revision, valid, tuple(map(ProblemRow.of, problems)))
