"""What holds of every placement, whatever the cluster and the configuration."""

import random
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.addresses.family import Address
from reconciler.model.announcements import L2Announcement
from reconciler.model.desired import DesiredState
from reconciler.model.observed import Member, Node, NodeName, ObservedState, Service, ServiceKey
from reconciler.model.pools import IPAddressPool
from reconciler.model.selectors import matches_any_or_none_given
from reconciler.placement.decisions import Placement, Protocol
from reconciler.placement.election import Elections, digest
from reconciler.placement.place import explain_service, place, place_nodes
from reconciler.placement.subjects import PoolTable
from tests import strategies
from tests.placement.builders import node
from tests.placement.worlds import NAMES, World, simple_worlds, worlds

T = TypeVar("T")
many = settings(max_examples=150, deadline=None)
some = settings(max_examples=60, deadline=None)


def placements(world: World, elections: Elections | None = None) -> dict[NodeName, Placement]:
    """Each node asked on its own, without explanations."""
    return {
        name: place(world.config, world.state, world.alive, name, explain=False, elections=elections) for name in NAMES
    }


def owners(world: World) -> dict[ServiceKey, set[NodeName]]:
    """Who announces each Service by Layer 2."""
    found: dict[ServiceKey, set[NodeName]] = {s.key: set() for s in world.state.services}
    for name, placement in placements(world).items():
        for placed in placement.placed:
            if isinstance(placed.announcement, L2Announcement):
                found[placed.service].add(name)
    return found


@many
@given(worlds())
def test_the_owner_is_the_first_of_a_full_ranking(world: World) -> None:
    assert owners(world) == {
        s.key: {name for name in [_ranked_first(s, world)] if name is not None} for s in world.state.services
    }


def _ranked_first(service: Service, world: World) -> NodeName | None:
    """MetalLB's rules for Layer 2 read straight down, nothing remembered and every candidate hashed."""
    pools = [p for p in world.config.pools if all(a in p.addresses for a in service.ingress)]
    if service.type != "LoadBalancer" or service.load_balancer_class or not service.ingress or not pools:
        return None
    ends = [e for e in world.state.endpoints[service.key] if e.serving]
    ads = [
        a
        for a in world.config.l2_advertisements
        if pools[0].name in a.pools and matches_any_or_none_given(a.service_selectors, service.labels)
    ]
    if not ends or (service.announces_shared_ip and any(a.service_selectors for a in ads)):
        return None
    scores: dict[NodeName, int] = {}
    for n in world.state.nodes:
        here = [a for a in ads if matches_any_or_none_given(a.node_selectors, n.labels)]
        speaking = [m for m in world.alive if m.node == n.name]
        is_drained = any(taint in world.config.settings.drain.taints for taint in n.taints)
        if not here or not speaking or n.network_unavailable or n.excluded or is_drained:
            continue
        wanted = None if any(not a.interfaces for a in here) else {i for a in here for i in a.interfaces}
        if not _has_link_up(speaking[0], wanted):
            continue
        if service.is_local and all(e.node != n.name for e in ends):
            continue
        scores[n.name] = sum(p.weight for a in here for p in a.preferences if p.selector.matches(n.labels))
    key = str(service.ingress[0])
    return min(scores, key=lambda name: (-scores[name], digest(name, key)), default=None)


def _has_link_up(speaker: Member, wanted: set[str] | None) -> bool:
    if speaker.links is None:
        return True
    up, named = {x.name for x in speaker.links if x.carrier}, {x.name for x in speaker.links}
    if wanted is None:
        return bool(up) or speaker.others_up
    return any(name in up or (name not in named and speaker.others_up) for name in wanted)


@some
@given(worlds())
def test_nobody_owns_an_address_twice(world: World) -> None:
    assert all(len(names) <= 1 for names in owners(world).values())


@many
@given(simple_worlds())
def test_an_address_that_any_node_may_announce_has_exactly_one_owner(world: World) -> None:
    found = owners(world)
    announceable = [s for s in world.state.services if s.is_load_balancer and not s.load_balancer_class]
    assert all(len(found[s.key]) == 1 for s in announceable)


@many
@given(simple_worlds())
def test_services_that_share_their_first_address_have_the_same_owner(world: World) -> None:
    found = owners(world)
    by_address: dict[Address, set[NodeName]] = {}
    for s in world.state.services:
        by_address.setdefault(s.ingress[0], set()).update(found[s.key])
    assert all(len(names) <= 1 for names in by_address.values())


@some
@given(simple_worlds(), st.sampled_from(NAMES))
def test_losing_a_node_moves_only_its_own_addresses(world: World, gone: NodeName) -> None:
    before = owners(world)
    after = owners(replace(world, alive=frozenset(m for m in world.alive if m.node != gone)))
    assert {key: names for key, names in after.items() if before[key] != {gone}} == {
        key: names for key, names in before.items() if names != {gone}
    }


