"""
Writes to the status of Services, each on exactly the version that it was decided on.

A plan may write one Service twice: both actions name the version that was observed, and the second is carried out on
the version that our first write made, as long as nobody wrote in between.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from reconciler.cluster import wire
from reconciler.cluster.api_errors import NotFound
from reconciler.cluster.connection import Connection
from reconciler.cluster.patches import changes_nothing, status_patch
from reconciler.cluster.port import ClusterError, Conflict, NotLeading
from reconciler.cluster.store import Store
from reconciler.model.observed import Service, ServiceKey
from reconciler.plan.actions import StatusWrite

_STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
# In seconds: longer than a busy API server takes, shorter than a person waits.
_TIMEOUT = 10.0
# So many more of our writes than there are Services may be remembered before those of no use are forgotten.
_SLACK = 1000


@dataclass(frozen=True, slots=True)
class _Write:
    """Our last write of a Service: the version that it was decided on, and the one that it made."""

    decided_on: str
    made: str


class StatusWriter:
    """Carries out status writes, and lets the store know of them at once."""

    def __init__(
        self, connection: Connection, services: Store[wire.Service, Service], *, may_write: Callable[[], bool]
    ) -> None:
        self._connection = connection
        self._services = services
        self._may_write = may_write
        self._last: dict[ServiceKey, _Write] = {}

    async def write(self, action: StatusWrite) -> bool:
        """
        Make the Service say what the action asks for; whether anything had to be sent for that.

        Raises:
            Conflict: The Service changed, or went away, since it was observed.
            NotLeading: We may not write any more.
            ClusterError: It was refused, or whether it was written is not known.
        """
        held = self._held(action)
        if changes_nothing(action, held):
            return False
        raw = await self._send(action.service, status_patch(action, held, now=_timestamp()))
        try:
            made = _IDENTIFIED.decode(raw).metadata.resource_version or ""
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise ClusterError(f'Service "{action.service}": what was written cannot be read back: {exc}') from exc
        known = self._services.get(action.service)
        # The watch may have told of it before the answer came.
        if known is None or known.resource_version != made:
            self._services.note_written(raw)
        self._last[action.service] = _Write(action.resource_version, made)
        if len(self._last) > 2 * len(self._services) + _SLACK:
            self._forget()
        return True

    def _held(self, action: StatusWrite) -> Service:
        """The Service as it is now, if it is what the action was decided on, or what we made of that since."""
        held = self._services.get(action.service)
        if held is None:
            raise Conflict(f'Service "{action.service}" is not there any more')
        decided_on, now = action.resource_version, held.resource_version
        if now != decided_on and self._last.get(action.service) != _Write(decided_on, now):
            raise Conflict(f'Service "{action.service}" is at version {now}, but version {decided_on} was looked at')
        return held

    async def _send(self, key: ServiceKey, body: bytes) -> bytes:
        namespace, _, name = key.partition("/")
        try:
            return await self._connection.request(
                "PATCH",
                f"/api/v1/namespaces/{namespace}/services/{name}/status",
                body=body,
                content_type=_STRATEGIC_MERGE_PATCH,
                timeout=_TIMEOUT,
                before_send=self._check_leading,
            )
        except NotFound as exc:
            raise Conflict(f'Service "{key}" is not there any more') from exc

    def _check_leading(self) -> None:
        if not self._may_write():
            raise NotLeading("another process may be writing by now, so nothing was sent")

    def _forget(self) -> None:
        self._last = {key: write for key, write in self._last.items() if self._services.get(key) is not None}


def _timestamp() -> str:
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


_IDENTIFIED = msgspec.json.Decoder(wire.Identified)
