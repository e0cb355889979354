"""Others who write to the same Services at the same time, and Services that go away in the middle of a pass."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from tests.controlplane.api import Object, wait_until
from tests.controlplane.fault_proxy import FaultProxy
from tests.controlplane.faults import Delay
from tests.controlplane.harness import ControlPlane
from tests.loop.audit_record import Pool
from tests.loop.corner import CONDITION, EVERYWHERE, Corner, pool
from tests.loop.kill_rounds import STATUS
from tests.loop.recording import Recording
from tests.loop.running import RunningController

_STRATEGIC = "application/strategic-merge-patch+json"
P = Pool("p", frozenset(f"10.60.0.{number}" for number in range(256)))


@pytest.fixture
def recording(control_plane: ControlPlane, corner: Corner) -> Iterator[Recording]:
    corner.write(pool("p", "10.60.0.0/24"), EVERYWHERE)
    with Recording(control_plane, corner) as made:
        made.say_files(P)
        yield made


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[FaultProxy]:
    with FaultProxy(control_plane) as made:
        yield made


@pytest.fixture
def running(
    control_plane: ControlPlane, corner: Corner, proxy: FaultProxy, recording: Recording
) -> Iterator[RunningController]:
    assert recording
    kubeconfig = control_plane.kubeconfig("controller", server=proxy.url)
    with corner.start(f"--kubeconfig={kubeconfig}", interval=3600) as controller:
        yield controller.wait_until_ready()
        assert not controller.lines("unexpectedly")


class Meddler:
    """Somebody who writes labels, and a condition of its own, to the Services that it is told of, as fast as it can."""

    def __init__(self, corner: Corner) -> None:
        self.writes = 0
        self._corner = corner
        self._names: list[str] = []

    def meddle_with(self, name: str) -> None:
        self._names.append(name)

    def run(self, stop: Event) -> None:
        while not stop.is_set():
            for name in tuple(self._names):
                self.writes += 1
                text = str(self.writes)
                self._corner.patch(name, {"metadata": {"labels": {"example.com/meddled": text}}})
                body = {"status": {"conditions": [condition_of_theirs(text)]}}
                self._corner.api.patch(
                    "services", self._corner.namespace, name, body, subresource="status", kind=_STRATEGIC
                )


def condition_of_theirs(text: str) -> Object:
    return {
        "type": "example.com/Theirs",
        "status": "True",
        "reason": "Because",
        "message": text,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


@contextmanager
def meddling(corner: Corner) -> Iterator[Meddler]:
    meddler, stop = Meddler(corner), Event()
    thread = Thread(target=meddler.run, args=(stop,), name="meddler", daemon=True)
    thread.start()
    try:
        yield meddler
    finally:
        stop.set()
        thread.join()


def conflicts(running: RunningController) -> float:
    return running.metric("lb_reconciler_writes_total", result="conflict")


def test_another_writer_who_never_rests(
    corner: Corner, proxy: FaultProxy, running: RunningController, recording: Recording
) -> None:
    # A network that is this slow lets somebody else be faster each time.
    proxy.when(Delay(0.05), path=STATUS)
    names = [f"s{number}" for number in range(6)]
    with meddling(corner) as meddler:
        for name in names:
            corner.create(name)
            meddler.meddle_with(name)
        wait_until(lambda: conflicts(running) > 5, "they get in each other's way")
        proxy.clear()
        # On a network as it should be we win often enough, while the other one goes on.
        corner.wait_until_served(*names)
    for name in names:
        found = corner.get(name)
        types = {condition["type"] for condition in found["status"]["conditions"]}
        assert types == {CONDITION, "example.com/Theirs"}
        assert found["metadata"]["labels"]["example.com/meddled"]
    assert running.ask("/readyz") == (200, "ok\n")
    assert recording.audit(late=0).wrong == ()


def test_services_that_go_away_in_the_middle_of_a_pass(
    corner: Corner, proxy: FaultProxy, running: RunningController, recording: Recording
) -> None:
    slow = proxy.when(Delay(0.5), path=STATUS)
    names = [f"s{number}" for number in range(12)]
    for name in names:
        corner.create(name)
    wait_until(lambda: slow.befallen, "writes are under way")
    for name in names[::2]:
        corner.delete(name)
    # One comes again under its name, and is another one.
    corner.create(names[0])
    proxy.clear(slow)
    corner.wait_until_served()
    assert set(corner.taken()) == {names[0], *names[1::2]}
    wait_until(lambda: running.status()["lastPass"]["error"] is None, "passes succeed again")
    assert recording.audit(late=0).wrong == ()


def test_a_status_that_somebody_else_overwrites(
    corner: Corner, running: RunningController, recording: Recording
) -> None:
    # Of two that hold one address the older one keeps it, and of two of an age the first by name.
    names = ("a-victim", "b-robbed", "c-forged")
    for name in names:
        corner.create(name)
    held = {name: corner.wait_for_address(name) for name in names}
    overwrite(corner, "b-robbed")
    corner.wait_for_address("b-robbed")
    overwrite(corner, "c-forged", "203.0.113.9")
    wait_until(lambda: in_pool(corner, "c-forged"), "an address of a pool")
    overwrite(corner, "c-forged", *held["a-victim"])
    wait_until(lambda: in_pool(corner, "c-forged") and corner.ingress("c-forged") != held["a-victim"], "another one")
    assert corner.ingress("a-victim") == held["a-victim"]
    assert running.ask("/readyz") == (200, "ok\n")
    recording.wait_for_rest()


def overwrite(corner: Corner, name: str, *addresses: str) -> None:
    ingress = [{"ip": address} for address in addresses] or None
    corner.api.patch_status(corner.namespace, name, {"loadBalancer": {"ingress": ingress}})


def in_pool(corner: Corner, name: str) -> bool:
    found = corner.ingress(name)
    return bool(found) and P.addresses.issuperset(found)
