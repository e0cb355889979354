"""What placement decides for one node, as values."""

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

import msgspec

from reconciler.addresses.family import Address
from reconciler.model.announcements import Announcement
from reconciler.model.desired import DesiredState
from reconciler.model.observed import NodeName, ServiceKey
from reconciler.model.origin import Origin
from reconciler.model.peers import BGPPeer
from reconciler.placement.hearing import heard_of


class Protocol(StrEnum):
    """How an address is announced."""

    L2 = "l2"
    BGP = "bgp"


class DeclineReason(StrEnum):
    """Why a node stays silent: all but the last six are words that MetalLB logs. docs/decline-reasons.md explains."""

    NOT_LOAD_BALANCER = "notLoadBalancer"
    NO_ADDRESS = "noIPAllocated"
    INVALID_ADDRESS = "invalidIP"
    NOT_IN_ONE_POOL = "ipNotAllowed"
    NOT_OWNER = "notOwner"
    SHARED_ADDRESS_WITH_SELECTOR = "sharedIPWithServiceSelector"
    NO_MATCHING_ADVERTISEMENT = "noMatchingAdvertisement"
    CONFLICTING_ADVERTISEMENTS = "conflictingAdvertisements"
    NODE_NETWORK_UNAVAILABLE = "nodeNetworkUnavailable"
    NODE_EXCLUDED = "nodeLabeledExcludeBalancers"
    NO_LOCAL_ENDPOINTS = "noLocalEndpoints"
    NO_ENDPOINTS = "noEndpoints"
    NOT_OUR_CLASS = "notOurClass"
    NO_SPEAKER = "noSpeaker"
    NO_LINK_UP = "noLinkUp"
    NO_PEER = "noPeer"
    PEER_FAMILY_MISMATCH = "peerFamilyMismatch"
    NODE_DRAINED = "nodeDrained"


class Placed(msgspec.Struct, frozen=True, gc=False):
    """One announcement a node makes on behalf of one address of one Service, and the advertisement behind it."""

    service: ServiceKey
    address: Address
    announcement: Announcement
    origin: Origin | None = None


class Declined(msgspec.Struct, frozen=True, gc=False):
    """Why a node does not announce a Service by one protocol; `reason` is a `DeclineReason`, `message` a sentence."""

    service: ServiceKey
    protocol: Protocol
    reason: str
    message: str = ""


@dataclass(frozen=True)  # without slots: what follows from the fields is worked out once
class Placement:
    """
    Everything one node should announce.

    `placed` and `declined` are sorted by Service key, then address; `peers` are the sessions the node should keep.
    `former` are those of the former configurations under which some Service is still announced, by whatever node.
    """

    node: NodeName
    placed: tuple[Placed, ...] = ()
    peers: frozenset[BGPPeer] = frozenset()
    declined: tuple[Declined, ...] = ()
    former: tuple[DesiredState, ...] = field(default=(), compare=False)

    @classmethod
    def known(
        cls,
        node: NodeName,
        placed: tuple[Placed, ...],
        peers: frozenset[BGPPeer],
        former: tuple[DesiredState, ...],
        *,
        announcements: frozenset[Announcement],
        heard: frozenset[Announcement],
    ) -> "Placement":
        """A placement of which somebody has kept account: what follows from `placed` is handed over with it."""
        placement = cls(node, placed, peers, former=former)
        placement.__dict__.update(announcements=announcements, heard=heard)
        return placement

    @cached_property
    def announcements(self) -> frozenset[Announcement]:
        """What the Services want the network to hear, each fact once however many of them stand behind it."""
        return frozenset(placed.announcement for placed in self.placed)

    @cached_property
    def heard(self) -> frozenset[Announcement]:
        """The same with one announcement for each address, or prefix and peer: what the network does hear."""
        return heard_of(self.announcements)
