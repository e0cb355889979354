"""Three nodes that watch each other over real sockets; what they tell each other is handed over by the test."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from reconciler.bfd.ignored import Ignored
from reconciler.bfd.packets import State
from reconciler.cli.lab import Lab, entered
from reconciler.membership.facts import Facts, Peer
from reconciler.membership.fast_detection import FastDetection, session_key
from reconciler.membership.messages import Silent, decode
from reconciler.model.observed import NodeName
from reconciler.model.settings import FastFailureDetectionSettings
from tests.bfd.daemons import need

KEY = bytes(range(32))
ON = FastFailureDetectionSettings(enabled=True)
N1, N2, N3 = (NodeName(name) for name in ("n1", "n2", "n3"))
PATIENCE = 20.0


@pytest.fixture
def lab_hosts() -> tuple[str, ...]:
    return "n1", "n2", "n3"


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_true():
            await asyncio.sleep(0.005)


class Node:
    """One node's detection and all that it said."""

    def __init__(self, world: "World", name: NodeName, key: bytes = KEY) -> None:
        self._world = world
        self.name = name
        self.reasons: list[str] = []
        self.said: list[Silent] = []
        self.acquittals = 0
        self.detection = FastDetection(
            name, key=key, send_all=self._send, on_change=self.reasons.append, on_acquitted=self._acquitted
        )

    def update(self, settings: FastFailureDetectionSettings = ON) -> None:
        with entered(self._world.lab.namespace(self.name)):
            self.detection.update(settings, tuple(self._world.peers.values()))

    def states(self) -> dict[NodeName, State]:
        return {node: state for node, (state, _) in self.detection.neighbors().items()}

    def hears(self, *others: NodeName) -> bool:
        return self.states() == dict.fromkeys(others, State.UP)

    def listens(self) -> bool:
        return "7948" in self._world.lab.run(self.name, "ss", "-Hlun")

    def _send(self, data: bytes) -> None:
        message = decode(data)
        assert isinstance(message, Silent)
        self.said.append(message)
        self._world.deliver(self.name, message)

    def _acquitted(self) -> None:
        self.acquittals += 1


