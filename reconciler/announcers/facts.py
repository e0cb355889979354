"""What an announcer tells of itself for the status: one row for each address."""

from enum import StrEnum

import msgspec

from reconciler.addresses.family import Address
from reconciler.model.observed import InterfaceName, NodeName


class Standing(StrEnum):
    """How an address that was given to this node stands here; the words are shown in the status."""

    PROBING = "probing"
    ANNOUNCED = "announced"
    LINGERING = "lingering"  # answered for until the successor has it
    IN_USE = "in-use"
    YIELDED = "yielded"
    NO_INTERFACE = "no-interface"


class AnnouncedAddress(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """
    An address and the interfaces on which it is answered for, sorted; none of them unless announced or lingering.

    `since` is in seconds on the announcer's clock. `mac` is that of another host that has the address or claims it,
    `member` the node of ours that it belongs to.
    """

    address: Address
    standing: Standing
    interfaces: tuple[InterfaceName, ...]
    since: float
    mac: str | None = None
    member: NodeName | None = None
