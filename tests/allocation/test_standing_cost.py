"""What a pass costs that follows another one, counted in calls: the changes, and not the Services."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from msgspec.structs import replace as altered

from reconciler.addresses.family import Address, Family
from reconciler.allocation.allocate import allocate
from reconciler.allocation.standing import Allocator
from reconciler.model.desired import DesiredState
from reconciler.model.observed import ObservedState, Service
from tests.allocation.counting import calls_made
from tests.builders import desired, observed, pool, scope, service

BASE = int.from_bytes(bytes([10, 0, 0, 0]), "big")
Services = tuple[Service, ...]
World = tuple[DesiredState, ObservedState]

# A queue is searched by halves.
_FOR_A_SEARCH = 12


def address(number: int) -> str:
    return str(Address(Family.IPV4, BASE + number))


def holders(size: int) -> World:
    given = [service(f"web/s{n:05}", ingress=address(n)) for n in range(size)]
    return desired(pool("p", "10.0.0.0/8")), observed(*given)


def holders_and_unsettled(size: int) -> World:
    """Some are pending, one of them refused, one looks for a second address, and one waits for another one."""
    state, snapshot = holders(size)
    others = [
        service("new/a"),
        service("new/b", sharing_key="k"),
        service("new/c", requested_pool="ghost"),
        service("new/d", families="46", policy="prefer", ingress=address(size)),
        service("new/e", ingress=address(size + 1), load_balancer_ip=address(0)),
    ]
    return replace(state, pools=(pool("p", "10.0.0.0/8", "2001:db8::/128"),)), observed(*snapshot.services, *others)


def full_and_half_of_them_refused(size: int) -> World:
    half = size // 2
    given = [service(f"web/s{n:05}", ingress=address(n)) for n in range(half)]
    waiting = [service(f"web/t{n:05}", created=n) for n in range(half)]
    return desired(pool("p", f"10.0.0.0-{address(half - 1)}")), observed(*given, *waiting)


def namespaces_of_their_own(size: int) -> World:
    given = [service(f"team-{n:05}/s", ingress=address(n)) for n in range(size)]
    return desired(pool("p", "10.0.0.0/8", scope=scope(namespace_labels={}))), observed(*given)


def edited(services: Services) -> Services:
    return altered(services[0], labels=(("app", "x"),)), *services[1:]


def deleted(services: Services) -> Services:
    middle = len(services) // 4
    return services[:middle] + services[middle + 1 :]


def created(services: Services) -> Services:
    return service("a/new"), *services


def nothing(services: Services) -> Services:
    return services


@pytest.mark.parametrize("deed", [edited, deleted, created, nothing], ids=lambda deed: deed.__name__)
@pytest.mark.parametrize(
    "world",
    [holders, holders_and_unsettled, full_and_half_of_them_refused, namespaces_of_their_own],
    ids=lambda world: world.__name__,
)
def test_one_change_costs_the_same_among_four_times_as_many(
    world: Callable[[int], World], deed: Callable[[Services], Services]
) -> None:
    def calls(size: int) -> int:
        state, snapshot = world(size)
        allocator = Allocator()
        allocator.allocate(state, snapshot)
        later = replace(snapshot, services=deed(snapshot.services))
        found = calls_made(lambda: allocator.allocate(state, later))
        assert allocator.whole_passes == 1
        assert allocator.allocate(state, later) == allocate(state, later)
        return found

    calls(100)  # what is computed once and remembered
    assert calls(4_000) <= calls(1_000) + _FOR_A_SEARCH
