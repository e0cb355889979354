"""The same controller without Kubernetes: Services are files, and so is what it says of them."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane.api import wait_until
from tests.loop.corner import CONDITION, EVERYWHERE, FROM_POOL, POOLS, pool
from tests.loop.running import RunningController


class Directory:
    """A directory of manifests, one of configuration, and controllers that work on them."""

    def __init__(self, root: Path) -> None:
        self.cluster, self.config, self._root = root / "cluster", root / "config", root
        self._started = 0
        self.cluster.mkdir()
        self.config.mkdir()
        self.write(pool("p", "10.9.0.0/30"), EVERYWHERE)

    def write(self, *documents: str) -> None:
        fresh = self._root / "written"
        fresh.write_text("---\n".join(documents))
        fresh.replace(self.config / POOLS)

    def create(self, name: str, **spec: object) -> None:
        manifest = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.1", "ports": [{"port": 80}], **spec},
        }
        (self.cluster / f"{name}.json").write_text(json.dumps(manifest))

    def start(self) -> RunningController:
        self._started += 1
        arguments = [f"--config={self.config}", f"--cluster=dir:{self.cluster}", "--pod-name=replica"]
        return RunningController(arguments, self._root / f"{self._started}.log")

    def record(self, *names: str) -> Any:
        """What a file below `status` says, None as long as it is not there."""
        path = self.cluster.joinpath("status", *names)
        return json.loads(path.read_text()) if path.exists() else None

    def ingress(self, name: str) -> list[str]:
        found = self.record("shop", f"{name}.json")
        status = found["status"] if found else {}
        return [entry["ip"] for entry in status.get("loadBalancer", {}).get("ingress", [])]

    def condition(self, name: str) -> Any:
        found = self.record("shop", f"{name}.json")
        return found["status"]["conditions"][0] if found else {}

    def events(self, service: str) -> list[str]:
        """The reasons of the Events about a Service, in order."""
        log = self.cluster / "status" / "events.jsonl"
        lines = log.read_text().splitlines() if log.exists() else []
        return [event["reason"] for event in map(json.loads, lines) if event["service"] == service]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Directory:
    return Directory(tmp_path_factory.mktemp("directory"))


@pytest.fixture(scope="module")
def running(directory: Directory) -> Iterator[RunningController]:
    with directory.start() as controller:
        yield controller.wait_until_ready()


@pytest.mark.usefixtures("running")
def test_a_service_has_its_address_and_its_condition_in_a_file(directory: Directory) -> None:
    directory.create("web", loadBalancerIP="10.9.0.2")
    wait_until(lambda: directory.ingress("web") == ["10.9.0.2"], "it has its address")
    found = directory.record("shop", "web.json")
    assert found["annotations"] == {FROM_POOL: "p"}
    condition = directory.condition("web")
    assert (condition["type"], condition["status"], condition["reason"]) == (CONDITION, "True", "Assigned")


def test_a_service_that_cannot_be_served_says_why_in_a_file(directory: Directory, running: RunningController) -> None:
    directory.create("vain", loadBalancerIP="192.0.2.1")
    wait_until(lambda: directory.condition("vain").get("reason") == "NotInAnyPool", "it is refused")
    wait_until(lambda: directory.events("shop/vain"), "it is told")
    running.look_again()
    assert directory.events("shop/vain") == ["AllocationFailed"]


def test_a_changed_file_of_the_configuration_is_followed(directory: Directory, running: RunningController) -> None:
    directory.create("later", loadBalancerIP="10.9.1.0")
    wait_until(lambda: directory.condition("later").get("status") == "False", "it is refused")
    directory.write(pool("p", "10.9.0.0/30", "10.9.1.0/30"), EVERYWHERE)
    wait_until(lambda: directory.ingress("later") == ["10.9.1.0"], "it has its address")
    published = "lb-reconciler-status-controller.json"
    revision = running.status()["revision"]
    wait_until(lambda: directory.record(published)["revision"] == revision, "the revision is published")
    assert directory.record(published)["newest"]["verdict"] == "passed"
    assert running.status()["leading"] is True


def test_a_second_one_on_the_same_directory_refuses(directory: Directory, running: RunningController) -> None:
    with directory.start() as second:
        assert second.wait() == 2
        (line,) = second.log.splitlines()
    assert str(directory.cluster) in line
    assert "stop one of the two" in line
    assert running.ask("/readyz") == (200, "ok\n")


def test_a_restart_moves_nobody(tmp_path: Path) -> None:
    directory = Directory(tmp_path)
    for name in ("b", "a"):
        directory.create(name)
    with directory.start() as first:
        wait_until(lambda: directory.ingress("a") and directory.ingress("b"), "both have their address")
        before = {name: directory.record("shop", f"{name}.json") for name in ("a", "b")}
        first.signal(signal.SIGKILL)
        assert first.wait() == -signal.SIGKILL
    with directory.start() as second:
        second.wait_until_ready()
        second.look_again()
        assert {name: directory.record("shop", f"{name}.json") for name in before} == before
        assert second.stop() == 0
