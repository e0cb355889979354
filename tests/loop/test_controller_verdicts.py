"""What becomes of a verdict when leaders change, processes start anew, and nobody can write it down."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from reconciler.model.observed import ServiceKey
from tests.loop.corner import EVERYWHERE, pool, settings
from tests.loop.memory_cluster import Replica, Shared

P = pool("p", "10.9.0.0/28")
Q = pool("q", "10.8.0.0/24")
R = pool("r", "10.7.0.0/24", auto=False)
A = (P, EVERYWHERE)
# Many more Services than the first pool has room for.
NAMES = tuple(f"s{number:02}" for number in range(30))
FEW = NAMES[:4]
REFUSED = "kind: [broken"
# Everybody who holds an address would move; the second one differs in something that concerns nobody.
B = (pool("b", "10.1.0.0/24"), EVERYWHERE)
B_TOO = (*B, R)
E = (pool("e", "10.2.0.0/24"), EVERYWHERE)
SILENT = (P,)


@pytest.fixture
async def shared(tmp_path: Path) -> Shared:
    return Shared(tmp_path)


# What another has put in force


async def succeeded(shared: Shared, *, keeps: bool) -> Replica:
    """A replica that has led with A; after it another put A with Q in force, where all Services have their address."""
    shared.write(*A)
    first = await shared.leader("x", keeps=keeps)
    first.lose()
    if keeps:
        first = await shared.start("idle")
    shared.write(*A, Q)
    second = await shared.leader("y")
    shared.cluster.create(*NAMES)
    await second.wake()
    second.lose()
    assert "" not in shared.cluster.held().values()
    return first


FILES = {
    "the files are refused": ([REFUSED],),
    "two refused revisions follow": ([REFUSED], [f"{REFUSED} again"]),
    "another commit": ([P, Q, R, EVERYWHERE],),
    "the commit that was in force before": (A,),
    "nothing but what is in force": ([P, EVERYWHERE, Q],),
}


@pytest.mark.parametrize("keeps", [pytest.param(True, id="from its state"), pytest.param(False, id="from memory")])
@pytest.mark.parametrize("files", FILES.values(), ids=FILES)
async def test_who_takes_over_does_not_go_back_to_what_it_knows(
    shared: Shared, files: tuple[list[str], ...], keeps: bool
) -> None:
    replica = await succeeded(shared, keeps=keeps)
    before = shared.cluster.held()
    shared.cluster.moves.clear()
    for documents in files:
        shared.write(*documents)
        if not keeps:
            await replica.configuration.look()
    if keeps:
        replica = await shared.start("x", keeps=True)
    await replica.lead()
    await replica.look()
    assert shared.cluster.moves == []
    # Without those files nobody can tell what the commit before took away, so that is for the guard.
    assert (replica.verdict == "held") is (files is FILES["the commit that was in force before"])
    assert shared.cluster.held() == before


async def test_a_standby_that_looks_follows_the_leader(shared: Shared) -> None:
    shared.write(*A)
    standby, leader = await shared.leader("x", keeps=True), await shared.start("y")
    standby.lose()
    await leader.lead()
    for number in range(3):
        shared.write(*A, Q, pool(f"extra{number}", "10.7.0.0/24"))
        await leader.look()
        # The first look finds the files, the second one what has become of them.
        await standby.look()
        assert standby.in_force == leader.in_force == leader.newest
    shared.cluster.create(*NAMES)
    await leader.wake()
    leader.lose()
    shared.write(REFUSED)
    await standby.look()
    before = shared.cluster.held()
    shared.cluster.create("late")
    await standby.lead()
    assert shared.cluster.held() == {**before, "late": shared.cluster.held()["late"]}
    assert shared.cluster.held()["late"]
    assert standby.verdict == "refused"
    # Its state directory knows as well.
    again = await shared.start("x", keeps=True)
    assert again.in_force == standby.in_force


async def test_who_leads_without_knowing_what_is_in_force_does_not_bring_back_what_is_older(shared: Shared) -> None:
    """It says that nothing is in force: whoever comes next must not take what he has for the newest."""
    idle = await succeeded(shared, keeps=False)
    shared.write(REFUSED)
    ignorant = await shared.leader("z")
    assert shared.board.said["revision"] is None
    ignorant.lose()
    before = shared.cluster.held()
    await idle.look()
    await idle.lead()
    assert shared.cluster.held() == before
    assert idle.in_force is None


async def test_what_the_leader_before_gave_is_not_given_again(shared: Shared) -> None:
    shared.write(pool("p", "10.9.0.0/32"), EVERYWHERE)
    shared.cluster.create("before", "waits")
    x, y = await shared.leader("x"), await shared.start("y")
    shared.cluster.delete("before")
    # This is what the watch of the other one shows for now: an address that is free, and somebody who wants it.
    shared.cluster.create("first")
    behind = dict(shared.cluster.services)
    await x.wake()
    assert shared.cluster.held() == {"first": "10.9.0.0", "waits": ""}
    x.lose()
    del behind[ServiceKey("shop/first")]
    shared.cluster.fall_behind(behind)
    await y.lead()
    await y.wake()
    assert shared.cluster.held() == {"first": "10.9.0.0", "waits": ""}


# What could not be published


async def lose_and_regain(replica: Replica) -> None:
    replica.lose()
    await replica.look()
    await replica.lead()
    await replica.look()


@pytest.mark.parametrize("break_board", ["is_broken", "loses_answers"])
@pytest.mark.parametrize("commits", [1, 3])
async def test_a_verdict_that_was_not_published_still_counts_when_leadership_returns(
    shared: Shared, break_board: str, commits: int
) -> None:
    shared.write(*A)
    replica = await shared.leader("x")
    setattr(shared.board, break_board, True)
    for number in range(commits):
        if number == commits - 1:
            # Nothing of the last commit arrives.
            shared.board.is_broken = True
        shared.write(*A, Q, pool("extra", f"10.7.{number}.0/24", auto=False))
        await replica.look()
        assert replica.verdict == "passed"
    shared.cluster.create(*NAMES)
    await replica.wake()
    before, shared.cluster.moves, in_force = shared.cluster.held(), [], replica.in_force
    shared.write(REFUSED)
    await lose_and_regain(replica)
    assert (shared.cluster.moves, shared.cluster.held()) == ([], before)
    assert replica.in_force == in_force
    shared.cluster.create("late")
    await replica.wake()
    assert shared.cluster.held()["late"]
    shared.board.is_broken = shared.board.loses_answers = False
    await replica.wake()
    assert shared.board.said["revision"] == replica.in_force


# What is held, and by whom


async def held(shared: Shared, *names: str, keeps: bool = False, files: tuple[str, ...] = B) -> tuple[Replica, ...]:
    """Replicas of these names, of which the first one leads and holds those files; A is in force."""
    shared.write(*A)
    shared.cluster.create(*FEW)
    leader = await shared.leader(names[0], keeps=keeps)
    others = [await shared.start(name, keeps=keeps) for name in names[1:]]
    await shared.revise(leader, *others, files=files)
    assert leader.verdict == "held"
    shared.cluster.moves.clear()
    return leader, *others


async def crowd(shared: Shared, leader: Replica) -> None:
    """So many new Services are served that those who are held are a small share of all."""
    shared.cluster.create(*(f"n{number}" for number in range(60)))
    await leader.wake()
    assert "" not in shared.cluster.held("n").values()


async def hand_over(giver: Replica, taker: Replica, *, follows: bool = True) -> None:
    """`follows`: whether the other one has learnt what was published before."""
    giver.lose()
    await (taker.look() if follows else taker.configuration.look())
    await taker.lead()


@pytest.mark.parametrize("follows", [True, False])
async def test_what_another_holds_stays_held_though_we_held_something_else(shared: Shared, follows: bool) -> None:
    x, y = await held(shared, "x", "y")
    await hand_over(x, y)
    await shared.revise(y, files=E)
    assert y.verdict == "held"
    await crowd(shared, y)
    before, digest = shared.cluster.held(), shared.board.said["guard"]["digest"]
    await hand_over(y, x, follows=follows)
    for _ in range(3):
        await x.look()
    assert (x.verdict, shared.board.said["guard"]["digest"]) == ("held", digest)
    assert shared.cluster.held() == before
    assert not any("10.1." in address for address in before.values())


@pytest.mark.parametrize("follows", [True, False])
async def test_nobody_is_served_from_a_plan_that_another_has_let_go(shared: Shared, follows: bool) -> None:
    x, y = await held(shared, "x", "y")
    await hand_over(x, y)
    await shared.revise(y, files=(P, Q, EVERYWHERE))
    assert y.verdict == "passed"
    await x.configuration.look()
    await shared.revise(y, files=(REFUSED,))
    await hand_over(y, x, follows=follows)
    assert (x.in_force, x.controller.hold) == (y.in_force, None)
    shared.cluster.create("late")
    await x.wake()
    assert shared.cluster.held()["late"].startswith(("10.8.", "10.9."))


async def test_a_revision_is_compared_with_what_is_in_force_by_then(shared: Shared) -> None:
    """Once it silenced nobody; since then another has put in force what it would silence."""
    shared.write(*SILENT)
    shared.cluster.create(*FEW)
    x, y = await shared.leader("x"), await shared.start("y")
    silent_too = (*SILENT, R)
    await shared.revise(x, y, files=silent_too)
    assert x.verdict == "passed"
    await hand_over(x, y)
    await shared.revise(y, x, files=A)
    await hand_over(y, x)
    assert (x.verdict, x.in_force) == ("passed", x.newest)
    await shared.revise(x, files=silent_too)
    assert x.verdict == "held"


async def test_a_standby_does_not_go_on_saying_that_its_own_plan_is_held(shared: Shared) -> None:
    x, y = await held(shared, "x", "y")
    await hand_over(x, y)
    await shared.revise(y, x, files=A)
    # The first look finds the files, the second one what the leader has published since.
    await x.look()
    assert not x.account.status().guard.held
    assert [reason for reason, _ in y.herald.said] == ["PlanHeld", "ConfigurationApplied"]


def again(_: Replica) -> Callable[[Shared], Awaitable[Replica]]:
    async def take(shared: Shared) -> Replica:
        return await shared.leader("x", keeps=True)

    return take


def another(standby: Replica) -> Callable[[Shared], Awaitable[Replica]]:
    async def take(shared: Shared) -> Replica:
        assert shared
        await standby.look()
        await standby.lead()
        return standby

    return take


@pytest.mark.parametrize("next_leader", [again, another])
async def test_who_was_served_around_a_plan_that_is_held_stays_when_the_files_are_refused(
    shared: Shared, next_leader: Callable[[Replica], Callable[[Shared], Awaitable[Replica]]]
) -> None:
    x, y = await held(shared, "x", "y", keeps=True)
    await crowd(shared, x)
    await shared.revise(x, y, files=(REFUSED,))
    before = shared.cluster.held()
    assert any(address.startswith("10.1.") for address in before.values())
    x.lose()
    leader = await next_leader(y)(shared)
    shared.cluster.create("late")
    await leader.wake()
    assert shared.cluster.held() == {**before, "late": shared.cluster.held()["late"]}
    assert shared.cluster.held()["late"].startswith("10.9.")
    assert shared.board.said["guard"]["held"] is True
    await shared.revise(leader, files=B)
    await leader.look()
    assert leader.verdict == "held"
    assert shared.cluster.held() == {**before, "late": shared.cluster.held()["late"]}


async def test_what_is_held_for_its_silence_stays_held_where_no_node_is_ready(shared: Shared) -> None:
    x, y = await held(shared, "x", "y", files=SILENT)
    digest = shared.board.said["guard"]["digest"]
    shared.cluster.ready = False
    x.lose()
    await y.lead()
    for _ in range(3):
        await y.look()
        await y.wake()
    assert (y.verdict, y.in_force == y.newest) == ("held", False)
    assert shared.board.said["guard"]["digest"] == digest
    assert "held by the controller that led before" in shared.board.said["guard"]["reason"]
    # What it has in force does not matter to whoever approves it.
    shared.cluster.ready = True
    await shared.revise(y, files=(*SILENT, settings(approvedPlan=digest)))
    assert (y.verdict, y.in_force == y.newest) == ("passed", True)
    assert shared.cluster.moves == []


async def test_what_is_approved_passes_and_nothing_else(shared: Shared) -> None:
    (x,) = await held(shared, "x")
    digest = shared.board.said["guard"]["digest"]
    await crowd(shared, x)
    before = shared.cluster.held()
    await shared.revise(x, files=B_TOO)
    assert (x.verdict, shared.board.said["guard"]["digest"]) == ("held", digest)
    await shared.revise(x, files=(*E, settings(approvedPlan=digest)))
    assert x.verdict == "held"
    assert shared.board.said["guard"]["digest"] != digest
    assert shared.cluster.held() == before
    await shared.revise(x, files=(*B_TOO, settings(approvedPlan=digest)))
    assert (x.verdict, x.in_force == x.newest, x.controller.hold) == ("passed", True, None)
    assert {name for name, had in before.items() if shared.cluster.held()[name] != had} == set(FEW)


async def test_what_is_taken_back_is_forgotten(shared: Shared) -> None:
    (x,) = await held(shared, "x")
    await shared.revise(x, files=A)
    assert (x.verdict, x.controller.hold) == ("passed", None)
    assert not shared.board.said["guard"]["held"]
    shared.cluster.create("late")
    await x.wake()
    assert shared.cluster.held()["late"] == "10.9.0.4"
    assert [name for name, *_ in shared.cluster.moves] == ["late"]
