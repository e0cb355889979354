"""The table that every sender tells: host routes with one community, from one AS to another."""

from collections.abc import Iterator
from ipaddress import IPv4Address

from reconciler.bgp.adj_rib_out import AdjRibOut
from reconciler.bgp.dialect import Dialect
from reconciler.bgp.families import Family, Prefix, prefix_of
from reconciler.bgp.routes import RouteAttributes

SENDER, RECEIVER = "sender", "receiver"
SENDER_ASN, RECEIVER_ASN = 65001, 65002
# As the laboratory numbers its hosts.
SENDER_ADDRESS, RECEIVER_ADDRESS = IPv4Address("192.0.2.10"), IPv4Address("192.0.2.11")
PORT = 179
COMMUNITY = (65001, 100)
ATTRIBUTES = RouteAttributes(communities=(COMMUNITY[0] << 16 | COMMUNITY[1],))
OTHER_ATTRIBUTES = RouteAttributes(communities=(COMMUNITY[0] << 16 | COMMUNITY[1] + 1,))
DIALECT = Dialect(
    local_asn=SENDER_ASN,
    is_ibgp=False,
    four_octet_as=True,
    max_length=4096,
    next_hops={Family.IPV4: SENDER_ADDRESS.packed},
)
# Seconds: before the first of many single changes, and between two.
SETTLING, PAUSE = 0.5, 0.005
# RFC 2544 sets it aside for benchmarks; it has room for 131 072.
_FIRST = IPv4Address("198.18.0.0")


def addresses(count: int) -> Iterator[IPv4Address]:
    """The first of the table, ascending."""
    return (_FIRST + number for number in range(count))


def prefixes(count: int) -> list[Prefix]:
    """The same as they stand in messages."""
    return [prefix_of(address.packed, 32) for address in addresses(count)]


def fill(rib: AdjRibOut, table: list[Prefix]) -> None:
    """Have all of it wanted."""
    for prefix in table:
        rib.announce(Family.IPV4, prefix, ATTRIBUTES)
    rib.settled()


def packed(table: list[Prefix]) -> tuple[bytes, AdjRibOut]:
    """The messages that tell the table, End-of-RIB last; and what makes more."""
    rib = AdjRibOut()
    fill(rib, table)
    rib.begin(DIALECT)
    return rib.take(1 << 40), rib


def nth_change(rib: AdjRibOut, table: list[Prefix], number: int) -> None:
    """Give one route, each time another, the attributes that it has not."""
    turn, place = divmod(number, len(table))
    # Neighbours in the table are not changed one after the other.
    prefix = table[place * 997 % len(table)]
    rib.announce(Family.IPV4, prefix, ATTRIBUTES if turn % 2 else OTHER_ATTRIBUTES)
