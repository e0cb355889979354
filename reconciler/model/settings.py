"""Settings: what MetalLB's kinds have no field for, our own kind `ReconcilerSettings`."""

from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.addresses.family import Address
from reconciler.model.origin import Origin

# The list that MetalLB ships: interfaces of containers and tunnels, which no client is behind.
EXCLUDED_INTERFACES = (
    "^docker.*",
    "^cbr.*",
    "^dummy.*",
    "^virbr.*",
    "^lxcbr.*",
    "^veth.*",
    "^lo$",
    "^cali.*",
    "^tunl.*",
    "^flannel.*",
    "^kube-ipvs.*",
    "^cni.*",
    "^nodelocaldns.*",
    "^lxc.*",
)


class OnConflict(StrEnum):
    """What becomes of an address that another host claims while we announce it."""

    DEFEND = "defend"
    YIELD = "yield"


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """`ReconcilerSettings.spec.guard`: how large a change may pass unapproved (percentages of the holders)."""

    max_changed_percent: int = 30
    minimum_services: int = 10
    approved_plan: str | None = None
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class MembershipSettings:
    """
    `spec.membership`: how speakers find out which of them are alive, in seconds.

    `port` is TCP and UDP. A member is suspected after `probe_timeout`, and dead `suspicion_multiplier` probe intervals
    later, or more in a large group. `join_timeout` is how long a speaker looks for the others before it goes on alone;
    `revision_wait` how long it waits for others that have not got its revision.
    """

    port: int = 7947
    probe_interval: float = 0.2
    probe_timeout: float = 0.1
    suspicion_multiplier: int = 2
    join_timeout: float = 2.0
    revision_wait: float = 120.0


@dataclass(frozen=True, slots=True)
class FastFailureDetectionSettings:
    """
    `spec.fastFailureDetection`: each node is watched by a few neighbours with packets of BFD on a UDP `port`.

    `interval` is in seconds; after `multiplier` of them without a packet a watcher calls the node silent.
    """

    enabled: bool = False
    port: int = 7948
    interval: float = 0.05
    multiplier: int = 3
    watchers: int = 3


@dataclass(frozen=True, slots=True)
class AnnouncementSettings:
    """
    `spec.announcements`: what a speaker says unasked, and how it meets other hosts with its addresses; in seconds.

    After a take-over an address is announced at once, then every `gratuitous_interval` until `gratuitous_duration` is
    over; after that every `refresh_interval`, 0 for never. A new address is probed for `probe_time`, 0 for not at all.
    After SIGTERM the others leave its addresses with a speaker for `restart_grace`; with 0 they take them over.
    `excluded_interfaces` are regular expressions, searched for in the name.
    """

    gratuitous_interval: float = 1.1
    gratuitous_duration: float = 5.0
    refresh_interval: float = 300.0
    probe_time: float = 0.015
    on_conflict: OnConflict = OnConflict.DEFEND
    restart_grace: float = 0.0
    excluded_interfaces: tuple[str, ...] = EXCLUDED_INTERFACES


@dataclass(frozen=True, slots=True)
class DrainSettings:
    """`spec.drain`: a node with a taint of one of these keys hands its addresses over, beside the exclude label."""

    taints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BGPListenSettings:
    """
    `spec.bgp.listen`: configured peers may connect to us too, on `port`.

    Empty `addresses` mean all of the host.
    """

    enabled: bool = False
    port: int = 179
    addresses: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class BGPDrainSettings:
    """
    `spec.bgp.drain`: how a speaker that ends, and was not agreed graceful restart with, takes leave; in seconds.

    `graceful_shutdown`: routes are told with the community GRACEFUL_SHUTDOWN first (RFC 8326), for `wait`. Then they
    are withdrawn, and after `wait_withdrawn` sessions close.
    """

    graceful_shutdown: bool = True
    wait: float = 1.0
    wait_withdrawn: float = 0.5


@dataclass(frozen=True, slots=True)
class BGPPeerSettings:
    """
    One of `spec.bgp.peers`: what MetalLB's BGPPeer of that name has no field for.

    `gtsm_hops` None is no GTSM (RFC 5082); else packets from beyond so many hops are dropped. `maximum_prefixes`: a
    peer that tells us of more loses its session; None for any number. `passive` waits for the peer to connect.
    """

    name: str
    gtsm_hops: int | None = None
    maximum_prefixes: int | None = None
    passive: bool = False
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class BGPSettings:
    """`spec.bgp`; `peers` by name, ascending."""

    listen: BGPListenSettings = BGPListenSettings()
    drain: BGPDrainSettings = BGPDrainSettings()
    peers: tuple[BGPPeerSettings, ...] = ()

    def of(self, peer: str) -> BGPPeerSettings:
        """Those of one peer; the defaults where nothing is written."""
        return next((one for one in self.peers if one.name == peer), BGPPeerSettings(peer))


@dataclass(frozen=True, slots=True)
class Settings:
    """All sections; what a configuration leaves out has its default."""

    guard: GuardSettings = GuardSettings()
    membership: MembershipSettings = MembershipSettings()
    fast_failure_detection: FastFailureDetectionSettings = FastFailureDetectionSettings()
    announcements: AnnouncementSettings = AnnouncementSettings()
    drain: DrainSettings = DrainSettings()
    bgp: BGPSettings = BGPSettings()
