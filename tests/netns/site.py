"""
Three nodes with a speaker each, and a controller, on a `dir:` cluster: what the tests of this directory happen in.

Each process has a directory of configuration to itself, as nodes have. Addresses are chosen by who wins them.
"""

import asyncio
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from reconciler.cli.lab import Lab
from reconciler.model.observed import NodeName
from reconciler.placement.election import rank
from tests.netns.speaker_processes import HTTP, Role

NODES = ("n1", "n2", "n3")
CONTROLLER = "controller"
NETWORK4, NETWORK6 = "192.0.2.128/25", "2001:db8::1:0/112"
POOL = '["192.0.2.128-192.0.2.254", "2001:db8::1:0/112"]'
EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"
PATIENCE = 20.0
# For revisions: nobody is missing for longer in these tests, unless that is what they are about.
WAIT = "3s"
_PAUSE = 0.02
Found = TypeVar("Found")


async def until(condition: Callable[[], Found], what: str, patience: float = PATIENCE) -> Found:
    """Ask until the answer is true, and give it; others have their turn meanwhile."""
    loop = asyncio.get_running_loop()
    end = loop.time() + patience
    while not (found := condition()):
        assert loop.time() < end, f"not within {patience:g} s: {what}"
        await asyncio.sleep(_PAUSE)
    return found


def configuration(
    *,
    addresses: str = POOL,
    advertisement: Mapping[str, object] | None = None,
    settings: Mapping[str, object] | None = None,
) -> str:
    """One file: a pool, an L2Advertisement with this spec, and settings beside a short wait for revisions."""
    spec = dict(settings or {})
    spec["membership"] = {"revisionWait": WAIT, **_mapping(spec.get("membership", {}))}
    return f"""apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: pool}}
spec: {{addresses: {addresses}}}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {{name: everywhere}}
spec: {json.dumps(advertisement or {})}
---
apiVersion: lb-reconciler.io/v1alpha1
kind: ReconcilerSettings
metadata: {{name: settings}}
spec: {json.dumps(spec)}
"""


