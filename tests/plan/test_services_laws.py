"""What holds for every plan of the controller, whatever the configuration and the cluster."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from reconciler.allocation.allocate import allocate
from reconciler.allocation.sharing import may_share
from reconciler.model.desired import DesiredState
from reconciler.model.observed import AssignedCondition, ObservedState
from reconciler.plan.actions import AssignAddresses, ClearAddresses, RecordCondition, RecordEvent
from reconciler.plan.conditions import assigned
from reconciler.plan.services import applied, plan_services, writes
from tests.builders import desired, observed, pool, service
from tests.strategies import desired_states, observed_states

_LAW = settings(max_examples=120, deadline=None)
_ORDER = [ClearAddresses, AssignAddresses, RecordCondition, RecordEvent]
_PLACES = [f"192.0.2.{n}" for n in range(8)]
_V6_PLACES = [f"2001:db8::{n}" for n in range(8)]


@st.composite
def exchanges(draw: st.DrawFn) -> tuple[DesiredState, ObservedState]:
    """Services that ask for each other's addresses, some of them for two, some ready to share, some out of the pool."""
    pairs = [draw(st.permutations(places)) for places in (_PLACES, _V6_PLACES, _PLACES, _V6_PLACES)]
    services = []
    for n, (v4, v6, wanted_v4, wanted_v6) in enumerate(zip(*pairs, strict=True)):
        is_dual, holds, asks, shares = (draw(st.booleans()) for _ in range(4))
        held = f"{v4} {v6}" if is_dual else v4
        wanted = f"{wanted_v4},{wanted_v6}" if is_dual else wanted_v4
        services.append(
            service(
                f"shop/s{n}",
                families="46" if is_dual else "4",
                policy="require" if is_dual else "single",
                ingress=held if holds else "",
                requested_ips=wanted if asks else None,
                sharing_key="key" if shares else "",
                ports=f"TCP/{draw(st.integers(80, 82))}",
            )
        )
    first = draw(st.sampled_from([0, 0, 0, 2]))
    return desired(pool("p", f"192.0.2.{first}-192.0.2.9", "2001:db8::/120")), observed(*services)


_CONDITIONS = st.sampled_from(
    [None, None, assigned("p"), assigned("pool-0"), AssignedCondition("False", "PoolExhausted", "no available IPs")]
)


@st.composite
def _marked(draw: st.DrawFn, snapshots: st.SearchStrategy[ObservedState]) -> ObservedState:
    """The same with a condition of ours on some Services, right or wrong."""
    snapshot = draw(snapshots)
    found = tuple(structs.replace(service, condition=draw(_CONDITIONS)) for service in snapshot.services)
    return ObservedState(found, namespaces=snapshot.namespaces)


worlds = st.one_of(
    st.tuples(desired_states(), observed_states()),
    st.tuples(desired_states(), _marked(observed_states())),
    exchanges(),
)


def _shuffled(world: tuple[DesiredState, ObservedState]) -> st.SearchStrategy[tuple[DesiredState, list[ObservedState]]]:
    state, snapshot = world
    orders = st.permutations(snapshot.services)
    return orders.map(lambda order: (state, [snapshot, ObservedState(tuple(order), namespaces=snapshot.namespaces)]))


@_LAW
@given(worlds)
def test_planning_again_after_applying_leaves_nothing_to_do(world: tuple[DesiredState, ObservedState]) -> None:
    state, snapshot = world
    plan = plan_services(allocate(state, snapshot), snapshot, state)
    after = applied(snapshot, plan)
    allocation = allocate(state, after)
    again = plan_services(allocation, after, state)
    remarks = [RecordEvent(remark.service, remark.type, remark.reason, remark.message) for remark in allocation.remarks]
    assert list(again.actions) == remarks


@_LAW
@given(worlds)
def test_after_the_plan_every_status_is_what_was_allocated(world: tuple[DesiredState, ObservedState]) -> None:
    state, snapshot = world
    allocation = allocate(state, snapshot)
    after = applied(snapshot, plan_services(allocation, snapshot, state))
    assigned = {a.service: (a.addresses, a.pool) for a in allocation.assignments}
    lost = {loss.service for loss in allocation.losses}
    for before, now in zip(snapshot.services, after.services, strict=True):
        if now.key in assigned:
            assert (now.ingress, now.allocated_pool or "") == assigned[now.key]
        elif before.is_ours and now.key in lost:
            assert (now.ingress, now.allocated_pool) == ((), None)
        else:
            assert structs.replace(now, condition=before.condition) == before


@_LAW
@given(worlds)
def test_no_step_of_a_plan_gives_an_address_to_two_that_may_not_share_it(
    world: tuple[DesiredState, ObservedState],
) -> None:
    state, snapshot = world
    allocation = allocate(state, snapshot)
    plan = plan_services(allocation, snapshot, state)
    services = {service.key: service for service in snapshot.services}
    # Of a status that stays as somebody else left it nobody knows what it means.
    decided = {a.service for a in allocation.assignments} | {write.service for write in writes(plan)}
    held = {key: set(services[key].ingress) for key in decided}
    for write in writes(plan):
        given_now = set(write.addresses) if isinstance(write, AssignAddresses) else set()
        for address in given_now - held[write.service]:
            beside = {key for key, addresses in held.items() if address in addresses and key != write.service}
            assert all(may_share(services[write.service], services[key]) for key in beside)
        held[write.service] = given_now


@_LAW
@given(worlds.flatmap(_shuffled))
def test_the_order_of_the_services_does_not_matter(world: tuple[DesiredState, list[ObservedState]]) -> None:
    state, snapshots = world
    first, second = (plan_services(allocate(state, snapshot), snapshot, state) for snapshot in snapshots)
    assert first == second


@_LAW
@given(worlds)
def test_clears_come_first_and_events_last(world: tuple[DesiredState, ObservedState]) -> None:
    state, snapshot = world
    plan = plan_services(allocate(state, snapshot), snapshot, state)
    order = [_ORDER.index(type(action)) for action in plan.actions]
    assert order == sorted(order)


@_LAW
@given(worlds)
def test_a_status_that_somebody_else_wrote_is_never_emptied(world: tuple[DesiredState, ObservedState]) -> None:
    state, snapshot = world
    plan = plan_services(allocate(state, snapshot), snapshot, state)
    ours = {service.key for service in snapshot.services if service.is_ours}
    assigned = {w.service for w in writes(plan) if isinstance(w, AssignAddresses)}
    assert {w.service for w in writes(plan) if isinstance(w, ClearAddresses)} <= ours | assigned


@_LAW
@given(worlds)
def test_conditions_say_who_is_served_and_who_is_not(world: tuple[DesiredState, ObservedState]) -> None:
    state, snapshot = world
    allocation = allocate(state, snapshot)
    after = applied(snapshot, plan_services(allocation, snapshot, state))
    served = {assignment.service for assignment in allocation.assignments}
    refused = {refusal.service for refusal in allocation.refusals} - served
    ignored = {found.service for found in allocation.ignored}
    for before, now in zip(snapshot.services, after.services, strict=True):
        if now.key in ignored:
            assert now is before
        elif now.key in served | refused:
            assert now.condition is not None
            assert now.condition.status == str(now.key in served)
        elif now.key in {loss.service for loss in allocation.losses}:
            assert now.condition is None
