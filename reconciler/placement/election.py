"""
One winner per address, the same on every node and stable when other nodes come and go.

This is MetalLB's election, so a cluster may be served by either, or by both while it moves from one to the other.
Who may stand is decided in `candidates` and `layer2`.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256

from reconciler.model.observed import NodeName


def digest(node: NodeName, key: str) -> bytes:
    """
    What a node draws for an address: the smaller digest wins, compared octet by octet.

    Args:
        node: Name of the Kubernetes node.
        key: Canonical text of the first address in the Service's status.
    """
    return sha256(f"{node}#{key}".encode()).digest()


def rank(candidates: Iterable[NodeName], key: str, scores: Mapping[NodeName, int]) -> tuple[NodeName, ...]:
    """All candidates, the winner first: higher score (0 where none is given), then smaller digest."""
    return tuple(sorted(candidates, key=lambda node: (-scores.get(node, 0), digest(node, key))))


class Electorate:
    """Nodes of equal score, ascending by name, among which addresses are drawn. Remembers every winner it named."""

    __slots__ = ("_prefixes", "_winners", "nodes")

    def __init__(self, nodes: tuple[NodeName, ...]) -> None:
        self.nodes = nodes
        self._prefixes = {node: f"{node}#".encode() for node in nodes}
        self._winners: dict[str, NodeName] = {}

    def __contains__(self, node: NodeName) -> bool:
        return node in self._prefixes

    def winner(self, key: str) -> NodeName:
        """The node that announces the address: one hash for each node, the first time it is asked."""
        found = self._winners.get(key)
        if found is None:
            suffix = key.encode()
            # The same as `digest`, which would format and encode every name anew.
            digests = [sha256(prefix + suffix).digest() for prefix in self._prefixes.values()]
            found = self._winners[key] = self.nodes[digests.index(min(digests))]
        return found

    def rival(self, node: NodeName, key: str) -> NodeName | None:
        """
        A node that beats `node`, which is one of ours; None when it wins.

        Stops at the first that does: with N nodes about 1 + ln N hashes on average.
        """
        suffix = key.encode()
        own = sha256(self._prefixes[node] + suffix).digest()
        for other, prefix in self._prefixes.items():
            if other != node and sha256(prefix + suffix).digest() < own:
                return other
        return None


class Elections:
    """
    Electorates already met and the winners they named.

    Hand one object to several placements (of other nodes, of the cluster before and after a change) and no address is
    drawn twice among the same nodes. It grows with every address, so it belongs to one command or one pass.
    """

    def __init__(self) -> None:
        self._electorates: dict[tuple[NodeName, ...], Electorate] = {}

    def among(self, nodes: Iterable[NodeName]) -> Electorate:
        """The electorate of exactly those nodes, in any order."""
        names = tuple(sorted(nodes))
        found = self._electorates.get(names)
        if found is None:
            found = self._electorates[names] = Electorate(names)
        return found
