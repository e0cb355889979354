"""Several replicas: one of them writes, another one takes over, and whoever lost the lease keeps still."""

import signal
import time
from collections.abc import Callable

import pytest

from tests.controlplane.api import wait_until
from tests.loop.corner import EVERYWHERE, Corner, pool
from tests.loop.running import RunningController

POOL = pool("p", "10.9.0.0/24")
LONG = 15


def configured(corner: Corner) -> Corner:
    corner.write(POOL, EVERYWHERE)
    return corner


def assert_leads(controller: RunningController, *, leads: bool = True) -> None:
    status = controller.status()
    assert status["leading"] is leads, status
    assert controller.metric("lb_reconciler_leading") == leads


def test_a_replica_that_ends_hands_over_long_before_its_lease_runs_out(
    corner: Corner, record_property: Callable[[str, object], None]
) -> None:
    configured(corner)
    with corner.start(name="first", lease=LONG) as first:
        wait_until(lambda: corner.holder() == "first", "the first one leads")
        with corner.start(name="second", lease=LONG) as second:
            second.wait_until_ready()
            wait_until(lambda: second.status()["leader"] == "first", "the second one knows who leads")
            corner.create("early")
            corner.wait_for_address("early")
            assert_leads(first)
            assert_leads(second, leads=False)
            assert second.metric("lb_reconciler_writes_total", result="written") == 0
            began = time.monotonic()
            first.signal(signal.SIGTERM)
            corner.create("late")
            corner.wait_for_address("late")
            seconds = time.monotonic() - began
            record_property("seconds until a Service has its address from the successor", seconds)
            assert first.wait() == 0
            assert corner.holder() == "second"
            assert corner.lease()["leaseTransitions"] == 1
            assert_leads(second)
            # It takes part of a second where nothing else is done; the lease by itself would have been the successor's
            # only when all of it has passed.
            assert seconds < LONG / 3, f"{seconds:.2f} s"
            assert second.stop() == 0
    lease = corner.lease()
    assert not lease.get("holderIdentity")
    assert lease["leaseDurationSeconds"] == 1


def test_a_replica_that_is_killed_is_succeeded_when_its_lease_has_run_out(corner: Corner) -> None:
    configured(corner)
    with corner.start(name="first") as first:
        wait_until(lambda: corner.holder() == "first", "the first one leads")
        corner.create("early")
        held = corner.wait_for_address("early")
        with corner.start(name="second") as second:
            second.wait_until_ready()
            first.kill()
            corner.create("late")
            corner.wait_for_address("late")
            assert corner.holder() == "second"
            assert corner.ingress("early") == held
            assert_leads(second)


def test_a_leader_that_was_paused_writes_nothing_when_it_goes_on(corner: Corner) -> None:
    configured(corner)
    with corner.start(name="first") as first:
        corner.create("early")
        corner.wait_for_address("early")
        with corner.start(name="second") as second:
            second.wait_until_ready()
            written = first.metric("lb_reconciler_writes_total", result="written")
            first.signal(signal.SIGSTOP)
            wait_until(lambda: corner.holder() == "second", "the second one has taken over")
            corner.create("meanwhile")
            corner.create("in-vain", loadBalancerIP="192.0.2.1")
            corner.wait_for_address("meanwhile")
            corner.wait_for_event("in-vain", "AllocationFailed")
            first.signal(signal.SIGCONT)
            wait_until(lambda: first.lines("first does not lead any more"), "the first one knows")
            first.look_again()
            assert first.metric("lb_reconciler_writes_total", result="written") == written
            assert_leads(first, leads=False)
            assert len(first.lines("leads from now on")) == 1
            assert [event["reportingInstance"] for event in corner.events("in-vain")] == ["second"]
            wait_until(lambda: first.status()["leader"] == "second", "the first one knows who leads")
            assert corner.holder() == "second"


def test_controllers_of_different_classes_keep_to_their_own(corner: Corner) -> None:
    configured(corner)
    other = f"{corner.lb_class}-other"
    with corner.start(name="one") as one, corner.start(name="two", lb_class=other) as two:
        for controller in (one, two):
            controller.wait_until_ready()
        corner.create("of-one")
        corner.create("of-two", loadBalancerClass=other)
        corner.create("of-nobody", loadBalancerClass=None)
        corner.create("in-vain", loadBalancerClass=other, loadBalancerIP="192.0.2.1")
        corner.wait_for_address("of-one", "10.9.0.0")
        corner.wait_for_address("of-two", "10.9.0.0")
        corner.wait_for_refusal("in-vain")
        before = {name: corner.get(name) for name in ("of-one", "of-two", "of-nobody", "in-vain")}
        for controller in (one, two):
            controller.look_again()
            assert_leads(controller)
        assert {name: corner.get(name) for name in before} == before
        names = {lease["spec"]["holderIdentity"] for lease in corner.api.objects("leases", corner.namespace)}
        assert names == {"one", "two"}
        assert (
            len(
                corner.api.objects(
                    "configmaps", f"{corner.namespace}-status", fieldSelector="metadata.name!=kube-root-ca.crt"
                )
            )
            == 2
        )
        services = {controller: {s["service"] for s in controller.status()["services"]} for controller in (one, two)}
        assert services[one] == {f"{corner.namespace}/of-one"}
        assert services[two] == {f"{corner.namespace}/{name}" for name in ("of-two", "in-vain")}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_also_where_it_never_led(corner: Corner, number: int) -> None:
    with corner.start(configs=[corner.config / "missing"]) as controller:
        wait_until(lambda: controller.ask("/healthz")[0] == 200, "alive")
        controller.signal(number)
        assert controller.wait() == 0
    assert corner.holder() == ""
