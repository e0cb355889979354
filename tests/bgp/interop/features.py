"""The sessions that every router has configured toward the speaker: one for each feature, told apart by our address."""

from dataclasses import dataclass, replace
from ipaddress import ip_address

from reconciler.bgp.families import Family
from tests.routers.configuration import Neighbor

ROUTER_ASN = 65000
OUR_ASN = 65001
OUR_LONG_ASN = 4200000001
SPEAKER = "speaker"
ROUTERS = ("frr", "bird", "gobgp")
PASSWORD = "s3cret"  # noqa: S105 # of nothing
# On the speaker's loopback interface; the routers have routes there, one hop away.
FAR4, FAR6 = "203.0.113.0/24", "2001:db8:ff::/64"


@dataclass(frozen=True, slots=True)
class Feature:
    """
    One session as a router has it configured; the address is filled in later.

    `number` ends our address. `over`: the family of the connection. `is_far`: from our loopback interface. There are
    `copies` of it with the numbers that follow.
    """

    number: int
    neighbor: Neighbor
    over: Family = Family.IPV4
    is_far: bool = False
    copies: int = 1

    @property
    def address(self) -> str:
        """Ours, and so the name that the router knows us by."""
        if self.is_far:
            return f"203.0.113.{self.number}" if self.over is Family.IPV4 else f"2001:db8:ff::{self.number}"
        return f"192.0.2.{self.number}" if self.over is Family.IPV4 else f"2001:db8::{self.number}"

    @property
    def configured(self) -> Neighbor:
        """The whole of it."""
        return replace(self.neighbor, address=self.address)


def _ours(**changes: object) -> Neighbor:
    return replace(Neighbor(remote_asn=OUR_ASN), **changes)  # type: ignore[arg-type] # its fields, by name


FEATURES = {
    # Routers let nobody in again at once: each test has a fresh one.
    "ebgp": Feature(150, _ours(), copies=40),
    "long-as": Feature(101, _ours(remote_asn=OUR_LONG_ASN)),
    "ibgp": Feature(130, _ours(remote_asn=ROUTER_ASN), copies=10),
    "ipv6": Feature(103, _ours(), Family.IPV6),
    "hop6": Feature(104, _ours(extended_next_hop=True), Family.IPV6),
    "ipv4-only": Feature(144, _ours(families=(Family.IPV4,)), copies=2),
    "password": Feature(146, _ours(password=PASSWORD), copies=4),
    "password6": Feature(107, _ours(password=PASSWORD), Family.IPV6),
    "gtsm": Feature(108, _ours(gtsm_hops=1)),
    "gtsm6": Feature(109, _ours(gtsm_hops=1), Family.IPV6),
    "multihop": Feature(110, _ours(multihop=2), is_far=True),
    "multihop6": Feature(111, _ours(multihop=2), Family.IPV6, is_far=True),
    "told": Feature(140, _ours(is_told=True), copies=4),
    "limited": Feature(113, _ours(maximum_prefixes=3)),
    "silent": Feature(114, _ours(hold_time=3)),
    "forgetful": Feature(115, _ours(graceful_restart=False)),
    "dials": Feature(116, _ours(is_passive=False)),
    "dials-password": Feature(117, _ours(is_passive=False, password=PASSWORD)),
    "ibgp6": Feature(118, _ours(remote_asn=ROUTER_ASN), Family.IPV6),
}


def every_session() -> list[Feature]:
    """All of them, copies included."""
    return [
        replace(feature, number=feature.number + copy)
        for feature in FEATURES.values()
        for copy in range(feature.copies)
    ]


def address_commands() -> list[str]:
    """The commands of `ip` that give the speaker an address for each feature."""
    return [
        f"address add {feature.address}/{ip_address(feature.address).max_prefixlen} dev lo"
        if feature.is_far
        else f"address add {feature.address}/{24 if feature.over is Family.IPV4 else 64} dev eth0"
        for feature in every_session()
    ]
