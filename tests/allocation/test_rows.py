"""The rows M01 to M53 of MetalLB's behaviour about who gets which address; those about files are in `config`."""

from collections.abc import Mapping

import pytest

from reconciler.addresses.family import Family
from reconciler.allocation.allocate import allocate
from reconciler.allocation.decisions import Allocation
from reconciler.model.observed import Service
from reconciler.model.pools import IPAddressPool
from tests.builders import desired, observed, pool, scope, service

FOUR = pool("four", "10.9.5.0/24")
SIX = pool("six", "fd09:5::/120")
DUAL = pool("dual", "10.9.6.0/24", "fd09:6::/120")


def assigned(allocation: Allocation) -> dict[str, str]:
    return {found.service: " ".join(map(str, found.addresses)) for found in allocation.assignments}


@pytest.mark.parametrize(
    ("built", "capacity4", "capacity6"),
    [
        pytest.param(pool("p", "192.0.2.240-192.0.2.250"), 11, 0, id="M01 a range"),
        pytest.param(pool("p", "198.51.100.0/24", avoid_buggy_ips=True), 254, 0, id="M03 without buggy addresses"),
        pytest.param(pool("p", "198.51.100.254/31", avoid_buggy_ips=True), 1, 0, id="M04 one of two is buggy"),
        pytest.param(
            pool("p", "203.0.113.0/24", "198.18.5.128/25", avoid_buggy_ips=True), 381, 0, id="M05 two entries"
        ),
        pytest.param(pool("p", "203.0.113.0/24", "2001:db8:9::/64"), 256, 2**64, id="M06 exact, whatever the size"),
        pytest.param(pool("p", "192.0.2.255/32", avoid_buggy_ips=True), 0, 0, id="a buggy /32 is empty, not less"),
        pytest.param(pool("p", "2001:db8::/32", "2001:db9::/32"), 0, 2**97, id="two huge blocks do not overflow"),
    ],
)
def test_capacity(built: IPAddressPool, capacity4: int, capacity6: int) -> None:
    assert (built.capacity(Family.IPV4), built.capacity(Family.IPV6)) == (capacity4, capacity6)


def test_m01_a_range_is_the_fewest_blocks() -> None:
    (entry,) = pool("p", "192.0.2.240-192.0.2.250").entries
    assert [length for _, length in entry.addresses.blocks()] == [29, 31, 32]


# Each row: the pools, the Services, who holds what afterwards, and what a refusal says.
Row = tuple[list[IPAddressPool], list[Service], Mapping[str, str], Mapping[str, str]]


