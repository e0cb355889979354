"""What every node announces before and after, compared one node at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reconciler.cli.comparison import announcement_rows
from reconciler.cli.report import AnnouncementRow
from reconciler.model.desired import DesiredState
from reconciler.model.observed import Members, NodeName, ObservedState
from reconciler.placement.decisions import Placed, Placement
from reconciler.placement.election import Elections
from reconciler.placement.place import place, place_nodes, speakers
from reconciler.plan.announcements import Change, diff_placements
from reconciler.plan.guard import Silenced
from reconciler.plan.silence import announces_alike, silenced

# So few nodes are decided one by one: that one wins or loses takes few hashes, and who wins takes one for each node.
_FEW = 3


@dataclass(frozen=True, slots=True)
class Side:
    """A configuration, and the cluster it meets."""

    desired: DesiredState
    observed: ObservedState

    def places_like(self, other: "Side") -> bool:
        """Whether both lead to the same announcements: then one of them need not be worked out."""
        return self.observed is other.observed and announces_alike(self.desired, other.desired)


class Comparison:
    """
    The announcements of every node that is ready, all of them taken as alive and their links as up.

    `shown` are the nodes whose rows are wanted, None for all. Whom the change would silence is asked of all nodes, and
    only where `watch` says so.
    """

    def __init__(
        self, before: Side, after: Side, *, lb_class: str, shown: frozenset[NodeName] | None, watch: bool
    ) -> None:
        self._before, self._after = before, after
        self._lb_class = lb_class
        self._shown = shown
        self._watch = watch

    def rows(self) -> Iterator[AnnouncementRow]:
        """The rows of each node in turn, by name; then by address."""
        for before, after in self._placements():
            yield from announcement_rows(before.node, _changes(before, after))

    @property
    def silenced(self) -> Silenced:
        """The addresses that somebody announced before and nobody does after."""
        if not self._watch:
            return frozenset()
        before, after = self._before, self._after
        return silenced(before.desired, after.desired, before.observed, after.observed, lb_class=self._lb_class)

    def _placements(self) -> Iterable[tuple[Placement, Placement]]:
        elections = Elections()
        before = self._place(self._before, elections)
        if self._before.places_like(self._after):
            return ((placement, placement) for placement in before)
        return zip(before, self._place(self._after, elections), strict=True)

    def _place(self, side: Side, elections: Elections) -> Iterator[Placement]:
        members = speakers(side.observed)
        nodes = {member.node for member in members}
        if self._shown is not None:
            nodes &= self._shown
        if len(nodes) <= _FEW:
            return (self._place_one(side, members, node) for node in sorted(nodes))
        return place_nodes(side.desired, side.observed, members, nodes, lb_class=self._lb_class, elections=elections)

    def _place_one(self, side: Side, members: Members, node: NodeName) -> Placement:
        return place(side.desired, side.observed, members, node, lb_class=self._lb_class, explain=False)


def _changes(before: Placement, after: Placement) -> Iterable[tuple[Change, Placed]]:
    if before is after:
        return ((Change.KEEP, placed) for placed in after.placed)
    return diff_placements(before, after)
