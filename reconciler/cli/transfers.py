"""The commands that write files of what a cluster has: a snapshot of it, and MetalLB's configuration as ours."""

import click

from reconciler.cli.options import live_options, log_options
from reconciler.cli.reporting import ReportingCommand


@click.command(cls=ReportingCommand)
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


@click.command(cls=ReportingCommand, name="import")
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(allow_dash=True))
@click.option(
    "--legacy",
    type=click.Path(allow_dash=True),
    help="The ConfigMap of MetalLB up to 0.12, or its text; - is standard input.",
)
@click.option(
    "--to",
    required=True,
    type=click.Path(file_okay=False, allow_dash=True),
    help="Directory to write; - is standard output. A file that is there already is never changed.",
)
@click.option(
    "--secrets",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write passwords that stand in clear text as Secrets into this file, and refer to them.",
)
@click.option(
    "--metallb-namespace",
    default="metallb-system",
    show_default=True,
    help="The namespace that MetalLB reads its objects from.",
)
@click.option(
    "--namespace",
    default="lb-reconciler",
    show_default=True,
    envvar="RECONCILER_NAMESPACE",
    help="Own namespace, for the Secrets.  [env: RECONCILER_NAMESPACE]",
)
@live_options
@log_options
@click.pass_context
def import_(
    ctx: click.Context,
    *,
    files: tuple[str, ...],
    legacy: str | None,
    to: str,
    secrets: str | None,
    metallb_namespace: str,
    namespace: str,
    kubeconfig: str | None,
    context: str | None,
) -> int:
    """
    Turn MetalLB's configuration into a directory of ours: of a cluster, or of FILEs that kubectl get -o yaml wrote.

    Exit status: 0 done, 1 something is missing or invalid, 2 could not do the work.
    """
    from reconciler.cli import import_ as command  # noqa: PLC0415 - heavy

    if (*files, legacy).count("-") > 1:
        raise click.UsageError("standard input (-) can be read once", ctx)
    if (files or legacy) and (kubeconfig or context):
        raise click.UsageError(
            "--kubeconfig and --context belong to a live cluster, and FILE or --legacy is given", ctx
        )
    return command.run(
        command.Options(
            files=files,
            legacy=legacy,
            to=to,
            secrets=secrets,
            metallb_namespace=metallb_namespace,
            namespace=namespace,
            kubeconfig=kubeconfig,
            context=context,
        )
    )
