"""
The least that a client of the API server can be: one aiohttp session with as many connections as the controller has.

As a program of its own it is the floor of the controller: it sends patches that were prepared, or answers each change
of a Service with the patch that the change asks for. It decides nothing, keeps nothing, logs nothing and writes no
Events.
"""

import asyncio
import json
import ssl
import sys
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp
import msgspec

CONNECTIONS = 32
ASSIGNED = "lb-reconciler.io/Assigned"
FROM_POOL = "metallb.io/ip-allocated-from-pool"
WANTED = "metallb.io/loadBalancerIPs"
POOL = "p"
MERGE = "application/merge-patch+json"
STRATEGIC_MERGE = "application/strategic-merge-patch+json"
# Whoever writes fields under another name gets an entry of his own in `managedFields`, which makes objects longer.
_USER_AGENT = "lb-reconciler/floor"


@dataclass(frozen=True, slots=True)
class Server:
    """Where the API server is, and who asks it."""

    url: str
    token: str
    ca_file: str


class Request(msgspec.Struct, frozen=True):
    """One request, its body as it goes out."""

    method: str
    path: str
    body: str
    content_type: str = "application/json"


class Client:
    """Requests and streams of one session; made inside an event loop."""

    def __init__(self, server: Server) -> None:
        self._url = server.url
        # Those of the controller's own session, as far as they cost or save anything.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=ssl.create_default_context(cafile=server.ca_file)),
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=2**21,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": _USER_AGENT,
                "Authorization": f"Bearer {server.token}",
            },
        )

    async def close(self) -> None:
        """End it."""
        await self._session.close()

    async def send(self, request: Request) -> bytes:
        """The answer, which must be a good one."""
        headers = {"Content-Type": request.content_type}
        url, body = self._url + request.path, request.body.encode()
        async with self._session.request(request.method, url, data=body, headers=headers) as answer:
            found = await answer.read()
            if answer.status >= 300:
                raise SystemExit(f"{request.method} {request.path}: {answer.status} {found[:500]!r}")
            return found

    async def send_all(self, requests: Iterable[Request]) -> None:
        """All of them, as many at a time as there are connections."""
        queue = iter(requests)

        async def work() -> None:
            for request in queue:
                await self.send(request)

        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(work())

    async def get(self, path: str) -> bytes:
        """The body of an answer."""
        return await self.send(Request("GET", path, ""))

    async def lines(self, path: str) -> AsyncGenerator[bytes, None]:
        """The lines of a stream."""
        async with self._session.get(self._url + path) as answer:
            tail = b""
            async for chunk in answer.content.iter_any():
                *whole, tail = (tail + chunk).split(b"\n")
                for line in whole:
                    yield line


class Ingress(msgspec.Struct, gc=False):
    ip: str = ""


class LoadBalancer(msgspec.Struct, gc=False):
    ingress: list[Ingress] = []


class Status(msgspec.Struct, gc=False, rename="camel"):
    load_balancer: LoadBalancer


class Annotations(msgspec.Struct, gc=False):
    wanted: str = msgspec.field(name=WANTED, default="")


class Metadata(msgspec.Struct, gc=False, rename="camel"):
    name: str
    namespace: str
    resource_version: str
    annotations: Annotations = msgspec.field(default_factory=Annotations)


class Service(msgspec.Struct, gc=False):
    """What the floor and the benchmark need of a Service."""

    metadata: Metadata
    status: Status

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple([entry.ip for entry in self.status.load_balancer.ingress])


class Event(msgspec.Struct, gc=False):
    """A line of a watch of Services."""

    type: str
    object: Service


EVENT = msgspec.json.Decoder(Event)


def assignment(service: Metadata, address: str) -> Request:
    """The patch by which a controller assigns an address: the one that `reconciler` sends, octet for octet."""
    condition = {
        "type": ASSIGNED,
        "status": "True",
        "reason": "Assigned",
        "message": f'from pool "{POOL}"',
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    body = {
        "metadata": {"resourceVersion": service.resource_version, "annotations": {FROM_POOL: POOL}},
        "status": {"loadBalancer": {"ingress": [{"ip": address}]}, "conditions": [condition]},
    }
    return Request("PATCH", status_path(service), json.dumps(body, separators=(",", ":")), STRATEGIC_MERGE)


def status_path(service: Metadata) -> str:
    """Where the status of a Service is written."""
    return f"/api/v1/namespaces/{service.namespace}/services/{service.name}/status"


async def _send_prepared(client: Client, file: str) -> None:
    requests = msgspec.json.decode(Path(file).read_bytes(), type=list[Request])
    await client.get("/version")
    await _ready()
    await client.send_all(requests)


async def _follow(client: Client, namespace: str) -> None:
    """Give each Service that changes the address that it asks for."""
    await client.get("/version")
    query = "watch=true&allowWatchBookmarks=true&resourceVersion="
    version = msgspec.json.decode(await client.get("/api/v1/services?limit=1"))["metadata"]["resourceVersion"]
    async with aclosing(client.lines(f"/api/v1/services?{query}{version}")) as lines:
        await _ready(wait=False)
        async for line in lines:
            if b'"BOOKMARK"' in line[:40]:
                continue
            event = EVENT.decode(line)
            service, wanted = event.object, event.object.metadata.annotations.wanted
            is_ours = event.type != "DELETED" and service.metadata.namespace == namespace
            if is_ours and wanted and service.addresses != (wanted,):
                await client.send(assignment(service.metadata, wanted))


async def _ready(*, wait: bool = True) -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if wait:
        await asyncio.to_thread(sys.stdin.readline)


async def _main(task: str, server: Server, argument: str) -> None:
    client = Client(server)
    try:
        await {"send": _send_prepared, "follow": _follow}[task](client, argument)
    finally:
        await client.close()


def command(task: str, server: Server, argument: str) -> list[str]:
    """The command line of one task: `send` a file of requests, or `follow` a namespace."""
    return [sys.executable, "-m", "benchmarks.bare_client", task, json.dumps(asdict(server)), argument]


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], Server(**json.loads(sys.argv[2])), sys.argv[3]))
