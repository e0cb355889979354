"""Which rule stopped a request in which pool, the most useful cause first."""

from collections import defaultdict
from collections.abc import Iterator
from heapq import merge
from itertools import chain, islice
from typing import NamedTuple

from reconciler.addresses.family import Family
from reconciler.allocation.decisions import PoolRefusal
from reconciler.allocation.eligibility import whom_it_serves
from reconciler.allocation.ledger import Ledger, PoolHalf, PoolLedger
from reconciler.allocation.pool_choice import PoolChoice
from reconciler.allocation.reasons import Reason
from reconciler.allocation.requests import Asking, Families, Request
from reconciler.allocation.sharing import Sharing
from reconciler.model.observed import Port
from reconciler.model.origin import Origin

# There may be thousands of pools and of Services that are refused, each for causes of its own.
_NAMED_AT_MOST = 20


class Causes(NamedTuple):
    """Why pools could not serve a request: the most useful causes, and how many further pools there are."""

    named: tuple[PoolRefusal, ...]
    further: int = 0


class PoolSurvey:
    """
    Tells what stopped a request in every pool, by the state that a pass leaves.

    What more addresses would cure comes first, then what another request, then what another configuration would; each
    by the name of the pool. The open pools are sorted by that once for all Services, so only those that are pinned to
    a Service, and the few that are named, are looked at for it.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._scoped = [pool for pool in ledger.pools if pool.pool.scope]
        self._open = [pool for pool in ledger.pools if not pool.pool.scope]
        self._open_by_rule: dict[tuple[Families, bool], dict[Reason, list[PoolLedger]]] = {}
        self._known: dict[tuple[object, ...], PoolRefusal] = {}

    def of_all(self, asking: Asking, choice: PoolChoice) -> Causes:
        """Why no pool serves a request that names none."""
        named = [self._cause(pool, rule, asking, choice) for pool, rule in self._most_useful(asking.request, choice)]
        return Causes(tuple(named), len(self._ledger.pools) - len(named))

    def of_pool(self, pool: PoolLedger, asking: Asking, choice: PoolChoice) -> Causes:
        """Why the pool that a request names, and that admits the Service, does not serve it."""
        return Causes((self._cause(pool, _rule(pool, asking.request, by_name=True), asking, choice),))

    def _most_useful(self, request: Request, choice: PoolChoice) -> Iterator[tuple[PoolLedger, Reason]]:
        everybodys = self._open_pools(request)
        pinned = _by_rule(choice.pinned, request)

        def admitting(rule: Reason) -> Iterator[tuple[PoolLedger, Reason]]:
            found = merge(everybodys.get(rule, ()), pinned.get(rule, ()), key=lambda pool: pool.pool.name)
            return ((pool, rule) for pool in found)

        others = ((pool, Reason.POOL_NOT_COMPATIBLE) for pool in self._scoped if not choice.admits(pool))
        ordered = chain(
            admitting(Reason.POOL_EXHAUSTED),
            admitting(Reason.FAMILY_MISMATCH),
            others,
            admitting(Reason.AUTO_ASSIGN_OFF),
        )
        return islice(ordered, _NAMED_AT_MOST)

    def _open_pools(self, request: Request) -> dict[Reason, list[PoolLedger]]:
        known_as = request.families, needs_both(request)
        found = self._open_by_rule.get(known_as)
        if found is None:
            found = self._open_by_rule[known_as] = _by_rule(self._open, request)
        return found

    def _cause(self, pool: PoolLedger, rule: Reason, asking: Asking, choice: PoolChoice) -> PoolRefusal:
        """One pool's cause; Services for which it reads the same share it."""
        families = asking.request.families
        if rule is Reason.POOL_EXHAUSTED and asking.request.sharing:
            return _exhausted(pool, families, asking.service.ports, asking.request.sharing)
        scope, applicant = pool.pool.scope, choice.applicant
        outside = scope and not scope.admits_namespace(applicant.namespace, applicant.namespace_labels)
        known_as = (pool, rule, outside) if rule is Reason.POOL_NOT_COMPATIBLE else (pool, rule, families)
        found = self._known.get(known_as)
        if found is None:
            found = self._known[known_as] = _described(pool, rule, families, choice)
        return found


