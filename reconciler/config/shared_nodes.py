"""Which objects meet on a node: certain without a cluster, or exact where its nodes are known."""

from collections.abc import Callable, Hashable, Iterable

from reconciler.model.observed import Node
from reconciler.model.selectors import LabelSelector, matches_any_or_none_given

# Objects whose keys have one in common meet on a node.
NodeKeys = Callable[[tuple[LabelSelector, ...]], Iterable[Hashable]]

_EVERY_NODE = "every node"


def certain_node_keys(selectors: tuple[LabelSelector, ...]) -> Iterable[Hashable]:
    """
    Two objects meet for certain when neither selects nodes, or both name the same selector.

    Anything else depends on the labels of nodes, which files do not tell.
    """
    return selectors or (_EVERY_NODE,)


def known_node_keys(nodes: Iterable[Node]) -> NodeKeys:
    """The nodes themselves."""
    known = tuple(nodes)
    found: dict[tuple[LabelSelector, ...], tuple[str, ...]] = {}

    def keys(selectors: tuple[LabelSelector, ...]) -> Iterable[Hashable]:
        if selectors not in found:
            found[selectors] = tuple(n.name for n in known if matches_any_or_none_given(selectors, n.labels))
        return found[selectors]

    return keys
