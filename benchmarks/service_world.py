"""An API server, a controller and speakers on nodes of a `Lab`, with Services that come and go while a client asks."""

import asyncio
import json
import os
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, aclosing, asynccontextmanager, contextmanager
from pathlib import Path

from benchmarks.bare_client import EVENT, MERGE, WANTED, Client, Event, Request, Server
from benchmarks.service_client import HOST, AskingClient, asking_client
from reconciler.cli.lab import Lab, entered
from tests.controlplane.api import wait_until
from tests.controlplane.build import find_programs
from tests.controlplane.harness import ControlPlane
from tests.fullpath.installation import API_HOST, Installation, RunningSpeaker, installed
from tests.loop.corner import EVERYWHERE, pool

NODES = ("n1", "n2", "n3")
_NAMESPACE = "shop"
_SERVICES = f"/api/v1/namespaces/{_NAMESPACE}/services"
_SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{_NAMESPACE}/endpointslices"
_POOL = pool("lab", "10.0.0.0/16")
# A class that nobody serves.
_BARE = "example.com/bare"
# In seconds. So long nobody has answered when an address is silent; and changes keep step with nothing.
_SILENCE, _LONGEST_REST, _PATIENCE = 0.1, 0.2, 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


def address(number: int) -> str:
    """The address that the Service of that number asks for."""
    return f"10.0.{number >> 8}.{number & 255}"


class ServiceWorld:
    """Services are numbers; `client` asks for addresses, `speakers` are by node."""

    def __init__(self, installation: Installation, client: AskingClient, api: Client) -> None:
        self.client = client
        self._installation = installation
        self._api = api
        self._others = 0

    @property
    def others(self) -> int:
        """How many Services there are beside those that are measured."""
        return self._others

    @property
    def speakers(self) -> Sequence[RunningSpeaker]:
        return tuple(self._installation.speakers.values())

    # Services

    async def prepare(self, numbers: Sequence[int]) -> None:
        """Make the endpoints of Services that will come and go: those of a real Service come later than its address."""
        await self._api.send_all(_slice(number) for number in numbers)

    async def grow(self, count: int) -> None:
        """So many others, every one of them announced."""
        numbers = range(self._others, count)
        await self._api.send_all(_slice(number) for number in numbers)
        await self._api.send_all(_creation(number) for number in numbers)
        self._others = count
        async with asyncio.timeout(_PATIENCE):
            while self._announced() < count:
                await asyncio.sleep(0.2)

    async def create(self, numbers: Sequence[int]) -> list[float]:
        """From the server's reply to each creation until the first answer for its address, in seconds."""
        self.client.expect(map(address, numbers))
        # A question or two that nobody answers.
        await asyncio.sleep(random.uniform(0.01, _LONGEST_REST))  # noqa: S311
        created = await self._timed([_creation(number) for number in numbers])
        await asyncio.to_thread(self.client.wait_until_answered, len(numbers))
        return [self.client.first[address(number)] - at for number, at in zip(numbers, created, strict=True)]

    async def delete(self, numbers: Sequence[int]) -> list[tuple[float, float]]:
        """From each request to delete until the last answer for its address, and from the server's reply to it."""
        await asyncio.sleep(random.uniform(0.01, _LONGEST_REST))  # noqa: S311
        asked = time.perf_counter()
        deleted = await self._timed([Request("DELETE", f"{_SERVICES}/{_name(number)}", "") for number in numbers])
        await asyncio.to_thread(self.client.wait_until_silent, _SILENCE)
        last = [self.client.last[address(number)] for number in numbers]
        self.client.expect(())
        return [(at - asked, at - reply) for at, reply in zip(last, deleted, strict=True)]

    async def bare(self, numbers: Sequence[int]) -> tuple[list[float], list[float]]:
        """
        What any controller and speaker need of this server, as seconds for each Service.

        From the reply to a creation until a watch shows the address that another watcher has written as soon as he saw
        the Service; and from the request to delete it until a watch shows that it is gone.
        """
        names = [f"bare-{number}" for number in numbers]
        async with self._seen() as seen:
            shown = [seen(name, lambda event: bool(event.object.addresses)) for name in names]
            gone = [seen(name, lambda event: event.type == "DELETED") for name in names]
            created = await self._timed([_creation(n, _BARE, f"bare-{n}") for n in numbers])
            async with asyncio.timeout(_PATIENCE):
                written = await asyncio.gather(*shown)
            asked = time.perf_counter()
            await self._timed([Request("DELETE", f"{_SERVICES}/{name}", "") for name in names])
            async with asyncio.timeout(_PATIENCE):
                removed = await asyncio.gather(*gone)
        ups = [after - before for before, after in zip(created, written, strict=True)]
        return ups, [after - asked for after in removed]

    async def _timed(self, requests: Sequence[Request]) -> list[float]:
        async def send(request: Request) -> float:
            await self._api.send(request)
            return time.perf_counter()

        return list(await asyncio.gather(*map(send, requests)))

    @asynccontextmanager
    async def _seen(self) -> AsyncIterator[Callable[[str, Callable[[Event], bool]], "asyncio.Future[float]"]]:
        """Tells when a watch shows something of a Service for the first time; addresses are written meanwhile."""
        waiting: list[tuple[str, Callable[[Event], bool], asyncio.Future[float]]] = []
        listed = json.loads(await self._api.get(f"{_SERVICES}?limit=1"))["metadata"]["resourceVersion"]
        writes: set[asyncio.Task[bytes]] = set()

        async def follow() -> None:
            async with aclosing(self._api.lines(f"{_SERVICES}?watch=true&resourceVersion={listed}")) as lines:
                async for line in lines:
                    now, event = time.perf_counter(), EVENT.decode(line)
                    name = event.object.metadata.name
                    if event.type == "ADDED" and name.startswith("bare-"):
                        writes.add(asyncio.create_task(self._api.send(_status(name))))
                    for wanted, condition, future in waiting:
                        if wanted == name and not future.done() and condition(event):
                            future.set_result(now)

        def expect(name: str, condition: Callable[[Event], bool]) -> "asyncio.Future[float]":
            future = asyncio.get_running_loop().create_future()
            waiting.append((name, condition, future))
            return future

        task = asyncio.create_task(follow())
        try:
            yield expect
        finally:
            task.cancel()
            await asyncio.gather(task, *writes, return_exceptions=True)

    # What runs

    def configure(self, *, probe: bool) -> None:
        """Let all speakers probe new addresses, or not; returns when all do so."""
        before = {one.status()["revision"] for one in self.speakers}
        spec = {"announcements": {} if probe else {"probeTime": "0s"}}
        settings = {"apiVersion": "lb-reconciler.io/v1alpha1", "kind": "ReconcilerSettings", "metadata": {"name": "s"}}
        files = "---\n".join((_POOL, EVERYWHERE, json.dumps({**settings, "spec": spec}) + "\n"))
        fresh = self._installation.folder / "fresh"
        fresh.write_text(files, "utf-8")
        fresh.replace(self._installation.config / "pools.yaml")
        wait_until(lambda: all(one.status()["revision"] not in before for one in self.speakers), "used by all")

    def restart(self, node: str) -> float:
        """Kill a speaker and start it again; seconds from its start until it says that it is ready."""
        self._installation.speakers[node].kill()
        began = time.perf_counter()
        speaker = self._installation.start_speaker(node)
        while not speaker.is_ready():
            time.sleep(0.005)
        seconds = time.perf_counter() - began
        self._installation.wait_until_together()
        return seconds

    def _announced(self) -> int:
        return sum(one.status()["counts"]["addressesIPv4"] for one in self.speakers)


