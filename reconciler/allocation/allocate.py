"""All requests together → Allocation. The class tells the order in which they are met."""

from collections import defaultdict
from collections.abc import Iterable
from operator import attrgetter

from reconciler.addresses.family import Address
from reconciler.allocation import losses
from reconciler.allocation.causes import obstacle_to_second
from reconciler.allocation.claims import Claim, move_together
from reconciler.allocation.decisions import Allocation, Loss, Remark
from reconciler.allocation.ledger import Ledger, PoolLedger
from reconciler.allocation.legality import Obstacle, legal_pool, requested_pool
from reconciler.allocation.outcome import Outcome
from reconciler.allocation.pool_choice import PoolChoice, PoolChoices
from reconciler.allocation.reasons import Reason
from reconciler.allocation.requests import Asking, Request, request_of
from reconciler.allocation.shared_room import Found
from reconciler.model.desired import DesiredState
from reconciler.model.observed import ObservedState, Service, ServiceKey

_by_key = attrgetter("key")
_by_age = attrgetter("service.created_at")


def allocate(
    desired: DesiredState,
    observed: ObservedState,
    *,
    lb_class: str = "",
    pinned: frozenset[ServiceKey] = frozenset(),
) -> Allocation:
    """
    Decide which Service holds which addresses.

    Args:
        desired: The pools; nothing else of it matters here.
        observed: The Services, in any order, and the labels of their namespaces. Their ingress is the whole memory.
        lb_class: The `spec.loadBalancerClass` that is ours; empty means Services without one.
        pinned: Services that keep their present ingress whatever the configuration says. The others are decided
            around them.
    """
    return _Pass(desired, observed, pinned).run(lb_class)


