"""How a command ends: whatever goes wrong in it is one line on standard error and an exit status."""

import signal
import sys
from typing import Any

import click

from reconciler.cli.diagnostics import Diagnostics, silence
from reconciler.errors import ReconcilerError

FAILED = 2
INTERRUPTED = 128 + signal.SIGINT
BROKEN_PIPE = 128 + signal.SIGPIPE


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
            return cannot_write(error, diagnostics)
        except ReconcilerError as error:
            diagnostics.error(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the user gets a line and not a traceback
            diagnostics.unexpected(error)
        return FAILED


def cannot_write(error: OSError, diagnostics: Diagnostics) -> int:
    """End as `cat` would when its reader leaves; anything else is worth a line."""
    silence(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return BROKEN_PIPE
    diagnostics.error(OutputError(f"cannot write the result: {error.strerror or error}"))
    return FAILED
