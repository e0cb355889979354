"""
Which few members watch which one closely: names in, names out, the same on every node. No I/O.

The members stand on a ring, in the order of a digest of their names, and each is watched by those that follow. So all
watch equally many, and who comes or goes concerns only those beside him.
"""

from collections.abc import Iterable
from hashlib import sha256

from reconciler.model.observed import NodeName

# A single watcher that is cut off could not be told from one whose neighbour died.
_FEWEST = 2

Ring = tuple[NodeName, ...]


def ring(members: Iterable[NodeName]) -> Ring:
    """All members in the order in which they watch each other; it does not depend on the order given."""
    return tuple(sorted(set(members), key=lambda node: (sha256(node.encode()).digest(), node)))


def watchers_of(node: NodeName, around: Ring, count: int) -> tuple[NodeName, ...]:
    """Who watches a member: the `count` that follow it, at least two; all others where they are fewer."""
    return _beside(node, around, count, 1)


def watched_by(node: NodeName, around: Ring, count: int) -> tuple[NodeName, ...]:
    """Whom a member watches: the `count` before it, the nearest first."""
    return _beside(node, around, count, -1)


def peers_of(node: NodeName, around: Ring, count: int) -> frozenset[NodeName]:
    """With whom a member has sessions: those it watches and those that watch it, for a session has two ends."""
    return frozenset(watchers_of(node, around, count)) | frozenset(watched_by(node, around, count))


def _beside(node: NodeName, around: Ring, count: int, step: int) -> tuple[NodeName, ...]:
    if node not in around:
        return ()
    at = around.index(node)
    farthest = min(max(count, _FEWEST), len(around) - 1)
    return tuple(around[(at + step * distance) % len(around)] for distance in range(1, farthest + 1))
