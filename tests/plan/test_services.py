"""What the controller writes and says, for one Service or a few."""

from collections.abc import Iterable

import pytest
from msgspec import structs

from reconciler.allocation.allocate import allocate
from reconciler.allocation.decisions import Allocation, Remark
from reconciler.model.desired import DesiredState
from reconciler.model.observed import Service
from reconciler.model.origin import Origin
from reconciler.plan.actions import (
    AssignAddresses,
    ClearAddresses,
    Plan,
    RecordCondition,
    RecordEvent,
    ServiceAction,
)
from reconciler.plan.conditions import assigned
from reconciler.plan.services import applied, plan_services, writes
from tests.builders import desired, observed, pool, service

FOUR = pool("p", "192.0.2.0/30")
ONE = pool("p", "192.0.2.1/32")
DUAL = pool("p", "192.0.2.0/30", "2001:db8::/126")
OTHER = pool("q", "198.51.100.0/30")


def plan_of(state: DesiredState, services: Iterable[Service]) -> Plan[ServiceAction]:
    snapshot = observed(*services)
    return plan_services(allocate(state, snapshot), snapshot, state)


def marked(held: Service) -> Service:
    """The Service with the condition that we leave beside its addresses."""
    return structs.replace(held, condition=assigned(held.allocated_pool)) if held.allocated_pool else held


def told(action: ServiceAction) -> str:
    """A write as `assign shop/web - -> 192.0.2.0 (assigned)`, an Event as `Normal IPAllocated …`."""
    match action:
        case AssignAddresses():
            after = " ".join(map(str, action.addresses))
            return f"assign {action.service} {_texts(action.before)} -> {after} of {action.pool} ({action.reason})"
        case ClearAddresses():
            return f"clear {action.service} {_texts(action.before)} ({action.reason})"
        case RecordCondition(condition=condition):
            return f"mark {action.service} {condition.reason if condition else '-'}"
        case RecordEvent():
            return f"{action.type} {action.reason} {action.message}"


def _texts(addresses: Iterable[object]) -> str:
    return " ".join(map(str, addresses)) or "-"


