"""Which nodes are able to announce at all: their conditions, labels, speakers, links and endpoints."""

from collections.abc import Iterable

from reconciler.model.observed import Endpoint, InterfaceName, Member, Members, Node, NodeName
from reconciler.model.selectors import Labels, LabelSelector, matches_any_or_none_given
from reconciler.placement.decisions import DeclineReason


class Candidates:
    """The nodes of a cluster and the speakers alive on them, read once for all Services."""

    def __init__(
        self,
        nodes: Iterable[Node],
        members: Members,
        *,
        ignore_exclude_label: bool = False,
        drain_taints: Iterable[str] = (),
    ) -> None:
        self._nodes = {node.name: node for node in nodes}
        self._members = {member.node: member for member in members}
        self._ignore_exclude_label = ignore_exclude_label
        self._drain_taints = frozenset(drain_taints)
        self._listed: dict[tuple[LabelSelector, ...], frozenset[NodeName]] = {}
        self.speaking = tuple(sorted(name for name in self._members if self.bar(name) is None))

    def among(self, members: Iterable[Member]) -> "Candidates":
        """The same nodes, with only these of the speakers."""
        return Candidates(
            self._nodes.values(),
            frozenset(members),
            ignore_exclude_label=self._ignore_exclude_label,
            drain_taints=self._drain_taints,
        )

    @property
    def names(self) -> tuple[NodeName, ...]:
        """Every node there is an object of or a speaker on, ascending."""
        return tuple(sorted(self._nodes.keys() | self._members.keys()))

    def labels(self, name: NodeName) -> Labels:
        """The labels of a node; none as long as its object has not been seen."""
        node = self._nodes.get(name)
        return node.labels if node else ()

    def is_known(self, name: NodeName) -> bool:
        """Whether the cluster has an object of that node."""
        return name in self._nodes

    def listed(self, selectors: tuple[LabelSelector, ...]) -> frozenset[NodeName]:
        """The nodes an advertisement lists; without selectors every node there is an object of."""
        found = self._listed.get(selectors)
        if found is None:
            found = frozenset(n.name for n in self._nodes.values() if matches_any_or_none_given(selectors, n.labels))
            self._listed[selectors] = found
        return found

    def unfit(self, name: NodeName) -> DeclineReason | None:
        """What the Node object says against the node; a node without an object passes."""
        node = self._nodes.get(name)
        if node is None:
            return None
        if node.network_unavailable:
            return DeclineReason.NODE_NETWORK_UNAVAILABLE
        if node.excluded and not self._ignore_exclude_label:
            return DeclineReason.NODE_EXCLUDED
        return DeclineReason.NODE_DRAINED if self.draining_taints(name) else None

    def draining_taints(self, name: NodeName) -> tuple[str, ...]:
        """The taints of a node that the configuration names as a reason to hand its addresses over, sorted."""
        node = self._nodes.get(name)
        return tuple(taint for taint in node.taints if taint in self._drain_taints) if node else ()

    def bar(self, name: NodeName) -> DeclineReason | None:
        """What keeps a node out of every election: no speaker alive on it, or its Node object."""
        return self.unfit(name) if name in self._members else DeclineReason.NO_SPEAKER

    def has_link_up(self, name: NodeName, interfaces: frozenset[InterfaceName] | None) -> bool:
        """
        Whether one of those interfaces (None: any) of a speaking node has a carrier; unknown links count as up.

        An interface that the speaker does not name is up where all others of the node are, and missing otherwise.
        """
        member = self._members[name]
        if member.links is None:
            return True
        if any(link.carrier and (interfaces is None or link.name in interfaces) for link in member.links):
            return True
        named = {link.name for link in member.links}
        return member.others_up and (interfaces is None or not interfaces <= named)


def hosts(endpoints: Iterable[Endpoint]) -> set[NodeName]:
    """The nodes with an endpoint that can serve; endpoints that name no node are passed over."""
    return {endpoint.node for endpoint in endpoints if endpoint.serving and endpoint.node is not None}
