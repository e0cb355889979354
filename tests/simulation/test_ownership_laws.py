"""Whatever is cut, lost, late or killed: where members see each other one of them owns an address, and all know it."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.membership.handover import LIMIT
from reconciler.model.settings import AnnouncementSettings
from tests.simulation.group import DETECTION, GOSSIP, REUNION
from tests.simulation.world import OCTETS, World

chances = st.integers(0, 2**32).map(Random)
losses = st.sampled_from([0.0, 0.1, 0.3])
nodes = st.integers(2, 4)
numbers = st.integers(0, 3)
pauses = st.sampled_from([0.0, 0.05, 0.3, 1.0, 1.2, 2.5, 6.0])
# What may befall the nodes of a cluster, by number: an island for each, or who is killed, started, drained. The first
# two islands are those of the clients.
islands = st.lists(st.integers(0, 2), min_size=6, max_size=6)
troubles = st.one_of(
    st.tuples(st.just("split"), islands),
    st.tuples(st.just("kill"), numbers),
    st.tuples(st.just("start"), numbers),
    st.tuples(st.just("stop"), numbers),
    st.tuples(st.just("drain"), numbers),
)
# Until members agree on who is there and what each says of itself; a pass is made some milliseconds later.
AGREED = max(DETECTION, REUNION) + GOSSIP + 0.1
# And until the last handover is over, and whoever was announced to in vain was announced to again.
SETTLED = AGREED + LIMIT + 5.0
REFRESHED = AnnouncementSettings().refresh_interval + 5.0


def befall(world: World, trouble: tuple[str, object]) -> None:
    match trouble:
        case "split", list() as places:
            hosts = [*(client.name for client in world.clients), *world.names]
            world.split(dict(zip(hosts, places, strict=False)))
        case "kill", int() as number:
            speaker = world.speakers[world.names[number % len(world.names)]]
            if speaker.is_running:
                speaker.crash()
        case "stop", int() as number:
            speaker = world.speakers[world.names[number % len(world.names)]]
            if speaker.is_running:
                speaker.terminate()
        case "start", int() as number:
            world.start(world.names[number % len(world.names)])
        case "drain", int() as number:
            world.drain(world.names[: number % len(world.names)])
        case _:
            raise AssertionError(trouble)


def heal(world: World) -> None:
    world.split(dict.fromkeys([*(client.name for client in world.clients), *world.names], 0))
    world.drain([])
    for _ in range(2):
        for name in world.names:
            world.start(name)
        # Whoever is still handing over ends first.
        world.run(LIMIT)


def assert_one_owner_known_to_all(world: World) -> None:
    owners = world.owners()
    assert set(owners) == OCTETS
    for client in world.clients:
        for address, (mac, _) in client.cache.items():
            assert mac == world.mac(owners[address]), (client.name, address, owners)


@settings(max_examples=10, deadline=None)
@given(nodes, chances, losses)
def test_a_group_that_starts_settles(count: int, chance: Random, loss: float) -> None:
    world = World(count, chance, loss=loss)
    world.run(SETTLED)
    assert_one_owner_known_to_all(world)


@settings(max_examples=60, deadline=None)
@given(nodes, chances, losses, st.lists(st.tuples(troubles, pauses), max_size=6))
def test_after_all_troubles_each_address_has_one_owner_whom_the_clients_know(
    count: int, chance: Random, loss: float, history: list[tuple[tuple[str, object], float]]
) -> None:
    world = World(count, chance, loss=loss)
    are_apart = False
    for trouble, pause in history:
        befall(world, trouble)
        world.run(pause)
        inhabited = {world.switch.island(speaker.node) for speaker in world.running()}
        are_apart |= any(world.switch.island(client.name) not in inhabited for client in world.clients)
    heal(world)
    # Members that meet while no client hears them cannot know later that it has missed something.
    world.run(REFRESHED if are_apart else SETTLED)
    assert_one_owner_known_to_all(world)


@settings(max_examples=40, deadline=None)
@given(nodes, chances, losses, st.lists(troubles, max_size=4))
def test_where_members_see_each_other_one_at_most_announces(
    count: int, chance: Random, loss: float, history: list[tuple[str, object]]
) -> None:
    world = World(count, chance, loss=loss)
    for trouble in history:
        befall(world, trouble)
        world.run(AGREED)
        world.recorder.watch()
        world.run(2.0)
        assert world.recorder.contended == 0.0
