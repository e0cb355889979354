"""Whatever happens to a world, a Placer says at each step what `place` says of it, and who speaks instead."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.addresses.family import Address
from reconciler.model.announcements import L2Announcement
from reconciler.model.observed import NodeName
from reconciler.placement.decisions import Placement
from reconciler.placement.hearing import heard_of
from reconciler.placement.place import place
from reconciler.placement.standing import Placer
from tests.placement.crowds import Crowd
from tests.placement.histories import Moment, deeds, moments
from tests.placement.worlds import NAMES


def placed(moment: Moment, node: NodeName) -> Placement:
    world = moment.world
    return place(world.config, world.state, world.alive, node, explain=False, former=moment.former)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_what_stands_and_what_changes_are_the_whole(data: st.DataObject) -> None:
    placer, moment, node = Placer(), data.draw(moments()), data.draw(st.sampled_from(NAMES))
    for step in range(data.draw(st.integers(1, 12))):
        if step:
            moment = data.draw(deeds())(data.draw, moment)
        check(placer, moment, node)
        if data.draw(st.booleans()):
            check_successors(placer, moment, node)


# Drawn worlds are small, so that a failure is easy to read. What meets in a crowd is seldom drawn.
@pytest.mark.parametrize("seed", range(20))
def test_so_they_are_in_a_crowd(seed: int) -> None:
    placer, crowd = Placer(), Crowd(Random(seed))  # noqa: S311 - chance that can be repeated
    for step in range(40):
        check(placer, crowd.moment, NAMES[0])
        if step % 3 == 0:
            check_successors(placer, crowd.moment, NAMES[0])
        crowd.go_on()
    assert placer.whole_passes < 20


def check(placer: Placer, moment: Moment, node: NodeName) -> None:
    world, whole = moment.world, placed(moment, node)
    found = placer.place(world.config, world.state, world.alive, node, former=moment.former)
    assert found == whole
    assert found.announcements == frozenset(one.announcement for one in whole.placed)
    assert found.heard == heard_of(found.announcements) == whole.heard
    assert list(map(id, found.former)) == list(map(id, whole.former))


def check_successors(placer: Placer, moment: Moment, node: NodeName) -> None:
    owners: dict[Address, set[NodeName]] = {}
    for other in NAMES:
        for one in placed(moment, other).placed:
            if isinstance(one.announcement, L2Announcement) and other != node:
                owners.setdefault(one.address, set()).add(other)
    every = {address for service in moment.world.state.services for address in service.ingress}
    found = placer.successors(every)
    assert found.keys() == owners.keys()
    assert all(found[address] in owners[address] for address in found)
