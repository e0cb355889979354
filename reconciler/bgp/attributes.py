"""
Path attributes of the routes that we originate → octets (RFC 4271 section 4.3, RFC 4760, 6793, 1997, 8092).

How many prefixes go with them into one message is decided elsewhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct as Layout

from reconciler.bgp.dialect import Dialect
from reconciler.bgp.families import UNICAST, Family
from reconciler.bgp.framing import HEADER_LENGTH
from reconciler.bgp.parameters import DEFAULT_LOCAL_PREF
from reconciler.bgp.routes import GRACEFUL_SHUTDOWN, RouteAttributes

# RFC 6793 section 9: stands for an AS that does not fit into two octets.
AS_TRANS = 23456
_IGP = 0
_AS_SEQUENCE = 2
_FAMILY = Layout("!HB")
# The lengths of the two fields before the NLRI (RFC 4271 section 4.3).
_UPDATE_OVERHEAD = HEADER_LENGTH + 4
_LONGEST_PREFIX = {Family.IPV4: 5, Family.IPV6: 17}
_LARGE_COMMUNITY = Layout("!III")

OPTIONAL, TRANSITIVE, EXTENDED_LENGTH = 0x80, 0x40, 0x10


class AttributeType(IntEnum):
    """The type codes that we know (IANA). Peers may send others."""

    ORIGIN = 1
    AS_PATH = 2
    NEXT_HOP = 3
    MED = 4
    LOCAL_PREF = 5
    ATOMIC_AGGREGATE = 6
    AGGREGATOR = 7
    COMMUNITIES = 8
    ORIGINATOR_ID = 9
    CLUSTER_LIST = 10
    MP_REACH_NLRI = 14
    MP_UNREACH_NLRI = 15
    EXTENDED_COMMUNITIES = 16
    AS4_PATH = 17
    AS4_AGGREGATOR = 18
    LARGE_COMMUNITY = 32
    ONLY_TO_CUSTOMER = 35


_WELL_KNOWN = TRANSITIVE
_OPTIONAL_TRANSITIVE = OPTIONAL | TRANSITIVE


@dataclass(frozen=True, slots=True)
class PathAttributes:
    """
    What prefixes of one attribute set have in common in an UPDATE.

    `reach` is the value of MP_REACH_NLRI as far as the prefixes; None where these stand in the NLRI field of the
    message. `others` are all other attributes, ascending; MP_REACH_NLRI stands before them (RFC 7606 section 5.1).
    """

    reach: bytes | None
    others: bytes

    def block(self, prefixes: bytes) -> bytes:
        """The path attributes with these prefixes in them, where they belong there."""
        if self.reach is None:
            return self.others
        return attribute(OPTIONAL, AttributeType.MP_REACH_NLRI, self.reach + prefixes) + self.others


def path_attributes(dialect: Dialect, family: Family, attributes: RouteAttributes) -> PathAttributes | None:
    """None where even one prefix of the family would not fit with them into one message."""
    next_hop = dialect.next_hops[family]
    is_classic = len(next_hop) == 4
    well_known = _well_known(dialect, attributes, next_hop if is_classic else None)
    optional = _optional(dialect, attributes)
    # One alone may be longer than the length of an attribute can name.
    if sum(len(value) for _, value in optional) > dialect.max_length:
        return None
    others = [attribute(_WELL_KNOWN, kind, value) for kind, value in well_known]
    others += [attribute(_OPTIONAL_TRANSITIVE, kind, value) for kind, value in optional]
    made = PathAttributes(None if is_classic else _reach(family, next_hop), b"".join(others))
    return made if _fits(made, family, dialect.max_length) else None


def attribute(flags: int, kind: AttributeType, value: bytes) -> bytes:
    """One path attribute, with a length of two octets where one is too short. At most 65535 octets of value."""
    if len(value) > 255:
        return bytes((flags | EXTENDED_LENGTH, kind)) + len(value).to_bytes(2) + value
    return bytes((flags, kind, len(value))) + value


def mp_unreach(family: Family, prefixes: bytes = b"") -> bytes:
    """The attribute that withdraws these prefixes; without any, alone in an UPDATE, End-of-RIB (RFC 4724 section 2)."""
    return attribute(OPTIONAL, AttributeType.MP_UNREACH_NLRI, _FAMILY.pack(family, UNICAST) + prefixes)


def leaving(attributes: RouteAttributes) -> RouteAttributes:
    """The same for a route that is about to go (RFC 8326 section 4)."""
    return RouteAttributes(
        local_pref=0,
        communities=tuple(sorted({*attributes.communities, GRACEFUL_SHUTDOWN})),
        large_communities=attributes.large_communities,
    )


def _as_path(dialect: Dialect) -> bytes:
    """Empty within our AS; else ourselves alone."""
    if dialect.is_ibgp:
        return b""
    if dialect.four_octet_as:
        return _sequence_of(dialect.local_asn, 4)
    return _sequence_of(dialect.local_asn if _fits_two_octets(dialect.local_asn) else AS_TRANS, 2)


def _well_known(
    dialect: Dialect, attributes: RouteAttributes, next_hop: bytes | None
) -> Iterator[tuple[AttributeType, bytes]]:
    """Types and values, ascending."""
    yield AttributeType.ORIGIN, bytes((_IGP,))
    yield AttributeType.AS_PATH, _as_path(dialect)
    if next_hop is not None:
        yield AttributeType.NEXT_HOP, next_hop
    if dialect.is_ibgp:
        preference = DEFAULT_LOCAL_PREF if attributes.local_pref is None else attributes.local_pref
        yield AttributeType.LOCAL_PREF, preference.to_bytes(4)


def _optional(dialect: Dialect, attributes: RouteAttributes) -> list[tuple[AttributeType, bytes]]:
    """Types and values, ascending."""
    found = []
    if attributes.communities:
        value = b"".join(community.to_bytes(4) for community in attributes.communities)
        found.append((AttributeType.COMMUNITIES, value))
    if not (dialect.is_ibgp or dialect.four_octet_as or _fits_two_octets(dialect.local_asn)):
        found.append((AttributeType.AS4_PATH, _sequence_of(dialect.local_asn, 4)))
    if attributes.large_communities:
        value = b"".join(_LARGE_COMMUNITY.pack(*community) for community in attributes.large_communities)
        found.append((AttributeType.LARGE_COMMUNITY, value))
    return found


def _sequence_of(asn: int, octets: int) -> bytes:
    return bytes((_AS_SEQUENCE, 1)) + asn.to_bytes(octets)


def _fits_two_octets(asn: int) -> bool:
    return asn < 1 << 16


def _reach(family: Family, next_hop: bytes) -> bytes:
    # The reserved octet follows the next hop.
    return _FAMILY.pack(family, UNICAST) + bytes((len(next_hop),)) + next_hop + bytes(1)


def _fits(made: PathAttributes, family: Family, max_length: int) -> bool:
    prefix = bytes(_LONGEST_PREFIX[family])
    length = _UPDATE_OVERHEAD + len(made.block(prefix))
    return length + (len(prefix) if made.reach is None else 0) <= max_length