class World:
    """The nodes, the group as gossip has it, and messages that arrive unless the sender or receiver is cut off."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.cut: set[NodeName] = set()
        self.peers = {node: Peer(node=node, address=lab.address(node), epoch=1) for node in (N1, N2, N3)}
        self.nodes = {node: Node(self, node) for node in (N1, N2, N3)}

    def __getitem__(self, node: NodeName) -> Node:
        return self.nodes[node]

    def deliver(self, sender: NodeName, message: Silent) -> None:
        for name, node in self.nodes.items():
            if name != sender and not self.cut & {name, sender}:
                asyncio.get_running_loop().call_soon(node.detection.heard, sender, message)

    def update(self, settings: FastFailureDetectionSettings = ON) -> None:
        for node in self.nodes.values():
            node.update(settings)

    async def up(self) -> "World":
        self.update()
        await until(lambda: self[N1].hears(N2, N3) and self[N2].hears(N1, N3) and self[N3].hears(N1, N2))
        return self

    def cut_off(self, node: NodeName) -> None:
        self.lab.cut(node)
        self.cut.add(node)

    def restore(self, node: NodeName) -> None:
        self.lab.restore(node)
        self.cut.discard(node)


@pytest.fixture
async def world(lab: Lab) -> AsyncIterator[World]:
    made = World(lab)
    yield made
    for node in made.nodes.values():
        node.detection.close()


async def test_a_node_that_is_cut_off_is_silent_to_the_others_and_not_they_to_it(world: World) -> None:
    await world.up()
    world.cut_off(N3)
    await until(lambda: world[N1].detection.silent() == world[N2].detection.silent() == {N3})
    await until(lambda: State.UP not in world[N3].states().values())
    assert world[N3].detection.silent() == frozenset()
    assert world[N1].reasons == ["n3 is silent"]
    world.restore(N3)
    await until(lambda: not world[N1].detection.silent() and not world[N2].detection.silent())
    await until(lambda: world[N3].acquittals > 0)
    assert world[N1].reasons == ["n3 is silent", "n3 is not silent any more"]
    # It may have learned what the others thought of it, and thinks nothing of them.
    assert not [reason for reason in world[N3].reasons if not reason.startswith("n3")]
    await until(lambda: world[N3].hears(N1, N2))


async def test_who_cannot_be_heard_learns_it_where_messages_get_through(world: World) -> None:
    need("nftables", "nft")
    await world.up()
    world.lab.run("n3", "nft", "add table ip mute; add chain ip mute out { type filter hook output priority 0; }")
    world.lab.run("n3", "nft", "add rule ip mute out udp dport 7948 drop")
    await until(lambda: all(node.detection.silent() == {N3} for node in world.nodes.values()))
    world.lab.run("n3", "nft", "delete table ip mute")
    await until(lambda: not any(node.detection.silent() for node in world.nodes.values()))


async def test_who_hears_nobody_is_not_taken_for_dead(world: World) -> None:
    need("nftables", "nft")
    await world.up()
    world.lab.run("n3", "nft", "add table ip deaf; add chain ip deaf in { type filter hook input priority 0; }")
    world.lab.run("n3", "nft", "add rule ip deaf in udp dport 7948 drop")
    await until(lambda: State.UP not in world[N3].states().values())
    # Its packets say that it hears nobody; twenty more of them arrive.
    count = world[N1].detection.neighbors()[N3][1].received
    await until(lambda: world[N1].detection.neighbors()[N3][1].received > count + 20)
    assert [node.reasons for node in world.nodes.values()] == [[], [], []]


async def test_a_broken_path_between_two_is_nobodys_silence(world: World) -> None:
    need("nftables", "nft")
    await world.up()
    world.lab.run("n1", "nft", "add table ip gap; add chain ip gap in { type filter hook input priority 0; }")
    world.lab.run("n1", "nft", f"add rule ip gap in ip saddr {world.lab.address('n2')} udp dport 7948 drop")
    await until(lambda: Silent("n2", 1, is_silent=True) in world[N1].said)
    # Repeated, for a message may get lost.
    await until(lambda: world[N1].said.count(Silent("n2", 1, is_silent=True)) > 2)
    assert [node.reasons for node in world.nodes.values()] == [[], [], []]
    world.lab.run("n1", "nft", "delete table ip gap")
    await until(lambda: world[N1].said.count(Silent("n2", 1, is_silent=False)) == 2)


async def test_of_two_nodes_the_other_is_believed(world: World) -> None:
    del world.peers[N3]
    world[N1].update()
    world[N2].update()
    await until(lambda: world[N1].hears(N2) and world[N2].hears(N1))
    world.cut_off(N2)
    await until(lambda: world[N1].detection.silent() == {N2} and world[N2].detection.silent() == {N1})


async def test_who_leaves_is_not_silent(world: World) -> None:
    await world.up()
    world.peers[N3] = Peer(node=N3, address=world.lab.address("n3"), epoch=1, facts=Facts(is_leaving=True))
    # It closes its sessions before the others know.
    world[N3].update()
    assert world[N3].states() == {}
    await until(lambda: world[N1].states()[N3] == world[N2].states()[N3] == State.DOWN)
    world.update()
    assert world[N1].hears(N2)
    assert [node.reasons for node in world.nodes.values()] == [[], [], []]
    assert not any(node.said for node in world.nodes.values())


async def test_a_new_run_of_a_process_is_another_node(world: World) -> None:
    await world.up()
    world.cut_off(N3)
    await until(lambda: world[N1].detection.silent() == world[N2].detection.silent() == {N3})
    world.peers[N3] = Peer(node=N3, address=world.lab.address("n3"), epoch=2)
    world.update()
    assert world[N1].detection.silent() == frozenset()
    world.restore(N3)
    await until(lambda: world[N1].hears(N2, N3) and world[N3].hears(N1, N2))


async def test_what_gossip_has_given_up_is_forgotten_without_a_word(world: World) -> None:
    await world.up()
    world.cut_off(N3)
    await until(lambda: world[N1].detection.silent() == world[N2].detection.silent() == {N3})
    del world.peers[N3]
    world[N1].update()
    assert world[N1].detection.silent() == frozenset()
    # The other, whom gossip has not told yet, goes on believing it.
    assert not [message for message in world[N1].said if not message.is_silent]
    await asyncio.sleep(0)
    assert world[N2].detection.silent() == {N3}


async def test_a_report_is_taken_back_when_its_node_is_heard_again_though_gossip_had_given_it_up(world: World) -> None:
    await world.up()
    world.cut_off(N3)
    await until(lambda: any(said.node == N3 and said.is_silent for said in world[N1].said))
    gone = world.peers.pop(N3)
    world[N1].update()
    world[N2].update()
    world.restore(N3)
    world.peers[N3] = gone
    world.update()
    # A report that waited in a kernel until now would count for two seconds more.
    await until(lambda: any(said.node == N3 and not said.is_silent for said in world[N1].said))


async def test_who_was_given_up_for_a_moment_is_not_taken_for_a_replay(world: World) -> None:
    await world.up()
    gone = world.peers.pop(N3)
    world[N1].update()
    world.peers[N3] = gone
    world[N1].update()
    # The neighbour has never noticed, and keeps the session of before.
    await until(lambda: world[N1].hears(N2, N3) and world[N3].hears(N1, N2))
    endpoint = world[N3].detection._endpoint
    assert endpoint is not None
    assert str(Ignored.SEQUENCE) not in endpoint.ignored()
    # He counts as heard again at once: the other neighbour's silence is no isolation.
    world.cut_off(N2)
    await until(lambda: world[N3].detection.silent() == {N2})


async def test_settings_change_at_run_time(world: World) -> None:
    await world.up()
    fast = replace(ON, interval=0.02)
    world.update(fast)
    count = world[N1].detection.neighbors()[N2][1].received
    await until(lambda: world[N1].detection.neighbors()[N2][1].received > count + 30)
    assert world[N1].hears(N2, N3)
    world.update(replace(fast, port=7949))
    await until(lambda: all(len(node.states()) == 2 and node.hears(*node.states()) for node in world.nodes.values()))
    assert [node.listens() for node in world.nodes.values()] == [False] * 3
    world[N3].update(replace(fast, enabled=False))
    assert world[N3].states() == {}
    await until(lambda: world[N1].states() == {N2: State.UP, N3: State.DOWN})
    assert [node.reasons for node in world.nodes.values()] == [[], [], []]
    assert not any(node.said for node in world.nodes.values())


async def test_off_costs_no_socket(world: World) -> None:
    world.update(FastFailureDetectionSettings())
    assert not world[N1].listens()
    world.update(ON)
    assert world[N1].listens()
    world.update(FastFailureDetectionSettings())
    assert not world[N1].listens()


async def test_without_the_key_of_the_group_nobody_is_heard(world: World) -> None:
    world.nodes[N3] = Node(world, N3, bytes(32))
    world.update()
    await until(lambda: world[N1].hears(N2) or world[N1].states().get(N2) == State.UP)
    sent = world[N3].detection.neighbors()[N1][1].sent
    await until(lambda: world[N3].detection.neighbors()[N1][1].sent > sent + 3)
    assert world[N3].states() == {N1: State.DOWN, N2: State.DOWN}


async def test_what_cannot_be_opened_is_told_and_tried_again(world: World) -> None:
    taken = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
        "s.bind(('', 7948)); print(1, flush=True); input()"
    )
    other = subprocess.Popen(
        [*world.lab.inside("n1"), "python3", "-c", taken], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with other:
        assert other.stdout is not None
        await asyncio.to_thread(other.stdout.readline)
        world.update()
        assert [problem for problem in world[N1].detection.problems() if "7948" in problem]
        other.kill()
    await world.up()
    assert world[N1].detection.problems() == ()


async def test_an_address_that_is_none_does_not_keep_the_others_from_being_watched(world: World) -> None:
    world.peers[N3] = Peer(node=N3, address="somewhere.example", epoch=1)
    world[N1].update()
    world[N2].update()
    await until(lambda: world[N1].hears(N2))
    assert [problem for problem in world[N1].detection.problems() if problem.startswith("n3")]


def test_every_direction_of_every_pair_of_runs_has_a_key_of_its_own() -> None:
    ends = [(N1, 1), (N2, 1), (N2, 2), (NodeName("n"), 11)]
    keys = {session_key(KEY, a, b) for a in ends for b in ends}
    assert len(keys) == len(ends) ** 2
    assert {len(key) for key in keys} == {20}
    assert session_key(bytes(32), *ends[:2]) not in keys


def test_the_key_is_that_of_hkdf() -> None:
    # Of `openssl kdf -keylen 20 -kdfopt digest:SHA2-256`, hexkey 00 to 1f, hexsalt 32 times 00, hexinfo as documented.
    assert session_key(KEY, (N1, 1), (N2, 42)).hex() == "08d544be93b7ca1d7be1fc99604f22b0ba85d77c"
