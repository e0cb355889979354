"""The state of a role as a ConfigMap that everybody may read: the port `StatusBoard`."""

import logging
import time
from collections.abc import Callable

import msgspec

from reconciler.cluster import wire
from reconciler.cluster.api_errors import ApiError, NotFound
from reconciler.cluster.connection import Connection
from reconciler.cluster.port import ClusterError, NotLeading

_LOG = logging.getLogger(__name__)
_KEY = "status.json"
_LABELS = {"app.kubernetes.io/name": "lb-reconciler", "app.kubernetes.io/component": "status"}
_MERGE_PATCH = "application/merge-patch+json"
_FORBIDDEN = 403
# In seconds.
_TIMEOUT = 10.0
# For how many seconds we trust that what we wrote still stands; somebody may have deleted it.
_TRUST = 60.0


class _Document(msgspec.Struct, frozen=True):
    status: str | None = msgspec.field(name=_KEY, default=None)


class _ConfigMap(msgspec.Struct, frozen=True):
    data: _Document | None = None


class StatusConfigMaps:
    """ConfigMaps in the namespace of status, one for each name, each with the document under the key `status.json`."""

    def __init__(
        self,
        connection: Connection,
        *,
        namespace: str,
        node: str | None = None,
        may_write: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`node`: whose speaker this is; what is created here is collected as garbage when its Node is gone."""
        self._node = node
        self._connection = connection
        self._namespace = namespace
        self._may_write = may_write
        self._clock = clock
        self._standing: dict[str, tuple[bytes, float]] = {}

    async def published(self, name: str) -> bytes | None:
        """
        The document as it stands, None when there is none.

        Raises:
            ClusterError: It could not be read.
        """
        found = await self._read(name)
        return found.data.status.encode() if found and found.data and found.data.status is not None else None

    async def publish(self, name: str, document: bytes) -> None:
        """
        Replace the document, create its ConfigMap where there is none, and write nothing where it says the same.

        Raises:
            NotLeading: We may not write any more.
            ClusterError: It could not be written; the document is no UTF-8.
        """
        standing, since = self._standing.get(name, (None, 0.0))
        if standing == document and self._clock() - since < _TRUST:
            return
        # Read where we do not know what stands there: after a start, and now and then.
        if standing is None or standing == document:
            standing = await self.published(name)
        if standing != document:
            self._standing.pop(name, None)
            await self._replace(name, document)
        self._standing[name] = (document, self._clock())

    async def _read(self, name: str) -> _ConfigMap | None:
        try:
            return _CONFIG_MAP.decode(await self._connection.request("GET", self._path(name), timeout=_TIMEOUT))
        except NotFound:
            return None
        except msgspec.DecodeError as exc:
            raise ClusterError(f'ConfigMap "{self._namespace}/{name}": {exc}') from exc
        except ApiError as exc:
            raise self._explained(exc, "get") from exc

    async def _replace(self, name: str, document: bytes) -> None:
        try:
            text = document.decode()
        except UnicodeDecodeError as exc:
            raise ClusterError(f'ConfigMap "{self._namespace}/{name}": the document is no UTF-8: {exc}') from exc
        body = {"metadata": {"labels": _LABELS}, "data": {_KEY: text}}
        try:
            await self._send("PATCH", self._path(name), body, _MERGE_PATCH)
        except NotFound:
            await self._create(name, text)
        except ApiError as exc:
            raise self._explained(exc, "patch") from exc

    async def _create(self, name: str, text: str) -> None:
        metadata = {"name": name, "labels": _LABELS, "ownerReferences": await self._owners()}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {_KEY: text}}
        try:
            await self._send("POST", self._path(), body, "application/json")
        except NotFound as exc:
            message = f'there is no namespace "{self._namespace}" for the status: create it, the manifests have one'
            raise ClusterError(message) from exc
        except ApiError as exc:
            raise self._explained(exc, "create") from exc

    async def _owners(self) -> list[dict[str, str]]:
        """The Node, where there is one and we may know it: without an owner the document outlives it, and no more."""
        if self._node is None:
            return []
        try:
            raw = await self._connection.request("GET", f"/api/v1/nodes/{self._node}", timeout=_TIMEOUT)
            uid = _OBJECT.decode(raw).metadata.uid or ""
        except (ClusterError, msgspec.DecodeError) as error:
            _LOG.info("the status of node %s outlives it: %s", self._node, error)
            return []
        return [{"apiVersion": "v1", "kind": "Node", "name": self._node, "uid": uid}]

    async def _send(self, method: str, path: str, body: object, content_type: str) -> None:
        await self._connection.request(
            method,
            path,
            body=msgspec.json.encode(body),
            content_type=content_type,
            timeout=_TIMEOUT,
            before_send=self._check_leading,
        )

    def _check_leading(self) -> None:
        if not self._may_write():
            raise NotLeading("another process may be writing the status by now")

    def _path(self, name: str = "") -> str:
        path = f"/api/v1/namespaces/{self._namespace}/configmaps"
        return f"{path}/{name}" if name else path

    def _explained(self, error: ApiError, verb: str) -> ClusterError:
        """What to do about it, where we know."""
        if error.status != _FORBIDDEN:
            return error
        return ClusterError(
            f'no right to {verb} ConfigMaps in namespace "{self._namespace}" '
            f"(get, create and patch are needed there): {error}"
        )


class _Object(msgspec.Struct, gc=False):
    metadata: wire.Metadata


_OBJECT = msgspec.json.Decoder(_Object)
_CONFIG_MAP = msgspec.json.Decoder(_ConfigMap)
