"""Everything that was found of MetalLB to objects of ours, and what is to be said about the rest."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from reconciler.migration.fields import Known, as_is, distinct_texts, texts
from reconciler.migration.findings import Findings
from reconciler.migration.legacy import SECTIONS, convert_legacy, is_legacy
from reconciler.migration.manifests import Manifest, equal
from reconciler.migration.names import Names
from reconciler.migration.nodes import Document, Entry, Mapping, Remark, Scalar, documents_in
from reconciler.migration.objects import (
    VERSIONS,
    Identity,
    Schemas,
    convert_object,
    identity_of,
    is_convertible,
    settled,
)
from reconciler.migration.pools import Dialect, convert_pool
from reconciler.migration.reading import Source, read_documents
from reconciler.model.origin import Problem, Related

_GROUP = "metallb.io"
_STATUS_KINDS = frozenset(
    {"ConfigurationState", "ServiceL2Status", "ServiceBGPStatus", "BGPSessionState", "FRRNodeState"}
)
# A raw text for FRR, which MetalLB appended to what it generated.
_EXTRAS = "bgpextras"
_GENERATED = "metallb-"
_POOL_KIND = "AddressPool"
_POOL_DIALECT = Dialect(
    pool={
        "protocol": None,
        "bgpAdvertisements": None,
        "addresses": Known("addresses", texts),
        "autoAssign": Known("autoAssign", as_is),
        "avoidBuggyIPs": Known("avoidBuggyIPs", as_is),
    },
    advertisement={
        "aggregationLength": Known("aggregationLength", as_is),
        "aggregationLengthV6": Known("aggregationLengthV6", as_is),
        "localPref": Known("localPref", as_is),
        "communities": Known("communities", distinct_texts),
    },
    advertisements="bgpAdvertisements",
)


@dataclass(frozen=True, slots=True)
class Converted:
    """The result: objects, findings by place, and how many documents were none of MetalLB's."""

    manifests: tuple[Manifest, ...]
    problems: tuple[Problem, ...]
    foreign: int = 0


@dataclass(slots=True)
class _Sorted:
    """The documents by what they are."""

    objects: list[tuple[Document, Mapping]] = field(default_factory=list)
    pools: list[tuple[Document, Mapping]] = field(default_factory=list)
    legacy: list[tuple[Document, Mapping]] = field(default_factory=list)
    foreign: int = 0


def convert(documents: Iterable[Document], *, schemas: Schemas, namespace: str, findings: Findings) -> Converted:
    """
    Convert every document that is configuration of MetalLB.

    Args:
        documents: As they were read, Lists included.
        schemas: Kind to the JSON Schema of the version that is written.
        namespace: MetalLB's; matters only where documents name several.
        findings: What was said while they were read; taken over into the result.
    """
    found = _Sorted()
    for document in (inner for outer in documents for inner in documents_in(outer)):
        _sort(document, found, findings)
    found.objects, found.pools = (_of_namespace(part, namespace, findings) for part in (found.objects, found.pools))
    names = Names()
    for _, root in found.objects:
        names.reserve(root.text("kind"), identity_of(root).name)
    manifests = [convert_object(document, root, schemas, findings) for document, root in found.objects]
    made: list[Manifest] = []
    for document, root in found.pools:
        made += _address_pool(document, root, names, findings)
    for document, root in found.legacy:
        made += _with_comments(convert_legacy(root, names, findings), document)
    manifests += (settled(manifest, schemas, findings) for manifest in made)
    return Converted(tuple(_each_once(manifests, findings)), findings.sorted(), found.foreign)


def _sort(document: Document, found: _Sorted, findings: Findings) -> None:
    root = document.node
    if not isinstance(root, Mapping):
        if not isinstance(root, Scalar) or root.value is not None:
            findings.warning(root.origin, "skipped", "this document is no mapping: skipped")
        return
    identity = identity_of(root)
    if is_convertible(identity):
        found.objects.append((document, root))
    elif is_legacy(root):
        found.legacy.append((document, root))
    elif identity.kind == _POOL_KIND and identity.group == _GROUP:
        found.pools.append((document, root))
    elif identity.kind == "ConfigMap" and identity.api_version == "v1":
        _open_config_map(document, root, found, findings)
    elif identity.group.endswith(_GROUP):
        _report_other(root, identity, findings)
    elif identity.kind == "Secret" and identity.api_version == "v1":
        message = (
            f'Secret "{identity.name}" is not copied: Secrets stay out of the configuration. If a peer names it, it '
            "has to be in the namespace of the speakers"
        )
        findings.warning(root.origin, "secret-by-reference", message)
    else:
        found.foreign += 1


