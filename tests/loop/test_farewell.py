"""The end of a speaker process: routers are taken leave of whatever else fails."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from reconciler.errors import ReconcilerError
from reconciler.loop.speaker_process import SpeakerParts, SpeakerProcess


class Ending:
    """All parts of a process, of which nothing is asked but to end; `log` is what of it they were asked for."""

    def __init__(self, *, is_drained: bool = False, beside: Any = None) -> None:
        self.log: list[Any] = []
        self.has_failed = asyncio.Event()
        self.is_group_well = True
        bgp = SimpleNamespace(run=_for_ever, leave=self._leave_peers, close=self._close_peers)
        group = SimpleNamespace(say_farewell=self._say_farewell, leave=self._noted("group left"))
        speaker = SimpleNamespace(is_drained=is_drained, says_no_more_to_peers=lambda: self.log.append("no more"))
        l2 = SimpleNamespace(
            run=_for_ever, close=self._noted("silent"), active=lambda: SimpleNamespace(announcements=())
        )
        self.process = SpeakerProcess(
            cast(
                SpeakerParts,
                SimpleNamespace(
                    speaker=speaker,
                    configuration=SimpleNamespace(restore=_at_once, in_force=None),
                    group=group,
                    announcer=l2,
                    bgp=bgp,
                    handing_over=SimpleNamespace(run=_for_ever),
                    rounds=SimpleNamespace(run=_for_ever, wake=lambda *_: None, stop=lambda: None),
                    triggers=SimpleNamespace(run=_for_ever),
                    publish=_at_once,
                    flush_events=lambda _: _at_once(),
                    beside=(beside,) if beside else (),
                ),
            )
        )

    def _noted(self, what: str) -> Any:
        async def note() -> None:
            self.log.append(what)

        return note

    async def _say_farewell(self) -> None:
        if not self.is_group_well:
            self.has_failed.set()
            raise ReconcilerError("the group is not there")

    async def _leave_peers(self, *, preserving: bool) -> None:
        if not self.is_group_well:
            await self.has_failed.wait()
            await asyncio.sleep(0)
        self.log.append(("left", preserving))

    async def _close_peers(self, *, preserving: bool) -> None:
        self.log.append(("closed", preserving))


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _at_once() -> None:
    pass


@pytest.mark.parametrize("is_drained", [False, True])
async def test_routes_are_preserved_unless_the_node_is_drained(is_drained: bool) -> None:
    ending = Ending(is_drained=is_drained)
    ending.process.stop()
    await ending.process.run()
    assert ending.log == ["no more", ("left", not is_drained), "silent", ("closed", not is_drained), "group left"]


async def test_routers_are_taken_leave_of_where_the_group_cannot_be() -> None:
    ending = Ending()
    ending.is_group_well = False
    ending.process.stop()
    with pytest.raises(ReconcilerError):
        await ending.process.run()
    assert ending.log == ["no more", ("left", True), "silent", ("closed", True), "group left"]


async def test_a_defect_ends_all_at_once_and_preserves_routes() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    ending = Ending(beside=fail)
    with pytest.raises(ExceptionGroup):
        await ending.process.run()
    assert ending.log == ["silent", ("closed", True), "group left"]
