"""Statuses that are not ours to empty, Services that are none of our business, and those that must not be touched."""

import pytest
from msgspec import structs

from reconciler.addresses.family import parse_address
from reconciler.allocation.allocate import allocate
from reconciler.allocation.decisions import Allocation
from reconciler.model.observed import AssignedCondition, Service, ServiceKey
from reconciler.model.pools import IPAddressPool
from tests.builders import desired, observed, pool, service

P = pool("p", "10.0.0.1-10.0.0.4")
FULL = pool("p", "10.0.0.1/32")


def assigned(allocation: Allocation) -> dict[str, str]:
    return {found.service: " ".join(map(str, found.addresses)) for found in allocation.assignments}


def test_a_legal_status_of_somebody_else_is_adopted() -> None:
    allocation = allocate(desired(P), observed(service("web/a", ingress="10.0.0.3", foreign=True)))
    assert assigned(allocation) == {"web/a": "10.0.0.3"}


def test_an_illegal_one_is_replaced_once_there_is_something_better() -> None:
    allocation = allocate(desired(P), observed(service("web/a", ingress="192.0.2.1", foreign=True)))
    assert assigned(allocation) == {"web/a": "10.0.0.1"}
    assert [loss.reason for loss in allocation.losses] == ["not-in-any-pool"]


def test_and_is_left_alone_until_then() -> None:
    services = service("web/a", ingress="192.0.2.1", foreign=True), service("web/b", ingress="10.0.0.1")
    allocation = allocate(desired(FULL), observed(*services))
    assert assigned(allocation) == {"web/b": "10.0.0.1"}
    assert allocation.losses == ()
    assert [refusal.reason for refusal in allocation.refusals] == ["pool-exhausted"]


def test_nobody_takes_an_address_by_writing_it_into_a_status() -> None:
    ours = service("web/b", ingress="10.0.0.1", created=9)
    theirs = service("web/a", ingress="10.0.0.1 fd00::1", families="46", policy="require", foreign=True, created=1)
    allocation = allocate(desired(pool("p", "10.0.0.1/32", "fd00::1/128")), observed(ours, theirs))
    assert assigned(allocation) == {"web/b": "10.0.0.1"}


@pytest.mark.parametrize(
    ("foreign", "cleared"),
    [pytest.param(False, True, id="ours is emptied"), pytest.param(True, False, id="that of somebody else is not")],
)
def test_without_pools_all_is_silent(*, foreign: bool, cleared: bool) -> None:
    given = service("web/a", ingress="10.0.0.1", foreign=foreign)
    allocation = allocate(desired(), observed(given, service("web/b")))
    assert allocation.assignments == ()
    assert [(loss.service, loss.reason, loss.event) for loss in allocation.losses] == (
        [("web/a", "no-pools", "")] if cleared else []
    )
    assert all(loss.by_configuration for loss in allocation.losses)
    assert [(refusal.reason, refusal.event) for refusal in allocation.refusals] == [("no-pools", "")] * 2


@pytest.mark.parametrize(
    ("ingress", "annotation", "condition", "lost"),
    [
        pytest.param("10.0.0.1", "p", None, ["10.0.0.1"], id="an address that we gave is taken back"),
        pytest.param("", "p", None, [], id="so is an annotation that was left behind"),
        pytest.param("10.0.0.1", None, "True", ["10.0.0.1"], id="or an address beside our condition alone"),
        pytest.param("", None, "True", [], id="our condition is taken away"),
        pytest.param("", None, "False", [], id="whatever it says"),
        pytest.param("10.0.0.1", None, "False", [], id="also beside an address of somebody else, which stays"),
        pytest.param("10.0.0.1", None, None, None, id="the status of somebody else is theirs"),
        pytest.param("", None, None, None, id="nothing is nothing"),
    ],
)
@pytest.mark.parametrize("pools", [[P], []], ids=["with a pool", "without any"])
def test_a_service_that_is_no_load_balancer(
    pools: list[IPAddressPool], ingress: str, annotation: str | None, condition: str | None, lost: list[str] | None
) -> None:
    given = service("web/a", type="ClusterIP", ingress=ingress, allocated_pool=annotation, foreign=annotation is None)
    given = structs.replace(given, condition=AssignedCondition(condition) if condition else None)
    allocation = allocate(desired(*pools), observed(given), lb_class="x")
    assert (allocation.assignments, allocation.refusals, allocation.ignored) == ((), (), ())
    losses = [
        (loss.reason, loss.event, loss.by_configuration, list(map(str, loss.addresses))) for loss in allocation.losses
    ]
    assert losses == ([] if lost is None else [("not-load-balancer", "", False, lost)])


