"""
What a pass costs, counted in lines of Python that run, so that a busy machine cannot change the verdict.

Four times the Services, and pools where there are many, may cost little more than four times the work.
"""

from collections.abc import Callable

import pytest

from reconciler.addresses.family import Address, Family
from reconciler.allocation.allocate import allocate
from reconciler.model.observed import Service
from reconciler.model.pools import IPAddressPool
from tests.allocation.counting import lines_run
from tests.builders import desired, observed, pool, scope, service

BASE = int.from_bytes(bytes([10, 0, 0, 0]), "big")
World = tuple[list[IPAddressPool], list[Service]]


def address(number: int) -> str:
    return str(Address(Family.IPV4, BASE + number))


def pending(size: int) -> World:
    return [pool("p", "10.0.0.0/8")], [service(f"web/s{n:05}") for n in range(size)]


def pending_ipv6(size: int) -> World:
    return [pool("p", "2001:db8::/32")], [service(f"web/s{n:05}", families="6") for n in range(size)]


def pending_dual(size: int) -> World:
    services = [service(f"web/s{n:05}", families="46", policy="prefer") for n in range(size)]
    return [pool("p", "10.0.0.0/8", "2001:db8::/32")], services


def holders(size: int) -> World:
    return [pool("p", "10.0.0.0/8")], [service(f"web/s{n:05}", ingress=address(n)) for n in range(size)]


