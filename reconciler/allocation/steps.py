"""The steps of a pass, over a ledger that somebody else may have begun: sort out, confirm, serve claims, grow, find."""

from collections import defaultdict
from collections.abc import Iterable
from operator import attrgetter

from reconciler.addresses.family import Address
from reconciler.allocation import losses
from reconciler.allocation.causes import obstacle_to_second
from reconciler.allocation.claims import Claim, move_together
from reconciler.allocation.decisions import Loss, Remark
from reconciler.allocation.ledger import Ledger, PoolLedger
from reconciler.allocation.legality import Obstacle, legal_pool, requested_pool
from reconciler.allocation.outcome import Outcome
from reconciler.allocation.pool_choice import PoolChoice, PoolChoices
from reconciler.allocation.reasons import Reason
from reconciler.allocation.requests import Asking, Request, request_of
from reconciler.allocation.shared_room import Found
from reconciler.model.observed import Service, ServiceKey

# A holder with one address, the pool of it, and the address.
Growing = tuple[Asking, PoolLedger, Address]

_by_age = attrgetter("service.created_at")
_OTHERS_IN_THE_WAY = (Reason.ADDRESS_IN_USE, Reason.PORT_IN_USE)


def precedence_of_holder(service: Service) -> tuple[bool, int, str, str]:
    """Sorts holders in the order in which they are confirmed, and served anew."""
    return not service.is_ours, -_entries(service), service.created_at, service.key


def precedence_of_pending(service: Service) -> tuple[str, str]:
    """Sorts pending Services in the order in which they are served."""
    return service.created_at, service.key


