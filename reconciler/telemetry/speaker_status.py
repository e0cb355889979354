"""
The state of a speaker as a value, and its JSON: `/status`, and the document that everybody can read in the cluster.

Described in docs/status.md. Keys may be added; `FORMAT_VERSION` rises when anything else changes. No I/O.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

import msgspec

from reconciler.l2.link_selection import NotUsed
from reconciler.model.origin import Problem, Severity
from reconciler.telemetry.cutting import encoded, fitted
from reconciler.telemetry.sessions import SessionRow, settled
from reconciler.telemetry.status import (
    FORMAT_VERSION,
    LARGEST_DOCUMENT,
    PASSED,
    ClusterState,
    Fact,
    LastPass,
    NewestRevision,
    ProblemFound,
    problem_found,
)

# In `/status`; ten megabytes, which nobody reads, and no tool chokes on.
MOST_ANNOUNCEMENTS = 50_000


class MemberState(StrEnum):
    """How a node's speaker is, as far as this one can tell."""

    ALIVE = "alive"
    SUSPECT = "suspect"  # it did not answer lately, and still counts as alive
    SILENT = "silent"  # its watchers hear nothing of it (fast failure detection): no candidate
    ABSENT = "absent"  # the cluster has the node, and the group has no member there


class AnnouncementState(StrEnum):
    """What this node does about an address."""

    ANNOUNCED = "announced"
    PROBING = "probing"  # nobody is known to use it; that is made sure of first
    LINGERING = "lingering"  # answered for until the successor announces it
    IN_USE = "in-use"  # another host answers for it: not announced
    YIELDED = "yielded"  # another host claims it, and it was given up (onConflict: yield)
    NO_INTERFACE = "no-interface"  # none of the interfaces that it is to be announced on is there
    NO_SESSION = "no-session"  # none of the peers that are to hear of it has a session


class MemberRow(Fact, frozen=True, kw_only=True):
    """
    The speaker of one node, this one included.

    `loaded` and `in_use` are revisions, shortened as `short_revision` does; None where nothing is known of them.
    """

    node: str
    state: MemberState
    loaded: str | None = None
    in_use: str | None = None
    ready: bool = False
    leaving: bool = False


class LinkRow(Fact, frozen=True, kw_only=True):
    """
    An interface of this node. `used`: addresses are announced on it, as long as it has a carrier; else `reason` is why
    not, a word of docs/status.md. `mac` is text, None where the link has none.
    """

    name: str
    mac: str | None = None
    carrier: bool = True
    used: bool = True
    reason: str | None = None


class AnnouncementRow(Fact, frozen=True, gc=False, kw_only=True):
    """
    One address that this node announces, or is about to, for one or several Services, by key.

    `interfaces` belongs to Layer 2, is sorted, and empty where it is all of them; `prefix` and `peers`, which are
    names, belong to BGP. `since` is when the state became this, None where nobody keeps account of that.
    """

    services: tuple[str, ...]
    address: str
    protocol: str = "l2"
    interfaces: tuple[str, ...] = ()
    prefix: str | None = None
    peers: tuple[str, ...] = ()
    state: AnnouncementState = AnnouncementState.ANNOUNCED
    since: datetime | None = None


class DeclinedRow(Fact, frozen=True, gc=False, kw_only=True):
    """Why this node does not announce a Service by one protocol: a word of docs/decline-reasons.md, and a sentence."""

    service: str
    protocol: str
    reason: str
    message: str = ""


class ConflictRow(Fact, frozen=True, kw_only=True):
    """Another host with an address of ours; `member` is the node it belongs to where that is one of our own."""

    address: str
    mac: str
    interface: str
    member: str | None = None
    since: datetime | None = None
    message: str = ""


class HandoverRow(Fact, frozen=True, kw_only=True):
    """An address that goes on to another node, which does not announce it yet."""

    address: str
    successor: str


class SpeakerCounts(
    Fact, frozen=True, kw_only=True, rename={"addresses_ipv4": "addressesIPv4", "addresses_ipv6": "addressesIPv6"}
):
    """
    Services and addresses that this node answers for by ARP and NDP, lingering ones included, and what is unusual about
    them; what peers are told is counted apart.

    `members` are those that count as alive, suspects and this one included. `sessions` are the BGPPeers of this node,
    and `established` those among them with a session; `prefixes` is how many routes these have been told, together.
    """

    services: int = 0
    addresses_ipv4: int = 0
    addresses_ipv6: int = 0
    handovers: int = 0
    conflicts: int = 0
    members: int = 0
    sessions: int = 0
    established: int = 0
    prefixes: int = 0


class SpeakerStatus(Fact, frozen=True, kw_only=True):
    """
    Everything a speaker says about itself.

    `not_ready` is why it is no candidate yet, None when it is ready. `revision` is the configuration that it announces
    by; `newest` what its files say, with the controller's verdict and, in `message`, what it waits for. `leaving`: it
    hands its addresses over, to end; `drained`: because its node is to carry no traffic. `listening_problem` is why
    BGP peers cannot connect although they are to. `announcements` and `declined` are None except in `/status`; `cut`
    says what was left out to keep it small.
    """

    format_version: int = FORMAT_VERSION
    role: str = "speaker"
    version: str
    node: str
    lb_class: str = ""
    not_ready: str | None = None
    leaving: bool = False
    drained: bool = False
    revision: str | None = None
    newest: NewestRevision = NewestRevision()
    problems: tuple[ProblemFound, ...] = ()
    members: tuple[MemberRow, ...] = ()
    links: tuple[LinkRow, ...] = ()
    counts: SpeakerCounts = SpeakerCounts()
    conflicts: tuple[ConflictRow, ...] = ()
    handovers: tuple[HandoverRow, ...] = ()
    sessions: tuple[SessionRow, ...] = ()
    listening_problem: str | None = None
    last_pass: LastPass = LastPass()
    cluster: ClusterState = ClusterState()
    state_dir_problem: str | None = None
    announcements: tuple[AnnouncementRow, ...] | None = None
    declined: tuple[DeclinedRow, ...] | None = None
    cut: str | None = None

    @property
    def waits(self) -> bool:
        """Whether the files have a valid revision that is not in use yet, and that nobody objects to."""
        newest = self.newest
        is_valid = all(problem.severity is not Severity.ERROR for problem in self.problems)
        return is_valid and newest.revision not in {None, self.revision} and newest.verdict in {None, PASSED}


