"""A real API server with thousands of Services for one controller, and what is seen of them from outside."""

import asyncio
import json
import random
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path

import msgspec

from benchmarks.bare_client import (
    ASSIGNED,
    EVENT,
    FROM_POOL,
    MERGE,
    POOL,
    STRATEGIC_MERGE,
    WANTED,
    Client,
    Event,
    Metadata,
    Request,
    Server,
    Service,
    command,
    status_path,
)
from tests.controlplane.api import wait_until
from tests.controlplane.build import find_programs
from tests.controlplane.harness import ControlPlane
from tests.controlplane.manifests import apply_rights
from tests.loop.corner import EVERYWHERE, POOLS, Corner, pool
from tests.loop.running import RunningController

# Seconds after which something is taken to be stuck.
_PATIENCE = 300.0
_PAGE = 500
# What a user's Service has beside what a controller reads of it.
_LABELS = {"app.kubernetes.io/name": "shop", "app.kubernetes.io/part-of": "market", "team": "front"}


class _ListMetadata(msgspec.Struct, rename="camel"):
    resource_version: str
    continue_: str = msgspec.field(name="continue", default="")


class _List(msgspec.Struct):
    metadata: _ListMetadata
    items: list[Service]


_LIST = msgspec.json.Decoder(_List)
CONFIGURATION = "---\n".join((pool(POOL, "10.0.0.0/8"), EVERYWHERE))


def address(number: int) -> str:
    """The address of that number in the pool."""
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


