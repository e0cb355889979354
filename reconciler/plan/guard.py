"""
Holds back a plan that would take too many addresses out of use at once.

Only what a change of the files causes can be held: never the edit or deletion of a Service, nor the filling of a
pending one. While a plan is held everybody else is still served, around the held Services and around the addresses
that these would be given, so that what is approved is what was shown.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from msgspec.structs import replace

from reconciler.addresses.family import Address
from reconciler.allocation.allocate import allocate
from reconciler.allocation.decisions import Allocation, Assignment
from reconciler.allocation.sharing import may_share
from reconciler.model.desired import DesiredState
from reconciler.model.observed import ObservedState, Service, ServiceKey
from reconciler.model.settings import GuardSettings

# No Kubernetes name has a blank: the key cannot be that of another Service. It appears in refusals.
_RESERVED = " (once the held change is approved)"


# Addresses that their Services keep, but that nobody would announce any more because of the configuration.
Silenced = frozenset[tuple[ServiceKey, Address]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    Whether a plan may be carried out.

    `approved`: it would be held, but the configuration names its digest. `digest` stands for what the plan does to
    the `affected` Services, None when it affects none. `reason` is a sentence where the plan is held.
    """

    held: bool = False
    approved: bool = False
    reason: str | None = None
    digest: str | None = None
    affected: frozenset[ServiceKey] = frozenset()


@dataclass(frozen=True, slots=True)
class Settled:
    """What the configuration asks for, the verdict on that, and what is to be done now: the same unless it is held."""

    verdict: Verdict
    proposed: Allocation
    effective: Allocation


def settle(
    desired: DesiredState,
    observed: ObservedState,
    *,
    lb_class: str = "",
    proposed: Allocation | None = None,
    silenced: Silenced = frozenset(),
    held_before: bool = False,
) -> Settled:
    """
    Allocate, review, and where the plan is held allocate again around what the held Services have and would get.

    `proposed` is what `allocate` gives for these arguments, where the caller knows it already. The arguments after it
    are those of `review`.
    """
    if proposed is None:
        proposed = allocate(desired, observed, lb_class=lb_class)
    verdict = review(proposed, observed, desired.settings.guard, silenced=silenced, held_before=held_before)
    if not verdict.held:
        return Settled(verdict, proposed, proposed)
    return Settled(verdict, proposed, _around(verdict.affected, proposed, desired, observed, lb_class))


def keep_all(desired: DesiredState, observed: ObservedState, *, lb_class: str = "") -> Allocation:
    """Allocate for those that hold nothing; everybody else keeps what he has, whatever the configuration says."""
    holders = frozenset(service.key for service in observed.services if service.ingress and service.is_load_balancer)
    nothing_shown = Allocation(assignments=(), refusals=(), losses=(), remarks=(), ignored=())
    return _around(holders, nothing_shown, desired, observed, lb_class)


def review(
    allocation: Allocation,
    observed: ObservedState,
    settings: GuardSettings,
    *,
    silenced: Silenced = frozenset(),
    held_before: bool = False,
    only_files_changed: bool = False,
) -> Verdict:
    """
    Judge what an allocation does to the addresses in use.

    It is held when the configuration costs every holder an address, or, from `minimum_services` holders on, more than
    `max_changed_percent` of them.

    Args:
        allocation: What the configuration asks for.
        observed: What it was decided on.
        settings: The thresholds, and the plan that is approved.
        silenced: Addresses that would go on being held in silence.
        held_before: This revision was held at the last look. It stays held while it costs anybody an address: the
            pending Services that were served meanwhile must not dilute the share until it passes by itself.
        only_files_changed: `observed` is what another configuration has settled, so nothing is a Service's own edit.
    """
    if not silenced and not any(loss.by_configuration or only_files_changed for loss in allocation.losses):
        return Verdict()  # in nearly every pass, and found without a look at all holders
    after = {assignment.service: assignment.addresses for assignment in allocation.assignments}
    holders = _holders(allocation, observed, after)
    lines = dict(_losing(allocation, holders, after, only_files_changed=only_files_changed))
    lines |= _falling_silent(holders, silenced, frozenset(lines), after)
    if not lines:
        return Verdict()
    digest = _digest(lines.values())
    affected = frozenset(lines)
    excess = _excess(len(lines), len(holders), settings, held_before=held_before)
    if excess is None:
        return Verdict(digest=digest, affected=affected)
    if settings.approved_plan == digest:
        return Verdict(approved=True, digest=digest, affected=affected)
    reason = f"{excess}; to approve, set spec.guard.approvedPlan of ReconcilerSettings to {digest}"
    return Verdict(held=True, reason=reason, digest=digest, affected=affected)


def _holders(
    allocation: Allocation, observed: ObservedState, after: dict[ServiceKey, tuple[Address, ...]]
) -> dict[ServiceKey, Service]:
    """The Services whose addresses are ours to keep: those in a status that we neither wrote nor take over are not."""
    ignored = {service.service for service in allocation.ignored}
    return {
        service.key: service
        for service in observed.services
        if service.ingress
        and service.is_load_balancer
        and service.key not in ignored
        and (service.is_ours or service.key in after)
    }


def _losing(
    allocation: Allocation,
    holders: dict[ServiceKey, Service],
    after: dict[ServiceKey, tuple[Address, ...]],
    *,
    only_files_changed: bool,
) -> Iterator[tuple[ServiceKey, str]]:
    """A line for each holder that the configuration costs an address."""
    for loss in allocation.losses:
        holder = holders.get(loss.service)
        remaining = after.get(loss.service, ())
        by_files = loss.by_configuration or only_files_changed
        if holder and by_files and any(address not in remaining for address in holder.ingress):
            yield holder.key, f"{holder.key} {_joined(holder.ingress)} -> {_joined(remaining) or 'none'}"


