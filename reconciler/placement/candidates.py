"""Which nodes are able to announce at all: their conditions, labels, speakers, links and endpoints."""

from collections.abc import Iterable

from reconciler.model.observed import Endpoint, InterfaceName, Members, Node, NodeName
from reconciler.model.selectors import Labels, LabelSelector, matches_any_or_none_given
from reconciler.placement.decisions import DeclineReason


class Candidates:
    """The nodes of a cluster and the speakers alive on them, read once for all Services."""

    def __init__(self, nodes: Iterable[Node], members: Members, *, ignore_exclude_label: bool = False) -> None:
        self._nodes = {node.name: node for node in nodes}
        self._links = {member.node: member.links for member in members}
        self._ignore_exclude_label = ignore_exclude_label
        self._listed: dict[tuple[LabelSelector, ...], frozenset[NodeName]] = {}
        self.speaking = tuple(sorted(name for name in self._links if self.bar(name) is None))

    @property
    def names(self) -> tuple[NodeName, ...]:
        """Every node there is an object of or a speaker on, ascending."""
        return tuple(sorted(self._nodes.keys() | self._links.keys()))

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
        return None

    def bar(self, name: NodeName) -> DeclineReason | None:
        """What keeps a node out of every election: no speaker alive on it, or its Node object."""
        return self.unfit(name) if name in self._links else DeclineReason.NO_SPEAKER

    def has_link_up(self, name: NodeName, interfaces: frozenset[InterfaceName] | None) -> bool:
        """Whether one of those interfaces (None: any) of a speaking node has a carrier; unknown links count as up."""
        links = self._links[name]
        if links is None:
            return True
        return any(link.carrier and (interfaces is None or link.name in interfaces) for link in links)


def hosts(endpoints: Iterable[Endpoint]) -> set[NodeName]:
    """The nodes with an endpoint that can serve; endpoints that name no node are passed over."""
    return {endpoint.node for endpoint in endpoints if endpoint.serving and endpoint.node is not None}
