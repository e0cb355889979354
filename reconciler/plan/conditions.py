"""
What our condition should say of each Service: that it is served and from which pool, or why not.

A condition stays where it says so already, whenever it was written. See docs/decisions/plan-conditions.md for what is
left out of it so that it does.
"""

import re
from collections.abc import Mapping
from functools import cache, lru_cache

from reconciler.allocation.decisions import Allocation, Refusal
from reconciler.model.observed import AssignedCondition, ServiceKey

# Kubernetes API, meta/v1 Condition: the longest message, in octets.
_MESSAGE_OCTETS = 32768
_CUT = "..."
# A refusal names the first few that stand in the way and counts the rest. A count would change with each of those.
_COUNT = re.compile(r"\band \d+ more\b")


def wanted_conditions(allocation: Allocation) -> Mapping[ServiceKey, AssignedCondition]:
    """Of each Service that is ours to serve and not kept as it is, what its condition should say."""
    refusals = {refusal.service: refusal for refusal in allocation.refusals}
    found = {
        assignment.service: assigned(assignment.pool, refusals.get(assignment.service))
        for assignment in allocation.assignments
    }
    found |= {key: refused(refusal) for key, refusal in refusals.items() if key not in found}
    for key in allocation.pinned:
        found.pop(key, None)
    return found


def assigned(pool: str, unmet: Refusal | None = None) -> AssignedCondition:
    """The Service has addresses of that pool; `unmet` is what else it asks for meanwhile."""
    if unmet is None:
        return _from_pool(pool)
    return AssignedCondition("True", "Assigned", _fitting(f'from pool "{pool}"; {unmet.message}'))


def refused(refusal: Refusal) -> AssignedCondition:
    """The Service has no address of ours."""
    return _refused(refusal.reason, refusal.message, refusal.advice)


def not_assigned(code: str, message: str) -> AssignedCondition:
    """The Service has no address of ours, for the reason of that code."""
    return AssignedCondition("False", reason_word(code), _fitting(message))


def says_the_same(one: AssignedCondition | None, other: AssignedCondition | None) -> bool:
    """Whether two conditions mean the same, whenever either of them came about."""
    if one is None or other is None:
        return one is other
    return (one.status, one.reason, one.message) == (other.status, other.reason, other.message)


@cache
def reason_word(code: str) -> str:
    """A reason code as the API wants it in a condition (meta/v1 Condition, reason): `no-pools` is `NoPools`."""
    return "".join(word.capitalize() for word in code.split("-"))


@cache
def _from_pool(pool: str) -> AssignedCondition:
    return AssignedCondition("True", "Assigned", _fitting(f'from pool "{pool}"'))


# Thousands of Services may wait for one pool, in the same words.
@lru_cache(maxsize=1024)
def _refused(code: str, message: str, advice: str) -> AssignedCondition:
    return not_assigned(code, f"{message}; advice: {advice}" if advice else message)


def _fitting(message: str) -> str:
    steady = _COUNT.sub("and more", message)
    octets = steady.encode()
    if len(octets) <= _MESSAGE_OCTETS:
        return steady
    return octets[: _MESSAGE_OCTETS - len(_CUT)].decode(errors="ignore") + _CUT
