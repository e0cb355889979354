"""DesiredState: everything the files say, names resolved."""

from dataclasses import dataclass, field

from reconciler.model.advertisements import BGPAdvertisement, L2Advertisement
from reconciler.model.origin import Origin
from reconciler.model.peers import BGPPeer
from reconciler.model.pools import IPAddressPool


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """`ReconcilerSettings.spec.guard`: how large a change may pass unapproved (percentages of the holders)."""

    max_changed_percent: int = 30
    minimum_services: int = 10
    approved_plan: str | None = None
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """What MetalLB's kinds have no field for: our own kind `ReconcilerSettings`."""

    guard: GuardSettings = GuardSettings()


@dataclass(frozen=True, slots=True)
class DesiredState:
    """One valid configuration. Every tuple is sorted by name; pool names are unique, and so are peer names."""

    revision: str
    pools: tuple[IPAddressPool, ...] = ()
    l2_advertisements: tuple[L2Advertisement, ...] = ()
    bgp_advertisements: tuple[BGPAdvertisement, ...] = ()
    peers: tuple[BGPPeer, ...] = ()
    settings: Settings = Settings()
