"""An address is probed only where nobody can have announced it before."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from reconciler.loop.newness import new_addresses
from reconciler.model.announcements import L2Announcement
from reconciler.model.observed import AssignedCondition, NodeName, ObservedState, Service
from reconciler.placement.decisions import Placed, Placement
from tests.builders import addresses, service

_NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
_ADDRESS = addresses("192.0.2.7")[0]
_ANNOUNCEMENT = L2Announcement(_ADDRESS)


def _assigned(seconds_ago: float, *, status: str = "True", key: str = "shop/web") -> Service:
    since = (_NOW - timedelta(seconds=seconds_ago)).isoformat().replace("+00:00", "Z")
    return replace(service(key, ingress="192.0.2.7"), condition=AssignedCondition(status, last_transition=since))


_YOUNG = _assigned(3)
_BARE = service("shop/web")
_EMPTY = ObservedState()


@pytest.mark.parametrize(
    ("now", "before", "alone", "is_new"),
    [
        pytest.param(_YOUNG, _EMPTY, False, True, id="assigned a moment ago, to a Service that was not there"),
        pytest.param(_YOUNG, ObservedState((_BARE,)), False, True, id="to a Service that waited for it"),
        pytest.param(
            _YOUNG, ObservedState((_YOUNG,)), False, False, id="it had it at the last look: another announced"
        ),
        pytest.param(_assigned(61), _EMPTY, False, False, id="more than a minute ago"),
        pytest.param(_assigned(-30), _EMPTY, False, True, id="by a clock that is ahead of ours"),
        pytest.param(_assigned(-61), _EMPTY, False, False, id="by a clock that cannot be believed"),
        pytest.param(_assigned(3, status="False"), _EMPTY, False, False, id="the condition speaks of a refusal"),
        pytest.param(service("shop/web", ingress="192.0.2.7"), _EMPTY, False, False, id="without a condition of ours"),
        pytest.param(_YOUNG, None, False, False, id="the first look, and others are alive: one may be announcing it"),
        pytest.param(_YOUNG, None, True, True, id="the first look, and nobody else is alive"),
    ],
)
def test_whether_an_address_is_new(now: Service, before: ObservedState | None, alone: bool, is_new: bool) -> None:
    placement = Placement(NodeName("n1"), (Placed(now.key, _ADDRESS, _ANNOUNCEMENT),))
    found = new_addresses(
        placement, {_ANNOUNCEMENT}, ObservedState((now,)), before=before, alone=alone, occupied=(), today=_NOW
    )
    assert found == (frozenset({_ADDRESS}) if is_new else frozenset())


def test_what_is_announced_already_is_not_new() -> None:
    placement = Placement(NodeName("n1"), (Placed(_YOUNG.key, _ADDRESS, _ANNOUNCEMENT),))
    assert not new_addresses(
        placement, (), ObservedState((_YOUNG,)), before=_EMPTY, alone=False, occupied=(), today=_NOW
    )


def test_a_time_without_a_zone_is_not_believed() -> None:
    odd = replace(_YOUNG, condition=AssignedCondition("True", last_transition="2026-01-01T12:00:00"))
    placement = Placement(NodeName("n1"), (Placed(odd.key, _ADDRESS, _ANNOUNCEMENT),))
    found = new_addresses(
        placement, {_ANNOUNCEMENT}, ObservedState((odd,)), before=_EMPTY, alone=False, occupied=(), today=_NOW
    )
    assert not found