@some
@given(simple_worlds())
def test_a_new_node_takes_addresses_and_moves_no_other(world: World) -> None:
    newcomer = NodeName("zelkova")
    grown = World(
        world.config,
        replace(world.state, nodes=(*world.state.nodes, node(newcomer))),
        world.alive | {Member(newcomer)},
    )
    before = owners(world)
    taken = {p.service for p in place(grown.config, grown.state, grown.alive, newcomer).placed}
    after = owners(grown)
    assert all(names == set() if key in taken else names == before[key] for key, names in after.items())


@some
@given(worlds(), st.integers(0, 2**32))
def test_the_order_of_the_input_changes_nothing(world: World, seed: int) -> None:
    mixed = World(_mixed_configuration(world.config, seed), _mixed_state(world.state, seed), world.alive)
    for name in NAMES:
        expected = place(world.config, world.state, world.alive, name)
        assert place(mixed.config, mixed.state, mixed.alive, name) == expected


def _mixed(values: Iterable[T], seed: int) -> tuple[T, ...]:
    found = list(values)
    random.Random(seed).shuffle(found)  # noqa: S311 - an order, not a secret
    return tuple(found)


def _mixed_configuration(config: DesiredState, seed: int) -> DesiredState:
    return replace(
        config,
        pools=_mixed(config.pools, seed),
        l2_advertisements=_mixed(config.l2_advertisements, seed),
        bgp_advertisements=_mixed(config.bgp_advertisements, seed),
        peers=_mixed(config.peers, seed),
    )


def _mixed_state(state: ObservedState, seed: int) -> ObservedState:
    nodes: tuple[Node, ...] = _mixed(state.nodes, seed)
    ends = {key: _mixed(state.endpoints[key], seed) for key in _mixed(state.endpoints, seed)}
    return replace(state, services=_mixed(state.services, seed), nodes=nodes, endpoints=ends)


@some
@given(worlds(), worlds())
def test_remembered_elections_change_nothing(first: World, second: World) -> None:
    elections = Elections()
    for world in (first, second, first):
        assert placements(world, elections) == placements(world)


@some
@given(worlds())
def test_all_nodes_together_are_placed_as_each_alone(world: World) -> None:
    together = place_nodes(world.config, world.state, world.alive, reversed(NAMES))
    assert {p.node: p for p in together} == placements(world)
    explained = place_nodes(world.config, world.state, world.alive, NAMES, explain=True)
    alone = [place(world.config, world.state, world.alive, name) for name in NAMES]
    assert list(explained) == alone
    default = place_nodes(world.config, world.state, world.alive)
    assert [p.node for p in default] == sorted(m.node for m in world.alive)


@some
@given(worlds())
def test_explaining_changes_no_decision_and_leaves_no_service_out(world: World) -> None:
    for name, silent in placements(world).items():
        found = place(world.config, world.state, world.alive, name)
        assert (found.placed, found.peers) == (silent.placed, silent.peers)
        assert silent.declined == ()
        heard = {p.service for p in found.placed} | {d.service for d in found.declined}
        ours = {s.key for s in world.state.services if s.is_load_balancer and not s.load_balancer_class}
        assert heard == ours
        assert list(found.declined) == sorted(found.declined, key=lambda d: (d.service, d.protocol == Protocol.BGP))
        assert all(d.message for d in found.declined)
        assert list(found.placed) == sorted(found.placed, key=lambda p: (p.service, p.address))


@some
@given(worlds())
def test_an_explanation_says_of_every_node_what_its_placement_does(world: World) -> None:
    by_node = {name: place(world.config, world.state, world.alive, name) for name in NAMES}
    for service in world.state.services:
        found = explain_service(world.config, world.state, world.alive, service.key)
        speaking = {m.node for m in world.alive}
        assert {v.node for v in found.verdicts} == speaking | {n.name for n in world.state.nodes}
        for verdict in found.verdicts:
            if verdict.node not in speaking and verdict.protocol is Protocol.BGP:
                continue
            placed = [p for p in by_node[verdict.node].placed if p.service == service.key]
            assert [p for p in placed if _is_l2(p.announcement) == (verdict.protocol is Protocol.L2)] == list(
                verdict.placed
            )
            if service.is_load_balancer and not service.load_balancer_class:
                declined = [d for d in by_node[verdict.node].declined if d.service == service.key]
                assert [d for d in declined if d.protocol is verdict.protocol] == [
                    d for d in [verdict.declined] if d is not None
                ]


def _is_l2(announcement: object) -> bool:
    return isinstance(announcement, L2Announcement)


@some
@given(worlds())
def test_the_first_candidate_of_an_explanation_is_the_owner(world: World) -> None:
    for key, names in owners(world).items():
        found = explain_service(world.config, world.state, world.alive, key)
        assert {name for name in [found.owner] if name is not None} == names
        ranked = [c for c in found.candidacies if c.rank is not None]
        assert [c.rank for c in ranked] == list(range(1, len(ranked) + 1))
        assert all((c.excluded is None) == (c.rank is not None) == (not c.message) for c in found.candidacies)


@many
@given(strategies.pools(), strategies.addresses())
def test_the_pool_table_agrees_with_looking_through_all_pools(
    pools: tuple[IPAddressPool, ...], address: Address
) -> None:
    expected = next((p.name for p in pools if address in p.addresses), None)
    assert PoolTable(pools).pool_of(address) == expected
