"""Holders that have to be served anew: they ask for something else, or lost what they had."""

import pytest

from reconciler.allocation.allocate import allocate
from reconciler.allocation.decisions import Allocation
from reconciler.model.observed import Service
from tests.builders import desired, observed, pool, scope, service

P = pool("p", "10.0.0.1-10.0.0.4")
Q = pool("q", "10.0.1.1/32")
DUAL = pool("p", "10.0.0.1-10.0.0.4", "fd00::1-fd00::4")


def assigned(allocation: Allocation) -> dict[str, str]:
    return {found.service: " ".join(map(str, found.addresses)) for found in allocation.assignments}


def refused(allocation: Allocation) -> dict[str, str]:
    return {refusal.service: refusal.reason for refusal in allocation.refusals}


@pytest.mark.parametrize(
    ("services", "holds", "without"),
    [
        pytest.param(
            [
                service("web/a", ingress="10.0.0.1", load_balancer_ip="10.0.0.2"),
                service("web/b", ingress="10.0.0.2", load_balancer_ip="10.0.0.1"),
            ],
            {"web/a": "10.0.0.2", "web/b": "10.0.0.1"},
            {},
            id="two exchange their addresses",
        ),
        pytest.param(
            [
                service("web/a", ingress="10.0.0.1", load_balancer_ip="10.0.0.2"),
                service("web/b", ingress="10.0.0.2", load_balancer_ip="10.0.0.3"),
                service("web/c", ingress="10.0.0.3", load_balancer_ip="10.0.0.1"),
            ],
            {"web/a": "10.0.0.2", "web/b": "10.0.0.3", "web/c": "10.0.0.1"},
            {},
            id="three go round",
        ),
        pytest.param(
            [
                service("web/a", ingress="10.0.0.1", load_balancer_ip="10.0.0.2"),
                service("web/b", ingress="10.0.0.2", load_balancer_ip="10.0.0.3"),
                service("web/c", created=9),
            ],
            {"web/a": "10.0.0.2", "web/b": "10.0.0.3", "web/c": "10.0.0.1"},
            {},
            id="a chain moves up, and what it frees is given away in the same pass",
        ),
        pytest.param(
            [
                service("web/a", ingress="10.0.0.4", load_balancer_ip="10.0.0.1"),
                service("web/b", ingress="10.0.0.1", load_balancer_ip="10.0.0.2"),
                service("web/c", ingress="10.0.0.2", load_balancer_ip="10.0.0.1"),
            ],
            {"web/a": "10.0.0.4", "web/b": "10.0.0.2", "web/c": "10.0.0.1"},
            {"web/a": "address-in-use"},
            id="an exchange works although an earlier third wants one of the addresses",
        ),
        pytest.param(
            [
                service("web/a", ingress="10.0.0.1", load_balancer_ip="10.0.0.2"),
                service("web/b", ingress="10.0.0.2"),
            ],
            {"web/a": "10.0.0.1", "web/b": "10.0.0.2"},
            {"web/a": "address-in-use"},
            id="the old address stays when the new one is in use",
        ),
        pytest.param(
            [service("web/a", ingress="10.0.0.3", load_balancer_ip="192.0.2.1")],
            {"web/a": "10.0.0.3"},
            {"web/a": "not-in-any-pool"},
            id="the old address stays when the new one is of no pool",
        ),
        pytest.param(
            [service("web/a", ingress="10.0.0.3", load_balancer_ip="nonsense")],
            {"web/a": "10.0.0.3"},
            {"web/a": "invalid-request"},
            id="the old address stays when the request is nonsense",
        ),
        pytest.param(
            [service("web/a", ingress="10.0.0.3", requested_pool="ghost")],
            {"web/a": "10.0.0.3"},
            {"web/a": "unknown-pool"},
            id="the old address stays when the pool does not exist",
        ),
        pytest.param(
            [service("web/a", ingress="10.0.0.3", requested_pool="q"), service("web/b", ingress="10.0.1.1")],
            {"web/a": "10.0.0.3", "web/b": "10.0.1.1"},
            {"web/a": "pool-exhausted"},
            id="the old address stays when the other pool is full",
        ),
        pytest.param(
            [
                service("web/a", ingress="10.0.0.3", requested_pool="q", created=1),
                service("web/b", ingress="10.0.1.1", requested_pool="p", created=2),
            ],
            {"web/a": "10.0.1.1", "web/b": "10.0.0.1"},
            {},
            id="what a later one leaves is there for an earlier one",
        ),
        pytest.param(
            [
                service("web/a", ingress="10.0.0.1", sharing_key="k"),
                service("web/b", ingress="10.0.0.2", sharing_key="k", load_balancer_ip="10.0.0.1", ports="TCP/443"),
            ],
            {"web/a": "10.0.0.1", "web/b": "10.0.0.1"},
            {},
            id="moving to an address to share it",
        ),
        pytest.param(
            [
                service("web/a", ingress="192.0.2.9", load_balancer_ip="10.0.0.1"),
                service("web/b", ingress="192.0.2.8"),
            ],
            {"web/a": "10.0.0.1", "web/b": "10.0.0.2"},
            {},
            id="of those that lost theirs, the one that names an address is served first",
        ),
        pytest.param(
            [
                service("web/a", ingress="10.0.0.1", created=1),
                service("web/b", ingress="10.0.0.1", created=2, requested_pool="q"),
                service("web/c", ingress="10.0.0.2", created=3),
            ],
            {"web/a": "10.0.0.1", "web/b": "10.0.1.1", "web/c": "10.0.0.2"},
            {},
            id="the younger of two that claim one address moves",
        ),
    ],
)
def test_claims(services: list[Service], holds: dict[str, str], without: dict[str, str]) -> None:
    allocation = allocate(desired(P, Q), observed(*services))
    assert assigned(allocation) == holds
    assert refused(allocation) == without


