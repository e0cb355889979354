"""Notice that manifests, or the status beside them, were changed by somebody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from reconciler.cluster.manifests import manifest_directories, manifest_files
from reconciler.cluster.notification import Notification
from reconciler.cluster.port import ClusterError
from reconciler.cluster.status_files import StatusFiles

# Links that are swapped inside a watched directory, directories filled before they could be watched and file systems
# without notification are found by looking again after so many seconds.
LOOK_AGAIN = 5.0


async def changes_below(root: Path, status: StatusFiles, *, look_again: float = LOOK_AGAIN) -> AsyncIterator[str]:
    """
    A reason each time the manifests or the status may have changed; our own writes of status are none.

    The first comes at once: what was changed after the manifests were read, and before the call, would be missed. Never
    ends: what cannot be watched, or is missing, is looked at again every `look_again` seconds. `root` is absolute.
    """
    notification = Notification(str(root), look_again=look_again)
    seen = await asyncio.to_thread(_look, root, status)
    yield f"{root} is watched from now on"
    while True:
        stop = asyncio.Event()
        async with aclosing(notification.batches(seen.watched, stop)) as batches:
            async for touched in batches:
                before, seen = seen, await asyncio.to_thread(_look, root, status)
                if reason := _reason(touched, before, seen, status):
                    yield reason
                if seen.directories != before.directories:
                    break
            else:
                before, seen = seen, await asyncio.to_thread(_look, root, status)
                if reason := _reason(frozenset(), before, seen, status):
                    yield reason


@dataclass(frozen=True, slots=True)
class _Look:
    """What is there: a fingerprint of every manifest and every record, and every directory with its inode."""

    files: frozenset[tuple[Path, int, int, int]]
    records: frozenset[tuple[Path, int, int, int]]
    directories: frozenset[tuple[Path, int]]

    @property
    def watched(self) -> list[Path]:
        return sorted(path for path, _ in self.directories)


def _look(root: Path, status: StatusFiles) -> _Look:
    files: set[tuple[Path, int, int, int]] = set()
    records: set[tuple[Path, int, int, int]] = set()
    directories: set[tuple[Path, int]] = set()
    try:
        for path in manifest_files(root, leave_out=status.root):
            files.add(_fingerprint(path))
    except (OSError, ClusterError):
        pass  # It is being changed at this moment, or gone: the next look is different again.
    try:
        # Those in a directory that was not watched yet when they were written show nowhere else.
        for directory in status.directories():
            records.update(_fingerprint(path) for path in directory.iterdir() if status.is_record(path))
    except OSError:
        pass
    try:
        # The parent tells when the root itself is replaced.
        directories.add((root.parent, root.parent.stat().st_ino))
        for path in (*manifest_directories(root, leave_out=status.root), *status.directories()):
            directories.add((path, path.stat().st_ino))
    except OSError:
        pass
    return _Look(frozenset(files), frozenset(records), frozenset(directories))


def _fingerprint(path: Path) -> tuple[Path, int, int, int]:
    stat = path.stat()
    return path, stat.st_ino, stat.st_ctime_ns, stat.st_size


def _reason(touched: frozenset[Path], before: _Look, now: _Look, status: StatusFiles) -> str | None:
    manifests = {path for path, *_ in before.files | now.files}
    if changed := manifests & touched:
        # Also when the fingerprint is the same: clocks of file systems are coarse.
        return f"{min(changed)} changed"
    if changed_files := before.files ^ now.files:
        return f"{min(changed_files)[0]} changed"
    written = touched | {path for path, *_ in before.records ^ now.records}
    records = [path for path in written if status.is_record(path) and not status.is_own_write(path)]
    return f"{min(records)} changed" if records else None
