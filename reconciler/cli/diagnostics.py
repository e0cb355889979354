"""What goes to standard error: one line a diagnostic."""

import json
import os
import sys
import traceback
from dataclasses import dataclass
from typing import TextIO

from reconciler.cli.escape import visible

_LEVELS = ("debug", "info", "warning", "error")


def silence(stream: TextIO) -> None:
    """Lead a stream that failed nowhere: the interpreter flushes it on its way out, and must not fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """
    Writes what is at least as severe as `level`; `form` is text or json.

    Where standard error takes nothing there is nobody to tell: the exit status stays what it would have been.
    """

    level: str = "info"
    form: str = "text"

    def error(self, error: BaseException) -> None:
        """Say why the work could not be done; with level debug, from where."""
        self._write("error", str(error) or type(error).__name__)
        self._trace(error)

    def unexpected(self, error: BaseException) -> None:
        """Say that this is our mistake and how to see more."""
        hint = "" if self.level == "debug" else "; --log-level debug shows where"
        self._write("error", f"internal error: {type(error).__name__}: {error}{hint}")
        self._trace(error)

    def warning(self, message: str) -> None:
        """Say what a person should know beside the result."""
        self._write("warning", message)

    def _trace(self, error: BaseException) -> None:
        if self.level == "debug":
            _print("".join(traceback.format_exception(error)))

    def _write(self, level: str, message: str) -> None:
        if _LEVELS.index(level) < _LEVELS.index(self.level):
            return
        # Both streams may lead to one terminal or file: what was found so far comes first.
        try:
            sys.stdout.flush()
        except OSError:
            if level != "error":
                raise
            silence(sys.stdout)  # the command fails already, and its error is the one to tell
        if self.form == "json":
            _print(json.dumps({"level": level, "message": message}) + "\n")
        else:
            _print(f"reconciler: {'' if level == 'error' else f'{level}: '}{visible(message)}\n")


def _print(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        silence(sys.stderr)
