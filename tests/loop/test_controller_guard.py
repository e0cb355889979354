"""A plan that takes too much away is held until somebody approves it; whom it does not concern is served meanwhile."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.controlplane.api import wait_until
from tests.loop.conftest import NewCorner
from tests.loop.corner import EVERYWHERE, Corner, from_pool, pool, settings
from tests.loop.running import RunningController

B = pool("b", "10.9.2.0/28", auto=False)
BEFORE = (pool("a", "10.9.0.0/28", auto=False), B, EVERYWHERE)
# Whoever holds an address of the first pool would move; the last pool is new, and nobody's.
AFTER = (pool("a", "10.9.1.0/28", auto=False), B, pool("fresh", "10.9.3.0/28", auto=False), EVERYWHERE)
HELD = {"a-0": ["10.9.0.0"], "a-1": ["10.9.0.1"], "b-0": ["10.9.2.0"], "b-1": ["10.9.2.1"]}
LIMITS = {"maxChangedPercent": 30, "minimumServices": 4}


def served(corner: Corner) -> None:
    """Half of the Services have an address of each pool, in the order of their names."""
    corner.write(*BEFORE, settings(**LIMITS))
    for name, addresses in HELD.items():
        corner.create(name, annotations=from_pool(name[0]))
        corner.wait_for_address(name, *addresses)


def revise(corner: Corner, *more: str, **guard: object) -> None:
    corner.write(*AFTER, *more, settings(**LIMITS, **guard))


def settled(corner: Corner, controller: RunningController) -> dict[str, list[str]]:
    """The addresses of all Services after two more passes."""
    controller.look_again()
    controller.look_again()
    return corner.taken()


@dataclass(frozen=True)
class Held:
    """A controller that holds a plan back, and what its status object says of it."""

    corner: Corner
    controller: RunningController
    published: Any
    before: Any

    @property
    def digest(self) -> str:
        return str(self.published["guard"]["digest"])


@pytest.fixture(scope="module")
def held(new_corner: NewCorner) -> Iterator[Held]:
    corner = new_corner()
    corner.api.create("configmaps", corner.namespace, {"metadata": {"name": "configuration"}})
    corner.write(*BEFORE, settings(**LIMITS))
    with corner.start(f"--config-object={corner.namespace}/configuration") as controller:
        served(corner)
        before = corner.wait_for_verdict("passed")
        revise(corner)
        yield Held(corner, controller, corner.wait_for_verdict("held"), before)


def test_the_status_object_says_what_is_held_and_what_is_in_force(held: Held) -> None:
    published = held.published
    assert published["revision"] == held.before["revision"]
    assert published["newest"]["revision"] != published["revision"]
    guard = published["guard"]
    assert guard["held"] is True
    assert guard["digest"].startswith("sha256:")
    assert guard["affected"] == [f"{held.corner.namespace}/a-0", f"{held.corner.namespace}/a-1"]
    assert "2 of 4 Services that hold one (50%)" in guard["reason"]
    assert guard["digest"] in published["newest"]["message"]


def test_the_log_and_the_events_say_how_to_approve_it(held: Held) -> None:
    (line,) = held.controller.wait_for_lines("warning: ", "is held")
    assert f"approvedPlan of ReconcilerSettings to {held.digest}" in line
    for kind, name in (("Pod", "replica"), ("ConfigMap", "configuration")):
        event = held.corner.wait_for_event(name, "PlanHeld", held.digest, kind=kind)
        assert (event["type"], event["count"]) == ("Warning", 1)


def test_the_metrics_and_the_status_say_that_it_is_held(held: Held) -> None:
    assert held.controller.metric("lb_reconciler_plan_held") == 1
    assert held.controller.metric("lb_reconciler_held_plan_info", digest=held.digest) == 1
    assert held.controller.metric("lb_reconciler_held_services") == 2
    assert held.controller.metric("lb_reconciler_newest_revision_verdict", verdict="held") == 1
    assert held.controller.metric("metallb_k8s_client_config_stale_bool") == 1
    status = held.controller.status()
    assert status["guard"] == held.published["guard"]
    assert status["newest"]["verdict"] == "held"


def test_who_is_held_keeps_everything_and_who_waits_is_served(held: Held) -> None:
    corner = held.corner
    before = {name: corner.get(name) for name in HELD}
    for name, where, expected in (
        ("new-of-b", "b", "10.9.2.2"),
        ("new-of-fresh", "fresh", "10.9.3.0"),
        # Around what the held ones would be given.
        ("new-of-a", "a", "10.9.1.2"),
    ):
        corner.create(name, annotations=from_pool(where))
        corner.wait_for_address(name, expected)
    settled(corner, held.controller)
    assert {name: corner.get(name) for name in HELD} == before
    assert held.controller.status()["guard"]["digest"] == held.digest
    assert len(held.controller.lines("is held")) == 1


@pytest.mark.parametrize("keeps_state", [True, False])
def test_a_restart_changes_nothing_of_what_is_held(corner: Corner, keeps_state: bool) -> None:
    state = corner.state if keeps_state else None
    corner.write(*BEFORE, settings(**LIMITS))
    with corner.start(state=state) as first:
        served(corner)
        revise(corner)
        published = corner.wait_for_verdict("held")
        corner.create("x", annotations=from_pool("fresh"))
        corner.wait_for_address("x", "10.9.3.0")
        first.kill()
    before = {name: corner.get(name) for name in (*HELD, "x")}
    with corner.start(state=state) as second:
        wait_until(lambda: second.status()["guard"]["held"], "it is held again")
        corner.create("y", annotations=from_pool("fresh"))
        corner.wait_for_address("y", "10.9.3.1")
        settled(corner, second)
        assert {name: corner.get(name) for name in (*HELD, "x")} == before
        again = corner.wait_for_verdict("held")
        assert again["newest"]["revision"] == published["newest"]["revision"]
        assert again["newest"]["since"] == published["newest"]["since"]
        assert again["guard"]["digest"] == published["guard"]["digest"]
        assert second.wait_for_lines("warning: ", "is held")
        revise(corner, approvedPlan=published["guard"]["digest"])
        corner.wait_for_verdict("passed")
        corner.wait_for_address("a-0", "10.9.1.0")
        corner.wait_for_address("a-1", "10.9.1.1")


def test_only_what_was_approved_passes(corner: Corner) -> None:
    corner.write(*BEFORE, settings(**LIMITS))
    with corner.start() as controller:
        served(corner)
        revise(corner)
        first = corner.wait_for_verdict("held")
        digest = first["guard"]["digest"]
        # While it is held there are more and more Services: the share of the plan falls, and it is held all the same.
        for number in range(6):
            corner.create(f"x-{number}", annotations=from_pool("fresh"))
            corner.wait_for_address(f"x-{number}", f"10.9.3.{number}")
        extra = pool("extra", "10.9.4.0/28", auto=False)
        revise(corner, extra)
        second = corner.wait_for_verdict("held", former=first["newest"]["revision"])
        assert second["guard"]["digest"] == digest
        revise(corner, extra, approvedPlan=f"sha256:{'0' * 64}")
        third = corner.wait_for_verdict("held", former=second["newest"]["revision"])
        assert third["guard"]["digest"] == digest
        expected = {**HELD, **{f"x-{number}": [f"10.9.3.{number}"] for number in range(6)}}
        assert settled(corner, controller) == expected
        revise(corner, extra, approvedPlan=digest)
        passed = corner.wait_for_verdict("passed")
        assert passed["newest"]["revision"] == passed["revision"]
        corner.wait_for_address("a-0", "10.9.1.0")
        corner.wait_for_address("a-1", "10.9.1.1")
        assert settled(corner, controller) == {**expected, "a-0": ["10.9.1.0"], "a-1": ["10.9.1.1"]}
        assert controller.metric("lb_reconciler_plan_held") == 0
        # The way back is another plan, which that approval is not for: here it moves everybody but those of one pool.
        corner.write(pool("a", "10.9.7.0/28", auto=False), B, EVERYWHERE, settings(**LIMITS, approvedPlan=digest))
        fourth = corner.wait_for_verdict("held")
        assert fourth["guard"]["digest"] != digest


def test_a_revision_that_is_taken_back_leaves_nothing_behind(corner: Corner) -> None:
    corner.write(*BEFORE, settings(**LIMITS))
    with corner.start() as controller:
        served(corner)
        before = corner.wait_for_verdict("passed")
        revise(corner)
        corner.wait_for_verdict("held")
        corner.write(*BEFORE, settings(**LIMITS))
        after = corner.wait_for_verdict("passed")
        assert after["revision"] == after["newest"]["revision"] == before["revision"]
        assert after["guard"] == before["guard"]
        assert after["newest"]["message"] is None
        assert controller.metric("lb_reconciler_plan_held") == 0
        assert controller.metric("metallb_k8s_client_config_stale_bool") == 0
        assert settled(corner, controller) == HELD


def test_who_was_served_under_a_held_revision_stays_where_he_is_under_the_next(corner: Corner) -> None:
    corner.write(*BEFORE, settings(**LIMITS))
    with corner.start() as controller:
        served(corner)
        revise(corner)
        held = corner.wait_for_verdict("held")
        corner.create("x", annotations=from_pool("fresh"))
        corner.wait_for_address("x", "10.9.3.0")
        before = corner.get("x")
        revise(corner, pool("extra", "10.9.4.0/28"))
        corner.wait_for_verdict("held", former=held["newest"]["revision"])
        settled(corner, controller)
        assert corner.get("x") == before
        corner.write(pool("q", "10.9.0.7/33"), name="bad.yaml")
        corner.wait_for_verdict("refused")
        settled(corner, controller)
        assert corner.get("x") == before


def test_a_small_loss_is_no_reason_to_hold_a_plan(corner: Corner) -> None:
    corner.write(*BEFORE, settings(**LIMITS))
    with corner.start():
        served(corner)
        before = corner.wait_for_verdict("passed")
        shrunk = pool("a", "10.9.0.0/32", "10.9.0.4/32", auto=False)
        corner.write(shrunk, B, EVERYWHERE, settings(**LIMITS))
        corner.wait_for_address("a-1", "10.9.0.4")
        corner.wait_for_event("a-1", "ClearAssignment", f"{corner.namespace}/a-1", "10.9.0.1")
        corner.wait_for_event("a-1", "IPAllocated", "10.9.0.4")
        corner.wait_for_verdict("passed", former=before["newest"]["revision"])
        assert corner.taken() == {**HELD, "a-1": ["10.9.0.4"]}


def announced(corner: Corner, *names: str) -> None:
    """Something behind each Service, on a node that is ready."""
    node = {"metadata": {"name": corner.namespace, "labels": {}}}
    corner.api.create("nodes", None, node)
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    corner.api.patch("nodes", None, corner.namespace, ready, subresource="status")
    for name in names:
        endpoint = {"addresses": ["10.0.0.7"], "nodeName": corner.namespace, "conditions": {"ready": True}}
        body = {
            "metadata": {"name": f"{name}-x", "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "endpoints": [endpoint],
            "ports": [{"port": 80}],
        }
        corner.api.create("endpointslices", corner.namespace, body)


def test_a_revision_that_would_silence_what_is_announced_is_held(corner: Corner) -> None:
    open_pool = pool("p", "10.9.0.0/28")
    corner.write(open_pool, EVERYWHERE)
    corner.create("web")
    announced(corner, "web")
    try:
        with corner.start(state=corner.state) as first:
            corner.wait_for_address("web", "10.9.0.0")
            passed = corner.wait_for_verdict("passed")
            # The controller has seen the node once it is synced; nothing else is announced by it.
            corner.write(open_pool)
            held = corner.wait_for_verdict("held")
            assert held["revision"] == passed["revision"]
            assert held["guard"]["affected"] == [f"{corner.namespace}/web"]
            assert "stop announcing" in held["guard"]["reason"]
            corner.create("next")
            corner.wait_for_address("next", "10.9.0.1")
            first.kill()
        with corner.start(state=corner.state) as second:
            wait_until(lambda: second.status()["guard"]["held"], "held after a restart")
            assert second.status()["guard"]["digest"] == held["guard"]["digest"]
            second.kill()
        with corner.start() as third:
            wait_until(lambda: third.status()["guard"]["held"], "held after a restart without its state")
            again = corner.wait_for_verdict("held")
            assert again["guard"]["digest"] == held["guard"]["digest"]
            corner.write(open_pool, settings(approvedPlan=held["guard"]["digest"]))
            corner.wait_for_verdict("passed")
    finally:
        corner.api.delete("nodes", None, corner.namespace)


def test_what_owners_do_to_their_services_is_never_held(corner: Corner) -> None:
    """Not even where it is the only Service, and not where a new revision comes at the same time."""
    gold = pool("gold", "10.9.5.0/28", serviceAllocation={"serviceSelectors": [{"matchLabels": {"tier": "gold"}}]})
    files = (gold, pool("p", "10.9.0.0/28"), EVERYWHERE)
    corner.write(*files)
    corner.create("web", labels={"tier": "gold"})
    with corner.start(state=corner.state) as first:
        corner.wait_for_address("web", "10.9.5.0")
        corner.wait_for_verdict("passed")
        corner.patch("web", {"metadata": {"annotations": {"metallb.io/loadBalancerIPs": "10.9.5.5"}}})
        corner.wait_for_address("web", "10.9.5.5")
        corner.patch(
            "web", {"metadata": {"annotations": {"metallb.io/loadBalancerIPs": None}, "labels": {"tier": "tin"}}}
        )
        corner.wait_for_address("web", "10.9.0.0")
        corner.patch("web", {"metadata": {"labels": {"tier": "gold"}, "annotations": from_pool("gold")}})
        corner.wait_for_address("web", "10.9.5.0")
        assert first.stop() == 0
    corner.patch("web", {"metadata": {"labels": {"tier": "tin"}, "annotations": {"metallb.io/address-pool": None}}})
    corner.write(*files, pool("q", "10.9.6.0/28", auto=False))
    with corner.start(state=corner.state) as second:
        corner.wait_for_address("web", "10.9.0.0")
        second.wait_until_ready()
        corner.wait_for_verdict("passed")
        assert not second.lines("is held")
