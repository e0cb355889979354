"""Which pools an advertisement means, by name and by label."""

from collections.abc import Iterable

from reconciler.config.drafts import PoolChoice
from reconciler.model.pools import IPAddressPool
from reconciler.model.selectors import LabelSelector, Operator, Requirement


class PoolIndex:
    """
    Pools by name and label.

    A selector is looked up by what it asks for, so that thousands of advertisements that each select few of thousands
    of pools cost what they select. Equal choices share one answer.
    """

    def __init__(self, pools: Iterable[IPAddressPool]) -> None:
        self._pools = {pool.name: pool for pool in pools}
        self._all = tuple(sorted(self._pools))
        self._by_pair: dict[tuple[str, str], set[str]] = {}
        self._by_key: dict[str, set[str]] = {}
        for pool in self._pools.values():
            for key, value in pool.labels:
                self._by_pair.setdefault((key, value), set()).add(pool.name)
                self._by_key.setdefault(key, set()).add(pool.name)
        self._chosen: dict[tuple[frozenset[str], tuple[LabelSelector, ...]], tuple[str, ...]] = {}

    def choose(self, choice: PoolChoice) -> tuple[str, ...]:
        """The names of the pools that are meant, sorted; names of pools that are not there are left out."""
        named = frozenset(text.value for text in choice.names)
        if not named and not choice.selectors:
            return self._all
        key = (named, choice.selectors)
        if key not in self._chosen:
            found = {name for name in named if name in self._pools}
            found.update(*(self._select(selector) for selector in choice.selectors))
            self._chosen[key] = tuple(sorted(found))
        return self._chosen[key]

    def _select(self, selector: LabelSelector) -> set[str]:
        candidates = [self._by_pair.get(pair, set()) for pair in selector.match_labels]
        candidates += [self._meeting(r) for r in selector.requirements if r.operator in {Operator.IN, Operator.EXISTS}]
        fewest = min(candidates, key=len, default=self._all)
        return {name for name in fewest if selector.matches(self._pools[name].labels)}

    def _meeting(self, requirement: Requirement) -> set[str]:
        if requirement.operator is Operator.EXISTS:
            return self._by_key.get(requirement.key, set())
        return set().union(*(self._by_pair.get((requirement.key, value), set()) for value in requirement.values))
