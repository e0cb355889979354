"""What the client of a `Lab` sees: who answers its requests, and whom it takes for the owner of an address."""

import http.client
import json
import time
from collections.abc import Sequence

from reconciler.cli.lab import Lab, entered
from tests.announcers.wire import resolve
from tests.controlplane.api import wait_until

HOST = "client"
_PATIENCE = 2.0
# In seconds: how late an answer to a single question may be; after that the kernel asks again.
_LATE = 1.0
_PAUSE = 0.02


class WebClient:
    """Asks for web pages through the addresses of Services."""

    def __init__(self, lab: Lab, nodes: Sequence[str]) -> None:
        self._lab = lab
        self._nodes = {lab.mac(node): node for node in nodes}

    def fetch(self, address: str) -> tuple[str, str] | None:
        """The Pod that answers and the client that it sees; None where nobody does."""
        with entered(self._lab.namespace(HOST)):
            connection = http.client.HTTPConnection(address, 80, timeout=_PATIENCE)
            try:
                connection.request("GET", "/")
                pod, seen = connection.getresponse().read().decode().split()
            except (OSError, http.client.HTTPException):
                return None
            finally:
                connection.close()
        return pod, seen

    def wait_for(self, address: str, pod: str) -> str:
        """Until that Pod answers; the client that it sees."""

        def answer() -> str | None:
            found = self.fetch(address)
            return found[1] if found is not None and found[0] == pod else None

        return str(wait_until(answer, f"{pod} answers at {address}"))

    def owner(self, address: str) -> str | None:
        """The node to which the client sends what is for an address, by its own neighbour cache."""
        mac = self._neighbour(address)
        return None if mac is None else self._nodes[mac]

    def is_answered(self, address: str) -> bool:
        """Whether anybody says that he has the address, when the client's kernel asks anew."""
        self._lab.run(HOST, "ip", "neigh", "flush", "to", address, "dev", "eth0")
        resolve(self._lab, address)
        end = time.monotonic() + _LATE
        while not (is_known := self._neighbour(address) is not None) and time.monotonic() < end:
            time.sleep(_PAUSE)
        return is_known

    def _neighbour(self, address: str) -> str | None:
        listed = self._lab.run(HOST, "ip", "-j", "neigh", "show", "to", address, "dev", "eth0")
        found: list[str] = [entry["lladdr"] for entry in json.loads(listed or "[]") if "lladdr" in entry]
        return found[0] if found else None
