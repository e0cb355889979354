"""What is written beside plain manifests: a file of status for each Service and each role, and a log of Events."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import msgspec

from reconciler.cluster import wire
from reconciler.cluster.port import ClusterError
from reconciler.cluster.status_records import Stated
from reconciler.model.observed import ServiceKey

_RECORD = msgspec.json.Decoder(wire.StatusRecord)
_STATED = msgspec.json.Decoder(Stated)
_Record = TypeVar("_Record")
_EVENTS = "events.jsonl"
# Modes of files, from which the umask is taken.
_EVERYBODYS, _OURS_ALONE = 0o666, 0o600


def time_of_day() -> str:
    """Now, as RFC 3339 text in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class _EventLine(msgspec.Struct, gc=False):
    time: str
    service: str | None
    type: str
    reason: str
    message: str


class StatusFiles:
    """
    The directory of status: `<namespace>/<name>.json` of Services, `<name>.json` of roles, `events.jsonl`, and what
    roles keep for themselves.

    A file is replaced as a whole or not at all, also across a crash. Names that begin with a dot are unfinished
    files and locks; readers skip them.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._own: dict[Path, tuple[int, int]] = {}

    def records(self) -> Iterator[tuple[ServiceKey, wire.StatusRecord]]:
        """
        Every record, sorted by file; none when nothing was ever written.

        Raises:
            ClusterError: A record cannot be read.
        """
        for namespace in _names_in(self.root):
            for name in _names_in(self.root / namespace):
                if name.endswith(".json"):
                    key = ServiceKey(f"{namespace}/{name.removesuffix('.json')}")
                    if record := self.record(key):
                        yield key, record

    def record(self, key: ServiceKey) -> wire.StatusRecord | None:
        """
        The record of one Service, None before the first write.

        Raises:
            ClusterError: The record cannot be read.
        """
        return _read(self._path(key), _RECORD)

    def stated(self, key: ServiceKey) -> Stated | None:
        """
        The same with all that is in it, for writing it anew.

        Raises:
            ClusterError: The record cannot be read.
        """
        return _read(self._path(key), _STATED)

    def document(self, name: str) -> bytes | None:
        """
        What a role has published under that name, None when it has not.

        Raises:
            ClusterError: It cannot be read.
        """
        return _octets(self._role_path(name))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """
        Keep other writers out, of this process and of others.

        Raises:
            ClusterError: The directory cannot be written.
        """
        try:
            self.root.mkdir(exist_ok=True)
            with (self.root / ".lock").open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as exc:
            raise ClusterError(f"{exc.filename or self.root}: cannot write status: {exc.strerror}") from exc

    def write(self, key: ServiceKey, record: Stated) -> None:
        """Replace the record of one Service; call it while `locked`."""
        path = self._path(key)
        _replace(path, msgspec.json.format(msgspec.json.encode(record)) + b"\n")
        self._own[path] = _fingerprint(path)

    def write_document(self, name: str, document: bytes) -> None:
        """Replace what a role has published; call it while `locked`."""
        _replace(self._role_path(name), document)

    def secret(self, name: str) -> bytes | None:
        """
        What is kept under that name for the roles alone, None where there is nothing.

        Raises:
            ClusterError: It cannot be read.
        """
        return _octets(self._secret_path(name))

    def write_secret(self, name: str, octets: bytes) -> None:
        """Keep something that nobody but our own user may read; call it while `locked`."""
        _replace(self._secret_path(name), octets, mode=_OURS_ALONE)

    def append(self, service: ServiceKey | None, kind: str, reason: str, message: str) -> None:
        """Add an Event to the log, on a line of its own; call it while `locked`. None is about the role itself."""
        line = msgspec.json.encode(_EventLine(time_of_day(), service, kind, reason, message)) + b"\n"
        with (self.root / _EVENTS).open("ab+") as log:
            # A crash may have cut the last line short.
            if log.seek(0, os.SEEK_END) and not _ends_a_line(log.fileno()):
                line = b"\n" + line
            log.write(line)
            log.flush()
            os.fsync(log.fileno())

    def directories(self) -> Iterator[Path]:
        """The directories that hold records."""
        if self.root.is_dir():
            yield self.root
            yield from filter(Path.is_dir, (self.root / name for name in _names_in(self.root)))

    def is_own_write(self, path: Path) -> bool:
        """Whether the record is still as we wrote it."""
        try:
            return self._own.get(path) == _fingerprint(path)
        except FileNotFoundError:
            return False

    def is_record(self, path: Path) -> bool:
        """Whether a file is the record of some Service, by its place."""
        return path.parent.parent == self.root and path.suffix == ".json" and not path.name.startswith(".")

    def _path(self, key: ServiceKey) -> Path:
        namespace, _, name = key.partition("/")
        # The names come from manifests that nobody validated: they must not lead out of the directory.
        if namespace.startswith(".") or not namespace or not name or "/" in name or "\0" in key:
            raise ClusterError(f'"{key}" is no name that Kubernetes would accept')
        return self.root / namespace / f"{name}.json"

    def _role_path(self, name: str) -> Path:
        return self.root / f"{quote(name, safe='')}.json"

    def _secret_path(self, name: str) -> Path:
        return self.root / quote(name, safe="")


def _octets(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise ClusterError(f"{path}: {exc.strerror}") from exc


def _read(path: Path, decoder: msgspec.json.Decoder[_Record]) -> _Record | None:
    try:
        return decoder.decode(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise ClusterError(f"{path}: {reason}: mend it, or delete it to return to the manifest's status") from exc


def _replace(path: Path, octets: bytes, *, mode: int = _EVERYBODYS) -> None:
    """Let the file be this, or what it was, whatever happens meanwhile; `mode` is for one that is new."""
    path.parent.mkdir(exist_ok=True)
    # One name per file: what a crash leaves behind is overwritten by the next attempt.
    unfinished = path.parent / f".{path.name}.unfinished"
    with open(unfinished, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    _sync_directory(path.parent)


def _names_in(directory: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(directory) if not name.startswith("."))  # noqa: PTH208 - names only
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as exc:
        raise ClusterError(f"{directory}: {exc.strerror}") from exc


def _fingerprint(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_ino, stat.st_ctime_ns


def _ends_a_line(descriptor: int) -> bool:
    return os.pread(descriptor, 1, os.fstat(descriptor).st_size - 1) == b"\n"


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
