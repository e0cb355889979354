"""What may be written at the same time, and what not at all any more after a failure."""

import random
from collections.abc import Iterable, Mapping
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.addresses.family import Address, Family
from reconciler.allocation.allocate import allocate
from reconciler.allocation.sharing import may_share
from reconciler.model.desired import DesiredState
from reconciler.model.observed import AssignedCondition, ObservedState, Service, ServiceKey
from reconciler.plan.actions import (
    AssignAddresses,
    ClearAddresses,
    Plan,
    RecordCondition,
    RecordEvent,
    ServiceAction,
    StatusWrite,
)
from reconciler.plan.services import plan_services
from reconciler.plan.waves import Execution, waves
from tests.builders import addresses
from tests.plan.test_services_laws import worlds

_LAW = settings(max_examples=150, deadline=None)
_CONDITION = AssignedCondition("True", "Assigned", "x")


def write(text: str) -> ServiceAction:
    """`b .1 -> .2` assigns, `b .1 ->` clears, `b = ` records the condition, `b !` an Event."""
    key, _, rest = text.partition(" ")
    service = ServiceKey(f"a/{key}")
    if rest == "!":
        return RecordEvent(service, "Normal", "IPAllocated", "x")
    if rest == "=":
        return RecordCondition(service, "1", _CONDITION)
    before, after = (_addresses(side) for side in rest.split("->"))
    if after:
        return AssignAddresses(service, before, after, "p", "1", "r", "m")
    return ClearAddresses(service, before, "1", "r", "m")


def _addresses(side: str) -> tuple[Address, ...]:
    return addresses(" ".join(f"192.0.2{last}" for last in side.split()))


def plan_of(*texts: str) -> Plan[ServiceAction]:
    return Plan(tuple(map(write, texts)))


def told(found: Iterable[Iterable[StatusWrite]]) -> list[str]:
    return [" ".join(action.service.removeprefix("a/") for action in wave) for wave in found]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        pytest.param([], [], id="an empty plan"),
        pytest.param(["a !"], [], id="Events only"),
        pytest.param(["a -> .1", "b -> .2", "c -> .3"], ["a b c"], id="free addresses"),
        pytest.param(["a .1 ->", "b .2 ->", "c -> .3"], ["a b c"], id="clears that nobody waits for"),
        pytest.param(["a .1 ->", "b -> .1", "c -> .2"], ["a c", "b"], id="an address that is given up first"),
        pytest.param(["a .1 -> .2", "b .3 -> .1", "c .4 -> .3"], ["a", "b", "c"], id="one after the other"),
        pytest.param(
            ["a .1 ->", "b .2 -> .1", "a .1 -> .2"], ["a", "b", "a"], id="an exchange: the first has stepped aside"
        ),
        pytest.param(
            ["a .1 .9 -> .9", "b .2 -> .1", "a .1 .9 -> .2 .9"], ["a", "b", "a"], id="and kept what it need not give up"
        ),
        pytest.param(["a .1 .2 -> .3", "b -> .1", "c -> .2"], ["a", "b c"], id="two wait for one"),
        pytest.param(["a .1 ->", "b .2 ->", "c -> .1 .2"], ["a b", "c"], id="one waits for two"),
        pytest.param(["b -> .1", "a .1 ->"], ["b a"], id="who takes it first may share it"),
        pytest.param(["a =", "b ="], ["a b"], id="conditions alone"),
        pytest.param(["a .1 ->", "b -> .1", "c ="], ["a", "b c"], id="conditions are waited for by nobody"),
        pytest.param(["a .1 ->", "a ="], ["a", "a"], id="a condition of a Service that is written before"),
    ],
)
def test_waves(texts: list[str], expected: list[str]) -> None:
    assert told(waves(plan_of(*texts))) == expected
    assert told(Execution(plan_of(*texts)).waves()) == expected


