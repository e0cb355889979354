"""What others say and become, and what comes of it: of a stranger whom one of them has met, and of one that is back."""

from collections.abc import Callable
from typing import cast

import pytest

from reconciler.loop.adoption import Adoption
from reconciler.loop.group import Group
from reconciler.loop.handing_over import HandingOver
from reconciler.loop.hearing import Hearing
from reconciler.loop.occupied import Occupied
from reconciler.membership.messages import InUse
from reconciler.model.observed import NodeName
from tests.announcers.listening_port import Network, link, octets

_ADDRESS = "192.0.2.7"


def _hearing(network: Network, wake: Callable[[str], None]) -> Hearing:
    return Hearing(
        announcer=network.announcer,
        handing_over=cast(HandingOver, None),
        adoption=cast(Adoption, None),
        group=cast(Group, None),
        occupied=Occupied(lambda _: None, lambda: network.now),
        wake=wake,
        clock=lambda: network.now,
    )


@pytest.mark.parametrize(
    ("seconds", "is_in_use", "stays"),
    [
        pytest.param(1.0, True, False, id="announced a moment ago, by one that had not heard of it: probed first"),
        pytest.param(1.0, False, True, id="of a stranger that is gone"),
        pytest.param(60.0, True, True, id="used by clients for a while: nobody's word takes it away"),
    ],
)
async def test_a_stranger_that_another_has_met(seconds: float, is_in_use: bool, stays: bool) -> None:
    network = Network(link("eth0"))
    woken: list[str] = []
    hearing = _hearing(network, woken.append)
    await network.announce(_ADDRESS)
    network.wait(seconds)
    await hearing.heard(NodeName("n2"), InUse(octets(_ADDRESS), is_in_use=is_in_use))
    assert (octets(_ADDRESS) in network.announcer.announced_octets) is stays
    assert bool(woken) is not stays


async def test_after_a_reunion_what_a_pass_has_kept_is_announced_again_that_knew_of_it() -> None:
    network = Network(link("eth0"))
    hearing = _hearing(network, lambda _: None)
    await network.announce(_ADDRESS)
    network.wait(60.0)
    port = network.ports["eth0"]
    port.take()
    hearing.look()
    hearing.reunited()
    # This pass has decided before, so the address may be the other's now.
    hearing.announce_again()
    assert not port.take()
    hearing.look()
    hearing.announce_again()
    assert port.take()
    network.wait(60.0)
    port.take()
    hearing.look()
    hearing.announce_again()
    assert not port.take(), "once is enough"
