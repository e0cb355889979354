"""What one node can say to the network, and what it is saying now."""

from dataclasses import dataclass

import msgspec

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.family import Address
from reconciler.model.advertisements import Community
from reconciler.model.observed import InterfaceName
from reconciler.model.peers import BGPPeer


class L2Announcement(msgspec.Struct, frozen=True, gc=False):
    """Answer ARP or NDP for an address. `interfaces` None means every interface."""

    address: Address
    interfaces: frozenset[InterfaceName] | None = None


class RouteAnnouncement(msgspec.Struct, frozen=True, gc=False):
    """Tell one peer of a prefix. `local_pref` None leaves the protocol's default; `communities` are ascending."""

    prefix: AddressRange
    peer: str
    local_pref: int | None = None
    communities: tuple[Community, ...] = ()


Announcement = L2Announcement | RouteAnnouncement


@dataclass(frozen=True, slots=True)
class Active:
    """What a node's announcers are doing now."""

    announcements: frozenset[Announcement] = frozenset()
    peers: frozenset[BGPPeer] = frozenset()
