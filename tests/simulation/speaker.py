"""One speaker made of the real rules and the real announcer; only files, cluster, gossip and frames are simulated."""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol

from msgspec.structs import replace

from reconciler.addresses.family import Address, unpacked
from reconciler.announcers.facts import Standing
from reconciler.announcers.layer2 import Layer2Announcer
from reconciler.l2.ignored import Ignored
from reconciler.l2.port import Counts, LinkState, OnClaim
from reconciler.l2.responder import Responder
from reconciler.membership.facts import Facts
from reconciler.membership.handover import Handovers
from reconciler.membership.messages import Adopted, InUse, Message, Silent, Taken, TakeOver
from reconciler.membership.revisions import Await, Published, Revisions, Use
from reconciler.membership.roster import Attendance, members_of
from reconciler.model.announcements import L2Announcement
from reconciler.model.desired import DesiredState, short_revision
from reconciler.model.observed import Members, NodeName, ObservedState
from reconciler.model.settings import AnnouncementSettings
from reconciler.placement.place import place_nodes
from reconciler.plan.actions import Announce, Withdraw
from reconciler.plan.announcements import plan_announcements
from tests.simulation.group import Group
from tests.simulation.network import Switch
from tests.simulation.timeline import Timeline

WAIT = 120.0


class Surroundings(Protocol):
    """What a speaker finds where it runs."""

    timeline: Timeline
    switch: Switch
    group: Group
    configurations: dict[str, DesiredState]

    def observed(self, node: NodeName) -> ObservedState:
        """The cluster as this node has read it."""
        ...

    def published(self, node: NodeName) -> Published | None:
        """What the controller says, as this node has read it."""
        ...

    def files(self, node: NodeName) -> str:
        """The revision of the files on this node."""
        ...

    def keep(self, node: NodeName, revision: str) -> None:
        """Keep a revision for the next run."""
        ...

    def kept(self, node: NodeName) -> str | None:
        """What the run before has kept."""
        ...


class _Wire:
    """A link in the simulated network, with the real responder on it."""

    def __init__(self, node: NodeName, state: LinkState, switch: Switch, on_claim: OnClaim) -> None:
        self.state = state
        self._node = node
        self._switch = switch
        self._on_claim = on_claim
        self._responder = Responder(state, {state.mac})
        self.owned: set[bytes] = set()
        switch.plug(node, state.mac, self.receive)

    def update(self, state: LinkState) -> None:
        self._responder.update(state)

    def own(self, address: bytes) -> None:
        self._responder.own(address)
        self.owned.add(address)

    def watch(self, address: bytes) -> None:
        self._responder.watch(address)

    def disown(self, address: bytes) -> None:
        self._responder.disown(address)
        self.owned.discard(address)

    def send(self, frame: bytes) -> None:
        self._switch.send(self._node, frame)

    def counts(self) -> Counts:
        return Counts()

    def close(self) -> None:
        self.owned.clear()
        self._switch.unplug(self._node)

    def receive(self, frame: bytes) -> None:
        answer = self._responder.receive(frame)
        if not isinstance(answer, Ignored):
            self.send(answer)
        for claim in self._responder.take_claims():
            self._on_claim(claim)


