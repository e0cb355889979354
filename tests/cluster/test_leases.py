"""The Lease on a real API server: created once, replaced exactly, watched for ever."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from reconciler.cluster.connection import Connection
from reconciler.cluster.leases import KubernetesLeases
from reconciler.cluster.port import ClusterError, Conflict
from reconciler.membership.lease import LeaseRecord, StoredLease
from tests.controlplane.api import Api
from tests.controlplane.harness import ControlPlane

RECORD = LeaseRecord(
    holder="pod-a",
    duration=15,
    acquired_at="2026-01-01T00:00:00.000001Z",
    renewed_at="2026-01-01T00:00:10.123456Z",
    transitions=3,
)
RELEASED = LeaseRecord(
    holder="",
    duration=1,
    acquired_at="2026-01-01T00:00:00.000001Z",
    renewed_at="2026-01-01T00:00:20.000000Z",
    transitions=3,
)


@pytest.fixture
async def connection(control_plane: ControlPlane) -> AsyncIterator[Connection]:
    opened = await Connection.open(kubeconfig=str(control_plane.kubeconfig("admin")))
    yield opened
    await opened.close()


@pytest.fixture
def leases(connection: Connection, namespace: str) -> KubernetesLeases:
    return KubernetesLeases(connection, namespace=namespace, name="lb")


async def test_a_lease_that_nobody_made_is_none(leases: KubernetesLeases) -> None:
    assert await leases.read() is None


async def test_a_record_is_read_as_it_was_written(leases: KubernetesLeases) -> None:
    created = await leases.write(RECORD, None)
    assert created.record == RECORD
    assert await leases.read() == created
    released = await leases.write(RELEASED, created)
    assert released.record == RELEASED
    assert await leases.read() == released


async def test_the_api_shows_what_others_expect_of_a_lease(leases: KubernetesLeases, api: Api, namespace: str) -> None:
    await leases.write(RECORD, None)
    assert api.get("leases", namespace, "lb")["spec"] == {
        "holderIdentity": "pod-a",
        "leaseDurationSeconds": 15,
        "acquireTime": "2026-01-01T00:00:00.000001Z",
        "renewTime": "2026-01-01T00:00:10.123456Z",
        "leaseTransitions": 3,
    }


async def test_the_second_of_two_creators_has_lost(leases: KubernetesLeases) -> None:
    await leases.write(RECORD, None)
    with pytest.raises(Conflict):
        await leases.write(RECORD, None)


async def test_the_second_of_two_writers_has_lost(leases: KubernetesLeases) -> None:
    seen = await leases.write(RECORD, None)
    won = await leases.write(RELEASED, seen)
    with pytest.raises(Conflict):
        await leases.write(RECORD, seen)
    assert await leases.read() == won


async def test_a_deleted_record_cannot_be_replaced_but_made_anew(
    leases: KubernetesLeases, api: Api, namespace: str
) -> None:
    seen = await leases.write(RECORD, None)
    api.delete("leases", namespace, "lb")
    with pytest.raises(Conflict, match="not there any more"):
        await leases.write(RECORD, seen)
    again = await leases.write(RECORD, None)
    with pytest.raises(Conflict):
        await leases.write(RECORD, seen)
    assert await leases.read() == again


async def test_a_lease_that_somebody_prepared_keeps_what_is_theirs(
    leases: KubernetesLeases, api: Api, namespace: str
) -> None:
    api.create("leases", namespace, {"metadata": {"name": "lb", "labels": {"owner": "gitops"}}})
    found = await leases.read()
    assert found is not None
    assert found.record == LeaseRecord(holder="", duration=0, acquired_at="", renewed_at="", transitions=0)
    assert (await leases.write(RECORD, found)).record == RECORD
    assert api.get("leases", namespace, "lb")["metadata"]["labels"] == {"owner": "gitops"}


async def test_what_is_wrong_is_said(control_plane: ControlPlane, connection: Connection, namespace: str) -> None:
    with pytest.raises(ClusterError, match='no namespace "nowhere" for the Lease "lb"'):
        await KubernetesLeases(connection, namespace="nowhere", name="lb").write(RECORD, None)
    stranger = await Connection.open(kubeconfig=str(control_plane.kubeconfig("nobody")))
    with pytest.raises(ClusterError, match="cannot get resource"):
        await KubernetesLeases(stranger, namespace=namespace, name="lb").read()
    await stranger.close()


async def test_changes_of_this_lease_are_told_and_no_others(
    leases: KubernetesLeases, connection: Connection, namespace: str
) -> None:
    other = KubernetesLeases(connection, namespace=namespace, name="other")
    theirs = await other.write(RECORD, None)
    ours = await leases.write(RECORD, None)
    told = 0

    async def listen() -> None:
        nonlocal told
        async for _ in leases.changes():
            told += 1

    async def wait_for(count: int) -> None:
        while told < count:
            await asyncio.sleep(0.01)

    listening = asyncio.create_task(listen())
    async with asyncio.timeout(30):
        await wait_for(1)
        for holder in ("pod-b", "pod-c"):
            theirs = await _take_over(other, theirs, holder)
            ours = await _take_over(leases, ours, holder)
        # One for the beginning; the server tells the changes of a kind in their order.
        await wait_for(3)
    assert told == 3
    listening.cancel()


async def test_a_watch_that_fails_is_opened_again(own_control_plane: ControlPlane) -> None:
    connection = await Connection.open(kubeconfig=str(own_control_plane.kubeconfig("admin")))
    leases = KubernetesLeases(connection, namespace="default", name="lb")
    seen = await leases.write(RECORD, None)
    changes = leases.changes()
    async with asyncio.timeout(60):
        await anext(changes)
        await asyncio.to_thread(own_control_plane.forget_history)
        seen = await _take_over(leases, seen, "pod-b")
        # Each of the failures is a reason to look; a change is told in the end.
        while (found := await leases.read()) != seen:
            await anext(changes)
        await _take_over(leases, found, "pod-c")
        await anext(changes)
    await changes.aclose()
    await connection.close()


async def _take_over(leases: KubernetesLeases, seen: StoredLease, holder: str) -> StoredLease:
    record = LeaseRecord(holder=holder, duration=15, acquired_at=RECORD.acquired_at, renewed_at=RECORD.renewed_at)
    return await leases.write(record, seen)
