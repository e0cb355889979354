"""A leader that cannot renew its Lease, or is stopped: it writes nothing any more, and another one takes over."""

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.controlplane.api import wait_until
from tests.controlplane.faults import Answer, Delay, Fault, Pass, Swallow
from tests.controlplane.harness import ControlPlane
from tests.loop.audit_record import Pool
from tests.loop.corner import EVERYWHERE, Corner, pool
from tests.loop.kill_rounds import LEASES, STATUS, Replica, replica
from tests.loop.recording import Recording

# Of the lease of the replicas, in seconds; the deadline is that of the command line.
_LEASE = 2
_DEADLINE = _LEASE * 2 / 3
# A write is let out before the deadline, and we see it when the server has answered it. So much may lie between on a
# machine that is busy; a leader that does not stop writes for far longer.
_MARGIN = 1.0
_PATIENCE = 30.0


class Writes:
    """When each renewal, and each write of a status, went through a proxy."""

    def __init__(self, one: Replica) -> None:
        self.renewed: list[float] = []
        self.written: list[float] = []
        one.proxy.when(Pass(), method="PATCH", path=STATUS, call=lambda: self.written.append(time.monotonic()))
        self._renewals = one.proxy.when(
            Pass(), method="PATCH", path=LEASES, call=lambda: self.renewed.append(time.monotonic())
        )
        self._proxy = one.proxy

    def block_renewals(self, fault: Fault) -> None:
        """From now on; renewals that were let through before are all counted."""
        self._proxy.when(fault, path=LEASES)
        self._proxy.clear(self._renewals)


@dataclass(frozen=True)
class Pair:
    """One that leads, one that waits, and a record of what they do."""

    corner: Corner
    leader: Replica
    other: Replica
    recording: Recording


@pytest.fixture
def pair(control_plane: ControlPlane, corner: Corner, tmp_path: Path) -> Iterator[Pair]:
    corner.write(pool("p", "10.50.0.0/22"), pool("single", "10.51.0.1-10.51.0.1", auto=False), EVERYWHERE)
    with (
        Recording(control_plane, corner) as recording,
        replica(control_plane, corner, "leader", tmp_path) as leader,
        replica(control_plane, corner, "other", tmp_path) as other,
    ):
        recording.say_files(
            Pool("p", frozenset(f"10.50.{third}.{last}" for third in range(4) for last in range(256))),
            Pool("single", frozenset({"10.51.0.1"}), auto=False),
        )
        leader.start()
        wait_until(lambda: corner.holder() == "leader", "the first one leads")
        other.start()
        corner.create("first")
        corner.wait_for_address("first")
        yield Pair(corner, leader, other, recording)


def keep_busy(corner: Corner, *, until_held_by: str, at_least: float = 0.0) -> None:
    """Make Services all the time until somebody else leads, and so many seconds have passed."""
    number = 0
    began = time.monotonic()
    while corner.holder() != until_held_by or time.monotonic() < began + at_least:
        assert time.monotonic() < began + _PATIENCE, f"{until_held_by} does not take over"
        corner.create(f"busy-{number}")
        number += 1


@pytest.mark.parametrize("fault", [pytest.param(Answer(503), id="refused"), pytest.param(Swallow(), id="not answered")])
def test_who_cannot_renew_the_lease_stops_to_write_in_time(pair: Pair, fault: Fault) -> None:
    writes = Writes(pair.leader)
    wait_until(lambda: writes.renewed, "renewals are seen")
    writes.block_renewals(fault)
    # Longer than one that stops in time can be seen to write: whoever goes on is seen to do so.
    keep_busy(pair.corner, until_held_by="other", at_least=_DEADLINE + 2 * _MARGIN)
    pair.corner.wait_until_served()
    # It went on as long as it was allowed to, and no longer.
    assert [at for at in writes.written if at > writes.renewed[-1]]
    assert writes.written[-1] <= writes.renewed[-1] + _DEADLINE + _MARGIN
    assert pair.leader.running.ask("/healthz") == (200, "ok\n")
    assert pair.leader.running.ask("/readyz") == (200, "ok\n")
    assert not pair.leader.running.status()["leading"]
    found = pair.recording.audit(late=0)
    assert found.wrong == ()
    # Once it is let, it learns who leads now.
    pair.leader.proxy.clear()
    wait_until(lambda: pair.leader.running.status()["leader"] == "other", "it knows")


def test_who_is_stopped_writes_nothing_when_it_goes_on(pair: Pair) -> None:
    # In the middle of its work: other writes are on their way.
    stopped = pair.leader.proxy.when(
        Delay(0.2), method="PATCH", path=STATUS, times=1, call=lambda: pair.leader.signal(signal.SIGSTOP)
    )
    writes = Writes(pair.leader)
    for number in range(20):
        pair.corner.create(f"early-{number}")
    wait_until(lambda: stopped.done, "it is stopped")
    keep_busy(pair.corner, until_held_by="other")
    pair.corner.wait_until_served()
    many = len(writes.written)
    # Whoever believes to lead has all the time to write before the one that does.
    pair.other.proxy.when(Delay(1.0), path="late/status", times=1)
    pair.leader.signal(signal.SIGCONT)
    pair.corner.create("late")
    pair.corner.wait_for_address("late")
    wait_until(lambda: pair.leader.running.status()["leader"] == "other", "it knows that it does not lead")
    assert not pair.leader.running.status()["leading"]
    assert len(writes.written) == many
    found = pair.recording.audit(late=0)
    assert found.wrong == ()


def test_a_write_that_arrives_late_is_taken_back(pair: Pair) -> None:
    corner = pair.corner
    wanted = {"metallb.io/address-pool": "single"}
    corner.create("older", annotations={"metallb.io/address-pool": "ghost"})
    corner.wait_for_refusal("older", "UnknownPool")
    # The leader gives the one address to the younger one, but that does not arrive for as long as another one needs
    # to take over, and to give it to the older one, who wants it by then.
    under_way = "younger/status"
    slow = pair.leader.proxy.when(Delay(3 * _LEASE), path=under_way, times=1)
    corner.create("younger", annotations=wanted)
    wait_until(lambda: slow.befallen, "the write is under way")
    pair.leader.proxy.when(Answer(503), path=LEASES)
    # Whatever the other one says of the younger one would be another version of it, and the late write a conflict.
    silent = pair.other.proxy.when(Answer(500), path=under_way)
    pair.leader.proxy.when(Answer(500), path="older/status")
    corner.patch("older", {"metadata": {"annotations": wanted}})
    wait_until(lambda: corner.holder() == "other", "the other one leads")
    corner.wait_for_address("older", "10.51.0.1")
    wait_until(lambda: slow.done, "the late write has arrived")
    assert corner.ingress("younger") == ["10.51.0.1"]
    pair.other.proxy.clear(silent)
    corner.wait_for_refusal("younger", "PoolExhausted")
    assert corner.ingress("younger") == []
    assert corner.ingress("older") == ["10.51.0.1"]
    found = pair.recording.audit(late=3 * _LEASE)
    assert found.wrong == ()
    assert len(found.late) == 1
    assert "10.51.0.1 is held by older and younger" in found.late[0]
