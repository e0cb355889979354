"""Who leads, on the real event loop: with leases in memory that fail on demand, and on a real API server."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from reconciler.cluster.connection import Connection
from reconciler.cluster.leases import KubernetesLeases
from reconciler.cluster.port import ClusterError, Conflict, Leases
from reconciler.loop.leadership import AlwaysLeads, LeaseLeadership, monotonic_with_sleep
from reconciler.membership.lease import LeaseRecord, LeaseTiming, StoredLease
from tests.controlplane.api import Api
from tests.controlplane.harness import ControlPlane

_PATIENCE = 30.0
QUICK = LeaseTiming(duration=3, renew_deadline=2, retry_period=0.1)
# Whatever happens within the patience of a test does not happen because some time has passed.
SLOW = LeaseTiming(duration=3600, renew_deadline=1800, retry_period=600)


class Clock:
    """Runs like the real one, except for what the test adds."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return monotonic_with_sleep() + self.ahead


@dataclass
class Store:
    """The record that all replicas see."""

    stored: StoredLease | None = None
    versions: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)


@dataclass
class MemoryLeases:
    """One replica's way to the record, with faults."""

    store: Store
    error: str | None = None
    write_error: str | None = None
    hangs: bool = False
    hangs_once: bool = False
    loses_answers: bool = False
    tells: bool = True
    defect: Exception | None = None
    reads: int = 0

    async def read(self) -> StoredLease | None:
        self.reads += 1
        await self._suffer()
        return self.store.stored

    async def write(self, record: LeaseRecord, replaces: StoredLease | None) -> StoredLease:
        await self._suffer()
        if self.write_error is not None:
            raise ClusterError(self.write_error)
        if replaces != self.store.stored:
            raise Conflict("somebody else wrote")
        async with self.store.changed:
            self.store.versions += 1
            self.store.stored = StoredLease(record, str(self.store.versions))
            self.store.changed.notify_all()
        if self.loses_answers:
            self.loses_answers = False
            raise ClusterError("the answer is lost")
        return self.store.stored

    async def changes(self) -> AsyncIterator[None]:
        while True:
            async with self.store.changed:
                await self.store.changed.wait()
            if self.tells:
                yield

    async def _suffer(self) -> None:
        if self.hangs or self.hangs_once:
            self.hangs_once = False
            await asyncio.Event().wait()
        if self.defect is not None:
            raise self.defect
        if self.error is not None:
            raise ClusterError(self.error)


@dataclass
class Replica:
    name: str
    leases: MemoryLeases
    leadership: LeaseLeadership
    clock: Clock
    told: list[bool]
    running: "asyncio.Task[None]"


@asynccontextmanager
async def replica(name: str, store: Store, timing: LeaseTiming = QUICK) -> AsyncIterator[Replica]:
    leases, clock, told = MemoryLeases(store), Clock(), list[bool]()
    leadership = LeaseLeadership(leases, identity=name, timing=timing, notify=told.append, clock=clock)
    running = asyncio.create_task(leadership.run())
    try:
        yield Replica(name, leases, leadership, clock, told, running)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(_PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)


def holder(store: Store) -> str | None:
    return store.stored.record.holder if store.stored else None


async def test_the_first_leads_and_the_second_knows_who() -> None:
    store = Store()
    async with replica("a", store) as a:
        assert not a.leadership.leads()
        assert a.leadership.holder is None
        await until(a.leadership.leads)
        async with replica("b", store) as b:
            await until(lambda: b.leadership.holder == "a")
            versions = store.versions
            await until(lambda: store.versions >= versions + 15)
            assert a.leadership.leads()
            assert (a.told, b.told) == ([True], [])


async def test_a_leader_that_dies_is_succeeded() -> None:
    store = Store()
    async with replica("b", store) as b:
        await until(b.leadership.leads)
        async with replica("a", store) as a:
            b.running.cancel()
            await until(a.leadership.leads)
            assert not b.leadership.leads()
            assert store.stored is not None
            assert store.stored.record.transitions == 1


async def test_a_release_hands_over_without_waiting() -> None:
    store = Store()
    async with replica("a", store, SLOW) as a:
        await until(a.leadership.leads)
        async with replica("b", store, SLOW) as b:
            await until(lambda: b.leadership.holder == "a")
            await a.leadership.release(_PATIENCE)
            assert not a.leadership.leads()
            await until(b.leadership.leads)
            assert (a.told, b.told) == ([True, False], [True])
            # `run` is done as well.
            await asyncio.wait_for(a.running, _PATIENCE)


