"""Whatever happens to a world, a Placer says at each step what `place` says of it, and who speaks instead."""

from dataclasses import replace
from random import Random
from typing import TypeGuard

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.addresses.family import Address
from reconciler.model.announcements import Active, Announcement, L2Announcement, RouteAnnouncement, Routes
from reconciler.model.observed import NodeName
from reconciler.placement.decisions import Placement
from reconciler.placement.hearing import heard_of, order_of
from reconciler.placement.place import place
from reconciler.placement.standing import Placer
from reconciler.plan.actions import Announce, Withdraw
from reconciler.plan.announcements import plan_announcements
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
    announcers = Announcers()
    for step in range(data.draw(st.integers(1, 12))):
        if step:
            moment = data.draw(deeds())(data.draw, moment)
        found = check(placer, moment, node)
        if data.draw(st.booleans()):
            check_successors(placer, moment, node)
        else:
            announcers.follow(found)


# Drawn worlds are small, so that a failure is easy to read. What meets in a crowd is seldom drawn.
@pytest.mark.parametrize("seed", range(20))
def test_so_they_are_in_a_crowd(seed: int) -> None:
    placer, crowd = Placer(), Crowd(Random(seed))  # noqa: S311 - chance that can be repeated
    announcers, earlier = Announcers(), []
    for step in range(40):
        earlier.append((found := check(placer, crowd.moment, NAMES[0]), placed(crowd.moment, NAMES[0])))
        announcers.follow(found)
        if step % 3 == 0:
            check_successors(placer, crowd.moment, NAMES[0])
        crowd.go_on()
    assert placer.whole_passes < 20
    assert all(found.routes == whole.routes and found.placed == whole.placed for found, whole in earlier)


class Announcers:
    """What those that carry out plans have to show for it."""

    def __init__(self) -> None:
        self.active = Active()

    def follow(self, placement: Placement) -> None:
        """Carry out a plan, which is the same whether what is active and the placement have anything in common."""
        active = self.active
        plan = plan_announcements(placement, replace(active, routes=Routes.of(active.routes)))
        assert plan_announcements(placement, active) == plan
        ended = [action.announcement for action in plan.actions if isinstance(action, Withdraw)]
        begun = [action.announcement for action in plan.actions if isinstance(action, Announce)]
        routes = active.routes.after(filter(is_route, ended), filter(is_route, begun))
        assert routes == placement.routes
        assert {one.peer for one in routes} <= {peer.name for peer in placement.peers}
        # One announcer shows what it was told to do, another what it was last given: both will do.
        mine = routes if len(ended) % 2 else placement.routes
        self.active = Active(placement.heard, placement.peers, mine)
        assert plan_announcements(placement, self.active).actions == ()


def check(placer: Placer, moment: Moment, node: NodeName) -> Placement:
    world, whole = moment.world, placed(moment, node)
    found = placer.place(world.config, world.state, world.alive, node, former=moment.former)
    assert found == whole
    assert found.announcements == frozenset(one.announcement for one in whole.placed)
    assert found.by_layer2 == whole.by_layer2
    assert found.heard == heard_of(filter(is_layer2, found.announcements)) == whole.heard
    assert list(found.routes) == sorted(
        (a for a in found.announcements if isinstance(a, RouteAnnouncement)), key=order_of
    )
    assert list(found.routes.toward(None)) == list(whole.routes.toward(None)), "and for the same reasons"
    assert list(map(id, found.former)) == list(map(id, whole.former))
    return found


def is_route(announcement: Announcement) -> TypeGuard[RouteAnnouncement]:
    return isinstance(announcement, RouteAnnouncement)


def is_layer2(announcement: Announcement) -> TypeGuard[L2Announcement]:
    return isinstance(announcement, L2Announcement)


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
