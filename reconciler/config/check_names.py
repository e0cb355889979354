"""Names: unique where they are defined, known where they are used."""

from collections.abc import Collection, Iterable, Iterator

from reconciler.config.drafts import (
    BFDProfileDraft,
    BGPDraft,
    CommunityDraft,
    Draft,
    Drafts,
    L2Draft,
    Manifest,
    PeerDraft,
    PoolDraft,
)
from reconciler.config.fields import Text
from reconciler.config.problems import Problems
from reconciler.config.read_bgp_settings import peer_names
from reconciler.config.wording import did_you_mean, quoted
from reconciler.model.origin import Origin, Related

_MOST_GUESSES = 20


def check_unique_names(drafts: Drafts, problems: Problems) -> None:
    """
    Report every object that has the kind and name of another one.

    Applied to a cluster, the later would overwrite the earlier or live in another namespace, unseen; among files there
    is no later.
    """
    for kind in (
        drafts.pools,
        drafts.l2_advertisements,
        drafts.bgp_advertisements,
        drafts.communities,
        drafts.bfd_profiles,
        drafts.peers,
    ):
        _check_unique(kind, problems)
    for surplus in drafts.settings[1:]:
        first = drafts.settings[0].manifest
        message = "there may be one ReconcilerSettings only: move everything into one object"
        problems.error(surplus.manifest.origin, "too-many-settings", message, first.here("the first one"))


def _check_unique(drafts: Iterable[Draft], problems: Problems) -> None:
    first: dict[str, Draft] = {}
    for draft in drafts:
        manifest = draft.manifest
        if not manifest.name:
            continue
        earlier = first.setdefault(manifest.name, draft)
        if earlier is not draft:
            message = _duplicate(earlier, draft)
            problems.error(manifest.origin, "duplicate-name", message, earlier.manifest.here("first defined here"))


def _duplicate(earlier: Draft, later: Draft) -> str:
    """In MetalLB's words where it has some."""
    name = later.manifest.name
    match earlier, later:
        case PoolDraft(), _:
            return f'duplicate definition of pool "{name}": merge the two, or rename one'
        case BFDProfileDraft(), _:
            return f"found duplicate bfd profile name {name}: remove or rename one"
        case (BGPDraft(), BGPDraft()) if earlier.manifest.spec.value == later.manifest.spec.value:
            return f'duplicate definition of bgpadvertisements: both advertisements "{name}" are equal; remove one'
        case (PeerDraft(), PeerDraft()) if earlier.manifest.spec.value == later.manifest.spec.value:
            return f"peer {name} already exists, with the same content: remove one"
        case _:
            return f"duplicate definition of {later.manifest}: remove or rename one"


def check_unique_aliases(communities: Iterable[CommunityDraft], problems: Problems) -> None:
    """Report every alias that is defined twice, with the same value too."""
    first: dict[str, Origin] = {}
    for draft in communities:
        for alias in draft.aliases:
            earlier = first.setdefault(alias.name, alias.origin)
            if earlier is not alias.origin:
                message = f'duplicate definition of community "{alias.name}": all Community objects share one list'
                note = Related(earlier, "first defined here")
                problems.error(alias.origin, "duplicate-community", message, note)


def check_known_names(drafts: Drafts, problems: Problems) -> None:
    """Warn of pools and peers that are named and not there. MetalLB stays silent, which hides a typing error."""
    pools = {draft.pool.name for draft in drafts.pools}
    peers = {draft.peer.name for draft in drafts.peers}
    named_pools = _named_pools((*drafts.l2_advertisements, *drafts.bgp_advertisements))
    named_peers = (
        *((draft.manifest, text) for draft in drafts.bgp_advertisements for text in draft.peers),
        *((draft.manifest, text) for draft in drafts.settings for text in peer_names(draft.manifest)),
    )
    _warn_unknown(named_pools, pools, "IPAddressPool", "unknown-pool-name", problems)
    _warn_unknown(named_peers, peers, "BGPPeer", "unknown-peer-name", problems)


def _named_pools(drafts: Iterable[L2Draft | BGPDraft]) -> Iterator[tuple[Manifest, Text]]:
    return ((draft.manifest, text) for draft in drafts for text in draft.choice.names)


def _warn_unknown(
    named: Iterable[tuple[Manifest, Text]], known: Collection[str], kind: str, code: str, problems: Problems
) -> None:
    unknown = ((manifest, text) for manifest, text in named if text.value not in known)
    for count, (manifest, text) in enumerate(unknown):
        hint = did_you_mean(text.value, known) if count < _MOST_GUESSES else ""
        message = f"{manifest} names {kind} {quoted(text.value)}, which does not exist{hint}"
        problems.warning(text.origin, code, message)


def check_bfd_profiles(drafts: Drafts, problems: Problems) -> None:
    """Report peers that name a BFD profile that is not there."""
    known = {draft.profile.name for draft in drafts.bfd_profiles}
    named = ((draft, draft.bfd_profile) for draft in drafts.peers if draft.bfd_profile is not None)
    unknown = ((draft, text) for draft, text in named if text.value not in known)
    for count, (draft, text) in enumerate(unknown):
        hint = did_you_mean(text.value, known) if count < _MOST_GUESSES else ""
        message = f"peer {draft.manifest.name} referencing non existing bfd profile {quoted(text.value)}{hint}"
        problems.error(text.origin, "unknown-bfd-profile", message)
