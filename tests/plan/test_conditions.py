"""What our condition says of a Service, when it is written, and when it is not written again."""

import re

import pytest
from msgspec import structs

from reconciler.addresses.family import Address, Family
from reconciler.allocation.allocate import allocate
from reconciler.allocation.decisions import Allocation, Assignment, Loss, Refusal
from reconciler.allocation.reasons import Reason
from reconciler.model.desired import DesiredState
from reconciler.model.observed import AssignedCondition, ObservedState, Service, ServiceKey
from reconciler.plan.actions import AssignAddresses, ClearAddresses, Plan, RecordCondition, RecordEvent, ServiceAction
from reconciler.plan.conditions import assigned, reason_word, refused, says_the_same
from reconciler.plan.guard import settle
from reconciler.plan.services import applied, plan_services, writes
from tests.builders import desired, observed, pool, service

FOUR = pool("p", "192.0.2.0/30")
ONE = pool("p", "192.0.2.1/32")
HELD = "192.0.2.1"
FROM_P = assigned("p")
NOT_OURS = AssignedCondition("False", "PoolExhausted", "no available IPs")


def plan_of(state: DesiredState, *services: Service) -> Plan[ServiceAction]:
    snapshot = observed(*services)
    return plan_services(allocate(state, snapshot), snapshot, state)


def with_condition(held: Service, condition: AssignedCondition | None) -> Service:
    return structs.replace(held, condition=condition)


def conditions_in(plan: Plan[ServiceAction]) -> list[tuple[str, str, AssignedCondition | None]]:
    """Each action that touches a condition: what it is, of whom, and what the condition then says."""
    return [
        (type(action).__name__, action.service, action.condition)
        for action in plan.actions
        if not isinstance(action, RecordEvent)
    ]


@pytest.mark.parametrize(
    ("state", "given", "kind", "expected"),
    [
        pytest.param(desired(FOUR), service("a/b"), "AssignAddresses", FROM_P, id="given an address"),
        pytest.param(
            desired(FOUR), service("a/b", ingress=HELD), "RecordCondition", FROM_P, id="held, and nothing said yet"
        ),
        pytest.param(
            desired(FOUR),
            with_condition(service("a/b", ingress=HELD), assigned("q")),
            "RecordCondition",
            FROM_P,
            id="held, and another pool said",
        ),
        pytest.param(
            desired(FOUR), service("a/b", ingress=HELD, foreign=True), "AssignAddresses", FROM_P, id="adopted"
        ),
        pytest.param(
            desired(FOUR),
            with_condition(service("a/b", ingress=HELD, type="ClusterIP"), FROM_P),
            "ClearAddresses",
            None,
            id="of another type, with an address",
        ),
    ],
)
def test_what_is_said_beside_an_address(
    state: DesiredState, given: Service, kind: str, expected: AssignedCondition | None
) -> None:
    assert conditions_in(plan_of(state, given)) == [(kind, "a/b", expected)]


@pytest.mark.parametrize(
    ("state", "given", "kind", "reason"),
    [
        pytest.param(desired(), service("a/b"), "RecordCondition", "NoPools", id="pending without pools"),
        pytest.param(desired(), service("a/b", ingress=HELD), "ClearAddresses", "NoPools", id="a holder without pools"),
        pytest.param(
            desired(FOUR), service("a/b", requested_pool="q"), "RecordCondition", "UnknownPool", id="an unknown pool"
        ),
        pytest.param(
            desired(FOUR),
            service("a/b", ingress="198.51.100.1", foreign=True, requested_ips="203.0.113.1"),
            "RecordCondition",
            "NotInAnyPool",
            id="refused beside the status of somebody else",
        ),
        pytest.param(
            desired(FOUR),
            service("a/b", allocated_pool="p", families=""),
            "ClearAddresses",
            "NoClusterIp",
            id="the annotation goes in the same write",
        ),
        pytest.param(
            desired(FOUR),
            with_condition(service("a/b", requested_pool="q"), FROM_P),
            "RecordCondition",
            "UnknownPool",
            id="what it said is not so any more",
        ),
    ],
)
def test_what_is_said_of_a_refusal(state: DesiredState, given: Service, kind: str, reason: str) -> None:
    ((found, _, condition),) = conditions_in(plan_of(state, given))
    assert condition is not None
    assert (found, condition.status, condition.reason) == (kind, "False", reason)


