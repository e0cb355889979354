"""
Actions to the bodies that carry them out: strategic merge patches on the status of a Service. No I/O.

How the API server merges is declared by the Service API itself: `ingress` is atomic, so a new list replaces the old
one whatever was in it; `conditions` merge by `type`, so those of other writers stay, which a plain merge patch would
take away; an annotation of null is removed.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from reconciler.addresses.family import Address
from reconciler.cluster.objects import ASSIGNED_CONDITION, POOL_ANNOTATION
from reconciler.model.observed import AssignedCondition, Service
from reconciler.plan.actions import AssignAddresses, ClearAddresses, RecordCondition, StatusWrite
from reconciler.plan.conditions import says_the_same


def changes_nothing(action: StatusWrite, held: Service) -> bool:
    """Whether the Service says all of it already."""
    if not says_the_same(action.condition, held.condition):
        return False
    if isinstance(action, RecordCondition):
        return True
    addresses, pool = _aims(action)
    return held.ingress == addresses and held.allocated_pool == pool and not held.unreadable_ingress


def status_patch(action: StatusWrite, held: Service, *, now: str) -> bytes:
    """
    The body that makes the Service say what the action asks for.

    It names the version of `held`, so that it fails where anybody wrote since. `now` is RFC 3339 text: the transition
    time of a condition whose status is not what it was.
    """
    metadata: dict[str, Any] = {"resourceVersion": held.resource_version}
    status: dict[str, Any] = {}
    if not isinstance(action, RecordCondition):
        addresses, pool = _aims(action)
        metadata["annotations"] = {POOL_ANNOTATION: pool}
        status["loadBalancer"] = {"ingress": [{"ip": str(address)} for address in addresses]}
    if action.condition is not None or held.condition is not None:
        status["conditions"] = [_condition(action.condition, held.condition, now)]
    return msgspec.json.encode({"metadata": metadata, "status": status})


def _aims(action: ClearAddresses | AssignAddresses) -> tuple[Sequence[Address], str | None]:
    """The addresses that are to stand in the status, and the pool beside them; None takes the annotation away."""
    if isinstance(action, ClearAddresses):
        return (), None
    return action.addresses, action.pool


def _condition(wanted: AssignedCondition | None, held: AssignedCondition | None, now: str) -> dict[str, str]:
    if wanted is None:
        return {"type": ASSIGNED_CONDITION, "$patch": "delete"}
    condition = {
        "type": ASSIGNED_CONDITION,
        "status": wanted.status,
        "reason": wanted.reason,
        "message": wanted.message,
    }
    # Kubernetes API, Condition: the time changes with the status only. Left out, the one that is there stays.
    if held is None or held.status != wanted.status:
        condition["lastTransitionTime"] = now
    return condition
