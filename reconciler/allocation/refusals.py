"""Why a request was not met: which rule stopped it in which pool, the most useful cause first, and what to change."""

from bisect import bisect_left
from difflib import get_close_matches
from functools import cached_property

from reconciler.addresses.family import Address
from reconciler.allocation.causes import Causes, PoolSurvey, needs_both
from reconciler.allocation.decisions import PoolRefusal, Refusal
from reconciler.allocation.ledger import Ledger, PoolLedger
from reconciler.allocation.legality import Obstacle, legal_pool, not_compatible, requested_pool
from reconciler.allocation.pool_choice import PoolChoice
from reconciler.allocation.reasons import Reason
from reconciler.allocation.requests import Asking, Fault, Request
from reconciler.model.observed import Service

# An Event's message may have 1 kB (Kubernetes API, core/v1 Event); more causes are in the Refusal.
_CAUSES_IN_MESSAGE = 5
_POOLS_IN_MESSAGE = 8

# A misspelt name is compared with so many before it in the alphabet, and so many after; all would cost a millisecond
# for a thousand.
_COMPARED = 100

_ADVICE: dict[str, str] = {
    Reason.POOL_EXHAUSTED: "add addresses to a pool that serves this Service, or give up an address that is not needed",
    Reason.FAMILY_MISMATCH: "add addresses of that family to a pool that serves this Service, or change its ipFamilies",
    Reason.POOL_NOT_COMPATIBLE: "widen the serviceAllocation of a pool, or add a pool that serves this Service",
    Reason.AUTO_ASSIGN_OFF: "ask for a pool by the annotation metallb.io/address-pool, or turn autoAssign on",
}

_NO_POOLS_MESSAGE = "no IPAddressPool is configured"


