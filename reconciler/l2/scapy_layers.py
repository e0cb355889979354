"""
The parts of scapy that are used here. Heavy (0.2 s, 25 MiB): imported by who has a frame to look at, and not before.

Never `scapy.all`, which reads routes, opens files in the home directory and brings every protocol there is.
"""

from scapy.config import conf

# Before any layer is imported: nothing here sends, so the routes of this host are not read.
conf.route_autoload = False
conf.route6_autoload = False

from scapy.layers.inet6 import (  # noqa: E402 - the settings above come first
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import ARP, Ether  # noqa: E402
from scapy.packet import Packet  # noqa: E402

__all__ = [
    "ARP",
    "Ether",
    "ICMPv6NDOptDstLLAddr",
    "ICMPv6NDOptSrcLLAddr",
    "ICMPv6ND_NA",
    "ICMPv6ND_NS",
    "IPv6",
    "Packet",
]