def needs_both(request: Request) -> bool:
    """Whether only a pair of addresses will do."""
    return len(request.alternatives) == 1 and len(request.alternatives[0]) > 1


def obstacle_to_second(pool: PoolLedger, family: Family, asking: Asking) -> str:
    """Why the pool of a PreferDualStack Service has no second address for it."""
    half = pool.halves.get(family)
    why = (
        _why_empty(half, family, asking.service.ports, asking.request.sharing) if half else f"has no {family} addresses"
    )
    return f'pool "{pool.pool.name}" {why}'


def _by_rule(pools: list[PoolLedger] | tuple[PoolLedger, ...], request: Request) -> dict[Reason, list[PoolLedger]]:
    found: dict[Reason, list[PoolLedger]] = defaultdict(list)
    for pool in pools:
        found[_rule(pool, request, by_name=False)].append(pool)
    return found


def _rule(pool: PoolLedger, request: Request, *, by_name: bool) -> Reason:
    """What stops a request in a pool that admits the Service."""
    if not pool.pool.auto_assign and not by_name:
        return Reason.AUTO_ASSIGN_OFF
    missing = _missing(pool, request.families)
    if missing and (needs_both(request) or len(missing) == len(request.families)):
        return Reason.FAMILY_MISMATCH
    return Reason.POOL_EXHAUSTED


def _missing(pool: PoolLedger, families: Families) -> list[Family]:
    return [family for family in families if family not in pool.halves]


def _described(pool: PoolLedger, rule: Reason, families: Families, choice: PoolChoice) -> PoolRefusal:
    name, origin = pool.pool.name, pool.pool.origin
    if rule is Reason.POOL_NOT_COMPATIBLE:
        scope = pool.pool.scope
        return PoolRefusal(
            name, rule, whom_it_serves(pool.pool, choice.applicant), scope.origin if scope and scope.origin else origin
        )
    if rule is Reason.AUTO_ASSIGN_OFF:
        return PoolRefusal(name, rule, "is for Services that name it (autoAssign: false)", origin)
    if rule is Reason.FAMILY_MISMATCH:
        missing = _missing(pool, families)
        return PoolRefusal(name, rule, f"has no {' and no '.join(map(str, missing))} addresses", origin)
    return _exhausted(pool, families, (), None)


def _exhausted(pool: PoolLedger, families: Families, ports: tuple[Port, ...], terms: Sharing | None) -> PoolRefusal:
    whys = [
        _why_empty(pool.halves[family], family, ports, terms)
        for family in families
        if family in pool.halves and pool.halves[family].free.lowest() is None
    ]
    detail = " and ".join(dict.fromkeys(whys)) or "is full"
    return PoolRefusal(pool.pool.name, Reason.POOL_EXHAUSTED, detail, _last_entry(pool, families))


def _why_empty(half: PoolHalf, family: Family, ports: tuple[Port, ...], terms: Sharing | None) -> str:
    in_use = len(half.holders)
    if half.capacity == 0:
        return f"hands out no {family} address (avoidBuggyIPs)"
    return f"is full ({in_use} of {half.capacity} {family} in use){_shared_text(half, ports, terms)}"


def _shared_text(half: PoolHalf, ports: tuple[Port, ...], terms: Sharing | None) -> str:
    if terms is None:
        return ""
    conflict = half.ports_taken(terms, ports)
    if conflict:
        return f', and {" and ".join(map(str, conflict))} is taken wherever the sharing key "{terms.key}" is used'
    if half.shares_under(terms.key):
        return f', and Services with the sharing key "{terms.key}" have another externalTrafficPolicy or selector'
    return f', and no address has the sharing key "{terms.key}"'


def _last_entry(pool: PoolLedger, families: Families) -> Origin:
    """The line after which an operator would add addresses."""
    entries = [entry for entry in pool.pool.entries if entry.addresses.family in families]
    return entries[-1].origin if entries else pool.pool.origin