class Explainer:
    """
    Explains refusals by the state that a pass leaves.

    Services that are refused for the same reasons share one explanation, so a hundred thousand of them cost no more
    than their own lines.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: dict[tuple[object, ...], tuple[Causes, str]] = {}
        self._unknown_pools: dict[str, Obstacle] = {}

    # Few passes have anything to explain, and there may be thousands of pools.
    @cached_property
    def _survey(self) -> PoolSurvey:
        return PoolSurvey(self._ledger)

    @cached_property
    def _names(self) -> list[str]:
        return [pool.pool.name for pool in self._ledger.pools]

    def refusal(self, asking: Asking, choice: PoolChoice, kept: tuple[Address, ...] = ()) -> Refusal:
        """The refusal of a request that the pass could not meet; `kept` is what the Service holds meanwhile."""
        service, request = asking.service, asking.request
        if not self._ledger.pools:
            return _no_pools(service)
        if request.fault:
            return _of_fault(service, request.fault, kept)
        if request.addresses:
            return _with_obstacle(service, self._obstacle_to_addresses(asking, choice), kept)
        if request.pool:
            return self._in_named_pool(asking, choice, kept)
        return self._anywhere(asking, choice)

    def _obstacle_to_addresses(self, asking: Asking, choice: PoolChoice) -> Obstacle:
        found = requested_pool(asking.request, choice, self._ledger)
        if isinstance(found, PoolLedger):
            found = legal_pool(asking.request.addresses, asking, choice, self._ledger)
        match found:
            case Obstacle():
                return found
            case PoolLedger():
                raise AssertionError(f"{asking.service.key} was refused addresses that nothing keeps it from holding")

    def _in_named_pool(self, asking: Asking, choice: PoolChoice, kept: tuple[Address, ...]) -> Refusal:
        service, request = asking.service, asking.request
        pool = self._ledger.by_name.get(request.pool)
        if pool is None:
            return _with_obstacle(service, self._unknown_pool(request.pool), kept)
        if not choice.admits(pool):
            return _with_obstacle(service, not_compatible(pool, choice), kept)
        causes, summary = self._causes(asking, choice)
        cause = causes.named[0]
        dual = " for dual IPFamily" if needs_both(request) else ""
        return Refusal(
            service=service.key,
            reason=cause.rule,
            message=f"no available IPs in pool {request.pool}{dual}: {summary}",
            origin=cause.origin,
            causes=causes.named,
            further_pools=causes.further,
            advice=_until_then(f"add {_wanted(request)} addresses to pool {request.pool}, or ask for another", kept),
        )

    def _unknown_pool(self, name: str) -> Obstacle:
        obstacle = self._unknown_pools.get(name)
        if obstacle is None:
            obstacle = self._unknown_pools[name] = self._compared_with_known(name)
        return obstacle

    def _compared_with_known(self, name: str) -> Obstacle:
        known = self._names
        middle = bisect_left(known, name)
        near = get_close_matches(name, known[max(0, middle - _COMPARED) : middle + _COMPARED], n=1)
        hint = f'did you mean "{near[0]}"?' if near else f"there {_are(known)}"
        return Obstacle(
            reason=Reason.UNKNOWN_POOL,
            message=f'unknown pool "{name}": {hint}',
            advice="correct the annotation metallb.io/address-pool, or add the pool",
        )

    def _anywhere(self, asking: Asking, choice: PoolChoice) -> Refusal:
        service = asking.service
        causes, summary = self._causes(asking, choice)
        reason = causes.named[0].rule
        advice = _ADVICE[reason]
        if reason == Reason.FAMILY_MISMATCH and needs_both(asking.request):
            advice = "put both families into one pool, or set ipFamilyPolicy to PreferDualStack"
        if reason == Reason.POOL_EXHAUSTED and service.sharing_key and service.is_local:
            advice += "; under externalTrafficPolicy Local only Services with the same selector share an address"
        return Refusal(
            service=service.key,
            reason=reason,
            message=f"no available IPs: {summary}",
            origin=causes.named[0].origin,
            causes=causes.named,
            further_pools=causes.further,
            advice=advice,
        )

    def _causes(self, asking: Asking, choice: PoolChoice) -> tuple[Causes, str]:
        """The causes, most useful first, and the sentence that names the first few."""
        request, ports = asking.request, asking.service.ports
        terms = request.sharing
        known_as = (choice, request.pool, request.alternatives, terms, ports if terms else None)
        known = self._known.get(known_as)
        if known is None:
            if request.pool:
                causes = self._survey.of_pool(self._ledger.by_name[request.pool], asking, choice)
            else:
                causes = self._survey.of_all(asking, choice)
            known = self._known[known_as] = causes, _summary(causes)
        return known


def _summary(causes: Causes) -> str:
    parts = [f'pool "{cause.pool}" {cause.detail}' for cause in causes.named[:_CAUSES_IN_MESSAGE]]
    unnamed = len(causes.named) - len(parts) + causes.further
    return "; ".join(parts) + (f"; and {unnamed} more pools" if unnamed else "")


def _wanted(request: Request) -> str:
    return " and ".join(map(str, request.families))


def _are(names: list[str]) -> str:
    shown = ", ".join(f'"{name}"' for name in names[:_POOLS_IN_MESSAGE])
    more = f" and {len(names) - _POOLS_IN_MESSAGE} more" if len(names) > _POOLS_IN_MESSAGE else ""
    return f"{'is' if len(names) == 1 else 'are'} {shown}{more}"


def _no_pools(service: Service) -> Refusal:
    return Refusal(
        service=service.key,
        reason=Reason.NO_POOLS,
        message=_NO_POOLS_MESSAGE,
        event="",
        advice="add an IPAddressPool",
    )


def _of_fault(service: Service, fault: Fault, kept: tuple[Address, ...]) -> Refusal:
    return Refusal(
        service=service.key,
        reason=fault.reason,
        message=fault.prefix_while_held + fault.message if kept else fault.message,
        event=fault.event_while_held if kept else fault.event,
        advice=_until_then(fault.advice, kept),
    )


def _with_obstacle(service: Service, obstacle: Obstacle, kept: tuple[Address, ...]) -> Refusal:
    named = PoolRefusal(obstacle.pool, obstacle.reason, obstacle.message, obstacle.origin) if obstacle.pool else None
    return Refusal(
        service=service.key,
        reason=obstacle.reason,
        message=obstacle.message,
        origin=obstacle.origin,
        causes=(named,) if named else (),
        advice=_until_then(obstacle.advice, kept),
    )


def _until_then(advice: str, kept: tuple[Address, ...]) -> str:
    return f"{advice}; until then it keeps {' and '.join(map(str, kept))}" if kept else advice
