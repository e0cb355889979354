"""
What is written beside a manifest: the whole status of a Service as it is after an action. No I/O, no clock.

Nothing of it is ours but the addresses, one condition and one annotation; the rest stays as somebody else wrote it.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from reconciler.cluster.api_object import ApiObject, decode
from reconciler.cluster.objects import ASSIGNED_CONDITION, DEFAULT_NAMESPACE, POOL_ANNOTATION
from reconciler.cluster.wire import NULL
from reconciler.model.observed import AssignedCondition, ServiceKey
from reconciler.plan.actions import AssignAddresses, ClearAddresses, RecordCondition, StatusWrite

Condition = dict[str, Any]


class Stated(msgspec.Struct, gc=False):
    """
    A status as JSON, with all that is in it, and our annotation beside it.

    `generation` counts the writes: 0 is what the manifest says.
    """

    generation: int = 0
    annotations: dict[str, str] | None = None
    status: dict[str, Any] | None = None

    @property
    def conditions(self) -> list[Condition]:
        """All conditions, in their order."""
        return [one for one in (self.status or {}).get("conditions") or () if isinstance(one, dict)]


def stated_in(manifest: ApiObject) -> tuple[ServiceKey, bytes] | None:
    """The Service that a manifest is of, and its status as text, for `stated`; None where the status says nothing."""
    found = decode(manifest, _MANIFEST)
    status = bytes(found.status)
    if status in _NOTHING:
        return None
    return ServiceKey(f"{found.metadata.namespace or DEFAULT_NAMESPACE}/{found.metadata.name}"), status


def stated(status: bytes | None, pool: str | None) -> Stated:
    """What the manifest of a Service says: its status as text, and the pool in our annotation."""
    return Stated(
        annotations={} if pool is None else {POOL_ANNOTATION: pool}, status=_OBJECT.decode(status) if status else {}
    )


def after(action: StatusWrite, record: Stated | None, manifest: Stated, *, now: str) -> Stated:
    """
    The status once an action is carried out.

    Args:
        action: What is to be written.
        record: What we wrote last, None before the first time.
        manifest: What the manifest says, in which other people's conditions are.
        now: RFC 3339 text: the transition time of a condition whose status is not what it was.
    """
    held = record or manifest
    status, annotations = dict(held.status or {}), held.annotations or {}
    match action:
        case ClearAddresses():
            status["loadBalancer"], annotations = {"ingress": []}, {}
        case AssignAddresses(addresses=addresses, pool=pool):
            status["loadBalancer"] = {"ingress": [{"ip": str(address)} for address in addresses]}
            annotations = {POOL_ANNOTATION: pool}
        case RecordCondition():
            pass
    status["conditions"] = [
        *_of_others(manifest.conditions, held.conditions),
        *_ours(action.condition, held.conditions, now),
    ]
    return Stated(held.generation + 1, annotations, status)


def _of_others(*conditions: Iterable[Condition]) -> Iterable[Condition]:
    """Each type once; what the manifest says of it comes first."""
    found: dict[Any, Condition] = {}
    for condition in (one for several in conditions for one in several):
        if condition.get("type") != ASSIGNED_CONDITION:
            found.setdefault(condition.get("type"), condition)
    return found.values()


def _ours(wanted: AssignedCondition | None, held: Iterable[Condition], now: str) -> Iterable[Condition]:
    if wanted is None:
        return
    before: Condition = next((one for one in held if one.get("type") == ASSIGNED_CONDITION), {})
    stays = before.get("status") == wanted.status
    yield {
        "type": ASSIGNED_CONDITION,
        "status": wanted.status,
        "reason": wanted.reason,
        "message": wanted.message,
        # Kubernetes API, Condition: the time changes with the status only.
        "lastTransitionTime": before.get("lastTransitionTime") or now if stays else now,
    }


class _Metadata(msgspec.Struct, gc=False):
    name: str = ""
    namespace: str | None = None


class _Manifest(msgspec.Struct, gc=False):
    metadata: _Metadata
    status: msgspec.Raw = NULL


_NOTHING = {b"null", b"{}", b'{"loadBalancer":{}}'}
_MANIFEST = msgspec.json.Decoder(_Manifest)
_OBJECT: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])
