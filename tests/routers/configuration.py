"""A router as a test wants it: one small value, which the module of each router writes in that router's language."""

from dataclasses import dataclass

from reconciler.bgp.families import Family

BOTH = (Family.IPV4, Family.IPV6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbor:
    """
    One neighbour of the router, at an address, or (FRR only) unnumbered on an interface.

    Times are in seconds. `gtsm_hops`: GTSM with at most so many hops. `multihop`: eBGP with that TTL. `port` is that of
    the neighbour. `is_told`: what the router originates is sent to it; GoBGP tells all of them or none. With
    `graceful_restart` the router keeps this neighbour's routes while it is away, for as long as the neighbour says.
    `bfd_ms`: follow BFD at this interval, three times.
    """

    remote_asn: int
    address: str | None = None
    interface: str | None = None
    is_passive: bool = True
    port: int = 179
    source: str | None = None
    password: str | None = None
    hold_time: int = 30
    families: tuple[Family, ...] = BOTH
    multihop: int | None = None
    gtsm_hops: int | None = None
    graceful_restart: bool = True
    extended_next_hop: bool = False
    maximum_prefixes: int | None = None
    bfd_ms: int | None = None
    is_told: bool = False

    @property
    def name(self) -> str:
        """What the router calls it."""
        name = self.interface or self.address
        assert name is not None
        return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """
    The whole router. `originates` are prefixes it has of its own. `has_kernel_routes`: it installs what it learns, with
    as many next hops as `maximum_paths`.
    """

    asn: int
    router_id: str
    neighbors: tuple[Neighbor, ...]
    originates: tuple[str, ...] = ()
    has_kernel_routes: bool = False
    maximum_paths: int = 1


def family_of(prefix: str) -> Family:
    """The family of a prefix or an address as people write them."""
    return Family.IPV6 if ":" in prefix else Family.IPV4
