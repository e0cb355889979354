"""
The life of a speaker process: everything that runs beside the passes, and the order in which it ends.

On SIGTERM the others take our addresses over first, and only then we fall silent; or, where a restart is announced,
they leave them with us for a while. BGP peers are taken leave of meanwhile, or keep our routes where that was agreed.
"""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.announcers.bgp import BGPAnnouncer
from reconciler.announcers.layer2 import Layer2Announcer
from reconciler.errors import ReconcilerError
from reconciler.loop.configuration import Configuration
from reconciler.loop.group import Group
from reconciler.loop.handing_over import HandingOver
from reconciler.loop.pacing import FILES_MAY_HAVE_CHANGED, Occasion, Source
from reconciler.loop.publishing import Publishing
from reconciler.loop.rounds import Rounds
from reconciler.loop.speaker import Speaker
from reconciler.loop.tasks import cancelled, running, until
from reconciler.loop.triggers import Triggers

_LOG = logging.getLogger(__name__)
# In seconds. A successor announces within a fraction of the first; a Pod is killed after 30.
_LAST_PASS = 2.0
_HAND_OVER = 5.0
_LAST_EVENTS = 0.2
_BLIND = 0.5
_TOLD = 2.0
# A message to all members may be lost on its way to one; by then it has been gossiped as well.
_GOSSIPED = 0.2


@dataclass(frozen=True, slots=True)
class SpeakerParts:
    """What a speaker process is made of; `beside` runs as long as the process does."""

    speaker: Speaker
    configuration: Configuration
    group: Group
    announcer: Layer2Announcer
    bgp: BGPAnnouncer
    handing_over: HandingOver
    rounds: Rounds
    triggers: Triggers
    publish: Callable[[], Awaitable[None]]
    flush_events: Callable[[float], Awaitable[None]]
    beside: Sequence[Callable[[], Coroutine[Any, Any, None]]]


class SpeakerProcess:
    """Runs until it is told to stop."""

    def __init__(self, parts: SpeakerParts) -> None:
        self._parts = parts
        self._stop = asyncio.Event()
        self._publishing = Publishing(parts.publish)
        self._is_settled = False

    def stop(self) -> None:
        """Hand over and end."""
        self._stop.set()

    def has_news(self) -> None:
        """Something has changed that the status shows, without a pass."""
        self._publishing.has_news()

    async def make_pass(self, occasion: Occasion) -> None:
        """One pass, and what follows from it."""
        parts = self._parts
        routes = parts.speaker.placement.routes
        try:
            await parts.speaker.make_pass(look_at_files=not FILES_MAY_HAVE_CHANGED.isdisjoint(occasion.sources))
        finally:
            parts.triggers.watch(parts.configuration.directories)
            self._publishing.has_news()
            if parts.speaker.placement.routes is not routes:
                # How many of them peers have heard of by then.
                asyncio.get_running_loop().call_later(_TOLD, self._publishing.has_news)
            self._settle()

    async def run(self) -> None:
        """Until `stop`; then end in order. What ends before that ends the process, with its error."""
        parts = self._parts
        await parts.configuration.restore()
        parts.rounds.wake(Source.START, "start")
        mains = (parts.triggers.run, self._publishing.run, parts.announcer.run, parts.bgp.run, parts.handing_over.run)
        async with running(*mains, *parts.beside) as beside:
            passing = asyncio.create_task(parts.rounds.run())
            stopping = asyncio.create_task(until(self._stop))
            tasks = {passing, stopping}
            ended, _ = await asyncio.wait({*tasks, beside}, return_when=asyncio.FIRST_COMPLETED)
            await self._bid_farewell(passing, is_orderly=beside not in ended)
            await cancelled(tasks)
        for task in ended:
            task.result()

    async def _bid_farewell(self, passing: "asyncio.Task[None]", *, is_orderly: bool) -> None:
        """`is_orderly`: whatever is needed to hand over still runs."""
        parts = self._parts
        # Whoever ends because of a defect is started again too.
        preserving = not parts.speaker.is_drained
        try:
            if is_orderly:
                # What a pass decides from now on is not for routers: they are told of the end, and it takes time.
                parts.speaker.says_no_more_to_peers()
                leaving = asyncio.create_task(parts.bgp.leave(preserving=preserving))
                try:
                    await self._leave_the_group(passing)
                finally:
                    # Routers are no worse off where the group cannot be taken leave of.
                    await leaving
        finally:
            parts.rounds.stop()
            # A pass that is under way would announce again what falls silent here, and join the group that is left.
            await cancelled([passing])
            await parts.announcer.close()
            await parts.bgp.close(preserving=preserving)
            await parts.flush_events(_LAST_EVENTS)
            await parts.group.leave()

    async def _leave_the_group(self, passing: "asyncio.Task[None]") -> None:
        in_force = self._parts.configuration.in_force
        grace = in_force.settings.announcements.restart_grace if in_force else 0.0
        if grace > 0:
            await self._parts.group.restart_within(grace)
            # Who has not heard of it takes over; we answer meanwhile.
            await asyncio.sleep(_GOSSIPED)
        else:
            await self._hand_over(passing)

    async def _hand_over(self, passing: "asyncio.Task[None]") -> None:
        """Everything we say has a successor, or ends."""
        parts = self._parts
        await parts.group.say_farewell()
        parts.rounds.stop()
        has_spoken = bool(parts.announcer.active().announcements)
        await asyncio.wait({passing}, timeout=_LAST_PASS if has_spoken else 0.0)
        # One that hangs must not go on beside the next.
        await cancelled([passing])
        # Asked again: that pass may have begun to announce what somebody else has fallen silent about since.
        if parts.announcer.active().announcements:
            await self._give_away()

    async def _give_away(self) -> None:
        """A last pass, without ourselves among the members; and more of them where a successor goes as well."""
        parts = self._parts
        try:
            async with asyncio.timeout(_LAST_PASS):
                await parts.speaker.make_pass(look_at_files=False)
        except (ReconcilerError, TimeoutError) as error:
            _LOG.warning("who takes over is not known, so nobody is waited for: %s", error)
            # The others know that this node leaves, and take over by themselves.
            await asyncio.sleep(_BLIND)
        else:
            async with running(parts.rounds.run):
                await parts.handing_over.finished(_HAND_OVER)

    def _settle(self) -> None:
        """What was read at the start stays: looking for garbage among it stops the process for a moment each time."""
        if not self._is_settled and self._parts.speaker.unsynced is None:
            self._is_settled = True
            gc.collect()
            gc.freeze()
