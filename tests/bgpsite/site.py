"""
Three nodes with a speaker each, a controller, two routers that send what clients want to the nodes, and a client.

The routers are FRR and BIRD, and every node has a session with each; both put what they learn into their kernels, all
next hops of it. Which one the client uses is up to the test.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import count, product
from pathlib import Path
from typing import Any

from reconciler.cli.lab import Lab
from tests.bgpsite.configuration import ASN, BIRD, BIRD_ASN, FRR, HOLD_TIME, Spec, configuration, peer
from tests.netns.site import CONTROLLER, NODES, Site, until
from tests.routers.bird import Bird
from tests.routers.configuration import Neighbor, Setup, family_of
from tests.routers.frr import Frr
from tests.routers.router import Route, Router

CLIENT, SPARE = "client", "spare"
HOSTS = (*NODES, FRR, BIRD, SPARE, CLIENT)
ROUTERS = (FRR, BIRD)
ESTABLISHED = "established"
_ASNS = {FRR: ASN, BIRD: BIRD_ASN}


class BGPSite(Site):
    """The nodes and their files, as in other tests, and the routers."""

    def __init__(self, root: Path, lab: Lab, routers: Mapping[str, Router]) -> None:
        self.routers = routers
        self._hosts = {4: count(1), 6: count(1)}
        super().__init__(root, lab)

    # Files

    def peers(self, **changes: Spec) -> dict[str, Spec]:
        """Both routers as they are configured here, with changes by name, and further peers."""
        known = {name: peer(_ASNS[name], self.lab.address(name), **changes.pop(name, {})) for name in ROUTERS}
        return {**known, **changes}

    def configure(self, text: str | None = None, *names: str) -> None:
        """Deliver a file; None is the usual one."""
        super().configure(configuration(self.peers()) if text is None else text, *names)

    def vip(self, family: int = 4) -> str:
        """An address of the pool that nobody has had so far."""
        number = next(self._hosts[family])
        return f"198.51.100.{number}" if family == 4 else f"2001:db8:f::{number:x}"

    async def served(self, *addresses: str, on: Sequence[str] = ("n1",), **spec: object) -> str:
        """Create a Service, and wait until both routers have heard of its addresses from all nodes that are to tell."""
        name = self.create(*addresses, on=on, **spec)
        await self.heard(addresses, on if spec.get("externalTrafficPolicy") == "Local" else NODES)
        return name

    def put_secret(self, name: str, password: str) -> None:
        """Write a Secret into the cluster."""
        manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": "lb-reconciler"},
            "type": "kubernetes.io/basic-auth",
            "stringData": {"password": password},
        }
        path = self.cluster / f"secret-{name}.json"
        unfinished = path.with_name(f".{path.name}")
        unfinished.write_text(json.dumps(manifest), encoding="utf-8")
        unfinished.replace(path)

    def published(self, node: str) -> list[dict[str, Any]]:
        """The sessions in the status that a speaker has published."""
        path = self.cluster / "status" / f"lb-reconciler-status-{node}.json"
        return json.loads(path.read_bytes())["sessions"] if path.exists() else []

    # The network

    def tellers(self, router: str, address: str) -> set[str]:
        """The nodes that a router has heard of a single address from."""
        return set(self.routes(router, host_prefix(address)))

    def routes(self, router: str, prefix: str) -> dict[str, Route]:
        """What a router has heard of a prefix, by node."""
        found = {node: self.routers[router].routes(family_of(prefix), self.lab.address(node)) for node in NODES}
        return {node: routes[prefix] for node, routes in found.items() if prefix in routes}

    async def heard(self, addresses: Iterable[str], nodes: Iterable[str], routers: Sequence[str] = ROUTERS) -> None:
        """Wait until routers know of these addresses from these nodes, and their kernels use all of those."""
        wanted = set(nodes)

        def is_so(router: str, address: str) -> bool:
            return self.tellers(router, address) == wanted == self.next_hops(router, address)

        for router, address in product(routers, addresses):
            await until(partial(is_so, router, address), f"{router} has {address} from {sorted(wanted)}")

    def next_hops(self, router: str, address: str) -> set[str]:
        """The nodes that a router's kernel sends packets for an address to."""
        family = "-6" if ":" in address else "-4"
        prefix = host_prefix(address)
        found = json.loads(self.lab.run(router, "ip", family, "-j", "route", "show", prefix) or "[]")
        gateways = {hop.get("gateway") for route in found for hop in (route, *route.get("nexthops", ()))}
        # FRR refers to a group of next hops by its number.
        return {node for node in NODES if {self.lab.address(node), self.lab.address6(node)} & gateways}

    def lead(self, router: str, *addresses: str) -> None:
        """Let the client reach these addresses by this router."""
        for address in addresses:
            family, via = ("-6", self.lab.address6(router)) if ":" in address else ("-4", self.lab.address(router))
            self.lab.run(CLIENT, "ip", family, "route", "replace", host_prefix(address), "via", via)

    # Sessions

    def session(self, node: str, name: str) -> dict[str, Any]:
        """A session as the speaker tells of it; empty while it does not."""
        rows = self.status(node).get("sessions", ())
        return next((row for row in rows if row["peer"] == name), {})

    async def sessions(self, nodes: Sequence[str] = NODES, names: Sequence[str] = ROUTERS, **facts: object) -> None:
        """Wait until these nodes have sessions with these peers, of which these facts are so."""
        wanted = {"state": ESTABLISHED, **facts}.items()

        def is_so(node: str, name: str) -> bool:
            return wanted <= self.session(node, name).items()

        for node, name in product(nodes, names):
            await until(partial(is_so, node, name), f"{node} has a session with {name}: {facts}")

    def connection(self, node: str, router: str) -> str:
        """What is different for each session: the ends of its connection."""
        told = self.lab.run(node, "ss", "-Htn", "state", ESTABLISHED, "dst", f"{self.lab.address(router)}:179")
        return " ".join(told.split()[2:4])

    def connections(self) -> dict[tuple[str, str], str]:
        """Of all nodes with all routers."""
        return {(node, router): self.connection(node, router) for node in NODES for router in ROUTERS}

    # Life

    async def settled(self, text: str | None = None) -> None:
        """
        After this there is a speaker on each node, with the sessions of this file or the usual one, and no Service.
        """
        for path in self.cluster.glob("web*.json"):
            path.unlink()
        self.heal()
        for node in NODES:
            self.node(node)
            self.lab.restore(node)
            if not self.is_running(node):
                self.start(node)
        if not self.is_running(CONTROLLER):
            self.start_controller()
        await self.together()
        if any(row["bfd"] for node in NODES for row in self.status(node).get("sessions", ())):
            # BIRD takes the end of a BFD session for a failure, also where we say that it is none.
            await self.adopt(configuration({}))
            await until(self._is_alone, "the routers have no session")
        self.configure(text)
        await until(self.is_of_one_mind, "all use one revision")
        await self.sessions(wanted=0, told=0)

    def _is_alone(self) -> bool:
        ends = [(router, self.lab.address(node)) for router in self.routers.values() for node in NODES]
        return not any(router.session(address).is_established for router, address in ends)


