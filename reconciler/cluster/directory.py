"""A cluster of plain manifests: read, watched, and with status written back. See docs/offline-cluster.md."""

import asyncio
import gc
from collections.abc import AsyncIterator, Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TypeVar

from reconciler.cluster.api_object import ApiObject
from reconciler.cluster.inventory import Inventory, version_of
from reconciler.cluster.known import made_of_known
from reconciler.cluster.manifests import manifest_files, objects_of
from reconciler.cluster.objects import password_of
from reconciler.cluster.port import ClusterError, Conflict
from reconciler.cluster.status_files import StatusFiles, time_of_day
from reconciler.cluster.status_records import after, stated, stated_in
from reconciler.cluster.watching import changes_below
from reconciler.model.observed import Endpoint, ObservedState, ServiceKey
from reconciler.plan.actions import RecordEvent, ServiceAction, StatusWrite


def read_snapshot(path: str | Path, *, namespace: str) -> ObservedState:
    """
    Read a file or directory of manifests, and the status written beside it; nothing is written.

    `namespace` is the one whose Secrets are ours.

    Raises:
        ClusterError: Something cannot be read; one line that names file, object and field.
    """
    root = Path(path)
    inventory = Inventory()
    with _collector_paused():
        for found in _objects(root, {}):
            inventory.add(found)
    return _with_records(inventory, StatusFiles(status_directory(root)), namespace=namespace)


def status_directory(path: Path) -> Path:
    """Where status is kept: in the directory of manifests, or beside a single file."""
    return path / "status" if path.is_dir() else path.with_name(f"{path.name}.status")


class DirectoryCluster:
    """
    Plain manifests as a cluster that can be written: the port `Cluster`.

    The manifests themselves are never touched. Methods may be called from several tasks.
    """

    def __init__(self, path: str | Path, *, namespace: str, repeats_events: bool = False) -> None:
        """`repeats_events`: log an Event also where it was said before since the last write of its Service."""
        self._root = Path(path).absolute()
        self._repeats_events = repeats_events
        self._namespace = namespace
        self._status = StatusFiles(status_directory(self._root))
        self._lock = Lock()
        self._manifests: dict[ServiceKey, _Manifest] = {}
        self._written: dict[ServiceKey, tuple[str, str]] = {}
        self._said: dict[ServiceKey, set[tuple[str, str, str]]] = {}
        self._known = ObservedState()

    async def observe(self) -> ObservedState:
        """
        Read everything anew; what has not changed since the last look is the same object.

        Raises:
            ClusterError: Something cannot be read.
        """
        return await asyncio.to_thread(self._observe)

    async def endpoints(self) -> Mapping[ServiceKey, tuple[Endpoint, ...]]:
        """
        The endpoints of all Services.

        Raises:
            ClusterError: Something cannot be read.
        """
        return (await self.observe()).endpoints

    async def catch_up(self) -> None:
        """Nothing to do: every look reads the files."""

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
            found = _with_records(self._read_manifests(), self._status, namespace=self._namespace)
            self._known = made_of_known(found, self._known)
            return self._known

    def _read_manifests(self) -> Inventory:
        inventory = Inventory()
        fingerprints: dict[str, _Fingerprint | None] = {}
        statuses: dict[ServiceKey, bytes] = {}
        with _collector_paused():
            for found in _objects(self._root, fingerprints):
                inventory.add(found)
                if found.kind == "Service" and (status := stated_in(found)):
                    statuses.update([status])
        self._manifests = {
            key: _Manifest(
                Path(file), fingerprints[file], service.resource_version, service.allocated_pool, statuses.get(key)
            )
            for key, (file, service) in inventory.manifests().items()
        }
        self._written = _of_those(self._written, self._manifests)
        self._said = _of_those(self._said, self._manifests)
        return inventory

    def _apply(self, action: ServiceAction) -> None:
        with self._lock, self._status.locked():
            if isinstance(action, RecordEvent):
                self._record_event(action)
            else:
                self._write(action)

    def _write(self, action: StatusWrite) -> None:
        key, decided_on = action.service, action.resource_version
        manifest = self._manifest(key)
        record = self._status.stated(key)
        now = version_of(manifest.version, record.generation if record else 0)
        # The second action of one plan was decided on the same version as the first, our own latest write.
        if now != decided_on and self._written.get(key) != (decided_on, now):
            raise Conflict(f'Service "{key}" is at version {now}, but version {decided_on} was looked at')
        written = after(action, record, stated(manifest.status, manifest.pool), now=time_of_day())
        self._status.write(key, written)
        self._written[key] = (decided_on, version_of(manifest.version, written.generation))
        self._said.pop(key, None)

    def _manifest(self, key: ServiceKey) -> "_Manifest":
        """What the manifest of a Service says, which is read again only if its file changed."""
        manifest = self._manifests.get(key)
        if manifest is None or _fingerprint(manifest.file) != manifest.fingerprint:
            self._read_manifests()
            manifest = self._manifests.get(key)
        if manifest is None:
            raise Conflict(f'Service "{key}" is not there any more')
        return manifest

    def _record_event(self, event: RecordEvent) -> None:
        said = self._said.setdefault(event.service, set())
        fact = (event.type, event.reason, event.message)
        if self._repeats_events or fact not in said:
            self._status.append(event.service, *fact)
        if not self._repeats_events:
            said.add(fact)

    def _secret(self, key: str) -> bytes:
        for file in manifest_files(self._root, leave_out=self._status.root):
            for found in objects_of(file):
                if (password := password_of(found, key)) is not None:
                    return password
        raise ClusterError(f'{self._root}: no Secret "{key}" with a password')


_Fingerprint = tuple[int, int, int]
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class _Manifest:
    """
    Where a Service was read, what its file was then, and what it says of the status.

    `status` is its text, None where it says nothing; `pool` is what our annotation names.
    """

    file: Path
    fingerprint: _Fingerprint | None
    version: str
    pool: str | None
    status: bytes | None


def _fingerprint(file: Path) -> _Fingerprint | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_ctime_ns, stat.st_size


def _of_those(remembered: dict[ServiceKey, _Value], there: Container[ServiceKey]) -> dict[ServiceKey, _Value]:
    return {key: value for key, value in remembered.items() if key in there}


def _objects(root: Path, fingerprints: dict[str, _Fingerprint | None]) -> Iterator[ApiObject]:
    """All objects in all manifests; `fingerprints` is told what each file was just before it was read."""
    for file in manifest_files(root, leave_out=status_directory(root)):
        fingerprints[str(file)] = _fingerprint(file)
        yield from objects_of(file)


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