@pytest.mark.parametrize(
    ("texts", "failing", "attempted", "left_out"),
    [
        pytest.param(["a .1 ->", "b -> .1", "c -> .2"], "a", ["a c"], ["b"], id="not given up, so not taken"),
        pytest.param(["a .1 ->", "b -> .1", "c -> .2"], "c", ["a c", "b"], [], id="nobody waits for it"),
        pytest.param(["a .1 -> .2", "b .3 -> .1", "c .4 -> .3"], "a", ["a"], ["b", "c"], id="and so on"),
        pytest.param(["a .1 ->", "b .2 -> .1", "a .1 -> .2"], "a", ["a"], ["b", "a"], id="the second write neither"),
        pytest.param(
            ["a .1 ->", "b .2 -> .1", "a .1 -> .2"], "b", ["a", "b"], ["a"], id="it waits in vain, in the end"
        ),
        pytest.param(["a .1 ->", "a ="], "a", ["a"], ["a"], id="a condition of a Service that failed"),
    ],
)
def test_failures(texts: list[str], failing: str, attempted: list[str], left_out: list[str]) -> None:
    execution = Execution(plan_of(*texts))
    found = []
    for wave in execution.waves():
        found.append(wave)
        for action in wave:
            if action.service == f"a/{failing}":
                execution.failed(action)
    assert told(found) == attempted
    assert [action.service.removeprefix("a/") for action in execution.left_out] == left_out


def test_events_of_services_that_were_not_written_are_not_told() -> None:
    execution = Execution(plan_of("a .1 ->", "b -> .1", "c -> .2", "a !", "b !", "c !", "d !"))
    for wave in execution.waves():
        for action in wave:
            if action.service == "a/a":
                execution.failed(action)
    assert [event.service for event in execution.events()] == ["a/c", "a/d"]


def test_ten_thousand_free_addresses_are_one_wave() -> None:
    actions = [
        AssignAddresses(ServiceKey(f"a/{n}"), (), (Address(Family.IPV4, n),), "p", "1", "r", "m") for n in range(10_000)
    ]
    assert waves(Plan(tuple(actions))) == (tuple(actions),)


@_LAW
@given(worlds)
def test_every_write_is_in_one_wave_and_those_of_a_service_in_their_order(
    world: tuple[DesiredState, ObservedState],
) -> None:
    state, snapshot = world
    plan = plan_services(allocate(state, snapshot), snapshot, state)
    found = waves(plan)
    assert sorted(id(action) for wave in found for action in wave) == sorted(
        id(action) for action in plan.actions if not isinstance(action, RecordEvent)
    )
    for wave in found:
        assert len({action.service for action in wave}) == len(wave)
        positions = [plan.actions.index(action) for action in wave]
        assert positions == sorted(positions)


@_LAW
@given(worlds)
def test_no_wave_could_have_come_earlier(world: tuple[DesiredState, ObservedState]) -> None:
    state, snapshot = world
    found = waves(plan_services(allocate(state, snapshot), snapshot, state))
    for earlier, later in pairwise(found):
        written = {action.service for action in earlier}
        left = {a for action in earlier if not isinstance(action, RecordCondition) for a in action.before}
        addresses_later = [action for action in later if not isinstance(action, RecordCondition)]
        assert all(
            action.service in written or (isinstance(action, AssignAddresses) and left.intersection(action.addresses))
            for action in addresses_later
        )


@settings(max_examples=400, deadline=None)
@given(worlds, st.integers(0, 2**32), st.sampled_from([0.0, 0.1, 0.5]))
def test_whatever_fails_and_whenever_it_ends_nobody_shares_an_address_who_may_not(
    world: tuple[DesiredState, ObservedState], seed: int, failure_rate: float
) -> None:
    state, snapshot = world
    allocation = allocate(state, snapshot)
    plan = plan_services(allocation, snapshot, state)
    services = {service.key: service for service in snapshot.services}
    # Of a status that stays as somebody else left it nobody knows what it means.
    decided = {a.service for a in allocation.assignments}
    decided |= {action.service for action in plan.actions if isinstance(action, ClearAddresses)}
    held = {key: set(services[key].ingress) for key in decided}
    draw = random.Random(seed)  # noqa: S311 - a test that can be repeated
    execution = Execution(plan)
    for wave in execution.waves():
        # Each moment of this is one at which the process might have ended.
        for action in draw.sample(wave, len(wave)):
            fails = draw.random() < failure_rate
            # A request that failed may have been carried out all the same.
            if not fails or draw.random() < 0.5:
                _carry_out(action, held, services)
            if fails:
                execution.failed(action)


def _carry_out(
    action: StatusWrite, held: dict[ServiceKey, set[Address]], services: Mapping[ServiceKey, Service]
) -> None:
    if isinstance(action, RecordCondition):
        return
    given_now = set(action.addresses) if isinstance(action, AssignAddresses) else set()
    for address in given_now - held[action.service]:
        beside = [key for key, has in held.items() if address in has and key != action.service]
        assert all(may_share(services[action.service], services[key]) for key in beside)
    held[action.service] = given_now