def processor_seconds(process: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_mib(process: int) -> float:
    """What a process holds in memory."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


@contextmanager
def service_world(runner: asyncio.Runner) -> Iterator[ServiceWorld]:
    """Everything runs, with no Service yet; in this thread the network is that of the API server's host."""
    with (
        tempfile.TemporaryDirectory(prefix="lb-reconciler-services-") as folder,
        Lab(API_HOST, *NODES, HOST) as lab,
        asking_client(lab) as client,
        entered(lab.namespace(API_HOST)),
        ExitStack() as stack,
    ):
        control_plane = ControlPlane(find_programs(), lab.address(API_HOST))
        stack.callback(control_plane.close)
        installation = stack.enter_context(installed(lab, NODES, control_plane, Path(folder)))
        installation.api.create_namespace(_NAMESPACE)
        (installation.config / "pools.yaml").write_text(f"{_POOL}---\n{EVERYWHERE}", "utf-8")
        stack.enter_context(installation.start_controller()).wait_until_ready()
        for node in NODES:
            installation.start_speaker(node)
        installation.wait_until_together()
        api = runner.run(_client_of(control_plane))
        stack.callback(lambda: runner.run(api.close()))
        yield ServiceWorld(installation, client, api)


async def _client_of(control_plane: ControlPlane) -> Client:
    return Client(Server(control_plane.url, control_plane.token("admin"), str(control_plane.ca_file)))


def _name(number: int) -> str:
    return f"service-{number:05}"


def _creation(number: int, lb_class: str = "", name: str = "") -> Request:
    spec = {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False, "ports": [{"name": "https", "port": 443}]}
    if lb_class:
        spec["loadBalancerClass"] = lb_class
    metadata = {"name": name or _name(number), "annotations": {WANTED: address(number)}}
    return Request("POST", _SERVICES, json.dumps({"metadata": metadata, "spec": spec}))


def _slice(number: int) -> Request:
    labels = {"kubernetes.io/service-name": _name(number)}
    node = NODES[number % len(NODES)]
    endpoint = {"addresses": ["10.244.0.7"], "nodeName": node, "conditions": {"ready": True}}
    body = {
        "metadata": {"name": f"{_name(number)}-1", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [endpoint],
        "ports": [{"name": "https", "port": 443}],
    }
    return Request("POST", _SLICES, json.dumps(body))


def _status(name: str) -> Request:
    body = json.dumps({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.250"}]}}})
    return Request("PATCH", f"{_SERVICES}/{name}/status", body, MERGE)
