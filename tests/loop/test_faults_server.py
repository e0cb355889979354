"""An API server that dies, stays away, forgets, and comes back older or empty, under a controller that goes on."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Event, Thread

import pytest
import urllib3

from tests.controlplane.api import Api, ApiError, wait_until
from tests.controlplane.build import Programs
from tests.controlplane.harness import ControlPlane
from tests.controlplane.manifests import apply_rights
from tests.loop.corner import EVERYWHERE, Corner, pool
from tests.loop.running import RunningController

# Seconds; what the product promises after an outage of the first length.
_OUTAGE, _PROMISED = 20.0, 5.0
_EDIT = {"metadata": {"labels": {"example.com/edited": "yes"}}}


@pytest.fixture(scope="module")
def server(control_plane_programs: Programs) -> Iterator[ControlPlane]:
    """A server of this module, which its tests kill and empty."""
    running = ControlPlane(control_plane_programs)
    yield running
    running.close()


@pytest.fixture(scope="module")
def api(server: ControlPlane) -> Iterator[Api]:
    client = server.api()
    yield client
    client.close()


@pytest.fixture
def corner(server: ControlPlane, api: Api, tmp_path: Path) -> Corner:
    apply_rights(api)
    made = Corner(server, api, tmp_path)
    made.write(pool("p", "10.30.0.0/24"), EVERYWHERE)
    return made


def is_well(running: RunningController) -> None:
    """An API server that is away is no reason to end the process, or to take it out of service."""
    assert running.ask("/healthz") == (200, "ok\n")
    assert running.ask("/readyz") == (200, "ok\n")


def none_is_held_twice(taken: dict[str, list[str]]) -> None:
    held = Counter(address for addresses in taken.values() for address in addresses)
    assert held.total() == len(held), taken


def is_away(running: RunningController) -> bool:
    return running.status()["cluster"]["awaySince"] is not None


class Stream:
    """Somebody who makes Services, edits each of them and deletes every third, and begins again what failed."""

    def __init__(self, corner: Corner) -> None:
        self.left: list[str] = []
        """Those that are there for good."""
        self._corner = corner
        self._stop = Event()
        self._thread = Thread(target=self._run, name="stream", daemon=True)

    def __enter__(self) -> "Stream":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set() or number % 3:
            name = f"streamed-{number}"
            self._insist(partial(self._corner.create, name), done=409)
            self._insist(partial(self._corner.patch, name, _EDIT), done=404)
            if number % 3 == 2:
                self._insist(partial(self._corner.delete, name), done=404)
            else:
                self.left.append(name)
            number += 1

    def _insist(self, ask: Callable[[], object], done: int) -> None:
        """Until the server has done it, perhaps without saying so: it says `done` then when it is asked again."""
        while True:
            with suppress(urllib3.exceptions.HTTPError):
                try:
                    ask()
                except ApiError as error:
                    if error.status == done:
                        return
                    # A server that has just started may not know its own roles yet.
                    if error.status not in {403, 429, 500, 503, 504}:
                        raise
                else:
                    return
            time.sleep(0.05)


def test_a_server_that_is_killed_under_a_stream_of_changes(server: ControlPlane, corner: Corner) -> None:
    with corner.start(interval=3600) as running:
        running.wait_until_ready()
        with Stream(corner) as stream:
            wait_until(lambda: len(stream.left) > 20, "the stream flows")
            wait_until(lambda: any(corner.taken().values()), "and is served")
            server.kill_apiserver()
            wait_until(lambda: is_away(running), "that was noticed")
            is_well(running)
            server.start_apiserver()
            before = corner.taken()
            many = len(stream.left)
            wait_until(lambda: len(stream.left) > many + 20, "the stream flows again")
            server.kill_apiserver()
            server.start_apiserver()
        corner.wait_until_served()
        after = corner.taken()
        assert set(after) == set(stream.left)
        none_is_held_twice(after)
        moved = {name for name, held in before.items() if held and name in after and after[name] != held}
        assert not moved, (before, after)
        is_well(running)


def test_after_a_long_outage_a_new_service_is_served_at_once(server: ControlPlane, corner: Corner) -> None:
    corner.create("before")
    with corner.start(lease=15, interval=3600) as running:
        kept = corner.wait_for_address("before")
        server.kill_apiserver()
        ends = time.monotonic() + _OUTAGE
        wait_until(lambda: is_away(running), "that was noticed")
        is_well(running)
        # The length of the outage is what is tested: a back-off has grown to its cap by then.
        time.sleep(ends - time.monotonic())
        is_well(running)
        server.start_apiserver()
        began = time.monotonic()
        corner.create("after")
        corner.wait_for_address("after")
        took = time.monotonic() - began
        print(f"served {took:.2f} s after the server was ready")  # noqa: T201 - the figure, where tests show it
        assert took < _PROMISED
        assert corner.ingress("before") == kept


def test_a_server_that_has_forgotten_its_history(server: ControlPlane, corner: Corner) -> None:
    corner.create("before")
    with corner.start(interval=3600) as running:
        kept = corner.wait_for_address("before")
        server.compact()
        corner.create("between")
        corner.wait_for_address("between")
        server.forget_history()
        corner.create("after")
        corner.wait_for_address("after")
        none_is_held_twice(corner.taken())
        assert corner.ingress("before") == kept
        is_well(running)


def test_a_server_that_comes_back_older(server: ControlPlane, corner: Corner) -> None:
    corner.create("kept")
    corner.create("deleted")
    with corner.start(interval=3600) as running:
        held = {name: corner.wait_for_address(name) for name in ("kept", "deleted")}
        corner.create("pending", annotations={"metallb.io/address-pool": "later"})
        corner.wait_for_refusal("pending", "UnknownPool")
        snapshot = server.snapshot()
        corner.delete("deleted")
        corner.create("heir", annotations={"metallb.io/loadBalancerIPs": held["deleted"][0]})
        corner.wait_for_address("heir", *held["deleted"])
        corner.create("lost")
        corner.wait_for_address("lost")
        server.restore(snapshot)
        wait_until(lambda: set(services(running, corner)) == {"kept", "deleted", "pending"}, "it knows what is there")
        # What is there holds what it held then, and what is gone holds nothing any more.
        corner.create("heir", annotations={"metallb.io/loadBalancerIPs": held["deleted"][0]})
        corner.wait_for_refusal("heir", "AddressInUse")
        corner.create("new")
        corner.wait_for_address("new")
        corner.write(pool("p", "10.30.0.0/24"), pool("later", "10.31.0.0/30"), EVERYWHERE)
        corner.wait_for_address("pending", "10.31.0.0")
        assert {name: corner.ingress(name) for name in held} == held
        none_is_held_twice(corner.taken())
        is_well(running)
        assert not running.lines("unexpectedly")


def test_a_server_that_comes_back_empty(server: ControlPlane, corner: Corner) -> None:
    for name in ("a", "b", "c"):
        corner.create(name)
    # Its rights are wiped with the rest, and would be in an installation as well; that is another story.
    with corner.start(f"--kubeconfig={server.kubeconfig('admin')}", interval=3600) as running:
        corner.wait_until_served()
        server.wipe()
        for namespace in (corner.namespace, f"{corner.namespace}-status"):
            corner.api.create_namespace(namespace)
        wait_until(lambda: corner.holder() == "replica", "it leads again")
        wait_until(lambda: not services(running, corner), "it knows that nobody is there")
        for name in ("c", "d"):
            corner.create(name)
        # As if nobody had ever had one.
        corner.wait_for_address("c", "10.30.0.0")
        corner.wait_for_address("d", "10.30.0.1")
        assert corner.wait_for_verdict("passed")["revision"] == running.status()["revision"]
        is_well(running)
        assert not running.lines("unexpectedly")


def services(running: RunningController, corner: Corner) -> list[str]:
    """Those of the corner that the controller knows by its own account; none while that is of an older look."""
    prefix = f"{corner.namespace}/"
    found = (state["service"] for state in running.status()["services"])
    return [name.removeprefix(prefix) for name in found if name.startswith(prefix)]
