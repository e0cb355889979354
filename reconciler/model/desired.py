"""DesiredState: everything the files say, names resolved."""

from dataclasses import dataclass

from reconciler.model.advertisements import BGPAdvertisement, L2Advertisement
from reconciler.model.peers import BGPPeer
from reconciler.model.pools import IPAddressPool
from reconciler.model.settings import Settings

# Characters.
SHORT_REVISION = 12


def short_revision(revision: str) -> str:
    """The first 12 digits of a revision: enough to tell those of an afternoon apart, and short enough to gossip."""
    return revision.removeprefix("sha256:")[:SHORT_REVISION]


@dataclass(frozen=True, slots=True)
class DesiredState:
    """One valid configuration. Every tuple is sorted by name; pool names are unique, and so are peer names."""

    revision: str
    pools: tuple[IPAddressPool, ...] = ()
    l2_advertisements: tuple[L2Advertisement, ...] = ()
    bgp_advertisements: tuple[BGPAdvertisement, ...] = ()
    peers: tuple[BGPPeer, ...] = ()
    settings: Settings = Settings()
