"""
Arguments to commands, exceptions to exit status.

Nothing heavy is imported here: each command imports the rooms it needs, so that `--help` is quick.
"""

import gc
import signal
import sys
from typing import Any, NoReturn

import click

from reconciler import __version__
from reconciler.cli.diagnostics import Diagnostics, silence
from reconciler.cli.options import (
    ClusterChoice,
    Output,
    cluster_options,
    config_option,
    live_options,
    log_options,
    output_option,
    role_options,
    summary_output_option,
)
from reconciler.errors import ReconcilerError

_FAILED = 2
_INTERRUPTED = 128 + signal.SIGINT
_BROKEN_PIPE = 128 + signal.SIGPIPE


class OutputError(ReconcilerError):
    """Standard output does not take what is written to it."""


class ReportingCommand(click.Command):
    """A command whose failures become one line on standard error and exit status 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; the result is its exit status."""
        diagnostics = Diagnostics(ctx.params.pop("log_level"), ctx.params.pop("log_format"))
        ctx.obj = diagnostics
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except OSError as error:
            # Every room translates its own; what is left went wrong while results were written.
            return _cannot_write(error, diagnostics)
        except ReconcilerError as error:
            diagnostics.error(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the user gets a line and not a traceback
            diagnostics.unexpected(error)
        return _FAILED


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="reconciler %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> int:
    """Load-balancer addresses for bare-metal Kubernetes, from files under version control."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        return _FAILED
    return 0


@cli.command(cls=ReportingCommand)
@click.argument("paths", metavar="PATH...", nargs=-1, type=click.Path(allow_dash=True))
@config_option
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
@output_option
@log_options
@click.pass_context
def validate(ctx: click.Context, paths: tuple[str, ...], configs: tuple[str, ...], output: str, *, strict: bool) -> int:
    """
    Check configuration files and print every problem in them.

    Exit status: 0 valid, 1 problems found, 2 could not do the work.
    """
    from reconciler.cli import validate as command  # noqa: PLC0415 - heavy

    return command.run(_configs(ctx, configs, paths), output=Output(output), strict=strict)


@cli.command(cls=ReportingCommand)
@config_option
@click.option(
    "--base",
    "bases",
    multiple=True,
    type=click.Path(allow_dash=True),
    help="Compare with this configuration instead of what the cluster holds. Repeatable.",
)
@cluster_options
@click.option(
    "--node",
    "nodes",
    multiple=True,
    help="Show announcements of this node only. Repeatable; every ready node when absent.",
)
@output_option
@log_options
@click.pass_context
def diff(
    ctx: click.Context,
    *,
    configs: tuple[str, ...],
    bases: tuple[str, ...],
    choice: ClusterChoice,
    nodes: tuple[str, ...],
    output: str,
) -> int:
    """
    Show what the configuration would change, for Services and for announcements.

    Exit status: 0 nothing, 1 something, 2 could not do the work, 3 the guard would hold it back.
    """
    from reconciler.cli import diff as command  # noqa: PLC0415 - heavy

    configs = _configs(ctx, configs)
    if (*configs, *bases).count("-") > 1:
        raise click.UsageError("standard input (-) can be read once", ctx)
    return command.run(
        configs,
        bases=bases,
        choice=choice,
        nodes=nodes,
        output=Output(output),
        diagnostics=ctx.obj,
    )


@cli.command(cls=ReportingCommand)
@click.argument("service", metavar="NAMESPACE/NAME")
@config_option
@cluster_options
@output_option
@log_options
@click.pass_context
def explain(
    ctx: click.Context,
    *,
    service: str,
    configs: tuple[str, ...],
    choice: ClusterChoice,
    output: str,
) -> int:
    """
    Explain one Service: its addresses and who announces them, or what keeps it pending and the fix.

    Exit status: 0 done, 2 could not do the work.
    """
    from reconciler.cli import explain as command  # noqa: PLC0415 - heavy

    if service.count("/") != 1 or service.startswith("/") or service.endswith("/"):
        raise click.UsageError(f'"{service}" is not NAMESPACE/NAME', ctx)
    return command.run(service, _configs(ctx, configs), choice=choice, output=Output(output))


@cli.command(cls=ReportingCommand)
@cluster_options
@summary_output_option
@log_options
def status(*, choice: ClusterChoice, output: str) -> int:
    """
    Show at a glance how things stand: pools, Services, the configuration in force and what is held.

    Exit status: 0 done, 2 could not do the work.
    """
    from reconciler.cli import status as command  # noqa: PLC0415 - heavy

    return command.run(choice, output=Output(output))


@cli.command(cls=ReportingCommand)
@live_options
@click.option(
    "--output-file",
    type=click.Path(dir_okay=False, allow_dash=True),
    default="-",
    help="Where to write it; - is standard output, the default. A file is replaced as a whole or not at all.",
)
@log_options
def snapshot(*, kubeconfig: str | None, context: str | None, output_file: str) -> int:
    """
    Save what diff and explain need of the live cluster, for --cluster dir:FILE. Secrets are never read.

    Exit status: 0 done, 2 could not do the work.
    """
    from reconciler.cli import snapshot as command  # noqa: PLC0415 - heavy

    return command.run(output_file, kubeconfig=kubeconfig, context=context)


@cli.command(cls=ReportingCommand)
@config_option
@cluster_options
@role_options
@click.option(
    "--lease-duration",
    type=click.IntRange(min=1),
    default=15,
    show_default=True,
    metavar="SECONDS",
    help="For how long nobody else takes over from a controller that is not heard of; the same for all replicas.",
)
@click.option(
    "--http-address",
    default=":7472",
    show_default=True,
    metavar="HOST:PORT",
    help="Where /healthz, /readyz, /metrics and /status are served.",
)
@log_options
@click.pass_context
def controller(
    ctx: click.Context,
    *,
    configs: tuple[str, ...],
    choice: ClusterChoice,
    http_address: str,
    interval: float,
    lease_duration: int,
    pod_name: str | None,
    config_object: str | None,
    state_dir: str | None,
) -> int:
    """
    Give Services of type LoadBalancer their addresses, until ended by SIGTERM. SIGHUP looks again now.

    Exit status: 0 ended by a signal, 2 could not do the work.
    """
    from reconciler.cli import controller as command  # noqa: PLC0415 - heavy
    from reconciler.telemetry.logs import configure  # noqa: PLC0415 - heavy

    configs = _configs(ctx, configs)
    if "-" in configs:
        raise click.UsageError("a running controller cannot read standard input (-)", ctx)
    configure(ctx.obj.level, ctx.obj.form)
    return command.run(
        command.Options(
            configs=configs,
            choice=choice,
            http_address=http_address,
            interval=interval,
            lease_duration=lease_duration,
            pod_name=pod_name,
            config_object=config_object,
            state_dir=state_dir,
        )
    )


@cli.command(cls=ReportingCommand)
@config_option
@cluster_options
@role_options
@click.option(
    "--node-name",
    envvar="NODE_NAME",
    required=True,
    help="The Kubernetes node that this runs on.  [env: NODE_NAME]",
)
@click.option(
    "--pod-ip",
    envvar="POD_IP",
    help="Address of the Pod that this runs in, which with the host's network is the node's: the other speakers reach "
    "this one there.  [env: POD_IP]",
)
@click.option(
    "--membership-bind",
    metavar="ADDRESS",
    help="Where to listen for other speakers; --pod-ip when absent. The port is in ReconcilerSettings.",
)
@click.option(
    "--seeds",
    metavar="ADDRESS[:PORT],...",
    default="",
    help="Where other speakers may be found, instead of their Pods.",
)
@click.option(
    "--ignore-exclude-lb",
    is_flag=True,
    help="Announce on nodes labelled node.kubernetes.io/exclude-from-external-load-balancers as well.",
)
@click.option(
    "--per-address-metrics", is_flag=True, help="Show metallb_speaker_announced, which has a series for each address."
)
@click.option(
    "--http-address",
    default="127.0.0.1:7472",
    show_default=True,
    metavar="HOST:PORT",
    help="Where /healthz, /readyz, /metrics and /status are served.",
)
@log_options
@click.pass_context
def speaker(
    ctx: click.Context,
    *,
    configs: tuple[str, ...],
    choice: ClusterChoice,
    node_name: str,
    pod_ip: str | None,
    membership_bind: str | None,
    seeds: str,
    ignore_exclude_lb: bool,
    per_address_metrics: bool,
    http_address: str,
    interval: float,
    pod_name: str | None,
    config_object: str | None,  # noqa: ARG001 - the controller says there what both have to say
    state_dir: str | None,
) -> int:
    """
    Make the network deliver the addresses of Services to this node, until ended by SIGTERM. SIGHUP looks again now.

    Needs the capability NET_RAW, with user id 0. One on every node.

    Exit status: 0 ended by a signal, 2 could not do the work.
    """
    from reconciler.cli import speaker as command  # noqa: PLC0415 - heavy
    from reconciler.telemetry.logs import configure  # noqa: PLC0415 - heavy

    configs = _configs(ctx, configs)
    if "-" in configs:
        raise click.UsageError("a running speaker cannot read standard input (-)", ctx)
    configure(ctx.obj.level, ctx.obj.form)
    return command.run(
        command.Options(
            configs=configs,
            choice=choice,
            node=node_name,
            http_address=http_address,
            interval=interval,
            bind=membership_bind,
            seeds=tuple(filter(None, (seed.strip() for seed in seeds.split(",")))),
            ignore_exclude_label=ignore_exclude_lb,
            pod_name=pod_name,
            pod_ip=pod_ip,
            state_dir=state_dir,
            per_address_metrics=per_address_metrics,
        )
    )


@cli.command(cls=ReportingCommand)
@log_options
def demo() -> int:
    """
    Show the main job on bundled examples, in a temporary directory; as root also live, in network namespaces.

    Exit status: 0 done, 2 could not do the work.
    """
    from reconciler.cli import demo as command  # noqa: PLC0415 - heavy

    return command.run()


def _configs(ctx: click.Context, configs: tuple[str, ...], paths: tuple[str, ...] = ()) -> tuple[str, ...]:
    # An argument on the command line replaces the environment, as an option does.
    if paths and ctx.get_parameter_source("configs") is click.core.ParameterSource.ENVIRONMENT:
        configs = ()
    if not paths and not configs:
        wanted = "a PATH or --config" if ctx.info_name == "validate" else "--config PATH"
        raise click.UsageError(f"{wanted} is needed (or RECONCILER_CONFIG)", ctx)
    return (*paths, *configs)


def run(arguments: list[str] | None = None) -> int:
    """Run one command line (without the program's name) and return its exit status; never raises for bad usage."""
    try:
        return int(cli.main(arguments, prog_name="reconciler", standalone_mode=False) or 0)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f" (see {context.command_path} --help)" if context else ""
        Diagnostics().error(click.UsageError(f"{error.format_message()}{hint}"))
        return _FAILED
    except click.Abort:
        return _INTERRUPTED


def _cannot_write(error: OSError, diagnostics: Diagnostics) -> int:
    """End as `cat` would when its reader leaves; anything else is worth a line."""
    silence(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return _BROKEN_PIPE
    diagnostics.error(OutputError(f"cannot write the result: {error.strerror or error}"))
    return _FAILED


def main() -> NoReturn:
    """The console script."""
    if sys.stdout is None or sys.stderr is None:  # closed by the caller (>&-)
        sys.exit(_FAILED)
    # What a command reads it keeps until it ends: looking for garbage among it took a tenth of `validate`.
    gc.set_threshold(50_000, 20, 50)
    for stream in (sys.stdout, sys.stderr):
        # JSON, SARIF and XML are UTF-8 whatever the locale; a name that is not even Unicode prints as an escape.
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]  # both are text files
    try:
        status = run()
        sys.stdout.flush()
    except OSError as error:
        status = _cannot_write(error, Diagnostics())
    except KeyboardInterrupt:
        status = _INTERRUPTED
    sys.exit(status)
