"""EndpointSlices as an API server last told of them, put together for each Service. No I/O."""

from collections.abc import Callable, Mapping

from reconciler.cluster import wire
from reconciler.cluster.kinds import ENDPOINT_SLICES
from reconciler.cluster.objects import EndpointSlice
from reconciler.cluster.store import Store
from reconciler.model.observed import Endpoint, ServiceKey


class EndpointStore(Store[wire.EndpointSlice, EndpointSlice]):
    """The slices, of which one Service may have several."""

    def __init__(self, report: Callable[[str], None]) -> None:
        super().__init__(ENDPOINT_SLICES, report)
        self._slices: dict[ServiceKey, dict[str, EndpointSlice]] = {}
        self._combined: dict[ServiceKey, tuple[Endpoint, ...]] = {}
        self._shown: Mapping[ServiceKey, tuple[Endpoint, ...]] | None = {}

    def endpoints(self) -> Mapping[ServiceKey, tuple[Endpoint, ...]]:
        """
        The endpoints of every Service that has a slice, in the order of the slices' names.

        The same mapping until something changes, and the same tuple until its Service does.
        """
        if self._shown is None:
            self._shown = dict(self._combined)
        return self._shown

    def _was_replaced(self, key: str, before: EndpointSlice | None, after: EndpointSlice | None) -> None:
        if before is not None and before.service is not None:
            self._slices[before.service].pop(key)
            self._combine(before.service)
        if after is not None and after.service is not None:
            self._slices.setdefault(after.service, {})[key] = after
            self._combine(after.service)
        self._shown = None

    def _combine(self, service: ServiceKey) -> None:
        slices = self._slices[service]
        if not slices:
            del self._slices[service], self._combined[service]
            return
        combined = tuple(endpoint for key in sorted(slices) for endpoint in slices[key].endpoints)
        if combined != self._combined.get(service):
            self._combined[service] = combined
