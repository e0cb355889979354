"""The pools that are pinned to some Services, found without asking each of them about each applicant."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from reconciler.allocation.eligibility import Applicant
from reconciler.model.pools import IPAddressPool, ServiceScope
from reconciler.model.selectors import LabelSelector

# Something an applicant can show: its namespace, a label of that, or a label of its own.
_Ticket = tuple[str, ...]


class PoolIndex:
    """
    Files each pool under what an applicant must have for it, so that one pool for each of a thousand namespaces or
    teams is cheap.

    A pool that asks for several things is filed under the one that the fewest pools ask for. What cannot be filed,
    such as a pool whose selector has match expressions only, is a candidate for everybody.
    """

    def __init__(self, pools: Iterable[IPAddressPool]) -> None:
        scoped = [(pool, pool.scope) for pool in pools if pool.scope]
        demand = Counter(ticket for _, scope in scoped for way in _ways(scope) for tickets in way for ticket in tickets)
        self._by_ticket: dict[_Ticket, list[IPAddressPool]] = defaultdict(list)
        self._for_anybody: list[IPAddressPool] = []
        for pool, scope in scoped:
            tickets = _rarest(_ways(scope), demand)
            for ticket in tickets:
                self._by_ticket[ticket].append(pool)
            if not tickets:
                self._for_anybody.append(pool)

    def candidates(self, applicant: Applicant) -> list[IPAddressPool]:
        """The pools that may admit the applicant, each once: all that do, and some that do not."""
        found = {pool.name: pool for pool in self._for_anybody}
        for ticket in _tickets(applicant):
            found |= {pool.name: pool for pool in self._by_ticket.get(ticket, ())}
        return list(found.values())


def _ways(scope: ServiceScope) -> Iterator[list[list[_Ticket]]]:
    """
    What the scope asks of the namespace, and what of the Service's labels.

    Each is a list of alternatives, and all tickets of one alternative are needed. What asks for nothing that can be
    filed is left out.
    """
    by_name: list[list[_Ticket]] = [[("namespace", name)] for name in scope.namespaces]
    for way in (
        by_name + [_pairs("namespace label", selector) for selector in scope.namespace_selectors],
        [_pairs("label", selector) for selector in scope.service_selectors],
    ):
        if way and all(way):
            yield way


def _pairs(kind: str, selector: LabelSelector) -> list[_Ticket]:
    return [(kind, *pair) for pair in selector.match_labels]


def _rarest(ways: Iterable[list[list[_Ticket]]], demand: Counter[_Ticket]) -> set[_Ticket]:
    """One ticket for each alternative of one of the ways, such that few pools are filed under the same."""
    choices = [{min(tickets, key=demand.__getitem__) for tickets in way} for way in ways]
    return min(choices, key=lambda tickets: max(map(demand.__getitem__, tickets)), default=set())


def _tickets(applicant: Applicant) -> Iterator[_Ticket]:
    yield "namespace", applicant.namespace
    yield from (("namespace label", *pair) for pair in applicant.namespace_labels)
    yield from (("label", *pair) for pair in applicant.labels)
