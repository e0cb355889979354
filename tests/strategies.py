"""Hypothesis strategies shared by the rooms: small worlds in which Services meet, share and collide often."""

from itertools import pairwise

from hypothesis import strategies as st

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.family import Address, Family
from reconciler.model.desired import DesiredState
from reconciler.model.observed import FamilyPolicy, ObservedState, Port, Service, ServiceKey
from reconciler.model.origin import Origin
from reconciler.model.pools import IPAddressPool, PoolEntry, ServiceScope
from reconciler.model.selectors import Labels, LabelSelector

# Pools are cut from these, so every address a Service may name or hold is near some pool's edge. The IPv4 part goes
# from 192.0.2.245 across .255 and .0, which avoidBuggyIPs leaves out.
_BASES = {Family.IPV4: 0xC00002F5, Family.IPV6: 0x20010DB8 << 96}
_SPAN = 24
_NAMESPACES = ("lab", "shop", "web")
_TIER_LABELS: tuple[Labels, ...] = ((), (("tier", "back"),), (("tier", "front"),))
NAMESPACE_LABELS: dict[str, Labels] = {
    "lab": (("zone", "north"),),
    "shop": (("zone", "south"),),
    "web": (("zone", "south"),),
}

families = st.sampled_from(Family)


def addresses(family: Family | None = None) -> st.SearchStrategy[Address]:
    """Addresses of the small world, in a pool or just beside one."""
    chosen = families if family is None else st.just(family)
    return st.builds(lambda f, offset: Address(f, _BASES[f] + offset), chosen, st.integers(0, _SPAN + 1))


@st.composite
def any_addresses(draw: st.DrawFn) -> Address:
    """Any address at all."""
    family = draw(families)
    return Address(family, draw(st.integers(0, (1 << family.bits) - 1)))


@st.composite
def address_ranges(draw: st.DrawFn, family: Family | None = None) -> AddressRange:
    """Any range of any family, long or short."""
    chosen = draw(families) if family is None else family
    ends = draw(st.lists(st.integers(0, (1 << chosen.bits) - 1), min_size=2, max_size=2))
    return AddressRange(chosen, min(ends), max(ends))


def small_ranges() -> st.SearchStrategy[AddressRange]:
    """Short ranges that overlap, touch and contain each other often."""
    return st.builds(
        lambda family, first, length: AddressRange(family, first, first + length),
        families,
        st.integers(0, 40),
        st.integers(0, 12),
    )


@st.composite
def scopes(draw: st.DrawFn) -> ServiceScope:
    """A `serviceAllocation` that admits some of the small world, all of it or none."""
    return ServiceScope(
        priority=draw(st.integers(0, 2)),
        namespaces=tuple(sorted(draw(st.sets(st.sampled_from(_NAMESPACES), max_size=2)))),
        namespace_selectors=draw(
            st.sampled_from([(), (LabelSelector((("zone", "south"),)),), (LabelSelector((("zone", "east"),)),)])
        ),
        service_selectors=draw(st.sampled_from([(), (LabelSelector((("tier", "front"),)),)])),
    )


@st.composite
def pools(draw: st.DrawFn) -> tuple[IPAddressPool, ...]:
    """Up to four pools that do not overlap, their entries in any written order, sorted by name."""
    pieces = [piece for family in Family for piece in draw(_cuts(family))]
    owners = draw(st.lists(st.integers(0, 4), min_size=len(pieces), max_size=len(pieces)))
    by_owner: dict[int, list[AddressRange]] = {}
    for piece, owner in zip(pieces, owners, strict=True):
        by_owner.setdefault(owner, []).append(piece)
    by_owner.pop(4, None)  # what no pool owns
    return tuple(
        IPAddressPool(
            name=f"pool-{owner}",
            entries=tuple(
                PoolEntry(str(piece), piece, Origin(f"pool-{owner}.yaml", 6 + line, 5))
                for line, piece in enumerate(draw(st.permutations(entries)))
            ),
            auto_assign=draw(st.sampled_from([True, True, True, False])),
            avoid_buggy_ips=draw(st.sampled_from([False, False, True])),
            scope=draw(st.none() | scopes()),
            origin=Origin(f"pool-{owner}.yaml", 1, 1),
        )
        for owner, entries in sorted(by_owner.items())
    )


