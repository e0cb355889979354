"""The closed list of things a role can do, and the plan that orders them."""

from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from reconciler.addresses.family import Address
from reconciler.model.announcements import Announcement
from reconciler.model.observed import AssignedCondition, ServiceKey
from reconciler.model.origin import Origin
from reconciler.model.peers import BGPPeer

Action_co = TypeVar("Action_co", covariant=True)


class ClearAddresses(msgspec.Struct, frozen=True, gc=False):
    """
    Empty the status of a Service and take our annotation away.

    `condition` is what stands for ours from then on: None takes it away, where the Service asks for nothing any more.
    """

    service: ServiceKey
    before: tuple[Address, ...]
    resource_version: str
    reason: str
    message: str
    condition: AssignedCondition | None = None
    cause: Origin | None = None


class AssignAddresses(msgspec.Struct, frozen=True, gc=False):
    """Write addresses, in this order, their pool and the condition. `before` is what the status holds now."""

    service: ServiceKey
    before: tuple[Address, ...]
    addresses: tuple[Address, ...]
    pool: str
    resource_version: str
    reason: str
    message: str
    condition: AssignedCondition | None = None
    cause: Origin | None = None


class RecordCondition(msgspec.Struct, frozen=True, gc=False):
    """Make our condition say this and leave the addresses as they are; None takes it away."""

    service: ServiceKey
    resource_version: str
    condition: AssignedCondition | None
    cause: Origin | None = None


class RecordEvent(msgspec.Struct, frozen=True, gc=False):
    """Say something about a Service; `type` is Normal or Warning."""

    service: ServiceKey
    type: str
    reason: str
    message: str
    cause: Origin | None = None


# What changes a Service; an Event changes nothing.
StatusWrite = ClearAddresses | AssignAddresses | RecordCondition

ServiceAction = StatusWrite | RecordEvent


class Withdraw(msgspec.Struct, frozen=True, gc=False):
    """Stop announcing."""

    announcement: Announcement
    cause: Origin | None = None


class ClosePeer(msgspec.Struct, frozen=True, gc=False):
    """End a BGP session."""

    peer: BGPPeer
    cause: Origin | None = None


class OpenPeer(msgspec.Struct, frozen=True, gc=False):
    """Start a BGP session."""

    peer: BGPPeer
    cause: Origin | None = None


class Announce(msgspec.Struct, frozen=True, gc=False):
    """
    Start announcing.

    `is_new`: nobody can have announced the address before, so it is made sure first that no other host uses it.
    """

    announcement: Announcement
    cause: Origin | None = None
    is_new: bool = False


SpeakerAction = Withdraw | ClosePeer | OpenPeer | Announce


@dataclass(frozen=True, slots=True)
class Plan(Generic[Action_co]):
    """Actions in the order in which they should happen."""

    actions: tuple[Action_co, ...] = ()
