"""The options that commands share, and what their values mean. Imports nothing heavy: `--help` reads this."""

import os
from collections.abc import Callable
from enum import StrEnum
from typing import TextIO, TypeVar

import click

from reconciler.errors import ReconcilerError

_DIRECTORY = "dir:"
_Command = TypeVar("_Command", bound=Callable[..., object])


class Output(StrEnum):
    """The forms in which a report is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    GITHUB = "github"
    SARIF = "sarif"
    JUNIT = "junit"


class ClusterUnavailableError(ReconcilerError):
    """The cluster named on the command line cannot be reached by this version."""


class DirectoryParameter(click.ParamType[str]):
    """The value of `--cluster`: `kube`, or `dir:` and a path."""

    name = "kube|dir:PATH"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse what is neither."""
        if value != "kube" and (not value.startswith(_DIRECTORY) or value == _DIRECTORY):
            self.fail(f'"{value}" is neither "kube" nor "dir:PATH"', param, ctx)
        return value


def cluster_directory(cluster: str) -> str:
    """
    The path behind `dir:PATH`.

    Raises:
        ClusterUnavailableError: The live cluster was asked for.
    """
    if cluster.startswith(_DIRECTORY):
        return cluster.removeprefix(_DIRECTORY)
    raise ClusterUnavailableError(
        "the live cluster (--cluster kube, the default) is not available in this version; "
        "name saved manifests with --cluster dir:PATH"
    )


def config_option(command: _Command) -> _Command:
    """Add `--config`."""
    return click.option(
        "--config",
        "configs",
        multiple=True,
        type=click.Path(allow_dash=True),
        envvar="RECONCILER_CONFIG",
        help="Configuration: a file, a directory (all *.yaml, *.yml and *.json below it), or - for standard input. "
        "Repeatable.  [env: RECONCILER_CONFIG]",
    )(command)


def cluster_options(command: _Command) -> _Command:
    """Add what finds and filters a cluster."""
    for option in (
        click.option(
            "--lb-class",
            default="",
            envvar="RECONCILER_LB_CLASS",
            help="Serve only Services of this loadBalancerClass; without it, only those that name none.  "
            "[env: RECONCILER_LB_CLASS]",
        ),
        click.option(
            "--namespace",
            default="lb-reconciler",
            show_default=True,
            envvar="RECONCILER_NAMESPACE",
            help="Own namespace, where Secrets of BGP peers are.  [env: RECONCILER_NAMESPACE]",
        ),
        click.option(
            "--cluster",
            type=DirectoryParameter(),
            metavar="kube|dir:PATH",
            default="kube",
            show_default=True,
            envvar="RECONCILER_CLUSTER",
            help="The cluster: dir:PATH is a directory or file of manifests. kube, the live one, is not available in "
            "this version.  [env: RECONCILER_CLUSTER]",
        ),
    ):
        command = option(command)
    return command


def output_option(command: _Command) -> _Command:
    """Add `--output`."""
    return click.option(
        "--output",
        type=click.Choice([output.value for output in Output]),
        default=Output.TEXT.value,
        show_default=True,
        help="The same facts in another form. The exit status does not depend on it.",
    )(command)


def log_options(command: _Command) -> _Command:
    """Add what decides how diagnostics look."""
    for option in (
        click.option(
            "--log-format",
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            help="Form of the diagnostics on standard error.",
        ),
        click.option(
            "--log-level",
            type=click.Choice(["debug", "info", "warning", "error"]),
            default="info",
            show_default=True,
            help="Least severe diagnostics to print; debug adds the traceback of an error.",
        ),
    ):
        command = option(command)
    return command


def wants_color(out: TextIO) -> bool:
    """Whether the stream is a terminal whose owner has not declined colour (no-color.org)."""
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
