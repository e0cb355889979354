"""What a speaker asks of any announcer, and what an announcer has to tell."""

from collections.abc import Collection
from enum import StrEnum
from typing import Protocol

import msgspec

from reconciler.addresses.family import Address
from reconciler.model.announcements import Active
from reconciler.model.observed import InterfaceName, NodeName
from reconciler.plan.actions import SpeakerAction


class ReportKind(StrEnum):
    """What became of an address here, beyond what was asked for."""

    ANNOUNCED = "announced"  # answers are given and the first unasked announcement is out
    WITHDRAWN = "withdrawn"
    NO_INTERFACE = "no-interface"  # none of the interfaces that it is to be announced on exists here
    IN_USE = "in-use"  # another host answered the probe: it is not announced, and probed again
    FREE_AGAIN = "free-again"  # the probe stayed without an answer after it had got one: it is announced now
    CLAIMED = "claimed"  # another host claims what we announce, and we have defended it
    YIELDED = "yielded"  # the same, and we have given it up
    CLAIM_OVER = "claim-over"  # nobody has claimed it for a while


class Report(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """
    Something an announcer did or met. `mac` is the other host's, `member` the node it belongs to where that is one of
    our own; `message` is one sentence for people, and `frame` what that host sent, whole.
    """

    kind: ReportKind
    address: Address
    interface: InterfaceName | None = None
    mac: str | None = None
    member: NodeName | None = None
    message: str = ""
    frame: bytes = b""


class SessionReportKind(StrEnum):
    """What became of a BGP peer."""

    ESTABLISHED = "established"
    ENDED = "ended"  # a session, not an attempt
    CLOSED = "closed"  # by us, because the configuration wants it so
    PROBLEM = "problem"  # something here keeps us from even trying, or a route from being told
    PROBLEM_OVER = "problem-over"
    BFD_UP = "bfd-up"
    BFD_DOWN = "bfd-down"
    BFD_ABSENT = "bfd-absent"  # the BGP session is there, and the peer sends no BFD packets


class SessionReport(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Something that happened to a BGP peer; `message` is one sentence for people."""

    kind: SessionReportKind
    peer: str
    message: str


class Announcer(Protocol):
    """ARP and NDP, BGP, or whatever else makes a network deliver an address."""

    def active(self) -> Active:
        """What is announced now, or is on its way to be: an address that is being probed counts, one lingering too."""
        ...

    async def apply(self, action: SpeakerAction) -> None:
        """Carry out one action of a plan; what cannot be done is reported, and tried again by the announcer itself."""
        ...

    def linger(self, addresses: Collection[Address]) -> None:
        """Go on answering for these, but say nothing unasked any more: somebody else is taking them over."""
        ...

    async def close(self) -> None:
        """Fall silent at once, and give everything back."""
        ...
