"""An API server with Services, which are numbers, a controller, and speakers that tell a router of them by BGP."""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, aclosing, asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path

from benchmarks.bare_client import MERGE, WANTED, Client, Request, Server
from benchmarks.measure import ENVIRONMENT
from benchmarks.route_table import RECEIVER_ADDRESS, RECEIVER_ASN, SENDER_ASN
from reconciler.cli.lab import Lab, entered
from tests.controlplane.build import find_programs
from tests.controlplane.daemon import Daemon
from tests.controlplane.harness import ControlPlane
from tests.fullpath.installation import API_HOST, Installation, RunningSpeaker, installed
from tests.loop.corner import pool
from tests.loop.running import RunningController

# The first two have the addresses of `route_table`.
NODE, ROUTER, OTHER_NODE = "node", "router", "other"
_NAMESPACE = "shop"
SERVICES = f"/api/v1/namespaces/{_NAMESPACE}/services"
SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{_NAMESPACE}/endpointslices"
_FILES = f"""\
{pool("lab", "198.18.0.0/15")}---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {{name: everything}}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {{name: router}}
spec: {{myASN: {SENDER_ASN}, peerASN: {RECEIVER_ASN}, peerAddress: {RECEIVER_ADDRESS}}}
"""
_PATIENCE = 120.0
_USER = "audited-speaker"
# The file system of a Pod, as far as it matters here, and then the command. `ip netns exec` has made it our own.
_IN_POD = """
set -e
mount -t tmpfs none /run
cd /run
mkdir -p secrets/kubernetes.io/serviceaccount
printf %s "$0" > secrets/kubernetes.io/serviceaccount/token
cat "$1" > secrets/kubernetes.io/serviceaccount/ca.crt
cd "$OLDPWD"
shift
echo "started at $EPOCHREALTIME"
exec "$@"
"""


def address(number: int) -> str:
    """Of the Service of that number."""
    return f"198.18.{number >> 8}.{number & 255}"


