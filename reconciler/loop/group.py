"""
The other speakers as this node sees them, and what it lets them know of itself.

Who is alive comes from gossip, sooner from fast detection; who counts as a candidate is decided by the rules of
`membership`. Here they are fed, and what others say is passed on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from msgspec.structs import replace

from reconciler.l2.port import LinkState
from reconciler.loop.mailbox import Mailbox
from reconciler.membership.facts import Facts, Peer
from reconciler.membership.fast_detection import FastDetection
from reconciler.membership.gossip import Gossip, GossipError
from reconciler.membership.messages import Adopted, Message, MessageError, Silent, decode, encode
from reconciler.membership.roster import members_of
from reconciler.model.observed import InterfaceName, Link, Members, NodeName
from reconciler.model.settings import MembershipSettings, Settings

_LOG = logging.getLogger(__name__)

_LEAVE_SECONDS = 1.0
# In seconds: a few times what a message to all members takes.
_ACQUAINTANCE = 0.1
# Octets; what is said of a silent node takes fewer.
_SHORT = 512


class GroupListener(Protocol):
    """Who acts on what other speakers say and become; called in the event loop."""

    def members_changed(self, reason: str) -> None:
        """Somebody may count, or not count any more, as a candidate."""
        ...

    def reunited(self) -> None:
        """Others were alive apart from us: what we own may have been announced by them."""
        ...

    async def heard(self, node: NodeName, message: Message) -> None:
        """Another speaker says something to us."""
        ...


class OpenGossip(Protocol):
    """Takes part in the gossip, with this key, for this group, which is told of what happens."""

    async def __call__(self, settings: MembershipSettings, key: bytes, group: "Group") -> Gossip:
        """
        Listen, alone as yet.

        Raises:
            GossipError: The port is taken, or the key cannot be used.
        """
        ...


class Group:
    """
    What one node knows of the group, and lets it know. Nobody is known before `join`.

    `own` is what the others are told of this node.
    """

    def __init__(
        self,
        node: NodeName,
        *,
        key: Callable[[], Awaitable[bytes]],
        open_gossip: OpenGossip,
        clock: Callable[[], float],
    ) -> None:
        self.node = node
        self.own = Facts()
        self._key = key
        self._open_gossip = open_gossip
        self._listener: GroupListener | None = None
        self._clock = clock
        self._gossip: Gossip | None = None
        self._watch: FastDetection | None = None
        self._settings = Settings()
        self._joined_with = MembershipSettings()
        self._sending: set[asyncio.Task[None]] = set()
        self._reunions = 0
        self._mailbox = Mailbox()
        self._failed = asyncio.Event()
        self._absence: asyncio.TimerHandle | None = None

    def follow(self, listener: GroupListener) -> None:
        """Tell somebody what others say and become: before this joins."""
        self._listener = listener

    # What a pass asks

    async def join(self, settings: Settings) -> None:
        """
        Take part in the group, once: nothing is announced before the others were looked for.

        Said again with other settings, it is only how closely members are watched that changes.

        Raises:
            GossipError: The port is taken, or the key cannot be used.
            ClusterError: There is no key yet.
        """
        self._settings = settings
        if self._gossip is None:
            key = await self._key()
            gossip = await self._open_gossip(settings.membership, key, self)
            try:
                await gossip.publish(self.own)
                await gossip.join()
            except BaseException:
                # A cancellation too: the port is needed for the next attempt.
                await gossip.close()
                raise
            self._joined_with = settings.membership
            self._watch = FastDetection(
                self.node,
                key=key,
                send_all=self._send_to_all,
                on_change=self.changed,
                on_acquitted=self._acquitted,
            )
            self._gossip = gossip
            self.changed("the group is joined")
        elif settings.membership != self._joined_with:
            self._joined_with = settings.membership
            _LOG.warning("another membership section takes effect when every speaker is started anew")
        self._watch_closely()

    @property
    def has_joined(self) -> bool:
        """Whether the others were looked for."""
        return self._gossip is not None

    def peers(self) -> Sequence[Peer]:
        """The live members, this node included; none where nothing is known of anybody."""
        return self.known_peers() or ()

    def known_peers(self) -> Sequence[Peer] | None:
        """The same, None before this node has joined, or where nothing is known of anybody."""
        try:
            return self._gossip.peers() if self._gossip else None
        except GossipError:
            return None

    def members(self) -> Members:
        """
        The candidates of every election.

        Raises:
            GossipError: Gossip has broken down: who is alive is not known, so everything stays as it is.
        """
        if self._gossip is None:
            return frozenset()
        now = self._clock()
        attendance = self._gossip.attendance
        self._wake_at(attendance.deadline(now), now)
        return members_of(
            self._gossip.peers(),
            own=self.node,
            own_facts=self.own,
            absent=attendance.absent,
            silent=self.silent,
            now=now,
        )

    @property
    def silent(self) -> frozenset[NodeName]:
        """The nodes that fast failure detection calls dead."""
        return self._watch.silent() if self._watch else frozenset()

    @property
    def away(self) -> frozenset[NodeName]:
        """The members that restart, so that their addresses are left with them."""
        if self._gossip is None:
            return frozenset()
        now = self._clock()
        return frozenset(node for node, until in self._gossip.attendance.absent.items() if now < until)

    # What this node tells

    async def tell(self, **changes: Any) -> None:
        """Let the others know these facts, by the names of the fields of `Facts`."""
        facts = replace(self.own, **changes)
        if facts != self.own:
            self.own = facts
            if self._gossip is not None:
                await self._gossip.publish(facts)

    async def look_again(self) -> bool:
        """Look for all who are missing, for half a second; whether anybody else is there after that."""
        if self._gossip is not None:
            await self._gossip.rejoin()
        return any(peer.node != self.node for peer in self.peers())

    async def links_changed(self, links: Collection[LinkState]) -> None:
        """These are the links that addresses are announced on."""
        await self.tell(
            links=frozenset(Link(InterfaceName(link.name), link.has_carrier) for link in links),
            others_up=False,
            macs=frozenset(link.mac for link in links if link.mac),
        )

    async def be_ready(self, *, is_elected: bool) -> None:
        """
        Be a candidate from now on.

        The others need a moment to know of it; who becomes one at the same time is known by then as well, and nobody
        announces what is another's. Without `is_elected` there is nothing that only one may announce.
        """
        if not self.own.is_ready:
            await self.tell(is_ready=True)
            if is_elected and any(peer.node != self.node for peer in self.peers()):
                await asyncio.sleep(_ACQUAINTANCE)

    async def send(self, node: NodeName, message: Message) -> bool:
        """Say something to one member; False where it is none any more."""
        return self._gossip is not None and await self._gossip.send(node, encode(message))

    async def adopted(self, revision: str, loaded: str, former: frozenset[str]) -> None:
        """Let the others know that this node uses a revision from now on, and still needs others; all are shortened."""
        await self.tell(in_use=revision, loaded=loaded, former=former)
        if self._gossip is not None:
            await self._gossip.send_all(encode(Adopted(revision)))

    async def leave(self) -> None:
        """Go, and let the others know."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        if self._gossip is not None:
            gossip, self._gossip = self._gossip, None
            await gossip.leave(_LEAVE_SECONDS)
            await gossip.close()

    async def say_farewell(self) -> None:
        """Be no candidate any more: what this node has is handed over."""
        await self.tell(is_leaving=True)

    async def restart_within(self, seconds: float) -> None:
        """Let the others know that this node is back within so many seconds: its addresses are to stay with it."""
        await self.tell(restart_grace=seconds)

    def hardware_addresses(self) -> Mapping[bytes, NodeName]:
        """Whose links have which hardware address, this node left out."""
        return {
            mac: peer.node
            for peer in self.peers()
            if peer.facts is not None and peer.node != self.node
            for mac in peer.facts.macs
        }

    # What gossip tells, in the event loop

    def changed(self, reason: str) -> None:
        """Members came, went, or have news of themselves."""
        if self._gossip is not None and self._gossip.failure is not None:
            self._failed.set()
        if self._listener is None:
            return
        reunions = self._gossip.attendance.reunions if self._gossip is not None else 0
        if reunions > self._reunions:
            self._reunions = reunions
            self._listener.reunited()
        self._listener.members_changed(reason)
        self._watch_closely()

    def _acquitted(self) -> None:
        """Others had taken this node for dead, and may have announced what it owns."""
        if self._listener is not None:
            self._listener.reunited()
            self._listener.members_changed("the others hear this node again")

    def _watch_closely(self) -> None:
        if self._watch is not None and self._gossip is not None:
            self._watch.update(self._settings.fast_failure_detection, self.peers())

    def say(self, message: Message) -> None:
        """Say something to all members, soon; it may be lost."""
        self._send_to_all(encode(message))

    def _send_to_all(self, data: bytes) -> None:
        if self._gossip is not None:
            sending = asyncio.create_task(self._gossip.send_all(data))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)

    def received(self, node: NodeName, _epoch: int, data: bytes) -> None:
        """A member says something."""
        # At once: what waits here counts as time in which traffic is lost.
        if not (len(data) <= _SHORT and self._heard_silent(node, data)):
            self._mailbox.put(node, data)

    def _heard_silent(self, node: NodeName, data: bytes) -> bool:
        try:
            message = decode(data)
        except MessageError:
            return False
        if not isinstance(message, Silent):
            return False
        if self._watch is not None:
            self._watch.heard(node, message)
        return True

    async def run(self) -> None:
        """Pass on what others say, until cancelled."""
        while True:
            node, message = await self._mailbox.get()
            if self._listener is not None:
                await self._listener.heard(node, message)

    async def watch_gossip(self) -> None:
        """
        As long as gossip lives.

        Raises:
            GossipError: It does not: nobody is known any more, and the others take this node for dead.
        """
        await self._failed.wait()
        raise GossipError("gossip has ended: the process has to be started anew")

    def _wake_at(self, deadline: float | None, now: float) -> None:
        if self._absence is not None:
            self._absence.cancel()
            self._absence = None
        if deadline is not None:
            self._absence = asyncio.get_running_loop().call_later(
                max(0.0, deadline - now), self.changed, "a member was away for too long"
            )
