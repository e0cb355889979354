"""From a commit to the status of a Service, again and again: no delivery after the first one goes unnoticed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.loop.corner import EVERYWHERE, Corner, pool
from tests.loop.deliveries import ConfigMapMount, Delivery, Edited, GitSync

FLIPS = 12


def configuration(number: int) -> str:
    """Files in which the address of one pool has that number, and that of another is always the same."""
    return "---\n".join((pool("moved", f"10.1.0.{number}/32"), pool("kept", "10.2.0.0/32"), EVERYWHERE))


def create_services(corner: Corner) -> None:
    # The second one keeps its address: the guard holds what would cost everybody theirs.
    for name in ("moved", "kept"):
        corner.create(name, annotations={"metallb.io/address-pool": name})


def wait_until_at(corner: Corner, number: int) -> None:
    corner.wait_for_address("moved", f"10.1.0.{number}")


@pytest.mark.parametrize(
    "deliver",
    [
        pytest.param(GitSync, id="a checkout of git-sync is flipped"),
        pytest.param(ConfigMapMount, id="the kubelet swaps a ConfigMap"),
        pytest.param(Edited, id="a file is renamed over"),
    ],
)
def test_every_delivery_in_a_row_reaches_the_service(
    corner: Corner, tmp_path: Path, deliver: Callable[[Path, str], Delivery]
) -> None:
    delivery = deliver(tmp_path, configuration(0))
    create_services(corner)
    # Nothing but the delivery itself may be what wakes it.
    with corner.start(configs=[delivery.path], interval=3600) as controller:
        corner.wait_until_served()
        for number in range(1, FLIPS + 1):
            delivery.put(configuration(number))
            wait_until_at(corner, number)
        assert controller.metric("lb_reconciler_passes_total", result="failed") == 0
        assert len(controller.lines("is in force")) == FLIPS + 1


@pytest.mark.parametrize("deliver", [GitSync, ConfigMapMount, Edited])
def test_deliveries_that_overtake_each_other_end_with_the_last_one(
    corner: Corner, tmp_path: Path, deliver: Callable[[Path, str], Delivery]
) -> None:
    delivery = deliver(tmp_path, configuration(0))
    create_services(corner)
    with corner.start(configs=[delivery.path], interval=3600):
        corner.wait_until_served()
        for number in range(1, FLIPS + 1):
            delivery.put(configuration(number))
        wait_until_at(corner, FLIPS)
