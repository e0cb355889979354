"""Every source of wake-ups, and that none of them outlives the others."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from reconciler.loop.file_changes import FileChanges
from reconciler.loop.pacing import Source, Wake
from reconciler.loop.triggers import Triggers

_PATIENCE = 30.0
_NEVER = 3600.0


class Heard:
    """What was woken for."""

    def __init__(self) -> None:
        self.wakes: list[Wake] = []
        self.threads: set[int] = set()

    def __call__(self, wake: Wake) -> None:
        self.wakes.append(wake)
        self.threads.add(threading.get_ident())

    def reasons(self, source: Source) -> list[str]:
        return [wake.reason for wake in self.wakes if wake.source is source]

    async def hears(self, source: Source, times: int = 1) -> None:
        async with asyncio.timeout(_PATIENCE):
            while len(self.reasons(source)) < times:
                await asyncio.sleep(0.005)


class Changes:
    """A cluster that changes when the test says so."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[str | Exception] = asyncio.Queue()
        self.ended = False

    async def __call__(self) -> AsyncIterator[str]:
        try:
            while True:
                item = await self.queue.get()
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.ended = True


@asynccontextmanager
async def triggering(config: Path, changes: Changes, interval: float = _NEVER) -> AsyncIterator[tuple[Heard, Triggers]]:
    heard = Heard()
    files = FileChanges([str(config)], look_again=_NEVER)
    triggers = Triggers(heard, files=files, cluster_changes=changes, interval=interval)
    running = asyncio.create_task(triggers.run())
    try:
        # The first reason of the files: everything else stands by then.
        await heard.hears(Source.FILES)
        yield heard, triggers
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_files_and_the_cluster_wake_with_their_reasons(tmp_path: Path) -> None:
    changes = Changes()
    async with triggering(tmp_path, changes) as (heard, _):
        changes.queue.put_nowait("Service shop/web changed")
        await heard.hears(Source.CLUSTER)
        (tmp_path / "a.yaml").write_text("0")
        await heard.hears(Source.FILES, 2)
        assert heard.reasons(Source.CLUSTER) == ["Service shop/web changed"]
        assert heard.reasons(Source.FILES)[1] == f"{tmp_path / 'a.yaml'} changed"
        assert heard.threads == {threading.get_ident()}
    assert changes.ended


async def test_files_are_expected_where_they_were_read_last(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "deep"
    elsewhere.mkdir(parents=True)
    (tmp_path / "config").mkdir()
    async with triggering(tmp_path / "config", Changes()) as (heard, triggers):
        triggers.watch([str(elsewhere)])
        (elsewhere / "a.yaml").write_text("0")
        await heard.hears(Source.FILES, 2)
        (elsewhere / "b.yaml").write_text("0")
        async with asyncio.timeout(_PATIENCE):
            while f"{elsewhere / 'b.yaml'} changed" not in heard.reasons(Source.FILES):
                await asyncio.sleep(0.005)


async def test_sighup_wakes_each_time_and_is_given_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGHUP)
    async with triggering(tmp_path, Changes()) as (heard, _):
        for times in (1, 2, 3):
            os.kill(os.getpid(), signal.SIGHUP)
            await heard.hears(Source.SIGNAL, times)
        assert heard.reasons(Source.SIGNAL) == ["SIGHUP"] * 3
    assert signal.getsignal(signal.SIGHUP) == before


async def test_the_schedule_ticks_in_the_event_loop(tmp_path: Path) -> None:
    async with triggering(tmp_path, Changes(), interval=0.05) as (heard, _):
        await heard.hears(Source.SCHEDULE, 3)
        assert set(heard.reasons(Source.SCHEDULE)) == {"0.05 s have passed"}
        assert heard.threads == {threading.get_ident()}


async def test_a_tick_that_is_late_still_counts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with triggering(tmp_path, Changes(), interval=1.6) as (heard, _):
        await heard.hears(Source.SCHEDULE, 1)
        # Nothing runs in the loop until the next tick is later than the second that the scheduler grants by itself.
        threading.Event().wait(2.9)
        await heard.hears(Source.SCHEDULE, 2)
    assert not [message for message in caplog.messages if "missed" in message]


async def test_nothing_ticks_after_the_end(tmp_path: Path) -> None:
    async with triggering(tmp_path, Changes(), interval=0.02) as (heard, _):
        await heard.hears(Source.SCHEDULE, 1)
    ticks = len(heard.wakes)
    loop = asyncio.get_running_loop()
    ended = loop.time() + 0.2
    while loop.time() < ended:
        await asyncio.sleep(0.02)
    assert len(heard.wakes) == ticks


async def test_a_source_that_breaks_ends_them_all(tmp_path: Path) -> None:
    changes = Changes()
    heard = Heard()
    before = signal.getsignal(signal.SIGHUP)
    triggers = Triggers(heard, files=FileChanges([str(tmp_path)]), cluster_changes=changes)
    changes.queue.put_nowait(KeyError("a defect"))
    with pytest.raises(ExceptionGroup) as raised:
        await asyncio.wait_for(triggers.run(), _PATIENCE)
    assert raised.group_contains(KeyError)
    assert signal.getsignal(signal.SIGHUP) == before
