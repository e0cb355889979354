"""What a speaker can say about itself at any moment: for `/status`, for the metrics, and for the status object."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from reconciler import __version__
from reconciler.addresses.family import Address
from reconciler.announcers.bgp import BGPAnnouncer
from reconciler.announcers.facts import AnnouncedAddress, Standing
from reconciler.announcers.layer2 import Layer2Announcer
from reconciler.l2.link_selection import NotUsed
from reconciler.l2.port import LinkState
from reconciler.loop.adoption import Adoption
from reconciler.loop.configuration import Configuration
from reconciler.loop.group import Group
from reconciler.loop.handing_over import HandingOver
from reconciler.loop.pacing import Occasion
from reconciler.loop.rounds import Failed
from reconciler.loop.session_rows import SessionRows, route_rows
from reconciler.loop.speaker import Speaker
from reconciler.loop.speaker_events import Conflict, SpeakerEvents
from reconciler.loop.speaker_links import SpeakerLinks
from reconciler.membership.facts import Peer
from reconciler.model.observed import NodeName, ServiceKey
from reconciler.placement.place import place
from reconciler.telemetry.role_metrics import PassResult
from reconciler.telemetry.speaker_metrics import SpeakerMetrics
from reconciler.telemetry.speaker_status import (
    AnnouncementRow,
    AnnouncementState,
    ConflictRow,
    DeclinedRow,
    HandoverRow,
    LinkRow,
    MemberRow,
    MemberState,
    SpeakerStatus,
    document,
    speaker_status,
    status_json,
)
from reconciler.telemetry.status import REFUSED, ClusterState, LastPass, NewestRevision, newest_revision

_STATES = {
    Standing.PROBING: AnnouncementState.PROBING,
    Standing.ANNOUNCED: AnnouncementState.ANNOUNCED,
    Standing.LINGERING: AnnouncementState.LINGERING,
    Standing.IN_USE: AnnouncementState.IN_USE,
    Standing.YIELDED: AnnouncementState.YIELDED,
    Standing.NO_INTERFACE: AnnouncementState.NO_INTERFACE,
}


@dataclass(frozen=True, slots=True)
class AccountParts:
    """Who is asked."""

    speaker: Speaker
    configuration: Configuration
    adoption: Adoption
    group: Group
    announcer: Layer2Announcer
    bgp: BGPAnnouncer
    links: SpeakerLinks
    handing_over: HandingOver
    events: SpeakerEvents
    cluster_state: Callable[[], ClusterState]
    metrics: SpeakerMetrics
    node: NodeName
    lb_class: str
    ignore_exclude_label: bool
    clock: Callable[[], float]


class SpeakerAccount:
    """Gathers what the parts of one process know. It also counts the passes: the port `PassObserver` of `rounds`."""

    def __init__(self, parts: AccountParts) -> None:
        self._parts = parts
        self._newest = NewestRevision()
        self._last_pass = LastPass()
        self._lasting_error: str | None = None
        self._sessions = SessionRows()

    def passed(self, occasion: Occasion, *, seconds: float, failed: Failed | None) -> None:
        """A pass has ended."""
        self._last_pass = LastPass(
            finished_at=datetime.now(UTC),
            duration_seconds=round(seconds, 6),
            reasons=occasion.reasons,
            error=failed.why if failed else None,
        )
        self._lasting_error = failed.why if failed and not failed.is_partial else None
        self._parts.metrics.pass_ended(self._result(failed), seconds)

    def not_ready(self) -> str | None:
        """Why `/readyz` answers 503, and why this node is no candidate yet."""
        parts = self._parts
        if parts.configuration.in_force is None:
            return f"no valid configuration: {parts.configuration.newest.why_refused or 'it is not in use yet'}"
        if not parts.group.has_joined:
            return f"the group of speakers is not joined: {self._lasting_error or 'looking for the others'}"
        if parts.speaker.unsynced is not None:
            return f"the cluster is not synced: {parts.speaker.unsynced}"
        if not parts.group.own.is_ready and not parts.group.own.is_leaving:
            return "the other speakers announce by another revision of the configuration, which is awaited"
        return None

    def describe(self) -> Callable[[], bytes]:
        """Take in how things stand; what is returned writes the document, and may do so in another thread."""
        status = self._gather(LastPass(error=self._lasting_error), every_address=False)
        return partial(document, status)

    def status(self, *, every_address: bool = False) -> SpeakerStatus:
        """How things stand; `every_address` lists them, and what is announced elsewhere."""
        return self._gather(self._last_pass, every_address=every_address)

    def status_json(self) -> bytes:
        """The JSON of `/status`."""
        return status_json(self.status(every_address=True))

    def _result(self, failed: Failed | None) -> PassResult:
        if failed is not None:
            return PassResult.FAILED
        return PassResult.DONE if self._parts.speaker.unsynced is None else PassResult.NOT_SYNCED

    def _gather(self, last_pass: LastPass, *, every_address: bool) -> SpeakerStatus:
        parts = self._parts
        in_force, peers, now = parts.configuration.in_force, parts.group.peers(), datetime.now(UTC)
        sessions = self._sessions.rows(parts.bgp.sessions(), now, parts.clock())
        told = route_rows(parts.speaker.placement.placed, sessions) if every_address else ()
        return speaker_status(
            version=__version__,
            node=parts.node,
            lb_class=parts.lb_class,
            not_ready=self.not_ready(),
            leaving=parts.group.own.is_leaving,
            drained=parts.speaker.is_drained,
            revision=in_force.revision if in_force else None,
            newest=self._newest_revision(now),
            problems=parts.configuration.newest.problems,
            members=self._members(peers),
            links=(_link(link, reason) for link, reason in parts.links.all()),
            # Copied at once: another thread may be asking, and these change meanwhile.
            conflicts=map(_conflict, tuple(parts.events.conflicts.values())),
            handovers=(
                HandoverRow(address=str(address), successor=node)
                for address, node in tuple(parts.handing_over.under_way.items())
            ),
            sessions=sessions,
            listening_problem=parts.bgp.listening_problem,
            last_pass=last_pass,
            cluster=parts.cluster_state(),
            state_dir_problem=parts.configuration.last_good_problem,
            announcements=(*self._announcements(now), *told),
            declined=self._declined() if every_address else None,
        )

    def _newest_revision(self, now: datetime) -> NewestRevision:
        newest, adoption = self._parts.configuration.newest, self._parts.adoption
        waits = adoption.waiting.message if adoption.waiting else None
        verdict = REFUSED if newest.why_refused else adoption.verdict_on(newest.revision)
        found = newest_revision(newest.revision, verdict, newest.why_refused or waits, before=self._newest, now=now)
        self._newest = found
        return found

    def _members(self, peers: Iterable[Peer]) -> Iterator[MemberRow]:
        silent, present = self._parts.group.silent, set()
        for peer in peers:
            present.add(peer.node)
            state = MemberState.SUSPECT if peer.is_suspect else MemberState.ALIVE
            # Of ourselves we know more than the others have heard.
            facts = self._parts.group.own if peer.node == self._parts.node else peer.facts
            yield MemberRow(
                node=peer.node,
                state=MemberState.SILENT if peer.node in silent else state,
                loaded=facts.loaded or None if facts else None,
                in_use=facts.in_use or None if facts else None,
                ready=facts.is_ready if facts else True,
                leaving=facts.is_leaving if facts else False,
            )
        observed = self._parts.speaker.observed
        for node in observed.nodes if observed else ():
            if node.name not in present:
                yield MemberRow(node=node.name, state=MemberState.ABSENT)

    def _announcements(self, now: datetime) -> Iterator[AnnouncementRow]:
        services: dict[Address, list[ServiceKey]] = {}
        for placed in self._parts.speaker.placement.by_layer2:
            services.setdefault(placed.address, []).append(placed.service)
        clock = self._parts.clock()
        for fact in self._parts.announcer.announced():
            since = (now - timedelta(seconds=clock - fact.since)).replace(microsecond=0)
            yield _announcement(fact, services.get(fact.address, ()), since)

    def _declined(self) -> Iterator[DeclinedRow]:
        parts = self._parts
        desired, observed = parts.configuration.in_force, parts.speaker.observed
        if desired is None or observed is None:
            return
        placement = place(
            desired,
            observed,
            parts.speaker.members,
            parts.node,
            lb_class=parts.lb_class,
            ignore_exclude_label=parts.ignore_exclude_label,
            former=parts.adoption.former,
        )
        for one in placement.declined:
            yield DeclinedRow(service=one.service, protocol=one.protocol, reason=one.reason, message=one.message)


def _announcement(fact: AnnouncedAddress, services: Iterable[ServiceKey], since: datetime) -> AnnouncementRow:
    return AnnouncementRow(
        services=tuple(sorted(services)),
        address=str(fact.address),
        interfaces=fact.interfaces,
        state=_STATES[fact.standing],
        since=since,
    )


def _link(link: LinkState, reason: NotUsed | None) -> LinkRow:
    return LinkRow(
        name=link.name,
        mac=link.mac.hex(":") if link.mac else None,
        carrier=link.has_carrier,
        used=reason is None,
        reason=reason,
    )


def _conflict(conflict: Conflict) -> ConflictRow:
    report = conflict.report
    return ConflictRow(
        address=str(report.address),
        mac=report.mac or "",
        interface=report.interface or "",
        member=report.member,
        since=conflict.since,
        message=report.message,
    )
