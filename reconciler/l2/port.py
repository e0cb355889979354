"""One link as those see it who decide what is said there, and what they hear from it."""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

import msgspec


class LinkState(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """
    A network interface of this node, as the kernel describes it (rtnetlink RTM_NEWLINK).

    `mac` is 6 octets, empty where the link has none. `is_up` is what the administrator wants, `has_carrier` what the
    cable says. `is_enslaved`: it is a port of a bridge, a bond or a team, so the master speaks; members of a VRF are
    not. `link_local` is its first IPv6 link-local address that is not tentative, 16 octets.
    """

    index: int
    name: str
    mac: bytes = b""
    is_up: bool = True
    has_carrier: bool = True
    is_loopback: bool = False
    has_arp: bool = True
    has_broadcast: bool = True
    is_enslaved: bool = False
    link_local: bytes | None = None


class ClaimKind(StrEnum):
    """By what another host says that an address is its own."""

    ARP_REQUEST = "arp-request"  # the sender's protocol address is ours, an announcement or an ordinary request
    ARP_REPLY = "arp-reply"
    ARP_PROBE = "arp-probe"  # RFC 5227: sender 0.0.0.0; it asks for the address and may take it
    NEIGHBOR_ADVERTISEMENT = "neighbor-advertisement"
    DAD_SOLICITATION = "dad-solicitation"  # RFC 4862: source ::, it asks for the address and may take it
    NEIGHBOR_SOLICITATION = "neighbor-solicitation"  # sent from our address


class Claim(msgspec.Struct, frozen=True, gc=False):
    """A frame by which another MAC claims an address that we own or watch. `frame` is what was received, whole."""

    address: bytes
    mac: bytes
    kind: ClaimKind
    link: str
    frame: bytes


class Counts(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What happened on a link since it was opened. `ignored` counts by the reason's name."""

    requests: int = 0
    answers: int = 0
    unasked: int = 0
    ignored: dict[str, int] = {}


OnClaim = Callable[[Claim], None]


class Port(Protocol):
    """
    One open link. Called in the event loop; answers are given elsewhere and never wait for it.

    Addresses are 4 or 16 octets. Whatever the kernel refuses is logged once and counted, and does not raise: a link
    that goes away is reported by netlink as well.
    """

    @property
    def state(self) -> LinkState:
        """The link as it was last told of."""
        ...

    def update(self, state: LinkState) -> None:
        """The link has another name, MAC or link-local address now: answers carry it from here on."""
        ...

    def own(self, address: bytes) -> None:
        """Answer for the address from now on, and report who else claims it; the group of an IPv6 one is joined."""
        ...

    def watch(self, address: bytes) -> None:
        """Report who claims the address, without answering for it; nothing changes for one that is owned."""
        ...

    def disown(self, address: bytes) -> None:
        """Neither answer nor watch any more. After this returns no answer goes out."""
        ...

    def send(self, frame: bytes) -> None:
        """Send one Ethernet frame."""
        ...

    def counts(self) -> Counts:
        """What happened here so far."""
        ...

    def close(self) -> None:
        """Fall silent and give everything back."""
        ...