async def test_where_changes_are_not_told_the_record_is_looked_at() -> None:
    store = Store()
    async with replica("a", store) as a:
        await until(a.leadership.leads)
        async with replica("b", store) as b:
            b.leases.tells = False
            await until(lambda: b.leadership.holder == "a")
            await a.leadership.release(_PATIENCE)
            await until(b.leadership.leads)


async def test_a_leader_does_not_read_after_its_own_renewals() -> None:
    store = Store()
    async with replica("a", store) as a:
        await until(lambda: store.versions > 10)
        assert a.leases.reads == 1


async def test_a_process_that_was_stopped_knows_on_waking() -> None:
    store = Store()
    async with replica("a", store, SLOW) as a:
        await until(a.leadership.leads)
        a.clock.ahead = SLOW.renew_deadline
        # Nothing has run in between: no task, no timer.
        assert not a.leadership.leads()


async def test_leadership_that_ended_while_the_machine_slept_is_told_before_it_returns() -> None:
    store = Store()
    async with replica("a", store) as a:
        await until(a.leadership.leads)
        # It goes on with a renewal that nobody else has come before.
        a.clock.ahead = 3600
        assert not a.leadership.leads()
        await until(a.leadership.leads)
        assert a.told == [True, False, True]


async def test_leadership_ends_while_a_renewal_hangs_and_returns_with_the_store() -> None:
    store = Store()
    async with replica("a", store) as a:
        await until(a.leadership.leads)
        a.leases.hangs = True
        await until(lambda: a.told == [True, False])
        assert not a.leadership.leads()
        a.leases.hangs = False
        await until(lambda: a.told == [True, False, True])
        assert store.stored is not None
        assert store.stored.record.transitions == 0


async def test_one_request_that_hangs_costs_nothing() -> None:
    store = Store()
    async with replica("a", store) as a:
        await until(a.leadership.leads)
        reads = a.leases.reads
        a.leases.hangs_once = True
        # It is given up, and a look follows.
        await until(lambda: a.leases.reads > reads)
        versions = store.versions
        await until(lambda: store.versions > versions + 3)
        assert a.told == [True]


async def test_an_answer_that_is_lost_is_found_by_looking() -> None:
    store = Store()
    async with replica("a", store) as a:
        a.leases.loses_answers = True
        await until(a.leadership.leads)
        assert store.stored is not None
        assert store.stored.record.transitions == 0
        a.leases.loses_answers = True
        versions = store.versions
        await until(lambda: store.versions > versions + 5)
        assert a.told == [True]


async def test_a_record_that_another_wrote_ends_leadership() -> None:
    store = Store()
    async with replica("a", store) as a:
        await until(a.leadership.leads)
        usurper = LeaseRecord(holder="b", duration=3600, acquired_at="x", renewed_at="x", transitions=7)
        store.stored = StoredLease(usurper, "usurped")
        await until(lambda: a.told == [True, False])
        assert not a.leadership.leads()
        assert a.leadership.holder == "b"


async def test_failures_are_logged_once_for_each_message(caplog: pytest.LogCaptureFixture) -> None:
    store = Store()
    caplog.set_level(logging.INFO)
    async with replica("a", store) as a:
        await until(a.leadership.leads)
        for error in ("connection refused", "forbidden"):
            a.leases.error = error
            reads = a.leases.reads
            await until(lambda seen=reads: a.leases.reads > seen + 3)  # type: ignore[misc]  # bound at once
        a.leases.error = None
        await until(lambda: "the lease can be written again" in caplog.messages)
    about = [message for message in caplog.messages if message.startswith("the lease can")]
    assert about == [
        "the lease cannot be written: connection refused",
        "the lease cannot be read: connection refused",
        "the lease cannot be read: forbidden",
        "the lease can be read again",
        "the lease can be written again",
    ]


async def test_a_lease_that_can_be_read_and_not_written_is_complained_of_once(caplog: pytest.LogCaptureFixture) -> None:
    store = Store()
    caplog.set_level(logging.INFO)
    async with replica("a", store) as a:
        a.leases.write_error = "forbidden"
        reads = a.leases.reads
        await until(lambda: a.leases.reads > reads + 3)
    about = [message for message in caplog.messages if message.startswith("the lease can")]
    assert about == ["the lease cannot be written: forbidden"]