@pytest.mark.parametrize(
    ("given", "holds", "lost", "reason"),
    [
        pytest.param(
            service("web/a", families="4", ingress="10.0.0.3 fd00::3"),
            "10.0.0.3",
            ["fd00::3"],
            "family-mismatch",
            id="a Service that becomes single-stack keeps the address of its family",
        ),
        pytest.param(
            service("web/a", families="46", policy="require", ingress="10.0.0.3"),
            "10.0.0.3 fd00::1",
            None,
            None,
            id="a Service that becomes dual-stack keeps its address and gets a second",
        ),
        pytest.param(
            service("web/a", families="46", policy="require", ingress="10.0.0.3 fd00::99"),
            "10.0.0.3 fd00::1",
            ["fd00::99"],
            "not-in-any-pool",
            id="of a pair, only the address that left the pool is replaced",
        ),
        pytest.param(
            service("web/a", families="46", policy="prefer", ingress="fd00::3 10.0.9.9"),
            "fd00::3 10.0.0.1",
            ["10.0.9.9"],
            "not-in-any-pool",
            id="the same for PreferDualStack, in the order of the status",
        ),
        pytest.param(
            service("web/a", ingress="10.0.0.2 10.0.0.3"),
            "10.0.0.1",
            ["10.0.0.2", "10.0.0.3"],
            "invalid-ingress",
            id="two addresses of one family are not a status that we would keep",
        ),
        pytest.param(
            service("web/a", ingress="10.0.0.3", requested_ips="10.0.0.3"),
            "10.0.0.3",
            None,
            None,
            id="a request for what is held changes nothing",
        ),
        pytest.param(
            service(
                "web/a", families="46", policy="require", ingress="10.0.0.3 fd00::3", requested_ips="fd00::3,10.0.0.3"
            ),
            "10.0.0.3 fd00::3",
            None,
            None,
            id="nor does the same request in another order",
        ),
        pytest.param(
            service("web/a", families="46", policy="require", requested_ips="fd00::3,10.0.0.3"),
            "fd00::3 10.0.0.3",
            None,
            None,
            id="requested addresses keep the order of the request",
        ),
        pytest.param(
            service("web/a", families="46", policy="prefer", ingress="10.0.0.3", requested_ips="10.0.0.3"),
            "10.0.0.3",
            None,
            None,
            id="a Service that names one address is not given a second",
        ),
        pytest.param(
            service("web/a", families="46", policy="prefer", ingress="fd00::3"),
            "fd00::3 10.0.0.1",
            None,
            None,
            id="PreferDualStack: the second address is appended",
        ),
        pytest.param(
            service("web/a", families="4", policy="prefer", ingress="10.0.0.3"),
            "10.0.0.3",
            None,
            None,
            id="PreferDualStack on a single-stack cluster is content with one",
        ),
    ],
)
def test_as_much_as_possible_is_kept(given: Service, holds: str, lost: list[str] | None, reason: str | None) -> None:
    allocation = allocate(desired(DUAL), observed(given))
    assert assigned(allocation) == {"web/a": holds}
    assert [[str(address) for address in loss.addresses] for loss in allocation.losses] == ([lost] if lost else [])
    assert [loss.reason for loss in allocation.losses] == ([reason] if reason else [])
    assert allocation.remarks == ()