class Speaker:
    """One run of the process on a node."""

    def __init__(self, node: NodeName, mac: bytes, epoch: int, around: Surroundings) -> None:
        self.node = node
        self.epoch = epoch
        self.facts = Facts(macs=frozenset({mac}))
        self.attendance = Attendance()
        self.revisions = Revisions(node, around.timeline.now)
        self.waiting: Await | None = None
        self.is_running = True
        self._around = around
        self._timeline = around.timeline
        self._handovers = Handovers()
        self._has_joined = False
        self._pass_at: float | None = None
        self._tick_at: float | None = None
        settings = AnnouncementSettings()
        self.announcer = Layer2Announcer(self._open, settings, lambda: self._timeline.now, lambda _: None)
        self.wire: _Wire | None = None
        around.switch.turn_on(node)
        self.announcer.links_changed([LinkState(index=1, name="eth0", mac=mac)])
        kept = around.kept(node)
        if kept is not None:
            self.revisions.restore(kept)
        self._pass()
        self._timeline.after(around.switch.chance.uniform(0.05, 0.5), self._guarded(self._join))

    # What others may ask

    @property
    def answered(self) -> frozenset[bytes]:
        """The addresses that are answered for here."""
        return frozenset(self.wire.owned) if self.wire else frozenset()

    @property
    def claimed(self) -> frozenset[bytes]:
        """The addresses that are announced here of our own accord: not those that are handed over."""
        standing = self.announcer.announced()
        return frozenset(one.address.packed for one in standing if one.standing is Standing.ANNOUNCED)

    # What happens to it

    def members_changed(self) -> None:
        self.wake()

    def reunited(self) -> None:
        self.announcer.again()
        self.wake()

    def heard(self, node: NodeName, message: Message) -> None:
        now = self._timeline.now
        match message:
            case TakeOver(addresses):
                self._handovers.asked(node, addresses, now)
                self._answer()
            case Taken(addresses):
                self._handovers.taken(addresses, node)
                self._go_on()
            case Adopted(revision):
                self.revisions.handle_adopted(node, revision)
                self.wake()
            case Silent() | InUse():
                pass
        self._arm()

    def crash(self) -> None:
        """End without a word."""
        self.is_running = False
        if self.wire is not None:
            self.wire.close()
        self._around.switch.turn_off(self.node)
        self._around.group.crash(self.node)

    def terminate(self) -> None:
        """SIGTERM: hand everything over, then go."""
        self._tell(is_leaving=True)
        self._pass()
        self._leave_when_done()

    def restart_within(self, grace: float) -> None:
        """SIGTERM where a restart is announced."""
        self._tell(restart_grace=grace)
        self._timeline.after(0.05, self._guarded(self._leave))

    def _leave_when_done(self) -> None:
        if self._handovers.leaving:
            self._timeline.after(0.01, self._guarded(self._leave_when_done))
        else:
            self._leave()

    def _leave(self) -> None:
        self.is_running = False
        self._around.group.leave(self.node)
        if self.wire is not None:
            self.wire.close()
        self._around.switch.turn_off(self.node)

    def wake(self) -> None:
        """Look again in a moment."""
        if self._pass_at is None:
            self._pass_at = self._timeline.now + self._around.switch.chance.uniform(0.001, 0.01)
            self._timeline.at(self._pass_at, self._guarded(self._pass))

    # One look

    def _join(self) -> None:
        self._around.group.join(self.node, self)
        self._has_joined = True
        self.wake()

    def _pass(self) -> None:
        self._pass_at = None
        self._settle()
        if not self._has_joined or self.revisions.in_use is None:
            return
        if not self.facts.is_ready and self.revisions.is_in_step(self._peers(), self._published, WAIT, self._now):
            self._tell(is_ready=True)
        self._speak(self._around.configurations[self.revisions.in_use])
        self._arm()

    def _settle(self) -> None:
        self.revisions.saw(self._around.files(self.node), self._now)
        peers = self._peers() if self._has_joined else None
        choice = self.revisions.choose(peers, self._published, WAIT, self._now)
        self.waiting = choice if isinstance(choice, Await) else None
        if isinstance(choice, Use):
            self.revisions.use(choice.revision)
            self._around.keep(self.node, choice.revision)
        in_use = short_revision(self.revisions.in_use or "")
        self._tell(loaded=self.revisions.loaded, in_use=in_use)
        if isinstance(choice, Use) and self._has_joined:
            self._around.group.send_all(self.node, Adopted(in_use))

    def _speak(self, desired: DesiredState) -> None:
        members = self._members()
        observed = self._around.observed(self.node)
        placements = {placement.node: placement for placement in place_nodes(desired, observed, members)}
        owners = {placed.address: node for node, placement in placements.items() for placed in placement.placed}
        mine = [address for address, owner in owners.items() if owner == self.node]
        self._handovers.keep([address.packed for address in mine])
        self._resume(mine)
        placement = placements.get(self.node)
        active = self.announcer.active()
        if placement is None:
            withdrawn = [a.address for a in active.announcements if isinstance(a, L2Announcement)]
        else:
            plan = plan_announcements(placement, active)
            withdrawals = [action.announcement for action in plan.actions if isinstance(action, Withdraw)]
            withdrawn = [a.address for a in withdrawals if isinstance(a, L2Announcement)]
            for action in plan.actions:
                if not isinstance(action, Withdraw):
                    _finish(self.announcer.apply(action))
        for address in withdrawn:
            self._handovers.begin(address.packed, owners.get(address), self._now)
        self.announcer.linger(withdrawn)
        self._go_on()
        self._answer()

    def _resume(self, addresses: Iterable[Address]) -> None:
        lingering = {one.address for one in self.announcer.announced() if one.standing is Standing.LINGERING}
        for address in lingering.intersection(addresses):
            _finish(self.announcer.apply(Announce(L2Announcement(address))))

    def _go_on(self) -> None:
        for octets in self._handovers.due(self._now):
            _finish(self.announcer.apply(Withdraw(L2Announcement(unpacked(octets)))))
        for node, addresses in self._handovers.requests(self._now):
            self._around.group.send(self.node, node, TakeOver(addresses))

    def _answer(self) -> None:
        for node, addresses in self._handovers.answers(self.claimed, self._now):
            self._around.group.send(self.node, node, Taken(addresses))

    @property
    def _now(self) -> float:
        return self._timeline.now

    @property
    def _published(self) -> Published | None:
        return self._around.published(self.node)

    def _peers(self) -> list[Any]:
        return self._around.group.peers(self.node)

    def _members(self) -> Members:
        return members_of(
            self._peers(),
            own=self.node,
            own_facts=self.facts,
            absent=self.attendance.absent,
            silent=(),
            now=self._now,
        )

    def _tell(self, **changes: Any) -> None:
        facts = replace(self.facts, **changes)
        if facts != self.facts:
            self.facts = facts
            if self._has_joined:
                self._around.group.publish(self.node)

    def _open(self, state: LinkState, on_claim: OnClaim) -> _Wire:
        self.wire = _Wire(self.node, state, self._around.switch, on_claim)
        return self.wire

    # Time

    def _arm(self) -> None:
        instants = [
            self.announcer.deadline(),
            self._handovers.deadline(),
            self.waiting.until if self.waiting else None,
            self.attendance.deadline(self._now),
        ]
        due = min((instant for instant in instants if instant is not None), default=None)
        if due is not None and (self._tick_at is None or due < self._tick_at):
            self._tick_at = max(due, self._now)
            self._timeline.at(self._tick_at, self._guarded(self._tick))

    def _tick(self) -> None:
        if self._tick_at is not None and self._now < self._tick_at:
            return
        self._tick_at = None
        self.announcer.tick()
        self._go_on()
        is_over = any(until <= self._now for until in self.attendance.absent.values())
        if is_over or (self.waiting and self.waiting.until is not None and self.waiting.until <= self._now):
            self.wake()
            self.waiting = None
        self._arm()

    def _guarded(self, action: Callable[[], None]) -> Callable[[], None]:
        def act() -> None:
            if self.is_running:
                action()

        return act


def _finish(work: Coroutine[Any, Any, None]) -> None:
    """Let a coroutine run to its end that waits for nobody."""
    try:
        while True:
            work.send(None)
    except StopIteration:
        return
