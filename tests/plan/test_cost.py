"""What plans cost, counted in lines of Python that run, so that a busy machine cannot change the verdict."""

from reconciler.addresses.family import Address, Family
from reconciler.allocation.allocate import allocate
from reconciler.model.observed import ObservedState
from reconciler.plan.actions import AssignAddresses, Plan, RecordCondition, ServiceAction
from reconciler.plan.services import plan_services
from reconciler.plan.silence import silenced
from reconciler.plan.waves import Execution
from tests.allocation.counting import lines_run
from tests.builders import desired, observed, pool, service
from tests.placement.builders import bgp, endpoints, l2, node, peer

POOL = pool("p", "10.0.0.0/16")
BASE = int.from_bytes(bytes([10, 0, 0, 0]), "big")


def address(number: int) -> str:
    return str(Address(Family.IPV4, BASE + number))


def cluster(services: int, nodes: int) -> ObservedState:
    found = [service(f"a/s{n:05}", ingress=address(n)) for n in range(services)]
    return observed(
        *found, nodes=[node(f"n{n:04}") for n in range(nodes)], endpoints={s.key: endpoints("n0001") for s in found}
    )


def lines_of_silence(services: int, nodes: int) -> int:
    state = cluster(services, nodes)
    before = desired(POOL, l2=[l2()], bgp=[bgp()], peers=[peer("tor")])
    after = desired(POOL, bgp=[bgp()], peers=[peer("tor")])
    return lines_run(lambda: silenced(before, after, state, state))


def test_whom_nobody_announces_costs_with_services_and_nodes_but_not_with_both_together() -> None:
    assert lines_of_silence(400, 400) < lines_of_silence(1, 400) + 1.2 * lines_of_silence(400, 2)
    assert lines_of_silence(800, 2) < 2.2 * lines_of_silence(400, 2)


def lines_of_waves(size: int) -> int:
    """Every other Service takes the address of the next one, most of them giving up one that all of those share."""
    state = desired(POOL)
    services = [
        service(
            f"a/s{n:05}",
            ingress=address(n if n % 2 else 0),
            requested_ips=address(n + 1),
            sharing_key="" if n % 2 else "k",
            ports=f"TCP/{n + 1}",
        )
        for n in range(size)
    ]
    snapshot = observed(*services)
    plan = plan_services(allocate(state, snapshot), snapshot, state)

    def carry_out() -> None:
        for wave in (execution := Execution(plan)).waves():
            execution.failed(wave[0])

    assert any(isinstance(action, AssignAddresses) for action in plan.actions)
    return lines_run(carry_out)


def test_waves_cost_with_the_writes() -> None:
    assert lines_of_waves(400) < 4.4 * lines_of_waves(100)


def lines_of_conditions(size: int) -> tuple[int, Plan[ServiceAction]]:
    state = desired(pool("p", "10.0.0.0/32"))
    snapshot = observed(*(service(f"a/s{n:05}") for n in range(size)))
    allocation = allocate(state, snapshot)
    plan = plan_services(allocation, snapshot, state)
    return lines_run(lambda: plan_services(allocation, snapshot, state)), plan


def test_conditions_cost_with_the_services() -> None:
    few, _ = lines_of_conditions(100)
    many, plan = lines_of_conditions(400)
    assert many < 4.4 * few
    assert sum(isinstance(action, RecordCondition) for action in plan.actions) == 399
