"""
Whom to treat as dead before the group's gossip says so: what this node hears, and what other watchers report. No I/O.

More than half of a node's watchers must agree, those left out that are silent themselves; so one that is cut off, and
hears nobody, convinces nobody. It does not convince itself either: who hears none of its neighbours takes no new
report into account. In a group of two nobody can tell which side is cut off, and the only watcher is believed, as
gossip would be a second later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from reconciler.membership.watchers import Ring, peers_of, ring, watchers_of
from reconciler.model.observed import NodeName

# Reports are repeated while they last, for a message may get lost; unrepeated they are worth nothing after a while.
REPEAT_SECONDS = 0.5
REPORT_SECONDS = 2.0
# A node that gossip has not given up after so long is reached by gossip and not by our packets: something between us
# lets one through and not the other. Longer than gossip takes with its slowest usual settings.
LONGEST_SECONDS = 10.0
_PAIR = 2


@dataclass(frozen=True, slots=True)
class Report:
    """A watcher hears nothing of a node; `epoch` is the run of the node's process that it means."""

    node: NodeName
    epoch: int


class Silence:
    """
    Collects what is heard and reported.

    Every `now` is in seconds on one monotonic clock. Look at `silent` and `reports` after each call, and again at
    `deadline`.
    """

    def __init__(self, node: NodeName) -> None:
        """`node` is this one; it belongs to the group like all others."""
        self._node = node
        self._epochs: Mapping[NodeName, int] = {}
        self._ring: Ring = ()
        self._count = 0
        # Neighbours whose last word is not older than their detection time.
        self._heard: set[NodeName] = set()
        # Neighbours that fell silent, and since when: our own verdicts.
        self._missed: dict[NodeName, tuple[int, float]] = {}
        # What others say: (watcher, node) → epoch and until when it counts.
        self._reported: dict[tuple[NodeName, NodeName], tuple[int, float]] = {}
        self._believed: frozenset[NodeName] = frozenset()

    def update(self, epochs: Mapping[NodeName, int], count: int) -> None:
        """
        The group is this now: what concerns others, or an earlier run of a node, is forgotten.

        Args:
            epochs: The run of each live member's process, this node included; those that are leaving are left out.
            count: How many watchers each has.
        """
        self._epochs, self._count = dict(epochs), count
        self._ring = ring(epochs)
        peers = peers_of(self._node, self._ring, count)
        self._heard &= peers
        self._missed = {
            node: (epoch, since)
            for node, (epoch, since) in self._missed.items()
            if node in peers and epochs[node] == epoch
        }
        self._reported = {
            (watcher, node): report
            for (watcher, node), report in self._reported.items()
            if watcher in epochs and node in epochs and epochs[node] <= report[0]
        }
        self._believed = frozenset(node for node in self._believed if node in epochs)

    def hear(self, node: NodeName) -> None:
        """A packet of a neighbour arrived."""
        self._heard.add(node)
        self._missed.pop(node, None)

    def miss(self, node: NodeName, now: float) -> None:
        """A neighbour with whom all was well fell silent."""
        self._heard.discard(node)
        if node in self._epochs:
            self._missed[node] = self._epochs[node], now

    def hears(self, node: NodeName) -> bool:
        """Whether the last word of a neighbour is not older than its detection time."""
        return node in self._heard

    def lose(self, node: NodeName) -> None:
        """A neighbour is not listened to any more, for another reason than that: no verdict."""
        self._heard.discard(node)
        self._missed.pop(node, None)

    def report(self, watcher: NodeName, report: Report, *, is_silent: bool, now: float) -> None:
        """Another member says that it hears a node no more, or hears it again."""
        key = watcher, report.node
        if not is_silent:
            self._reported.pop(key, None)
        elif watcher != self._node and {watcher, report.node} <= self._epochs.keys():
            self._reported[key] = report.epoch, now + REPORT_SECONDS

    def is_isolated(self) -> bool:
        """Whether this node hears none of its neighbours, so that it may be the one that is cut off."""
        return len(self._ring) > _PAIR and not self._heard

    def reports(self, now: float) -> frozenset[Report]:
        """What this node tells all others: its verdicts on those that it watches, unless it may be the one cut off."""
        if self.is_isolated():
            return frozenset()
        return frozenset(
            Report(node, epoch)
            for node, (epoch, since) in self._missed.items()
            if now < since + LONGEST_SECONDS and self._node in watchers_of(node, self._ring, self._count)
        )

    def silent(self, now: float) -> frozenset[NodeName]:
        """Who is to be treated as dead. It may be this node: then the others hear it no more, and go on without it."""
        accused = self._accused(now)
        found: frozenset[NodeName] = frozenset()
        # Each round leaves out the watchers that fell silent in the one before; all at once, so that the order of
        # names decides nothing.
        while (more := found | {node for node in accused if self._is_convicted(accused[node], node, found)}) != found:
            found = more
        self._believed = found & self._believed if self.is_isolated() else found
        return self._believed

    def deadline(self, now: float) -> float:
        """When `silent` may change by itself; infinite when it will not."""
        ends = [until for _, until in self._reported.values()]
        ends += [since + LONGEST_SECONDS for _, since in self._missed.values()]
        return min((end for end in ends if end > now), default=inf)

    def _accused(self, now: float) -> dict[NodeName, set[NodeName]]:
        """By node, the members that hear nothing of its present run."""
        accused: dict[NodeName, set[NodeName]] = {}
        for (watcher, node), (epoch, until) in self._reported.items():
            if now < until and self._epochs.get(node) == epoch:
                accused.setdefault(node, set()).add(watcher)
        for node, (_, since) in self._missed.items():
            if now < since + LONGEST_SECONDS:
                accused.setdefault(node, set()).add(self._node)
        return accused

    def _is_convicted(self, accusers: set[NodeName], node: NodeName, silent: frozenset[NodeName]) -> bool:
        watchers = [watcher for watcher in watchers_of(node, self._ring, self._count) if watcher not in silent]
        return 2 * sum(watcher in accusers for watcher in watchers) > len(watchers)
