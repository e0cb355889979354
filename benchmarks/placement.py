"""Placement of many Services for one node and for all, beside the hashing that the election cannot do without."""

import gc
import time
from collections.abc import Callable, Iterator
from hashlib import sha256

from msgspec.structs import replace

from benchmarks.measure import Row
from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.family import Address, Family
from reconciler.model.advertisements import BGPAdvertisement, L2Advertisement
from reconciler.model.announcements import Active
from reconciler.model.desired import DesiredState
from reconciler.model.observed import Endpoint, Members, Node, NodeName, ObservedState, Service, ServiceKey
from reconciler.model.origin import Origin
from reconciler.model.peers import BGPPeer
from reconciler.model.pools import IPAddressPool, PoolEntry
from reconciler.placement.election import Elections
from reconciler.placement.place import place, place_nodes, speakers
from reconciler.placement.standing import Placer
from reconciler.plan.announcements import plan_announcements

SERVICES = 100_000
POOLS = 100
NODES = 100
_BASE = 10 << 24
_ADDRESSES_PER_POOL = 1024
_CHANGES = 101
_NAMES = tuple(f"node-{n:03}" for n in range(NODES))


def rows() -> Iterator[Row]:
    """Layer 2 for one node and for all, again with what changed nothing, and BGP: from nothing, and after a change."""
    desired, observed = _layer2(), _cluster()
    members, one = speakers(observed), NodeName(_NAMES[0])
    hashing = _seconds(_draw_all)
    yield _row("SHA-256 of every node and address", SERVICES * NODES, hashing, None)
    seconds = _seconds(lambda: place(desired, observed, members, one, explain=False))
    yield _row("place L2, one node", SERVICES, seconds, _seconds(_draw_some))
    elections = Elections()

    def everywhere() -> None:
        for _ in place_nodes(desired, observed, members, elections=elections):
            pass

    yield _row(f"place L2, all {NODES} nodes", SERVICES, _seconds(everywhere), hashing)
    yield _row(f"place L2, all {NODES} nodes, elections known", SERVICES, _seconds(everywhere), None)
    by_bgp = _bgp(2)
    seconds = _seconds(lambda: place(by_bgp, observed, members, one, explain=False))
    yield _row("place BGP to two peers, one node", SERVICES, seconds, None)
    yield from _standing(observed, members, one)


def _standing(observed: ObservedState, members: Members, node: NodeName) -> Iterator[Row]:
    """What a speaker does at its start, and when one Service has got another address: the median of many."""
    desired, placer = _bgp(4), Placer()
    seconds = _seconds(lambda: placer.place(desired, observed, members, node))
    yield _row("standing placement, BGP to four peers, from nothing", SERVICES, seconds, None)
    placement = placer.place(desired, observed, members, node)
    active = Active(peers=placement.peers)
    seconds = _seconds(lambda: plan_announcements(placement, active))
    yield _row("plan of all routes to four peers", SERVICES * 4, seconds, None)
    services, passes = list(observed.services), []
    for n in range(_CHANGES):
        active = Active(peers=placement.peers, routes=placement.routes)
        services[n] = replace(services[n], ingress=(Address(Family.IPV4, _BASE + SERVICES + n),))
        later = ObservedState(tuple(services), observed.endpoints, observed.nodes)
        started = time.perf_counter()
        placement = placer.place(desired, later, members, node)
        plan = plan_announcements(placement, active)
        passes.append(time.perf_counter() - started)
        assert len(plan.actions) == 2 * len(placement.peers)
    yield _row("one changed Service among them, placed and planned", 1, sorted(passes)[_CHANGES // 2], None)


def _row(case: str, size: int, seconds: float, floor: float | None) -> Row:
    return Row(case, size, seconds, floor)


def _seconds(work: Callable[[], object]) -> float:
    gc.collect()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _addresses() -> Iterator[Address]:
    return (Address(Family.IPV4, _BASE + n) for n in range(SERVICES))


def _draw_all() -> None:
    prefixes = [f"{name}#".encode() for name in _NAMES]
    for address in _addresses():
        suffix = str(address).encode()
        min([sha256(prefix + suffix).digest() for prefix in prefixes])


def _draw_some() -> None:
    """The least that tells one node whether it wins: its own hash and those up to the first that is smaller."""
    own, *others = (f"{name}#".encode() for name in _NAMES)
    for address in _addresses():
        suffix = str(address).encode()
        mine = sha256(own + suffix).digest()
        next((other for other in others if sha256(other + suffix).digest() < mine), None)


def _pools() -> tuple[IPAddressPool, ...]:
    return tuple(_pool(f"pool-{n:03}", _BASE + n * _ADDRESSES_PER_POOL) for n in range(POOLS))


def _pool(name: str, first: int) -> IPAddressPool:
    block = AddressRange(Family.IPV4, first, first + _ADDRESSES_PER_POOL - 1)
    return IPAddressPool(name, (PoolEntry(str(block), block, Origin("pools.yaml", 1, 1)),))


def _layer2() -> DesiredState:
    pools = _pools()
    return DesiredState("bench", pools, tuple(L2Advertisement(pool.name, (pool.name,)) for pool in pools))


def _bgp(count: int) -> DesiredState:
    pools = _pools()
    addresses = [Address(Family.IPV4, _BASE - n) for n in range(1, count + 1)]
    peers = tuple(BGPPeer(f"tor-{a.value}", 64512, peer_asn=64513, peer_address=a) for a in addresses)
    advertisements = tuple(BGPAdvertisement(pool.name, (pool.name,)) for pool in pools)
    return DesiredState("bench", pools, bgp_advertisements=advertisements, peers=peers)


def _cluster() -> ObservedState:
    keys = [ServiceKey(f"team-{n // 2000:02}/service-{n:06}") for n in range(SERVICES)]
    services = tuple(
        Service(key=key, namespace=key[:7], name=key[8:], labels=(("app", key[8:]),), ingress=(address,))
        for key, address in zip(keys, _addresses(), strict=True)
    )
    endpoints = {
        key: (Endpoint(NodeName(_NAMES[n % NODES]), serving=True), Endpoint(NodeName(_NAMES[-n % NODES]), serving=True))
        for n, key in enumerate(keys)
    }
    return ObservedState(services, endpoints, tuple(Node(NodeName(name)) for name in _NAMES))
