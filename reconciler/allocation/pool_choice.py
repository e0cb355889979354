"""What one kind of applicant may draw from, in order, with a memory of which pools are full."""

from collections.abc import Iterator

from reconciler.allocation.eligibility import Applicant, is_compatible, open_pools, pinned_pools
from reconciler.allocation.ledger import Ledger, PoolLedger
from reconciler.allocation.pool_index import PoolIndex
from reconciler.allocation.requests import Asking, Families
from reconciler.allocation.shared_room import Found, SharedRoom
from reconciler.model.observed import ObservedState
from reconciler.model.pools import IPAddressPool
from reconciler.model.selectors import Labels, LabelSelector


class Tier:
    """Pools in the order in which they are drawn from: the pinned ones of an applicant, or the open ones."""

    __slots__ = ("_first_with", "_ledger", "_pools", "_position", "_reopenings", "_shared_room")

    def __init__(self, ledger: Ledger, pools: tuple[PoolLedger, ...]) -> None:
        self._ledger = ledger
        self._pools = pools
        self._position = {pool: position for position, pool in enumerate(pools)}
        self._first_with: dict[Families, int] = {}
        self._reopenings = ledger.reopenings
        self._shared_room = SharedRoom(ledger, pools, self._position)

    def find(self, families: Families, asking: Asking) -> Found | None:
        """Addresses from the first pool that has one of each family, free or shareable."""
        free = self._first_free(families)
        terms = asking.request.sharing
        if terms is None:
            return free
        # A full pool may still hold an address to share, and only pools that share on these terms can.
        end = self._position[free[0]] if free else len(self._pools)
        return self._shared_room.find(families, terms, asking, end) or free

    def _first_free(self, families: Families) -> Found | None:
        """Free addresses from the first pool that has one of each family; full pools are not asked again."""
        if self._reopenings != self._ledger.reopenings:
            self._reopenings = self._ledger.reopenings
            self._first_with.clear()
        pools = self._pools
        for position in range(self._first_with.get(families, 0), len(pools)):
            if addresses := pools[position].lowest_free(families):
                self._first_with[families] = position
                return pools[position], addresses
        self._first_with[families] = len(pools)
        return None


class PoolChoice:
    """
    The pools as one kind of applicant sees them.

    `pinned` are all pools with a scope that admits it, by name, whether or not they serve anybody automatically.
    """

    __slots__ = ("_compatible", "applicant", "pinned", "tiers")

    def __init__(self, applicant: Applicant, pinned: tuple[PoolLedger, ...], tiers: tuple[Tier, ...]) -> None:
        self.applicant = applicant
        self.pinned = pinned
        self.tiers = tiers
        self._compatible: dict[PoolLedger, bool] = {}

    def admits(self, ledger: PoolLedger) -> bool:
        """Whether the pool may serve this applicant."""
        found = self._compatible.get(ledger)
        if found is None:
            found = self._compatible[ledger] = is_compatible(ledger.pool, self.applicant)
        return found

    def find_anywhere(self, asking: Asking) -> Found | None:
        """Draw from the pinned pools, then from the open ones; in each, the best alternative that some pool has."""
        for tier in self.tiers:
            for families in asking.request.alternatives:
                if found := tier.find(families, asking):
                    return found
        return None

    def find_in(self, pool: PoolLedger, asking: Asking) -> Found | None:
        """Draw from a pool that the Service names; `autoAssign` does not matter, whom the pool serves does."""
        if not self.admits(pool):
            return None
        for families in asking.request.alternatives:
            if addresses := pool.lowest_for(families, asking):
                return pool, addresses
        return None


class PoolChoices:
    """One PoolChoice for all applicants that no pool can tell apart."""

    def __init__(self, ledger: Ledger, observed: ObservedState) -> None:
        pools = [found.pool for found in ledger.pools]
        scopes = [pool.scope for pool in pools if pool.scope]
        self._ledger = ledger
        self._observed = observed
        self._by_namespace = any(scope.namespaces or scope.namespace_selectors for scope in scopes)
        # Services nearly all differ in some label; only those that a pool asks for tell them apart.
        self._label_keys = frozenset(
            key for scope in scopes for selector in scope.service_selectors for key in _keys(selector)
        )
        self._index = PoolIndex(pools)
        self._open_tier = self._tier(open_pools(pools))
        self._choices: dict[tuple[str, Labels], PoolChoice] = {}
        self._for_all = self._choice("", ()) if not self._by_namespace and not self._label_keys else None

    def follow(self, observed: ObservedState) -> bool:
        """Go on with another snapshot; False when some namespace is another one to the pools than it was."""
        before, self._observed = self._observed, observed
        if not self._by_namespace or observed.namespaces == before.namespaces:
            return True
        applicants = [choice.applicant for choice in self._choices.values()]
        return all(observed.namespace_labels(found.namespace) == found.namespace_labels for found in applicants)

    def _tier(self, pools: tuple[IPAddressPool, ...]) -> Tier:
        return Tier(self._ledger, tuple(self._ledger.by_name[pool.name] for pool in pools))

    def of(self, asking: Asking) -> PoolChoice:
        """The pools as this Service sees them."""
        if self._for_all is not None:
            return self._for_all
        service = asking.service
        namespace = service.namespace if self._by_namespace else ""
        keys = self._label_keys
        labels = tuple(pair for pair in service.labels if pair[0] in keys) if keys else ()
        choice = self._choices.get((namespace, labels))
        if choice is None:
            choice = self._choices[namespace, labels] = self._choice(namespace, labels)
        return choice

    def _choice(self, namespace: str, labels: Labels) -> PoolChoice:
        applicant = Applicant(namespace, self._observed.namespace_labels(namespace), labels)
        pinned = pinned_pools(self._index.candidates(applicant), applicant)
        automatic = tuple(pool for pool in pinned if pool.auto_assign)
        tiers = (self._tier(automatic), self._open_tier) if automatic else (self._open_tier,)
        names = sorted(pool.name for pool in pinned)
        return PoolChoice(applicant, tuple(self._ledger.by_name[name] for name in names), tiers)


def _keys(selector: LabelSelector) -> Iterator[str]:
    yield from (key for key, _ in selector.match_labels)
    yield from (requirement.key for requirement in selector.requirements)