def speaker_status(
    *,
    version: str,
    node: str,
    lb_class: str,
    not_ready: str | None,
    leaving: bool = False,
    drained: bool = False,
    revision: str | None,
    newest: NewestRevision,
    problems: Iterable[Problem] = (),
    members: Iterable[MemberRow] = (),
    links: Iterable[LinkRow] = (),
    conflicts: Iterable[ConflictRow] = (),
    handovers: Iterable[HandoverRow] = (),
    sessions: Iterable[SessionRow] = (),
    listening_problem: str | None = None,
    last_pass: LastPass,
    cluster: ClusterState,
    state_dir_problem: str | None = None,
    announcements: Iterable[AnnouncementRow] = (),
    declined: Iterable[DeclinedRow] | None = None,
) -> SpeakerStatus:
    """
    Put a speaker's state together, sorted and counted: a few milliseconds for ten thousand addresses.

    The arguments are the fields of `SpeakerStatus`. With `declined`, even with none, announcements are listed one by
    one, as `/status` wants them; without, they are only counted.
    """
    announced = tuple(
        sorted(announcements, key=lambda row: (row.services, row.address, row.protocol, row.prefix or ""))
    )
    group = tuple(sorted(members, key=lambda row: row.node))
    met = tuple(sorted(conflicts, key=lambda row: (row.address, row.interface, row.mac)))
    moving = tuple(sorted(handovers, key=lambda row: (row.address, row.successor)))
    peers = tuple(sorted(sessions, key=lambda row: row.peer))
    return SpeakerStatus(
        version=version,
        node=node,
        lb_class=lb_class,
        not_ready=not_ready,
        leaving=leaving,
        drained=drained,
        revision=revision,
        newest=newest,
        problems=tuple(map(problem_found, problems)),
        members=group,
        links=tuple(sorted(links, key=lambda row: row.name)),
        counts=_counted(announced, group, peers, handovers=len(moving), conflicts=len({row.address for row in met})),
        conflicts=met,
        handovers=moving,
        sessions=peers,
        listening_problem=listening_problem,
        last_pass=last_pass,
        cluster=cluster,
        state_dir_problem=state_dir_problem,
        announcements=None if declined is None else announced[:MOST_ANNOUNCEMENTS],
        declined=None if declined is None else tuple(declined),
        cut=None if declined is None else _unlisted(announced),
    )


def document(status: SpeakerStatus, limit: int = LARGEST_DOCUMENT) -> bytes:
    """
    The JSON to publish: the same octets as long as nothing has happened that anybody should know of.

    What changes with every pass is left out, except its error; so is what is listed address by address. Of the members
    only those that are missing are named: each says for itself how it is, and a group of hundreds would otherwise
    write hundreds of documents whenever one of them takes up new files. Of the links only those that are used, or would
    be if they were up: others come and go with every Pod. Of the sessions attempts are left out, and what peers tell
    us of. It is cut to at most `limit` octets.
    """
    lasting = msgspec.structs.replace(
        status,
        members=tuple(row for row in status.members if row.state in {MemberState.SILENT, MemberState.ABSENT}),
        links=tuple(row for row in status.links if row.used or row.reason == NotUsed.DOWN),
        sessions=tuple(map(settled, status.sessions)),
        last_pass=LastPass(error=status.last_pass.error),
        announcements=None,
        declined=None,
        cut=None,
    )
    return encoded(fitted(_builtins(lasting), limit))


def status_json(status: SpeakerStatus) -> bytes:
    """The JSON of `/status`."""
    return encoded(_builtins(status))


def _builtins(status: SpeakerStatus) -> dict[str, Any]:
    return cast(dict[str, Any], msgspec.to_builtins(status))


def _counted(
    announced: tuple[AnnouncementRow, ...],
    members: tuple[MemberRow, ...],
    sessions: tuple[SessionRow, ...],
    *,
    handovers: int,
    conflicts: int,
) -> SpeakerCounts:
    # Routes are listed in `/status` only, and its counts are to be those of the document.
    states = {AnnouncementState.ANNOUNCED, AnnouncementState.LINGERING}
    answered = [row for row in announced if row.state in states and row.protocol == "l2"]
    addresses = {row.address for row in answered}
    ipv6 = sum(1 for address in addresses if ":" in address)
    return SpeakerCounts(
        services=len({service for row in answered for service in row.services}),
        addresses_ipv4=len(addresses) - ipv6,
        addresses_ipv6=ipv6,
        handovers=handovers,
        conflicts=conflicts,
        members=sum(1 for row in members if row.state in {MemberState.ALIVE, MemberState.SUSPECT}),
        sessions=len(sessions),
        established=sum(row.is_established for row in sessions),
        prefixes=sum(row.told for row in sessions),
    )


def _unlisted(announced: tuple[AnnouncementRow, ...]) -> str | None:
    more = len(announced) - MOST_ANNOUNCEMENTS
    return f"{more} of announcements are not listed" if more > 0 else None
