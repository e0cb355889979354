"""Passwords in clear text: where they are, and how they move into Secrets."""

from collections.abc import Iterable
from dataclasses import replace

from reconciler.migration.manifests import Manifest
from reconciler.migration.nodes import Entry, Mapping, text_node

_VERSION, _KIND, _TYPE = "v1", "Secret", "kubernetes.io/basic-auth"
_NAME = "{}-password"


def clear_passwords(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """The peers that carry their password themselves."""
    return tuple(found for found in manifests if found.kind == "BGPPeer" and found.spec.entry("password") is not None)


def named_secrets(manifests: Iterable[Manifest]) -> tuple[str, ...]:
    """The Secrets that peers name, sorted."""
    found = {manifest.spec.mapping("passwordSecret").text("name") for manifest in manifests}
    return tuple(sorted(filter(None, found)))


def moved_apart(manifests: Iterable[Manifest], namespace: str) -> tuple[tuple[Manifest, ...], tuple[Manifest, ...]]:
    """The manifests with passwords replaced by references, and the Secrets of that namespace that these name."""
    kept: list[Manifest] = []
    secrets: list[Manifest] = []
    for manifest in manifests:
        entry = manifest.spec.entry("password") if manifest.kind == "BGPPeer" else None
        if entry is None or manifest.spec.get("passwordSecret") is not None:
            kept.append(manifest)
            continue
        name = _NAME.format(manifest.name)
        secrets.append(_secret(name, namespace, entry))
        kept.append(_referring(manifest, name))
    return tuple(kept), tuple(secrets)


def _referring(manifest: Manifest, secret: str) -> Manifest:
    # What stands beside a password may well be another one, so only the comments above it stay.
    def reference(entry: Entry) -> Entry:
        named = Mapping((Entry("name", text_node(secret, entry.node.origin), origin=entry.origin),), entry.node.origin)
        return replace(entry, key="passwordSecret", node=named, remark=replace(entry.remark, beside=""))

    entries = tuple(reference(found) if found.key == "password" else found for found in manifest.spec.entries)
    spec = replace(manifest.spec, entries=entries)
    root = tuple(replace(found, node=spec) if found.key == "spec" else found for found in manifest.root.entries)
    return replace(manifest, root=replace(manifest.root, entries=root))


def _secret(name: str, namespace: str, password: Entry) -> Manifest:
    origin = password.origin
    metadata = Mapping(
        (Entry("name", text_node(name)), Entry("namespace", text_node(namespace))),
        origin,
    )
    root = Mapping(
        (
            Entry("apiVersion", text_node(_VERSION)),
            Entry("kind", text_node(_KIND)),
            Entry("metadata", metadata),
            Entry("type", text_node(_TYPE)),
            Entry("stringData", Mapping((Entry("password", password.node),), origin)),
        ),
        origin,
    )
    return Manifest(_KIND, name, root, origin)
