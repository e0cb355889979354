"""Documents as their readers leave them: model values whose names and selectors are not resolved yet."""

from dataclasses import dataclass

from reconciler.config.documents import Document
from reconciler.config.fields import Field, Text
from reconciler.model.advertisements import BGPAdvertisement, Community, L2Advertisement
from reconciler.model.origin import Origin, Related
from reconciler.model.peers import BFDProfile, BGPPeer
from reconciler.model.pools import IPAddressPool
from reconciler.model.selectors import Labels, LabelSelector
from reconciler.model.settings import Settings


@dataclass(frozen=True, slots=True)
class Manifest:
    """One document of ours. `name` is empty when the document has none that can be used."""

    document: Document
    kind: str
    version: str
    name: str
    namespace: str = ""
    labels: Labels = ()

    @property
    def origin(self) -> Origin:
        """Where the object is named; where the document begins, when it is not."""
        return self.metadata.origin_of("name")

    @property
    def metadata(self) -> Field:
        """The `metadata` of the object."""
        return self._root.child("metadata")

    @property
    def spec(self) -> Field:
        """The `spec` of the object; an empty mapping when there is none."""
        return self._root.child("spec")

    @property
    def _root(self) -> Field:
        return Field(self.document, (), self.document.value)

    def here(self, note: str) -> Related:
        """The object as the other place of a finding."""
        return Related(self.origin, note)

    def __str__(self) -> str:
        return f'{self.kind} "{self.name}"'


@dataclass(frozen=True, slots=True)
class PoolDraft:
    """A pool; complete, as nothing in it refers to another object."""

    manifest: Manifest
    pool: IPAddressPool


@dataclass(frozen=True, slots=True)
class PoolChoice:
    """`ipAddressPools` and `ipAddressPoolSelectors`, as written; with neither, every pool."""

    names: tuple[Text, ...]
    selectors: tuple[LabelSelector, ...]


@dataclass(frozen=True, slots=True)
class L2Draft:
    """An L2Advertisement without its pools."""

    manifest: Manifest
    advertisement: L2Advertisement
    choice: PoolChoice


@dataclass(frozen=True, slots=True)
class BGPDraft:
    """A BGPAdvertisement without its pools and communities. `peers` are the names as written."""

    manifest: Manifest
    advertisement: BGPAdvertisement
    choice: PoolChoice
    peers: tuple[Text, ...]
    communities: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Alias:
    """One entry of a Community object. `value` is None when its text is no community."""

    name: str
    value: Community | None
    origin: Origin


@dataclass(frozen=True, slots=True)
class CommunityDraft:
    """A Community object."""

    manifest: Manifest
    aliases: tuple[Alias, ...]


@dataclass(frozen=True, slots=True)
class BFDProfileDraft:
    """A BFD profile; complete."""

    manifest: Manifest
    profile: BFDProfile


@dataclass(frozen=True, slots=True)
class PeerDraft:
    """A peer without its BFD profile."""

    manifest: Manifest
    peer: BGPPeer
    bfd_profile: Text | None


@dataclass(frozen=True, slots=True)
class SettingsDraft:
    """The settings; complete."""

    manifest: Manifest
    settings: Settings


Draft = PoolDraft | L2Draft | BGPDraft | CommunityDraft | BFDProfileDraft | PeerDraft | SettingsDraft


@dataclass(frozen=True, slots=True)
class Drafts:
    """Everything that was read, each kind sorted by name, then place. Names need not be unique yet."""

    pools: tuple[PoolDraft, ...] = ()
    l2_advertisements: tuple[L2Draft, ...] = ()
    bgp_advertisements: tuple[BGPDraft, ...] = ()
    communities: tuple[CommunityDraft, ...] = ()
    bfd_profiles: tuple[BFDProfileDraft, ...] = ()
    peers: tuple[PeerDraft, ...] = ()
    settings: tuple[SettingsDraft, ...] = ()
