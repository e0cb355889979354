"""Kind names: which documents are ours, and the schema and the reader of each kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

from reconciler.config.documents import Document
from reconciler.config.drafts import Draft, Manifest
from reconciler.config.fields import Field
from reconciler.config.problems import Problems
from reconciler.config.read_advertisements import read_bgp_advertisement, read_community, read_l2_advertisement
from reconciler.config.read_peers import read_bfd_profile, read_peer
from reconciler.config.read_pools import read_pool
from reconciler.config.read_settings import read_settings
from reconciler.config.wording import listed, nearest, quoted

METALLB, OURS = "metallb.io", "lb-reconciler.io"
_GROUPS = frozenset({METALLB, OURS})
# What a cluster says about itself; it comes along with `kubectl get -o yaml`.
_STATUS_KINDS = frozenset({"ConfigurationState", "ServiceBGPStatus", "ServiceL2Status"})
_REMOVED_KINDS = {
    "AddressPool": "MetalLB removed it: write an IPAddressPool, and an L2Advertisement or BGPAdvertisement for it"
}
_CLOSE_GROUP = 0.8


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind in one version. `schema` is the name of its file; `instead` names the version to write today."""

    group: str
    version: str
    name: str
    read: Callable[[Manifest, Problems], Draft]
    instead: str | None = None

    @property
    def api_version(self) -> str:
        """As `apiVersion` says it."""
        return f"{self.group}/{self.version}"

    @property
    def schema(self) -> str:
        """File name of the schema."""
        return f"{self.name.lower()}_{self.version}.json"


_ALL = (
    Kind(METALLB, "v1beta1", "IPAddressPool", read_pool),
    Kind(METALLB, "v1beta1", "L2Advertisement", read_l2_advertisement),
    Kind(METALLB, "v1beta1", "BGPAdvertisement", read_bgp_advertisement),
    Kind(METALLB, "v1beta1", "Community", read_community),
    Kind(METALLB, "v1beta1", "BFDProfile", read_bfd_profile),
    Kind(METALLB, "v1beta2", "BGPPeer", read_peer),
    Kind(METALLB, "v1beta1", "BGPPeer", read_peer, instead="metallb.io/v1beta2"),
    Kind(OURS, "v1alpha1", "ReconcilerSettings", read_settings),
)
KINDS: Mapping[tuple[str, str], Kind] = {(kind.api_version, kind.name): kind for kind in _ALL}
_KIND_NAMES = frozenset(kind.name for kind in _ALL)


def is_ours(document: Document) -> bool:
    """Whether the document says, or most likely means to say, that it is of one of our groups."""
    api_version, kind = _identity(document)
    group = api_version.partition("/")[0]
    if group in _GROUPS:
        return kind not in _STATUS_KINDS
    # `metalb.io`, `metallb.universe.tf`, or no apiVersion at all. Other groups have kinds of these names as well.
    return kind in _KIND_NAMES and ("/" not in api_version or _resembles_ours(group))


def kind_of(document: Document, problems: Problems) -> Kind | None:
    """The kind of a document of ours; an unknown kind or version is reported."""
    api_version, name = _identity(document)
    kind = KINDS.get((api_version, name))
    root = Field(document, (), document.value)
    if kind is None:
        _report_unknown(root, api_version, name, problems)
    elif kind.instead is not None:
        message = f"{api_version} {name} is deprecated: write apiVersion: {kind.instead}"
        problems.warning(root.origin_of("apiVersion"), "deprecated-version", message)
    return kind


def _identity(document: Document) -> tuple[str, str]:
    root = document.value if isinstance(document.value, dict) else {}
    api_version, kind = root.get("apiVersion"), root.get("kind")
    return (api_version if isinstance(api_version, str) else "", kind if isinstance(kind, str) else "")


def _resembles_ours(group: str) -> bool:
    lower = group.lower()
    return lower.startswith("metallb.") or any(
        SequenceMatcher(None, lower, ours).ratio() >= _CLOSE_GROUP for ours in _GROUPS
    )


def _report_unknown(root: Field, api_version: str, name: str, problems: Problems) -> None:
    group = api_version.partition("/")[0]
    if not name:
        problems.error(root.origin_of("kind"), "missing-field", f"missing field kind beside apiVersion {api_version}")
    elif name in _REMOVED_KINDS:
        problems.error(root.origin_of("kind"), "unknown-kind", f"unknown kind {name}: {_REMOVED_KINDS[name]}")
    elif name not in _KIND_NAMES:
        known = sorted(kind.name for kind in KINDS.values() if kind.group == group)
        meant = nearest(name, known)
        hint = f"did you mean {meant}?" if meant else f"known are {listed(dict.fromkeys(known))}"
        problems.error(root.origin_of("kind"), "unknown-kind", f"unknown kind {quoted(name)} in {api_version}: {hint}")
    elif not api_version:
        message = f"missing field apiVersion: {name} is {_versions(name)}"
        problems.error(root.origin_of("apiVersion", "kind"), "missing-field", message)
    else:
        message = f"unknown version {quoted(api_version)} of {name}: write {_versions(name)}"
        problems.error(root.origin_of("apiVersion"), "unknown-version", message)


def _versions(name: str) -> str:
    return listed((k.api_version for k in _ALL if k.name == name and k.instead is None), last="or")
