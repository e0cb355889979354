"""The commands that answer a question and change nothing: of files, of a cluster, of this host."""

import click

from reconciler.cli.options import (
    ClusterChoice,
    Output,
    cluster_options,
    config_option,
    log_options,
    named_configs,
    output_option,
    summary_output_option,
)
from reconciler.cli.reporting import ReportingCommand


@click.command(cls=ReportingCommand)
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

    return command.run(named_configs(ctx, configs, paths), output=Output(output), strict=strict)


@click.command(cls=ReportingCommand)
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

    configs = named_configs(ctx, configs)
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


@click.command(cls=ReportingCommand)
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
    return command.run(service, named_configs(ctx, configs), choice=choice, output=Output(output))


@click.command(cls=ReportingCommand)
@cluster_options
@click.option(
    "--watch",
    is_flag=True,
    help="Show it again whenever it changes, until Ctrl-C: in its place on a terminal, else one after the other.",
)
@summary_output_option
@log_options
@click.pass_context
def status(ctx: click.Context, *, choice: ClusterChoice, watch: bool, output: str) -> int:
    """
    Show at a glance how things stand: pools, Services, the configuration in force and what is held.

    Exit status: 0 done, 2 could not do the work.
    """
    from reconciler.cli import status as command  # noqa: PLC0415 - heavy

    return command.run(choice, output=Output(output), diagnostics=ctx.obj, watching=watch)


@click.command(cls=ReportingCommand)
@config_option
@click.option(
    "--probe",
    "addresses",
    multiple=True,
    metavar="ADDRESS",
    help="Ask the network by ARP or NDP who has this address. Repeatable.",
)
@click.option(
    "--seeds",
    metavar="ADDRESS[:PORT],...",
    default="",
    help="Other speakers, of which each is to take a connection.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 where an error was found.")
@summary_output_option
@log_options
def preflight(*, configs: tuple[str, ...], addresses: tuple[str, ...], seeds: str, output: str, strict: bool) -> int:
    """
    Look at this host: what would keep announcements from working, each finding with its fix.

    Exit status: 0 done, 1 errors found (with --strict), 2 could not do the work.
    """
    from reconciler.cli import preflight as command  # noqa: PLC0415 - heavy

    named = tuple(seed for seed in (part.strip() for part in seeds.split(",")) if seed)
    return command.run(configs, command.Questions(addresses, named), output=Output(output), strict=strict)
