"""
Notice that configuration files may have changed, whatever way they are replaced.

Directories are watched, never files: a mounted ConfigMap, a git-sync checkout and most editors replace what they
change, and a watch on the old thing then stays silent for ever. What no notification tells (a mount that appears, a
network file system, a subPath) is found by looking again every second.
"""

import asyncio
import os
import stat
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from reconciler.cluster.notification import Notification
from reconciler.config.tree import descriptor_of, is_configuration

LOOK_AGAIN = 1.0
# Looking without being told to may take one part in so many of the time.
_SHARE = 50

_Signature: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Look:
    """
    What is there, without reading any file.

    `directories` has the device and inode of each one to watch, `entries` what changes when a file that may be
    configuration, or a link, does.
    """

    directories: dict[Path, _Signature]
    entries: dict[Path, _Signature]


class FileChanges:
    """Watches where the files of a configuration are, and the way to them."""

    def __init__(self, paths: Sequence[str], *, look_again: float = LOOK_AGAIN) -> None:
        """
        Args:
            paths: As they were given on the command line. They need not exist; streams are left out.
            look_again: How often everything is looked at without being told to, in seconds.
        """
        self._roots = tuple(_absolute(path) for path in paths if path != "-" and descriptor_of(path) is None)
        self._directories: frozenset[Path] = frozenset()
        self._notification = Notification("the configuration", look_again=look_again)
        self._stop = asyncio.Event()

    def watch(self, directories: Iterable[str]) -> None:
        """From now on these are watched, in place of those given here before: where the last look found files."""
        wanted = frozenset(map(Path, directories))
        if wanted != self._directories:
            self._directories = wanted
            self._stop.set()

    async def reasons(self) -> AsyncIterator[str]:
        """
        A reason each time something may have changed; never ends.

        The first comes at once: what was changed after the files were read, and before the call, would be missed.
        """
        seen = await asyncio.to_thread(self._look)
        yield "the configuration is watched from now on"
        while True:
            self._stop = asyncio.Event()
            batches = self._notification.batches(seen.directories.keys(), self._stop)
            # Between the last look and a watch that stands everything may have happened.
            rested_until = 0.0
            async with aclosing(batches):
                async for touched in batches:
                    began = time.monotonic()
                    if not touched and began < rested_until:
                        continue
                    before, seen = seen, await asyncio.to_thread(self._look)
                    now = time.monotonic()
                    rested_until = now + _SHARE * (now - began)
                    if changed := _changed(before, seen, touched):
                        yield f"{changed} changed"
                    if seen.directories != before.directories:
                        break
                else:
                    before, seen = seen, await asyncio.to_thread(self._look)
                    if changed := _changed(before, seen, frozenset()):
                        yield f"{changed} changed"

    def _look(self) -> _Look:
        directories: dict[Path, _Signature] = {}
        entries: dict[Path, _Signature] = {}
        for directory in {*self._directories, *self._ways()}:
            try:
                info = directory.stat()
                if stat.S_ISDIR(info.st_mode):
                    entries.update(_entries(directory))
                    directories[directory] = (info.st_dev, info.st_ino)
            except OSError:
                # Gone, or not ours to read: nothing can be watched there.
                continue
        return _Look(directories, entries)

    def _ways(self) -> Iterator[Path]:
        """Each root, the directory it is in, and as much as there is of the way to it, also through links."""
        for root in self._roots:
            for place in {root, Path(os.path.realpath(root))}:
                yield from (place, place.parent)
                yield next((parent for parent in place.parents if os.path.isdir(parent)), place)  # noqa: PTH112 - never raises


def _absolute(path: str) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - `resolve` would follow links


def _entries(directory: Path) -> Iterator[tuple[Path, _Signature]]:
    with os.scandir(directory) as found:
        for entry in found:
            # `..data` leads to what a ConfigMap holds now; other names with a dot are never read.
            if entry.name.startswith(".") and not entry.name.startswith(".."):
                continue
            try:
                if entry.is_symlink():
                    yield directory / entry.name, (*_signature(entry.stat(follow_symlinks=False)), *_target(entry))
                elif is_configuration(entry.name):
                    yield directory / entry.name, _signature(entry.stat())
            except OSError:
                continue


def _target(link: os.DirEntry[str]) -> _Signature:
    """What changes when that which a link leads to does; nothing where it leads nowhere."""
    try:
        info = link.stat()
    except OSError:
        return ()
    return (info.st_dev, info.st_ino) if stat.S_ISDIR(info.st_mode) else _signature(info)


def _signature(info: os.stat_result) -> _Signature:
    return info.st_dev, info.st_ino, info.st_mode, info.st_size, info.st_mtime_ns, info.st_ctime_ns


def _changed(before: _Look, now: _Look, touched: frozenset[Path]) -> Path | None:
    """One path that differs, or was touched though it looks the same: the clocks of file systems are coarse."""
    names = {path.name for path in now.entries}
    different = {path for path, _ in before.entries.items() ^ now.entries.items()}
    moved = {path for path, _ in before.directories.items() ^ now.directories.items()}
    return min((*different, *(path for path in touched if path.name in names)), default=min(moved, default=None))
