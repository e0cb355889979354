"""Who announces a Service by ARP and NDP, and on which interfaces."""

from collections.abc import Iterator

from reconciler.model.advertisements import L2Advertisement
from reconciler.model.announcements import L2Announcement
from reconciler.model.observed import InterfaceName, NodeName
from reconciler.model.origin import Origin
from reconciler.placement.candidates import Candidates, hosts
from reconciler.placement.decisions import DeclineReason, Placed
from reconciler.placement.election import Elections, Electorate
from reconciler.placement.subjects import Subject


class L2Coverage:
    """
    What follows from one set of L2Advertisements, whatever the Service: who may stand, with which score, and where.

    `advertisements` are sorted by name; `listed` are the nodes any of them lists.
    """

    def __init__(
        self, advertisements: tuple[L2Advertisement, ...], candidates: Candidates, elections: Elections
    ) -> None:
        self.advertisements = advertisements
        self._candidates = candidates
        self._elections = elections
        self._nodes = tuple(candidates.listed(a.node_selectors) for a in advertisements)
        self.listed = frozenset[NodeName]().union(*self._nodes)
        self._is_selective = any(a.service_selectors for a in advertisements)
        self.scores = self._sum_scores()
        self._terms_by_node: dict[NodeName, tuple[frozenset[InterfaceName] | None, Origin | None]] = {}
        self._able = frozenset(name for name in candidates.speaking if name in self.listed and self._has_link(name))
        self._electorate = self._among(self._able)

    def advertisements_on(self, node: NodeName) -> tuple[L2Advertisement, ...]:
        """Those that list the node, by name."""
        return tuple(a for a, nodes in zip(self.advertisements, self._nodes, strict=True) if node in nodes)

    def interfaces(self, node: NodeName) -> frozenset[InterfaceName] | None:
        """Where the node would announce: all interfaces (None) if one advertisement says so, else the union."""
        return self._terms(node)[0]

    def origin(self, node: NodeName) -> Origin | None:
        """The advertisement to point at: the first that opens all interfaces, else the first."""
        return self._terms(node)[1]

    def _terms(self, node: NodeName) -> tuple[frozenset[InterfaceName] | None, Origin | None]:
        found = self._terms_by_node.get(node)
        if found is None:
            here = self.advertisements_on(node)
            everywhere = next((a for a in here if not a.interfaces), None)
            named = frozenset(InterfaceName(name) for a in here for name in a.interfaces)
            cause = everywhere or (here[0] if here else None)
            found = self._terms_by_node[node] = (None if everywhere else named, cause.origin if cause else None)
        return found

    def exclusion(self, subject: Subject, node: NodeName) -> DeclineReason | None:
        """Why a node is no candidate for this Service; None when it stands for election."""
        if node not in self.listed:
            return DeclineReason.NO_MATCHING_ADVERTISEMENT
        bar = self._candidates.bar(node)
        if bar is not None:
            return bar
        if node not in self._able:
            return DeclineReason.NO_LINK_UP
        if subject.service.is_local and node not in hosts(subject.endpoints):
            return DeclineReason.NO_LOCAL_ENDPOINTS
        return None

    def standing(self, subject: Subject) -> frozenset[NodeName]:
        """The candidates for this Service, whatever their scores."""
        if subject.service.is_local:
            return self._able.intersection(hosts(subject.endpoints))
        return self._able

    def bars(self, subject: Subject) -> bool:
        """Whether the Service shares an address, which MetalLB does not allow together with service selectors."""
        return self._is_selective and subject.service.announces_shared_ip

    def electorate(self, subject: Subject) -> Electorate | None:
        """The candidates of the highest score, one of which announces; None when nobody may."""
        if not subject.can_serve or self.bars(subject):
            return None
        return self._among(self.standing(subject)) if subject.service.is_local else self._electorate

    def owner(self, subject: Subject) -> NodeName | None:
        """The node that announces the Service; None when nobody does."""
        electorate = self.electorate(subject)
        return electorate.winner(subject.election_key) if electorate else None

    def _among(self, nodes: frozenset[NodeName]) -> Electorate | None:
        if not nodes:
            return None
        if not self.scores:
            return self._elections.among(nodes)
        best = max(self.scores.get(node, 0) for node in nodes)
        return self._elections.among(node for node in nodes if self.scores.get(node, 0) == best)

    def _sum_scores(self) -> dict[NodeName, int]:
        scores: dict[NodeName, int] = {}
        for advertisement, nodes in zip(self.advertisements, self._nodes, strict=True):
            for preference in advertisement.preferences:
                for node in nodes & self._candidates.listed((preference.selector,)):
                    scores[node] = scores.get(node, 0) + preference.weight
        return scores

    def _has_link(self, node: NodeName) -> bool:
        return self._candidates.has_link_up(node, self.interfaces(node))


def announce(subject: Subject, coverage: L2Coverage, node: NodeName) -> Iterator[Placed]:
    """What the winner says: every address of the Service, on the same interfaces."""
    interfaces, origin = coverage.interfaces(node), coverage.origin(node)
    for address in subject.addresses:
        yield Placed(subject.service.key, address, L2Announcement(address, interfaces), origin)


def decline_reason(subject: Subject, coverage: L2Coverage, node: NodeName) -> DeclineReason:
    """MetalLB's word for the silence of a node that does not win, in MetalLB's order of questions."""
    if not subject.can_serve:
        return DeclineReason.NOT_OWNER
    if coverage.bars(subject):
        return DeclineReason.SHARED_ADDRESS_WITH_SELECTOR
    if node not in coverage.listed:
        return DeclineReason.NO_MATCHING_ADVERTISEMENT
    return DeclineReason.NOT_OWNER