async def test_a_release_is_over_in_time_though_nobody_answers(caplog: pytest.LogCaptureFixture) -> None:
    store = Store()
    async with replica("a", store, SLOW) as a:
        await until(a.leadership.leads)
        a.leases.hangs = True
        await asyncio.wait_for(a.leadership.release(0.05), _PATIENCE)
        assert not a.leadership.leads()
        assert a.told == [True, False]
        assert holder(store) == "a"
    assert caplog.messages == ["the lease could not be released within 0.05 s; it will run out by itself"]


async def test_a_release_may_follow_the_end_of_the_run() -> None:
    store = Store()
    async with replica("a", store, SLOW) as a:
        await until(a.leadership.leads)
        a.running.cancel()
        await asyncio.gather(a.running, return_exceptions=True)
        await a.leadership.release(_PATIENCE)
    assert holder(store) == ""


async def test_a_release_in_the_middle_of_a_claim_releases_the_claim() -> None:
    store = Store()
    async with replica("a", store, SLOW) as a:
        a.leases.loses_answers = True
        await until(lambda: holder(store) == "a")
        assert not a.leadership.leads()
        await a.leadership.release(_PATIENCE)
    assert holder(store) == ""
    assert a.told == []


async def test_a_standby_that_ends_touches_nothing() -> None:
    store = Store()
    async with replica("a", store, SLOW) as a:
        await until(a.leadership.leads)
        async with replica("b", store, SLOW) as b:
            await until(lambda: b.leadership.holder == "a")
            b.leases.hangs = True
            await b.leadership.release(0.0)
        assert holder(store) == "a"
        assert a.leadership.leads()


async def test_a_defect_ends_the_run_with_its_cause() -> None:
    store = Store()
    async with replica("a", store) as a:
        a.leases.defect = KeyError("a defect")
        with pytest.raises(ExceptionGroup) as raised:
            await asyncio.wait_for(a.running, _PATIENCE)
    assert raised.group_contains(KeyError)


async def test_there_is_always_somebody_who_leads_where_there_are_no_leases() -> None:
    told: list[bool] = []
    leadership = AlwaysLeads(told.append)
    running = asyncio.create_task(leadership.run())
    await until(lambda: told == [True])
    assert leadership.leads()
    await leadership.release(1)
    await leadership.release(1)
    assert not leadership.leads()
    await asyncio.wait_for(running, _PATIENCE)
    assert told == [True, False]


@pytest.fixture
async def connection(control_plane: ControlPlane) -> AsyncIterator[Connection]:
    opened = await Connection.open(kubeconfig=str(control_plane.kubeconfig("admin")))
    yield opened
    await opened.close()


async def test_replicas_hand_over_on_a_real_api_server(connection: Connection, api: Api, namespace: str) -> None:
    told: list[str] = []

    def candidate(name: str) -> LeaseLeadership:
        leases: Leases = KubernetesLeases(connection, namespace=namespace, name="lb")
        return LeaseLeadership(
            leases, identity=name, timing=SLOW, notify=lambda leads: told.append(f"{name} {'+' if leads else '-'}")
        )

    async with asyncio.TaskGroup() as group:
        waiting = [candidate(f"pod-{number}") for number in range(3)]
        for one in waiting:
            group.create_task(one.run())
        for number in range(3):
            await until(lambda: any(one.leads() for one in waiting))
            (leader,) = [one for one in waiting if one.leads()]
            await until(lambda: all(one.holder == leader.holder for one in waiting))  # noqa: B023 - called at once
            spec = (await asyncio.to_thread(api.get, "leases", namespace, "lb"))["spec"]
            assert spec["holderIdentity"] == leader.holder
            # Who takes a lease adds one; who releases it does not.
            assert spec["leaseTransitions"] == number
            waiting.remove(leader)
            await leader.release(_PATIENCE)
            assert not leader.leads()
    assert [event[-1] for event in told] == ["+", "-"] * 3
    assert (await asyncio.to_thread(api.get, "leases", namespace, "lb"))["spec"].get("holderIdentity", "") == ""
