"""The links of this node, as its announcer and the other speakers are to know them."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from ipaddress import ip_address

from reconciler.announcers.layer2 import Layer2Announcer
from reconciler.l2.link_selection import NotUsed, compile_exclusion, used_links, why_not_used
from reconciler.l2.links import LinkTable
from reconciler.l2.port import LinkState
from reconciler.loop.group import Group
from reconciler.model.settings import AnnouncementSettings

# In seconds, somewhat more than the kernel's time between two questions for a neighbour that does not answer (RFC 4861
# section 10, RETRANS_TIMER; for ARP it is the same): for so long it may drop what it is to pass on.
_NEIGHBOURS_ASKED = 1.1


class SpeakerLinks:
    """Follows the links; nothing is announced on any of them before the first settings are known."""

    def __init__(self, announcer: Layer2Announcer, group: Group, wake: Callable[[str], None]) -> None:
        self._announcer = announcer
        self._group = group
        self._wake = wake
        self._table: LinkTable | None = None
        self._patterns: tuple[str, ...] | None = None
        self._exclusion = compile_exclusion(())
        self._changed = asyncio.Event()
        self._was_isolated = False
        self._used: tuple[LinkState, ...] = ()

    async def open(self) -> None:
        """
        Read all links, and follow them from now on.

        Raises:
            LinksError: The kernel does not tell of them.
        """
        self._table = await LinkTable.open(self._look)

    def close(self) -> None:
        """Follow them no longer."""
        if self._table is not None:
            self._table.close()

    async def settings_changed(self, settings: AnnouncementSettings) -> None:
        """Other links may be left alone from now on; returns once the others are told of those that are not."""
        if settings.excluded_interfaces != self._patterns:
            self._patterns = settings.excluded_interfaces
            self._exclusion = compile_exclusion(settings.excluded_interfaces)
            self._look()
            await self._tell()

    async def run(self) -> None:
        """Let the group know of changes, until cancelled; of several in a row it hears of the last."""
        while True:
            await self._changed.wait()
            await self._tell()
            self._wake("a link changed")

    def look_for(self, hosts: Iterable[str]) -> None:
        """Other speakers are missing, and are about to be asked at these addresses; names are passed over."""
        addresses = []
        for host in hosts:
            with suppress(ValueError):
                addresses.append(ip_address(host).packed)
        self._announcer.look_for(addresses)

    def all(self) -> tuple[tuple[LinkState, NotUsed | None], ...]:
        """Every link of the node, and why nothing is announced there."""
        links = self._table.links if self._table else ()
        return tuple((link, why_not_used(link, self._exclusion)) for link in links)

    def _look(self) -> None:
        # At once, also where the group has to wait: a link that was away for a moment is announced on again.
        if self._table is None or self._patterns is None:
            return
        used = used_links(self._table.links, self._exclusion)
        if used != self._used:
            self._used = used
            self._announcer.links_changed(used)
            self._was_isolated = self._was_isolated or not self._has_carrier()
            self._changed.set()

    async def _tell(self) -> None:
        """Let the group know. Who had no carrier has not heard of anybody, so it does not count again at once."""
        is_settled = False
        while not is_settled:
            self._changed.clear()
            was_isolated, self._was_isolated = self._was_isolated, not self._has_carrier()
            # Whoever has the addresses meanwhile keeps them until the kernel here has asked for its neighbours anew.
            if was_isolated and self._has_carrier() and await self._group.look_again():
                await asyncio.sleep(_NEIGHBOURS_ASKED)
            # One that lost its carrier again meanwhile has to ask once more.
            is_settled = not self._was_isolated or not self._has_carrier()
        await self._group.links_changed(self._used)

    def _has_carrier(self) -> bool:
        return any(link.has_carrier for link in self._used)
