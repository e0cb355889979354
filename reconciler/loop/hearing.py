"""What other speakers become and say, passed on to those who act on it."""

from collections.abc import Callable

from reconciler.announcers.layer2 import Layer2Announcer
from reconciler.loop.adoption import Adoption
from reconciler.loop.group import Group
from reconciler.loop.handing_over import HandingOver
from reconciler.loop.occupied import Occupied
from reconciler.membership.facts import Peer
from reconciler.membership.messages import Adopted, InUse, Message, Silent, Taken, TakeOver
from reconciler.model.announcements import L2Announcement
from reconciler.model.observed import NodeName
from reconciler.plan.actions import Withdraw

# Seconds in which a speaker that starts has heard what the others know.
_A_MOMENT = 5.0


class Hearing:
    """The listener of a `Group`; wired to everybody before the group is joined."""

    def __init__(
        self,
        *,
        announcer: Layer2Announcer,
        handing_over: HandingOver,
        adoption: Adoption,
        group: Group,
        occupied: Occupied,
        wake: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._announcer = announcer
        self._handing_over = handing_over
        self._adoption = adoption
        self._group = group
        self._occupied = occupied
        self._wake = wake
        self._clock = clock
        # So many there were, so many of them before the present pass looked, and so many are answered.
        self._reunions = self._seen = self._answered = 0
        self._present: frozenset[tuple[NodeName, bool]] = frozenset()

    def members_changed(self, reason: str) -> None:
        """Somebody may count, or not count any more, as a candidate."""
        self._announcer.members_known(self._group.hardware_addresses())
        self._inform_newcomers()
        self._wake(reason)

    def reunited(self) -> None:
        """Others may have announced what we own: everybody is told once more, after the next pass."""
        self._reunions += 1

    def look(self) -> None:
        """A pass is about to ask for the members."""
        self._seen = self._reunions

    def announce_again(self) -> None:
        """
        After a pass: what is still ours is announced anew if others were alive apart from us.

        Not where this was heard while the pass was under way: it may have decided without them.
        """
        if self._answered < self._seen:
            self._answered = self._seen
            self._announcer.again()

    async def heard(self, node: NodeName, message: Message) -> None:
        """Another speaker says something to us."""
        match message:
            case TakeOver():
                await self._handing_over.heard_take_over(node, message)
            case Taken():
                await self._handing_over.heard_taken(node, message)
            case Adopted(revision=revision):
                self._adoption.heard(node, revision)
            case InUse():
                self._occupied.heard(message)
                await self._ask_first(message)
            case Silent():
                # The group takes these in itself.
                pass

    def _inform_newcomers(self) -> None:
        # Once they are seen, and once they are candidates: they may have missed the first, not knowing us yet.
        before, self._present = self._present, frozenset(map(_standing, self._group.peers()))
        if self._present - before:
            self._occupied.say_again()

    async def _ask_first(self, message: InUse) -> None:
        """Who starts may announce a moment before it hears that a host has the address: the next pass probes it."""
        if not message.is_in_use or message.address not in self._announcer.announced_octets:
            return
        # One that clients have used for longer is not given up at another's word: it is defended where it is claimed.
        since = self._clock() - _A_MOMENT
        for fact in self._announcer.announced():
            if fact.address.packed == message.address and fact.since > since:
                await self._announcer.apply(Withdraw(L2Announcement(fact.address)))
                self._wake(f"another host was found to use {fact.address}")


def _standing(peer: Peer) -> tuple[NodeName, bool]:
    return peer.node, peer.facts is not None and peer.facts.is_ready
