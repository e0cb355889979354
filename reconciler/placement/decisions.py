"""What placement decides for one node, as values."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import overload

import msgspec

from reconciler.addresses.family import Address
from reconciler.model.announcements import Announcement, L2Announcement, RouteAnnouncement, Routes
from reconciler.model.desired import DesiredState
from reconciler.model.observed import NodeName, ServiceKey
from reconciler.model.origin import Origin
from reconciler.model.peers import BGPPeer
from reconciler.placement.hearing import heard_of, order_of


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


class Derived(Sequence[Placed]):
    """Announcements that are worked out whenever somebody asks for them, and not kept: there may be very many."""

    def __init__(self, work_out: Callable[[], Iterable[Placed]]) -> None:
        self._work_out = work_out

    def __iter__(self) -> Iterator[Placed]:
        return iter(self._work_out())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @overload
    def __getitem__(self, index: int) -> Placed: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Placed, ...]: ...
    def __getitem__(self, index: int | slice) -> Placed | tuple[Placed, ...]:
        return tuple(self)[index]

    def __eq__(self, other: object) -> bool:
        return tuple(self) == (tuple(other) if isinstance(other, Derived) else other)

    def __hash__(self) -> int:
        return hash(tuple(self))


@dataclass(frozen=True)  # without slots: what follows from the fields is worked out once
class Placement:
    """
    Everything one node should announce.

    `placed` and `declined` are sorted by Service key, then address; `peers` are the sessions the node should keep.
    `former` are those of the former configurations under which some Service is still announced, by whatever node.

    A speaker asks for `heard`, `by_layer2`, `peers` and `routes` only. `placed` has an object for each route and each
    Service behind it, which is a matter for whoever explains.
    """

    node: NodeName
    placed: Sequence[Placed] = ()
    peers: frozenset[BGPPeer] = frozenset()
    declined: tuple[Declined, ...] = ()
    former: tuple[DesiredState, ...] = field(default=(), compare=False)

    @classmethod
    def known(
        cls,
        node: NodeName,
        placed: Sequence[Placed],
        peers: frozenset[BGPPeer],
        former: tuple[DesiredState, ...],
        *,
        by_layer2: tuple[Placed, ...],
        heard: frozenset[L2Announcement],
        routes: Routes,
    ) -> "Placement":
        """A placement of which somebody has kept account: what follows from `placed` is handed over with it."""
        placement = cls(node, placed, peers, former=former)
        placement.__dict__.update(by_layer2=by_layer2, heard=heard, routes=routes)
        return placement

    @cached_property
    def announcements(self) -> frozenset[Announcement]:
        """What the Services want the network to hear, each fact once however many of them stand behind it."""
        return frozenset(placed.announcement for placed in self.placed)

    @cached_property
    def by_layer2(self) -> tuple[Placed, ...]:
        """Those of `placed` that are announced by ARP and NDP."""
        return tuple(placed for placed in self.placed if isinstance(placed.announcement, L2Announcement))

    @cached_property
    def heard(self) -> frozenset[L2Announcement]:
        """What the network hears by ARP and NDP: one announcement for each address."""
        return heard_of(one for one in self.announcements if isinstance(one, L2Announcement))

    @cached_property
    def routes(self) -> Routes:
        """What peers hear: one route for each prefix and peer, with the first advertisement behind it by its place."""
        origins: dict[RouteAnnouncement, Origin | None] = {}
        for placed in self.placed:
            route = placed.announcement
            if isinstance(route, RouteAnnouncement):
                origins[route] = first_origin(origins.get(route), placed.origin)
        return Routes.of(sorted(origins, key=order_of), origins)


def first_origin(one: Origin | None, other: Origin | None) -> Origin | None:
    """Of two places in the configuration the one to point at."""
    return min(one, other) if one and other else one or other
