"""Laws of allocation, over small worlds in which Services meet, share and collide often."""

from collections import defaultdict
from dataclasses import replace
from itertools import combinations
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.addresses.family import Address
from reconciler.allocation.allocate import allocate
from reconciler.allocation.decisions import Allocation
from reconciler.model.desired import DesiredState
from reconciler.model.observed import ObservedState, Service, ServiceKey
from tests.allocation import naive
from tests.allocation.worlds import all_pending, applied
from tests.strategies import desired_states, observed_states

often = settings(max_examples=80, deadline=None)


def by_key(observed: ObservedState) -> dict[ServiceKey, Service]:
    return {service.key: service for service in observed.services}


def held(allocation: Allocation) -> dict[ServiceKey, tuple[Address, ...]]:
    return {found.service: found.addresses for found in allocation.assignments}


@often
@given(desired_states(), observed_states(), st.randoms(use_true_random=False))
def test_the_order_of_input_does_not_matter(desired: DesiredState, observed: ObservedState, random: Random) -> None:
    shuffled, pools = list(observed.services), list(desired.pools)
    random.shuffle(shuffled)
    random.shuffle(pools)
    again = allocate(replace(desired, pools=tuple(pools)), replace(observed, services=tuple(shuffled)))
    assert again == allocate(desired, observed)


@often
@given(desired_states(), observed_states())
def test_allocating_again_after_applying_changes_nothing(desired: DesiredState, observed: ObservedState) -> None:
    first = allocate(desired, observed)
    after = applied(first, observed)
    second = allocate(desired, after)
    assert second.assignments == first.assignments
    assert second.losses == ()
    assert applied(second, after) == after


@often
@given(desired_states(), observed_states())
def test_no_address_is_held_twice_unless_it_may_be_shared(desired: DesiredState, observed: ObservedState) -> None:
    services = by_key(observed)
    tenants: dict[Address, list[Service]] = defaultdict(list)
    for found in allocate(desired, observed).assignments:
        for address in found.addresses:
            tenants[address].append(services[found.service])
    for sharing in tenants.values():
        assert all(naive.may_share(a, b) for a, b in combinations(sharing, 2))


@often
@given(desired_states(), observed_states())
def test_what_is_assigned_is_of_one_pool_that_serves_the_service(
    desired: DesiredState, observed: ObservedState
) -> None:
    services, pools = by_key(observed), {pool.name: pool for pool in desired.pools}
    for found in allocate(desired, observed).assignments:
        pool = pools[found.pool]
        assert all(address in naive.handed_out(pool, address.family) for address in found.addresses)
        assert naive.admits(pool, services[found.service], observed)
        assert len({address.family for address in found.addresses}) == len(found.addresses) <= 2


@often
@given(desired_states(), observed_states())
def test_pending_services_get_what_a_naive_search_finds(desired: DesiredState, observed: ObservedState) -> None:
    pending = all_pending(observed)
    assert held(allocate(desired, pending)) == naive.allocate_pending(desired, pending)


@often
@given(desired_states(), observed_states())
def test_every_service_of_ours_is_assigned_or_told_why_not(desired: DesiredState, observed: ObservedState) -> None:
    allocation = allocate(desired, observed)
    assigned, refused = set(held(allocation)), {refusal.service for refusal in allocation.refusals}
    ignored = {found.service for found in allocation.ignored}
    for service in observed.services:
        answers = (service.key in assigned or service.key in refused, service.key in ignored)
        if service.type != "LoadBalancer":
            assert answers == (False, False)
        else:
            assert answers == ((True, False) if service.load_balancer_class is None else (False, True))
    for refusal in allocation.refusals:
        assert refusal.message
        assert refusal.advice


@often
@given(desired_states(), observed_states())
def test_a_loss_names_just_what_the_service_does_not_keep(desired: DesiredState, observed: ObservedState) -> None:
    allocation = allocate(desired, observed)
    services, after = by_key(observed), held(allocation)
    for loss in allocation.losses:
        service = services[loss.service]
        kept = after.get(loss.service, ())
        assert loss.addresses == tuple(address for address in service.ingress if address not in kept)
        # The status of somebody else is changed for something better, and never emptied.
        assert service.is_ours or kept
    lost = {loss.service for loss in allocation.losses}
    for key, addresses in after.items():
        assert set(services[key].ingress) <= set(addresses) or key in lost


@often
@given(desired_states(), desired_states(), observed_states())
def test_what_is_held_and_still_legal_is_never_moved(
    before: DesiredState, after: DesiredState, observed: ObservedState
) -> None:
    # Once applied, holders do not collide with each other; so under any other configuration each stands for itself.
    consistent = applied(allocate(before, observed), observed)
    result = held(allocate(after, consistent))
    for service in consistent.services:
        if service.key in held(allocate(before, observed)) and _is_legal_alone(after, consistent, service):
            assert result[service.key][: len(service.ingress)] == service.ingress


def _is_legal_alone(desired: DesiredState, observed: ObservedState, service: Service) -> bool:
    owners = [naive.owner(desired, address) for address in service.ingress]
    pool = owners[0]
    wanted = naive.requested(service)
    return (
        pool is not None
        and all(other is pool for other in owners)
        and naive.admits(pool, service, observed)
        and service.requested_pool in ("", pool.name)
        and not (wanted and set(wanted) != set(service.ingress))
    )


@often
@given(desired_states(), observed_states(), st.data())
def test_pinned_services_keep_what_they_have_and_others_give_way(
    desired: DesiredState, observed: ObservedState, data: st.DataObject
) -> None:
    keys = [service.key for service in observed.services]
    pinned = frozenset(data.draw(st.sets(st.sampled_from(keys)) if keys else st.just(set())))
    allocation = allocate(desired, observed, pinned=pinned)
    services, after = by_key(observed), held(allocation)
    staying = {
        key: service
        for key, service in services.items()
        if key in pinned and service.ingress and service.is_load_balancer and service.load_balancer_class is None
    }
    for key, service in staying.items():
        assert after[key] == service.ingress
    assert not staying.keys() & {loss.service for loss in allocation.losses}
    for key, addresses in after.items():
        for other in staying.keys() - {key}:
            if key not in staying and set(addresses) & set(after[other]):
                assert naive.may_share(services[key], services[other])


@often
@given(desired_states(), observed_states(), st.data())
def test_allocating_around_pinned_services_settles_too(
    desired: DesiredState, observed: ObservedState, data: st.DataObject
) -> None:
    keys = [service.key for service in observed.services]
    pinned = frozenset(data.draw(st.sets(st.sampled_from(keys)) if keys else st.just(set())))
    first = allocate(desired, observed, pinned=pinned)
    second = allocate(desired, applied(first, observed), pinned=pinned)
    assert second.losses == ()
    assert held(second) == held(first)
