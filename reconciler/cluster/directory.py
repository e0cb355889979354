"""A cluster of plain manifests: read, watched, and with status written back. See docs/offline-cluster.md."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import assert_never

from reconciler.addresses.family import Address
from reconciler.cluster.manifests import manifest_files, objects_of
from reconciler.cluster.objects import Inventory, password_of, status_record, version_of
from reconciler.cluster.port import ClusterError, Conflict
from reconciler.cluster.status_files import StatusFiles
from reconciler.cluster.watching import changes_below
from reconciler.model.observed import ObservedState, ServiceKey
from reconciler.plan.actions import AssignAddresses, ClearAddresses, RecordEvent, ServiceAction


def read_snapshot(path: str | Path, *, namespace: str) -> ObservedState:
    """
    Read a file or directory of manifests, and the status written beside it; nothing is written.

    `namespace` is the one whose Secrets are ours.

    Raises:
        ClusterError: Something cannot be read; one line that names file, object and field.
    """
    root = Path(path)
    inventory = _read_manifests(root)
    return _with_records(inventory, StatusFiles(status_directory(root)), namespace=namespace)


def status_directory(path: Path) -> Path:
    """Where status is kept: in the directory of manifests, or beside a single file."""
    return path / "status" if path.is_dir() else path.with_name(f"{path.name}.status")


class DirectoryCluster:
    """
    Plain manifests as a cluster that can be written: the port `Cluster`.

    The manifests themselves are never touched. Methods may be called from several tasks.
    """

    def __init__(self, path: str | Path, *, namespace: str) -> None:
        self._root = Path(path).absolute()
        self._namespace = namespace
        self._status = StatusFiles(status_directory(self._root))
        self._lock = Lock()
        self._manifests: dict[ServiceKey, _Manifest] = {}
        self._written: dict[ServiceKey, tuple[str, str]] = {}
        self._said: dict[ServiceKey, set[tuple[str, str, str]]] = {}

    async def observe(self) -> ObservedState:
        """
        Read everything anew.

        Raises:
            ClusterError: Something cannot be read.
        """
        return await asyncio.to_thread(self._observe)

    def changes(self) -> AsyncIterator[str]:
        """A reason each time somebody else changed the manifests or the status; at the latest after five seconds."""
        return changes_below(self._root, self._status)

    async def apply(self, action: ServiceAction) -> None:
        """
        Write the status of a Service, or log its Event; done once it would survive a crash.

        An Event that was logged since the last write of its Service's status is not logged again.

        Raises:
            Conflict: The manifest or the status is not what the action was decided on.
            ClusterError: The status cannot be written.
        """
        await asyncio.to_thread(self._apply, action)

    async def secret(self, name: str) -> bytes:
        """
        Look up the password in a Secret of our own namespace; nothing of it is kept.

        Raises:
            ClusterError: No manifest holds it.
        """
        return await asyncio.to_thread(self._secret, f"{self._namespace}/{name}")

    def _observe(self) -> ObservedState:
        with self._lock:
            inventory = self._read_manifests()
        return _with_records(inventory, self._status, namespace=self._namespace)

    def _read_manifests(self) -> Inventory:
        fingerprints: dict[str, _Fingerprint | None] = {}
        inventory = _read_manifests(self._root, fingerprints)
        self._manifests = {
            key: _Manifest(Path(file), fingerprints[file], version)
            for key, (file, version) in inventory.versions().items()
        }
        return inventory

    def _apply(self, action: ServiceAction) -> None:
        with self._lock, self._status.locked():
            match action:
                case RecordEvent():
                    self._record_event(action)
                case ClearAddresses(service=key):
                    self._write(key, action.resource_version, None, ())
                case AssignAddresses(service=key, pool=pool, addresses=addresses):
                    self._write(key, action.resource_version, pool, addresses)
                case _:
                    assert_never(action)

    def _write(self, key: ServiceKey, decided_on: str, pool: str | None, addresses: tuple[Address, ...]) -> None:
        version = self._manifest_version(key)
        record = self._status.record(key)
        generation = record.generation if record else 0
        now = version_of(version, record)
        # The second action of one plan was decided on the same version as the first, our own latest write.
        if now != decided_on and self._written.get(key) != (decided_on, now):
            raise Conflict(f'Service "{key}" is at version {now}, but version {decided_on} was looked at')
        written = status_record(pool, addresses, generation=generation + 1)
        self._status.write(key, written)
        self._written[key] = (decided_on, version_of(version, written))
        self._said.pop(key, None)

    def _manifest_version(self, key: ServiceKey) -> str:
        """The version of a Service in its manifest, which is read again only if its file changed."""
        manifest = self._manifests.get(key)
        if manifest is None or _fingerprint(manifest.file) != manifest.fingerprint:
            self._read_manifests()
            manifest = self._manifests.get(key)
        if manifest is None:
            raise Conflict(f'Service "{key}" is not there any more')
        return manifest.version

    def _record_event(self, event: RecordEvent) -> None:
        said = self._said.setdefault(event.service, set())
        fact = (event.type, event.reason, event.message)
        if fact not in said:
            self._status.append(event)
            said.add(fact)

    def _secret(self, key: str) -> bytes:
        for file in manifest_files(self._root, leave_out=self._status.root):
            for found in objects_of(file):
                if (password := password_of(found, key)) is not None:
                    return password
        raise ClusterError(f'{self._root}: no Secret "{key}" with a password')


_Fingerprint = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Manifest:
    """Where a Service was read, what its file was then, and the version it had."""

    file: Path
    fingerprint: _Fingerprint | None
    version: str


def _fingerprint(file: Path) -> _Fingerprint | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_ctime_ns, stat.st_size


def _read_manifests(root: Path, fingerprints: dict[str, _Fingerprint | None] | None = None) -> Inventory:
    """All manifests; `fingerprints` is told what each file was just before it was read."""
    inventory = Inventory()
    with _collector_paused():
        for file in manifest_files(root, leave_out=status_directory(root)):
            if fingerprints is not None:
                fingerprints[str(file)] = _fingerprint(file)
            for found in objects_of(file):
                inventory.add(found)
    return inventory


def _with_records(inventory: Inventory, status: StatusFiles, *, namespace: str) -> ObservedState:
    for key, record in status.records():
        inventory.record_status(key, record)
    return inventory.observed(namespace=namespace)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Nothing that is read here is garbage, and looking for some takes as long as reading."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
