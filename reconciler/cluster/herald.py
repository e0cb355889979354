"""Events about the program itself: on its Pod, and on the ConfigMap that it is configured by. The port `Herald`."""

import logging

import msgspec

from reconciler.cluster import wire
from reconciler.cluster.connection import Connection
from reconciler.cluster.event_bodies import Statement, Subject
from reconciler.cluster.event_queue import EventQueue
from reconciler.cluster.port import ClusterError

_LOG = logging.getLogger(__name__)
# In seconds: an Event that waits for more than its uid is late.
_TIMEOUT = 2.0


class KubernetesHerald:
    """Says what concerns the whole program; where it runs outside a Pod, or its ConfigMap is not known, to fewer."""

    def __init__(
        self,
        connection: Connection,
        queue: EventQueue,
        *,
        pod: Subject | None = None,
        config_map: Subject | None = None,
    ) -> None:
        self._connection = connection
        self._queue = queue
        self._pod = pod
        self._config_map = config_map

    async def announce(self, type: str, reason: str, message: str) -> None:  # noqa: A002 - the word of the API
        """Record an Event on both; it is written later, and a failure is logged only."""
        if self._pod is not None:
            self._queue.put(Statement(self._pod, type, reason, message))
        if self._config_map is not None:
            self._queue.put(Statement(await self._identified(self._config_map), type, reason, message))

    async def _identified(self, config_map: Subject) -> Subject:
        """With the uid that `kubectl describe` looks for; it changes whenever the ConfigMap is created anew."""
        path = f"/api/v1/namespaces/{config_map.namespace}/configmaps/{config_map.name}"
        try:
            found = _OBJECT.decode(await self._connection.request("GET", path, timeout=_TIMEOUT))
        except (ClusterError, msgspec.DecodeError) as error:
            _LOG.info("%s: its uid is not known, so `kubectl describe` does not show its Events: %s", config_map, error)
            return config_map
        return msgspec.structs.replace(config_map, uid=found.metadata.uid or "")


class _Object(msgspec.Struct, gc=False):
    metadata: wire.Metadata


_OBJECT = msgspec.json.Decoder(_Object)
