"""What another speaker says of a stranger: it concerns an address that was just announced, and no other."""

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
    occupied = Occupied(lambda _: None, lambda: network.now)
    hearing = Hearing(
        announcer=network.announcer,
        handing_over=cast(HandingOver, None),
        adoption=cast(Adoption, None),
        group=cast(Group, None),
        occupied=occupied,
        wake=woken.append,
        clock=lambda: network.now,
    )
    await network.announce(_ADDRESS)
    network.wait(seconds)
    await hearing.heard(NodeName("n2"), InUse(octets(_ADDRESS), is_in_use=is_in_use))
    assert (octets(_ADDRESS) in network.announcer.announced_octets) is stays
    assert bool(woken) is not stays
