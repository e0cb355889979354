"""A live cluster read once, for commands that look and end; nothing is watched and nothing written."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import msgspec

from reconciler.cluster import wire
from reconciler.cluster.api_errors import ApiError, one_line
from reconciler.cluster.api_object import ApiObject, Place, decode
from reconciler.cluster.connection import Connection
from reconciler.cluster.inventory import Inventory
from reconciler.cluster.listing import pages
from reconciler.cluster.port import ClusterError
from reconciler.cluster.trimming import Trimmed, snapshot_lines
from reconciler.model.observed import ObservedState

# What every cluster has, and everybody who runs `diff` has to be allowed to list.
_PATHS = {
    "Service": "/api/v1/services",
    "Node": "/api/v1/nodes",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/endpointslices",
    "Namespace": "/api/v1/namespaces",
}
# As large as one answer may be without holding up everybody else of the API server.
_PAGE_SIZE = 500
_FORBIDDEN = 403
_STATUS_CONFIG_MAPS = "lb-reconciler-status-"
_LEASE_NAMES = "lb-reconciler-controller"


@dataclass(frozen=True, slots=True)
class Target:
    """Which live cluster: that of the kubeconfig and context, or else the one that this process runs in."""

    kubeconfig: str | None = None
    context: str | None = None


class _Sink(Protocol):
    def add(self, found: ApiObject) -> None: ...


_Filled = TypeVar("_Filled", bound=_Sink)


def observe_live(target: Target, *, namespace: str) -> ObservedState:
    """
    Read everything that a decision may depend on.

    `namespace` is the one whose Secrets are ours. Where they may not be listed, nothing is known of them.

    Raises:
        ClusterError: The cluster cannot be reached, or does not let us read; one line.
    """

    async def observe() -> ObservedState:
        async with _connected(target) as connection:
            return await read_live(connection, namespace=namespace, secrets=True)

    return asyncio.run(observe())


def save_live(target: Target) -> Iterable[bytes]:
    """
    The lines of a file that `--cluster dir:FILE` reads as this cluster; no Secret is asked for.

    Raises:
        ClusterError: The cluster cannot be reached, or does not let us read; one line.
    """

    async def save() -> Iterable[bytes]:
        async with _connected(target) as connection:
            read = (_read(connection, kind, path, Trimmed) for kind, path in _PATHS.items())
            return snapshot_lines(await _all_of(*read))

    return asyncio.run(save())


class LeaseSeen(msgspec.Struct, frozen=True):
    """A Lease of ours: who holds it, empty for nobody, when that was said last, and for how many seconds it counts."""

    name: str
    holder: str
    renewed_at: datetime | None
    duration: int


class Roles(msgspec.Struct, frozen=True):
    """
    What the roles of this program say of themselves.

    `documents` are those that were published, by name; `leases` is None where they may not be listed.
    """

    documents: Mapping[str, bytes]
    leases: tuple[LeaseSeen, ...] | None = None


def look_live(target: Target, *, namespace: str) -> tuple[ObservedState, Roles]:
    """
    Read the Services, and what the roles of this program have published beside `namespace`, which is our own.

    Raises:
        ClusterError: The cluster cannot be reached, or does not let us read; one line.
    """

    async def look() -> tuple[ObservedState, Roles]:
        async with _connected(target) as connection:
            services = _read(connection, "Service", _PATHS["Service"], Inventory)
            published = _documents(connection, f"{namespace}-status")
            leases = _read(connection, "Lease", _path_in("/apis/coordination.k8s.io/v1", namespace, "leases"), _Leases)
            inventory, documents, held = await asyncio.gather(services, published, _if_allowed(leases))
            roles = Roles(documents.found, tuple(held.found) if held else None)
            return inventory.observed(namespace=namespace), roles

    return asyncio.run(look())


def published_live(target: Target, *, namespace: str) -> Mapping[str, bytes]:
    """
    What the roles of this program have published beside `namespace`, our own, by name; nothing where we may not ask.

    Raises:
        ClusterError: The cluster cannot be reached, or what it answers is no list; one line.
    """

    async def look() -> Mapping[str, bytes]:
        async with _connected(target) as connection:
            found = await _if_allowed(_documents(connection, f"{namespace}-status"))
            return found.found if found else {}

    return asyncio.run(look())


async def read_live(
    connection: Connection, *, namespace: str, secrets: bool, page_size: int = _PAGE_SIZE
) -> ObservedState:
    """
    Read Services, EndpointSlices, Nodes, Namespaces and, with `secrets`, the Secrets of that namespace.

    The secrets of the result are None where they were not asked for or may not be listed.

    Raises:
        ClusterError: A list cannot be read, or an object in it; one line.
    """
    lists = _all_of(*(_read(connection, kind, path, Inventory, page_size) for kind, path in _PATHS.items()))
    own = _path_in("/api/v1", namespace, "secrets")
    known = _if_allowed(_read(connection, "Secret", own, Inventory, page_size)) if secrets else _nothing()
    found, ours = await asyncio.gather(lists, known)
    services, nodes, endpoints, namespaces = (inventory.observed(namespace=namespace) for inventory in found)
    return ObservedState(
        services=services.services,
        endpoints=endpoints.endpoints,
        nodes=nodes.nodes,
        namespaces=namespaces.namespaces,
        secrets=None if ours is None else ours.observed(namespace=namespace).secrets or {},
    )


async def read_documents(connection: Connection, *, namespace: str) -> Mapping[str, bytes]:
    """
    What the roles of this program have published in that namespace of status, by name.

    Raises:
        ClusterError: It cannot be read, or may not be; one line.
    """
    return (await _documents(connection, namespace)).found


async def _documents(connection: Connection, namespace: str) -> "_Documents":
    return await _read(connection, "ConfigMap", _path_in("/api/v1", namespace, "configmaps"), _Documents)


async def _if_allowed(reading: Awaitable[_Filled]) -> _Filled | None:
    """None where there is no right to read it."""
    try:
        return await reading
    except ApiError as error:
        if error.status != _FORBIDDEN:
            raise
        return None


async def _nothing() -> None:
    return None


async def _read(
    connection: Connection, kind: str, path: str, begin: Callable[[], _Filled], page_size: int = _PAGE_SIZE
) -> _Filled:
    """One list into a new sink; into another new one when the list has to start again."""
    place = Place(connection.server)
    filled = begin()
    async with aclosing(pages(connection, path, limit=page_size)) as found:
        async for page in found:
            if page.first:
                filled = begin()
            for raw in _items(page.raw, path, connection):
                filled.add(ApiObject(raw, kind, place))
    return filled


def _items(raw: bytes, path: str, connection: Connection) -> list[msgspec.Raw]:
    try:
        return _LIST.decode(raw).items or []
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise ClusterError(f"GET {path} at {connection.server}: not a list: {one_line(str(exc))}") from exc


class _Documents:
    """The documents in ConfigMaps of status; others in that namespace are left alone."""

    def __init__(self) -> None:
        self.found: dict[str, bytes] = {}

    def add(self, found: ApiObject) -> None:
        config_map = decode(found, _CONFIG_MAP)
        name, data = config_map.metadata.name, config_map.data
        if name.startswith(_STATUS_CONFIG_MAPS) and data and data.status is not None:
            self.found[name] = data.status.encode()


class _Leases:
    """The Leases of our controllers; others in our namespace are left alone."""

    def __init__(self) -> None:
        self.found: list[LeaseSeen] = []

    def add(self, found: ApiObject) -> None:
        lease = decode(found, _LEASE)
        spec = lease.spec or _LeaseSpec()
        if lease.metadata.name.startswith(_LEASE_NAMES):
            seen = LeaseSeen(
                lease.metadata.name, spec.holder_identity or "", spec.renew_time, spec.lease_duration_seconds or 0
            )
            self.found.append(seen)


class _Document(msgspec.Struct, gc=False):
    status: str | None = msgspec.field(name="status.json", default=None)


class _ConfigMap(msgspec.Struct, gc=False):
    metadata: wire.Metadata
    data: _Document | None = None


class _LeaseSpec(msgspec.Struct, gc=False, rename="camel"):
    holder_identity: str | None = None
    renew_time: datetime | None = None
    lease_duration_seconds: int | None = None


class _Lease(msgspec.Struct, gc=False):
    metadata: wire.Metadata
    spec: _LeaseSpec | None = None


async def _all_of(*reading: Coroutine[Any, Any, _Filled]) -> list[_Filled]:
    return await asyncio.gather(*reading)


def _path_in(group: str, namespace: str, resource: str) -> str:
    return f"{group}/namespaces/{quote(namespace, safe='')}/{resource}"


@asynccontextmanager
async def _connected(target: Target) -> AsyncIterator[Connection]:
    connection = await Connection.open(kubeconfig=target.kubeconfig, context=target.context)
    try:
        yield connection
    finally:
        await connection.close()


_LIST = msgspec.json.Decoder(wire.Listing[msgspec.Raw])
_CONFIG_MAP = msgspec.json.Decoder(_ConfigMap)
_LEASE = msgspec.json.Decoder(_Lease)