def test_a_dual_stack_service_moves_as_a_whole_when_its_pool_cannot_complete_it() -> None:
    four, dual = pool("p", "10.0.0.1-10.0.0.4"), pool("r", "10.0.2.1/32", "fd00:2::1/128")
    given = service("web/a", families="46", policy="require", ingress="10.0.0.3 fd00::3")
    allocation = allocate(desired(four, dual), observed(given))
    assert assigned(allocation) == {"web/a": "10.0.2.1 fd00:2::1"}
    assert [loss.addresses for loss in allocation.losses] == [given.ingress]


@pytest.mark.parametrize(
    ("allocated_pool", "requested", "by_configuration"),
    [
        pytest.param("q", "q", True, id="the files moved its addresses out of the pool it asks for"),
        pytest.param("p", "q", False, id="its owner asks for another pool"),
    ],
)
def test_who_causes_a_move_is_known(allocated_pool: str, requested: str, *, by_configuration: bool) -> None:
    given = service("web/a", ingress="10.0.0.3", allocated_pool=allocated_pool, requested_pool=requested)
    (loss,) = allocate(desired(P, Q), observed(given)).losses
    assert (loss.reason, loss.by_configuration) == ("request-changed", by_configuration)


def test_a_pool_that_stops_serving_a_service_takes_its_address_back() -> None:
    given = service("web/a", ingress="10.0.0.3")
    allocation = allocate(desired(pool("p", "10.0.0.0/24", scope=scope("shop")), Q), observed(given))
    assert assigned(allocation) == {"web/a": "10.0.1.1"}
    (loss,) = allocation.losses
    assert (loss.reason, loss.by_configuration) == ("pool-not-compatible", True)
    assert str(loss.origin) == "scope.yaml:9:3"


def test_a_renamed_pool_keeps_its_holders_under_the_new_name() -> None:
    allocation = allocate(desired(P), observed(service("web/a", ingress="10.0.0.3", allocated_pool="old")))
    assert [(found.pool, str(found.addresses[0])) for found in allocation.assignments] == [("p", "10.0.0.3")]
    assert allocation.losses == ()


@pytest.mark.parametrize("buggy", ["10.0.0.0", "10.0.0.255"])
def test_avoiding_buggy_addresses_moves_their_holders(buggy: str) -> None:
    built = pool("p", "10.0.0.0/24", avoid_buggy_ips=True)
    allocation = allocate(desired(built), observed(service("web/a", ingress=buggy)))
    assert assigned(allocation) == {"web/a": "10.0.0.1"}
    (loss,) = allocation.losses
    assert (loss.reason, loss.by_configuration) == ("not-in-any-pool", True)
    assert f'pool "p" leaves out {buggy} (avoidBuggyIPs)' in loss.message


def test_turning_auto_assign_off_leaves_holders_alone() -> None:
    allocation = allocate(
        desired(pool("p", "10.0.0.0/24", auto_assign=False)), observed(service("web/a", ingress="10.0.0.3"))
    )
    assert assigned(allocation) == {"web/a": "10.0.0.3"}


def test_a_pool_that_was_full_is_drawn_from_again_once_it_got_an_address_back() -> None:
    pools = pool("a", "10.0.0.1/32"), pool("b", "10.0.1.0/24"), pool("c", "10.0.2.0/24", auto_assign=False)
    services = [
        service("web/before", ingress="192.0.2.1", created=1),
        service("web/leaving", ingress="10.0.0.1", requested_pool="c", created=2),
        service("web/after", ingress="192.0.2.2", created=3),
    ]
    allocation = allocate(desired(*pools), observed(*services))
    assert assigned(allocation) == {"web/before": "10.0.1.0", "web/leaving": "10.0.2.0", "web/after": "10.0.0.1"}
