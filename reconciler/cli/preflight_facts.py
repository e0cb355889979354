"""What `reconciler preflight` knows when it judges: this host, and what the configuration wants of it. Pure."""

import re
from dataclasses import dataclass, field

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.address_set import AddressSet
from reconciler.addresses.family import Address, Family
from reconciler.l2.link_selection import Exclusion
from reconciler.l2.port import LinkState
from reconciler.model.desired import DesiredState
from reconciler.model.settings import Settings

# Where a speaker shows its status unless --http-address says otherwise.
HTTP_PORT = 7472
BGP_PORT = 179
METALLB_PORT = 7946
# RFC 5881 section 4, RFC 5883 section 5.
BFD_PORT, BFD_MULTIHOP_PORT = 3784, 4784


@dataclass(frozen=True, slots=True)
class Interface:
    """
    A link and what the kernel does on it.

    `rp_filter`, `arp_ignore` and `arp_announce` are what is in force: the greater of the interface's own value and that
    of `all` (ip-sysctl). `kind` is the kernel's word (DEVTYPE), `veth` for one end of a pair, empty for plain hardware.
    """

    state: LinkState
    mtu: int = 1500
    kind: str = ""
    rp_filter: int = 0
    arp_ignore: int = 0
    arp_announce: int = 0
    is_ipv6_disabled: bool = False
    addresses: tuple[Address, ...] = ()

    @property
    def name(self) -> str:
        """The name of the link."""
        return self.state.name


@dataclass(frozen=True, slots=True)
class Process:
    """A process that can be seen: its short name, and its command line with blanks between the words."""

    pid: int
    name: str
    command: str = ""

    @property
    def is_our_speaker(self) -> bool:
        """Whether it is a speaker of this program."""
        words = self.command.split()
        return "speaker" in words and any(re.search(r"(^|/)reconciler$", word) for word in words)


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that waits for somebody: `tcp` or `udp`. `owner` is None where it cannot be seen."""

    protocol: str
    address: Address
    port: int
    owner: Process | None = None


@dataclass(frozen=True, slots=True)
class Inotify:
    """
    What the kernel allows one user to watch of files, and what this user has of it as far as it can be seen.

    `error` is why not even one instance could be had now, None where it could.
    """

    max_instances: int
    max_watches: int
    instances: int = 0
    watches: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Somebody says that a probed address is his."""

    address: Address
    mac: str
    interface: str


@dataclass(frozen=True, slots=True)
class Host:
    """
    A machine, at one moment: the one that this runs on.

    `default_routes` are the interfaces that IPv4 packets to anywhere leave by. `capabilities` is the effective set of
    this process, a bit for each number of capabilities(7). `sees_all_processes`: it shares the host's process
    namespace. `kube_proxy_mode` is what kube-proxy says of itself, None where it did not. `is_clock_synchronized` is
    None where the kernel does not tell. `unreachable_seeds` has the reason by seed, `unprobed` why no address was asked
    for on an interface.
    """

    interfaces: tuple[Interface, ...] = ()
    default_routes: frozenset[str] = frozenset()
    capabilities: int = 0
    first_unprivileged_port: int = 1024
    listeners: tuple[Listener, ...] = ()
    processes: tuple[Process, ...] = ()
    sees_all_processes: bool = True
    kube_proxy_mode: str | None = None
    is_clock_synchronized: bool | None = True
    inotify: Inotify = Inotify(max_instances=128, max_watches=65536)
    answers: tuple[Answer, ...] = ()
    unprobed: tuple[tuple[str, str], ...] = ()
    unreachable_seeds: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Need:
    """A port that the speaker listens on, and what for. `is_local`: on the loopback address alone."""

    protocol: str
    port: int
    purpose: str
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class Wishes:
    """
    What the configuration wants of a node; without one, what every configuration may want.

    `interfaces` are those that L2Advertisements name, empty where one of them names none. `problems` counts the errors
    of a configuration that could not be used.
    """

    uses_l2: bool = True
    families: frozenset[Family] = frozenset({Family.IPV4})
    interfaces: frozenset[str] = frozenset()
    exclusion: Exclusion = field(default_factory=Exclusion)
    pools: tuple[tuple[str, AddressSet], ...] = ()
    needs: tuple[Need, ...] = ()
    listens_for_peers: bool = False
    membership_port: int = 7947
    problems: int = 0


def wishes_of(desired: DesiredState, exclusion: Exclusion, *, is_given: bool = True) -> Wishes:
    """What a configuration wants; `is_given` is False for the defaults that stand in for one."""
    advertisements = desired.l2_advertisements
    names = [set(advertisement.interfaces) for advertisement in advertisements]
    pools = tuple((pool.name, AddressSet.of(entry.addresses for entry in pool.entries)) for pool in desired.pools)
    ranges: list[AddressRange] = [found for _, addresses in pools for found in addresses.ranges]
    return Wishes(
        uses_l2=bool(advertisements) or not is_given,
        families=frozenset(found.family for found in ranges) or frozenset({Family.IPV4}),
        interfaces=frozenset().union(*names) if all(names) else frozenset(),
        exclusion=exclusion,
        pools=pools,
        needs=tuple(_needs(desired, desired.settings)),
        listens_for_peers=desired.settings.bgp.listen.enabled,
        membership_port=desired.settings.membership.port,
    )


def _needs(desired: DesiredState, settings: Settings) -> list[Need]:
    port = settings.membership.port
    found = [
        Need("tcp", port, "the group of speakers (membership.port)"),
        Need("udp", port, "the group of speakers (membership.port)"),
        Need("tcp", HTTP_PORT, "health and metrics (--http-address)", is_local=True),
    ]
    if settings.fast_failure_detection.enabled:
        found.append(Need("udp", settings.fast_failure_detection.port, "fast failure detection"))
    if settings.bgp.listen.enabled:
        found.append(Need("tcp", settings.bgp.listen.port, "BGP peers that dial us (bgp.listen)"))
    guarded = [peer for peer in desired.peers if peer.bfd is not None]
    if any(not peer.ebgp_multi_hop for peer in guarded):
        found.append(Need("udp", BFD_PORT, "BFD"))
    if any(peer.ebgp_multi_hop for peer in guarded):
        found.append(Need("udp", BFD_MULTIHOP_PORT, "BFD over several hops"))
    return found
