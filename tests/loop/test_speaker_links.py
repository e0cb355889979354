"""What the group hears of the links of a node whose carrier comes and goes."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from msgspec.structs import replace

from reconciler.loop.speaker_links import SpeakerLinks
from reconciler.model.settings import AnnouncementSettings
from tests.announcers.listening_port import link
from tests.loop.time_ahead import now, run_ahead


class Links:
    """One link, turned by hand; `told` is when the group heard of it, and whether it had a carrier."""

    def __init__(self) -> None:
        self.told: list[tuple[float, bool]] = []
        group = SimpleNamespace(look_again=self._look_again, links_changed=self._heard)
        announcer = SimpleNamespace(links_changed=lambda _: None)
        self.links = SpeakerLinks(cast(Any, announcer), cast(Any, group), lambda _: None)
        self._table = SimpleNamespace(links=(link("eth0"),))
        self.links._table = cast(Any, self._table)
        self.began = now()

    async def _look_again(self) -> bool:
        return True

    async def _heard(self, used: Any) -> None:
        self.told.append((round(now() - self.began, 2), used[0].has_carrier))

    def turn(self, *, has_carrier: bool) -> None:
        self._table.links = (replace(self._table.links[0], has_carrier=has_carrier),)
        self.links._look()


def test_a_carrier_counts_when_the_neighbours_were_asked_since_it_came_back_last() -> None:
    async def main() -> list[tuple[float, bool]]:
        node = Links()
        await node.links.settings_changed(AnnouncementSettings())
        running = asyncio.create_task(node.links.run())
        for has_carrier in (False, True, False, True):
            await asyncio.sleep(0.5)
            node.turn(has_carrier=has_carrier)
        await asyncio.sleep(10)
        running.cancel()
        return node.told

    # Back after one second and again after two.
    assert run_ahead(main()) == [(0.0, True), (0.5, False), (3.2, True)]