def row(
    pools: list[IPAddressPool],
    services: list[Service],
    holds: Mapping[str, str],
    refused: Mapping[str, str] | None = None,
) -> Row:
    return pools, services, holds, refused or {}


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(
            row(
                [pool("p", "198.51.100.0/31")],
                [service("web/a", created=1), service("web/b", created=2)],
                {"web/a": "198.51.100.0", "web/b": "198.51.100.1"},
            ),
            id="M02 addresses that look buggy are used",
        ),
        pytest.param(
            row([pool("p", "198.51.100.0/24", avoid_buggy_ips=True)], [service("web/a")], {"web/a": "198.51.100.1"}),
            id="M03 unless they are to be avoided",
        ),
        pytest.param(
            row(
                [pool("p", "198.51.100.254/31", avoid_buggy_ips=True)],
                [service("web/a", created=1), service("web/b", created=2)],
                {"web/a": "198.51.100.254"},
                {"web/b": 'no available IPs: pool "p" is full (1 of 1 IPv4 in use)'},
            ),
            id="M04 a pool of one usable address",
        ),
        pytest.param(
            row([pool("p", "10.9.0.16/30")], [service("web/a")], {"web/a": "10.9.0.16"}),
            id="M13 the lowest free address",
        ),
        pytest.param(
            row(
                [pool("p", "10.9.0.1/32")],
                [service("web/a", created=1), service("web/b", created=2)],
                {"web/a": "10.9.0.1"},
                {"web/b": "no available IPs"},
            ),
            id="M14 the second finds none",
        ),
        pytest.param(
            row([pool("p", "10.9.0.1/32")], [service("web/b", created=2)], {"web/b": "10.9.0.1"}),
            id="M14 and gets it once the first is deleted",
        ),
        pytest.param(
            row([pool("p", "10.9.0.0/24")], [service("web/a", load_balancer_ip="10.9.0.7")], {"web/a": "10.9.0.7"}),
            id="M15 spec.loadBalancerIP",
        ),
        pytest.param(
            row(
                [pool("p", "10.9.0.0/24")],
                [service("web/a", load_balancer_ip="192.0.2.1")],
                {},
                {"web/a": '["192.0.2.1"] is not allowed in config'},
            ),
            id="M16 spec.loadBalancerIP of no pool",
        ),
        pytest.param(
            row(
                [pool("p", "10.9.0.0/24")],
                [service("web/a", created=1), service("web/b", created=2, load_balancer_ip="10.9.0.0")],
                {"web/a": "10.9.0.0"},
                {"web/b": 'can\'t change sharing key for "web/b", address also in use by web/a'},
            ),
            id="M17 spec.loadBalancerIP of somebody else",
        ),
        pytest.param(
            row(
                [pool("p", "10.9.0.0/24")],
                [service("web/a", load_balancer_ip="not-an-ip")],
                {},
                {"web/a": 'invalid spec.loadBalancerIP "not-an-ip"'},
            ),
            id="M18 spec.loadBalancerIP that is none",
        ),
        pytest.param(
            row([pool("p", "10.9.0.0/24")], [service("web/a", requested_ips="10.9.0.8")], {"web/a": "10.9.0.8"}),
            id="M19 the annotation loadBalancerIPs",
        ),
        pytest.param(
            row(
                [pool("p", "10.9.0.0/24")],
                [service("web/a", requested_ips="10.9.0.300")],
                {},
                {"web/a": 'invalid metallb.io/loadBalancerIPs: "10.9.0.300"'},
            ),
            id="M20 the annotation with nonsense",
        ),
        pytest.param(
            row(
                [DUAL],
                [service("web/a", families="6", requested_ips="10.9.6.1")],
                {},
                {"web/a": "does not match the ipFamily of the service"},
            ),
            id="M21 an IPv4 address for an IPv6 Service",
        ),
        pytest.param(
            row(
                [pool("p", "10.9.0.0/24")],
                [service("web/a", ingress="10.9.0.4", load_balancer_ip="10.9.0.5")],
                {"web/a": "10.9.0.5"},
            ),
            id="M22 the requested address changes",
        ),
        pytest.param(
            row(
                [pool("p", "10.9.0.0/24", auto_assign=False)],
                [service("web/a", requested_pool="p"), service("web/b")],
                {"web/a": "10.9.0.0"},
                {"web/b": 'no available IPs: pool "p" is for Services that name it (autoAssign: false)'},
            ),
            id="M23 a pool that is only for those who name it",
        ),
        pytest.param(
            row(
                [pool("p", "10.9.0.0/24")],
                [service("web/a", requested_pool="ghost")],
                {},
                {"web/a": 'unknown pool "ghost"'},
            ),
            id="M24 a pool that does not exist",
        ),
        pytest.param(
            row(
                [pool("p", "10.9.0.0/24"), pool("q", "10.9.1.0/24")],
                [service("web/a", ingress="10.9.0.4", requested_pool="q")],
                {"web/a": "10.9.1.0"},
            ),
            id="M25 another pool is asked for",
        ),
        pytest.param(
            row(
                [SIX],
                [service("web/a", requested_pool="six")],
                {},
                {"web/a": 'no available IPs in pool six: pool "six" has no IPv4 addresses'},
            ),
            id="M26 an IPv6 pool for an IPv4 Service, in readable words",
        ),
        pytest.param(
            row(
                [pool("pin", "10.9.0.0/24", scope=scope("team-a")), pool("open", "10.9.1.0/24")],
                [service("team-a/x"), service("team-b/x")],
                {"team-a/x": "10.9.0.0", "team-b/x": "10.9.1.0"},
            ),
            id="M27 a pool pinned to a namespace",
        ),
        pytest.param(
            row(
                [
                    pool("a", "10.9.0.0/24", scope=scope(priority=20, service_labels={"tier": "gold"})),
                    pool("b", "10.9.1.0/24", scope=scope(priority=10, service_labels={"tier": "gold"})),
                ],
                [service("web/a", labels={"tier": "gold"})],
                {"web/a": "10.9.1.0"},
            ),
            id="M28 the lower priority comes first",
        ),
        pytest.param(
            row(
                [pool("pin", "10.9.0.0/24", scope=scope("team-a"))],
                [service("team-b/x", requested_pool="pin")],
                {},
                {"team-b/x": "pool pin not compatible for ip assignment: it serves namespace team-a only"},
            ),
            id="M29 a pool pinned to another namespace",
        ),
        pytest.param(
            row(
                [pool("p", "10.9.0.0/24", scope=scope(namespace_labels={"tier": "front"}))],
                [service("web/a"), service("lab/a")],
                {"web/a": "10.9.0.0"},
                {"lab/a": 'no available IPs: pool "p" serves namespaces with labels tier=front only'},
            ),
            id="M30 namespaces by their labels",
        ),
        pytest.param(
            row([DUAL], [service("web/a", families="64", policy="require")], {"web/a": "10.9.6.0 fd09:6::"}),
            id="M31 one of each family, IPv4 first",
        ),
        pytest.param(
            row(
                [FOUR],
                [service("web/a", families="46", policy="require", requested_pool="four")],
                {},
                {"web/a": "no available IPs in pool four for dual IPFamily"},
            ),
            id="M32 RequireDualStack from a pool of one family",
        ),
        pytest.param(
            row(
                [FOUR],
                [service("web/a", families="46", policy="prefer", requested_pool="four")],
                {"web/a": "10.9.5.0"},
            ),
            id="M33 PreferDualStack from a pool of one family",
        ),
        pytest.param(
            row(
                [pool("a-four", "10.9.5.0/24"), DUAL],
                [service("web/a", families="46", policy="prefer")],
                {"web/a": "10.9.6.0 fd09:6::"},
            ),
            id="M34 PreferDualStack chooses the dual pool",
        ),
        pytest.param(
            row([DUAL], [service("web/a", families="6", policy="prefer")], {"web/a": "fd09:6::"}),
            id="M35 single-stack gets one address",
        ),
        pytest.param(
            row(
                [DUAL],
                [service("web/a", families="46", policy="prefer", load_balancer_ip="10.9.6.1")],
                {},
                {"web/a": "does not match the ipFamily of the service"},
            ),
            id="M36 one address for a dual-stack Service",
        ),
        pytest.param(
            row(
                [pool("p", "10.9.5.0/24", "fd09:5::/120")],
                [service("web/a", families="46", policy="require", requested_ips="10.9.5.2,fd09:5::2")],
                {"web/a": "10.9.5.2 fd09:5::2"},
            ),
            id="M37 both addresses requested",
        ),
        pytest.param(
            row(
                [pool("p", "10.9.0.0/24")],
                [service("web/a", sharing_key="k"), service("web/b", sharing_key="k", ports="TCP/443")],
                {"web/a": "10.9.0.0", "web/b": "10.9.0.0"},
            ),
            id="M38 one key and different ports share",
        ),
        pytest.param(
            row(
                [pool("p", "10.9.0.0/24")],
                [service("web/a", sharing_key="k"), service("web/b", sharing_key="k")],
                {"web/a": "10.9.0.0", "web/b": "10.9.0.1"},
            ),
            id="M39 one key and one port do not",
        ),
        pytest.param(
            row(
                [pool("p", "10.9.0.0/24")],
                [service("web/a", sharing_key="k"), service("web/b", sharing_key="l", ports="TCP/443")],
                {"web/a": "10.9.0.0", "web/b": "10.9.0.1"},
            ),
            id="M40 different keys do not",
        ),
        pytest.param(
            row(
                [pool("p", "10.9.0.0/24")],
                [
                    service("web/a", sharing_key="k"),
                    service("web/b", sharing_key="k", ports="TCP/443", local=True, selector={"app": "b"}),
                ],
                {"web/a": "10.9.0.0", "web/b": "10.9.0.1"},
            ),
            id="M41 Cluster and Local do not",
        ),
        pytest.param(row([FOUR], [service("web/a", type="ClusterIP")], {}), id="M43 a ClusterIP Service is left alone"),
        pytest.param(
            row(
                [pool("p", "10.9.0.0/24")],
                [service("web/a", created=1), service("web/b", created=2, ingress="10.9.0.0")],
                {"web/a": "10.9.0.1", "web/b": "10.9.0.0"},
            ),
            id="M44 holders come before older newcomers",
        ),
        pytest.param(
            row([DUAL], [service("web/a", ingress="10.9.6.3")], {"web/a": "10.9.6.3"}),
            id="M51 an address in a pool that grew is kept",
        ),
        pytest.param(
            row(
                [pool("p", "10.9.0.0/32"), pool("q", "10.9.1.0/24")],
                [service("web/a", ingress="10.9.0.0"), service("web/b")],
                {"web/a": "10.9.0.0", "web/b": "10.9.1.0"},
            ),
            id="M53 a pending Service gets an address of the new pool",
        ),
    ],
)
def test_who_gets_what(row: Row) -> None:
    pools, services, holds, refused = row
    allocation = allocate(desired(*pools), observed(*services, namespaces={"web": {"tier": "front"}}))
    assert assigned(allocation) == holds
    assert {refusal.service for refusal in allocation.refusals} == set(refused)
    for refusal in allocation.refusals:
        assert refusal.message.startswith(refused[refusal.service]) or refused[refusal.service] in refusal.message
        assert refusal.event == "AllocationFailed"


def test_m13_the_assignment_names_the_pool() -> None:
    (found,) = allocate(desired(pool("p", "10.9.0.16/30")), observed(service("web/a"))).assignments
    assert found.pool == "p"
