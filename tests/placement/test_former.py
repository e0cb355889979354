"""An address that is in no pool any more goes on under the configuration before, until the controller has moved it."""

from dataclasses import replace

import pytest

from reconciler.model.announcements import Announcement
from reconciler.model.desired import DesiredState, short_revision
from reconciler.model.observed import Member, NodeName, ObservedState
from reconciler.model.settings import DrainSettings, Settings
from reconciler.placement.decisions import Placement
from reconciler.placement.place import place
from reconciler.placement.standing import Placer
from tests.builders import desired, observed, pool, service
from tests.placement.builders import bgp, endpoints, l2, members, node, peer, route, spoken

NAMES = tuple(NodeName(name) for name in ("iris1", "iris2"))
ALIVE = members(*NAMES)
OLD = desired(pool("p", "10.20.30.0/24"), l2=[l2(interfaces="eth0")])
NEW = desired(pool("q", "10.20.31.0/24"), l2=[l2(pools="q")])


def cluster(*ingress: str, taints: str = "") -> ObservedState:
    services = [service(f"shop/web{n}", ingress=held) for n, held in enumerate(ingress)]
    return observed(
        *services,
        nodes=[node("iris1"), node("iris2", taints=taints)],
        endpoints={s.key: endpoints("iris1") for s in services},
    )


def on_all(config: DesiredState, state: ObservedState, *former: DesiredState) -> dict[str, Placement]:
    """What every node does, by a Placer, which agrees with `place` explaining itself."""
    found = {name: Placer().place(config, state, ALIVE, name, former=former) for name in NAMES}
    for name, silent in found.items():
        explained = place(config, state, ALIVE, name, former=former)
        assert (explained.placed, explained.former) == (silent.placed, silent.former)
    return {str(name): placement for name, placement in found.items()}


def heard(placements: dict[str, Placement]) -> dict[str, set[Announcement]]:
    return {name: set(placement.announcements) for name, placement in placements.items()}


def test_it_is_announced_by_the_same_node_in_the_same_way() -> None:
    state = cluster("10.20.30.1")
    assert heard(on_all(NEW, state, OLD)) == {"iris1": set(), "iris2": {spoken("10.20.30.1", "eth0")}}
    assert heard(on_all(NEW, state, OLD)) == heard(on_all(OLD, state))


def test_without_a_former_configuration_nobody_announces_it() -> None:
    assert heard(on_all(NEW, cluster("10.20.30.1"))) == {"iris1": set(), "iris2": set()}


def test_what_is_in_a_pool_is_as_the_present_configuration_says() -> None:
    moved = desired(pool("other", "10.20.30.0/24"), l2=[l2(pools="other", nodes="iris1")])
    found = on_all(moved, cluster("10.20.30.1"), OLD)
    assert heard(found) == {"iris1": {spoken("10.20.30.1")}, "iris2": set()}
    silenced = desired(pool("p", "10.20.30.0/24"))
    assert heard(on_all(silenced, cluster("10.20.30.1"), OLD)) == {"iris1": set(), "iris2": set()}


def test_two_addresses_that_no_longer_have_one_pool_go_on_together() -> None:
    split = desired(pool("a", "10.20.30.0-10.20.30.1"), pool("b", "10.20.30.2-10.20.30.255"), l2=[l2(pools="a b")])
    found = heard(on_all(split, cluster("10.20.30.1 10.20.30.2"), OLD))
    assert found == {"iris1": set(), "iris2": {spoken("10.20.30.1", "eth0"), spoken("10.20.30.2", "eth0")}}


def test_of_several_the_latest_that_has_it_counts() -> None:
    older = desired(pool("p", "10.20.30.0/24"), pool("z", "10.20.29.0/24"), l2=[l2(pools="p z", interfaces="eth9")])
    found = on_all(NEW, cluster("10.20.30.1", "10.20.29.1"), OLD, older)
    told = heard(found)
    assert told["iris1"] | told["iris2"] == {spoken("10.20.30.1", "eth0"), spoken("10.20.29.1", "eth9")}
    assert [p.former for p in found.values()] == [(OLD, older)] * 2
    assert [p.former for p in on_all(NEW, cluster("10.20.29.1"), OLD, older).values()] == [(older,)] * 2


def test_which_nodes_may_announce_is_as_the_present_configuration_says() -> None:
    draining = replace(NEW, settings=Settings(drain=DrainSettings(("maintenance",))))
    found = heard(on_all(draining, cluster("10.20.30.1", taints="maintenance"), OLD))
    assert found == {"iris1": {spoken("10.20.30.1", "eth0")}, "iris2": set()}


def test_its_routes_are_told_to_the_peers_there_are() -> None:
    before = desired(pool("p", "10.20.30.0/24"), bgp=[bgp(communities="65000:1")], peers=[peer("gone")])
    after = replace(NEW, peers=(peer("tor"),))
    found = on_all(after, cluster("10.20.30.1"), before)
    assert heard(found) == {name: {route("10.20.30.1/32", communities="65000:1")} for name in ("iris1", "iris2")}


def test_a_node_that_does_not_announce_it_says_who_does() -> None:
    found = place(NEW, cluster("10.20.30.1"), ALIVE, NAMES[0], former=(OLD,))
    assert [(d.reason, d.message) for d in found.declined] == [("notOwner", '"iris2" wins the election for 10.20.30.1')]


@pytest.mark.parametrize("name", NAMES)
def test_every_node_knows_for_how_long_it_is_needed(name: NodeName) -> None:
    placer = Placer()

    def needed(state: ObservedState) -> tuple[DesiredState, ...]:
        return placer.place(NEW, state, ALIVE, name, former=(OLD,)).former

    before = cluster("10.20.31.1", "10.20.30.1")
    moved = replace(before, services=(before.services[0], cluster("", "10.20.31.2").services[1]))
    assert needed(before) == (OLD,)
    assert needed(moved) == ()
    assert needed(before) == (OLD,)
    assert needed(replace(before, services=before.services[:1])) == ()
    assert placer.whole_passes == 1


def test_who_has_started_since_and_does_not_know_of_it_is_not_elected() -> None:
    state = cluster("10.20.30.1")
    known = frozenset({short_revision(OLD.revision)})
    alive = frozenset({Member(NAMES[0], former=known), Member(NAMES[1], former=frozenset())})
    found = Placer().place(NEW, state, alive, NAMES[0], former=(OLD,))
    assert found.announcements == {spoken("10.20.30.1", "eth0")}, "of all, iris2 would be elected"
    assert not Placer().place(NEW, state, alive, NAMES[1]).announcements
