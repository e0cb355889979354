"""Where the Pods of other speakers are: the port `SpeakerPods`."""

from contextlib import aclosing

import msgspec

from reconciler.cluster import wire
from reconciler.cluster.api_errors import ApiError, one_line
from reconciler.cluster.connection import Connection
from reconciler.cluster.listing import pages
from reconciler.cluster.port import ClusterError

SELECTOR = "app.kubernetes.io/name=lb-reconciler,app.kubernetes.io/component=speaker"
_FORBIDDEN = 403
# Kubernetes API, PodStatus: their containers have ended for good, and another Pod may have their address.
_ENDED = frozenset({"Succeeded", "Failed"})


class _Status(msgspec.Struct, gc=False, rename="camel"):
    phase: str | None = None
    pod_ip: str | None = msgspec.field(name="podIP", default=None)


class _Pod(msgspec.Struct, gc=False):
    metadata: wire.Identity
    status: _Status | None = None


class KubernetesSpeakerPods:
    """The Pods in our own namespace that a label says are speakers."""

    def __init__(
        self, connection: Connection, *, namespace: str, own_address: str | None = None, selector: str = SELECTOR
    ) -> None:
        """`own_address` is that of this Pod, as text, which is left out."""
        self._connection = connection
        self._namespace = namespace
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self._selector = selector
        self._own_address = own_address

    async def addresses(self) -> tuple[str, ...]:
        """
        The addresses of their Pods without our own, sorted.

        Raises:
            ClusterError: They could not be listed.
        """
        found: set[str] = set()
        # From the server's own memory, which may be a moment old: every speaker asks now and then.
        query = {"labelSelector": self._selector, "resourceVersion": "0"}
        try:
            async with aclosing(pages(self._connection, self._path, query=query)) as listed:
                async for page in listed:
                    if page.first:
                        found.clear()
                    found |= self._addresses_in(page.raw)
        except ApiError as exc:
            if exc.status == _FORBIDDEN:
                raise ClusterError(f'no right to list Pods in namespace "{self._namespace}": {exc}') from exc
            raise
        return tuple(sorted(found - {self._own_address or ""}))

    def _addresses_in(self, raw: bytes) -> set[str]:
        try:
            pods = _PODS.decode(raw).items or []
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise ClusterError(f"GET {self._path}: not a list of Pods: {one_line(str(exc))}") from exc
        there = (pod.status for pod in pods if pod.status and pod.status.phase not in _ENDED)
        return {status.pod_ip for status in there if status.pod_ip}


_PODS = msgspec.json.Decoder(wire.Listing[_Pod])
