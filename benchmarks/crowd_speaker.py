"""
What a speaker does between its API server and its peers, without the server: watch events in, octets out.

`python -m benchmarks.crowd_speaker SERVICES CHANGES PORT…` holds so many Services and tells a router at each of these
ports of them. It prints what it holds in MiB: the modules, then with the Services, with the routes, with sessions that
were told all; and for how many seconds the first change kept the loop busy. Then come single changes, each a watch
event that gives a Service another address: `PREFIX INSTANT SECONDS`, the new route, when the event was there, on the
monotonic clock, and how long the loop was busy with it.
"""

import asyncio
import gc
import json
import os
import sys
import time
from ipaddress import IPv4Address
from pathlib import Path

# All modules that a speaker has: they are a part of what it holds.
import reconciler.cli.speaker  # noqa: F401
from benchmarks.route_table import RECEIVER_ADDRESS, RECEIVER_ASN, SENDER_ASN
from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.family import parse_address
from reconciler.announcers.bgp import BGPAnnouncer
from reconciler.cluster.endpoint_store import EndpointStore
from reconciler.cluster.kinds import SERVICES
from reconciler.cluster.store import Store
from reconciler.model.advertisements import BGPAdvertisement
from reconciler.model.desired import DesiredState
from reconciler.model.observed import Node, NodeName, ObservedState
from reconciler.model.origin import Origin
from reconciler.model.peers import BGPPeer
from reconciler.model.pools import IPAddressPool, PoolEntry
from reconciler.placement.place import speakers
from reconciler.placement.standing import Placer
from reconciler.plan.announcements import plan_announcements

_NODE = NodeName("node")
# Room for a million.
_FIRST, _LAST = IPv4Address("10.0.0.0"), IPv4Address("10.15.255.255")
_PAGE_SIZE = 500
_PATIENCE = 120.0
_PAGE = os.sysconf("SC_PAGE_SIZE")
# In seconds: before the first change, and between two.
_SETTLING, _PAUSE = 1.0, 0.02


class Crowd:
    """What the loop of a speaker has: what was read, and what is said."""

    def __init__(self, ports: list[int]) -> None:
        self.services = Store(SERVICES, _complain)
        self.endpoints = EndpointStore(_complain)
        self.desired = _desired(ports)
        self.placer = Placer()
        self.bgp = BGPAnnouncer(_NODE, _no_secret, lambda _: None, clock=time.monotonic)
        self._nodes = (Node(_NODE),)

    def read(self, count: int) -> None:
        """Take in the pages of lists, as an API server sends them."""
        for store, item in ((self.services, _service), (self.endpoints, _slice)):
            store.begin_list()
            for begin in range(0, count, _PAGE_SIZE):
                items = [item(number, number) for number in range(begin, min(begin + _PAGE_SIZE, count))]
                store.add_page(json.dumps({"metadata": {"resourceVersion": "1"}, "items": items}).encode())
            store.end_list("1")

    def change(self, number: int) -> tuple[str, bytes]:
        """The watch event by which a Service gets an address that none had, each time another; and its route."""
        # Neighbours in the table are not changed one after the other.
        count = len(self.services)
        changed, fresh = number * 997 % count, count + number
        event = {"type": "MODIFIED", "object": _service(changed, fresh, version=2 + number)}
        return f"{_address(fresh)}/32", json.dumps(event).encode()

    def make_pass(self) -> None:
        """One pass of `Speaker`, as far as it is about routes."""
        observed = ObservedState(self.services.snapshot(), self.endpoints.endpoints(), self._nodes)
        placement = self.placer.place(self.desired, observed, speakers(observed), _NODE)
        plan = plan_announcements(placement, self.bgp.active())
        self.bgp.desired_changed(self.desired, ())
        self.bgp.apply_all(plan.actions, amounting_to=placement.routes)

    def forget(self) -> None:
        """Place everything anew at the next pass, as after a change of the files."""
        self.placer = Placer()

    def is_told(self, count: int) -> bool:
        """Whether every peer has heard of so many routes."""
        return all(session.told == count for session in self.bgp.sessions())


async def _run(count: int, changes: int, ports: list[int]) -> None:
    gc.set_threshold(50_000, 20, 50)
    held = [_resident_mib()]
    crowd = Crowd(ports)
    crowd.read(count)
    held.append(_resident_mib())
    crowd.make_pass()
    held.append(_resident_mib())
    async with asyncio.timeout(_PATIENCE):
        while not crowd.is_told(count):
            await asyncio.sleep(0.05)
    # As the process does once it has read everything.
    gc.collect()
    gc.freeze()
    held.append(_resident_mib())
    await asyncio.sleep(_SETTLING)
    print(*held, _change(crowd, 0)[2], flush=True)
    for number in range(1, changes + 1):
        await asyncio.sleep(_PAUSE)
        print(*_change(crowd, number))
    await asyncio.sleep(_SETTLING)
    sys.stdout.flush()
    await crowd.bgp.close()


def _change(crowd: Crowd, number: int) -> tuple[str, float, float]:
    route, line = crowd.change(number)
    began = time.monotonic()
    crowd.services.apply(line)
    crowd.make_pass()
    return route, began, time.monotonic() - began


def _desired(ports: list[int]) -> DesiredState:
    block = AddressRange(parse_address(str(_FIRST)).family, int(_FIRST), int(_LAST))
    here = Origin("files.yaml", 1, 1)
    return DesiredState(
        "crowd",
        (IPAddressPool("crowd", (PoolEntry(str(block), block, here),)),),
        bgp_advertisements=(BGPAdvertisement("everything", ("crowd",)),),
        peers=tuple(
            BGPPeer(
                f"router-{port}",
                SENDER_ASN,
                peer_asn=RECEIVER_ASN,
                peer_address=parse_address(str(RECEIVER_ADDRESS)),
                peer_port=port,
            )
            for port in ports
        ),
    )


def _service(number: int, address: int, version: int = 1) -> dict[str, object]:
    name = f"service-{number:06}"
    cluster_ip = str(IPv4Address("172.16.0.0") + number)
    return {
        "metadata": {
            "name": name,
            "namespace": f"team-{number // 2000:02}",
            "uid": f"00000000-0000-4000-8000-{number:012}",
            "resourceVersion": str(version),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"app": name},
        },
        "spec": {
            "type": "LoadBalancer",
            "clusterIP": cluster_ip,
            "clusterIPs": [cluster_ip],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "externalTrafficPolicy": "Cluster",
            "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080}],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": _address(address)}]}},
    }


def _slice(number: int, _: int) -> dict[str, object]:
    name = f"service-{number:06}"
    return {
        "metadata": {
            "name": f"{name}-abcde",
            "namespace": f"team-{number // 2000:02}",
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.244.0.7"], "nodeName": _NODE, "conditions": {"ready": True}}],
    }


def _address(number: int) -> str:
    return str(_FIRST + number)


def _resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE / 2**20


def _complain(problem: str) -> None:
    raise SystemExit(problem)


async def _no_secret(name: str) -> bytes:
    raise SystemExit(f"nobody has the Secret {name}")


if __name__ == "__main__":
    asyncio.run(_run(int(sys.argv[1]), int(sys.argv[2]), [int(port) for port in sys.argv[3:]]))