class Steps:
    """
    What is done to Services, step by step; `allocate` tells the order.

    `claims` and `growing` are the holders that are not settled by being confirmed. `grown` are the second addresses
    that were found. `is_contested` tells, until claims are served, that some holder found another one in its way: only
    then does it matter in which order they are confirmed.
    """

    def __init__(
        self,
        ledger: Ledger,
        choices: PoolChoices,
        outcome: Outcome,
        *,
        lb_class: str,
        pinned: frozenset[ServiceKey] = frozenset(),
    ) -> None:
        self._ledger = ledger
        self._choices = choices
        self._outcome = outcome
        self._lb_class = lb_class
        self._pinned = pinned
        self.claims: list[Claim] = []
        self.growing: list[Growing] = []
        self.grown: list[tuple[Asking, PoolLedger, tuple[Address, ...]]] = []
        self.is_contested = False

    def sort_out(self, services: Iterable[Service]) -> tuple[list[Asking], list[Asking]]:
        """
        Holders and pending Services, each in the order in which they are served; the rest is dealt with.

        The Services come in order of their keys.
        """
        holders: dict[tuple[bool, int], list[Asking]] = defaultdict(list)
        pending: list[Asking] = []
        for place, service in enumerate(services):
            if service.type != "LoadBalancer":
                self._leave(service)
            elif (service.load_balancer_class or "") != self._lb_class:
                self._outcome.ignore(service, Reason.NOT_OUR_CLASS)
            elif not service.ingress:
                pending.append(Asking(service, request_of(service), place))
            elif service.key in self._pinned:
                self._pin(Asking(service, request_of(service), place))
            else:
                holders[service.is_ours, _entries(service)].append(Asking(service, request_of(service), place))
        # Sorting is stable and they are sorted by key already.
        for askings in (*holders.values(), pending):
            askings.sort(key=_by_age)
        return [asking for rank in sorted(holders, reverse=True) for asking in holders[rank]], pending

    def _leave(self, service: Service) -> None:
        """Take away what we left at a Service that is no load balancer any more."""
        if service.is_ours or service.condition is not None:
            self._outcome.lose(losses.by_type(service))

    def _pin(self, asking: Asking) -> None:
        service = asking.service
        owner = self._ledger.owner(service.ingress[0])
        self._ledger.hold_regardless(service.ingress, asking)
        pool = owner.pool.name if owner else service.allocated_pool or ""
        self._outcome.assign(asking, service.ingress, pool)

    # Holders

    def confirm(self, asking: Asking) -> None:
        """Let a holder keep its addresses, or make a claim of it."""
        service, request = asking.service, asking.request
        if request.fault and request.fault.clears:
            self._outcome.clear(service, losses.by_fault(service, request.fault))
            self._outcome.refuse(asking)
            return
        choice = self._choices.of(asking)
        if not request.is_content_with(service.ingress):
            self.claim(asking, choice, losses.by_families(service, request))
            return
        found = legal_pool(service.ingress, asking, choice, self._ledger)
        if isinstance(found, Obstacle):
            self._note_contest(found)
            self.claim(asking, choice, losses.by_obstacle(service, found, self._ledger))
        elif request.fault or _wants_something_else(request, found, service.ingress):
            self.claim(asking, choice, losses.by_request(service, request, found.pool.name))
        else:
            self._ledger.hold(found, service.ingress, asking)
            self.settle(asking, found, service.ingress)

    def claim(self, asking: Asking, choice: PoolChoice, loss: Loss) -> None:
        """Let a holder that has to be served anew keep what is still good of its status until its turn."""
        claim = Claim(asking, choice, loss)
        self._recover(claim)
        self.claims.append(claim)

    def _recover(self, claim: Claim) -> None:
        """Let a claim hold what it may of the addresses in its status: all of them, or one."""
        service, request = claim.asking.service, claim.asking.request
        for part in _parts(service.ingress, request):
            found = legal_pool(part, claim.asking, claim.choice, self._ledger)
            if isinstance(found, Obstacle):
                self._note_contest(found)
                continue
            content = request.is_content_with(part)
            asks_for_it = not request.fault and not _wants_something_else(request, found, part)
            if asks_for_it or (content and part == service.ingress):
                self._ledger.hold(found, part, claim.asking)
                claim.keep(found, part, if_refused=content, served=content and asks_for_it)
                return

    def _note_contest(self, obstacle: Obstacle) -> None:
        self.is_contested = self.is_contested or obstacle.reason in _OTHERS_IN_THE_WAY

    # Claims

    def serve_claims(self) -> None:
        """What one claim gives up may be what another waits for, so go on until nothing is given up."""
        waiting = [claim for claim in self.claims if not claim.served]
        freed = bool(waiting)
        while freed:
            freed = move_together([claim for claim in waiting if claim.asking.request.addresses], self._ledger)
            for claim in waiting:
                if not claim.served:
                    freed |= self._draw(claim)
            waiting = [claim for claim in waiting if not claim.served]
        for claim in self.claims:
            self._close(claim)

    def _draw(self, claim: Claim) -> bool:
        """Serve a claim with what it had, or else with what is free; True when it gave an address up."""
        before, request = claim.held, claim.asking.request
        if not claim.pool:
            self._recover(claim)
        if claim.pool and not (claim.keeps or self._complete(claim)):
            claim.let_go(self._ledger)
        if not (claim.served or request.addresses):
            found = self.find(claim.asking, claim.choice)
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
            self.settle(claim.asking, claim.pool, claim.held)
            self._outcome.change(claim.loss, claim.held)
        else:
            self._outcome.assign(claim.asking, claim.held, claim.pool.pool.name)
            self._outcome.refuse(claim.asking, claim.held)

    def settle(self, asking: Asking, pool: PoolLedger, addresses: tuple[Address, ...]) -> None:
        """Write down a holder that has what it asks for, or the first half of it."""
        self._outcome.assign(asking, addresses, pool.pool.name)
        if len(addresses) == 1 and asking.request.may_grow:
            self.growing.append((asking, pool, addresses[0]))

    def grow(self) -> None:
        """Give PreferDualStack Services with one address a second one from the same pool, where there is one."""
        for asking, pool, first in self.growing:
            service, family = asking.service, first.family.other
            added = pool.lowest_for((family,), asking)
            if added:
                self._ledger.hold(pool, added, asking)
                self.grown.append((asking, pool, added))
                self._outcome.assign(asking, (first, *added), pool.pool.name)
            elif first in service.ingress:
                cause = obstacle_to_second(pool, family, asking)
                message = f"cannot assign additional IP in PreferDualStack: {cause}"
                self._outcome.remark(Remark(service.key, "Normal", "AdditionalAssignFailed", message))

    # Everybody who has to be given something

    def find(self, asking: Asking, choice: PoolChoice) -> Found | None:
        """The addresses that a request would be given now."""
        request = asking.request
        if request.fault:
            return None
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


def _entries(service: Service) -> int:
    """How many entries its status has, readable or not."""
    return len(service.ingress) + len(service.unreadable_ingress)