def _falling_silent(
    holders: dict[ServiceKey, Service],
    silenced: Silenced,
    losing: frozenset[ServiceKey],
    after: dict[ServiceKey, tuple[Address, ...]],
) -> dict[ServiceKey, str]:
    """A line for each other holder that keeps an address which nobody announces any more."""
    silent: dict[ServiceKey, list[Address]] = {}
    for key, address in sorted(silenced):
        if key in holders and key not in losing and address in after.get(key, ()):
            silent.setdefault(key, []).append(address)
    return {key: f"{key} {_joined(addresses)} silenced" for key, addresses in silent.items()}


def _joined(addresses: Iterable[Address]) -> str:
    return ",".join(map(str, addresses))


def _digest(lines: Iterable[str]) -> str:
    return "sha256:" + sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _excess(affected: int, holders: int, settings: GuardSettings, *, held_before: bool) -> str | None:
    """The sentence that says what is too much; None when it is not."""
    what = "would change, clear or stop announcing"
    if affected == holders:
        whose = "the only Service that holds one" if holders == 1 else f"all {holders} Services that hold one"
        return f"{what} the addresses of {whose}: that is always held"
    percent = -(-affected * 1000 // holders) / 10
    sentence = f"{what} the addresses of {affected} of {holders} Services that hold one ({percent:g}%)"
    # In whole numbers: a percentage that is only just exceeded must not be lost in rounding.
    if holders >= settings.minimum_services and affected * 100 > settings.max_changed_percent * holders:
        return f"{sentence}: more than the allowed {settings.max_changed_percent}%"
    return f"{sentence}: held before, and not approved since" if held_before else None


def _around(
    affected: frozenset[ServiceKey],
    proposed: Allocation,
    desired: DesiredState,
    observed: ObservedState,
    lb_class: str,
) -> Allocation:
    """Allocate for everybody else, while the held Services keep what they have and what they would get stays free."""
    reserved = tuple(_reservations(affected, proposed, observed))
    placeholders = frozenset(service.key for service in reserved)
    around = ObservedState(
        (*observed.services, *reserved), observed.endpoints, observed.nodes, observed.namespaces, observed.secrets
    )
    held = affected
    while True:
        found = allocate(desired, around, lb_class=lb_class, pinned=held | placeholders)
        driven_out = _driven_out(found, proposed)
        if not driven_out:
            return _as_observed(found, observed, held, placeholders)
        held |= driven_out


def _driven_out(found: Allocation, proposed: Allocation) -> frozenset[ServiceKey]:
    """
    Who would lose an address only because the held Services stay.

    They may be in somebody's way, or take the place that somebody was to move to, or the same files may move another
    one in their stead. None of that was shown, so these Services stay as they are too.
    """
    shown = {loss.service for loss in proposed.losses}
    served, to_be_served = ({a.service for a in allocation.assignments} for allocation in (found, proposed))
    return frozenset(
        loss.service
        for loss in found.losses
        if loss.by_configuration
        or loss.service not in shown
        or (loss.service in to_be_served and loss.service not in served)
    )


def _as_observed(
    found: Allocation, observed: ObservedState, held: frozenset[ServiceKey], placeholders: frozenset[ServiceKey]
) -> Allocation:
    services = {service.key: service for service in observed.services}
    return Allocation(
        assignments=tuple(
            _as_it_was(assignment, services[assignment.service]) if assignment.service in held else assignment
            for assignment in found.assignments
            if assignment.service not in placeholders and not _is_left_alone(services[assignment.service], held)
        ),
        refusals=found.refusals,
        losses=found.losses,
        remarks=found.remarks,
        ignored=found.ignored,
        pinned=held,
    )


def _is_left_alone(service: Service, held: frozenset[ServiceKey]) -> bool:
    """Whether a held Service has a status that no assignment of ours can stand for: somebody else's, or host names."""
    return service.key in held and (bool(service.unreadable_ingress) or service.allocated_pool is None)


def _as_it_was(assignment: Assignment, service: Service) -> Assignment:
    """Nothing of a held Service is written, not even that its addresses are of another pool now."""
    return replace(assignment, pool=service.allocated_pool or "")


def _reservations(affected: frozenset[ServiceKey], proposed: Allocation, observed: ObservedState) -> Iterator[Service]:
    """
    For each held Service one that holds, on the same terms, what it would be given.

    Not an address beside somebody who has it at this moment and could not share it: nobody is driven out for a plan
    that is held. Once it is free the next pass reserves it.
    """
    served = {assignment.service for assignment in proposed.assignments} - affected
    services = {service.key: service for service in observed.services}
    tenants: dict[Address, list[Service]] = {}
    for service in observed.services:
        if service.key in served:
            for address in service.ingress:
                tenants.setdefault(address, []).append(service)
    for assignment in proposed.assignments:
        if assignment.service not in affected:
            continue
        service = services[assignment.service]
        wanted = tuple(
            address
            for address in assignment.addresses
            if address not in service.ingress and all(may_share(service, other) for other in tenants.get(address, ()))
        )
        if wanted:
            key = ServiceKey(service.key + _RESERVED)
            yield replace(service, key=key, ingress=wanted, allocated_pool=assignment.pool, deprecated_annotations=())
