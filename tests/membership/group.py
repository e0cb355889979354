"""Speakers' groups on this machine, for tests: each member with what it was told."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from reconciler.membership.facts import Facts, Peer
from reconciler.membership.gossip import Gossip
from reconciler.model.observed import NodeName
from reconciler.model.settings import MembershipSettings

KEY = bytes(range(32))
READY = Facts(is_ready=True)
# Tests wait for what must come about; this is when they give up.
PATIENCE = 20.0


@dataclass
class Told:
    reasons: list[str] = field(default_factory=list)
    messages: list[tuple[NodeName, int, bytes]] = field(default_factory=list)

    def message(self, node: NodeName, epoch: int, data: bytes) -> None:
        self.messages.append((node, epoch, data))


class Member:
    """One member on the loopback, and whom it looks for."""

    def __init__(
        self,
        name: str,
        *,
        seeds: Sequence[str] = (),
        key: bytes = KEY,
        port: int = 0,
        bind: str | None = None,
        join_timeout: float = 2.0,
    ) -> None:
        self.name = name
        self.told = Told()
        self.seeds: Sequence[str] | Exception = seeds
        self.reads = 0
        self.gossip = Gossip(
            NodeName(name),
            bind=bind or f"127.0.0.1:{port}",
            key=key,
            seeds=self._seeds,
            settings=MembershipSettings(port=port or 1, join_timeout=join_timeout),
            on_change=self.told.reasons.append,
            on_message=self.told.message,
        )

    async def _seeds(self) -> Sequence[str]:
        self.reads += 1
        if isinstance(self.seeds, Exception):
            raise self.seeds
        return self.seeds

    @property
    def names(self) -> list[str]:
        return [peer.node for peer in self.gossip.peers()]

    def facts(self, node: str) -> Facts | None:
        peer = self.peer(node)
        return None if peer is None else peer.facts

    def peer(self, node: str) -> Peer | None:
        return next((peer for peer in self.gossip.peers() if peer.node == node), None)


@asynccontextmanager
async def started(*members: Member) -> AsyncIterator[None]:
    try:
        for member in members:
            await member.gossip.start()
        yield
    finally:
        for member in members:
            await member.gossip.close()


@asynccontextmanager
async def joined(*members: Member) -> AsyncIterator[None]:
    """All of them started, and found by way of the first."""
    async with started(*members):
        for member in members:
            member.seeds = [members[0].gossip.address]
            assert await member.gossip.join()
        everybody = sorted(member.name for member in members)
        await until(lambda: all(member.names == everybody for member in members))
        yield


async def until(holds: Callable[[], bool], patience: float = PATIENCE) -> None:
    end = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < end, "it has not come about"
        await asyncio.sleep(0.005)
