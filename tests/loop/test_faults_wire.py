"""What goes wrong between the controller and the API server: cuts, delays, silence and refusals of every request."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.controlplane.api import Api, path_of, wait_until
from tests.controlplane.fault_proxy import FaultProxy
from tests.controlplane.faults import Answer, Cut, Delay, Drop, Fault, Hold, Swallow
from tests.controlplane.harness import ControlPlane
from tests.loop.audit_record import Pool
from tests.loop.conftest import NewCorner
from tests.loop.corner import EVERYWHERE, Corner, pool
from tests.loop.recording import Recording
from tests.loop.running import RunningController

LIST = r"/v1/services\?limit"
NEXT_PAGE = r"/v1/services\?.*continue="
WATCH = r"/v1/services\?.*watch="
EVERY_WATCH = "watch="
STATUS = r"/services/[^/]+/status"
LEASE = "/leases"
EVENTS = "/events"
BOARD = "/configmaps"
P = Pool("p", frozenset(f"10.40.0.{number}" for number in range(256)))


@pytest.fixture(scope="module")
def corner(new_corner: NewCorner) -> Corner:
    made = new_corner()
    made.write(pool("p", "10.40.0.0/24"), EVERYWHERE)
    return made


@pytest.fixture(scope="module")
def recording(control_plane: ControlPlane, corner: Corner) -> Iterator[Recording]:
    with Recording(control_plane, corner) as made:
        made.say_files(P)
        yield made


@pytest.fixture(scope="module")
def proxy(control_plane: ControlPlane) -> Iterator[FaultProxy]:
    with FaultProxy(control_plane) as made:
        yield made


@pytest.fixture(scope="module")
def running(
    control_plane: ControlPlane, corner: Corner, proxy: FaultProxy, recording: Recording
) -> Iterator[RunningController]:
    """One controller for all faults, one after the other."""
    assert recording
    corner.create("standing")
    kubeconfig = control_plane.kubeconfig("controller", server=proxy.url)
    with corner.start(f"--kubeconfig={kubeconfig}", interval=3600) as controller:
        corner.wait_for_address("standing")
        yield controller
        assert not controller.lines("unexpectedly")


@pytest.fixture(autouse=True)
def nothing_is_lost(
    corner: Corner, proxy: FaultProxy, running: RunningController, recording: Recording
) -> Iterator[None]:
    """After each fault everybody is served, and nothing was given twice or moved."""
    assert running
    yield
    proxy.clear()
    proxy.accept()
    name = f"after-{secrets.token_hex(4)}"
    corner.create(name)
    corner.wait_for_address(name)
    recording.wait_for_rest()
    found = recording.audit(late=0)
    assert found.wrong == ()
    assert found.given > 0


def is_well(running: RunningController) -> None:
    assert running.ask("/healthz") == (200, "ok\n")
    assert running.ask("/readyz") == (200, "ok\n")


def live(corner: Corner) -> list[str]:
    """Make Services, change one and delete one; the names of those that are left."""
    names = [f"s-{secrets.token_hex(4)}" for _ in range(4)]
    for name in names:
        corner.create(name)
    corner.patch(names[0], {"metadata": {"annotations": {"metallb.io/address-pool": "p"}}})
    corner.delete(names.pop())
    return names


# One after the other befalls the next request. Each costs a reader its back-off, so there is one of each kind.
READING = (Drop(), Answer(500), Answer(503), Answer(429, 1), Delay(0.5))


@pytest.mark.parametrize("path", [pytest.param(LIST, id="a list"), pytest.param(WATCH, id="a watch")])
def test_everything_that_may_befall(corner: Corner, proxy: FaultProxy, running: RunningController, path: str) -> None:
    befalling = [proxy.when(fault, path=path, times=1) for fault in READING]
    proxy.cut(EVERY_WATCH)
    for rule in befalling:
        wait_until(lambda rule=rule: rule.done, f"{rule} has befallen somebody")  # type: ignore[misc]
        is_well(running)
    broken = proxy.when(Cut(200), path=path, times=1)
    # A reader that is between two watches has none to be cut.
    wait_until(lambda: proxy.cut(WATCH), "the watch of the Services was cut")
    # A watch is cut in the middle of the first event.
    names = live(corner)
    wait_until(lambda: broken.done, "one was cut in the middle")
    is_well(running)
    corner.wait_until_served(*names)


@dataclass(frozen=True)
class Row:
    """A fault, the requests that it befalls, and after how many of them it ends."""

    fault: Fault
    path: str
    method: str = ""
    times: int = 3


ROWS = [
    pytest.param(Row(Cut(0), STATUS), id="write that was made and not answered"),
    pytest.param(Row(Cut(40), STATUS), id="write whose answer was cut in the middle"),
    pytest.param(Row(Drop(), STATUS), id="write that never arrived"),
    pytest.param(Row(Answer(500), STATUS), id="write answered 500"),
    pytest.param(Row(Answer(503), STATUS), id="write answered 503"),
    pytest.param(Row(Answer(429, 1), STATUS), id="write answered 429"),
    pytest.param(Row(Delay(0.4), STATUS), id="write delayed"),
    pytest.param(Row(Answer(500), LEASE), id="lease answered 500"),
    pytest.param(Row(Answer(429, 1), LEASE, times=2), id="lease answered 429"),
    pytest.param(Row(Cut(0), LEASE, "PATCH", times=2), id="lease that was renewed and not answered"),
    pytest.param(Row(Answer(500), EVENTS), id="events answered 500"),
    pytest.param(Row(Answer(500), BOARD, "PATCH", times=1), id="status object answered 500"),
]


@pytest.mark.parametrize("row", ROWS)
def test_a_fault_of_some_requests(corner: Corner, proxy: FaultProxy, running: RunningController, row: Row) -> None:
    rule = proxy.when(row.fault, method=row.method, path=row.path)
    names = live(corner)
    wait_until(lambda: rule.done >= row.times, f"{row} has befallen {row.times} requests")
    is_well(running)
    proxy.clear(rule)
    corner.wait_until_served(*names)


@pytest.mark.usefixtures("running")
def test_events_and_the_status_object_do_not_hold_up_addresses(corner: Corner, proxy: FaultProxy) -> None:
    for path in (EVENTS, BOARD):
        proxy.when(Swallow(), path=path)
    corner.wait_until_served(*live(corner))


def test_writes_that_nobody_answers(corner: Corner, proxy: FaultProxy, running: RunningController) -> None:
    lost = proxy.when(Swallow(), path=STATUS, times=1)
    made = proxy.when(Hold(), path=STATUS, times=1)
    names = live(corner)
    wait_until(lambda: lost.done and made.done, "both have begun")
    is_well(running)
    # They are given up in time, and everybody is served although neither is ever answered.
    corner.wait_until_served(*names)


def test_a_watch_that_falls_silent(corner: Corner, proxy: FaultProxy, running: RunningController) -> None:
    rule = proxy.when(Hold(), path=EVERY_WATCH)
    names = live(corner)
    wait_until(lambda: rule.befallen, "a watch is silent")
    is_well(running)
    assert not any(corner.ingress(name) for name in names)
    # A network that forgets the connection, and so ends it, does not tell what was missed.
    proxy.clear(rule)
    proxy.cut(EVERY_WATCH)
    corner.wait_until_served(*names)


def test_a_network_that_is_gone_for_a_while(corner: Corner, proxy: FaultProxy, running: RunningController) -> None:
    proxy.refuse()
    names = live(corner)
    wait_until(lambda: running.status()["cluster"]["awaySince"], "it knows")
    wait_until(lambda: not running.status()["leading"], "it does not lead without a lease")
    is_well(running)
    proxy.accept()
    corner.wait_until_served(*names)


@pytest.fixture(scope="module")
def crowd(api: Api) -> Iterator[None]:
    """More Services than one page of a list has, of no concern to the controller."""
    namespace = f"crowd-{secrets.token_hex(4)}"
    api.create_namespace(namespace)

    def create(number: int) -> None:
        body = {"metadata": {"name": f"s{number}"}, "spec": {"type": "ExternalName", "externalName": "example.com"}}
        api.create("services", namespace, body)

    with ThreadPoolExecutor(8) as workers:
        list(workers.map(create, range(501)))
    yield
    api.request("DELETE", path_of("services", namespace))


@pytest.mark.usefixtures("crowd")
def test_a_list_that_breaks_off_between_its_pages(
    corner: Corner, proxy: FaultProxy, running: RunningController
) -> None:
    breaking = [proxy.when(fault, path=NEXT_PAGE, times=1) for fault in (Answer(410), Cut(700))]
    proxy.cut(EVERY_WATCH)
    corner.wait_until_served(*live(corner))
    assert [rule.done for rule in breaking] == [1, 1]
    is_well(running)
