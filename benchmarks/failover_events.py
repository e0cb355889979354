"""What can happen to a node, and what is noticed of it from outside until all is well again."""

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median
from typing import Self

from benchmarks.failover_attempts import (
    Attempts,
    alone_since,
    disturbed,
    first_answer,
    longest_gap,
    two_at_once,
    unanswered,
)
from benchmarks.failover_watch import NewHosts, WarmClient, Watch
from benchmarks.failover_world import CLIENT, NEW_HOST, NODES, World

_PATIENCE = 30.0
# Seconds: what an answer may take, for how long a state must last to be believed, and between two looks.
_IN_FLIGHT, _STEADY, _PAUSE = 0.1, 0.15, 0.02
# For so long every event is watched at least, and after a failure it is left as it is: a Linux neighbour ignores some
# changes within a second of the last one.
_LEAST, _LOCKTIME = 0.4, 1.1
# Failures come at any phase of the probes of membership, which are 0.2 s apart.
_LONGEST_REST = 0.3


@dataclass(frozen=True, slots=True)
class Happening:
    """
    What became of the addresses of one node at one event; of several addresses the worst. Seconds, and counts of all.

    `gap` is the longest time for which probes of the warm client were lost, `silence` for which questions of new hosts
    were not answered, `two_owners` for which several nodes answered them. `moved` and `settled` is how long it took
    until the client, and new hosts, were answered by the right node alone. `bystanders` is how many questions about
    addresses of the other nodes were not answered by their owner alone. `floor` is what the bare member, or the kernel,
    took.
    """

    gap: float
    lost: int
    probes: int
    silence: float
    unanswered: int
    questions: int
    two_owners: float
    moved: float
    settled: float
    bystanders: int
    floor: float