class _Pass:
    """
    One allocation of everything.

    Pinned Services come first. Then all holders are confirmed before anybody is given anything: those whose status we
    wrote before others, so that nobody takes an address away by writing it into a status; those with more ingress
    entries first, then the older, then by key. Then come holders that have to be served anew, in the same order, and
    last the pending Services, the older first, then by key.
    """

    def __init__(self, desired: DesiredState, observed: ObservedState, pinned: frozenset[ServiceKey]) -> None:
        self._services = sorted(observed.services, key=_by_key)
        self._pinned = pinned
        self._ledger = Ledger(desired.pools)
        self._choices = PoolChoices(self._ledger, observed)
        self._outcome = Outcome(self._services)
        self._claims: list[Claim] = []
        self._growing: list[tuple[Asking, PoolLedger, Address]] = []

    def run(self, lb_class: str) -> Allocation:
        holders, pending = self._sort_out(lb_class)
        if self._ledger.pools:
            for asking in holders:
                self._confirm(asking)
            self._serve_claims()
            self._grow()
            self._serve(pending)
        else:
            self._refuse_all(holders, pending)
        return self._outcome.allocation(self._ledger, self._choices)

    def _sort_out(self, lb_class: str) -> tuple[list[Asking], list[Asking]]:
        """Holders and pending Services, each in the order in which they are served; the rest is dealt with."""
        holders: dict[tuple[bool, int], list[Asking]] = defaultdict(list)
        pending: list[Asking] = []
        for place, service in enumerate(self._services):
            if service.deprecated_annotations:
                self._outcome.note_deprecation(place)
            if service.type != "LoadBalancer":
                self._leave(service)
            elif (service.load_balancer_class or "") != lb_class:
                self._outcome.ignore(service, Reason.NOT_OUR_CLASS)
            elif not service.ingress:
                pending.append(Asking(service, request_of(service), place))
            elif service.key in self._pinned:
                self._pin(Asking(service, request_of(service), place))
            else:
                entries = len(service.ingress) + len(service.unreadable_ingress)
                holders[service.is_ours, entries].append(Asking(service, request_of(service), place))
        # Sorting is stable and they are sorted by key already.
        for askings in (*holders.values(), pending):
            askings.sort(key=_by_age)
        return [asking for rank in sorted(holders, reverse=True) for asking in holders[rank]], pending

    def _leave(self, service: Service) -> None:
        """Take away what a Service holds that is no load balancer any more."""
        if service.ingress or service.allocated_pool is not None:
            self._outcome.clear(service, losses.by_type(service))

    def _pin(self, asking: Asking) -> None:
        service = asking.service
        owner = self._ledger.owner(service.ingress[0])
        self._ledger.hold_regardless(service.ingress, asking)
        pool = owner.pool.name if owner else service.allocated_pool or ""
        self._outcome.assign(asking.place, service.ingress, pool)

    def _refuse_all(self, holders: Iterable[Asking], pending: Iterable[Asking]) -> None:
        for asking in holders:
            self._outcome.clear(asking.service, losses.for_want_of_pools(asking.service))
            self._outcome.refuse(asking)
        for asking in pending:
            self._outcome.refuse(asking)

    # Holders

    def _confirm(self, asking: Asking) -> None:
        """Let a holder keep its addresses, or make a claim of it."""
        service, request = asking.service, asking.request
        if request.fault and request.fault.clears:
            self._outcome.clear(service, losses.by_fault(service, request.fault))
            self._outcome.refuse(asking)
            return
        choice = self._choices.of(asking)
        if not request.is_content_with(service.ingress):
            self._claim(asking, choice, losses.by_families(service, request))
            return
        found = legal_pool(service.ingress, asking, choice, self._ledger)
        if isinstance(found, Obstacle):
            self._claim(asking, choice, losses.by_obstacle(service, found, self._ledger))
        elif request.fault or _wants_something_else(request, found, service.ingress):
            self._claim(asking, choice, losses.by_request(service, request, found.pool.name))
        else:
            self._ledger.hold(found, service.ingress, asking)
            self._settle(asking, found, service.ingress)

    def _claim(self, asking: Asking, choice: PoolChoice, loss: Loss) -> None:
        claim = Claim(asking, choice, loss)
        self._recover(claim)
        self._claims.append(claim)

    def _recover(self, claim: Claim) -> None:
        """Let a claim hold what it may of the addresses in its status: all of them, or one."""
        service, request = claim.asking.service, claim.asking.request
        for part in _parts(service.ingress, request):
            found = legal_pool(part, claim.asking, claim.choice, self._ledger)
            if isinstance(found, Obstacle):
                continue
            content = request.is_content_with(part)
            asks_for_it = not request.fault and not _wants_something_else(request, found, part)
            if asks_for_it or (content and part == service.ingress):
                self._ledger.hold(found, part, claim.asking)
                claim.keep(found, part, if_refused=content, served=content and asks_for_it)
                return

    # Claims

    def _serve_claims(self) -> None:
        """What one claim gives up may be what another waits for, so go on until nothing is given up."""
        waiting = [claim for claim in self._claims if not claim.served]
        freed = bool(waiting)
        while freed:
            freed = move_together([claim for claim in waiting if claim.asking.request.addresses], self._ledger)
            for claim in waiting:
                if not claim.served:
                    freed |= self._draw(claim)
            waiting = [claim for claim in waiting if not claim.served]
        for claim in self._claims:
            self._close(claim)

    def _draw(self, claim: Claim) -> bool:
        """Serve a claim with what it had, or else with what is free; True when it gave an address up."""
        before, request = claim.held, claim.asking.request
        if not claim.pool:
            self._recover(claim)
        if claim.pool and not (claim.keeps or self._complete(claim)):
            claim.let_go(self._ledger)
        if not (claim.served or request.fault or request.addresses):
            found = self._find(claim.asking, claim.choice)
            if found:
                claim.let_go(self._ledger)
                claim.settle(self._ledger, *found)
        return any(address not in claim.held for address in before)

    def _complete(self, claim: Claim) -> bool:
        """Add the missing family from the pool that the remaining address is from."""
        pool, (first,) = claim.pool, claim.held
        added = pool.lowest_for((first.family.other,), claim.asking) if pool else None
        if pool is None or added is None:
            return False
        self._ledger.hold(pool, added, claim.asking)
        claim.keep(pool, (first, *added), if_refused=True, served=True)
        return True

    def _close(self, claim: Claim) -> None:
        """Write down what has become of a claim."""
        if claim.pool is None:
            self._outcome.clear(claim.asking.service, claim.loss)
            self._outcome.refuse(claim.asking)
        elif claim.served:
            self._settle(claim.asking, claim.pool, claim.held)
            self._outcome.change(claim.loss, claim.held)
        else:
            self._outcome.assign(claim.asking.place, claim.held, claim.pool.pool.name)
            self._outcome.refuse(claim.asking, claim.held)

    def _settle(self, asking: Asking, pool: PoolLedger, addresses: tuple[Address, ...]) -> None:
        """Write down a holder that has what it asks for, or the first half of it."""
        self._outcome.assign(asking.place, addresses, pool.pool.name)
        if len(addresses) == 1 and asking.request.may_grow:
            self._growing.append((asking, pool, addresses[0]))

    def _grow(self) -> None:
        """Give PreferDualStack Services with one address a second one from the same pool, where there is one."""
        for asking, pool, first in self._growing:
            service, family = asking.service, first.family.other
            added = pool.lowest_for((family,), asking)
            if added:
                self._ledger.hold(pool, added, asking)
                self._outcome.assign(asking.place, (first, *added), pool.pool.name)
            elif first in service.ingress:
                cause = obstacle_to_second(pool, family, asking)
                message = f"cannot assign additional IP in PreferDualStack: {cause}"
                self._outcome.remark(Remark(service.key, "Normal", "AdditionalAssignFailed", message))

    # Pending Services

    def _serve(self, pending: Iterable[Asking]) -> None:
        for asking in pending:
            found = None if asking.request.fault else self._find(asking, self._choices.of(asking))
            if found is None:
                self._outcome.refuse(asking)
                continue
            pool, addresses = found
            self._ledger.hold(pool, addresses, asking)
            self._outcome.assign(asking.place, addresses, pool.pool.name)

    def _find(self, asking: Asking, choice: PoolChoice) -> Found | None:
        """The addresses that a request would be given now."""
        request = asking.request
        if request.addresses:
            pool = requested_pool(request, choice, self._ledger)
            if isinstance(pool, PoolLedger):
                pool = legal_pool(request.addresses, asking, choice, self._ledger)
            return None if isinstance(pool, Obstacle) else (pool, request.addresses)
        if request.pool:
            named = self._ledger.by_name.get(request.pool)
            return choice.find_in(named, asking) if named else None
        return choice.find_anywhere(asking)


def _wants_something_else(request: Request, pool: PoolLedger, held: tuple[Address, ...]) -> bool:
    if request.addresses and set(request.addresses) != set(held):
        return True
    return bool(request.pool) and request.pool != pool.pool.name


def _parts(ingress: tuple[Address, ...], request: Request) -> list[tuple[Address, ...]]:
    """
    What of a status may stay, best first: all of it, one of a pair, the first of a pair to be.

    MetalLB gives all of them up and starts again from the first free address; clients of an address that is as good
    as before would lose it for nothing.
    """
    whole = [ingress] if request.is_content_with(ingress) else []
    if len(ingress) > 2 or len({address.family for address in ingress}) < len(ingress) or (whole and len(ingress) == 1):
        return whole
    return whole + [(address,) for address in ingress if address.family in request.families]