def _with_comments(manifests: Iterable[Manifest], document: Document) -> list[Manifest]:
    """The objects with the comments around the text that they were made of."""
    found = list(manifests)
    if found:
        found[0] = replace(found[0], above=(*document.above, *found[0].above))
        found[-1] = replace(found[-1], below=document.below)
    return found


def _open_config_map(document: Document, root: Mapping, found: _Sorted, findings: Findings) -> None:
    """Take the legacy texts in a ConfigMap; one without any is none of MetalLB's."""
    identity, legacy = identity_of(root), len(found.legacy)
    for entry in root.mapping("data").entries:
        if not isinstance(entry.node, Scalar) or not isinstance(entry.node.value, str):
            continue
        if identity.name == _EXTRAS:
            message = (
                f'ConfigMap "{_EXTRAS}" is not carried over: there is no FRR here to take raw configuration. What it '
                "set has to be said with BGPPeer, BFDProfile or ReconcilerSettings"
            )
            findings.error(entry.origin, "not-carried-over", message)
            return
        if any(section in entry.node.value for section in SECTIONS):
            said = Findings()
            inner = read_documents(_source_of(entry, entry.node), said)
            read = [(made, made.node) for made in inner if isinstance(made.node, Mapping) and is_legacy(made.node)]
            if read or entry.key == "config":
                findings.add(said.sorted())
            # What stands around the ConfigMap is said of its text.
            above, below = document.above, document.below
            found.legacy += ((Document(made, above + d.above, d.below + below), made) for d, made in read)
    if legacy == len(found.legacy):
        found.foreign += 1


def _source_of(entry: Entry, text: Scalar) -> Source:
    """The text of a ConfigMap's value as a source whose places are those of the file."""
    origin = text.origin
    if not origin.line:  # of a live object, whose text is all there is to point at
        return Source(f"{origin.path}, {entry.key}", str(text.value))
    if not text.literal:
        return Source(origin.path, str(text.value), origin.line, origin.column, whole=True)
    # The lines of a literal block begin below its `|`, most often two columns further in than the key.
    return Source(origin.path, str(text.value), origin.line + 1, entry.origin.column + 2)


def _report_other(root: Mapping, identity: Identity, findings: Findings) -> None:
    what = f'{identity.kind} "{identity.name}"'
    if identity.kind in _STATUS_KINDS or (identity.kind == "FRRConfiguration" and _is_generated(identity)):
        return  # says how things stood, or was made of the objects that are imported
    if identity.kind == "FRRConfiguration":
        message = f"{what} is not carried over: there is no FRR here to be configured"
        findings.error(root.origin, "not-carried-over", message)
    elif identity.kind in VERSIONS:
        message = f"{what} is of {identity.api_version}, which is not known: save it again with kubectl get -o yaml"
        findings.error(root.origin, "unknown-version", message)
    else:
        message = f"{what} is left out: it installs or describes MetalLB, and configures no addresses"
        findings.warning(root.origin, "no-effect", message)


def _is_generated(identity: Identity) -> bool:
    return identity.name.startswith(_GENERATED)


def _of_namespace(
    found: list[tuple[Document, Mapping]], namespace: str, findings: Findings
) -> list[tuple[Document, Mapping]]:
    """The objects of MetalLB's namespace, where the documents name several."""
    if len({identity_of(root).namespace for _, root in found} - {""}) < 2:
        return found
    kept = []
    for document, root in found:
        identity = identity_of(root)
        if identity.namespace in ("", namespace):
            kept.append((document, root))
            continue
        message = (
            f'{identity.kind} "{identity.name}" is in namespace {identity.namespace}, and MetalLB in {namespace} does '
            "not read it: left out (--metallb-namespace names another)"
        )
        findings.warning(root.origin, "other-namespace", message)
    return kept


def _address_pool(document: Document, root: Mapping, names: Names, findings: Findings) -> Iterator[Manifest]:
    name = identity_of(root).name
    names.reserve("IPAddressPool", name)
    remark = Remark(document.above)
    yield from convert_pool(name, root.mapping("spec"), remark, dialect=_POOL_DIALECT, names=names, findings=findings)


def _each_once(manifests: Iterable[Manifest], findings: Findings) -> Iterator[Manifest]:
    """Objects that were found twice, once; two that differ both stay, and validation will refuse them."""
    first: dict[tuple[str, str], Manifest] = {}
    for manifest in manifests:
        earlier = first.setdefault((manifest.kind, manifest.name), manifest)
        if earlier is manifest or not equal(earlier, manifest):
            yield manifest
        else:
            note = Related(earlier.origin, "found here first")
            findings.warning(manifest.origin, "repeated", f"{manifest} is there twice, word for word: taken once", note)