@pytest.mark.parametrize(
    ("state", "given_service", "expected"),
    [
        pytest.param(
            desired(FOUR),
            service("shop/web"),
            ["assign shop/web - -> 192.0.2.0 of p (assigned)", 'Normal IPAllocated Assigned IP ["192.0.2.0"]'],
            id="a pending Service is given an address",
        ),
        pytest.param(
            desired(DUAL),
            service("shop/web", families="46", policy="require"),
            [
                "assign shop/web - -> 192.0.2.0 2001:db8:: of p (assigned)",
                'Normal IPAllocated Assigned IP ["192.0.2.0" "2001:db8::"]',
            ],
            id="both addresses of a pair are in one Event",
        ),
        pytest.param(desired(FOUR), service("shop/web", ingress="192.0.2.2"), [], id="a holder needs nothing"),
        pytest.param(
            desired(DUAL),
            service("shop/web", families="46", policy="prefer", ingress="2001:db8::1"),
            [
                "assign shop/web 2001:db8::1 -> 2001:db8::1 192.0.2.0 of p (additional-address)",
                'Normal IPAllocated Assigned additional IP "192.0.2.0"',
            ],
            id="a second address is appended",
        ),
        pytest.param(
            desired(pool("renamed", "192.0.2.0/30")),
            service("shop/web", ingress="192.0.2.1", allocated_pool="p"),
            ["assign shop/web 192.0.2.1 -> 192.0.2.1 of renamed (pool-annotation)"],
            id="a renamed pool is a write without an Event",
        ),
        pytest.param(
            desired(FOUR),
            service("shop/web", ingress="192.0.2.1", foreign=True),
            ["assign shop/web 192.0.2.1 -> 192.0.2.1 of p (adopted)"],
            id="an address that somebody else wrote is adopted",
        ),
        pytest.param(
            desired(FOUR),
            service("shop/web", hostnames=["lb.example.org"]),
            ["assign shop/web - -> 192.0.2.0 of p (assigned)", 'Normal IPAllocated Assigned IP ["192.0.2.0"]'],
            id="a host name gives way to an address",
        ),
        pytest.param(
            desired(OTHER),
            service("shop/web", ingress="192.0.2.1"),
            [
                "assign shop/web 192.0.2.1 -> 198.51.100.0 of q (not-in-any-pool)",
                (
                    'Normal ClearAssignment current IP for "shop/web" not allowed by config, will attempt for new IP '
                    'assignment: ["192.0.2.1"] is not allowed in config: no pool contains 192.0.2.1'
                ),
                'Normal IPAllocated Assigned IP ["198.51.100.0"]',
            ],
            id="an address of no pool is replaced",
        ),
        pytest.param(
            desired(),
            service("shop/web", ingress="192.0.2.1"),
            ["clear shop/web 192.0.2.1 (no-pools)"],
            id="without pools a status is emptied in silence",
        ),
        pytest.param(
            desired(FOUR),
            service("shop/web", ingress="192.0.2.1", type="ClusterIP"),
            ["clear shop/web 192.0.2.1 (not-load-balancer)"],
            id="another type empties the status in silence",
        ),
        pytest.param(
            desired(FOUR),
            service("shop/web", ingress="203.0.113.9", type="ClusterIP", foreign=True),
            [],
            id="what somebody else wrote is left alone",
        ),
        pytest.param(
            desired(FOUR),
            service("shop/web", ingress="192.0.2.1", load_balancer_class="other"),
            [],
            id="another class is left alone",
        ),
        pytest.param(
            desired(FOUR),
            service("shop/web", allocated_pool="p", families=""),
            ["clear shop/web - (stale-annotation)"],
            id="an annotation without an address is taken away",
        ),
        pytest.param(
            desired(FOUR),
            service("shop/web", ingress="192.0.2.2", deprecated=("metallb.universe.tf/address-pool",)),
            [],
            id="a deprecated annotation alone is nothing to say",
        ),
    ],
)
def test_plan_of_one_service(state: DesiredState, given_service: Service, expected: list[str]) -> None:
    assert [told(action) for action in plan_of(state, [marked(given_service)]).actions] == expected


def test_a_refusal_is_an_event_and_no_write() -> None:
    plan = plan_of(desired(ONE), [marked(service("a/holder", ingress="192.0.2.1")), service("b/pending")])
    condition, event = plan.actions
    assert isinstance(condition, RecordCondition)
    assert isinstance(event, RecordEvent)
    assert (event.service, event.type, event.reason) == ("b/pending", "Warning", "AllocationFailed")
    assert event.message.startswith('Failed to allocate IP for "b/pending": no available IPs')
    assert list(writes(plan)) == []


def test_remarks_are_events_as_they_are() -> None:
    remark = Remark(service("a/b").key, "Warning", "deprecatedAnnotation", "Service uses deprecated annotation x")
    plan = plan_services(Allocation(remarks=(remark,)), observed(service("a/b")), desired())
    assert plan.actions == (RecordEvent(remark.service, remark.type, remark.reason, remark.message),)


def test_writes_come_before_all_events_and_clears_before_assignments() -> None:
    plan = plan_of(desired(ONE), [service("a/pending"), service("z/gone", ingress="192.0.2.1", type="NodePort")])
    assert [told(action) for action in plan.actions] == [
        "clear z/gone 192.0.2.1 (not-load-balancer)",
        "assign a/pending - -> 192.0.2.1 of p (assigned)",
        'Normal IPAllocated Assigned IP ["192.0.2.1"]',
    ]


def test_the_successor_of_an_address_waits_for_its_holder() -> None:
    services = [
        service("a/next", ingress="192.0.2.0", requested_ips="192.0.2.1"),
        service("b/holder", ingress="192.0.2.1", requested_ips="192.0.2.2"),
    ]
    plan = plan_of(desired(FOUR), services)
    assert [write.service for write in writes(plan)] == ["b/holder", "a/next"]


