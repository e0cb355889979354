"""MetalLB's own objects in a live cluster, read once: what `import` starts from. Nothing else asks for them."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

import msgspec

from reconciler.cluster import wire
from reconciler.cluster.api_errors import ApiError, NotFound, one_line
from reconciler.cluster.connection import Connection
from reconciler.cluster.listing import pages
from reconciler.cluster.live import Target
from reconciler.cluster.port import ClusterError

_V1BETA1 = "metallb.io/v1beta1"
# The versions of each resource, the preferred one first; a cluster of long ago has the later ones only.
_RESOURCES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "ipaddresspools": ((_V1BETA1, "IPAddressPool"),),
    "addresspools": ((_V1BETA1, "AddressPool"), ("metallb.io/v1alpha1", "AddressPool")),
    "l2advertisements": ((_V1BETA1, "L2Advertisement"),),
    "bgpadvertisements": ((_V1BETA1, "BGPAdvertisement"),),
    "bgppeers": (("metallb.io/v1beta2", "BGPPeer"), (_V1BETA1, "BGPPeer")),
    "bfdprofiles": ((_V1BETA1, "BFDProfile"),),
    "communities": ((_V1BETA1, "Community"),),
}
# Beside them; where we may not ask, the import is no worse.
_BESIDE: Mapping[str, tuple[str, str]] = {
    "frrconfigurations": ("frrk8s.metallb.io/v1beta1", "FRRConfiguration"),
}
_CONFIG_MAPS = ("config", "bgpextras")
_FORBIDDEN = 403

Object = dict[str, Any]


def read_metallb(target: Target, *, namespace: str) -> list[Object]:
    """
    The configuration of MetalLB in its namespace, as API objects, each kind by name.

    The ConfigMaps of former versions come along where there are any. No Secret is asked for.

    Raises:
        ClusterError: The cluster cannot be reached, or does not let us read; one line.
    """

    async def read() -> list[Object]:
        connection = await Connection.open(kubeconfig=target.kubeconfig, context=target.context)
        try:
            found = [
                made
                for resource, forms in _RESOURCES.items()
                for made in await _first(connection, resource, forms, namespace)
            ]
            for resource, form in _BESIDE.items():
                found += await _if_allowed(connection, resource, form, namespace)
            for name in _CONFIG_MAPS:
                found += await _config_map(connection, namespace, name)
            return found
        finally:
            await connection.close()

    return asyncio.run(read())


async def _first(
    connection: Connection, resource: str, forms: tuple[tuple[str, str], ...], namespace: str
) -> list[Object]:
    """The objects of the first version that the cluster serves; none where it has no such kind."""
    for form in forms:
        try:
            return await _objects(connection, resource, form, namespace)
        except NotFound:
            continue
    return []


async def _if_allowed(connection: Connection, resource: str, form: tuple[str, str], namespace: str) -> list[Object]:
    try:
        return await _first(connection, resource, (form,), namespace)
    except ApiError as error:
        if error.status != _FORBIDDEN:
            raise
        return []


async def _objects(connection: Connection, resource: str, form: tuple[str, str], namespace: str) -> list[Object]:
    version, kind = form
    path = f"/apis/{version}/namespaces/{quote(namespace, safe='')}/{resource}"
    found: list[Object] = []
    async with aclosing(pages(connection, path)) as listed:
        async for page in listed:
            if page.first:
                found = []
            found += _decoded(page.raw, path, connection)
    found.sort(key=lambda made: str(made.get("metadata", {}).get("name", "")))
    return [{"apiVersion": version, "kind": kind, **made} for made in found]


async def _config_map(connection: Connection, namespace: str, name: str) -> list[Object]:
    path = f"/api/v1/namespaces/{quote(namespace, safe='')}/configmaps/{name}"
    try:
        raw = await connection.request("GET", path)
    except ApiError as error:
        if not isinstance(error, NotFound) and error.status != _FORBIDDEN:
            raise
        return []
    found: Object = json.loads(raw)
    return [{"apiVersion": "v1", "kind": "ConfigMap", **found}]


def _decoded(raw: bytes, path: str, connection: Connection) -> list[Object]:
    try:
        return _LIST.decode(raw).items or []
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise ClusterError(f"GET {path} at {connection.server}: not a list: {one_line(str(exc))}") from exc


_LIST = msgspec.json.Decoder(wire.Listing[Object])
