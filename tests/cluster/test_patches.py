"""What a write says, and when there is nothing to say."""

import json

import pytest

from reconciler.cluster.objects import ASSIGNED_CONDITION, POOL_ANNOTATION
from reconciler.cluster.patches import changes_nothing, status_patch
from reconciler.model.observed import AssignedCondition, Service, ServiceKey
from reconciler.plan.actions import AssignAddresses, ClearAddresses, RecordCondition, StatusWrite
from tests.builders import addresses, service

KEY = ServiceKey("shop/web")
NOW = "2026-01-02T00:00:00Z"
ASSIGNED = AssignedCondition("True", "Assigned", 'from pool "gold"')
REFUSED = AssignedCondition("False", "PoolExhausted", "no address is left")


def assign(text: str = "192.0.2.1", pool: str = "gold", condition: AssignedCondition | None = ASSIGNED) -> StatusWrite:
    return AssignAddresses(KEY, (), addresses(text), pool, "7", "assigned", "because", condition)


def clear(condition: AssignedCondition | None = None) -> StatusWrite:
    return ClearAddresses(KEY, (), "7", "no-pools", "because", condition)


def record(condition: AssignedCondition | None) -> StatusWrite:
    return RecordCondition(KEY, "7", condition)


def held(
    ingress: str = "", pool: str | None = None, condition: AssignedCondition | None = None, hostname: str = ""
) -> Service:
    hostnames = (hostname,) if hostname else ()
    found = service("shop/web", ingress=ingress, allocated_pool=pool, foreign=True, hostnames=hostnames)
    return Service(**{field: getattr(found, field) for field in found.__struct_fields__} | {"condition": condition})


def since(condition: AssignedCondition, last_transition: str = "2026-01-01T00:00:00Z") -> AssignedCondition:
    return AssignedCondition(condition.status, condition.reason, condition.message, last_transition)


def test_an_assignment_says_all_of_it() -> None:
    body = json.loads(status_patch(assign("192.0.2.1 2001:db8::1"), held(), now=NOW))
    assert body == {
        "metadata": {"resourceVersion": "1", "annotations": {POOL_ANNOTATION: "gold"}},
        "status": {
            "loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}]},
            "conditions": [
                {
                    "type": ASSIGNED_CONDITION,
                    "status": "True",
                    "reason": "Assigned",
                    "message": 'from pool "gold"',
                    "lastTransitionTime": NOW,
                }
            ],
        },
    }


def test_a_clear_takes_everything_of_ours_away() -> None:
    body = json.loads(status_patch(clear(), held("192.0.2.1", "gold", ASSIGNED), now=NOW))
    assert body == {
        "metadata": {"resourceVersion": "1", "annotations": {POOL_ANNOTATION: None}},
        "status": {
            "loadBalancer": {"ingress": []},
            "conditions": [{"type": ASSIGNED_CONDITION, "$patch": "delete"}],
        },
    }


def test_a_condition_alone_leaves_the_addresses_out() -> None:
    body = json.loads(status_patch(record(REFUSED), held("192.0.2.1", "gold", ASSIGNED), now=NOW))
    assert body["metadata"] == {"resourceVersion": "1"}
    assert list(body["status"]) == ["conditions"]


@pytest.mark.parametrize(
    ("before", "wanted", "expected"),
    [
        pytest.param(None, ASSIGNED, NOW, id="a new condition begins now"),
        pytest.param(since(REFUSED), ASSIGNED, NOW, id="so does another status"),
        pytest.param(since(REFUSED), AssignedCondition("False", "Other", "else"), None, id="the same status keeps its"),
    ],
)
def test_the_time_of_a_transition(
    before: AssignedCondition | None, wanted: AssignedCondition, expected: str | None
) -> None:
    body = json.loads(status_patch(record(wanted), held(condition=before), now=NOW))
    assert body["status"]["conditions"][0].get("lastTransitionTime") == expected


@pytest.mark.parametrize("action", [clear(), assign(condition=None)])
def test_a_condition_that_is_not_there_is_not_taken_away(action: StatusWrite) -> None:
    assert "conditions" not in json.loads(status_patch(action, held(), now=NOW))["status"]


@pytest.mark.parametrize(
    ("action", "before", "expected"),
    [
        pytest.param(assign(), held("192.0.2.1", "gold", since(ASSIGNED)), True, id="all is so already"),
        pytest.param(assign(), held("192.0.2.2", "gold", ASSIGNED), False, id="another address"),
        pytest.param(assign("192.0.2.1 2001:db8::1"), held("192.0.2.1", "gold", ASSIGNED), False, id="one more"),
        pytest.param(
            assign("192.0.2.1 2001:db8::1"), held("2001:db8::1 192.0.2.1", "gold", ASSIGNED), False, id="another order"
        ),
        pytest.param(assign(), held("192.0.2.1", "silver", ASSIGNED), False, id="another pool"),
        pytest.param(assign(), held("192.0.2.1", None, ASSIGNED), False, id="no annotation"),
        pytest.param(assign(), held("192.0.2.1", "gold", REFUSED), False, id="another condition"),
        pytest.param(assign(), held("192.0.2.1", "gold", ASSIGNED, "lb.example"), False, id="a host name beside it"),
        pytest.param(assign(condition=None), held("192.0.2.1", "gold"), True, id="no condition, none wanted"),
        pytest.param(assign(condition=None), held("192.0.2.1", "gold", ASSIGNED), False, id="a condition to remove"),
        pytest.param(clear(), held(), True, id="nothing to clear"),
        pytest.param(clear(), held("192.0.2.1"), False, id="an address to clear"),
        pytest.param(clear(), held(pool="gold"), False, id="an annotation to clear"),
        pytest.param(clear(), held(condition=ASSIGNED), False, id="a condition to clear"),
        pytest.param(clear(), held(hostname="lb.example"), False, id="a host name to clear"),
        pytest.param(clear(REFUSED), held(condition=REFUSED), True, id="cleared, and the reason stands"),
        pytest.param(record(REFUSED), held("192.0.2.1", "gold", since(REFUSED)), True, id="the condition stands"),
        pytest.param(record(REFUSED), held(), False, id="no condition yet"),
        pytest.param(record(None), held("192.0.2.1"), True, id="no condition to remove"),
        pytest.param(record(None), held(condition=REFUSED), False, id="a stale condition"),
    ],
)
def test_what_changes_nothing(action: StatusWrite, before: Service, *, expected: bool) -> None:
    assert changes_nothing(action, before) is expected
