"""What a pass of a speaker costs that follows another one, counted in calls: the changes, and not the Services."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from msgspec.structs import replace as altered

from reconciler.addresses.family import Address, Family
from reconciler.model.announcements import Active
from reconciler.model.desired import DesiredState
from reconciler.model.observed import NodeName, ObservedState
from reconciler.placement.standing import Placer
from reconciler.plan.announcements import plan_announcements
from tests.allocation.counting import calls_made
from tests.builders import desired, observed, pool, service
from tests.placement.builders import bgp, endpoints, l2, members, node, peer

BASE = int.from_bytes(bytes([10, 0, 0, 0]), "big")
HERE = NodeName("node-a")
CONFIG = desired(pool("p", "10.0.0.0/8"), l2=[l2()])
NODES, ALIVE = [node("node-a")], members("node-a")

# A run of Services in which something differs is walked through.
_FOR_A_SEARCH = 12


def world(size: int) -> ObservedState:
    services = [service(f"web/s{n:05}", ingress=str(Address(Family.IPV4, BASE + n))) for n in range(size)]
    return observed(*services, nodes=NODES, endpoints={s.key: endpoints("node-a") for s in services})


def edited(state: ObservedState) -> ObservedState:
    other = altered(state.services[7], ingress=(Address(Family.IPV4, BASE + (1 << 20)),))
    return replace(state, services=(*state.services[:7], other, *state.services[8:]))


def deleted(state: ObservedState) -> ObservedState:
    middle = len(state.services) // 4
    return replace(state, services=state.services[:middle] + state.services[middle + 1 :])


def created(state: ObservedState) -> ObservedState:
    new = service("a/new", ingress=str(Address(Family.IPV4, BASE + (1 << 20))))
    return replace(state, services=(new, *state.services), endpoints={**state.endpoints, new.key: endpoints("node-a")})


def endpoints_lost(state: ObservedState) -> ObservedState:
    return replace(state, endpoints={**state.endpoints, state.services[7].key: endpoints("-node-a")})


def nothing(state: ObservedState) -> ObservedState:
    return replace(state, endpoints=dict(state.endpoints))


BY_BGP = desired(
    pool("p", "10.0.0.0/8"),
    bgp=[bgp(), bgp("wide", length=8, communities="65000:1")],
    peers=[peer(f"tor-{n}") for n in range(4)],
)
PEERS = len(BY_BGP.peers)


@pytest.mark.parametrize("config", [pytest.param(CONFIG, id="L2"), pytest.param(BY_BGP, id="BGP")])
@pytest.mark.parametrize(
    ("deed", "actions"),
    [
        pytest.param(edited, 2, id="edited"),
        pytest.param(deleted, 1, id="deleted"),
        pytest.param(created, 1, id="created"),
        pytest.param(endpoints_lost, 1, id="endpoints lost"),
        pytest.param(nothing, 0, id="nothing"),
    ],
)
def test_one_change_costs_the_same_among_four_times_as_many(
    deed: Callable[[ObservedState], ObservedState], actions: int, config: DesiredState
) -> None:
    def calls(size: int) -> int:
        state = world(size)
        placer = Placer()
        first = placer.place(config, state, ALIVE, HERE)
        active = Active(frozenset(first.heard), first.peers, first.routes)
        placer.successors([])
        later = deed(state)
        passes: list[int] = []

        def follow() -> None:
            plan = plan_announcements(placer.place(config, later, ALIVE, HERE), active)
            passes.append(len(plan.actions))

        found = calls_made(follow)
        assert passes == [actions * (PEERS if config is BY_BGP else 1)]
        assert placer.whole_passes == 1
        return found

    calls(100)  # what is computed once and remembered
    assert calls(4_000) <= calls(1_000) + _FOR_A_SEARCH
