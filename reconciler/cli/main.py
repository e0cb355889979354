"""
Arguments to commands, exceptions to exit status.

Nothing heavy is imported here, nor where commands have their options: each command imports the rooms it needs when it
runs, so that `--help` is quick.
"""

import gc
import sys
from typing import NoReturn

import click

from reconciler import __version__
from reconciler.cli.diagnostics import Diagnostics
from reconciler.cli.inquiries import diff, explain, preflight, status, validate
from reconciler.cli.options import log_options
from reconciler.cli.reporting import FAILED, INTERRUPTED, ReportingCommand, cannot_write
from reconciler.cli.roles import controller, speaker
from reconciler.cli.transfers import import_, snapshot


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="reconciler %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> int:
    """Load-balancer addresses for bare-metal Kubernetes, from files under version control."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        return FAILED
    return 0


@cli.command(cls=ReportingCommand)
@log_options
def demo() -> int:
    """
    Show the main job on bundled examples, in a temporary directory; as root also live, in network namespaces.

    Exit status: 0 done, 2 could not do the work.
    """
    from reconciler.cli import demo as command  # noqa: PLC0415 - heavy

    return command.run()


for _command in (validate, diff, explain, status, snapshot, preflight, import_, controller, speaker):
    cli.add_command(_command)


def run(arguments: list[str] | None = None) -> int:
    """Run one command line (without the program's name) and return its exit status; never raises for bad usage."""
    try:
        return int(cli.main(arguments, prog_name="reconciler", standalone_mode=False) or 0)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f" (see {context.command_path} --help)" if context else ""
        Diagnostics().error(click.UsageError(f"{error.format_message()}{hint}"))
        return FAILED
    except click.Abort:
        return INTERRUPTED


def main() -> NoReturn:
    """The console script."""
    if sys.stdout is None or sys.stderr is None:  # closed by the caller (>&-)
        sys.exit(FAILED)
    # What a command reads it keeps until it ends: looking for garbage among it took a tenth of `validate`.
    gc.set_threshold(50_000, 20, 50)
    for stream in (sys.stdout, sys.stderr):
        # JSON, SARIF and XML are UTF-8 whatever the locale; a name that is not even Unicode prints as an escape.
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]  # both are text files
    try:
        exit_status = run()
        sys.stdout.flush()
    except OSError as error:
        exit_status = cannot_write(error, Diagnostics())
    except KeyboardInterrupt:
        exit_status = INTERRUPTED
    sys.exit(exit_status)