def test_a_hostname_in_the_status_is_replaced_without_a_loss() -> None:
    allocation = allocate(desired(P), observed(service("web/a", hostnames=["lb.example.com"])))
    assert assigned(allocation) == {"web/a": "10.0.0.1"}
    assert allocation.losses == ()


def test_an_annotation_without_an_address_is_taken_away_when_nothing_can_be_assigned() -> None:
    services = service("web/a", allocated_pool="p", requested_pool="ghost"), service("web/b", requested_pool="ghost")
    allocation = allocate(desired(P), observed(*services))
    assert [(loss.service, loss.reason, loss.addresses) for loss in allocation.losses] == [
        ("web/a", "stale-annotation", ())
    ]


@pytest.mark.parametrize(
    ("given", "event", "cleared"),
    [
        pytest.param(service("web/a", cluster_ips=()), "", False, id="no cluster IP yet"),
        pytest.param(service("web/a", cluster_ips=(), ingress="10.0.0.1"), "", True, id="no cluster IP any more"),
        pytest.param(service("web/a", cluster_ips=("None",)), "AllocationFailed", False, id="headless"),
        pytest.param(
            service("web/a", cluster_ips=("None",), ingress="10.0.0.1"),
            "noclusterIPsIPFamily",
            False,
            id="headless holder",
        ),
        pytest.param(
            service("web/a", cluster_ips=("10.96.0.1", "10.96.0.2")), "AllocationFailed", False, id="two of one family"
        ),
        pytest.param(
            service("web/a", families="46", policy="single"),
            "AllocationFailed",
            False,
            id="two families but SingleStack",
        ),
    ],
)
def test_cluster_ips_that_make_no_sense(given: Service, event: str, *, cleared: bool) -> None:
    allocation = allocate(desired(P), observed(given))
    (refusal,) = allocation.refusals
    assert refusal.event == event
    assert [loss.addresses for loss in allocation.losses] == ([given.ingress] if cleared else [])
    kept = bool(given.ingress) and not cleared
    assert assigned(allocation) == ({"web/a": "10.0.0.1"} if kept else {})
    if event == "noclusterIPsIPFamily":
        assert refusal.message.startswith("Failed to retrieve ClusterIPs IPFamily for [None] None: ")


@pytest.mark.parametrize(
    ("ingress", "allocated_pool", "owner"),
    [
        pytest.param("10.0.0.3", "old", "p", id="inside a pool, that pool"),
        pytest.param("192.0.2.1", "old", "old", id="outside all, the pool it came from"),
    ],
)
def test_a_pinned_service_keeps_its_address(ingress: str, allocated_pool: str, owner: str) -> None:
    given = service("web/a", ingress=ingress, allocated_pool=allocated_pool, load_balancer_ip="10.0.0.1")
    allocation = allocate(desired(P), observed(given), pinned=frozenset({ServiceKey("web/a")}))
    (found,) = allocation.assignments
    assert (found.addresses, found.pool) == ((parse_address(ingress),), owner)
    assert (allocation.losses, allocation.refusals) == ((), ())


def test_others_are_served_around_pinned_services_even_where_those_break_the_rules() -> None:
    services = [
        service("web/a", ingress="10.0.0.1", sharing_key="k"),
        service("web/b", ingress="10.0.0.1", sharing_key="other"),
        service("web/c", ingress="10.0.0.1", sharing_key="k", ports="TCP/443"),
        service("web/d", sharing_key="k", ports="TCP/8080"),
    ]
    pinned = frozenset({ServiceKey("web/a"), ServiceKey("web/b")})
    allocation = allocate(desired(P), observed(*services), pinned=pinned)
    assert assigned(allocation) == {"web/a": "10.0.0.1", "web/b": "10.0.0.1", "web/c": "10.0.0.2", "web/d": "10.0.0.2"}
    (loss,) = allocation.losses
    assert (loss.service, loss.reason) == ("web/c", "address-in-use")


@pytest.mark.parametrize(
    ("status", "ours"),
    [
        pytest.param("True", True, id="a condition that is True stands beside addresses of ours"),
        pytest.param("False", False, id="a refusal that we wrote does not make the addresses ours"),
    ],
)
def test_whose_addresses_a_condition_marks(status: str, *, ours: bool) -> None:
    theirs = service("web/a", ingress="192.0.2.1", foreign=True)
    marked = structs.replace(theirs, condition=AssignedCondition(status))
    allocation = allocate(desired(pool("p", "10.0.0.0/32", auto_assign=False)), observed(marked))
    assert bool(allocation.losses) is ours
    assert not allocation.assignments