def test_a_refusal_comes_with_its_advice() -> None:
    ((_, _, condition),) = conditions_in(plan_of(desired(), service("a/b")))
    assert condition == AssignedCondition(
        "False", "NoPools", "no IPAddressPool is configured; advice: add an IPAddressPool"
    )


def test_an_unmet_request_is_told_beside_the_address_that_stays() -> None:
    kept = service("a/b", ingress=HELD, requested_ips="203.0.113.1")
    ((kind, _, condition),) = conditions_in(plan_of(desired(FOUR), kept))
    assert condition is not None
    assert (kind, condition.status, condition.reason) == ("RecordCondition", "True", "Assigned")
    assert condition.message.startswith('from pool "p"; ["203.0.113.1"] is not allowed in config')


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(service("a/b", type="ClusterIP"), id="no load balancer"),
        pytest.param(
            with_condition(service("a/b", load_balancer_class="other"), FROM_P), id="of another class, whatever it says"
        ),
        pytest.param(service("a/b", type="ClusterIP", ingress=HELD, foreign=True), id="not ours, of another type"),
    ],
)
def test_nothing_is_said_of_a_service_that_is_not_ours(given: Service) -> None:
    assert plan_of(desired(FOUR), given).actions == ()


@pytest.mark.parametrize("condition", [FROM_P, NOT_OURS])
def test_the_last_trace_of_a_service_that_is_no_load_balancer_any_more_goes(condition: AssignedCondition) -> None:
    given = with_condition(service("a/b", type="ClusterIP"), condition)
    loss = Loss(given.key, (), Reason.NOT_LOAD_BALANCER, "the type is ClusterIP", by_configuration=False, event="")
    plan = plan_services(Allocation(losses=(loss,)), observed(given), desired(FOUR))
    assert conditions_in(plan) == [("RecordCondition", "a/b", None)]
    assert applied(observed(given), plan).services[0].condition is None


def test_a_condition_alone_changes_no_address() -> None:
    given = service("a/b", ingress=HELD)
    plan = plan_of(desired(FOUR), given)
    assert len(plan.actions) == 1
    assert list(writes(plan)) == []
    assert applied(observed(given), plan).services[0] == with_condition(given, FROM_P)


def test_when_it_was_said_does_not_matter() -> None:
    said_before = structs.replace(FROM_P, last_transition="2026-01-01T00:00:00Z")
    assert plan_of(desired(FOUR), with_condition(service("a/b", ingress=HELD), said_before)).actions == ()
    assert says_the_same(said_before, FROM_P)


def test_conditions_come_after_all_addresses_and_by_key() -> None:
    plan = plan_of(desired(ONE), service("c/pending"), service("a/pending"), service("b/holder", ingress=HELD))
    kinds = [type(action).__name__ for action in plan.actions]
    assert kinds == ["RecordCondition"] * 3 + ["RecordEvent"] * 2
    assert [action.service for action in plan.actions][:3] == ["a/pending", "b/holder", "c/pending"]


def test_a_service_that_makes_room_is_without_an_address_meanwhile_and_says_so() -> None:
    services = [
        service("a/one", ingress="192.0.2.1", requested_ips="192.0.2.2"),
        service("b/two", ingress="192.0.2.2", requested_ips="192.0.2.1"),
    ]
    aside, *_, last = (action for action in plan_of(desired(FOUR), *services).actions if action.service == "a/one")
    assert isinstance(aside, ClearAddresses)
    assert aside.condition is not None
    assert (aside.condition.status, aside.condition.reason) == ("False", "RequestChanged")
    (final,) = [a for a in plan_of(desired(FOUR), *services).actions if isinstance(a, AssignAddresses)][1:]
    assert final.condition == FROM_P
    assert isinstance(last, RecordEvent)


def test_of_a_pinned_service_nothing_is_written() -> None:
    held = [service("a/plain", ingress="192.0.2.1"), service("b/marked", ingress="192.0.2.2")]
    snapshot = observed(held[0], with_condition(held[1], NOT_OURS))
    assignments = tuple(Assignment(s.key, s.ingress, "p") for s in held)
    kept = Allocation(assignments=assignments, pinned=frozenset(s.key for s in held))
    assert plan_services(kept, snapshot, desired(FOUR)).actions == ()


