"""
The files of the configuration in force, kept on disk: a restart under a bad revision continues from them.

They may hold passwords of BGP peers, so nobody else may read them. What cannot be kept or read is a problem to report,
never a reason to stop: the copy in memory remains.
"""

import fcntl
import hashlib
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from reconciler.config.files import SourceFile, SourceSet
from reconciler.config.tree import MAXIMUM_OCTETS
from reconciler.errors import ReconcilerError
from reconciler.model.origin import Problem

_LOG = logging.getLogger(__name__)

_NAME = "last-good-configuration"
_UNFINISHED = f".{_NAME}.unfinished"
# The first line of the file: what it is, the version of its format, and the digest of everything after the line.
_TITLE = b"lb-reconciler last good configuration, format 1, sha256:"
_HEADER_OCTETS = len(_TITLE) + 64 + 1
# The octets of all files, and as much again for their names and problems.
_LARGEST = 2 * MAXIMUM_OCTETS


class _File(msgspec.Struct, frozen=True):
    path: str
    data: bytes


class _Kept(msgspec.Struct, frozen=True):
    revision: str
    files: tuple[_File, ...]
    problems: tuple[Problem, ...]


class _NotKeptError(ReconcilerError):
    """The files could not be written, or what is there is not ours; one line. Never leaves this module."""


class LastGood:
    """
    The files that were in force last, in memory and in a directory.

    `problem` says why they are in memory only, or why those on disk could not be used; None when all is well. Methods
    block, and are called from one thread at a time.
    """

    def __init__(self, directory: Path | None) -> None:
        """`directory` is made when it is missing; without one, nothing outlives the process."""
        self._directory = directory
        self._sources: SourceSet | None = None
        self._on_disk: bytes | None = None
        self.problem: str | None = None

    def keep(self, sources: SourceSet) -> None:
        """Replace what was kept, as a whole or not at all; done once it would survive a crash."""
        self._sources = sources
        if self._directory is None:
            return
        content = _encoded(sources)
        if content == self._on_disk:
            return
        try:
            self._write(self._directory, content)
        except (OSError, _NotKeptError) as error:
            self._on_disk = None
            self._report(f"{self._directory}: {_reason(error)}; the last good configuration is kept in memory only")
        else:
            self._on_disk = content
            self._report(None)

    def restore(self) -> SourceSet | None:
        """
        What was kept last, None when nothing was or it cannot be used.

        Paths, octets, problems and revision are those of then. `directories` is empty: nothing here is watched.
        """
        if self._sources is not None or self._directory is None:
            return self._sources
        try:
            content = _read(self._directory / _NAME)
            self._sources = _decoded(content)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, _NotKeptError) as error:
            self._report(f"{self._directory / _NAME}: {_reason(error)}; it is not used")
            return None
        self._on_disk = content
        return self._sources

    def _write(self, directory: Path, content: bytes) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(directory) as place:
            # One name: what a crash leaves behind is overwritten by the next attempt.
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(_UNFINISHED, flags, 0o600, dir_fd=place), "wb") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(_UNFINISHED, _NAME, src_dir_fd=place, dst_dir_fd=place)
            os.fsync(place)

    def _report(self, problem: str | None) -> None:
        if problem is not None and problem != self.problem:
            _LOG.warning("%s", problem)
        self.problem = problem


@contextmanager
def _locked(directory: Path) -> Iterator[int]:
    """The directory, opened, while no other process writes there."""
    place = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _NotKeptError("another process is writing there") from error
        yield place
    finally:
        os.close(place)


def _encoded(sources: SourceSet) -> bytes:
    files = tuple(_File(file.path, file.data) for file in sources.files)
    body = msgspec.msgpack.encode(_Kept(sources.revision, files, sources.problems))
    return _TITLE + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def _decoded(content: bytes) -> SourceSet:
    """
    What `_encoded` was given.

    Raises:
        _NotKeptError: It is damaged, or somebody else's.
    """
    header, body = content[:_HEADER_OCTETS], content[_HEADER_OCTETS:]
    if not header.startswith(_TITLE):
        raise _NotKeptError("this is not a configuration kept by this version of the program")
    if header != _TITLE + hashlib.sha256(body).hexdigest().encode() + b"\n":
        raise _NotKeptError("this file is damaged: its digest is another")
    try:
        kept = msgspec.msgpack.decode(body, type=_Kept)
    except msgspec.DecodeError as error:
        raise _NotKeptError(f"this file cannot be understood: {error}") from error
    files = tuple(SourceFile(file.path, file.data) for file in kept.files)
    return SourceSet(files=files, revision=kept.revision, problems=kept.problems)


def _read(path: Path) -> bytes:
    """
    All octets of a file that only we could have written.

    Raises:
        OSError: It is not there, or may not be read.
        _NotKeptError: It is not a plain file of our own.
    """
    # Never wait for somebody to write into a pipe, and never follow a link that somebody planted.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            raise _NotKeptError("this is not a file")
        if info.st_uid != os.geteuid():
            raise _NotKeptError("this file belongs to another user")
        if info.st_size > _LARGEST:
            raise _NotKeptError(f"this file has more than {_LARGEST} octets")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(_LARGEST)
    finally:
        os.close(descriptor)


def _reason(error: OSError | _NotKeptError) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[:1].lower() + error.strerror[1:]
    return str(error)
