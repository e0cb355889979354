"""
A cluster of speakers on one switch, with clients, and what an observer above it all writes down.

Files, the cluster's objects and the controller's verdict reach each node at a time of their own.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from reconciler.addresses.family import Address, parse_address
from reconciler.membership.revisions import Published
from reconciler.model.desired import DesiredState
from reconciler.model.observed import NodeName, ObservedState
from tests.builders import desired, observed, pool, service
from tests.placement.builders import endpoints, l2, node
from tests.simulation.group import Group
from tests.simulation.network import Client, Switch
from tests.simulation.speaker import Speaker
from tests.simulation.timeline import Timeline

ADDRESSES: tuple[Address, ...] = tuple(parse_address(f"192.0.2.{last}") for last in (101, 102, 103))
OCTETS = frozenset(address.packed for address in ADDRESSES)
FIRST = "0" * 12

_Read = TypeVar("_Read")


def revision(number: int) -> str:
    """The name of a configuration; `configuration` says what it does."""
    return f"{number:x}" * 12


@dataclass
class Recorder:
    """
    What was seen, by address: since when it stands so, and the longest that it stood in a row, in seconds.

    `unanswered`: nobody on the main island answers. `contended`: more than one there announces of its own accord.
    """

    is_watching: bool = False
    unanswered_since: dict[bytes, float] = field(default_factory=dict)
    contended_since: dict[bytes, float] = field(default_factory=dict)
    unanswered: float = -1.0
    contended: float = 0.0

    def watch(self) -> None:
        """Count from now on."""
        self.is_watching = True
        self.unanswered, self.contended = -1.0, 0.0

    def note(self, address: bytes, answering: int, claiming: int, now: float) -> None:
        """So many answer, and so many announce."""
        for since, is_so in ((self.unanswered_since, answering == 0), (self.contended_since, claiming > 1)):
            if is_so:
                since.setdefault(address, now)
        if self.is_watching:
            self.unanswered = max(self.unanswered, now - self.unanswered_since.get(address, now + 1))
            self.contended = max(self.contended, now - self.contended_since.get(address, now))
        if answering:
            self.unanswered_since.pop(address, None)
        if claiming <= 1:
            self.contended_since.pop(address, None)


class World:
    """Nodes n0, n1, …, two clients, and three addresses that any node may announce."""

    def __init__(self, nodes: int, chance: Random, *, loss: float = 0.0) -> None:
        self.timeline = Timeline()
        self.timeline.after_each = self._observe
        self.chance = chance
        self.switch = Switch(self.timeline, chance, loss)
        self.group = Group(self.timeline, chance, self.switch, loss)
        self.names = tuple(NodeName(f"n{number}") for number in range(nodes))
        self.configurations = {revision(number): _configuration(number, self.names) for number in range(8)}
        self.recorder = Recorder()
        self.speakers: dict[NodeName, Speaker] = {}
        self.clients = [Client(f"client{number}", number, self.timeline, self.switch) for number in range(2)]
        self._drained: frozenset[NodeName] = frozenset()
        self._observed = dict.fromkeys(self.names, self._snapshot())
        self._files = dict.fromkeys(self.names, FIRST)
        self._said = Published(revision=FIRST, verdict="passed", in_force=FIRST)
        self._published = dict.fromkeys(self.names, self._said)
        self._kept: dict[NodeName, str] = {}
        self._epochs = 0
        for name in self.names:
            self.start(name)
        self.run(3.0)

    # What a speaker finds

    def observed(self, node: NodeName) -> ObservedState:
        return self._observed[node]

    def published(self, node: NodeName) -> Published | None:
        return self._published[node]

    def files(self, node: NodeName) -> str:
        return self._files[node]

    def keep(self, node: NodeName, revision: str) -> None:
        self._kept[node] = revision

    def kept(self, node: NodeName) -> str | None:
        return self._kept.get(node)

    # What people and fate do

    @property
    def now(self) -> float:
        return self.timeline.now

    def run(self, seconds: float) -> None:
        """Let time pass; the clients use the addresses now and then."""
        until = self.now + seconds
        for client in self.clients:
            moment = self.now + self.chance.uniform(0.0, 2.0)
            while moment < until:
                self.timeline.at(moment, lambda client=client: client.use(sorted(OCTETS)))  # type: ignore[misc]
                moment += self.chance.uniform(0.2, 5.0)
        self.timeline.run(until)

    def start(self, name: NodeName) -> None:
        """Start the speaker of a node, unless it runs."""
        before = self.speakers.get(name)
        if before is None or not before.is_running:
            self._epochs += 1
            mac = bytes((2, 0, 0, 0, 0, 10 + self.names.index(name)))
            self.speakers[name] = Speaker(name, mac, self._epochs, self)

    def running(self) -> list[Speaker]:
        """The speakers that run, by name."""
        return [speaker for name, speaker in sorted(self.speakers.items()) if speaker.is_running]

    def split(self, islands: dict[str, int]) -> None:
        """Cut the network in parts, or put it together again."""
        self.switch.split(islands)
        self.group.look()

    def drain(self, drained: Iterable[NodeName]) -> None:
        """These nodes, and no others, are excluded from load balancing; each node reads it when it does."""
        self._drained = frozenset(drained)
        for name in self.names:
            self.timeline.after(self.chance.uniform(0.002, 0.1), self._read(self._observed, name, self._snapshot))

    def deliver(self, name: NodeName, found: str) -> None:
        """The files of a node are these from now on."""
        self._read(self._files, name, lambda: found)()

    def publish(self, published: Published) -> None:
        """The controller says something; each node reads it within a second or so."""
        self._said = published
        for name in self.names:
            self.timeline.after(self.chance.uniform(0.002, 1.2), self._read(self._published, name, lambda: self._said))

    def _read(self, where: dict[NodeName, _Read], name: NodeName, what: Callable[[], _Read]) -> Callable[[], None]:
        # What there is when it is read: nobody reads the past.
        def read() -> None:
            where[name] = what()
            speaker = self.speakers[name]
            if speaker.is_running:
                speaker.wake()

        return read

    def _snapshot(self) -> ObservedState:
        services = [service(f"shop/s{n}", ingress=str(address)) for n, address in enumerate(ADDRESSES)]
        return observed(
            *services,
            nodes=[node(name, excluded=name in self._drained) for name in self.names],
            endpoints={one.key: endpoints(" ".join(self.names)) for one in services},
        )

    # What can be seen from above

    def answering(self, address: bytes, island: int = 0) -> list[NodeName]:
        """Who answers for an address on an island."""
        return [s.node for s in self._on(island) if address in s.answered]

    def claiming(self, address: bytes, island: int = 0) -> list[NodeName]:
        """Who announces an address there of its own accord."""
        return [s.node for s in self._on(island) if address in s.claimed]

    def _on(self, island: int) -> list[Speaker]:
        return [speaker for speaker in self.running() if self.switch.island(speaker.node) == island]

    def _observe(self) -> None:
        claims = [(speaker.answered, speaker.claimed) for speaker in self._on(0)]
        for address in OCTETS:
            answering = sum(address in answered for answered, _ in claims)
            claiming = sum(address in claimed for _, claimed in claims)
            self.recorder.note(address, answering, claiming, self.now)

    def owners(self) -> dict[bytes, NodeName]:
        """Who owns each address, where exactly one does on the main island, and nobody else answers."""
        owners = {}
        for address in OCTETS:
            claiming = self.claiming(address)
            if len(claiming) == 1 and self.answering(address) == claiming:
                owners[address] = claiming[0]
        return owners

    def mac(self, name: NodeName) -> bytes:
        """The hardware address of a node."""
        return bytes((2, 0, 0, 0, 0, 10 + self.names.index(name)))


def _configuration(number: int, names: tuple[NodeName, ...]) -> DesiredState:
    """Each prefers another node, so that addresses move; the first leaves it to the election."""
    preferring: dict[str, int] = {names[number % len(names)]: 10} if number else {}
    return desired(pool("p", "192.0.2.0/24"), revision=revision(number), l2=[l2(preferring=preferring)])