def host_prefix(address: str) -> str:
    """The prefix of a single address."""
    return f"{address}/128" if ":" in address else f"{address}/32"


class _Bird(Bird):
    """
    BIRD as it is for somebody who restarts speakers: it takes any end of a BFD session for a failure, and only with
    `bfd graceful` for one in which it keeps the routes. A node that is dead then has them too, so it is for `n3` alone.
    """

    def _write(self) -> None:
        super()._write()
        path = self.directory / "bird.conf"
        before, start, after = path.read_text().partition(f"protocol bgp {self.protocol(self.lab.address('n3'))} ")
        path.write_text(before + start + after.replace("bfd on;", "bfd graceful;", 1))


def routers_of(lab: Lab) -> dict[str, Router]:
    """Both of them, configured and not started."""
    neighbors = tuple(
        Neighbor(remote_asn=ASN, address=lab.address(node), hold_time=HOLD_TIME, bfd_ms=50) for node in NODES
    )

    def setup(name: str) -> Setup:
        return Setup(
            asn=_ASNS[name],
            router_id=lab.address(name),
            neighbors=neighbors,
            has_kernel_routes=True,
            maximum_paths=len(NODES),
        )

    return {FRR: Frr(lab, FRR, setup(FRR)), BIRD: _Bird(lab, BIRD, setup(BIRD))}


def prepare(lab: Lab) -> None:
    """Let routers forward, by address and port, and hosts do as they are told."""
    forwarding = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    hashing = ("net.ipv4.fib_multipath_hash_policy=1", "net.ipv6.fib_multipath_hash_policy=1")
    # Or the client would be told that nodes are on its own link.
    silent = ("net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.eth0.send_redirects=0")
    for router in ROUTERS:
        lab.run(router, "sysctl", "-qw", *forwarding, *hashing, *silent)
    deaf = (f"net.ipv{version}.conf.{name}.accept_redirects=0" for version in (4, 6) for name in ("all", "eth0"))
    lab.run(CLIENT, "sysctl", "-qw", *deaf)
