"""The options that commands share, and what their values mean. Imports nothing heavy: `--help` reads this."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import Any, TextIO, TypeVar

import click

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


@dataclass(frozen=True, slots=True)
class ClusterChoice:
    """
    The cluster that a command line names, and what of it is ours.

    `cluster` is `kube` or `dir:` and a path. `kubeconfig` and `context` belong to the live one, and are None where the
    surroundings tell.
    """

    cluster: str
    namespace: str
    lb_class: str
    kubeconfig: str | None = None
    context: str | None = None

    @property
    def directory(self) -> str | None:
        """The path behind `dir:PATH`, None for the live cluster."""
        return self.cluster.removeprefix(_DIRECTORY) if self.cluster.startswith(_DIRECTORY) else None


class DirectoryParameter(click.ParamType[str]):
    """The value of `--cluster`: `kube`, or `dir:` and a path."""

    name = "kube|dir:PATH"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse what is neither."""
        if value != "kube" and (not value.startswith(_DIRECTORY) or value == _DIRECTORY):
            self.fail(f'"{value}" is neither "kube" nor "dir:PATH"', param, ctx)
        return value


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


def named_configs(ctx: click.Context, configs: tuple[str, ...], paths: tuple[str, ...] = ()) -> tuple[str, ...]:
    """
    The configuration that a command line names, `paths` before the options.

    Raises:
        click.UsageError: It names none.
    """
    # An argument on the command line replaces the environment, as an option does.
    if paths and ctx.get_parameter_source("configs") is click.core.ParameterSource.ENVIRONMENT:
        configs = ()
    if not paths and not configs:
        wanted = "a PATH or --config" if ctx.info_name == "validate" else "--config PATH"
        raise click.UsageError(f"{wanted} is needed (or RECONCILER_CONFIG)", ctx)
    return (*paths, *configs)


def cluster_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add what finds and filters a cluster; the command is called with all of it as `choice`."""

    @wraps(command)
    def with_choice(
        *arguments: Any,
        cluster: str,
        namespace: str,
        lb_class: str,
        kubeconfig: str | None,
        context: str | None,
        **options: Any,
    ) -> int:
        choice = ClusterChoice(cluster, namespace, lb_class, kubeconfig, context)
        if choice.directory is not None and (kubeconfig or context):
            raise click.UsageError("--kubeconfig and --context belong to --cluster kube", click.get_current_context())
        return command(*arguments, choice=choice, **options)

    found = live_options(with_choice)
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
            help="Own namespace: Secrets of BGP peers are in it, and what roles publish in NAMESPACE-status.  "
            "[env: RECONCILER_NAMESPACE]",
        ),
        click.option(
            "--cluster",
            type=DirectoryParameter(),
            metavar="kube|dir:PATH",
            default="kube",
            show_default=True,
            envvar="RECONCILER_CLUSTER",
            help="The cluster: kube is the live one, dir:PATH a directory or file of manifests.  "
            "[env: RECONCILER_CLUSTER]",
        ),
    ):
        found = option(found)
    return found


def live_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add what finds the live cluster."""
    for option in (
        click.option("--context", metavar="NAME", help="Context of the kubeconfig; its current one when absent."),
        click.option(
            "--kubeconfig",
            type=click.Path(),
            help="How to reach the live cluster. When absent: KUBECONFIG, the service account of the Pod that this "
            "runs in, or ~/.kube/config.",
        ),
    ):
        command = option(command)
    return command


def role_options(command: _Command) -> _Command:
    """Add what a running role needs to know of itself."""
    for option in (
        click.option(
            "--interval",
            type=click.FloatRange(min=0.1),
            default=60.0,
            show_default=True,
            metavar="SECONDS",
            help="Look at everything again that often, whatever was noticed meanwhile.",
        ),
        click.option(
            "--state-dir",
            envvar="RECONCILER_STATE_DIR",
            type=click.Path(file_okay=False),
            help="Where the last good configuration is kept across restarts; in memory only when absent.  "
            "[env: RECONCILER_STATE_DIR]",
        ),
        click.option(
            "--config-object",
            metavar="NAMESPACE/NAME",
            callback=_namespaced_name,
            help="The ConfigMap that holds the configuration, for Events about it.",
        ),
        click.option(
            "--pod-name",
            envvar="POD_NAME",
            help="Name of the Pod that this runs in: the holder of the Lease, and for Events.  [env: POD_NAME]",
        ),
    ):
        command = option(command)
    return command


def _namespaced_name(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and (value.count("/") != 1 or value.startswith("/") or value.endswith("/")):
        raise click.BadParameter(f'"{value}" is not NAMESPACE/NAME', ctx, param)
    return value


def output_option(command: _Command) -> _Command:
    """Add `--output`."""
    return click.option(
        "--output",
        type=click.Choice([output.value for output in Output]),
        default=Output.TEXT.value,
        show_default=True,
        help="The same facts in another form. The exit status does not depend on it.",
    )(command)


def summary_output_option(command: _Command) -> _Command:
    """Add `--output` for what is a state and no finding: it has no lines to annotate."""
    return click.option(
        "--output",
        type=click.Choice([Output.TEXT.value, Output.JSON.value]),
        default=Output.TEXT.value,
        show_default=True,
        help="The same facts in another form.",
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
