"""
The allocation of everything, kept between passes, so that few changes cost little.

What `allocate` gives is the definition. An Allocator gives the same, from what the last pass left where that is certain
to be so, and otherwise from nothing.
"""

from collections.abc import Iterator

from reconciler.allocation.allocate import WholePass
from reconciler.allocation.claims import Claim
from reconciler.allocation.decisions import Allocation
from reconciler.allocation.outcome import PartialOutcome
from reconciler.allocation.record import Record
from reconciler.allocation.refusals import Explainer
from reconciler.allocation.requests import Asking, request_of
from reconciler.allocation.steps import Growing, Steps, precedence_of_holder
from reconciler.allocation.waiting import Waiting
from reconciler.model.changes import Changes, changes_between, is_in_order
from reconciler.model.desired import DesiredState
from reconciler.model.observed import ObservedState, Service, ServiceKey

# With more changes than one in so many Services a whole pass is as cheap.
_SHARE = 8

# So much is always thought to be little.
_FEW = 16
_LITTLE_WORK = 1_000


class Allocator:
    """
    Decides like `allocate`, pass after pass, and remembers the last one.

    `whole_passes` counts those that were made from nothing.
    """

    def __init__(self) -> None:
        self._standing: Standing | None = None
        self.whole_passes = 0

    def allocate(self, desired: DesiredState, observed: ObservedState, *, lb_class: str = "") -> Allocation:
        """
        Decide which Service holds which addresses.

        Few changes cost little where the snapshot has the same objects for what did not change, in order of keys. The
        pools count as unchanged when they are the same objects. Nothing that was handed over may be altered.
        """
        # An exception on the way leaves a ledger that nothing is known of.
        standing, self._standing = self._standing, None
        if standing is not None and standing.is_about(desired, lb_class):
            allocation = standing.follow(observed)
            if allocation is not None:
                self._standing = standing
                return allocation
        whole = WholePass(desired, observed, lb_class=lb_class, pinned=frozenset())
        allocation = whole.run()
        self.whole_passes += 1
        if desired.pools and not whole.is_contested and is_in_order(observed.services):
            self._standing = Standing(whole, allocation, desired, observed, lb_class)
        return allocation


class Standing:
    """
    What a pass has left: the ledger, and what is decided about each Service.

    When holders are confirmed without another one in their way, each by itself, no order of confirming them matters:
    a holder may come last as well, or never have been there. So the ledger of the confirmed stands, and only those
    that changed are let go and confirmed. As soon as one of them finds another in its way, a whole pass has to decide.

    What comes after that is done anew in every pass, in its order, on the same ledger: what it gave the last time is
    taken back first. So the cost of a pass is that of the changes, and of those who are not settled: claims, holders
    that look for a second address, and pending Services, of which those that are refused alike count as one.
    """

    def __init__(
        self, whole: WholePass, allocation: Allocation, desired: DesiredState, observed: ObservedState, lb_class: str
    ) -> None:
        self._pools = desired.pools
        self._lb_class = lb_class
        self._services = observed.services
        self._ledger = whole.ledger
        self._choices = whole.choices
        self._releases = whole.ledger.releases
        self._arrivals = 0
        self._allocation = allocation
        self._record = Record(allocation)
        self._keep_unsettled(whole.steps)
        self._grown = whole.steps.grown
        self._waiting = Waiting(whole.ledger)
        for asking, found in zip(whole.pending, whole.served, strict=True):
            self._waiting.take_over(asking, self._choices.of(asking), found)
        self._waiting.was_told(Explainer(self._ledger))

    def is_about(self, desired: DesiredState, lb_class: str) -> bool:
        """Whether what stands was decided under the same rules; pools that are equal may be of other lines."""
        return desired.pools is self._pools and lb_class == self._lb_class

    def follow(self, observed: ObservedState) -> Allocation | None:
        """The allocation of a later snapshot; None when only a whole pass can tell, and nothing stands any longer."""
        changes = changes_between(self._services, observed.services)
        if changes is None or not self._choices.follow(observed) or self._is_much(changes):
            return None
        self._services = observed.services
        self._arrivals += len(changes.come)
        return self._decide(changes) if changes.number else self._allocation

    def _is_much(self, changes: Changes) -> bool:
        """
        Whether a whole pass costs little in comparison, with the changes or with all that was done since the last one.

        What is done to a ledger leaves traces in it, which are worked off or only wait. They end with it.
        """
        count = len(self._services)
        work = self._ledger.releases - self._releases + self._arrivals
        return changes.number > _FEW + count // _SHARE or work > _LITTLE_WORK + count

    def _decide(self, changes: Changes) -> Allocation | None:
        outcome = PartialOutcome()
        steps = Steps(self._ledger, self._choices, outcome, lb_class=self._lb_class)
        self._withdraw()
        for service in changes.gone:
            self._let_go(service)
        self._confirm(steps, *steps.sort_out(changes.come))
        if steps.is_contested:
            return None
        steps.serve_claims()
        steps.grow()
        self._grown = steps.grown
        self._waiting.serve(steps.find)
        explainer = Explainer(self._ledger)
        concerned = {service.key: service for service in self._waiting.report(outcome, explainer)}
        concerned |= {service.key: service for service in (*self._unsettled(), *changes.come)}
        self._record.erase(service.key for service in changes.gone)
        self._record.write(concerned, outcome, explainer, self._choices)
        self._allocation = self._record.read()
        return self._allocation

    def _withdraw(self) -> None:
        """Take back what anybody was given who is not simply confirmed."""
        for asking, pool, added in self._grown:
            self._ledger.release(pool, added, asking)
        for claim in self._claims.values():
            claim.let_go(self._ledger)
        self._waiting.withdraw()

    def _let_go(self, service: Service) -> None:
        """A Service is not there any more, or not as it was."""
        self._claims.pop(service.key, None)
        self._growing.pop(service.key, None)
        self._waiting.discard(service)
        if not service.ingress:
            return
        first = service.ingress[0]
        pool = self._ledger.owner(first)
        if pool and pool.halves[first.family].is_held_by(first.value, service.key):
            self._ledger.release(pool, service.ingress, Asking(service, request_of(service), 0))

    def _confirm(self, steps: Steps, holders: list[Asking], pending: list[Asking]) -> None:
        """Confirm the holders that came and the claims that were there; let the pending ones that came queue."""
        for asking in holders:
            steps.confirm(asking)
        for claim in self._claims.values():
            steps.claim(claim.asking, claim.choice, claim.loss)
        for asking, pool, first in self._growing.values():
            steps.settle(asking, pool, (first,))
        self._keep_unsettled(steps)
        steps.claims.sort(key=lambda claim: precedence_of_holder(claim.asking.service))
        steps.growing.sort(key=lambda found: precedence_of_holder(found[0].service))
        for asking in pending:
            self._waiting.add(asking, self._choices.of(asking))

    def _keep_unsettled(self, steps: Steps) -> None:
        """Remember the holders that every pass looks at again."""
        self._claims: dict[ServiceKey, Claim] = {claim.asking.service.key: claim for claim in steps.claims}
        self._growing: dict[ServiceKey, Growing] = {
            asking.service.key: (asking, pool, first)
            for asking, pool, first in steps.growing
            # A served claim may grow as well, but that is decided with the claim. Where the pool has no address of the
            # other family at all, what was said of it stays true.
            if asking.service.key not in self._claims and first.family.other in pool.halves
        }

    def _unsettled(self) -> Iterator[Service]:
        """Those holders."""
        yield from (claim.asking.service for claim in self._claims.values())
        yield from (asking.service for asking, _, _ in self._growing.values())
