"""Reads paths into one consistent set of texts and names its revision. What the texts mean is left to `documents`."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reconciler.config.revision import commit_of_checkout, digest
from reconciler.config.tree import (
    MAXIMUM_FILE_OCTETS,
    ChangedError,
    SourceFile,
    Tree,
    TreeError,
    descriptor_of,
    read_descriptor,
    read_tree,
)
from reconciler.errors import ReconcilerError
from reconciler.model.origin import Problem

__all__ = ["FilesError", "SourceFile", "SourceSet", "read_files"]

STANDARD_INPUT = "<stdin>"
# How often a directory is looked at again that changes while it is read, and how long to wait in between, in seconds.
_ATTEMPTS = 20
_PAUSE = 0.02
# Two writes within one tick of the file system's clock leave the same time stamp.
_CLOCK_TICK = 0.02


class FilesError(ReconcilerError):
    """The work cannot be done: a path is missing, may not be read, or is neither a file nor a directory. One line."""


@dataclass(frozen=True, slots=True)
class SourceSet:
    """
    All files of one moment, sorted by path.

    `revision` is a git commit in full, or `sha256:` and 64 hex digits. `problems` tell what could not be read;
    `directories` are the directories to watch for a change, as absolute paths.
    """

    files: tuple[SourceFile, ...]
    revision: str
    problems: tuple[Problem, ...] = ()
    directories: tuple[str, ...] = ()


def read_files(paths: Sequence[str]) -> SourceSet:
    """
    Read every `*.yaml`, `*.yml` and `*.json` below the paths as one consistent set.

    Each path is a file, a directory or `-` for standard input. Names that begin with a dot are skipped, except that
    what `..data` points to is read in place of the names beside it. A file that two paths lead to is read once.

    Raises:
        FilesError: A path cannot be read at all, or keeps changing while it is read.
    """
    if not paths:
        raise FilesError("no path to read the configuration from was given")
    asked = list(dict.fromkeys(paths))
    trees = [_read(path) for path in asked]
    files = _told_apart(asked, trees)
    problems = tuple(sorted(problem for tree in trees for problem in tree.problems))
    return SourceSet(
        files=files,
        revision=_revision(trees, files, problems),
        problems=problems,
        directories=tuple(sorted({directory for tree in trees for directory in tree.directories})),
    )


def _read(path: str) -> Tree:
    try:
        if path == "-":
            return Tree((SourceFile(STANDARD_INPUT, _standard_input()),))
        descriptor = descriptor_of(path)
        if descriptor is not None:
            return Tree((SourceFile(STANDARD_INPUT, read_descriptor(descriptor, path)),))
        return _settled(path)
    except TreeError as error:
        raise FilesError(str(error)) from error
    except (OSError, ValueError) as error:
        raise FilesError(f"{path}: {_reason(error)}") from error


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise TreeError("-: standard input is closed")
    data = sys.stdin.buffer.read(MAXIMUM_FILE_OCTETS + 1)
    if len(data) > MAXIMUM_FILE_OCTETS:
        raise TreeError(f"-: standard input has more than {MAXIMUM_FILE_OCTETS} octets")
    return data


def _settled(path: str) -> Tree:
    """One path, looked at until it holds still."""
    changed = path
    for attempt in range(_ATTEMPTS):
        try:
            return _looked_at(path)
        except ChangedError as change:
            changed = str(change)
        except FileNotFoundError:
            # A link that is replaced in two steps is missing for a moment.
            if attempt:
                raise
        time.sleep(_PAUSE)
    raise TreeError(f"{changed}: keeps changing while it is read")


def _looked_at(path: str) -> Tree:
    """
    One look; two where a file changed a moment ago, because its time stamps are then too coarse to tell.

    Raises:
        ChangedError: Something moved.
    """
    first = read_tree(path)
    if time.time() - first.changed_at > _CLOCK_TICK:
        return first
    time.sleep(_CLOCK_TICK)
    second = read_tree(path)
    if second.files != first.files:
        raise ChangedError(path)
    return second


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[:1].lower() + error.strerror[1:]
    return str(error)


def _told_apart(paths: Sequence[str], trees: Sequence[Tree]) -> tuple[SourceFile, ...]:
    """All files, each once; two of equal name from two paths get the path as it was given before their name."""
    seen: set[object] = set()
    found: list[tuple[str, SourceFile]] = []
    for path, tree in zip(paths, trees, strict=True):
        for file in tree.files:
            identity = file.identity or (path, file.path)
            if identity not in seen:
                seen.add(identity)
                found.append((path, file))
    times = Counter(file.path for _, file in found)
    named = (
        file
        if times[file.path] == 1
        else replace(file, path=str(Path(path, file.path) if Path(path).is_dir() else path))
        for path, file in found
    )
    return tuple(sorted(named, key=lambda file: file.path))


def _revision(trees: Sequence[Tree], files: Sequence[SourceFile], problems: Sequence[Problem]) -> str:
    tree = trees[0]
    if len(trees) == 1 and tree.root and files and not problems:
        commit = tree.commit or commit_of_checkout(tree)
        if commit:
            return commit
    return digest(files)
