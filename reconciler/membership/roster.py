"""
Who counts as a speaker: members and their facts → the candidates of every election. No I/O.

And what must be remembered of those that are gone: that one left for a restart only, and that one that comes back was
alive apart from us all the time.
"""

from collections.abc import Collection, Iterable, Mapping

from reconciler.membership.facts import Facts, Peer
from reconciler.model.observed import Member, Members, NodeName

# What two sides find out about one partition they know within this time: it counts once. No death is found so soon:
# what comes later is another one, even to a member that has only just joined.
_SAME_REUNION = 0.5


def members_of(
    peers: Iterable[Peer],
    *,
    own: NodeName,
    own_facts: Facts,
    absent: Mapping[NodeName, float],
    silent: Collection[NodeName],
    now: float,
) -> Members:
    """
    The speakers that may be elected, with their links.

    A suspect is still one. Where nothing is known of the facts or the links of a member, it counts and all its links
    are up. This node counts by its own facts, whatever the others have heard of it.

    Args:
        peers: `Gossip.peers`.
        own: This node.
        own_facts: What it would tell the others now.
        absent: `Attendance.absent`: until when the addresses of a member that restarts are left with it.
        silent: Nodes that fast failure detection calls dead.
        now: In seconds, on the clock of `absent`.
    """
    present = {peer.node: peer.facts for peer in peers if peer.node != own}
    members = {node: _member(node, facts) for node, facts in present.items() if _is_electable(facts)}
    members = {node: member for node, member in members.items() if node not in silent}
    for node, until in absent.items():
        # Not yet ready again is not yet back. One that gives its addresses away has ended its absence itself.
        if node != own and now < until and node not in members and not _is_leaving(present.get(node)):
            members[node] = Member(node)
    # Those who call us silent have taken over already.
    if _is_electable(own_facts) and own not in silent:
        members[own] = _member(own, own_facts)
    return frozenset(members.values())


class Attendance:
    """
    What is remembered of members that are gone. Every `now` is in seconds on one monotonic clock.

    `reunions` counts the times that a member turned out to have been alive apart from us: both may have taken over the
    same addresses, so whoever owns one announces it again.
    """

    def __init__(self) -> None:
        self.reunions = 0
        self._absent: dict[NodeName, float] = {}
        self._dead: set[NodeName] = set()
        self._reunited_at: dict[NodeName, float] = {}

    @property
    def absent(self) -> Mapping[NodeName, float]:
        """The members that restart, and until when their addresses are left with them; some may be over."""
        return dict(self._absent)

    def deadline(self, now: float) -> float | None:
        """When the next absence is over; None when nobody is absent."""
        self._absent = {node: until for node, until in self._absent.items() if now < until}
        return min(self._absent.values(), default=None)

    def left(self, node: NodeName, facts: Facts | None, now: float) -> None:
        """A member left on purpose, or another run of it took its place; `facts` are its last."""
        self._dead.discard(node)
        self._absent.pop(node, None)
        if facts is not None and _is_electable(facts) and facts.restart_grace > 0:
            self._absent[node] = now + facts.restart_grace

    def died(self, node: NodeName) -> None:
        """A member is gone without a word."""
        self._absent.pop(node, None)
        self._reunited_at.pop(node, None)
        self._dead.add(node)

    def joined(self, node: NodeName, facts: Facts | None, now: float) -> bool:
        """
        A member is there that was not; tells whether it has been alive apart from us.

        That is so when we believed it dead, and when it has been ready before we ever heard of it.
        """
        was_dead = node in self._dead
        self._dead.discard(node)
        self.updated(node, facts)
        is_ready = facts is not None and facts.is_ready
        return (was_dead or is_ready) and self.reunited(node, now)

    def updated(self, node: NodeName, facts: Facts | None) -> None:
        """A member that is there has these facts: one that is ready, or gives its addresses away, is absent no more."""
        if facts is None or facts.is_ready or facts.is_leaving:
            self._absent.pop(node, None)

    def reunited(self, node: NodeName, now: float) -> bool:
        """That member and we have been apart, or it believed so; tells whether this is news."""
        self._reunited_at = {n: at for n, at in self._reunited_at.items() if now - at < _SAME_REUNION}
        if node in self._reunited_at:
            return False
        self._reunited_at[node] = now
        self.reunions += 1
        return True


def _is_electable(facts: Facts | None) -> bool:
    return facts is None or (facts.is_ready and not facts.is_leaving)


def _is_leaving(facts: Facts | None) -> bool:
    return facts is not None and facts.is_leaving


def _member(node: NodeName, facts: Facts | None) -> Member:
    return Member(node) if facts is None else Member(node, facts.links, facts.others_up, facts.former | {facts.in_use})
