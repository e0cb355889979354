"""
One pass of a speaker: look, place, and make the announcers say what this node is to say.

What it remembers is what its announcers are doing; everything else is looked at anew. Whatever a pass cannot find out,
such as a cluster that is away, leaves announcements as they are.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from reconciler.addresses.family import Address
from reconciler.announcers.bgp import BGPAnnouncer
from reconciler.announcers.layer2 import Layer2Announcer
from reconciler.cluster.port import Cluster, NotSynced
from reconciler.loop.adoption import Adoption
from reconciler.loop.configuration import Configuration
from reconciler.loop.group import Group
from reconciler.loop.handing_over import HandingOver
from reconciler.loop.hearing import Hearing
from reconciler.loop.newness import new_addresses
from reconciler.loop.notices import Notices
from reconciler.loop.occupied import Occupied
from reconciler.loop.speaker_links import SpeakerLinks
from reconciler.model.announcements import L2Announcement, Routes
from reconciler.model.desired import DesiredState, short_revision
from reconciler.model.observed import Members, NodeName, ObservedState, ServiceKey
from reconciler.placement.decisions import Placement
from reconciler.placement.standing import Placer
from reconciler.placement.standing_routes import Tellers
from reconciler.plan.actions import Announce, SpeakerAction, Withdraw
from reconciler.plan.announcements import plan_announcements

_LOG = logging.getLogger(__name__)
_LINES_LOGGED = 20


class Speaker:
    """
    The passes of one process.

    `placement` is what the last pass decided, on `observed` and with `members`; `unsynced` says what of the cluster is
    still missing.
    """

    def __init__(
        self,
        *,
        node: NodeName,
        cluster: Cluster,
        configuration: Configuration,
        adoption: Adoption,
        group: Group,
        links: SpeakerLinks,
        announcer: Layer2Announcer,
        bgp: BGPAnnouncer,
        on_told: Callable[[Collection[ServiceKey]], None],
        handing_over: HandingOver,
        hearing: Hearing,
        occupied: Occupied,
        notices: Notices,
        lb_class: str = "",
        ignore_exclude_label: bool = False,
        today: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._node = node
        self._cluster = cluster
        self._configuration = configuration
        self._adoption = adoption
        self._group = group
        self._links = links
        self._announcer = announcer
        self._bgp = bgp
        self._on_told = on_told
        self._handing_over = handing_over
        self._hearing = hearing
        self._occupied = occupied
        self._notices = notices
        self._ignore_exclude_label = ignore_exclude_label
        self._placer = Placer()
        self._lb_class = lb_class
        self._today = today
        self._is_ending = False
        self._told: Tellers | None = None
        self.placement = Placement(node)
        self.observed: ObservedState | None = None
        self.members: Members = frozenset()
        self.unsynced: str | None = "nothing was read yet"

    @property
    def is_drained(self) -> bool:
        """Whether this node is to carry no traffic, by a label or a taint."""
        desired, observed = self._configuration.in_force, self.observed
        node = next((node for node in observed.nodes if node.name == self._node), None) if observed else None
        if node is None or desired is None:
            return False
        by_label = node.excluded and not self._ignore_exclude_label
        return by_label or not set(node.taints).isdisjoint(desired.settings.drain.taints)

    def says_no_more_to_peers(self) -> None:
        """From now on passes are about Layer 2 only: BGP peers are being taken leave of."""
        self._is_ending = True

    async def make_pass(self, *, look_at_files: bool) -> None:
        """
        Look at everything once and say what there is to say.

        Raises:
            ClusterError: Something could not be read.
            MembershipError: The others cannot be looked for yet.
        """
        if look_at_files:
            await self._configuration.look()
            self._bgp.read_secrets_again()
        await self._adoption.settle()
        # Before all others have this, none of them may use it.
        former = frozenset(short_revision(desired.revision) for desired in self._adoption.former)
        await self._group.tell(in_use=self._adoption.in_use, loaded=self._adoption.loaded, former=former)
        await self._tell()
        desired = self._configuration.in_force
        if desired is None:
            return
        # Before the cluster is asked, since that takes as long as it takes: nothing is announced before both are there.
        await self._group.join(desired.settings)
        try:
            observed = await self._cluster.observe()
        except NotSynced as error:
            self.unsynced = str(error)
            return
        self.unsynced = None
        self._announcer.settings_changed(desired.settings.announcements)
        await self._links.settings_changed(desired.settings.announcements)
        # Who starts with other files than the group's would announce what another owns, or leave out what it should.
        if self._adoption.is_in_step():
            # Of routes nobody is elected.
            await self._group.be_ready(is_elected=bool(desired.l2_advertisements or self._adoption.former))
        await self._speak(desired, observed)

    async def _speak(self, desired: DesiredState, observed: ObservedState) -> None:
        self._hearing.look()
        members = self._group.members()
        placement = self._placer.place(
            desired,
            observed,
            members,
            self._node,
            lb_class=self._lb_class,
            ignore_exclude_label=self._ignore_exclude_label,
            former=self._adoption.former,
        )
        active = self._announcer.active().beside(self._bgp.active())
        fresh = placement.heard - active.announcements
        new: Collection[Address] = ()
        if fresh:
            alone = all(member.node == self._node for member in members)
            new = new_addresses(
                placement,
                fresh,
                observed,
                before=self.observed,
                alone=alone,
                occupied=self._occupied,
                today=self._today(),
            )
        plan = plan_announcements(placement, active, new=new)
        self.placement, self.observed, self.members = placement, observed, members
        try:
            # First, since it waits for nobody.
            self._tell_peers(desired, plan.actions, placement.routes)
        finally:
            # Whatever that fails by is nothing to the hosts on our links.
            await self._speak_on_links(placement, plan.actions)
        self._adoption.keep_former(placement.former)

    async def _speak_on_links(self, placement: Placement, actions: Iterable[SpeakerAction]) -> None:
        await self._handing_over.keep(_among(placement, self._handing_over.under_way))
        await self._carry_out(actions)
        await self._handing_over.answer()
        self._hearing.announce_again()

    def _tell_peers(self, desired: DesiredState, actions: Iterable[SpeakerAction], routes: Routes) -> None:
        if not self._is_ending:
            self._bgp.desired_changed(desired, self._adoption.former)
            self._bgp.apply_all(actions, amounting_to=routes)
            before, self._told = self._told, self._placer.told
            # What a speaker finds at its start was mostly announced before, and every node would say so at once.
            if before is not None and before is not self._told:
                self._on_told(sorted(self._told.keys_since(before)))
                _log_silenced(sorted(before.keys_since(self._told)), self._node)

    async def _carry_out(self, actions: Iterable[SpeakerAction]) -> None:
        ended: dict[Address, Withdraw] = {}
        begun = []
        for action in actions:
            match action:
                case Withdraw(announcement=L2Announcement(address=address)):
                    ended[address] = action
                case Announce(announcement=L2Announcement()):
                    begun.append(action)
                case _:
                    pass  # told to peers already
        successors = self._placer.successors(ended) if ended else {}
        await self._handing_over.begin(ended.values(), successors, away=self._group.away)
        for action in begun:
            await self._announcer.apply(action)

    async def _tell(self) -> None:
        newest, in_force = self._configuration.newest, self._configuration.in_force
        revision = in_force.revision if in_force else None
        if newest.why_refused is not None:
            await self._notices.refused(newest, revision)
        elif revision is not None and newest.revision == revision:
            await self._notices.applied(revision)


def _log_silenced(services: Sequence[ServiceKey], node: NodeName) -> None:
    for service in services[:_LINES_LOGGED]:
        _LOG.info("%s: withdrawn from peers by %s", service, node, extra={"service": service, "node": node})
    if len(services) > _LINES_LOGGED:
        _LOG.info("%d more Services are withdrawn from peers", len(services) - _LINES_LOGGED)


def _among(placement: Placement, under_way: Mapping[Address, NodeName]) -> list[L2Announcement]:
    return [one for one in placement.heard if one.address in under_way] if under_way else []
