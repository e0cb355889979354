"""The last scene of the live demonstration: a router hears of the same addresses by BGP, and loses a node."""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from reconciler.cli.demo_router import ASN, BFD_INTERVAL, BFD_MULTIPLIER, NODES_ASN, Router, table_command
from reconciler.cli.lab import Lab
from reconciler.cli.lab_traffic import Client
from reconciler.cli.narration import result, say, typed

# Seconds of traffic after it flows again, and for which a probe is waited for.
_AFTERWARDS, _LATEST_ANSWER = 0.5, 0.2

_ROUTING = f"""\
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata:
  name: router
  namespace: metallb-system
spec:
  myASN: {NODES_ASN}
  peerASN: {ASN}
  peerAddress: {{address}}
  dualStackAddressFamily: true
  connectTime: 1s
  bfdProfile: fast
---
apiVersion: metallb.io/v1beta1
kind: BFDProfile
metadata:
  name: fast
  namespace: metallb-system
spec:
  receiveInterval: {BFD_INTERVAL}
  transmitInterval: {BFD_INTERVAL}
  detectMultiplier: {BFD_MULTIPLIER}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata:
  name: everything
  namespace: metallb-system
"""

T = TypeVar("T")


class Within(Protocol):
    """What waits for something as long as a demonstration may wait, and fails with words for it."""

    def __call__(self, awaited: Awaitable[T], what: str) -> Awaitable[T]:
        """Give what was awaited; `what` follows "waited in vain"."""
        ...


class Scene:
    """
    What happens. The speakers run, `config` is in force, and `next` is a copy of it.

    Args:
        lab: Its hosts are the nodes, the router, and others.
        nodes: Names of hosts.
        host: That of the router.
        run_command: Shows and runs one of our commands.
        within: See `Within`.
    """

    def __init__(
        self, lab: Lab, nodes: Sequence[str], host: str, run_command: Callable[[str], None], within: Within
    ) -> None:
        self._lab = lab
        self._nodes = nodes
        self._host = host
        self._run_command = run_command
        self._within = within

    async def tell(self, addresses: Sequence[str]) -> None:
        """Show it with the addresses of the Service, IPv4 first."""
        with Router(self._lab, self._host, Path.cwd()) as router:
            await self._begin(router, addresses)
            async with Client(self._lab.namespace(self._host), addresses[:1]) as client:
                await self._lose_a_node(router, client)

    async def _begin(self, router: Router, addresses: Sequence[str]) -> None:
        say("And BGP: a router joins, with BIRD on it. A peer, a BFD profile and an advertisement make the same")
        say("speakers tell it of the same addresses. What would that do?", gap=False)
        Path("next/router.yaml").write_text(_ROUTING.format(address=self._lab.address(self._host)), encoding="utf-8")
        self._run_command("reconciler diff --base config --config next --cluster dir:cluster")
        typed("cp next/router.yaml config/")
        since = time.monotonic()
        shutil.copy("next/router.yaml", "config/.router.yaml")
        Path("config/.router.yaml").rename("config/router.yaml")
        await self._lead(router, addresses, "that the router has all routes")
        result(f"The router has routes over all nodes after {time.monotonic() - since:.2f} s.")
        await self._within(router.guarded(len(self._nodes)), "that BFD guards all sessions")
        # A busy machine may have missed packets before the intervals were agreed on.
        await self._lead(router, addresses, "that the router keeps all routes")
        for address in addresses:
            self._show_routes(router, address)

    async def _lose_a_node(self, router: Router, client: Client) -> None:
        (address,) = client.addresses
        await self._within(client.answered(address, time.monotonic()), "that the router reaches the Service")
        victim = client.owner(address)
        others = [node for node in self._nodes if node != victim]
        detection = BFD_INTERVAL * BFD_MULTIPLIER
        say(
            f"Its kernel spreads connections over them; this one, 100 probes a second, goes to {victim}, whose cable is"
        )
        say(
            f"pulled. BFD gives it up after {detection} ms without its packets, and the router takes its routes away.",
            gap=False,
        )
        typed(f"ip link set p-{victim} down", on="switch")
        since = time.monotonic()
        self._lab.cut(victim)
        moment = await self._within(client.answered(address, since, others), "that another node answers")
        await asyncio.sleep(_AFTERWARDS)
        until = time.monotonic()
        await asyncio.sleep(_LATEST_ANSWER)
        loss = client.loss(since, until)
        result(
            f"{client.owner(address)} answers after {moment - since:.2f} s. Lost: {loss.lost} of {loss.sent} probes, "
            f"for {loss.longest_gap:.2f} s."
        )
        self._show_routes(router, address)
        say("And put back in.")
        typed(f"ip link set p-{victim} up", on="switch")
        since = time.monotonic()
        self._lab.restore(victim)
        await self._lead(router, [address], "that the router has all routes again")
        result(f"All nodes are in its table again after {time.monotonic() - since:.2f} s.")

    async def _lead(self, router: Router, addresses: Sequence[str], what: str) -> None:
        for address in addresses:
            await self._within(router.leads(address, self._next_hops(address)), what)

    def _next_hops(self, address: str) -> list[str]:
        of = self._lab.address6 if ":" in address else self._lab.address
        return [of(node) for node in self._nodes]

    def _show_routes(self, router: Router, address: str) -> None:
        typed(" ".join(table_command(address)), on=self._host)
        for line in router.table(address).splitlines():
            result(line.replace("\t", "    ").rstrip())
