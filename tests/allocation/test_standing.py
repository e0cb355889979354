"""When an Allocator goes on from its last pass, what it says then, and when it begins anew."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from msgspec.structs import replace as altered

from reconciler.allocation.allocate import allocate
from reconciler.allocation.decisions import Allocation
from reconciler.allocation.standing import Allocator
from reconciler.model.desired import DesiredState
from reconciler.model.observed import ObservedState, Service
from reconciler.model.pools import IPAddressPool, ServiceScope
from tests.allocation.worlds import applied
from tests.builders import desired, observed, pool, scope, service

P = pool("p", "10.0.0.1-10.0.0.3")
DUAL = pool("p", "10.0.0.1-10.0.0.3", "2001:db8::1/128")
HOLDERS = tuple(service(f"web/{name}", ingress=f"10.0.0.{number}") for number, name in enumerate("abc", 1))


class Passes:
    """An Allocator that is held against the whole at every pass."""

    def __init__(self, *pools: IPAddressPool) -> None:
        self.allocator = Allocator()
        self.desired = desired(*pools)
        self.observed = observed()

    def decide(self, *services: Service) -> Allocation:
        """The pass over these Services."""
        return self.look(self.desired, replace(self.observed, services=observed(*services).services))

    def look(self, state: DesiredState, snapshot: ObservedState) -> Allocation:
        """The pass over this world."""
        self.desired, self.observed = state, snapshot
        found = self.allocator.allocate(state, snapshot)
        assert found == allocate(state, snapshot)
        return found

    @property
    def from_nothing(self) -> int:
        """How many passes were whole ones."""
        return self.allocator.whole_passes


def assigned(allocation: Allocation) -> dict[str, str]:
    return {found.service.partition("/")[2]: " ".join(map(str, found.addresses)) for found in allocation.assignments}


def refused(allocation: Allocation) -> dict[str, str]:
    return {found.service.partition("/")[2]: found.reason for found in allocation.refusals}


def test_a_service_from_its_first_day_to_its_last() -> None:
    a, b, _ = HOLDERS
    passes = Passes(P)
    passes.decide(a, b)
    new = service("web/new")
    assert assigned(passes.decide(a, b, new))["new"] == "10.0.0.3"
    given = altered(new, ingress=HOLDERS[2].ingress, allocated_pool="p")
    assert assigned(passes.decide(a, b, given))["new"] == "10.0.0.3"
    assert assigned(passes.decide(a, b, altered(given, resource_version="7")))["new"] == "10.0.0.3"
    assert assigned(passes.decide(a, b)) == {"a": "10.0.0.1", "b": "10.0.0.2"}
    assert passes.from_nothing == 1


def test_a_freed_address_goes_to_who_waits_longest() -> None:
    young, old = service("web/young", created=9), service("web/old", created=3)
    passes = Passes(P)
    assert refused(passes.decide(*HOLDERS, young, old)) == {"young": "pool-exhausted", "old": "pool-exhausted"}
    one_less = passes.decide(*HOLDERS[1:], young, old)
    assert assigned(one_less)["old"] == "10.0.0.1"
    assert refused(one_less) == {"young": "pool-exhausted"}
    assert refused(passes.decide(*HOLDERS, young, old)) == {"young": "pool-exhausted", "old": "pool-exhausted"}
    assert passes.from_nothing == 1


def test_the_lowest_address_is_given_first_also_when_it_was_freed_last() -> None:
    passes = Passes(P)
    passes.decide(*HOLDERS)
    passes.decide(*HOLDERS[:2])
    passes.decide(HOLDERS[1])
    assert assigned(passes.decide(HOLDERS[1], service("web/x"), service("web/y"))) == {
        "b": "10.0.0.2",
        "x": "10.0.0.1",
        "y": "10.0.0.3",
    }
    assert passes.from_nothing == 1


def test_those_who_share_make_room_when_they_go() -> None:
    tenants = [service(f"web/{n}", ingress="10.0.0.1", sharing_key="k", ports=f"TCP/{n}") for n in (80, 81)]
    wanting = service("web/w", load_balancer_ip="10.0.0.1", sharing_key="k", ports="TCP/81")
    passes = Passes(P)
    assert refused(passes.decide(*tenants, wanting)) == {"w": "port-in-use"}
    assert assigned(passes.decide(tenants[0], wanting))["w"] == "10.0.0.1"
    assert passes.from_nothing == 1


def test_those_who_wait_with_other_ports_wait_for_something_else() -> None:
    tenant = service("web/t", ingress="10.0.0.1", sharing_key="k", ports="TCP/80")
    first = service("web/a", sharing_key="k", ports="TCP/80")
    second = service("web/b", sharing_key="k", ports="TCP/81")
    passes = Passes(pool("p", "10.0.0.1/32"))
    passes.decide(tenant, first)
    found = passes.decide(tenant, first, second)
    assert (assigned(found), refused(found)) == ({"t": "10.0.0.1", "b": "10.0.0.1"}, {"a": "pool-exhausted"})
    assert passes.from_nothing == 1


def test_a_second_address_is_looked_for_again() -> None:
    growing = service("web/g", families="46", policy="prefer", ingress="10.0.0.1")
    other = service("web/o", families="6", ingress="2001:db8::1")
    passes = Passes(DUAL)
    full = passes.decide(growing, other)
    assert [remark.reason for remark in full.remarks] == ["AdditionalAssignFailed"]
    grown = passes.decide(growing)
    assert (assigned(grown), grown.remarks) == ({"g": "10.0.0.1 2001:db8::1"}, ())
    assert passes.decide(growing, other) == full
    assert passes.from_nothing == 1


def test_the_older_gets_the_only_second_address_whoever_was_edited() -> None:
    older, younger = (
        service(f"web/{name}", families="46", policy="prefer", ingress=f"10.0.0.{age}", created=age)
        for age, name in ((1, "y"), (2, "x"))
    )
    passes = Passes(DUAL)
    for edited in ((older, younger), (older, altered(younger, labels=(("a", "b"),)))):
        assert assigned(passes.decide(*edited)) == {"y": "10.0.0.1 2001:db8::1", "x": "10.0.0.2"}
    assert passes.from_nothing == 1


def test_who_keeps_an_address_while_it_waits_for_another_moves_when_that_is_free() -> None:
    waiting = altered(HOLDERS[0], load_balancer_ip="10.0.0.2")
    passes = Passes(P)
    before = passes.decide(waiting, *HOLDERS[1:])
    assert (assigned(before)["a"], refused(before)) == ("10.0.0.1", {"a": "address-in-use"})
    assert assigned(passes.decide(waiting, HOLDERS[2])) == {"a": "10.0.0.2", "c": "10.0.0.3"}
    assert passes.decide(waiting, *HOLDERS[1:]) == before
    assert passes.from_nothing == 1


def test_two_who_begin_to_name_each_others_addresses_exchange_them() -> None:
    passes = Passes(P)
    passes.decide(*HOLDERS)
    a, b = (altered(HOLDERS[one], requested_ips=f"10.0.0.{2 - one}") for one in (0, 1))
    assert assigned(passes.decide(a, b, HOLDERS[2])) == {"a": "10.0.0.2", "b": "10.0.0.1", "c": "10.0.0.3"}
    assert passes.from_nothing == 1


def test_nothing_new_is_nothing_to_decide() -> None:
    passes = Passes(P)
    first = passes.decide(*HOLDERS, service("web/w"))
    assert passes.decide(*HOLDERS, altered(service("web/w"))) is first
    edited = passes.decide(*(altered(holder, resource_version="8") for holder in HOLDERS), service("web/w"))
    assert edited is first


def test_only_what_changes_is_another_object() -> None:
    passes = Passes(P)
    before = passes.decide(*HOLDERS, service("web/w"))
    after = passes.decide(*HOLDERS, service("web/w"), service("web/x"))
    assert after.assignments is before.assignments
    assert after.refusals[0] is before.refusals[0]


def test_a_new_configuration_is_decided_from_nothing() -> None:
    passes = Passes(P)
    passes.decide(*HOLDERS)
    passes.look(replace(passes.desired, revision="next"), passes.observed)
    assert passes.from_nothing == 1
    # Equal pools may be of other lines, and refusals name these.
    passes.look(desired(pool("p", "10.0.0.1-10.0.0.3")), passes.observed)
    passes.look(desired(pool("p", "10.0.0.2-10.0.0.3")), passes.observed)
    assert passes.from_nothing == 3


def test_holders_who_are_in_each_others_way_are_decided_from_nothing() -> None:
    passes = Passes(P)
    passes.decide(*HOLDERS)
    intruder = service("web/0", ingress="10.0.0.1", created=9)
    assert assigned(passes.decide(intruder, HOLDERS[0])) == {"a": "10.0.0.1", "0": "10.0.0.2"}
    passes.decide(intruder, HOLDERS[0], service("web/x"))
    assert passes.from_nothing == 3
    passes.decide(HOLDERS[0])
    passes.decide(HOLDERS[0], service("web/x"))
    assert passes.from_nothing == 4


@pytest.mark.parametrize(
    ("served", "labels", "whole_passes"),
    [
        pytest.param(scope("web"), {"web": {"zone": "south"}}, 2, id="a namespace that is another one to a pool"),
        pytest.param(scope("web"), {"lab": {"zone": "south"}}, 1, id="one without a Service"),
        pytest.param(None, {"web": {"zone": "south"}}, 1, id="no pool looks at namespaces"),
    ],
)
def test_labels_of_namespaces(
    served: ServiceScope | None, labels: dict[str, dict[str, str]], whole_passes: int
) -> None:
    passes = Passes(replace(P, scope=served))
    passes.decide(*HOLDERS)
    passes.look(passes.desired, observed(*HOLDERS, namespaces=labels))
    assert passes.from_nothing == whole_passes


def test_a_namespace_is_seen_as_it_is_when_its_first_service_comes() -> None:
    passes = Passes(replace(P, scope=scope(namespace_labels={"zone": "south"})))
    passes.decide(service("web/a"))
    new = observed(service("lab/b"), service("web/a"), namespaces={"lab": {"zone": "south"}})
    assert assigned(passes.look(passes.desired, new)) == {"b": "10.0.0.1"}
    assert passes.from_nothing == 1


def test_another_class_has_other_services() -> None:
    allocator, snapshot = Allocator(), observed(*HOLDERS, service("web/x", load_balancer_class="other"))
    state = desired(P)
    for lb_class in ("", "other", ""):
        assert allocator.allocate(state, snapshot, lb_class=lb_class) == allocate(state, snapshot, lb_class=lb_class)


def test_a_snapshot_out_of_order_is_decided_from_nothing() -> None:
    passes = Passes(P)
    passes.decide(*HOLDERS)
    for _ in range(2):
        passes.look(passes.desired, replace(passes.observed, services=HOLDERS[::-1]))
    passes.decide(*HOLDERS)
    assert passes.from_nothing == 4


def test_a_pass_that_fails_leaves_nothing_half_done() -> None:
    passes = Passes(P)
    passes.decide(*HOLDERS)
    broken = altered(HOLDERS[1], ingress=("10.0.0.2",))
    with pytest.raises(AttributeError):
        passes.allocator.allocate(passes.desired, observed(HOLDERS[0], broken))
    assert assigned(passes.decide(*HOLDERS)) == {"a": "10.0.0.1", "b": "10.0.0.2", "c": "10.0.0.3"}


def _edits(number: int) -> tuple[Service, ...]:
    return *HOLDERS[:2], altered(HOLDERS[2], resource_version=str(number))


def _comings_and_goings(number: int) -> tuple[Service, ...]:
    return (*HOLDERS[: number % 3], service("web/x"), service("web/y", sharing_key="k", ports=f"TCP/{number}"))


@pytest.mark.parametrize("services", [_edits, _comings_and_goings])
def test_what_passes_leave_behind_ends_with_a_whole_one(services: Callable[[int], tuple[Service, ...]]) -> None:
    allocator, state = Allocator(), desired(P)
    for number in range(3_000):
        snapshot = observed(*services(number))
        found = allocator.allocate(state, snapshot)
    assert found == allocate(state, snapshot)
    assert 1 < allocator.whole_passes < 30


def test_everything_at_once_is_decided_from_nothing() -> None:
    passes = Passes(pool("p", "10.0.0.0/16"))
    passes.decide(*(service(f"web/s{number:03}") for number in range(200)))
    passes.look(passes.desired, applied(allocate(passes.desired, passes.observed), passes.observed))
    assert passes.from_nothing == 2
