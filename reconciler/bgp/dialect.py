"""How routes are written toward one peer: what an established session adds to every route. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from reconciler.bgp.families import Family
from reconciler.bgp.parameters import Agreement, LocalEnd
from reconciler.bgp.remote import is_link_local


@dataclass(frozen=True, slots=True)
class Dialect:
    """
    `next_hops` has the octets of the next hop for each family that routes are told of: 4 for the classic NEXT_HOP of
    IPv4, 16 or 32 in MP_REACH_NLRI (global, or global and link-local). A family that is agreed on and for which this
    node has no address to be reached at is missing there, and in `without_next_hop`.
    """

    local_asn: int
    is_ibgp: bool
    four_octet_as: bool
    max_length: int
    next_hops: Mapping[Family, bytes]
    without_next_hop: frozenset[Family] = field(default=frozenset())
    enhanced_refresh: bool = False


def dialect_of(local_asn: int, agreement: Agreement, local: LocalEnd) -> Dialect:
    """What was agreed, over that connection (RFC 4760 section 3, RFC 2545 section 3, RFC 8950 section 4)."""
    found = {
        Family.IPV4: _next_hop_of_ipv4(local, extended=agreement.extended_next_hop),
        Family.IPV6: _next_hop_of_ipv6(local),
    }
    next_hops = {family: found[family] for family in sorted(agreement.families)}
    return Dialect(
        local_asn=local_asn,
        is_ibgp=agreement.is_ibgp,
        four_octet_as=agreement.four_octet_as,
        max_length=agreement.max_length,
        next_hops=MappingProxyType({family: octets for family, octets in next_hops.items() if octets is not None}),
        without_next_hop=frozenset(family for family, octets in next_hops.items() if octets is None),
        enhanced_refresh=agreement.enhanced_refresh,
    )


def _next_hop_of_ipv4(local: LocalEnd, *, extended: bool) -> bytes | None:
    if _is_ipv4(local.address):
        return local.address
    return _next_hop_of_ipv6(local) if extended else local.ipv4


def _next_hop_of_ipv6(local: LocalEnd) -> bytes | None:
    """A global address that the peer can reach, with the link-local one where both share the link (RFC 2545)."""
    if _is_ipv4(local.address):
        return local.ipv6
    if is_link_local(local.address):
        # Alone: nothing says that the peer has a route to a global address of this interface, and routers that find
        # none (BIRD among them) do not fall back.
        return local.address
    return local.address + (local.link_local or b"" if local.is_on_link else b"")


def _is_ipv4(address: bytes) -> bool:
    return len(address) == 4
