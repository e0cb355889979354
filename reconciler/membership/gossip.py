"""
The speakers' group: who is alive, what each says of itself, and what they say to each other, by the library kinship.

Rules are elsewhere: `roster` says who counts, `facts_codec` and `envelopes` what the octets mean; `search` finds those
that are missing. kinship's protocol runs in a thread of its own, so a busy loop makes no node look dead.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

import kinship

from reconciler.errors import ReconcilerError
from reconciler.membership.envelopes import (
    Apart,
    Published,
    Told,
    member_name,
    node_of,
    read_tags,
    seal,
    tags_of,
    unseal,
)
from reconciler.membership.facts import Facts, Peer
from reconciler.membership.kinship_config import kinship_config
from reconciler.membership.roster import Attendance
from reconciler.membership.search import Search, Seeds
from reconciler.membership.seeds import endpoint, host_of
from reconciler.model.observed import NodeName
from reconciler.model.settings import MembershipSettings

_LOG = logging.getLogger(__name__)

# Both sides of a partition are told twice that it is over: a datagram may be lost.
_TOLD_AGAIN = 0.2
# A conflict shows at every exchange with the other host.
_CONFLICT_SILENCE = 60.0
_MOST_CONFLICTS = 100
_LIVE = {kinship.State.ALIVE, kinship.State.SUSPECT}


class GossipError(ReconcilerError):
    """A node cannot take part in the group; the message says why."""


class Gossip:
    """
    One node's part in the group; `async with`, or `start` and `close`.

    `attendance` remembers what `members_of` and the announcements need of members that are gone.
    """

    def __init__(
        self,
        node: NodeName,
        *,
        bind: str,
        key: bytes,
        seeds: Seeds,
        settings: MembershipSettings,
        on_change: Callable[[str], None],
        on_message: Callable[[NodeName, int, bytes], None],
        advertise: str | None = None,
        on_missing: Callable[[Sequence[str]], None] | None = None,
    ) -> None:
        """
        Args:
            node: The name of this node; no other may have it.
            bind: Host and port to listen at, UDP and TCP; port 0 takes a free one.
            key: 32 octets, the same for all members.
            settings: How the group is kept; the port of seeds that name none.
            seeds: Where other members may be found, this node included or not: hosts, or hosts with a port.
            on_change: Called in the loop with a reason, whenever `peers` may differ.
            on_message: Called in the loop with the sender, its epoch, and what it sent.
            advertise: Host and port by which the others reach this node; None where `bind` names a host.
            on_missing: Called in the loop with the hosts of some who are missing, whenever they are about to be asked,
                four times a second at most. A kernel that waits for an answer about a neighbour asks again only after a
                second; who asks for it here finds a partition healed that much earlier.

        Raises:
            GossipError: The key or one of the settings cannot be used.
        """
        self._node = node
        self._on_change = on_change
        self._on_message = on_message
        self.attendance = Attendance()
        self._facts = Facts()
        self._sequence = 1
        self._publishing = asyncio.Lock()
        tags = tags_of(node, self._facts, self._sequence)
        try:
            config = kinship_config(member_name(node), settings, bind=bind, advertise=advertise, key=key, tags=tags)
        except kinship.ConfigError as exc:
            raise GossipError(f"the members cannot be gossiped with: {exc}") from exc
        self._cluster = kinship.Cluster(config)
        own = [endpoint(text, settings.port) for text in (bind, advertise) if text]
        self._search = Search(self._cluster, seeds, own=own, settings=settings, on_missing=on_missing)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_searching = False
        self._failure: str | None = None
        # The newest facts of each member: of which of its runs, by which number.
        self._known: dict[NodeName, tuple[int, int, Facts | None]] = {}
        # Who joined, by the news that were read: the library may know already that one of them is gone.
        self._joiners: dict[NodeName, kinship.Member] = {}
        self._conflicts: dict[str, float] = {}

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """
        Listen, alone as yet.

        Raises:
            GossipError: The port is taken, or the host is not this node's.
        """
        enabled = logging.getLogger("kinship").isEnabledFor(logging.DEBUG)
        kinship.log_to_python(logging.DEBUG if enabled else logging.WARNING)
        try:
            await self._cluster.start()
        except (kinship.KinshipError, OSError) as exc:
            raise GossipError(f"no gossip at {self._cluster.config.bind}: {exc}") from exc
        events = self._cluster.events()
        self._spawn(self._for_good(lambda: self._listen(events)))

    async def close(self) -> None:
        """Stop. Without `leave` before, the others take it for a crash."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(RuntimeError):
            await self._cluster.close()

    async def leave(self, timeout: float) -> None:
        """Tell the others that this node goes, and wait at most `timeout` seconds until they know. Then `close`."""
        with contextlib.suppress(kinship.KinshipClosed):
            await self._cluster.leave(timeout)

    @property
    def address(self) -> str:
        """Host and port by which the others reach this node."""
        return self._cluster.local.addr

    async def join(self) -> bool:
        """
        Look for the others, for at most `join_timeout`; go on alone after that. From then on whoever is missing is
        looked for in the background.

        Returns:
            Whether this node is where it belongs: another answered, or there is nobody else to ask.
        """
        try:
            return await self._search.join()
        finally:
            if not self._is_searching:
                self._is_searching = True
                self._spawn(self._for_good(self._search.run))

    async def rejoin(self) -> bool:
        """
        Look for everybody who is missing at once, for half a second: a link has come back.

        Returns:
            Whether another answered, or nobody is missing.
        """
        return await self._search.rejoin()

    @property
    def failure(self) -> str | None:
        """Why gossip is no more, None while it lives; `on_change` was called."""
        return self._failure

    def peers(self) -> tuple[Peer, ...]:
        """
        The live members, this node included, by name.

        Who joins counts at once, who goes until the news of it is read: only then does `attendance` tell whether it
        died or restarts, and whoever looked in between would take over what is to be left with it.

        Raises:
            GossipError: Gossip has broken down, and nothing is known of anybody.
        """
        if self._failure is not None:
            raise GossipError(self._failure)
        found = {node_of(member.name, member.meta): member for member in self._cluster.members()}
        for node, joiner in self._joiners.items():
            member = found.get(node)
            if member is None or member.epoch != joiner.epoch:
                found[node] = joiner
        return tuple(self._peer(found[node]) for node in sorted(found))

    async def publish(self, facts: Facts) -> None:
        """Tell all members these facts of this node, within milliseconds; who misses it hears it by gossip."""
        async with self._publishing:
            if facts == self._facts:
                return
            self._facts = facts
            self._sequence += 1
            tags = tags_of(self._node, facts, self._sequence)
            with contextlib.suppress(kinship.KinshipClosed):
                await self._cluster.set_meta(tags)
            await self._send_to_all(seal(Published(self._cluster.local.epoch, tags)))

    async def send(self, node: NodeName, data: bytes) -> bool:
        """Send up to 64,000 octets to a member, unacknowledged; False where it is none any more."""
        return await self._send(member_name(node), seal(Told(data)))

    async def send_all(self, data: bytes) -> None:
        """Send up to 64,000 octets to every other member, unacknowledged."""
        await self._send_to_all(seal(Told(data)))

    async def _send(self, name: str, data: bytes) -> bool:
        try:
            await self._cluster.send(name, data)
        except (kinship.NotAMember, kinship.KinshipClosed):
            return False
        return True

    async def _send_to_all(self, data: bytes) -> None:
        await asyncio.gather(*(self._send(member.name, data) for member in self._others()))

    # Members, as they come and go.

    async def _listen(self, events: kinship.EventStream) -> None:
        async for event in events:
            try:
                self._handle(event)
            except Exception:  # noqa: BLE001 - what one member says must not make this node deaf to all
                _LOG.exception("an event of the group could not be handled")

    async def _for_good(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Do what must not end before `close`."""
        try:
            await work()
            why = "it was closed"
        except Exception as exc:  # noqa: BLE001 - kinship's own, or a defect: nothing is known of anybody any more
            why = f"{type(exc).__name__}: {exc}"
        self._failure = f"gossip has stopped: {why}"
        _LOG.critical(self._failure)
        self._on_change(self._failure)

    def _handle(self, event: kinship.Event) -> None:
        match event:
            case kinship.UserMessage(sender=member, data=data):
                self._hear(member, data)
            case kinship.MemberJoined(member=member):
                self._joined(member)
            case kinship.MemberUpdated(member=member):
                self._updated(member)
            case kinship.MemberDead(member=member) | kinship.MemberLeft(member=member):
                self._gone(member)
            case kinship.NameConflict(member=member, other_addr=address):
                self._conflict(member, address)
            case kinship.EventsLost():
                self._count_again()
            case kinship.MemberSuspect() | kinship.MemberRecovered():
                # A suspect remains a candidate: nothing to decide anew.
                pass

    def _joined(self, member: kinship.Member) -> None:
        peer = self._peer(member)
        self._search.found(peer.node)
        self._joiners[peer.node] = member
        self._take(peer.node, member)
        if self.attendance.joined(peer.node, peer.facts, time.monotonic()):
            # Maybe only this side believed the other dead: a process that was stopped for a while knows nothing of it.
            self._spawn(self._tell_apart(member.name))
            self._on_change(f"{peer.node} is back: it was alive apart from this node")
        else:
            self._on_change(f"{peer.node} joined")

    def _updated(self, member: kinship.Member) -> None:
        node = node_of(member.name, member.meta)
        if node in self._joiners:
            self._joiners[node] = member
        if self._take(node, member):
            self._on_change(f"{node} has news of itself")

    def _gone(self, member: kinship.Member) -> None:
        peer = self._peer(member)
        self._known.pop(peer.node, None)
        self._joiners.pop(peer.node, None)
        if member.state is kinship.State.DEAD:
            self._search.missed(peer.node, member.addr)
            self.attendance.died(peer.node)
            self._on_change(f"{peer.node} is dead")
        else:
            self._search.found(peer.node)
            self.attendance.left(peer.node, peer.facts, time.monotonic())
            self._on_change(f"{peer.node} left")

    def _hear(self, member: kinship.Member, data: bytes) -> None:
        node = node_of(member.name, member.meta)
        match unseal(data):
            case Told(data=said):
                self._on_message(node, member.epoch, said)
            case Published(epoch=epoch, tags=tags):
                is_its_own = epoch == member.epoch and node_of(member.name, tags) == node
                if is_its_own and self._take(node, replace(member, meta=tags)):
                    self._on_change(f"{node} has news of itself")
            case Apart():
                if self.attendance.reunited(node, time.monotonic()):
                    self._on_change(f"{node} believed this node dead")
            case None:
                _LOG.debug("%s sent %d octets that mean nothing", node, len(data))

    def _take(self, node: NodeName, member: kinship.Member) -> bool:
        """Take in what a member says of itself, if it is newer than what is known; tells whether it is."""
        if member.state not in _LIVE:
            return False
        sequence, facts = read_tags(member.meta)
        before = self._known.get(node)
        if before is not None and (member.epoch, sequence) <= before[:2]:
            return False
        self._known[node] = (member.epoch, sequence, facts)
        self.attendance.updated(node, facts)
        return True

    def _conflict(self, member: kinship.Member, address: str) -> None:
        """Two processes have one name: the members hear only one of them, and whoever is at `address` is not it."""
        now = time.monotonic()
        self._conflicts = {at: since for at, since in self._conflicts.items() if now - since < _CONFLICT_SILENCE}
        if address in self._conflicts or len(self._conflicts) >= _MOST_CONFLICTS:
            return
        self._conflicts[address] = now
        node = node_of(member.name, member.meta)
        _LOG.error(
            "two speakers call themselves %s, at %s and at %s: one of them is ignored", node, member.addr, address
        )
        self._on_change(f"two speakers call themselves {node}")

    def _count_again(self) -> None:
        """Some events were lost: find out from the members themselves who came and went."""
        present = {node_of(member.name, member.meta): member for member in self._others()}
        for node, joiner in tuple(self._joiners.items()):
            if node in present and present[node].epoch != joiner.epoch:
                # Its place was taken by another run of it, of which nothing was heard.
                self._gone(replace(joiner, state=kinship.State.LEFT))
        for node in {*self._known, *self._joiners}.difference(present):
            gone = self._cluster.member(member_name(node))
            if gone is not None and gone.state not in _LIVE:
                self._gone(gone)
            elif gone is None:
                self._known.pop(node, None)
                self._joiners.pop(node, None)
                self.attendance.died(node)
        for node, member in present.items():
            if node in self._known:
                self._take(node, member)
            else:
                self._joined(member)
        self._on_change("there was more news than could be read")

    async def _tell_apart(self, name: str) -> None:
        await self._send(name, seal(Apart()))
        await asyncio.sleep(_TOLD_AGAIN)
        await self._send(name, seal(Apart()))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _others(self) -> list[kinship.Member]:
        own = self._cluster.local.name
        return [member for member in self._cluster.members() if member.name != own]

    def _peer(self, member: kinship.Member) -> Peer:
        node = node_of(member.name, member.meta)
        sequence, facts = read_tags(member.meta)
        known = self._known.get(node)
        if known is not None and known[0] == member.epoch and known[1] > sequence:
            facts = known[2]
        return Peer(
            node=node,
            address=host_of(member.addr),
            epoch=member.epoch,
            is_suspect=member.state is kinship.State.SUSPECT,
            facts=facts,
        )
