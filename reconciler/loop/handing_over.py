"""
A planned move of an address, made before it is broken: the successor announces it, then we fall silent.

The rules are those of `membership.handover`; here they meet the announcer, the other speakers and the clock.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Protocol

from reconciler.addresses.family import Address, unpacked
from reconciler.announcers.port import Announcer
from reconciler.membership.handover import LIMIT, Handovers
from reconciler.membership.messages import Message, Taken, TakeOver
from reconciler.model.announcements import L2Announcement
from reconciler.model.observed import NodeName
from reconciler.plan.actions import Announce, Withdraw
from reconciler.telemetry.speaker_metrics import HandoverResult

_LOG = logging.getLogger(__name__)

# Told how a handover ended, and after how many seconds.
Ended = Callable[[HandoverResult, float], None]
Send = Callable[[NodeName, Message], Awaitable[bool]]


class HandingAnnouncer(Announcer, Protocol):
    """An announcer whose addresses can be handed over."""

    @property
    def announced_octets(self) -> Collection[bytes]:
        """The addresses that were announced here and still are; not those that linger."""
        ...


class HandingOver:
    """Both sides of it for one node."""

    def __init__(self, announcer: HandingAnnouncer, send: Send, ended: Ended, *, clock: Callable[[], float]) -> None:
        self._announcer = announcer
        self._send = send
        self._ended = ended
        self._clock = clock
        self._handovers = Handovers()
        self._withdrawals: dict[Address, Withdraw] = {}
        self._successors: dict[Address, NodeName] = {}
        self._begun: dict[Address, float] = {}
        self._away: Collection[NodeName] = ()
        self._disturbed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def under_way(self) -> Mapping[Address, NodeName]:
        """The addresses that are answered here for a little longer, and who takes them over."""
        return self._successors

    async def begin(
        self,
        withdrawals: Iterable[Withdraw],
        successors: Mapping[Address, NodeName],
        *,
        away: Collection[NodeName] = (),
    ) -> None:
        """
        Carry withdrawals out: at once where nobody takes the address over, else once it is announced there.

        Those who are `away` restart, and do not announce anything before they are back; nobody else does meanwhile.
        """
        now = self._clock()
        self._away = away
        moving, ending = [], []
        for withdrawal in withdrawals:
            announcement = withdrawal.announcement
            address = announcement.address if isinstance(announcement, L2Announcement) else None
            successor = None if address is None else successors.get(address)
            if address is None or successor is None:
                ending.append((withdrawal, address))
                continue
            if address not in self._withdrawals:
                moving.append(address)
            self._withdrawals[address] = withdrawal
            self._successors[address] = successor
            self._begun.setdefault(address, now)
            self._handovers.begin(address.packed, successor, now)
        # Before anybody else has a turn: what is handed over is not announced any more, also where this is cancelled.
        if moving:
            _LOG.info("%d addresses are handed over", len(moving))
            self._announcer.linger(moving)
        for withdrawal, address in ending:
            await self._withdraw_now(withdrawal, address)
        await self._go_on()

    async def keep(self, announcements: Iterable[L2Announcement]) -> None:
        """These are ours again: they are announced as if they had never been lost."""
        # All are forgotten first: a word of a successor that comes meanwhile must not withdraw what is ours.
        kept = [one for one in announcements if self._forget(one.address, HandoverResult.KEPT) is not None]
        for announcement in kept:
            await self._announcer.apply(Announce(announcement))
        self._note_idle()

    async def heard_take_over(self, by: NodeName, message: TakeOver) -> None:
        """Another speaker asks to be told when we announce its addresses."""
        self._handovers.asked(by, message.addresses, self._clock())
        await self.answer()

    async def heard_taken(self, by: NodeName, message: Taken) -> None:
        """Another speaker announces addresses that we may have been handing over."""
        self._handovers.taken(message.addresses, by)
        await self._go_on()

    async def answer(self) -> None:
        """Tell whoever asked what is announced here by now."""
        if not self._handovers.is_asked:
            return
        for node, addresses in self._handovers.answers(self._announcer.announced_octets, self._clock()):
            await self._send(node, Taken(addresses))

    async def run(self) -> None:
        """Repeat what was not answered, and give up waiting in time; until cancelled."""
        while True:
            self._disturbed.clear()
            deadline = self._handovers.deadline()
            try:
                async with asyncio.timeout(None if deadline is None else max(0.0, deadline - self._clock())):
                    await self._disturbed.wait()
            except TimeoutError:
                await self._go_on()

    async def finished(self, timeout: float) -> None:
        """Wait until nothing is being handed over any more, at most so many seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._idle.wait()
        except TimeoutError:
            _LOG.warning("%d addresses were not taken over in time", len(self._withdrawals))

    async def _go_on(self) -> None:
        now = self._clock()
        self._wait_for_the_away(now)
        for octets in self._handovers.due(now):
            address = unpacked(octets)
            is_late = now >= self._begun.get(address, now) + LIMIT
            withdrawal = self._forget(address, HandoverResult.GIVEN_UP if is_late else HandoverResult.TAKEN)
            if withdrawal is not None:
                await self._announcer.apply(withdrawal)
        for node, addresses in self._handovers.requests(now):
            await self._send(node, TakeOver(addresses))
        self._note_idle()
        self._disturbed.set()

    def _wait_for_the_away(self, now: float) -> None:
        if not self._away:
            return
        self._handovers.wait_for(self._away, now)
        for address, successor in self._successors.items():
            if successor in self._away:
                self._begun[address] = now

    async def _withdraw_now(self, withdrawal: Withdraw, address: Address | None) -> None:
        if address is not None:
            self._forget(address, HandoverResult.GIVEN_UP)
        await self._announcer.apply(withdrawal)

    def _forget(self, address: Address, result: HandoverResult) -> Withdraw | None:
        begun = self._begun.pop(address, None)
        if begun is not None:
            self._ended(result, self._clock() - begun)
        self._handovers.keep([address.packed])
        self._successors.pop(address, None)
        return self._withdrawals.pop(address, None)

    def _note_idle(self) -> None:
        if self._withdrawals:
            self._idle.clear()
        else:
            self._idle.set()
