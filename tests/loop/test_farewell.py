"""The end of a speaker process: addresses find a successor, and routers are taken leave of whatever else fails."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from reconciler.errors import ReconcilerError
from reconciler.loop.pacing import Occasion, Pacer, Source
from reconciler.loop.rounds import Rounds
from reconciler.loop.speaker_process import SpeakerParts, SpeakerProcess


class Ending:
    """
    All parts of a process, of which nothing is asked but to end; `log` is what of it they were asked for.

    A pass hands over what is in `announced`, and goes on when it `may_go_on`; where it `begins` to announce, it does so
    at its end. Once there were as many passes as have to be, the successor `has_taken` all.
    """

    def __init__(self, *, is_drained: bool = False, beside: Any = None, grace: float = 0.0) -> None:
        self.log: list[Any] = []
        self.has_failed = asyncio.Event()
        self.is_group_well = True
        self.announced: set[str] = set()
        self.begins: set[str] = set()
        self.may_go_on, self.is_under_way, self.has_taken = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.passes = 0
        self.rounds = Rounds(self._make_pass, self, pacer=Pacer())
        bgp = SimpleNamespace(run=_for_ever, leave=self._leave_peers, close=self._close_peers)
        group = SimpleNamespace(
            say_farewell=self._say_farewell, leave=self._leave_group, restart_within=self._restart_within
        )
        speaker = SimpleNamespace(
            is_drained=is_drained,
            says_no_more_to_peers=lambda: self.log.append("no more"),
            make_pass=self._make_last_pass,
        )
        l2 = SimpleNamespace(run=_for_ever, close=self._noted("silent"), active=self._active)
        announcements = SimpleNamespace(restart_grace=grace)
        in_force = SimpleNamespace(settings=SimpleNamespace(announcements=announcements)) if grace else None
        self.process = SpeakerProcess(
            cast(
                SpeakerParts,
                SimpleNamespace(
                    speaker=speaker,
                    configuration=SimpleNamespace(restore=_at_once, in_force=in_force),
                    group=group,
                    announcer=l2,
                    bgp=bgp,
                    handing_over=SimpleNamespace(run=_for_ever, finished=self._finished),
                    rounds=self.rounds,
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

    async def _leave_group(self) -> None:
        # It takes a while until the others know.
        for _ in range(10):
            await asyncio.sleep(0)
        self.log.append("group left")

    async def _restart_within(self, seconds: float) -> None:
        self.log.append(("back within", seconds))

    def _active(self) -> Any:
        return SimpleNamespace(announcements=frozenset(self.announced))

    async def _make_pass(self, _: Occasion) -> None:
        self.passes += 1
        self.is_under_way.set()
        await self.may_go_on.wait()
        self.announced |= self.begins

    async def _make_last_pass(self, *, look_at_files: bool) -> None:
        assert not look_at_files
        self.log.append(f"handed over: {sorted(self.announced)}")
        # Whatever it is that others have to say by now.
        self.rounds.wake(Source.MEMBERS, "the successor leaves as well")

    async def _finished(self, _seconds: float) -> None:
        await self.has_taken.wait()
        self.announced.clear()

    def passed(self, _: Occasion, *, seconds: float, failed: object) -> None:
        assert seconds >= 0
        assert failed is None

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


async def test_who_announces_is_gone_only_when_a_successor_has_taken_over_even_if_the_first_one_goes() -> None:
    ending = Ending()
    ending.announced = {"192.0.2.1"}
    ending.may_go_on.set()
    ended = asyncio.create_task(ending.process.run())
    ending.process.stop()
    while not any("handed over" in entry for entry in ending.log):
        await asyncio.sleep(0)
    before = ending.passes
    while ending.passes == before:
        await asyncio.sleep(0.001)
    assert "silent" not in ending.log
    ending.has_taken.set()
    await ended
    assert ending.log[-3:] == ["silent", ("closed", True), "group left"]


async def test_a_restart_is_told_a_while_before_the_node_goes() -> None:
    ending = Ending(grace=60.0)
    ending.process.stop()
    clock = asyncio.get_running_loop().time
    began = clock()
    await ending.process.run()
    assert clock() - began >= 0.2
    assert ending.log.index(("back within", 60.0)) < ending.log.index("silent")


@pytest.mark.parametrize("grace", [0.0, 60.0])
async def test_no_pass_goes_on_once_the_node_is_silent(grace: float) -> None:
    ending = Ending(grace=grace)
    ending.begins = {"192.0.2.1"}
    ended = asyncio.create_task(ending.process.run())
    await ending.is_under_way.wait()
    ending.process.stop()
    while "silent" not in ending.log:
        await asyncio.sleep(0)
    ending.may_go_on.set()
    await ended
    assert ending.passes == 1
    assert not ending.announced
