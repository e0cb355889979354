"""From the path in a report to one that an editor, or a code host, can open."""

import os
from collections.abc import Sequence
from pathlib import Path

from reconciler.cli.options import Output

STANDARD_INPUT = "-"


class Places:
    """
    Finds the files behind paths that are relative to the `--config` they came from.

    `root` is the directory that results are relative to: None for the working directory, whose results keep the form
    in which the configuration was named.
    """

    def __init__(self, configs: Sequence[str], *, root: str | None = None) -> None:
        self._directories = tuple(_directory(config) for config in configs if config != STANDARD_INPUT)
        self._root = root
        self._found: dict[str, str] = {}

    def find(self, path: str) -> str:
        """The path with its directory in front; unchanged where no file is there, as for standard input."""
        if path not in self._found:
            self._found[path] = self._look(path)
        return self._found[path]

    def _look(self, path: str) -> str:
        for directory in self._directories:
            candidate = Path(directory, path)
            if candidate.exists():
                return candidate.as_posix() if self._root is None else _relative(candidate, self._root)
        return path


def _directory(config: str) -> Path:
    path = Path(config)
    return path if path.is_dir() else path.parent


def _relative(path: Path, root: str) -> str:
    # Not Path.relative_to: a file above the root still has a relative path.
    return Path(os.path.relpath(path, root)).as_posix()


def code_root(output: Output) -> str | None:
    """
    Where a code host looks for the files of annotations: the root of the repository that the workflow checked out.

    Outside GitHub Actions, and for people, the working directory.
    """
    return os.environ.get("GITHUB_WORKSPACE") if output in (Output.GITHUB, Output.SARIF) else None