class BGPWorld:
    """`lab` has the router's host, on which nothing runs. All of it is called in the namespace of `API_HOST`."""

    def __init__(
        self, control_plane: ControlPlane, installation: Installation, controller: RunningController, client: Client
    ) -> None:
        self._control_plane = control_plane
        self.lab = installation.lab
        self.folder = installation.folder
        self.client = client
        self._installation = installation
        self._controller = controller

    async def grow(self, count: int) -> None:
        """Create so many Services with an endpoint on our node, and wait until all of them have addresses."""
        numbers = range(count)
        await self.client.send_all(slice_of(number) for number in numbers)
        await self.client.send_all(creation(number, {WANTED: address(number)}) for number in numbers)
        async with asyncio.timeout(_PATIENCE):
            while await self._waiting():
                await asyncio.sleep(0.2)

    def start_in_pod(self) -> Daemon:
        """
        Start our speaker as in a Pod, which has a service account and no kubeconfig; returns at once.

        Its log, which is that of all runs, has the clock of the day in the line `started at SECONDS`, just before exec.
        """
        host, _, port = self._control_plane.url.removeprefix("https://").partition(":")
        environment = {
            name: value for name, value in ENVIRONMENT.items() if not name.startswith(("RECONCILER_", "KUBE"))
        }
        environment |= {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
        own = (f"--node-name={NODE}", f"--pod-name=speaker-{NODE}", f"--pod-ip={self.lab.address(NODE)}")
        options = (f"--config={self._installation.config}", "--http-address=127.0.0.1:7472", *own)
        mounted = ("bash", "-c", _IN_POD, self._control_plane.token(_USER), str(self._control_plane.ca_file))
        command = [*self.lab.inside(NODE), *mounted, sys.executable, "-m", "reconciler", "speaker", *options]
        return Daemon(command, self.folder / "in-pod.log", environment)

    def start(self, node: str = NODE) -> RunningSpeaker:
        """Start the speaker of a node; returns at once."""
        return self._installation.start_speaker(node)

    def list_pod(self, node: str) -> None:
        """There is another node, with the Pod of its speaker."""
        self._installation.create_node(node)

    def stop_controller(self) -> None:
        """From now on nobody but the benchmark gives addresses."""
        self._controller.kill()

    @asynccontextmanager
    async def watched(self, resource: str) -> AsyncIterator[Callable[[str], Awaitable[float]]]:
        """A bare watch; what is given waits for the next event with some words, and gives its monotonic instant."""
        path = {"services": SERVICES, "endpointslices": SLICES}[resource]
        version = json.loads(await self.client.get(f"{path}?limit=1"))["metadata"]["resourceVersion"]
        async with aclosing(self.client.lines(f"{path}?watch=true&resourceVersion={version}")) as lines:

            async def seen(words: str) -> float:
                async for line in lines:
                    if words.encode() in line:
                        return time.monotonic()
                raise SystemExit("the watch has ended")

            yield seen

    def last_answer(self, resources: Collection[str], since: float) -> float:
        """When our node had the last page of the first list of each of these after that; by the clock of the day."""
        ends: dict[str, float] = {}
        for event in self._control_plane.audited(_USER):
            if event["verb"] == "list" and self.lab.address(NODE) in event["sourceIPs"]:
                resource, at = event["objectRef"]["resource"], _instant(event["stageTimestamp"])
                is_first_list = resource not in ends or "continue=" in event["requestURI"]
                if at > since and resource in resources and is_first_list:
                    ends[resource] = at
        return max(ends.values())

    async def _waiting(self) -> bool:
        listed = json.loads(await self.client.get(SERVICES))["items"]
        return not all(service["status"]["loadBalancer"].get("ingress") for service in listed)


@contextmanager
def bgp_world(runner: asyncio.Runner) -> Iterator[BGPWorld]:
    """A controller runs, and no speaker yet; in this thread the network is that of the API server's host."""
    with (
        tempfile.TemporaryDirectory(prefix="lb-reconciler-bench-") as folder,
        Lab(NODE, ROUTER, OTHER_NODE, API_HOST) as lab,
        entered(lab.namespace(API_HOST)),
        ExitStack() as stack,
    ):
        control_plane = ControlPlane(find_programs(), lab.address(API_HOST))
        stack.callback(control_plane.close)
        installation = stack.enter_context(installed(lab, [NODE], control_plane, Path(folder)))
        installation.api.create_namespace(_NAMESPACE)
        (installation.config / "files.yaml").write_text(_FILES, "utf-8")
        controller = stack.enter_context(installation.start_controller()).wait_until_ready()
        client = runner.run(_client_of(control_plane))
        stack.callback(lambda: runner.run(client.close()))
        yield BGPWorld(control_plane, installation, controller, client)


async def _client_of(control_plane: ControlPlane) -> Client:
    return Client(Server(control_plane.url, control_plane.token("admin"), str(control_plane.ca_file)))


def name_of(number: int) -> str:
    """Of a Service."""
    return f"service-{number:05}"


def creation(number: int, annotations: dict[str, str] | None = None, **spec: object) -> Request:
    """The request for a Service."""
    wanted = {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False, **spec}
    metadata = {"name": name_of(number), "annotations": annotations or {}}
    body = {"metadata": metadata, "spec": {**wanted, "ports": [{"name": "https", "port": 443}]}}
    return Request("POST", SERVICES, json.dumps(body))


def assignment(number: int, addresses: Sequence[str]) -> Request:
    """The request by which a Service has these addresses."""
    body = {"status": {"loadBalancer": {"ingress": [{"ip": ip} for ip in addresses]}}}
    return Request("PATCH", f"{SERVICES}/{name_of(number)}/status", json.dumps(body), MERGE)


def slice_of(number: int) -> Request:
    """The request for the endpoints of a Service: a ready one on our node."""
    labels = {"kubernetes.io/service-name": name_of(number)}
    body = {
        "metadata": {"name": f"{name_of(number)}-1", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [endpoint(is_ready=True)],
        "ports": [{"name": "https", "port": 443}],
    }
    return Request("POST", SLICES, json.dumps(body))


def readiness(number: int, *, is_ready: bool) -> Request:
    """The request by which that endpoint is ready, or not."""
    body = json.dumps({"endpoints": [endpoint(is_ready=is_ready)]})
    return Request("PATCH", f"{SLICES}/{name_of(number)}-1", body, MERGE)


def endpoint(*, is_ready: bool) -> dict[str, object]:
    """As it stands in a slice."""
    conditions = {"ready": is_ready, "serving": is_ready, "terminating": False}
    return {"addresses": ["10.244.0.7"], "nodeName": NODE, "conditions": conditions}


def _instant(written: str) -> float:
    return datetime.fromisoformat(written).timestamp()
