"""A node that says that it will be back keeps its addresses for as long as it has said, and no longer."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.observed import NodeName
from tests.simulation.group import JOINED, REUNION
from tests.simulation.world import OCTETS, World

chances = st.integers(0, 2**32).map(Random)
GRACE = 20.0
# From the start of a process until it has joined, is known to all, and announces.
STARTED = 0.5 + max(JOINED, REUNION) + 0.1


def an_owner(world: World) -> tuple[NodeName, frozenset[bytes]]:
    """A node, and what it owns."""
    owners = world.owners()
    name = owners[min(owners)]
    return name, frozenset(address for address in OCTETS if owners[address] == name)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 4), chances, st.floats(0.2, GRACE - STARTED))
def test_nobody_takes_over_from_a_node_that_is_back_in_time(count: int, chance: Random, away: float) -> None:
    world = World(count, chance)
    name, addresses = an_owner(world)
    world.speakers[name].restart_within(GRACE)
    for _ in range(4):
        world.run(away / 4)
        assert all(world.claiming(address) in ([], [name]) for address in addresses)
    world.start(name)
    for _ in range(10):
        world.run(STARTED / 10)
        assert all(world.claiming(address) in ([], [name]) for address in addresses)
    world.run(GRACE)
    assert {world.owners().get(address) for address in addresses} == {name}
    for client in world.clients:
        assert all(client.cache[a][0] == world.mac(name) for a in addresses if a in client.cache)


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 4), chances)
def test_others_take_over_from_one_that_is_not(count: int, chance: Random) -> None:
    world = World(count, chance)
    name, addresses = an_owner(world)
    world.speakers[name].restart_within(GRACE)
    world.run(GRACE - 0.1)
    assert not any(world.claiming(address) for address in addresses)
    world.run(0.5)
    assert set(world.owners()) == OCTETS


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 4), chances)
def test_a_drained_node_gives_all_of_its_addresses_away_and_has_them_back(count: int, chance: Random) -> None:
    world = World(count, chance)
    before = world.owners()
    name, addresses = an_owner(world)
    world.recorder.watch()
    world.drain([name])
    world.run(2.0)
    assert name not in world.owners().values()
    # Nobody else's addresses move.
    assert {a: owner for a, owner in world.owners().items() if a not in addresses} == {
        a: owner for a, owner in before.items() if a not in addresses
    }
    world.drain([])
    world.run(2.0)
    assert world.owners() == before
    assert world.recorder.unanswered < 0
