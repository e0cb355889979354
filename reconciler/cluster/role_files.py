"""
How a role shows itself where the cluster is a directory: its status document, its Events, and its lock.

The key that speakers share is kept there as well.
"""

import asyncio
import fcntl
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from reconciler.cluster.directory import status_directory
from reconciler.cluster.port import MEMBERSHIP_KEY_OCTETS, ClusterError
from reconciler.cluster.status_files import StatusFiles

_LOG = logging.getLogger(__name__)


class RoleFiles:
    """The ports `StatusBoard` and `Herald` beside a file or directory of manifests."""

    def __init__(self, path: str | Path) -> None:
        self._files = StatusFiles(status_directory(Path(path).absolute()))

    async def published(self, name: str) -> bytes | None:
        """
        The document of that name, None when there is none.

        Raises:
            ClusterError: It could not be read.
        """
        return await asyncio.to_thread(self._files.document, name)

    async def publish(self, name: str, document: bytes) -> None:
        """
        Replace the document; nothing is written when it says the same already.

        Raises:
            ClusterError: It could not be written.
        """
        await asyncio.to_thread(self._publish, name, document)

    async def announce(self, type: str, reason: str, message: str) -> None:  # noqa: A002 - the word of the API
        """Add an Event that is about no Service to the log of Events; a failure is only logged."""
        try:
            await asyncio.to_thread(self._announce, type, reason, message)
        except ClusterError as error:
            _LOG.warning("an Event could not be recorded: %s", error)

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """
        Keep a second process of that name away for as long as this lasts; the kernel ends it with the process.

        Raises:
            ClusterError: There is one already, or the lock cannot be made.
        """
        lock = self._lock(name)
        try:
            yield
        finally:
            lock.close()

    def _lock(self, name: str) -> BinaryIO:
        path = self._files.root / f".{quote(name, safe='')}.lock"
        try:
            path.parent.mkdir(exist_ok=True)
            lock = path.open("ab")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                raise
        except BlockingIOError as exc:
            raise ClusterError(f"{path}: another {name} is at work here: stop one of the two") from exc
        except OSError as exc:
            raise ClusterError(f"{exc.filename or path}: cannot be locked: {exc.strerror}") from exc
        return lock

    def _publish(self, name: str, document: bytes) -> None:
        if self._files.document(name) != document:
            with self._files.locked():
                self._files.write_document(name, document)

    def _announce(self, kind: str, reason: str, message: str) -> None:
        with self._files.locked():
            self._files.append(None, kind, reason, message)


class MembershipKeyFile:
    """The port `MembershipKeys` beside manifests: a file of 32 octets that only our own user may read."""

    def __init__(self, path: str | Path, *, name: str = "membership-key") -> None:
        self._files = StatusFiles(status_directory(Path(path).absolute()))
        self._name = name

    async def membership_key(self) -> bytes | None:
        """
        The key, None when nobody has made it yet.

        Raises:
            ClusterError: It cannot be read, or has another size.
        """
        return await asyncio.to_thread(self._read)

    async def ensure_membership_key(self) -> bytes:
        """
        The key; whoever comes first makes it, of random octets.

        Raises:
            ClusterError: It cannot be read or written, or has another size.
        """
        return await asyncio.to_thread(self._ensure)

    def _ensure(self) -> bytes:
        found = self._read()
        if found is not None:
            return found
        with self._files.locked():
            found = self._read()
            if found is None:
                found = secrets.token_bytes(MEMBERSHIP_KEY_OCTETS)
                self._files.write_secret(self._name, found)
            return found

    def _read(self) -> bytes | None:
        key = self._files.secret(self._name)
        if key is not None and len(key) != MEMBERSHIP_KEY_OCTETS:
            raise ClusterError(
                f"{self._files.root / self._name}: {len(key)} octets instead of {MEMBERSHIP_KEY_OCTETS}: "
                "delete it, and a new one is made; speakers that run keep the former key until they are restarted"
            )
        return key
