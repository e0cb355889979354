"""API objects with nothing but what this program reads of them: small, stable, and fit to be shown. No I/O."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from reconciler.cluster import wire
from reconciler.cluster.api_object import ApiObject, decode
from reconciler.cluster.objects import ASSIGNED_CONDITION

# Each kind in the order of a snapshot: what an object of it begins with, and how it is read.
_HEADS = {
    "Namespace": {"apiVersion": "v1", "kind": "Namespace"},
    "Node": {"apiVersion": "v1", "kind": "Node"},
    "Service": {"apiVersion": "v1", "kind": "Service"},
    "EndpointSlice": {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice"},
}
_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    "Namespace": msgspec.json.Decoder(wire.Namespace),
    "Node": msgspec.json.Decoder(wire.Node),
    "Service": msgspec.json.Decoder(wire.Service),
    "EndpointSlice": msgspec.json.Decoder(wire.EndpointSlice),
}
# A node has many conditions with a heartbeat each; of a Service, other controllers' are none of our business.
_CONDITIONS = {"Ready", "NetworkUnavailable", ASSIGNED_CONDITION}
_ANNOTATIONS = ("metallb.io/", "metallb.universe.tf/")
_SLICE_LABEL = "kubernetes.io/service-name"


class Trimmed:
    """Objects of one cluster, trimmed as they are read."""

    def __init__(self) -> None:
        self.objects: list[dict[str, Any]] = []

    def add(self, found: ApiObject) -> None:
        """
        Keep what is read of one object.

        Raises:
            ClusterError: A field has the wrong type.
        """
        decoded = decode(found, _DECODERS[found.kind])
        kept = _present(json.loads(msgspec.json.encode(decoded)))
        # These tell one life of an object from another, and one write from the next; a decision never rests on them.
        for passing in ("resourceVersion", "uid"):
            kept["metadata"].pop(passing, None)
        if not kept.get("spec", True):
            del kept["spec"]  # most nodes: they have no taint
        _keep_own_annotations(kept["metadata"])
        _keep_known_conditions(kept.get("status", {}), found.kind)
        self.objects.append({**_HEADS[found.kind], **kept})


def snapshot_lines(kinds: Iterable[Trimmed]) -> Iterator[bytes]:
    """
    A `List` with an object on each line, sorted, so that two snapshots can be compared line by line.

    Endpoints are kept where a Service of type LoadBalancer has them: those of other Services change all day long.
    """
    objects = sorted((found for kind in kinds for found in kind.objects), key=_place_in_list)
    balanced = {_key(found) for found in objects if _is_load_balancer(found)}
    kept = [found for found in objects if found["kind"] != "EndpointSlice" or _service_of(found) in balanced]
    yield b'{"apiVersion":"v1","kind":"List","items":['
    separator = b"\n"
    for found in kept:
        yield separator + msgspec.json.encode(found)
        separator = b",\n"
    yield b"\n]}\n"


def _present(value: Any) -> Any:
    """Without members that are null: absent and null are the same."""
    match value:
        case dict():
            return {key: _present(inside) for key, inside in value.items() if inside is not None}
        case list():
            return [_present(inside) for inside in value]
        case _:
            return value


def _keep_own_annotations(metadata: dict[str, Any]) -> None:
    annotations = metadata.pop("annotations", {})
    if own := {key: text for key, text in sorted(annotations.items()) if key.startswith(_ANNOTATIONS)}:
        metadata["annotations"] = own


def _keep_known_conditions(status: dict[str, Any], kind: str) -> None:
    known = [condition for condition in status.pop("conditions", []) if condition.get("type") in _CONDITIONS]
    if kind == "Node":
        known = [{"type": condition["type"], "status": condition.get("status")} for condition in known]
    if known:
        status["conditions"] = known


def _place_in_list(found: dict[str, Any]) -> tuple[int, str, str]:
    metadata = found["metadata"]
    return list(_HEADS).index(found["kind"]), metadata.get("namespace", ""), metadata["name"]


def _is_load_balancer(found: dict[str, Any]) -> bool:
    return found["kind"] == "Service" and bool(found.get("spec", {}).get("type") == "LoadBalancer")


def _key(found: dict[str, Any]) -> tuple[str, str]:
    return found["metadata"].get("namespace", ""), found["metadata"]["name"]


def _service_of(endpoint_slice: dict[str, Any]) -> tuple[str, str]:
    metadata = endpoint_slice["metadata"]
    return metadata.get("namespace", ""), metadata.get("labels", {}).get(_SLICE_LABEL, "")
