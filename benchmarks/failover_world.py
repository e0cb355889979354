"""Three nodes with speakers, a controller, addresses that each node owns some of, and what can happen to a node."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from reconciler.cli.lab import Lab
from reconciler.cli.lab_traffic import delivered
from reconciler.model.observed import NodeName
from reconciler.placement.election import rank

NODES = ("n1", "n2", "n3")
CLIENT, NEW_HOST = "client", "observer"
_NETWORKS = ("192.0.2.192/26", "2001:db8::200/119")
_NODE_NAMES = tuple(map(NodeName, NODES))
_FILES = """\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: office, namespace: metallb-system}}
spec: {{addresses: [192.0.2.192/26, "2001:db8::200/119"]}}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {{name: everything, namespace: metallb-system}}
---
apiVersion: lb-reconciler.io/v1alpha1
kind: ReconcilerSettings
metadata: {{name: settings, namespace: metallb-system}}
spec: {{fastFailureDetection: {{enabled: {is_fast}}}}}
"""
_SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: web-{number}
  namespace: shop
  creationTimestamp: "2020-01-01T00:00:00Z"
  annotations: {{metallb.io/loadBalancerIPs: "{address}"}}
spec:
  type: LoadBalancer
  clusterIPs: ["{internal}"]
  clusterIP: "{internal}"
  ipFamilies: [{family}]
  ports: [{{port: 9000, protocol: UDP}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: web-{number}-1, namespace: shop, labels: {{kubernetes.io/service-name: web-{number}}}}}
addressType: {family}
endpoints: [{{addresses: ["{internal}"], nodeName: n1, conditions: {{ready: true}}}}]
ports: [{{port: 9000, protocol: UDP}}]
---
"""
_NODE = """\
apiVersion: v1
kind: Node
metadata: {{name: {name}, labels: {labels}}}
status: {{conditions: [{{type: Ready, status: "True"}}]}}
"""
_EXCLUDED = '{node.kubernetes.io/exclude-from-external-load-balancers: ""}'


@dataclass(frozen=True, slots=True)
class Notice:
    """A bare member has found out that another is dead, left, or joined."""

    at: float
    by: str
    what: str
    node: str