@st.composite
def _cuts(draw: st.DrawFn, family: Family) -> list[AddressRange]:
    edges = sorted(draw(st.sets(st.integers(1, _SPAN - 1), max_size=4)) | {0, _SPAN})
    base = _BASES[family]
    return [AddressRange(family, base + a, base + b - 1) for a, b in pairwise(edges)]


@st.composite
def services(draw: st.DrawFn, key: ServiceKey | None = None) -> Service:
    """A Service that asks for something, and perhaps holds something that fits, or not."""
    namespace = draw(st.sampled_from(_NAMESPACES)) if key is None else key.partition("/")[0]
    name = draw(st.sampled_from("abcdefgh")) if key is None else key.partition("/")[2]
    wanted = draw(st.sampled_from(["4", "4", "6", "46", "46", "64", "", "x"]))
    policy = draw(st.sampled_from(FamilyPolicy)) if len(wanted) == 2 else FamilyPolicy.SINGLE_STACK
    if len(wanted) == 1 and draw(st.integers(0, 5)) == 0:
        policy = FamilyPolicy.PREFER_DUAL_STACK
    held = draw(_held)
    sharing_key = draw(st.sampled_from(["", "", "blue", "green"]))
    return Service(
        key=ServiceKey(f"{namespace}/{name}"),
        namespace=namespace,
        name=name,
        type=draw(st.sampled_from(["LoadBalancer"] * 9 + ["ClusterIP"])),
        load_balancer_class=draw(st.sampled_from([None] * 9 + ["other"])),
        labels=draw(st.sampled_from(_TIER_LABELS)),
        created_at=f"2026-01-01T00:00:0{draw(st.integers(0, 3))}Z",
        resource_version="1",
        cluster_ips=tuple({"4": "10.96.0.1", "6": "fd00::1", "x": "None"}[f] for f in wanted),
        family_policy=policy,
        prefers_ipv6=wanted.startswith("6"),
        requested_ips=draw(_requested),
        requested_pool=draw(st.sampled_from([""] * 7 + ["pool-0", "pool-1", "ghost"])),
        sharing_key=sharing_key,
        announces_shared_ip=bool(sharing_key),
        ports=tuple(Port("TCP", n) for n in sorted(draw(st.sets(st.integers(80, 82), min_size=1, max_size=2)))),
        external_traffic_policy=draw(st.sampled_from(["Cluster", "Cluster", "Local"])),
        selector=draw(st.sampled_from([(), (("app", "a"),)])),
        ingress=held,
        allocated_pool=draw(st.sampled_from(["pool-0", "pool-1", None])) if held else None,
    )


_single = addresses().map(lambda address: (address,))
_pair = st.tuples(addresses(Family.IPV4), addresses(Family.IPV6))
_odd = st.lists(addresses(), min_size=2, max_size=3).map(tuple)  # more than any controller would write
_held = st.one_of(st.just(()), st.just(()), _single, _single, _pair, _pair.map(lambda pair: pair[::-1]), _odd)
_requested = st.one_of(
    st.none(),
    st.none(),
    st.none(),
    st.one_of(_single, _pair, _pair.map(lambda pair: pair[::-1])).map(lambda found: ",".join(map(str, found))),
    st.just("192.0.2.300"),
)


def desired_states() -> st.SearchStrategy[DesiredState]:
    """A configuration with pools and nothing else."""
    return pools().map(lambda found: DesiredState(revision="test", pools=found))


@st.composite
def observed_states(draw: st.DrawFn, max_services: int = 12) -> ObservedState:
    """A snapshot of Services with distinct keys, sorted, in namespaces with labels."""
    keys = draw(
        st.sets(
            st.builds(
                lambda ns, name: ServiceKey(f"{ns}/{name}"), st.sampled_from(_NAMESPACES), st.sampled_from("abcdefgh")
            ),
            max_size=max_services,
        )
    )
    found = [draw(services(key)) for key in sorted(keys)]
    return ObservedState(services=tuple(found), namespaces=NAMESPACE_LABELS)
