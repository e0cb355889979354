"""The rows M13 to M54 of MetalLB's behaviour about what is lost, left alone and remarked on."""

import pytest

from reconciler.allocation.allocate import allocate
from reconciler.allocation.decisions import Allocation
from reconciler.model.observed import Service
from reconciler.model.pools import IPAddressPool
from tests.builders import desired, observed, pool, service

FOUR = pool("four", "10.9.5.0/24")
DUAL = pool("dual", "10.9.6.0/24", "fd09:6::/120")
LEGACY = "metallb.universe.tf/address-pool"


def assigned(allocation: Allocation) -> dict[str, str]:
    return {found.service: " ".join(map(str, found.addresses)) for found in allocation.assignments}


@pytest.mark.parametrize(
    ("pools", "given", "holds", "reason", "event"),
    [
        pytest.param(
            [pool("p", "10.9.0.0/24")],
            service("web/b", ingress="10.9.0.0", ports="TCP/443"),
            "10.9.0.1",
            "address-in-use",
            "ClearAssignment",
            id="M42 a co-tenant drops the annotation",
        ),
        pytest.param(
            [pool("p", "10.9.0.1-10.9.0.9")],
            service("web/b", ingress="192.0.2.1"),
            "10.9.0.1",
            "not-in-any-pool",
            "ClearAssignment",
            id="M45 a recorded address of no pool",
        ),
        pytest.param(
            [DUAL],
            service("web/b", ingress="fd09:6::7"),
            "10.9.6.0",
            "family-mismatch",
            "ClearAssignment",
            id="M46 an IPv6 address on an IPv4 Service, and the Event that MetalLB does not send",
        ),
        pytest.param(
            [pool("p", "10.9.10.1-10.9.10.2")],
            service("web/b", ingress="10.9.10.3"),
            "10.9.10.1",
            "not-in-any-pool",
            "ClearAssignment",
            id="M52 the pool shrinks",
        ),
        pytest.param(
            [pool("q", "10.9.11.0/24")],
            service("web/b", ingress="10.9.10.3"),
            "10.9.11.0",
            "not-in-any-pool",
            "ClearAssignment",
            id="M54 the pool is removed",
        ),
    ],
)
def test_what_is_lost_is_replaced(
    pools: list[IPAddressPool], given: Service, holds: str, reason: str, event: str
) -> None:
    tenant = service("web/a", ingress="10.9.0.0", sharing_key="k")
    others = [tenant] if reason == "address-in-use" else []
    allocation = allocate(desired(*pools), observed(given, *others))
    assert assigned(allocation)["web/b"] == holds
    (loss,) = allocation.losses
    assert (loss.service, loss.addresses, loss.reason, loss.event) == ("web/b", given.ingress, reason, event)


@pytest.mark.parametrize(
    ("lb_class", "served"),
    [
        pytest.param("x", ["web/x"], id="M47 only the class that is ours"),
        pytest.param("", ["web/none"], id="M48 without a class of ours, only Services without one"),
    ],
)
def test_the_class_decides_who_is_served(lb_class: str, served: list[str]) -> None:
    services = [
        service("web/none", created=1),
        service("web/x", load_balancer_class="x"),
        service("web/y", load_balancer_class="y"),
    ]
    allocation = allocate(desired(FOUR), observed(*services), lb_class=lb_class)
    assert list(assigned(allocation)) == served
    assert [found.service for found in allocation.ignored] == sorted({"web/none", "web/x", "web/y"} - set(served))
    assert {found.reason for found in allocation.ignored} == {"not-our-class"}


def test_m49_require_dual_stack_with_one_cluster_ip_loses_its_address() -> None:
    given = service("web/a", ingress="10.9.6.1", policy="require")
    allocation = allocate(desired(DUAL), observed(given))
    assert allocation.assignments == ()
    (loss,), (refusal,) = allocation.losses, allocation.refusals
    assert (loss.reason, loss.event, loss.by_configuration) == ("not-enough-cluster-ips", "", False)
    assert refusal.event == "not enough clusterips"
    assert refusal.message == "Service requires dual stack but not enough clusterips [10.96.0.10]"


@pytest.mark.parametrize(
    ("ingress", "remarked"),
    [
        pytest.param("", True, id="M50 said when the address is first written"),
        pytest.param("10.9.5.0", False, id="M50 not said when nothing is written"),
    ],
)
def test_deprecated_annotations_are_remarked_on(ingress: str, *, remarked: bool) -> None:
    given = service("web/a", ingress=ingress, requested_pool="four", allocated_pool="four", deprecated=(LEGACY,))
    allocation = allocate(desired(FOUR), observed(given))
    assert assigned(allocation) == {"web/a": "10.9.5.0"}
    said = [(remark.type, remark.reason, remark.message) for remark in allocation.remarks]
    expected = ("Warning", "deprecatedAnnotation", f"Service uses deprecated annotation {LEGACY}")
    assert said == ([expected] if remarked else [])


def test_m33_later_passes_remark_that_the_second_family_is_missing() -> None:
    given = service("web/a", families="46", policy="prefer", ingress="10.9.5.0")
    allocation = allocate(desired(FOUR), observed(given))
    (remark,) = allocation.remarks
    assert (remark.type, remark.reason) == ("Normal", "AdditionalAssignFailed")
    assert remark.message == ('cannot assign additional IP in PreferDualStack: pool "four" has no IPv6 addresses')