class World:
    """
    Everything that runs; `addresses` are those that each node owns while all is well: some of both families.

    `notices` are those of the bare members, one of which runs beside each speaker and shares its fate.
    """

    def __init__(self, lab: Lab, directory: Path, *, is_fast: bool) -> None:
        self.lab = lab
        self.addresses = {node: _owned_by(node) for node in NODES}
        self.notices: list[Notice] = []
        self._directory = directory
        self._is_fast = is_fast
        self._roles: dict[str, asyncio.subprocess.Process] = {}
        self._members: dict[str, asyncio.subprocess.Process] = {}
        self._readers: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        for name in ("config", "cluster"):
            (self._directory / name).mkdir()
        text = _FILES.format(is_fast=str(self._is_fast).lower())
        (self._directory / "config/files.yaml").write_text(text, encoding="utf-8")
        (self._directory / "cluster/services.yaml").write_text(self._services(), encoding="utf-8")
        for node in NODES:
            self.label(node, is_drained=False)
        self._roles["controller"] = await self._start("controller", (), "controller", "--http-address=127.0.0.1:0")
        for node in NODES:
            await self.start(node)
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in (*self._roles.values(), *self._members.values()):
            if process.returncode is None:
                process.kill()
            await process.wait()
        for reader in self._readers:
            reader.cancel()

    def label(self, node: str, *, is_drained: bool) -> None:
        """Give a node the label by which it is drained, or take it away."""
        unfinished = self._directory / f".{node}"
        unfinished.write_text(_NODE.format(name=node, labels=_EXCLUDED if is_drained else "{}"), encoding="utf-8")
        unfinished.replace(self._directory / f"cluster/{node}.yaml")

    async def start(self, node: str) -> None:
        """Start the speaker of a node, and the bare member."""
        seeds = [self.lab.address(other) for other in NODES]
        options = (
            f"--node-name={node}",
            f"--membership-bind={self.lab.address(node)}",
            f"--seeds={','.join(seeds)}",
            f"--state-dir={self._directory / f'state-{node}'}",
            "--http-address=127.0.0.1:7472",
        )
        self._roles[node] = await self._start(node, self.lab.inside(node), "speaker", *options)
        self._members[node] = member = await asyncio.create_subprocess_exec(
            *self.lab.inside(node),
            *(sys.executable, "-m", "benchmarks.bare_member", node, self.lab.address(node), *seeds),
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[1],
        )
        reader = asyncio.create_task(self._read(node, member))
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)

    def signal(self, node: str, number: signal.Signals) -> float:
        """End the speaker of a node and the bare member; gives the instant before."""
        since = time.monotonic()
        for process in (self._roles[node], self._members[node]):
            process.send_signal(number)
        return since

    async def ended(self, node: str) -> None:
        """Wait for both."""
        await asyncio.gather(self._roles[node].wait(), self._members[node].wait())

    def part(self, node: str, *, is_forwarding: bool) -> None:
        """Let the switch drop everything from and to a node, which keeps its carrier; or forward it again."""
        state = "3" if is_forwarding else "0"
        command = ("bridge", "-n", self.lab.namespace("switch"), "link", "set", "dev", f"p-{node}", "state", state)
        subprocess.run(command, check=True, timeout=10)

    def first_noticed(self, what: str, node: str, since: float) -> float | None:
        """When the first of the other bare members has found this out since then; None as long as none has."""
        found = (n.at for n in self.notices if (n.what, n.node) == (what, node) and n.by != node and n.at > since)
        return min(found, default=None)

    def have_met(self) -> bool:
        """Whether each bare member has all others."""
        last = {(notice.by, notice.node): notice.what for notice in self.notices}
        return all(last.get((by, node)) == "joined" for by in NODES for node in NODES if by != node)

    def kept(self) -> Path:
        """Keep the logs for who has to find out what went wrong; gives where they are."""
        return Path(
            shutil.copytree(self._directory, tempfile.mkdtemp(prefix="lb-reconciler-failover-"), dirs_exist_ok=True)
        )

    def check(self) -> None:
        """Raise if a process has ended by itself."""
        for name, process in self._roles.items():
            if process.returncode not in {None, 0, -signal.SIGKILL}:
                raise SystemExit(f"{name} has ended with status {process.returncode}: see {self.kept()}")

    async def _read(self, by: str, member: asyncio.subprocess.Process) -> None:
        if member.stdout is not None:
            async for line in member.stdout:
                at, what, node = line.decode().split()
                self.notices.append(Notice(float(at), by, what, node))

    async def _start(self, name: str, under: Sequence[str], *arguments: str) -> asyncio.subprocess.Process:
        config, cluster = self._directory / "config", self._directory / "cluster"
        command = [*under, sys.executable, "-m", "reconciler", *arguments, f"--config={config}"]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("RECONCILER_")}
        with (self._directory / f"{name}.log").open("ab") as output:
            return await asyncio.create_subprocess_exec(
                *command, f"--cluster=dir:{cluster}", "--log-level=debug", stdout=output, stderr=output, env=environment
            )

    def _services(self) -> str:
        texts = []
        for number, address in enumerate(address for node in NODES for address in self.addresses[node]):
            family, internal = (
                ("IPv6", f"fd00:96::{number + 1:x}") if ":" in address else ("IPv4", f"10.96.0.{number + 1}")
            )
            texts.append(_SERVICE.format(number=number, address=address, family=family, internal=internal))
        return "".join(texts)


@asynccontextmanager
async def running_world(*, is_fast: bool) -> AsyncIterator[World]:
    """All of it, started; the logs are kept where something fails."""
    with Lab(*NODES, CLIENT, NEW_HOST) as lab, delivered(lab, NODES, _NETWORKS), _directory() as directory:
        async with World(lab, directory, is_fast=is_fast) as world:
            yield world


@contextmanager
def _directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lb-reconciler-bench-") as name:
        yield Path(name)


def _owned_by(node: str) -> tuple[str, ...]:
    """An address of each family that the election gives to the node."""
    return tuple(
        next(address for address in candidates if rank(_NODE_NAMES, address, {})[0] == node)
        for candidates in ([f"192.0.2.{n}" for n in range(200, 250)], [f"2001:db8::{n:x}" for n in range(0x210, 0x2FF)])
    )
