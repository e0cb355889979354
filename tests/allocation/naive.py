"""
Allocation written again without any cleverness, as something to compare with.

It looks at every address of every pool in turn, and at every pair of Services. It serves pending Services only.
"""

from collections.abc import Iterator, Sequence
from itertools import product

from reconciler.addresses.family import Address, AddressError, Family, parse_address
from reconciler.model.desired import DesiredState
from reconciler.model.observed import FamilyPolicy, ObservedState, Service, ServiceKey
from reconciler.model.pools import IPAddressPool
from reconciler.model.selectors import LabelSelector

Held = list[tuple[Service, tuple[Address, ...]]]


def may_share(a: Service, b: Service) -> bool:
    """Equal keys that are not empty, both Cluster or both Local with the same selector, and no port in common."""
    if not a.sharing_key or a.sharing_key != b.sharing_key:
        return False
    if a.external_traffic_policy != b.external_traffic_policy:
        return False
    if a.external_traffic_policy == "Local" and dict(a.selector) != dict(b.selector):
        return False
    return not any((p.protocol, p.number) == (q.protocol, q.number) for p, q in product(a.ports, b.ports))


def handed_out(pool: IPAddressPool, family: Family) -> Iterator[Address]:
    """Every address that the pool hands out, in the order of its entries."""
    for entry in pool.entries:
        if entry.addresses.family is family:
            for value in range(entry.addresses.first, entry.addresses.last + 1):
                if not (pool.avoid_buggy_ips and family is Family.IPV4 and value % 256 in (0, 255)):
                    yield Address(family, value)


def admits(pool: IPAddressPool, service: Service, observed: ObservedState) -> bool:
    """Whether the pool may serve the Service by whatever way."""
    scope = pool.scope
    if scope is None:
        return True
    in_namespace = service.namespace in scope.namespaces or _selected(
        scope.namespace_selectors, dict(observed.namespaces.get(service.namespace, ()))
    )
    everywhere = not scope.namespaces and not scope.namespace_selectors
    labelled = not scope.service_selectors or _selected(scope.service_selectors, dict(service.labels))
    return (everywhere or in_namespace) and labelled


def _selected(selectors: Sequence[LabelSelector], labels: dict[str, str]) -> bool:
    return any(all(labels.get(key) == value for key, value in s.match_labels) for s in selectors)


def may_hold(service: Service, address: Address, held: Held) -> bool:
    """Whether the Service may join everybody who has the address."""
    return all(may_share(service, other) for other, theirs in held if address in theirs)


def families_of(service: Service) -> tuple[Family, ...] | None:
    """The families of the cluster IPs, ascending; None when they make no sense for the policy."""
    try:
        found = sorted(parse_address(text).family for text in service.cluster_ips)
    except AddressError:
        return None
    if not found or len(found) != len(set(found)):
        return None
    if service.family_policy is FamilyPolicy.REQUIRE_DUAL_STACK and len(found) < 2:
        return None
    if service.family_policy is FamilyPolicy.SINGLE_STACK and len(found) > 1:
        return None
    return tuple(found)


def alternatives_of(service: Service) -> list[tuple[Family, ...]]:
    """The sets of families that satisfy the Service, best first."""
    families = families_of(service)
    if families is None:
        return []
    if len(families) < 2 or service.family_policy is not FamilyPolicy.PREFER_DUAL_STACK:
        return [families]
    preferred = Family.IPV6 if service.prefers_ipv6 else Family.IPV4
    return [families, (preferred,), (preferred.other,)]


def requested(service: Service) -> tuple[Address, ...] | None:
    """The addresses that the Service names; None when it names nonsense."""
    texts = service.requested_ips.split(",") if service.requested_ips else []
    try:
        found = tuple(parse_address(text.strip()) for text in texts)
    except AddressError:
        return None
    return found if len({address.family for address in found}) == len(found) else None


def owner(desired: DesiredState, address: Address) -> IPAddressPool | None:
    """The pool that hands the address out."""
    return next((pool for pool in desired.pools if address in handed_out(pool, address.family)), None)


def allocate_pending(desired: DesiredState, observed: ObservedState) -> dict[ServiceKey, tuple[Address, ...]]:
    """The addresses of every Service, when none holds any yet."""
    held: Held = []
    for service in sorted(observed.services, key=lambda s: (s.created_at, s.key)):
        if service.type == "LoadBalancer" and service.load_balancer_class is None:
            found = _find(desired, observed, service, held)
            if found:
                held.append((service, found))
    return {service.key: found for service, found in held}


def _find(desired: DesiredState, observed: ObservedState, service: Service, held: Held) -> tuple[Address, ...] | None:
    wanted = requested(service)
    if wanted is None or families_of(service) is None:
        return None
    if wanted:
        return wanted if _may_have(desired, observed, service, wanted, held) else None
    for pools in _lists_of_pools(desired, observed, service):
        for families in alternatives_of(service):
            for pool in pools:
                firsts = [
                    next((a for a in handed_out(pool, family) if may_hold(service, a, held)), None)
                    for family in families
                ]
                found = tuple(address for address in firsts if address is not None)
                if len(found) == len(families):
                    return found
    return None


def _may_have(
    desired: DesiredState,
    observed: ObservedState,
    service: Service,
    wanted: tuple[Address, ...],
    held: Held,
) -> bool:
    owners = [owner(desired, address) for address in wanted]
    pool = owners[0]
    return (
        pool is not None
        and all(other is pool for other in owners)
        and admits(pool, service, observed)
        and service.requested_pool in ("", pool.name)
        and tuple(sorted(address.family for address in wanted)) == families_of(service)
        and all(may_hold(service, address, held) for address in wanted)
    )


def _lists_of_pools(desired: DesiredState, observed: ObservedState, service: Service) -> list[list[IPAddressPool]]:
    if service.requested_pool:
        return [[p for p in desired.pools if p.name == service.requested_pool and admits(p, service, observed)]]
    pinned = [p for p in desired.pools if p.scope and p.auto_assign and admits(p, service, observed)]
    pinned.sort(key=lambda p: (0 if p.scope and p.scope.priority else 1, p.scope.priority if p.scope else 0, p.name))
    return [pinned, [p for p in desired.pools if p.scope is None and p.auto_assign]]
