"""What becomes of Services on a real API server, from their creation to their end."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.controlplane.api import wait_until
from tests.loop.conftest import NewCorner
from tests.loop.corner import EVERYWHERE, FROM_POOL, THEIRS, Corner, from_pool, pool, requested
from tests.loop.rows import service_name
from tests.loop.running import RunningController

FRONT = {"matchExpressions": [{"key": "lb.example.com/front", "operator": "Exists"}]}
POOLS = (
    pool("p", "10.9.0.0/24"),
    pool("one", "10.9.1.1/32", auto=False),
    pool("single", "10.9.1.9/32", auto=False),
    pool("dual", "10.9.2.0/28", "fd09:2::/120", auto=False),
    pool("four", "10.9.3.0/28", auto=False),
    pool("small", "10.9.4.0/31", auto=False),
    pool("shared", "10.9.6.0/28", auto=False),
    pool("front", "10.9.7.0/28", auto=False, serviceAllocation={"namespaceSelectors": [FRONT]}),
    pool("pin", "10.9.5.0/28", auto=False, serviceAllocation={"namespaces": ["elsewhere"]}),
)
FAMILIES = {"4": ["IPv4"], "6": ["IPv6"], "46": ["IPv4", "IPv6"]}


@pytest.fixture(scope="module")
def corner(new_corner: NewCorner) -> Corner:
    """One for all tests of this module: each has Services of its own."""
    made = new_corner()
    made.write(*POOLS, EVERYWHERE)
    return made


@pytest.fixture(scope="module")
def running(corner: Corner) -> Iterator[RunningController]:
    with corner.start() as controller:
        yield controller.wait_until_ready()


def spec_of(families: str, policy: str) -> dict[str, object]:
    return {"ipFamilies": FAMILIES[families], "ipFamilyPolicy": policy}


DUAL = spec_of("46", "RequireDualStack")
PREFER = spec_of("46", "PreferDualStack")
SIX = spec_of("6", "SingleStack")


# Rows of what a Service asks for


@dataclass(frozen=True)
class Row:
    """What a Service asks for, and the pool and the addresses that it gets; `families` where any will do."""

    pool: str
    families: str = "4"
    addresses: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)


SERVED = [
    pytest.param(Row("p"), id="any address of a pool that gives them out by itself"),
    pytest.param(Row("p", addresses=("10.9.0.77",), spec={"loadBalancerIP": "10.9.0.77"}), id="an address by field"),
    pytest.param(Row("p", addresses=("10.9.0.78",), annotations=requested("10.9.0.78")), id="an address by annotation"),
    pytest.param(Row("four", annotations=from_pool("four")), id="a pool by name"),
    pytest.param(Row("four", annotations={"metallb.universe.tf/address-pool": "four"}), id="a pool by its old name"),
    pytest.param(Row("dual", "46", annotations=from_pool("dual"), spec=DUAL), id="both families"),
    pytest.param(Row("dual", "46", annotations=from_pool("dual"), spec=PREFER), id="both families rather than one"),
    pytest.param(Row("four", "4", annotations=from_pool("four"), spec=PREFER), id="one where there is but one"),
    pytest.param(Row("dual", "6", annotations=from_pool("dual"), spec=SIX), id="IPv6 alone"),
    pytest.param(
        Row("dual", "46", ("10.9.2.9", "fd09:2::9"), requested("10.9.2.9,fd09:2::9"), DUAL),
        id="one address of each family",
    ),
]


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("row", SERVED)
def test_a_service_gets_what_it_asks_for(corner: Corner, request: pytest.FixtureRequest, row: Row) -> None:
    name = service_name(request)
    corner.create(name, annotations=row.annotations, **row.spec)
    found = corner.wait_for_address(name, *row.addresses)
    assert ["6" if ":" in address else "4" for address in found] == list(row.families)
    assert corner.get(name)["metadata"]["annotations"][FROM_POOL] == row.pool
    condition = corner.condition(name)
    assert (condition["status"], condition["reason"]) == ("True", "Assigned")
    assert f'from pool "{row.pool}"' in condition["message"]
    quoted = " ".join(f'"{address}"' for address in found)
    event = corner.wait_for_event(name, "IPAllocated", f"Assigned IP [{quoted}]")
    assert event["type"] == "Normal"
    assert event["involvedObject"]["uid"] == corner.get(name)["metadata"]["uid"]


@dataclass(frozen=True)
class Refused:
    """What a Service asks for in vain, the reason of its condition, and a part of what is said of it."""

    reason: str
    fragment: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)


OTHER_FAMILY = "does not match the ipFamily of the service"
TWICE = "service can not have both metallb.io/loadBalancerIPs and svc.Spec.LoadBalancerIP"
REFUSED = [
    pytest.param(
        Refused("NotInAnyPool", '["192.0.2.1"] is not allowed in config', spec={"loadBalancerIP": "192.0.2.1"}),
        id="an address of no pool",
    ),
    pytest.param(
        Refused("InvalidRequest", 'invalid metallb.io/loadBalancerIPs: "10.9.0.300"', requested("10.9.0.300")),
        id="an address that is none",
    ),
    pytest.param(
        Refused("FamilyMismatch", OTHER_FAMILY, requested("10.9.2.7"), SIX), id="an address of the other family"
    ),
    pytest.param(
        Refused("FamilyMismatch", OTHER_FAMILY, spec={**DUAL, "loadBalancerIP": "10.9.2.8"}),
        id="one address for two families",
    ),
    pytest.param(Refused("UnknownPool", 'unknown pool "ghost"', from_pool("ghost")), id="a pool that is not there"),
    pytest.param(
        Refused("PoolNotCompatible", "pool pin not compatible for ip assignment", from_pool("pin")),
        id="a pool of others",
    ),
    pytest.param(
        Refused("FamilyMismatch", "no available IPs in pool four for dual IPFamily", from_pool("four"), DUAL),
        id="two families of a pool that has one",
    ),
    pytest.param(
        Refused("InvalidRequest", TWICE, requested("10.9.0.7"), {"loadBalancerIP": "10.9.0.7"}),
        id="an address asked for twice",
    ),
]


@pytest.mark.parametrize("row", REFUSED)
def test_a_service_that_cannot_be_served_says_why_once(
    corner: Corner, running: RunningController, request: pytest.FixtureRequest, row: Refused
) -> None:
    name = service_name(request)
    corner.create(name, annotations=row.annotations, **row.spec)
    condition = corner.wait_for_refusal(name, row.reason)
    assert row.fragment in condition["message"]
    assert corner.wait_for_event(name, "AllocationFailed", row.fragment)["type"] == "Warning"
    before = corner.get(name)
    assert FROM_POOL not in before["metadata"].get("annotations", {})
    running.look_again()
    running.look_again()
    assert corner.get(name) == before
    assert [event["count"] for event in corner.events(name)] == [1]


# What happens to a Service in the course of its life


@pytest.mark.usefixtures("running")
def test_the_address_of_a_deleted_service_goes_to_one_that_waits(corner: Corner) -> None:
    corner.create("first", annotations=from_pool("one"))
    corner.wait_for_address("first", "10.9.1.1")
    corner.create("waiting", annotations=from_pool("one"))
    assert "no available IPs" in corner.wait_for_refusal("waiting", "PoolExhausted")["message"]
    corner.wait_for_event("waiting", "AllocationFailed", "no available IPs")
    corner.delete("first")
    corner.wait_for_address("waiting", "10.9.1.1")
    condition = corner.condition("waiting")
    assert condition["status"] == "True"
    corner.wait_for_event("waiting", "IPAllocated", "10.9.1.1")


@pytest.mark.usefixtures("running")
def test_an_address_of_somebody_else_is_refused(corner: Corner) -> None:
    corner.create("owner", annotations=requested("10.9.0.90"))
    corner.wait_for_address("owner", "10.9.0.90")
    corner.create("rival", annotations=requested("10.9.0.90"))
    condition = corner.wait_for_refusal("rival", "AddressInUse")
    owner, rival = (f"{corner.namespace}/{name}" for name in ("owner", "rival"))
    wanted = f'can\'t change sharing key for "{rival}", address also in use by {owner}'
    assert wanted in condition["message"]
    corner.wait_for_event("rival", "AllocationFailed", wanted)
    assert corner.ingress("owner") == ["10.9.0.90"]


@pytest.mark.usefixtures("running")
def test_a_change_of_type_takes_everything_of_ours_away(corner: Corner) -> None:
    corner.create("retired")
    corner.wait_for_address("retired")
    corner.add_condition("retired")
    corner.patch("retired", {"spec": {"type": "ClusterIP", "loadBalancerClass": None}})
    # The API server itself empties the load balancer's part of the status at once.
    wait_until(lambda: not corner.condition("retired"), "the condition is gone")
    after = corner.get("retired")
    assert after["status"]["loadBalancer"] == {}
    assert FROM_POOL not in after["metadata"].get("annotations", {})
    assert [condition["type"] for condition in after["status"]["conditions"]] == [THEIRS]
    corner.patch("retired", {"spec": {"type": "LoadBalancer", "loadBalancerClass": corner.lb_class}})
    corner.wait_for_address("retired")


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        pytest.param(("TCP", 80, "k"), ("TCP", 443, "k"), True, id="one key and two ports"),
        pytest.param(("TCP", 53, "k"), ("UDP", 53, "k"), True, id="one key and two protocols"),
        pytest.param(("TCP", 80, "k"), ("TCP", 80, "k"), False, id="one key and one port"),
        pytest.param(("TCP", 80, "k"), ("TCP", 443, "l"), False, id="two keys"),
        pytest.param(("TCP", 80, ""), ("TCP", 443, ""), False, id="no key"),
    ],
)
def test_services_share_an_address_where_key_and_ports_allow_it(
    corner: Corner,
    request: pytest.FixtureRequest,
    one: tuple[str, int, str],
    other: tuple[str, int, str],
    together: bool,
) -> None:
    name = service_name(request)
    for number, (protocol, port, key) in enumerate((one, other)):
        own = f"{name}-{key}" if key else ""
        ports = [{"protocol": protocol, "port": port}]
        corner.create(f"{name}-{number}", ports=ports, key=own, annotations=from_pool("shared"))
    first, second = corner.wait_for_address(f"{name}-0"), corner.wait_for_address(f"{name}-1")
    assert (first == second) is together


@pytest.mark.usefixtures("running")
def test_the_younger_one_moves_when_it_drops_the_key_of_a_shared_address(corner: Corner) -> None:
    for number, name in enumerate(("joint-a", "joint-b")):
        corner.create(name, ports=[{"port": 80 + number}], key="flat", annotations=requested("10.9.0.95"))
        corner.wait_for_address(name, "10.9.0.95")
    dropped = {"metallb.io/allow-shared-ip": None, "metallb.io/loadBalancerIPs": None}
    corner.patch("joint-b", {"metadata": {"annotations": dropped}})
    wait_until(lambda: corner.ingress("joint-b") not in ([], ["10.9.0.95"]), "another address")
    corner.wait_for_event("joint-b", "ClearAssignment")
    assert corner.ingress("joint-a") == ["10.9.0.95"]


@pytest.mark.usefixtures("running")
def test_a_service_moves_where_its_owner_asks_it_to(corner: Corner) -> None:
    corner.create("mover", annotations=requested("10.9.0.81"))
    corner.wait_for_address("mover", "10.9.0.81")
    corner.patch("mover", {"metadata": {"annotations": requested("10.9.0.82")}})
    corner.wait_for_address("mover", "10.9.0.82")
    named = {"metallb.io/loadBalancerIPs": None, **from_pool("single")}
    corner.patch("mover", {"metadata": {"annotations": named}})
    corner.wait_for_address("mover", "10.9.1.9")
    assert corner.get("mover")["metadata"]["annotations"][FROM_POOL] == "single"


@pytest.mark.usefixtures("running")
def test_a_namespace_that_gets_a_label_is_let_into_a_pool(corner: Corner) -> None:
    corner.create("outside", annotations=from_pool("front"))
    corner.wait_for_refusal("outside", "PoolNotCompatible")
    corner.api.patch("namespaces", None, corner.namespace, {"metadata": {"labels": {"lb.example.com/front": ""}}})
    corner.wait_for_address("outside", "10.9.7.0")


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param({"loadBalancer": {"ingress": None}}, id="the ingress is emptied"),
        pytest.param({"loadBalancer": {"ingress": [{"hostname": "h"}]}}, id="the ingress is overwritten"),
        pytest.param({"conditions": None}, id="all conditions are erased"),
    ],
)
def test_what_others_take_away_comes_back(
    corner: Corner, request: pytest.FixtureRequest, damage: Mapping[str, Any]
) -> None:
    name = service_name(request)
    corner.create(name)
    held = corner.wait_for_address(name)
    since = corner.condition(name)["lastTransitionTime"]
    corner.api.patch_status(corner.namespace, name, damage)
    corner.wait_for_address(name, *held)
    wait_until(lambda: corner.condition(name).get("status") == "True", "the condition says so")
    assert corner.condition(name)["lastTransitionTime"] >= since
    assert len(corner.get(name)["status"]["loadBalancer"]["ingress"]) == 1
