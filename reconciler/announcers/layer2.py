"""
Owns addresses on the links of this node through `l2`: answers, announcements, and what becomes of conflicts.

Who is to announce what was decided before. When to announce unasked is decided by `l2.gratuitous`, what to do about
another host by `l2.conflicts`; here both are carried out on the links that there are.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import inf
from typing import assert_never

from reconciler.addresses.family import Address
from reconciler.announcers import reports
from reconciler.announcers.facts import AnnouncedAddress, Standing
from reconciler.announcers.holding import Holding
from reconciler.announcers.port import Report
from reconciler.announcers.reports import Claimant
from reconciler.announcers.voice import Voice
from reconciler.announcers.voices import OpenPort, Voices
from reconciler.l2 import conflicts
from reconciler.l2.gratuitous import Rhythm
from reconciler.l2.port import Claim, ClaimKind, Counts, LinkState
from reconciler.model.announcements import Active, L2Announcement
from reconciler.model.observed import InterfaceName, NodeName
from reconciler.model.settings import AnnouncementSettings, OnConflict
from reconciler.plan.actions import Announce, SpeakerAction, Withdraw

_QUESTIONS = frozenset({ClaimKind.ARP_PROBE, ClaimKind.DAD_SOLICITATION})
_LOST = frozenset({conflicts.State.IN_USE, conflicts.State.YIELDED})
# Actions carried out before others get a turn in the event loop: a few milliseconds.
_ACTIONS_AT_ONCE = 32
# Hardware addresses of members that are remembered, also of those that left: some 64 nodes with 64 links each.
_MOST_MACS = 4096

_STANDINGS = {
    conflicts.State.PROBING: Standing.PROBING,
    conflicts.State.WATCHING: Standing.ANNOUNCED,
    conflicts.State.OWNED: Standing.ANNOUNCED,
    conflicts.State.IN_USE: Standing.IN_USE,
    conflicts.State.YIELDED: Standing.YIELDED,
}


class Layer2Announcer:
    """
    The announcer of ARP and NDP. All of it is called in one event loop, in which `run` is to be running as well.

    Args:
        open_port: Opens a link. It is handed `claimed`, to be called in the event loop.
        settings: The section of the configuration; `settings_changed` gives another.
        clock: Seconds on a monotonic clock.
        on_report: Called in the middle of the work: it is to take the report, and nothing else.
    """

    def __init__(
        self,
        open_port: OpenPort,
        settings: AnnouncementSettings,
        clock: Callable[[], float],
        on_report: Callable[[Report], None],
    ) -> None:
        self._clock = clock
        self._on_report = on_report
        rhythm, rules = _machines(settings)
        self._conflicts = conflicts.Conflicts(rules)
        self._voices = Voices(open_port, self.claimed, rhythm)
        self._holdings: dict[bytes, Holding] = {}
        self._active: Active | None = None
        self._members: dict[bytes, NodeName] = {}
        self._actions = 0
        self._woken = asyncio.Event()
        self._sleeps_until = inf

    def active(self) -> Active:
        """All that was given to us and not taken back, however it stands."""
        if self._active is None:
            self._active = Active(frozenset(one.announcement for one in self._holdings.values()))
        return self._active

    @property
    def announced_octets(self) -> Collection[bytes]:
        """The addresses that were announced unasked and still are answered for; not those that linger."""
        return {octets for octets, one in self._holdings.items() if one.is_told and not one.is_lingering}

    def counts(self) -> Mapping[str, Counts]:
        """What happened on each link, by its name."""
        return self._voices.counts()

    def announced(self) -> tuple[AnnouncedAddress, ...]:
        """How every address stands, by address."""
        return tuple(self._fact(one) for one in sorted(self._holdings.values(), key=lambda one: one.address))

    async def apply(self, action: SpeakerAction) -> None:
        """
        Carry out what concerns ARP and NDP, at once; other actions are for other announcers.

        Where it returns, what an `Announce` asks for is answered for and announced, unless it is new and has to be
        probed first, or so many came at once that their announcements are spread over some milliseconds.
        """
        match action:
            case Announce(L2Announcement() as announcement, is_new=is_new):
                self._announce(announcement, is_new=is_new)
            case Withdraw(L2Announcement(address=address)):
                self._withdraw(address.packed)
            case _:
                return
        self._voices.rest(self._clock())
        self._wake()
        self._actions += 1
        if self._actions % _ACTIONS_AT_ONCE == 0:
            await asyncio.sleep(0)

    def linger(self, addresses: Collection[Address]) -> None:
        """Go on answering for these until they are withdrawn, but say nothing unasked; an `Announce` ends that."""
        for address in addresses:
            octets = address.packed
            holding = self._holdings.get(octets)
            if holding is None or holding.is_lingering:
                continue
            holding.is_lingering, holding.since = True, self._clock()
            self._conflicts.linger(octets)
            for voice in self._voices:
                voice.hush(octets)

    def links_changed(self, links: Sequence[LinkState]) -> None:
        """These are the links to be used from now on."""
        if tuple(links) != self._voices.links:
            now = self._clock()
            self._voices.set_links(links, now)
            self._place_all(now)
            self._wake()

    def settings_changed(self, settings: AnnouncementSettings) -> None:
        """Keep to other settings from now on; what has begun is not begun anew."""
        rhythm, self._conflicts.rules = _machines(settings)
        self._voices.keep_to(rhythm)
        self._wake()

    def members_known(self, macs: Mapping[bytes, NodeName]) -> None:
        """
        These hardware addresses are of our own nodes.

        Those of nodes that left are remembered: one that was cut off may speak before it is a member again.
        """
        for mac, node in macs.items():
            self._members.pop(mac, None)
            self._members[mac] = node
        while len(self._members) > _MOST_MACS:
            del self._members[next(iter(self._members))]
        self._carry_out(self._conflicts.know(self._members.keys(), self._clock()))
        self._wake()

    def claimed(self, claim: Claim) -> None:
        """Another host claims an address on one of the links."""
        # Two links of this node in one network hear each other.
        if self._voices.has_mac(claim.mac):
            return
        is_question = claim.kind in _QUESTIONS
        steps = self._conflicts.claimed(claim.address, claim.mac, self._clock(), is_question=is_question)
        self._carry_out(steps, claim)
        self._wake()

    def again(self) -> None:
        """Announce everything anew: this node was cut off, and the neighbours may have heard something else."""
        now = self._clock()
        for voice in self._voices:
            voice.again(self._holdings, now)
        self._say(now)
        self._wake()

    def look_for(self, hosts: Iterable[bytes]) -> None:
        """
        Ask on every link who has these addresses, of other nodes.

        The kernel takes the answer for its own; it asks again only after a second when nobody has heard its question.
        """
        now = self._clock()
        for octets in hosts:
            for voice in self._voices.to_carry(octets, None, now):
                if voice.state.has_carrier:
                    voice.probe(octets)
        # What was opened for this alone is closed in a while.
        self._voices.rest(now)
        self._wake()

    def tick(self) -> None:
        """Do what is due."""
        now = self._clock()
        if self._voices.open_again(now):
            self._place_all(now)
        self._voices.rest(now)
        self._carry_out(self._conflicts.handle_timer(now))
        self._say(now)

    def deadline(self) -> float | None:
        """When `tick` has something to do."""
        conflicts_deadline = self._conflicts.deadline()
        earliest = min(inf if conflicts_deadline is None else conflicts_deadline, self._voices.deadline())
        return None if earliest == inf else earliest

    async def run(self) -> None:
        """Do what is due when it is due, until cancelled."""
        while True:
            self._woken.clear()
            self.tick()
            deadline = self.deadline()
            self._sleeps_until = inf if deadline is None else deadline
            # At least one turn for others: a long row of announcements is not to hold them up.
            pause = None if deadline is None else max(0.0, deadline - self._clock())
            try:
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def close(self) -> None:
        """Fall silent at once, on all links."""
        self._voices.close()
        for octets in self._holdings:
            self._conflicts.end(octets)
        self._holdings.clear()
        self._active = None

    def _announce(self, announcement: L2Announcement, *, is_new: bool) -> None:
        now, octets = self._clock(), announcement.address.packed
        holding = self._holdings.get(octets)
        if holding is None:
            holding = Holding(announcement.address, octets, announcement.interfaces, is_new, now)
            self._holdings[octets] = holding
        elif holding.is_lingering:
            self._resume(holding, now)
        elif holding.interfaces == announcement.interfaces:
            return
        holding.interfaces, self._active = announcement.interfaces, None
        self._place(holding, now)
        self._say(now)

    def _resume(self, holding: Holding, now: float) -> None:
        holding.is_lingering, holding.since = False, now
        self._conflicts.linger(holding.octets, lingering=False)
        for voice in self._voices:
            if voice.answers(holding.octets):
                voice.announce(holding.octets, now)

    def _withdraw(self, octets: bytes) -> None:
        holding = self._holdings.pop(octets, None)
        if holding is None:
            return
        self._active = None
        for voice in self._voices:
            voice.drop(octets)
        # Nobody was told of an address that is only being probed.
        is_known = holding.is_told or self._conflicts.state(octets) in _LOST
        self._conflicts.end(octets)
        if is_known:
            self._on_report(reports.withdrawn(holding.address))

    def _place_all(self, now: float) -> None:
        for holding in self._holdings.values():
            self._place(holding, now)
        self._voices.rest(now)
        self._say(now)

    def _place(self, holding: Holding, now: float) -> None:
        """Bring an address to the links that it is to be on, and away from all others."""
        wanted = self._voices.to_carry(holding.octets, holding.interfaces, now)
        for voice in self._voices:
            if voice.holds(holding.octets) and voice not in wanted:
                voice.drop(holding.octets)
        if not wanted:
            self._lose_links(holding, now)
        elif self._conflicts.state(holding.octets) is None:
            holding.has_link, holding.since = True, now
            self._carry_out(self._conflicts.begin(holding.octets, now, is_new=holding.is_new))
            self._conflicts.linger(holding.octets, lingering=holding.is_lingering)
        else:
            for voice in wanted:
                if not voice.holds(holding.octets):
                    self._join(voice, holding, now)

    def _lose_links(self, holding: Holding, now: float) -> None:
        self._conflicts.end(holding.octets)
        if self._voices.is_opening(holding.octets, holding.interfaces):
            return
        if holding.is_told or holding.has_link:
            holding.is_told, holding.has_link, holding.since = False, False, now
            self._on_report(reports.no_interface(holding.address, holding.interfaces))

    def _join(self, voice: Voice, holding: Holding, now: float) -> None:
        """Do on one more link what is being done on the others."""
        match self._conflicts.state(holding.octets):
            case conflicts.State.WATCHING | conflicts.State.OWNED:
                self._speak(voice, holding, now)
            case conflicts.State.PROBING:
                voice.watch(holding.octets)
                voice.probe(holding.octets)
            case _:
                voice.watch(holding.octets)

    @staticmethod
    def _speak(voice: Voice, holding: Holding, now: float) -> None:
        voice.own(holding.octets)
        if not holding.is_lingering:
            voice.announce(holding.octets, now)

    def _carry_out(self, steps: Iterable[conflicts.Step], claim: Claim | None = None) -> None:
        for step in steps:
            self._carry_out_one(step, self._holdings[step.address], claim)

    def _carry_out_one(self, step: conflicts.Step, holding: Holding, claim: Claim | None) -> None:
        match step:
            case conflicts.Probe():
                for voice in self._voices_for(holding):
                    voice.watch(holding.octets)
                    voice.probe(holding.octets)
            case conflicts.Take(is_free_again=is_free_again):
                self._take(holding, is_free_again=is_free_again)
            case conflicts.Leave():
                self._leave(step, holding, claim)
            case conflicts.Defend(mac=mac):
                for voice in self._voices_for(holding):
                    voice.defend(holding.octets)
                self._on_report(reports.defended(holding.address, self._claimant(mac, claim)))
            case conflicts.Notice(mac=mac):
                self._on_report(reports.noticed(holding.address, self._claimant(mac, claim)))
            case conflicts.Over():
                self._on_report(reports.claim_over(holding.address))
            case _:
                assert_never(step)

    def _take(self, holding: Holding, *, is_free_again: bool) -> None:
        now = self._clock()
        holding.is_new, holding.since = False, now
        for voice in self._voices_for(holding):
            self._speak(voice, holding, now)
        if is_free_again:
            self._on_report(reports.free_again(holding.address))
        self._say(now)

    def _leave(self, step: conflicts.Leave, holding: Holding, claim: Claim | None) -> None:
        # Should its links go and come back meanwhile, it is asked for first.
        holding.is_new, holding.is_told, holding.since = True, False, self._clock()
        for voice in self._voices_for(holding):
            voice.watch(holding.octets)
        by = self._claimant(step.mac, claim)
        if step.is_yielded:
            self._on_report(reports.yielded(holding.address, by))
        else:
            self._on_report(reports.in_use(holding.address, by, was_announced=step.has_spoken))

    def _say(self, now: float) -> None:
        """Announce what is due on every link, and report what was announced for the first time."""
        for voice in self._voices:
            for octets in voice.say(now):
                holding = self._holdings[octets]
                if not holding.is_told:
                    holding.is_told = True
                    self._on_report(reports.announced(holding.address))

    def _voices_for(self, holding: Holding) -> list[Voice]:
        return self._voices.carrying(holding.octets, holding.interfaces)

    def _wake(self) -> None:
        deadline = self.deadline()
        if deadline is not None and deadline < self._sleeps_until:
            self._woken.set()

    def _claimant(self, mac: bytes, claim: Claim | None = None) -> Claimant:
        member = self._members.get(mac)
        if claim is None:
            return Claimant(mac, member)
        return Claimant(mac, member, InterfaceName(claim.link), claim.frame)

    def _fact(self, holding: Holding) -> AnnouncedAddress:
        state = self._conflicts.state(holding.octets)
        standing = Standing.NO_INTERFACE if state is None else _STANDINGS[state]
        if standing is Standing.ANNOUNCED and holding.is_lingering:
            standing = Standing.LINGERING
        mac = self._conflicts.claimant(holding.octets)
        claimant = None if mac is None else self._claimant(mac)
        names = sorted(voice.state.name for voice in self._voices if voice.answers(holding.octets))
        return AnnouncedAddress(
            address=holding.address,
            standing=standing,
            interfaces=tuple(map(InterfaceName, names)),
            since=holding.since,
            mac=None if claimant is None else claimant.text,
            member=None if claimant is None else claimant.member,
        )


def _machines(settings: AnnouncementSettings) -> tuple[Rhythm, conflicts.Rules]:
    """What the machines of `l2` are to keep to."""
    rhythm = Rhythm(settings.gratuitous_interval, settings.gratuitous_duration, settings.refresh_interval)
    return rhythm, conflicts.Rules(settings.probe_time, may_yield=settings.on_conflict is OnConflict.YIELD)
