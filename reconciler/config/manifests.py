"""What every object has: a name and labels (Kubernetes API, ObjectMeta)."""

from reconciler.config.documents import Document
from reconciler.config.drafts import Manifest
from reconciler.config.fields import Field
from reconciler.config.kinds import Kind
from reconciler.config.problems import Problems
from reconciler.config.read_selectors import is_label_key, is_label_value, is_subdomain
from reconciler.config.wording import quoted
from reconciler.model.selectors import labels_of

# How MetalLB calls a missing name, where it has words of its own.
_MISSING_NAME = {"IPAddressPool": "missing pool name", "BFDProfile": "missing bfd profile name"}


def read_manifest(document: Document, kind: Kind, problems: Problems) -> Manifest:
    """The object of a document; a name that is missing or illegal is reported and left empty."""
    metadata = Field(document, (), document.value).child("metadata")
    name, namespace = metadata.text("name"), metadata.text("namespace")
    if name is None and (metadata.is_empty_text("name") or not metadata.has("name")):
        words = _MISSING_NAME.get(kind.name, f"missing name of a {kind.name}")
        problems.error(metadata.origin_of("name"), "missing-name", f"{words}: write metadata.name")
    if name is not None and not is_subdomain(name.value):
        message = f"{quoted(name.value)} is not a valid name: lower-case letters, digits, '-' and '.', at most 253"
        problems.error(name.origin, "invalid-name", message)
    _check_labels(metadata, problems)
    return Manifest(
        document=document,
        kind=kind.name,
        version=kind.version,
        name=name.value if name is not None and is_subdomain(name.value) else "",
        namespace=namespace.value if namespace is not None else "",
        labels=labels_of((key, value.value) for key, value in metadata.pairs("labels")),
    )


def _check_labels(metadata: Field, problems: Problems) -> None:
    for key, value in metadata.pairs("labels"):
        if not is_label_key(key):
            message = f"{quoted(key)} is not a valid label key: no selector can match it"
            problems.error(value.key_origin, "invalid-label", message)
        if not is_label_value(value.value):
            message = f"{quoted(value.value)} is not a valid label value: no selector can match it"
            problems.error(value.origin, "invalid-label", message)
