"""What everybody can read of a verdict: the newest, nothing before there is one, and no news where nothing is new."""

import asyncio
from pathlib import Path

import pytest

from reconciler.cluster.port import ClusterError, Conflict
from reconciler.loop.execution import IncompleteError
from reconciler.loop.pacing import Occasion, Source
from reconciler.loop.rounds import Failed
from tests.loop.corner import EVERYWHERE, pool
from tests.loop.memory_cluster import Shared

A = (pool("p", "10.9.0.0/28"), EVERYWHERE)
Q = pool("q", "10.8.0.0/24")
# Everybody who holds an address would move.
B = (pool("b", "10.1.0.0/24"), EVERYWHERE)
REFUSED = "kind: [broken"
FEW = ("s0", "s1", "s2", "s3")
AN_OCCASION = Occasion((), 0, frozenset({Source.CLUSTER}), 0.0)


@pytest.fixture
async def shared(tmp_path: Path) -> Shared:
    return Shared(tmp_path)


@pytest.mark.parametrize("later", [pytest.param(B, id="held"), pytest.param((REFUSED,), id="refused since")])
async def test_no_document_goes_back_behind_the_verdict_that_was_published(
    shared: Shared, later: tuple[str, ...]
) -> None:
    shared.write(*A)
    shared.cluster.create(*FEW)
    x, y = await shared.leader("x"), await shared.start("y")
    await shared.revise(x, files=B)
    await shared.revise(x, files=later)
    # It knows the files, but not yet what was published of them.
    await y.configuration.look()
    shared.board.history.clear()
    x.lose()
    y.controller.lead()
    y.leadership.is_on = True
    await y.controller.publish()
    passing = asyncio.create_task(y.look())
    while not passing.done():
        await asyncio.gather(y.controller.publish(), asyncio.sleep(0))
    await passing
    assert shared.board.said["identity"] == "y"
    verdict = "held" if later is B else "refused"
    assert {(said["newest"]["verdict"], said["guard"]["held"]) for said in shared.board.history} == {(verdict, True)}


async def test_nothing_is_published_as_long_as_there_is_no_verdict(shared: Shared) -> None:
    shared.write(*A)
    x = await shared.leader("x")
    before = shared.board.document
    shared.write(*A, Q)
    await x.configuration.look()
    assert x.verdict is None
    await x.controller.publish()
    assert shared.board.document == before
    await x.wake()
    assert shared.board.said["newest"] == {**shared.board.said["newest"], "verdict": "passed", "revision": x.newest}


async def test_of_two_that_publish_at_once_the_newest_stands(shared: Shared) -> None:
    shared.write(*A)
    x = await shared.leader("x")
    shared.board.gate.clear()
    shared.cluster.create("web")
    await x.controller.make_pass(look_at_files=False)
    slow = asyncio.create_task(x.controller.publish())
    while not shared.board.waiting:
        await asyncio.sleep(0)
    slow_gate, shared.board.gate = shared.board.gate, asyncio.Event()
    shared.board.gate.set()
    shared.write(REFUSED)
    await x.controller.make_pass(look_at_files=True)
    fast = asyncio.create_task(x.controller.publish())
    # It is not to overtake the other one, however much time it has.
    await asyncio.wait({fast}, timeout=0.1)
    slow_gate.set()
    await asyncio.gather(slow, fast)
    assert [said["newest"]["verdict"] for said in shared.board.history[-2:]] == ["passed", "refused"]


@pytest.mark.parametrize(("files", "verdict"), [(A, "passed"), (B, "held"), ((REFUSED,), "refused")])
async def test_what_stands_is_published_in_the_same_octets(
    shared: Shared, files: tuple[str, ...], verdict: str
) -> None:
    shared.write(*A)
    shared.cluster.create(*FEW)
    x = await shared.leader("x")
    await shared.revise(x, files=files)
    assert x.verdict == verdict
    before = shared.board.document
    for _ in range(2):
        await x.look()
        await x.wake()
        x.lose()
        await x.look()
        await x.lead()
    assert shared.board.document == before


async def test_a_conflict_is_no_news_for_anybody(shared: Shared) -> None:
    shared.write(*A)
    x = await shared.leader("x")
    shared.cluster.create("web")
    shared.cluster.failures["web"] = Conflict("it has changed")
    with pytest.raises(IncompleteError):
        await x.wake()
    x.account.passed(AN_OCCASION, seconds=1, failed=Failed("a write was not made: it has changed", is_partial=True))
    await x.controller.publish()
    first = shared.board.document
    shared.cluster.failures.clear()
    await x.wake()
    x.account.passed(AN_OCCASION, seconds=1, failed=None)
    await x.controller.publish()
    assert shared.board.document == first
    assert shared.board.said["lastPass"]["error"] is None
    # What lasts is.
    x.account.passed(AN_OCCASION, seconds=1, failed=Failed("nobody answers"))
    await x.controller.publish()
    assert shared.board.said["lastPass"]["error"] == "nobody answers"


async def test_services_are_served_and_files_judged_though_nothing_can_be_published(shared: Shared) -> None:
    shared.write(*A)
    shared.board.is_broken = True
    x = await shared.leader("x")
    shared.cluster.create("web", "stuck")
    shared.cluster.failures["stuck"] = ClusterError("a webhook refuses it")
    with pytest.raises(IncompleteError):
        await x.wake()
    # Nor does one that cannot be written keep new files from being judged: they may be the remedy.
    shared.write(*A, Q)
    with pytest.raises(IncompleteError):
        await x.look()
    assert (x.verdict, x.in_force) == ("passed", x.newest)
    assert shared.cluster.held()["web"] == "10.9.0.1"