class Site:
    """Everything below `root`; `close` ends all processes."""

    def __init__(self, root: Path, lab: Lab) -> None:
        self.lab = lab
        self.cluster = root / "cluster"
        self.roles: dict[str, Role] = {}
        self.root = root
        self._numbers = count(1)
        self._taken: set[str] = set()
        self._burnt: set[str] = set()
        self._configured: dict[str, str] = {}
        self._newest = "", 0
        self._former: set[str | None] = set()
        self._nodes: dict[str, dict[str, Any]] = {}
        self.cluster.mkdir()
        self.configure()
        for node in NODES:
            self.node(node)

    # Files

    def configure(self, text: str | None = None, *names: str) -> None:
        """
        Deliver a file to the processes of these names, to all where none is named; None is the usual one.

        A file that differs from the last one is a revision that has never been before.
        """
        wanted = configuration() if text is None else text
        if wanted != self._newest[0]:
            self._newest = wanted, self._newest[1] + 1
            self._former = {self.uses(node) for node in NODES}
        numbered = f"# {self._newest[1]}\n{wanted}"
        for name in names or (*NODES, CONTROLLER):
            directory = self.root / f"config-{name}"
            directory.mkdir(exist_ok=True)
            if self._configured.get(name) != numbered:
                self._configured[name] = numbered
                _put(directory / "config.yaml", numbered)

    async def adopt(self, text: str) -> None:
        """Deliver a file to all, and wait until all speakers use it."""
        self.configure(text)
        await until(self.is_of_one_mind, "all use the new revision")

    def node(self, name: str, **changes: object) -> None:
        """Write a Node: `labels`, and fields of its spec by name."""
        labels = {"kubernetes.io/hostname": name, **_mapping(changes.pop("labels", {}))}
        manifest = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": labels},
            "spec": changes,
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }
        if self._nodes.get(name) != manifest:
            self._nodes[name] = manifest
            _put(self.cluster / f"{name}.json", json.dumps(manifest))

    def address(self, *order: str, family: int = 4) -> str:
        """An address that is new to this test; the first of these nodes wins it, the next one has it after that."""
        numbers = range(128, 255) if family == 4 else range(1, 0x10000)
        texts = (f"192.0.2.{number}" if family == 4 else f"2001:db8::1:{number:x}" for number in numbers)
        found = next(
            text
            for text in texts
            if text not in self._taken and rank(map(NodeName, NODES), text, {})[: len(order)] == order
        )
        self._taken.add(found)
        return found

    def burn(self, *addresses: str) -> None:
        """No other test is to have these: speakers remember for minutes that another host had them."""
        self._burnt.update(addresses)

    def create(self, *addresses: str, on: Iterable[str | None] = ("n1",), **spec: object) -> str:
        """Write a Service that asks for these addresses, with one endpoint on each of the nodes; gives its name."""
        name = f"web{next(self._numbers)}"
        families = ["IPv6" if ":" in address else "IPv4" for address in addresses]
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": name,
                "namespace": "shop",
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "annotations": {"metallb.io/loadBalancerIPs": ",".join(addresses)},
            },
            "spec": {
                "type": "LoadBalancer",
                "clusterIP": "10.96.0.1",
                "clusterIPs": ["10.96.0.1" if family == "IPv4" else "fd00::1" for family in families],
                "ipFamilies": families,
                "ipFamilyPolicy": "RequireDualStack" if len(families) == 2 else "SingleStack",
                "ports": [{"port": 80, "protocol": "TCP"}],
                **spec,
            },
        }
        self.endpoints(name, on)
        _put(self.cluster / f"{name}.json", json.dumps(service))
        return name

    def request(self, name: str, address: str) -> None:
        """Let a Service ask for another address."""
        path = self.cluster / f"{name}.json"
        service = json.loads(path.read_bytes())
        service["metadata"]["annotations"] = {"metallb.io/loadBalancerIPs": address}
        _put(path, json.dumps(service))

    def endpoints(self, name: str, on: Iterable[str | None]) -> None:
        """Write where the endpoints of a Service are; all of them serve."""
        manifest = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": f"{name}-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "endpoints": [
                {"addresses": [f"10.1.0.{i}"], "nodeName": node, "conditions": {"ready": True}}
                for i, node in enumerate(on, 1)
            ],
        }
        _put(self.cluster / f"{name}-slice.json", json.dumps(manifest))

    def delete(self, name: str) -> None:
        """Remove a Service and its endpoints."""
        self.cluster.joinpath(f"{name}.json").unlink(missing_ok=True)
        self.cluster.joinpath(f"{name}-slice.json").unlink(missing_ok=True)

    async def serve(self, *addresses: str, **spec: Any) -> str:
        """Create a Service, and wait until each of its addresses is announced by one node."""
        name = self.create(*addresses, **spec)
        for address in addresses:
            await until(partial(self._has_one_owner, address), f"{address} is announced")
        return name

    def ingress(self, name: str) -> list[str]:
        """The addresses in the status of a Service."""
        path = self.cluster / "status" / "shop" / f"{name}.json"
        found = json.loads(path.read_bytes())["status"] if path.exists() else {}
        return [entry["ip"] for entry in found.get("loadBalancer", {}).get("ingress", ())]

    def verdict(self) -> str | None:
        """What the controller has published of its newest revision; None while there is nothing."""
        path = self.cluster / "status" / "lb-reconciler-status-controller.json"
        newest = json.loads(path.read_bytes())["newest"] if path.exists() else None
        return newest and newest["verdict"]

    def events(self, name: str) -> list[tuple[str, str]]:
        """Reason and message of the Events about a Service, in order."""
        path = self.cluster / "status" / "events.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        found = [json.loads(line) for line in lines]
        return [(event["reason"], event["message"]) for event in found if event["service"] == f"shop/{name}"]

    # The network

    def divide(self, node: str, *kinds: str) -> None:
        """At the switch, drop what goes between a node and the others; `kinds` are conditions of nft, "" is all."""
        others = ", ".join(f'"p-{other}"' for other in NODES if other != node)
        ways = f'iifname "p-{node}" oifname {{ {others} }}', f'iifname {{ {others} }} oifname "p-{node}"'
        rules = "\n".join(f"{way} {kind} drop" for way in ways for kind in kinds)
        chain = f"chain forward {{ type filter hook forward priority 0; policy accept;\n{rules}\n}}"
        self.lab.run("switch", "nft", f"table bridge divided {{ {chain}\n}}")

    def heal(self) -> None:
        """Let everything through again."""
        self.lab.run("switch", "nft", "flush", "ruleset")

    # Processes

    def start_controller(self) -> None:
        self._start(CONTROLLER, ("controller", "--http-address=127.0.0.1:0"), None, ())

    def start(self, *nodes: str, under: Sequence[str] = (), options: Sequence[str] = ()) -> None:
        """Start the speakers of these nodes; `under` is a command that is run on the node, and becomes the speaker."""
        seeds = ",".join(self.lab.address(node) for node in NODES)
        for node in nodes:
            command = (
                "speaker",
                f"--node-name={node}",
                f"--membership-bind={self.lab.address(node)}",
                f"--seeds={seeds}",
                f"--http-address={HTTP[0]}:{HTTP[1]}",
                f"--state-dir={self.state_directory(node)}",
                *options,
            )
            self._start(node, command, self.lab.namespace(node), (*self.lab.inside(node), *under))

    def state_directory(self, node: str) -> Path:
        return self.root / f"state-{node}"

    def forget(self, node: str) -> None:
        """Remove what a speaker has kept for a restart."""
        shutil.rmtree(self.state_directory(node))

    def kill(self, node: str) -> None:
        """SIGKILL: it can say nothing to anybody."""
        self.roles.pop(node).kill()

    async def stop(self, node: str) -> None:
        """SIGTERM; it has ended well when this returns."""
        role = self.roles.pop(node)
        role.stop()
        await until(role.has_ended, f"{node} ends")
        assert role.wait() == 0

    async def together(self, nodes: Sequence[str] = NODES) -> None:
        """Until these speakers are ready, and know that exactly all of them are."""
        await until(lambda: all(self.knows(node) == set(nodes) for node in nodes), f"{nodes} are together")

    def is_running(self, name: str) -> bool:
        """Whether there is such a process, and goes on to be; one that was told to end is waited for."""
        role = self.roles.get(name)
        if role is not None and role.is_stopping:
            role.wait()
        return role is not None and not role.has_ended()

    def log(self, name: str) -> str:
        """All that the processes of this name have said."""
        return self.root.joinpath(f"{name}.log").read_text("utf-8")

    def status(self, node: str) -> Any:
        return self.roles[node].status() if node in self.roles else {}

    def owners(self, address: str) -> list[str]:
        """Who says that it announces an address."""
        return [node for node in NODES if self.state(node, address) == "announced"]

    def state(self, node: str, address: str) -> str | None:
        """What a node says of an address; None where it says nothing."""
        return next((row["state"] for row in self.announcements(node) if row["address"] == address), None)

    def announcements(self, node: str) -> list[dict[str, Any]]:
        """The rows of a node's status."""
        return self.status(node).get("announcements") or []

    def uses(self, node: str) -> str | None:
        """The revision that a node announces by."""
        return self.status(node).get("revision")  # type: ignore[no-any-return] # from JSON

    async def settled(self) -> None:
        """Put right whatever a test has left behind: after this all is as at the start, without any Service."""
        for path in (*self.cluster.glob("web*.json"),):
            path.unlink()
        self._taken = set(self._burnt)
        self.configure()
        self.heal()
        for node in NODES:
            self.node(node)
            self.lab.restore(node)
            if not self.is_running(node):
                self.start(node)
        if not self.is_running(CONTROLLER):
            self.start_controller()
        await self.together()
        # What clients have learnt of addresses belongs to the tests before.
        for host in ("client", "stranger"):
            self.lab.run(host, "ip", "neigh", "flush", "dev", "eth0")
        await until(self._is_clean, "all use one revision, and announce nothing")

    def close(self) -> None:
        for role in self.roles.values():
            role.kill()
        self.roles.clear()

    def is_of_one_mind(self) -> bool:
        """Whether all speakers use the newest revision, which is the same everywhere and none from before."""
        statuses = [self.status(node) for node in NODES]
        known = {status.get("newest", {}).get("revision") for status in statuses}
        known |= {status.get("revision") for status in statuses}
        return len(known) == 1 and known.isdisjoint(self._former | {None})

    def _is_clean(self) -> bool:
        return self.is_of_one_mind() and not any(self.status(node)["announcements"] for node in NODES)

    def _has_one_owner(self, address: str) -> bool:
        return len(self.owners(address)) == 1

    def knows(self, node: str) -> set[str]:
        """The members that count, as a node sees them."""
        rows = self.status(node).get("members", ())
        return {row["node"] for row in rows if row["state"] == "alive" and row["ready"] and not row["leaving"]}

    def _start(self, name: str, command: Sequence[str], namespace: str | None, under: Sequence[str]) -> None:
        if name in self.roles:
            self.roles.pop(name).kill()
        options = (f"--config={self.root / f'config-{name}'}", f"--cluster=dir:{self.cluster}")
        self.roles[name] = Role([*command, *options], self.root / f"{name}.log", namespace=namespace, under=under)


def only_on(*nodes: str) -> dict[str, object]:
    """The spec of an L2Advertisement for these nodes."""
    return {"nodeSelectors": [{"matchLabels": {"kubernetes.io/hostname": node}} for node in nodes]}


def _mapping(value: object) -> Mapping[str, object]:
    assert isinstance(value, Mapping)
    return value


def _put(path: Path, text: str) -> None:
    """Replace a file as a whole."""
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
