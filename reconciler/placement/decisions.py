"""What placement decides for one node, as values."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from reconciler.addresses.family import Address
from reconciler.model.announcements import Announcement
from reconciler.model.observed import NodeName, ServiceKey
from reconciler.model.origin import Origin
from reconciler.model.peers import BGPPeer


class Protocol(StrEnum):
    """How an address is announced."""

    L2 = "l2"
    BGP = "bgp"


class DeclineReason(StrEnum):
    """Why a node stays silent: all but the last five are words that MetalLB logs. docs/decline-reasons.md explains."""

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


@dataclass(frozen=True, slots=True)
class Placement:
    """
    Everything one node should announce.

    `placed` and `declined` are sorted by Service key, then address; `peers` are the sessions the node should keep.
    """

    node: NodeName
    placed: tuple[Placed, ...] = ()
    peers: frozenset[BGPPeer] = frozenset()
    declined: tuple[Declined, ...] = ()

    @property
    def announcements(self) -> frozenset[Announcement]:
        """What the network should hear, each fact once however many Services stand behind it."""
        return frozenset(placed.announcement for placed in self.placed)
