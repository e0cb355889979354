"""The Lease by which replicas choose their leader, as an object of the API: the port `Leases`."""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from reconciler.cluster.api_errors import NotFound, Unreachable
from reconciler.cluster.connection import Connection
from reconciler.cluster.port import ClusterError, Conflict
from reconciler.membership.lease import LeaseRecord, StoredLease

_LOG = logging.getLogger(__name__)

_MERGE_PATCH = "application/merge-patch+json"
# In seconds; the pause before a watch that ended is opened again, how long the server keeps one open, and for how long
# it may be silent. A Lease that somebody holds is never silent for long.
_PAUSE = 1.0
_WATCH = (300, 600)
_SILENCE = 150.0


class _Spec(msgspec.Struct, frozen=True, rename="camel"):
    """`spec` of a Lease; every field may be absent or null."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str


class _Lease(msgspec.Struct, frozen=True):
    metadata: _Metadata
    spec: _Spec | None = None


class KubernetesLeases:
    """
    One Lease, by its name in our own namespace.

    It is patched, never replaced: labels, owners and fields that we do not know belong to others.
    """

    def __init__(self, connection: Connection, *, namespace: str, name: str, timeout: float = 5.0) -> None:
        """`timeout` bounds each request, in seconds: shorter than the deadline until which a leader has to renew."""
        self._connection = connection
        self._timeout = timeout
        self._namespace = namespace
        self._name = name
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"

    async def read(self) -> StoredLease | None:
        """
        The record as it stands, None when there is none.

        Raises:
            ClusterError: It could not be read.
        """
        try:
            raw = await self._request("GET", f"{self._collection}/{self._name}")
        except NotFound:
            return None
        return self._stored(raw)

    async def write(self, record: LeaseRecord, replaces: StoredLease | None) -> StoredLease:
        """
        Create the record, or replace exactly the one that was read.

        Raises:
            Conflict: Somebody else wrote meanwhile, or deleted the record.
            ClusterError: It could not be written, or that is not known.
        """
        if replaces is None:
            return self._stored(await self._create(record))
        body = {"metadata": {"resourceVersion": replaces.version}, "spec": _spec(record)}
        path = f"{self._collection}/{self._name}"
        try:
            return self._stored(await self._send("PATCH", path, body, _MERGE_PATCH))
        except NotFound as exc:
            raise Conflict(f'Lease "{self._namespace}/{self._name}" is not there any more') from exc

    async def changes(self) -> AsyncGenerator[None, None]:
        """Tells each time the record may have changed, also whenever the watch was opened anew; never ends."""
        is_watched = True
        while True:
            try:
                async with aclosing(self._watch()) as lines:
                    async for _ in lines:
                        is_watched = True
                        yield
            except ClusterError as error:
                if is_watched:
                    _LOG.info('Lease "%s/%s" is not watched: %s', self._namespace, self._name, error)
                is_watched = False
            await asyncio.sleep(_PAUSE)
            yield

    def _watch(self) -> AsyncGenerator[bytes, None]:
        # Without a version the server begins with what there is. Whatever a line says, it is a reason to read.
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={self._name}",
            "timeoutSeconds": str(random.randint(*_WATCH)),  # noqa: S311 - spreads load, guards nothing
        }
        return self._connection.lines(self._collection, query=query, idle_timeout=_SILENCE)

    async def _create(self, record: LeaseRecord) -> bytes:
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": _spec(record),
        }
        try:
            return await self._send("POST", self._collection, body, "application/json")
        except NotFound as exc:
            raise ClusterError(f'there is no namespace "{self._namespace}" for the Lease "{self._name}"') from exc

    async def _send(self, method: str, path: str, body: object, content_type: str) -> bytes:
        return await self._request(method, path, msgspec.json.encode(body), content_type)

    async def _request(
        self, method: str, path: str, body: bytes | None = None, content_type: str = "application/json"
    ) -> bytes:
        """Ahead of all that waits, and bounded as a whole: without the Lease nothing else may be written."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._connection.request(
                    method, path, body=body, content_type=content_type, timeout=self._timeout, urgent=True
                )
        except TimeoutError as exc:
            raise Unreachable(f'Lease "{self._namespace}/{self._name}": no answer in {self._timeout:g} s') from exc

    def _stored(self, raw: bytes) -> StoredLease:
        try:
            lease = _LEASE.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise ClusterError(f'Lease "{self._namespace}/{self._name}": {exc}') from exc
        spec = lease.spec or _Spec()
        record = LeaseRecord(
            holder=spec.holder_identity or "",
            duration=spec.lease_duration_seconds or 0,
            acquired_at=spec.acquire_time or "",
            renewed_at=spec.renew_time or "",
            transitions=spec.lease_transitions or 0,
        )
        return StoredLease(record, lease.metadata.resource_version)


def _spec(record: LeaseRecord) -> _Spec:
    return _Spec(
        holder_identity=record.holder,
        lease_duration_seconds=record.duration,
        acquire_time=record.acquired_at or None,
        renew_time=record.renewed_at or None,
        lease_transitions=record.transitions,
    )


_LEASE = msgspec.json.Decoder(_Lease)
