"""What a controller writes beside plain manifests: one file of status for each Service, and a log of Events."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from reconciler.cluster import wire
from reconciler.cluster.port import ClusterError
from reconciler.model.observed import ServiceKey
from reconciler.plan.actions import RecordEvent

_RECORD = msgspec.json.Decoder(wire.StatusRecord)
_EVENTS = "events.jsonl"


class _EventLine(msgspec.Struct, gc=False):
    time: str
    service: str
    type: str
    reason: str
    message: str


class StatusFiles:
    """
    The directory in which status is kept: `<namespace>/<name>.json` and `events.jsonl`.

    A file is replaced as a whole or not at all, also across a crash. Names that begin with a dot are unfinished
    files and the lock; readers skip them.
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
        path = self._path(key)
        try:
            return _RECORD.decode(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else exc
            raise ClusterError(f"{path}: {reason}: mend it, or delete it to return to the manifest's status") from exc

    @contextmanager
    def locked(self) -> Iterator[None]:
        """
        Keep other writers out, of this process and of others.

        Raises:
            ClusterError: The directory cannot be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with (self.root / ".lock").open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as exc:
            raise ClusterError(f"{exc.filename or self.root}: cannot write status: {exc.strerror}") from exc

    def write(self, key: ServiceKey, record: wire.StatusRecord) -> None:
        """Replace the record of one Service; call it while `locked`."""
        path = self._path(key)
        path.parent.mkdir(exist_ok=True)
        # One name per Service: what a crash leaves behind is overwritten by the next attempt.
        unfinished = path.parent / f".{path.name}.unfinished"
        with unfinished.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(record)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        self._own[path] = _fingerprint(path)
        _sync_directory(path.parent)

    def append(self, event: RecordEvent) -> None:
        """Add an Event to the log, on a line of its own; call it while `locked`."""
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        line = msgspec.json.encode(_EventLine(now, event.service, event.type, event.reason, event.message)) + b"\n"
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
