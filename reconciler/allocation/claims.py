"""Services that hold addresses and have to be served anew, and the moves that are only possible together."""

from collections.abc import Iterator, Sequence

from reconciler.addresses.family import Address
from reconciler.allocation.decisions import Loss
from reconciler.allocation.ledger import Ledger, PoolLedger
from reconciler.allocation.legality import Obstacle, requested_pool
from reconciler.allocation.pool_choice import PoolChoice
from reconciler.allocation.requests import Asking
from reconciler.model.observed import Service, ServiceKey


class Claim:
    """
    One such Service during a pass.

    `held` are the addresses that are still its own in the ledger, all from `pool`. With `keeps` it goes on holding
    them if nothing better is found; otherwise they are only kept free for it until its turn. `loss` is what it loses
    unless it is served with the same addresses. `served` tells that `held` is what it asks for.
    """

    __slots__ = ("asking", "choice", "held", "keeps", "loss", "pool", "served")

    def __init__(self, asking: Asking, choice: PoolChoice, loss: Loss) -> None:
        self.asking = asking
        self.choice = choice
        self.loss = loss
        self.held: tuple[Address, ...] = ()
        self.pool: PoolLedger | None = None
        self.keeps = False
        self.served = False

    def keep(self, pool: PoolLedger, addresses: tuple[Address, ...], *, if_refused: bool, served: bool) -> None:
        """Go on with addresses that the ledger already has down for the Service."""
        self.pool, self.held, self.keeps, self.served = pool, addresses, if_refused, served

    def let_go(self, ledger: Ledger) -> None:
        """Release what is held, if anything is."""
        if self.pool is not None:
            ledger.release(self.pool, self.held, self.asking)
            self.pool, self.held = None, ()

    def settle(self, ledger: Ledger, pool: PoolLedger, addresses: tuple[Address, ...]) -> None:
        """Hold what was asked for."""
        ledger.hold(pool, addresses, self.asking)
        self.pool, self.held, self.served = pool, addresses, True


def move_together(claims: Sequence[Claim], ledger: Ledger) -> bool:
    """
    Serve every claim that names its addresses and can have them; True when some address was given up for it.

    Two Services that exchange addresses can only move at once, and a chain of them only from its far end. So for each
    claim, in order, we collect the claims that stand in its way, those in theirs, and so on: whoever moves this one
    has to move all of them. If that set can move as a whole, it does; otherwise nothing can help this claim.
    """
    exchange = _Exchange(claims, ledger)
    freed = False
    for claim in claims:
        if claim.served:
            continue
        together = exchange.required_by(claim)
        gives_up = together is not None and any(moved.held for moved in together)
        if together and exchange.move(together):
            freed |= gives_up
    return freed


class _Exchange:
    def __init__(self, claims: Sequence[Claim], ledger: Ledger) -> None:
        self._ledger = ledger
        self._targets: dict[ServiceKey, PoolLedger] = {}
        self._claims: dict[ServiceKey, Claim] = {}
        self._hopeless: set[ServiceKey] = set()
        for claim in claims:
            target = requested_pool(claim.asking.request, claim.choice, ledger)
            if isinstance(target, Obstacle):
                self._hopeless.add(claim.asking.service.key)
            else:
                self._targets[claim.asking.service.key] = target
                self._claims[claim.asking.service.key] = claim

    def required_by(self, claim: Claim) -> list[Claim] | None:
        """The claims that must move if this one does, itself included; None when one of them cannot."""
        if claim.asking.service.key in self._hopeless:
            return None
        required = {claim.asking.service.key: claim}
        because_of: dict[ServiceKey, ServiceKey] = {}
        waiting = [claim]
        while waiting:
            current = waiting.pop()
            for other in self._obstructing(current):
                obstacle = self._claims.get(other.key)
                if obstacle is None or obstacle.served or other.key in self._hopeless:
                    self._give_up(current.asking.service.key, because_of)
                    return None
                if other.key not in required:
                    required[other.key] = obstacle
                    because_of[other.key] = current.asking.service.key
                    waiting.append(obstacle)
        return list(required.values())

    def _give_up(self, key: ServiceKey | None, because_of: dict[ServiceKey, ServiceKey]) -> None:
        """Neither this claim can move nor those that need it to."""
        while key is not None:
            self._hopeless.add(key)
            key = because_of.get(key)

    def move(self, together: list[Claim]) -> bool:
        """Move all of them, or none."""
        before = [(claim, claim.pool, claim.held) for claim in together]
        for claim in together:
            claim.let_go(self._ledger)
        for position, claim in enumerate(together):
            if next(self._obstructing(claim), None):
                for placed in together[:position]:
                    placed.let_go(self._ledger)
                self._restore(before)
                return False
            claim.settle(self._ledger, self._targets[claim.asking.service.key], claim.asking.request.addresses)
        return True

    def _restore(self, before: list[tuple[Claim, PoolLedger | None, tuple[Address, ...]]]) -> None:
        for claim, pool, held in before:
            claim.served = False
            if pool is not None:
                claim.settle(self._ledger, pool, held)
                claim.served = False

    def _obstructing(self, claim: Claim) -> Iterator[Service]:
        halves = self._targets[claim.asking.service.key].halves
        for address in claim.asking.request.addresses:
            yield from halves[address.family].obstructing(address.value, claim.asking)
