"""
MetalLB's objects, as a cluster or a file holds them, without what only a cluster has a use for.

Their names, specs and comments stay. What our kinds do not have is left out and said.
"""

from collections.abc import Callable, Iterable
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, replace
from typing import Any

from reconciler.migration.findings import Findings
from reconciler.migration.manifests import METALLB, PEER_VERSION, Manifest
from reconciler.migration.nodes import SILENT, Document, Entry, Item, Mapping, Node, Scalar, Sequence, text_node
from reconciler.migration.repairs import repaired

VERSIONS = {
    "IPAddressPool": (METALLB,),
    "L2Advertisement": (METALLB,),
    "BGPAdvertisement": (METALLB,),
    "BGPPeer": (PEER_VERSION, METALLB),
    "BFDProfile": (METALLB,),
    "Community": (METALLB,),
}
# Of its metadata an object keeps its name, and what somebody may select it by or has noted.
_METADATA = ("name", "labels", "annotations")
_SERVER_METADATA = frozenset(
    {
        "namespace", "generateName", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
        "deletionGracePeriodSeconds", "selfLink", "clusterName", "ownerReferences", "finalizers", "managedFields",
    }
)  # fmt: skip
# Notes that tools keep for themselves: in a file they would say that somebody else still applies it.
_TOOL_NOTES = ("kubectl.kubernetes.io/", "meta.helm.sh/", "argocd.argoproj.io/", "kustomize.toolkit.fluxcd.io/")

Schema = MappingType[str, Any]
# Kind to the JSON Schema of the version that is written.
Schemas = Callable[[str], Schema]


@dataclass(frozen=True, slots=True)
class Identity:
    """Which object a document is: what it says of its version, kind, namespace and name."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @property
    def group(self) -> str:
        """The API group; empty for the core."""
        return self.api_version.partition("/")[0] if "/" in self.api_version else ""


def identity_of(root: Mapping) -> Identity:
    """Read the identity; what is missing is empty."""
    metadata = root.mapping("metadata")
    return Identity(root.text("apiVersion"), root.text("kind"), metadata.text("namespace"), metadata.text("name"))


def is_convertible(identity: Identity) -> bool:
    """Whether the object is configuration of a kind and version that we have, too."""
    return identity.api_version in VERSIONS.get(identity.kind, ())


def convert_object(document: Document, root: Mapping, schemas: Schemas, findings: Findings) -> Manifest:
    """One object as it is written here. It has to be convertible."""
    identity = identity_of(root)
    version = VERSIONS[identity.kind][0]
    _warn_of_former_times(root, identity, findings)
    entries: list[Entry] = []
    for entry in root.entries:
        match entry.key:
            case "apiVersion":
                entries.append(replace(entry, node=text_node(version, entry.node.origin)))
            case "kind":
                entries.append(entry)
            case "metadata" if isinstance(entry.node, Mapping):
                entries.append(replace(entry, node=_metadata(entry.node, findings)))
            case "spec":
                node = _known(entry.node, schemas(identity.kind)["properties"]["spec"], "spec", findings)
                if isinstance(node, Mapping):
                    node = repaired(identity.kind, identity.name, node, findings)
                if node is not None:
                    entries.append(replace(entry, node=node))
            case "status":
                pass
            case _:
                _warn_unknown(entry, entry.key, findings)
    return Manifest(
        identity.kind,
        identity.name,
        replace(root, entries=_ordered(entries)),
        root.mapping("metadata").origin,
        document.above,
        document.below,
    )


def settled(manifest: Manifest, schemas: Schemas, findings: Findings) -> Manifest:
    """An object that was none in the source, its fields in the order in which ours are read."""
    spec = _known(manifest.spec, schemas(manifest.kind)["properties"]["spec"], "spec", findings)
    if spec is None or not manifest.spec.entries:
        return manifest
    entries = (replace(entry, node=spec) if entry.key == "spec" else entry for entry in manifest.root.entries)
    return replace(manifest, root=replace(manifest.root, entries=tuple(entries)))


def _ordered(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    order = ("apiVersion", "kind", "metadata", "spec")
    found = {entry.key: entry for entry in entries}
    spec = found.get("spec")
    if spec is not None and isinstance(spec.node, Mapping) and not spec.node.entries:
        # An advertisement of everything reads better without `spec: {}`.
        found.pop("spec")
    return tuple(found[key] for key in order if key in found)


def _metadata(metadata: Mapping, findings: Findings) -> Mapping:
    entries: list[Entry] = []
    for entry in metadata.entries:
        if entry.key == "annotations" and isinstance(entry.node, Mapping):
            notes = tuple(found for found in entry.node.entries if not found.key.startswith(_TOOL_NOTES))
            if notes:
                entries.append(replace(entry, node=replace(entry.node, entries=notes)))
        elif entry.key in _METADATA and not _is_nothing(entry.node):
            entries.append(entry)
        elif entry.key not in _SERVER_METADATA and entry.key not in _METADATA:
            _warn_unknown(entry, f"metadata.{entry.key}", findings)
    by_key = {entry.key: entry for entry in entries}
    return replace(metadata, entries=tuple(by_key[key] for key in _METADATA if key in by_key))


def _is_nothing(node: Node) -> bool:
    return (isinstance(node, Scalar) and node.value is None) or (isinstance(node, Mapping) and not node.entries)


def _known(node: Node, schema: Schema, path: str, findings: Findings) -> Node | None:
    """The part of a value that its schema has fields for; None for a null."""
    match node:
        case Scalar(value=None):
            return None
        case Mapping(entries=entries):
            kept = tuple(_known_entries(entries, schema, path, findings))
            return replace(node, entries=_in_reading_order(kept, schema))
        case Sequence(items=items) if "items" in schema:
            found = ((item, _known(item.node, schema["items"], path, findings)) for item in items)
            return replace(node, items=tuple(Item(kept, item.remark) for item, kept in found if kept is not None))
        case _:
            return node


def _known_entries(entries: Iterable[Entry], schema: Schema, path: str, findings: Findings) -> Iterable[Entry]:
    properties: Schema = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    for entry in entries:
        inner = f"{path}.{entry.key}"
        if entry.key not in properties and others is False:
            _warn_unknown(entry, inner, findings)
            continue
        below: Schema = properties.get(entry.key, others if isinstance(others, dict) else {})
        node = _known(entry.node, below, inner, findings)
        if node is not None:
            yield replace(entry, node=node)


def _in_reading_order(entries: tuple[Entry, ...], schema: Schema) -> tuple[Entry, ...]:
    """In the order of the schema, what matters most first; where somebody left comments, in theirs."""
    if any(entry.remark != SILENT for entry in entries):
        return entries
    order = {name: position for position, name in enumerate(schema.get("properties", {}))}
    return tuple(sorted(entries, key=lambda entry: order.get(entry.key, len(order))))


def _warn_unknown(entry: Entry, path: str, findings: Findings) -> None:
    message = f"{path} is left out: the kind has no such field, and the Kubernetes API drops it without a word"
    findings.warning(entry.origin, "unknown-field", message)


def _warn_of_former_times(root: Mapping, identity: Identity, findings: Findings) -> None:
    if identity.kind != "BGPPeer" or identity.api_version == PEER_VERSION:
        return
    spec = root.mapping("spec")
    if spec.get("holdTime") is None and spec.get("keepaliveTime") is None:
        message = (
            f'peer "{identity.name}" of v1beta1 gives no holdTime, which MetalLB takes for 0s, never; here the usual '
            "times apply. Write holdTime: 0s to have it as it was"
        )
        findings.warning(spec.origin, "former-version", message)