def test_two_that_exchange_addresses_need_three_writes() -> None:
    services = [
        service("a/one", ingress="192.0.2.1", requested_ips="192.0.2.2", resource_version="7"),
        service("b/two", ingress="192.0.2.2", requested_ips="192.0.2.1", resource_version="8"),
    ]
    plan = plan_of(desired(FOUR), services)
    assert [told(write) for write in writes(plan)] == [
        "clear a/one 192.0.2.1 (request-changed)",
        "assign b/two 192.0.2.2 -> 192.0.2.1 of p (request-changed)",
        "assign a/one 192.0.2.1 -> 192.0.2.2 of p (request-changed)",
    ]
    assert [write.resource_version for write in writes(plan)] == ["7", "8", "7"]
    after = applied(observed(*services), plan)
    assert [[str(address) for address in held.ingress] for held in after.services] == [["192.0.2.2"], ["192.0.2.1"]]


def test_one_that_steps_aside_keeps_what_it_need_not_give_up() -> None:
    exchanging = service(
        "a/one",
        families="46",
        policy="require",
        ingress="192.0.2.1 2001:db8::1",
        requested_ips="192.0.2.2,2001:db8::1",
    )
    services = [exchanging, service("b/two", ingress="192.0.2.2", requested_ips="192.0.2.1")]
    first, *_ = writes(plan_of(desired(DUAL), services))
    assert told(first) == "assign a/one 192.0.2.1 2001:db8::1 -> 2001:db8::1 of p (request-changed)"


@pytest.mark.parametrize(
    ("state", "given_service", "cause"),
    [
        pytest.param(
            desired(pool("p", "192.0.2.1/32", "198.51.100.0/30")),
            service("shop/web", requested_ips="198.51.100.2"),
            Origin("p.yaml", 7, 5),
            id="an assignment by the entry that holds the address",
        ),
        pytest.param(
            desired(DUAL),
            service("shop/web", families="46", policy="prefer", ingress="192.0.2.1"),
            Origin("p.yaml", 7, 5),
            id="an additional address by its own entry",
        ),
        pytest.param(
            desired(FOUR),
            service("shop/web", ingress="192.0.2.1", type="ClusterIP"),
            Origin("p.yaml", 6, 5),
            id="a clear by the entry that held the address",
        ),
        pytest.param(
            desired(OTHER),
            service("shop/web", ingress="192.0.2.1", type="ClusterIP"),
            None,
            id="nothing where the pool is gone as well",
        ),
        pytest.param(
            desired(pool("p", "203.0.113.0/30"), OTHER),
            service("shop/web", ingress="192.0.2.1"),
            Origin("p.yaml", 1, 1),
            id="a move by the pool that the address fell out of",
        ),
    ],
)
def test_every_write_names_the_line_behind_it(
    state: DesiredState, given_service: Service, cause: Origin | None
) -> None:
    (write,) = writes(plan_of(state, [given_service]))
    assert write.cause == cause


def test_applied_leaves_other_services_as_they_are() -> None:
    snapshot = observed(service("a/pending"), marked(service("b/holder", ingress="192.0.2.1")))
    state = desired(FOUR)
    after = applied(snapshot, plan_services(allocate(state, snapshot), snapshot, state))
    assert after.services[1] is snapshot.services[1]
    assert (after.services[0].allocated_pool, str(after.services[0].ingress[0])) == ("p", "192.0.2.0")


def test_a_cleared_service_carries_no_marks_of_ours() -> None:
    snapshot = observed(marked(service("a/b", ingress="192.0.2.1", type="ClusterIP")))
    state = desired(FOUR)
    (after,) = applied(snapshot, plan_services(allocate(state, snapshot), snapshot, state)).services
    assert (after.is_ours, after.condition) == (False, None)