def test_while_a_plan_is_held_nothing_is_written_of_the_services_that_it_affects() -> None:
    moved = desired(pool("p", "198.51.100.0/30"))
    snapshot = observed(service("a/b", ingress="192.0.2.1"), service("a/c", ingress="192.0.2.2"), service("b/pending"))
    settled = settle(moved, snapshot)
    assert settled.verdict.held
    plan = plan_services(settled.effective, snapshot, moved)
    assert {action.service for action in plan.actions} == {"b/pending"}


def test_a_refusal_is_told_once() -> None:
    snapshot = observed(service("a/holder", ingress=HELD), service("b/pending"))
    state = desired(ONE)
    plan = plan_services(allocate(state, snapshot), snapshot, state)
    assert [action.service for action in plan.actions if isinstance(action, RecordEvent)] == ["b/pending"]
    after = applied(snapshot, plan)
    assert plan_services(allocate(state, after), after, state).actions == ()


@pytest.mark.parametrize(
    ("code", "word"),
    [("pool-exhausted", "PoolExhausted"), ("no-cluster-ip", "NoClusterIp"), ("assigned", "Assigned")],
)
def test_reason_words(code: str, word: str) -> None:
    assert reason_word(code) == word


def test_every_reason_code_is_a_word_that_the_api_takes() -> None:
    words = [reason_word(code) for code in Reason]
    assert all(re.fullmatch(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?", word) for word in words)
    assert len(set(words)) == len(words)


@pytest.mark.parametrize("letter", ["x", "ü", "\N{LEFT-POINTING MAGNIFYING GLASS}"])
def test_a_long_message_is_cut_between_characters(letter: str) -> None:
    message = refused(Refusal(ServiceKey("a/b"), "no-pools", letter * 40_000)).message
    assert 32768 - 4 < len(message.encode()) <= 32768
    assert message == letter * (len(message) - 3) + "..."


def test_a_message_of_the_longest_length_is_left_whole() -> None:
    longest = "x" * 32768
    assert refused(Refusal(ServiceKey("a/b"), "no-pools", longest)).message == longest


# Storms: what becomes of others must not rewrite the conditions of all who wait.


def carried_out(state: DesiredState, snapshot: ObservedState) -> ObservedState:
    return applied(snapshot, plan_services(allocate(state, snapshot), snapshot, state))


def touched(state: DesiredState, snapshot: ObservedState) -> list[str]:
    plan = plan_services(allocate(state, snapshot), snapshot, state)
    return sorted({action.service for action in plan.actions})


def test_an_address_that_is_freed_and_taken_touches_nobody_else() -> None:
    state = desired(pool("p", "192.0.2.0/28"))
    full = carried_out(state, observed(*(service(f"shop/s{n:03}", created=n) for n in range(80))))
    without_first = observed(*full.services[1:])
    assert touched(state, without_first) == ["shop/s016"]


def test_one_more_that_shares_does_not_touch_all_who_are_kept_out() -> None:
    state = desired(FOUR)
    sharers = [
        service(f"a/s{n:02}", sharing_key="k", ports=f"TCP/{n}", ingress=HELD, requested_ips=HELD) for n in range(20)
    ]
    kept_out = [service(f"b/out{n:02}", requested_ips=HELD) for n in range(50)]
    before = carried_out(state, observed(*sharers, *kept_out))
    another = service("a/s99", sharing_key="k", ports="TCP/99", requested_ips=HELD)
    assert touched(state, observed(*before.services, another)) == ["a/s99"]


def test_who_stands_in_the_way_is_named_anew_when_it_is_somebody_else() -> None:
    state = desired(ONE)
    first = service("a/first", ingress=HELD, requested_ips=HELD)
    before = carried_out(state, observed(first, service("b/out", requested_ips=HELD)))
    successor = service("a/second", ingress=HELD, requested_ips=HELD)
    kept_out = before.services[1]
    plan = plan_of(state, with_condition(successor, FROM_P), kept_out)
    ((kind, key, condition),) = conditions_in(plan)
    assert (kind, key) == ("RecordCondition", "b/out")
    assert condition is not None
    assert "a/second" in condition.message


def test_conditions_of_many_services_are_one_object() -> None:
    services = [service(f"a/s{n}", ingress=str(Address(Family.IPV4, 0xC0000200 + n))) for n in range(3)]
    actions = plan_of(desired(FOUR), *services).actions
    found = {id(action.condition) for action in actions if isinstance(action, RecordCondition)}
    assert len(found) == 1