def behind_full_pools(size: int) -> World:
    pools = [pool(f"p{n:03}", f"10.1.0.{n}/32") for n in range(size // 8)]
    return [*pools, pool("z", "10.0.0.0/16")], [service(f"web/s{n:05}") for n in range(size)]


def pools_of_namespaces(size: int) -> World:
    pools = [pool(f"p{n:03}", f"10.1.{n // 32}.{n % 32 * 8}/29", scope=scope(f"team-{n}")) for n in range(size // 8)]
    return pools, [service(f"team-{n // 8}/s{n:05}") for n in range(size)]


def labels_of_their_own(size: int) -> World:
    pools = [pool(f"p{n:03}", f"10.1.0.{n}/32", scope=scope(service_labels={"tier": str(n)})) for n in range(size // 8)]
    services = [service(f"web/s{n:05}", labels={"app": str(n)}) for n in range(size)]
    return [*pools, pool("z", "10.0.0.0/16")], services


def refused(size: int) -> World:
    return [pool("p", "10.0.0.0/32")], [service(f"web/s{n:05}") for n in range(size)]


def one_key_one_port(size: int) -> World:
    return [pool("p", "10.0.0.0/8")], [service(f"web/s{n:05}", sharing_key="k") for n in range(size)]


def one_key_ports_of_their_own(size: int) -> World:
    services = [service(f"web/s{n:05}", sharing_key="k", ports=f"TCP/{1000 + n}") for n in range(size)]
    return [pool("p", "10.0.0.0/8")], services


def one_key_a_common_port_and_another(size: int) -> World:
    services = [service(f"web/s{n:05}", sharing_key="k", ports=f"TCP/80 TCP/{1000 + n}") for n in range(size)]
    return [pool("p", "10.0.0.0/8")], services


def one_key_two_ports_in_turn(size: int) -> World:
    services = [service(f"web/s{n:05}", sharing_key="k", ports=f"{'UDP' if n % 2 else 'TCP'}/53") for n in range(size)]
    above = [
        service(f"a/h{n:05}", sharing_key="k", ports="TCP/53 UDP/53", ingress=address(size + n)) for n in range(size)
    ]
    return [pool("p", "10.0.0.0/8")], services + above


def one_key_in_full_pools(size: int) -> World:
    pools = [pool(f"p{n:03}", f"10.1.0.{n}/32") for n in range(4)]
    return pools, [service(f"web/s{n:05}", sharing_key="k", ports=f"TCP/{1000 + n}") for n in range(size)]


def one_key_one_port_in_many_pools(size: int) -> World:
    pools = [pool(f"p{n:03}", f"10.1.0.{n}/32") for n in range(size // 2)]
    return pools, [service(f"web/s{n:05}", sharing_key="k") for n in range(size)]


def one_key_a_common_port_and_another_in_many_pools(size: int) -> World:
    pools, _ = one_key_one_port_in_many_pools(size)
    return pools, one_key_a_common_port_and_another(size)[1]


def one_address_for_all(size: int) -> World:
    sharing = [
        service(f"a/s{n:05}", load_balancer_ip="10.0.0.9", sharing_key="k", ports=f"TCP/{n + 1}") for n in range(size)
    ]
    alone = [service(f"b/s{n:05}", load_balancer_ip="10.0.0.9") for n in range(size)]
    return [pool("p", "10.0.0.0/8")], sharing + alone


def pools_of_labels(size: int) -> World:
    pools = [pool(f"p{n:03}", f"10.1.0.{n}/32", scope=scope(service_labels={"app": str(n)})) for n in range(size)]
    return pools, [service(f"web/s{n:05}", labels={"app": str(n)}) for n in range(size)]


def refused_for_labels_of_their_own(size: int) -> World:
    pools, _ = pools_of_labels(size)
    return pools, [service(f"web/s{n:05}", labels={"app": f"no-{n}"}) for n in range(size)]


def refused_in_namespaces_of_their_own(size: int) -> World:
    pools = [pool(f"p{n:03}", f"10.1.0.{n}/32", scope=scope(f"team-{n}")) for n in range(size)]
    return pools, [service(f"web-{n}/s") for n in range(size)]


def refused_with_keys_of_their_own(size: int) -> World:
    pools = [pool(f"p{n:03}", f"10.1.0.{n}/32") for n in range(size)]
    above = [service(f"a/h{n:05}", ingress=f"10.1.0.{n}", sharing_key=f"h{n}") for n in range(size)]
    return pools, above + [service(f"web/s{n:05}", sharing_key=f"s{n}", ports=f"TCP/{n + 1}") for n in range(size)]


def refused_with_keys_of_their_own_by_one_pool(size: int) -> World:
    above = [service(f"a/h{n:05}", ingress=address(n), sharing_key=f"h{n}") for n in range(size)]
    return [pool("p", f"10.0.0.0-{address(size - 1)}")], [
        *above,
        *(service(f"web/s{n:05}", sharing_key=f"s{n}") for n in range(size)),
    ]


def asking_for_an_unknown_pool(size: int) -> World:
    pools = [pool(f"p{n:03}", f"10.1.0.{n}/32") for n in range(size)]
    return pools, [service(f"web/s{n:05}", requested_pool="q000") for n in range(size)]


def lost(size: int) -> World:
    return [pool("p", "10.0.0.0/8")], [service(f"web/s{n:05}", ingress="192.0.2.1") for n in range(size)]


def moving_up_by_one(size: int) -> World:
    services = [service(f"web/s{n:05}", ingress=address(n), load_balancer_ip=address(n + 1)) for n in range(size)]
    return [pool("p", "10.0.0.0/8")], services


def blocked_by_the_last(size: int) -> World:
    pools, services = moving_up_by_one(size)
    return pools, [*services, service("web/z", ingress=address(size))]


def changing_places(size: int) -> World:
    services = [service(f"web/s{n:05}", ingress=address(n), load_balancer_ip=address(n ^ 1)) for n in range(size)]
    return [pool("p", "10.0.0.0/8")], services


def changing_pools(size: int) -> World:
    services = [service(f"web/s{n:05}", ingress=address(n), requested_pool="q") for n in range(size)]
    return [pool("p", "10.0.0.0/16"), pool("q", "10.1.0.0/16")], services


WORLDS = [
    pending,
    pending_ipv6,
    pending_dual,
    holders,
    behind_full_pools,
    pools_of_namespaces,
    labels_of_their_own,
    refused,
    one_key_one_port,
    one_key_ports_of_their_own,
    one_key_a_common_port_and_another,
    one_key_two_ports_in_turn,
    one_key_in_full_pools,
    one_key_one_port_in_many_pools,
    one_key_a_common_port_and_another_in_many_pools,
    one_address_for_all,
    pools_of_labels,
    refused_for_labels_of_their_own,
    refused_in_namespaces_of_their_own,
    refused_with_keys_of_their_own,
    refused_with_keys_of_their_own_by_one_pool,
    asking_for_an_unknown_pool,
    lost,
    moving_up_by_one,
    blocked_by_the_last,
    changing_places,
    changing_pools,
]


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.__name__)
def test_work_grows_with_the_number_of_services_and_no_faster(world: Callable[[int], World]) -> None:
    def cost(size: int) -> int:
        pools, services = world(size)
        configured, snapshot = desired(*pools), observed(*services)
        return lines_run(lambda: allocate(configured, snapshot))

    cost(8)  # what is computed once and remembered
    small, large = cost(64), cost(256)
    assert large < 4.4 * small
