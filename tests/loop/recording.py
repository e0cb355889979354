"""Everything that happens to the Services, the Lease and the files of a corner, written down as it is watched."""

import json
import time
from contextlib import suppress
from threading import Thread
from typing import Self

import urllib3

from tests.controlplane.api import Object, path_of, wait_until
from tests.controlplane.harness import ControlPlane
from tests.loop.audit import Findings, audit, find_duplicates, find_wrong_endings
from tests.loop.audit_record import Pool, Record, files_data, record_of
from tests.loop.corner import Corner

# In seconds, for everything to come to rest.
_PATIENCE = 30.0
_WATCHED = ("services", "leases", "configmaps")
_KINDS = {"services": "Service", "configmaps": "ConfigMap"}


class Recording:
    """
    Reads the API, and nothing else: three watches as an administrator, past any proxy.

    Enter it before a controller runs.
    """

    def __init__(self, control_plane: ControlPlane, corner: Corner) -> None:
        self._control_plane = control_plane
        self._corner = corner
        self._seen: list[tuple[float, Object]] = []
        self._watches: list[urllib3.BaseHTTPResponse] = []
        self._pool = urllib3.PoolManager(maxsize=len(_WATCHED), ca_certs=str(control_plane.ca_file), retries=False)
        self._states_of_files = 0

    def __enter__(self) -> Self:
        for resource in _WATCHED:
            watch = self._watch(resource)
            self._watches.append(watch)
            Thread(target=self._follow, args=(watch,), name=f"recording-{resource}", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for watch in self._watches:
            with suppress(urllib3.exceptions.HTTPError, OSError):
                watch.shutdown()
        self._pool.clear()

    def say_files(self, *pools: Pool, held: bool = False) -> None:
        """Note, in the API, what the files are going to say; `held`: the guard is to let nothing be taken away."""
        self._states_of_files += 1
        name, data = f"files-{self._states_of_files}", files_data(pools, held=held)
        self._corner.api.create("configmaps", self._corner.namespace, {"metadata": {"name": name}, "data": data})

    def audit(self, *, late: float) -> Findings:
        """The findings on everything until now; see the function of that name."""
        return audit(self.record(), late=late)

    def record(self) -> Record:
        """What was seen, complete up to what a list shows at the time of the call."""
        listed = self._list("services")
        wait_until(lambda: self._has_seen(listed), "the watches have seen what is listed")
        return record_of(list(self._seen), self._corner.lb_class)

    def wait_for_rest(self) -> None:
        """Until nothing is left to do for a controller that does everything right, by what lists show."""
        wait_until(self._assert_rest, "everybody has what can be had", _PATIENCE)

    def is_at_rest(self) -> bool:
        """Whether that is so now."""
        return not self._left_to_do()

    def _assert_rest(self) -> bool:
        left = self._left_to_do()
        assert not left, left
        return True

    def _left_to_do(self) -> list[str]:
        found = [(0.0, event) for resource in _KINDS for event in self._list(resource)]
        record = record_of(found, self._corner.lb_class)
        return [*find_wrong_endings(record), *map(str, find_duplicates(record))]

    def _list(self, resource: str) -> list[Object]:
        found = self._corner.api.objects(resource, self._corner.namespace)
        return [{"type": "ADDED", "object": {**body, "kind": _KINDS[resource]}} for body in found]

    def _has_seen(self, listed: list[Object]) -> bool:
        seen = {_identity(event) for _, event in list(self._seen)}
        return all(_identity(event) in seen for event in listed)

    def _watch(self, resource: str) -> urllib3.BaseHTTPResponse:
        # Without a version: what is there already comes first.
        watch = self._pool.request(
            "GET",
            f"{self._control_plane.url}{path_of(resource, self._corner.namespace)}?watch=true",
            headers={"Authorization": f"Bearer {self._control_plane.token('admin')}"},
            preload_content=False,
            timeout=urllib3.Timeout(connect=30.0, read=None),
        )
        assert watch.status == 200, watch.status
        return watch

    def _follow(self, watch: urllib3.BaseHTTPResponse) -> None:
        tail = b""
        # Ends by shutdown(); one that ends before that has not seen what is listed.
        with suppress(urllib3.exceptions.HTTPError, OSError):
            while piece := watch.read1(2**20):
                *lines, tail = (tail + piece).split(b"\n")
                now = time.monotonic()
                self._seen += [(now, json.loads(line)) for line in lines]


def _identity(event: Object) -> tuple[str, str]:
    metadata = event["object"]["metadata"]
    return metadata["uid"], metadata["resourceVersion"]
