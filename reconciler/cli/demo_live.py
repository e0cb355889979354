"""
The live part of `reconciler demo`: a network of namespaces, a controller and three speakers, and a client that counts;
then a router, where BIRD is installed.

Needs root on Linux. This machine's own network is left alone, and nothing stays behind.
"""

import asyncio
import json
import shutil
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from reconciler.cli.demo_bgp import Scene
from reconciler.cli.demo_roles import Roles
from reconciler.cli.demo_router import why_no_router
from reconciler.cli.lab import Lab, LabError, why_no_lab
from reconciler.cli.lab_traffic import Client, delivered
from reconciler.cli.narration import result, say, typed
from reconciler.errors import ReconcilerError

_NODES = ("n1", "n2", "n3")
_CLIENT, _ROUTER = "client", "router"
# Everything that the pools of this file may give.
_NETWORKS = ("192.0.2.192/26", "2001:db8::200/119")
_PATIENCE = 20.0
# Seconds of traffic after everything is as it should be again, and for which a probe is waited for.
_AFTERWARDS, _LATEST_ANSWER = 0.5, 0.2
_PAUSE = 0.002

_POOLS = """\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata:
  name: office
  namespace: metallb-system
spec:
  addresses:
    - 192.0.2.200-192.0.2.207
    - 2001:db8::200-2001:db8::207
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata:
  name: machines
  namespace: metallb-system
spec:
  addresses:
    - 192.0.2.240-192.0.2.247
  autoAssign: false
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata:
  name: everything
  namespace: metallb-system
"""
_MOVED = (("192.0.2.200-192.0.2.207", "192.0.2.220-192.0.2.227"), ("8::200-2001:db8::207", "8::220-2001:db8::227"))
# Another Service that is there all the time: a change to all there are would be held, and that was shown before.
_ANOTHER = """\
apiVersion: v1
kind: Service
metadata:
  name: metrics
  namespace: shop
  annotations: {metallb.io/address-pool: machines}
spec:
  type: LoadBalancer
  clusterIPs: [10.96.0.11]
  clusterIP: 10.96.0.11
  ipFamilies: [IPv4]
  ports: [{port: 9000, protocol: UDP}]
"""
_NODE = """\
apiVersion: v1
kind: Node
metadata: {{name: {name}}}
status: {{conditions: [{{type: Ready, status: "True"}}]}}
---
"""
_SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: shop
spec:
  type: LoadBalancer
  clusterIPs: [10.96.0.10, "fd00:96::10"]
  clusterIP: 10.96.0.10
  ipFamilies: [IPv4, IPv6]
  ipFamilyPolicy: RequireDualStack
  ports: [{port: 9000, protocol: UDP}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: web-1
  namespace: shop
  labels: {kubernetes.io/service-name: web}
addressType: IPv4
endpoints:
  - {addresses: [10.244.1.7], nodeName: n1, conditions: {ready: true}}
ports: [{port: 9000, protocol: UDP}]
"""

T = TypeVar("T")
RunCommand = Callable[[str], None]


class DemoError(ReconcilerError):
    """Something that was to be shown did not happen; the message ends with the last words of the processes."""


def why_not() -> str | None:
    """Why the live part is left out on this machine; None when it can be shown."""
    return why_no_lab()


def show(run_command: RunCommand) -> str | None:
    """
    Show it in the current directory, which is empty; `run_command` shows and runs one of our commands.

    Returns:
        Why it is left out after all: this machine does not let us make the network. None when all was shown.

    Raises:
        DemoError: Something that was to be shown did not happen.
        RoleEndedError: A controller or a speaker ended by itself.
    """
    try:
        with _ended_like_by_ctrl_c(), Lab(*_NODES, _CLIENT, _ROUTER) as lab, Roles(lab, _NODES, Path.cwd()) as roles:
            asyncio.run(_Story(lab, roles, run_command).tell())
    except LabError as exc:
        return str(exc)
    except BrokenPipeError:
        # Nobody watches any more: that is for the command line to end.
        raise
    except (OSError, subprocess.CalledProcessError) as exc:
        raise DemoError(f"the demonstration network does not work: {exc}") from exc
    return None


@contextmanager
def _ended_like_by_ctrl_c() -> Iterator[None]:
    """A terminal that is closed, or `timeout`, leaves nothing behind either."""

    def end(*_: object) -> None:
        # What asyncio makes of this one ends the story in order.
        signal.raise_signal(signal.SIGINT)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    # A shell has its background jobs ignore it, and then nothing would come of the others either.
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Story:
    """What happens, one thing after the other; the hosts are those of the lab."""

    def __init__(self, lab: Lab, roles: Roles, run_command: RunCommand) -> None:
        self._lab = lab
        self._roles = roles
        self._run_command = run_command

    async def tell(self) -> None:
        """Begin with nothing, end with everything in order."""
        with delivered(self._lab, _NODES, _NETWORKS):
            await self._start()
            since = time.monotonic()
            addresses = await self._create_service()
            async with Client(self._lab.namespace(_CLIENT), addresses) as client:
                await self._reach(client, since)
                await self._fail_over(client)
            moved = await self._move(addresses)
            await self._route(moved)

    async def _start(self) -> None:
        say("Now live: a switch, three nodes and a client, each a network namespace of this machine. The cluster is a")
        say("directory of manifests; a few lines of Python stand in for kube-proxy and the Pods.", gap=False)
        Path("config").mkdir()
        Path("cluster").mkdir()
        Path("config/pools.yaml").write_text(_POOLS, encoding="utf-8")
        Path("cluster/nodes.yaml").write_text("".join(_NODE.format(name=node) for node in _NODES), encoding="utf-8")
        Path("cluster/metrics.yaml").write_text(_ANOTHER, encoding="utf-8")
        began = time.monotonic()
        typed("reconciler controller --config config --cluster dir:cluster &")
        self._roles.start_controller()
        for node in _NODES:
            typed(f"reconciler speaker --config config --cluster dir:cluster --node-name {node} … &", on=node)
            self._roles.start_speaker(node)
        await self._within(self._roles.together(), "that all speakers are ready")
        result(f"The speakers have found each other after {time.monotonic() - began:.1f} s.")

    async def _create_service(self) -> tuple[str, ...]:
        say("A Service of type LoadBalancer appears.")
        typed("cp web.yaml cluster/")
        began = time.monotonic()
        _put("cluster/web.yaml", _SERVICE)
        addresses = await self._within(self._assigned(()), "that the Service gets its addresses")
        result(f"{' and '.join(addresses)} after {_milliseconds(time.monotonic() - began)}.")
        return addresses

    async def _reach(self, client: Client, since: float) -> None:
        waits = [client.answered(address, since) for address in client.addresses]
        moments = await self._within(asyncio.gather(*waits), "that the client reaches the Service")
        owners = " and ".join(f"{address} by {client.owner(address)}" for address in client.addresses)
        result(f"The client's first answers after {_milliseconds(max(moments) - since)}: {owners}.")

    async def _fail_over(self, client: Client) -> None:
        victim = client.owner(client.addresses[0])
        others = [node for node in _NODES if node != victim]
        addresses = [address for address in client.addresses if client.owner(address) == victim]

        async def watch(event: Callable[[], None], by: Sequence[str], verb: str) -> None:
            since = time.monotonic()
            event()
            waits = [client.answered(address, since, by) for address in addresses]
            moments = await self._within(asyncio.gather(*waits), f"that {' or '.join(by)} {verb}")
            await asyncio.sleep(_AFTERWARDS)
            # The client may have heard one of the others once more, that had not fallen silent yet.
            await self._within(_left_to(by, client, addresses), f"that {' or '.join(by)} {verb} for good")
            until, owner = time.monotonic(), client.owner(addresses[0])
            await asyncio.sleep(_LATEST_ANSWER)
            loss = client.loss(since, until)
            gap = f", for {loss.longest_gap:.2f} s" if loss.lost else ""
            result(f"{owner} {verb} after {max(moments) - since:.2f} s. Lost: {loss.lost} of {loss.sent} probes{gap}.")

        say(f"The client goes on with 100 probes a second to each address. The speaker of {victim} is killed; the node")
        say("itself lives, and delivers what it is sent until another has taken over.", gap=False)
        typed("pkill -KILL -f 'reconciler speaker'", on=victim)
        await watch(lambda: self._roles.kill(victim), others, "takes over")
        say(
            f"It is started again, and {victim} gets its address back: it announces first, then the other falls silent."
        )
        typed(f"reconciler speaker --config config --cluster dir:cluster --node-name {victim} … &", on=victim)
        await watch(lambda: self._roles.start_speaker(victim), [victim], "has it back")
        say(f"Now the cable of {victim} is pulled: what is still sent there is lost.")
        typed(f"ip link set p-{victim} down", on="switch")
        await watch(lambda: self._lab.cut(victim), others, "takes over")
        say("And put back in.")
        typed(f"ip link set p-{victim} up", on="switch")
        await watch(lambda: self._lab.restore(victim), [victim], "has it back")

    async def _move(self, addresses: Sequence[str]) -> tuple[str, ...]:
        say("A pool is to move. What would that do?")
        shutil.copytree("config", "next")
        edited = _POOLS
        for old, new in _MOVED:
            edited = edited.replace(old, new)
        Path("next/pools.yaml").write_text(edited, encoding="utf-8")
        self._run_command("reconciler diff --base config --config next --cluster dir:cluster")
        say("It is meant, so it is put in place: when the controller has passed it, all speakers take it into use.")
        typed("cp next/pools.yaml config/")
        since = time.monotonic()
        _put("config/pools.yaml", edited)
        moved = await self._within(self._assigned(addresses), "that the Service gets its new addresses")
        async with Client(self._lab.namespace(_CLIENT), moved) as client:
            waits = [client.answered(address, since) for address in moved]
            moments = await self._within(asyncio.gather(*waits), "that the client reaches the new addresses")
        result(f"The client's first answers from {' and '.join(moved)} after {_milliseconds(max(moments) - since)}.")
        return moved

    async def _route(self, addresses: Sequence[str]) -> None:
        reason = why_no_router()
        if reason is not None:
            say(f"Left out: a router that hears of the addresses by BGP: {reason}.")
            return
        await Scene(self._lab, _NODES, _ROUTER, self._run_command, self._within).tell(addresses)

    async def _assigned(self, before: Sequence[str]) -> tuple[str, ...]:
        """The addresses in the status of the Service, as soon as there are others than before."""
        while (found := _ingress()) in {(), tuple(before)}:
            await asyncio.sleep(_PAUSE)
        return found

    async def _within(self, awaited: Awaitable[T], what: str) -> T:
        try:
            return await asyncio.wait_for(awaited, _PATIENCE)
        except TimeoutError:
            said = self._roles.last_words()
            raise DemoError(f"waited {_PATIENCE:.0f} s in vain {what}; last words: {said}") from None


async def _left_to(nodes: Collection[str], client: Client, addresses: Iterable[str]) -> None:
    """Wait until the last answer from each address came from one of these nodes."""
    while any(client.owner(address) not in nodes for address in addresses):
        await asyncio.sleep(_PAUSE)


def _ingress() -> tuple[str, ...]:
    try:
        status = json.loads(Path("cluster/status/shop/web.json").read_bytes())["status"]
    except FileNotFoundError:
        return ()
    return tuple(entry["ip"] for entry in status.get("loadBalancer", {}).get("ingress", ()))


def _put(path: str, text: str) -> None:
    """Replace a file as a whole: whoever watches the directory sees the old one or the new one."""
    unfinished = Path(path).with_name(".unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