class ManyServices:
    """
    The Services of one namespace and class: `corner` has the files for their controller.

    `client` is the administrator's. The controller and its floor come with the same token and rights.
    """

    def __init__(self, control_plane: ControlPlane, corner: Corner, client: Client) -> None:
        self.corner = corner
        self.client = client
        self._control_plane = control_plane
        self._names: list[str] = []
        self._path = f"/api/v1/namespaces/{corner.namespace}/services"
        self._floor = Server(control_plane.url, control_plane.token("controller"), str(control_plane.ca_file))

    @property
    def count(self) -> int:
        """How many Services there are."""
        return len(self._names)

    def kubeconfig(self) -> str:
        """A kubeconfig file of the controller."""
        return str(self._control_plane.kubeconfig("controller"))

    # Services

    async def grow(self, count: int) -> None:
        """Create Services until there are so many, without addresses."""
        names = [f"service-{number:05}" for number in range(self.count, count)]
        await self.client.send_all(self._creation(name) for name in names)
        self._names += names

    async def create(self, wanted: str) -> None:
        """One more, which asks for that address."""
        self._names.append(f"late-{self.count:05}-{wanted.replace('.', '-')}")
        await self.client.send(self._creation(self._names[-1], {WANTED: wanted}))

    async def alter(self, wanted: str) -> None:
        """Let any of them ask for that address."""
        name = random.choice(self._names)  # noqa: S311
        body = json.dumps({"metadata": {"annotations": {WANTED: wanted}}})
        await self.client.send(Request("PATCH", f"{self._path}/{name}", body, MERGE))

    async def delete(self) -> None:
        """One less."""
        name = self._names.pop(random.randrange(self.count))  # noqa: S311
        await self.client.send(Request("DELETE", f"{self._path}/{name}", ""))

    @asynccontextmanager
    async def others(self, moved: str, beacon: str) -> AsyncIterator[None]:
        """For a while two more: one that asks for the pool of its own name, and one of another class."""
        await self.client.send(self._creation(moved, {"metallb.io/address-pool": moved}))
        await self.client.send(self._creation(beacon, lb_class="example.com/other"))
        yield
        for name in (moved, beacon):
            await self.client.send(Request("DELETE", f"{self._path}/{name}", ""))

    def status_of(self, name: str, address: str) -> Request:
        """The patch of a status, whatever it was."""
        body = json.dumps({"status": {"loadBalancer": {"ingress": [{"ip": address}]}}})
        return Request("PATCH", f"{self._path}/{name}/status", body, STRATEGIC_MERGE)

    def _creation(self, name: str, annotations: Mapping[str, str] | None = None, lb_class: str = "") -> Request:
        spec = {
            "type": "LoadBalancer",
            "loadBalancerClass": lb_class or self.corner.lb_class,
            "allocateLoadBalancerNodePorts": False,
            "selector": {"app": name},
            "ports": [{"name": "https", "port": 443}],
        }
        metadata = {"name": name, "labels": _LABELS, "annotations": annotations or {}}
        return Request("POST", self._path, json.dumps({"metadata": metadata, "spec": spec}))

    async def listed(self) -> tuple[list[Service], str]:
        """All Services as they are now, and the version of that list."""
        found: list[Service] = []
        token = ""
        while True:
            page = _LIST.decode(await self.client.get(f"{self._path}?limit={_PAGE}&continue={token}"))
            found += page.items
            token = page.metadata.continue_
            if not token:
                return found, page.metadata.resource_version

    async def clear(self) -> None:
        """Take all addresses away, and everything that was written with them."""
        services, _ = await self.listed()
        await self.client.send_all(_clearance(service.metadata) for service in services if service.addresses)

    @asynccontextmanager
    async def seen(self, version: str | None = None) -> AsyncIterator[AsyncIterator[Event]]:
        """What happens to the Services, from now on or from a version on."""
        start = version or (await self.listed())[1]
        path = f"{self._path}?watch=true&resourceVersion={start}"
        async with aclosing(self.client.lines(path)) as lines:
            yield (EVENT.decode(line) async for line in lines)

    async def seconds_until_served(self, begin: Callable[[], float]) -> float:
        """From the instant that `begin` returns until a watch has shown an address of each Service."""
        _, version = await self.listed()
        waiting = set(self._names)
        async with asyncio.timeout(_PATIENCE), self.seen(version) as events:
            following = asyncio.create_task(_until_served(waiting, events))
            began = begin()
            return await following - began

    # Processes

    @contextmanager
    def floor(self, task: str, argument: str) -> Iterator[subprocess.Popen[str]]:
        """A process of the bare client that has said it is ready."""
        process = subprocess.Popen(
            command(task, self._floor, argument), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise SystemExit("the bare client does not start")
            yield process
        finally:
            process.kill()
            process.communicate()

    def put_files(self) -> float:
        """Let the configuration appear; the instant at which it did."""
        fresh = self.corner.config.parent / "fresh"
        fresh.write_text(CONFIGURATION, "utf-8")
        now = time.perf_counter()
        fresh.replace(self.corner.config / POOLS)
        return now

    def remove_files(self) -> None:
        """There is no configuration."""
        (self.corner.config / POOLS).unlink(missing_ok=True)

    @contextmanager
    def leading(self, *configs: Path) -> Iterator[RunningController]:
        """A controller that leads and has read everything there is; with the files of `corner`, or these."""
        # It lives for less than its Lease, which it takes over from the one before by its name.
        with self.corner.start(configs=configs, lease=15) as running:
            wait_until(lambda: running.ask("/healthz")[0] == 200, "alive")
            wait_until(lambda: _leads(running), "leading and synced")
            yield running


def _leads(running: RunningController) -> bool:
    status = running.status()
    return bool(status["leading"] and status["cluster"]["synced"])


async def _until_served(waiting: set[str], events: AsyncIterator[Event]) -> float:
    async for event in events:
        if event.object.addresses:
            waiting.discard(event.object.metadata.name)
            if not waiting:
                return time.perf_counter()
    raise SystemExit("the watch has ended")


def _clearance(service: Metadata) -> Request:
    body = {
        "metadata": {"annotations": {FROM_POOL: None}},
        "status": {"loadBalancer": {"ingress": []}, "conditions": [{"type": ASSIGNED, "$patch": "delete"}]},
    }
    return Request("PATCH", status_path(service), json.dumps(body), STRATEGIC_MERGE)


@contextmanager
def api_server() -> Iterator[tuple[ControlPlane, Corner]]:
    """An API server that nobody else uses, and a corner of it."""
    control_plane = ControlPlane(find_programs())
    api = control_plane.api()
    try:
        apply_rights(api)
        with tempfile.TemporaryDirectory(prefix="lb-reconciler-bench-") as folder:
            yield control_plane, Corner(control_plane, api, Path(folder))
    finally:
        api.close()
        control_plane.close()


async def client_of(control_plane: ControlPlane) -> Client:
    """A client of the administrator; the caller closes it."""
    return Client(Server(control_plane.url, control_plane.token("admin"), str(control_plane.ca_file)))


def written(requests: Iterable[Request], folder: Path) -> str:
    """A file of requests for the bare client."""
    path = folder / "requests.json"
    path.write_bytes(msgspec.json.encode(list(requests)))
    return str(path)