class Events:
    """Makes things happen to a node, and gives what they were like. Used as a context manager."""

    def __init__(self, world: World) -> None:
        self._world = world
        lab = world.lab
        addresses = [address for node in NODES for address in world.addresses[node]]
        owners = {bytes.fromhex(lab.mac(node).replace(":", "")): node for node in NODES}
        self._client = WarmClient(lab.namespace(CLIENT), addresses)
        self._new = NewHosts(lab.namespace(NEW_HOST), [*addresses, *map(lab.address, NODES)], owners)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._client)
        await self._stack.enter_async_context(self._new)
        for node in NODES:
            await self._settled(node, {node}, 0.0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def kill(self, node: str) -> tuple[Happening, Happening]:
        """SIGKILL; then it is started again."""
        lost = await self._event(node, self._signals(node, signal.SIGKILL), _others(node), self._found("dead", node))
        await self._world.ended(node)
        return lost, await self._start_again(node)

    async def end(self, node: str) -> tuple[Happening, Happening]:
        """SIGTERM; then it is started again."""
        gone = await self._event(node, self._signals(node, signal.SIGTERM), _others(node), self._found("left", node))
        await self._world.ended(node)
        return gone, await self._start_again(node)

    async def drain(self, node: str) -> tuple[Happening, Happening]:
        """The label; then it is taken away again."""
        begin, end = self._at_once(lambda: self._world.label(node, is_drained=True)), self._kernel(node)
        drained = await self._event(node, begin, _others(node), end)
        begin = self._at_once(lambda: self._world.label(node, is_drained=False))
        return drained, await self._event(node, begin, {node}, end)

    async def cut(self, node: str) -> tuple[Happening, Happening]:
        """The cable is pulled at the switch, and put back in."""
        lab = self._world.lab
        return await self._apart(node, lambda: lab.cut(node), lambda: lab.restore(node))

    async def part(self, node: str) -> tuple[Happening, Happening]:
        """The switch forwards nothing from and to the node, which doesn't notice; then it forwards again."""
        part = self._world.part
        begin, end = (lambda: part(node, is_forwarding=False)), (lambda: part(node, is_forwarding=True))
        return await self._apart(node, begin, end)

    async def _apart(
        self, node: str, begin: Callable[[], None], end: Callable[[], None]
    ) -> tuple[Happening, Happening]:
        lost = await self._event(node, self._at_once(begin), _others(node), self._found("dead", node))
        await asyncio.sleep(_LOCKTIME)
        return lost, await self._event(node, self._at_once(end), {node}, self._kernel_again(node))

    async def _start_again(self, node: str) -> Happening:
        async def begin() -> float:
            await self._world.start(node)
            return time.monotonic()

        return await self._event(node, begin, {node}, self._kernel(node))

    async def _event(
        self,
        node: str,
        begin: Callable[[], Awaitable[float]],
        owners: set[str],
        floor: Callable[[float], float | None],
    ) -> Happening:
        """Make something happen, wait until each address of the node is answered for by one of the owners alone."""
        if node not in owners:
            await asyncio.sleep(random.uniform(0, _LONGEST_REST))  # noqa: S311
            await self._until("that the bare members meet", self._world.have_met)
        self._client.forget()
        self._new.forget()
        since = await begin()
        await asyncio.sleep(_LEAST)
        moments = await self._settled(node, owners, since)
        floors: list[float] = []
        await self._until("for the floor", lambda: _noted(floors, floor(since)))
        # As far as answers have come for certain, and no further.
        addresses = self._world.addresses[node]
        until = time.monotonic() - _IN_FLIGHT
        probes = [_until(self._client, address, until) for address in addresses]
        questions = [_until(self._new, address, until) for address in addresses]
        return Happening(
            gap=max(map(longest_gap, probes)),
            lost=sum(map(unanswered, probes)),
            probes=sum(map(len, probes)),
            silence=max(map(longest_gap, questions)),
            unanswered=sum(map(unanswered, questions)),
            questions=sum(map(len, questions)),
            two_owners=max(map(two_at_once, questions)),
            moved=max(moments[0]),
            settled=max(moments[1]),
            bystanders=self._bystanders(node, until),
            floor=floors[0],
        )

    def _bystanders(self, node: str, until: float) -> int:
        owned = [(other, address) for other in _others(node) for address in self._world.addresses[other]]
        return sum(disturbed(_until(self._new, address, until), other) for other, address in owned)

    async def _settled(self, node: str, owners: set[str], since: float) -> tuple[list[float], list[float]]:
        """Wait; gives how long each address took in the eyes of the client, and of new hosts."""
        found: list[list[float]] = []
        owner: set[str] = set()

        def is_settled() -> bool:
            found.clear()
            owner.clear()
            now = time.monotonic()
            for watch in (self._client, self._new):
                alone = [
                    alone_since(_until(watch, address, now - _IN_FLIGHT), owners)
                    for address in self._world.addresses[node]
                ]
                found.append([max(0.0, one[1] - since) for one in alone if one and one[1] < now - _STEADY])
                owner.update(one[0] for one in alone if one)
            return all(len(times) == len(self._world.addresses[node]) for times in found) and self._agree(node)

        await self._until(f"that the addresses of {node} are with {' or '.join(sorted(owners))}", is_settled)
        return found[0], found[1]

    def _agree(self, node: str) -> bool:
        """Whether the client and new hosts are answered by the same node, for each address."""
        addresses = self._world.addresses[node]
        lasts = [
            [next(iter(watch.attempts[a][-8].answers), "") for a in addresses] for watch in (self._client, self._new)
        ]
        return lasts[0] == lasts[1]

    async def _until(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not condition():
            self._world.check()
            if time.monotonic() > deadline:
                raise SystemExit(f"waited {_PATIENCE:.0f} s in vain {what}: see {self._world.kept()}")
            await asyncio.sleep(_PAUSE)

    def _signals(self, node: str, number: signal.Signals) -> Callable[[], Awaitable[float]]:
        async def begin() -> float:
            return self._world.signal(node, number)

        return begin

    @staticmethod
    def _at_once(event: Callable[[], None]) -> Callable[[], Awaitable[float]]:
        async def begin() -> float:
            since = time.monotonic()
            # In a thread: a command takes some milliseconds, in which others are to be answered.
            await asyncio.to_thread(event)
            return since

        return begin

    def _found(self, what: str, node: str) -> Callable[[float], float | None]:
        """Until the first of the bare members that are left knows it."""

        def floor(since: float) -> float | None:
            found = self._world.first_noticed(what, node, since)
            return None if found is None else found - since

        return floor

    def _kernel(self, node: str) -> Callable[[float], float | None]:
        """What the kernel of the node took to answer a question for its own address."""

        def floor(_since: float) -> float | None:
            attempts = self._new.attempts[self._world.lab.address(node)]
            return median([at - attempt.sent_at for attempt in attempts for at in attempt.answers.values()])

        return floor

    def _kernel_again(self, node: str) -> Callable[[float], float | None]:
        """Until the kernel of the node answered a question for its own address again."""

        def floor(since: float) -> float | None:
            answered = first_answer(self._new.attempts[self._world.lab.address(node)])
            return None if answered is None else answered - since

        return floor


def _others(node: str) -> set[str]:
    return {other for other in NODES if other != node}


def _noted(found: list[float], value: float | None) -> bool:
    if value is not None:
        found.append(value)
    return bool(found)


def _until(watch: Watch, address: str, until: float) -> Attempts:
    return [attempt for attempt in watch.attempts[address] if attempt.sent_at < until]
