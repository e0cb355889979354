"""Hypothesis strategies for placement: few nodes, few addresses and many advertisements, so that they meet."""

from dataclasses import dataclass, replace

from hypothesis import strategies as st

from reconciler.model.advertisements import BGPAdvertisement, L2Advertisement
from reconciler.model.desired import DesiredState
from reconciler.model.observed import Endpoint, Members, Node, NodeName, ObservedState, Service
from reconciler.model.peers import BGPPeer
from reconciler.model.settings import DrainSettings, Settings
from tests.builders import desired, observed, pool, selector, service
from tests.placement.builders import bgp, l2, members, node, peer

NAMES = tuple(NodeName(name) for name in ("ash", "elm", "fir", "oak", "yew"))
POOLS = (pool("p", "192.0.2.0/28", "2001:db8::/124"), pool("q", "192.0.2.16/28"))
_INGRESS = ("192.0.2.1", "192.0.2.2", "192.0.2.17", "2001:db8::1", "192.0.2.1 2001:db8::1", "2001:db8::2 192.0.2.3")
_NO_HOME = ("", "198.51.100.1", "192.0.2.17 2001:db8::1")


@dataclass(frozen=True, slots=True)
class World:
    """Everything placement is asked with."""

    config: DesiredState
    state: ObservedState
    alive: Members


def worlds() -> st.SearchStrategy[World]:
    """Any configuration over any small cluster."""
    return st.builds(World, _configurations(), clusters(), speakers())


def simple_worlds() -> st.SearchStrategy[World]:
    """One advertisement from everywhere, every node fit and speaking, Services that any node may announce."""
    return st.builds(
        lambda state, names: World(
            desired(*POOLS, l2=[l2(pools="p q")]),
            replace(state, nodes=tuple(node(name) for name in sorted(names))),
            members(*names),
        ),
        clusters(services=_services(local=False, serving=True)),
        st.sets(st.sampled_from(NAMES), min_size=2),
    )


@st.composite
def clusters(draw: st.DrawFn, services: st.SearchStrategy[tuple[Service, Endpoint]] | None = None) -> ObservedState:
    """Up to six Services with endpoints, and most of the nodes."""
    found = draw(
        st.lists(_services() if services is None else services, max_size=6, unique_by=lambda pair: pair[0].key)
    )
    ends: dict[str, tuple[Endpoint, ...]] = {
        s.key: (end, *draw(st.lists(_endpoints(), max_size=2))) for s, end in found
    }
    return observed(*(s for s, _ in found), nodes=draw(_nodes), endpoints=ends)


@st.composite
def _services(draw: st.DrawFn, *, local: bool | None = None, serving: bool | None = None) -> tuple[Service, Endpoint]:
    found = service(
        f"shop/{draw(st.sampled_from('abcdefgh'))}",
        ingress=draw(st.sampled_from(_INGRESS if serving else _INGRESS * 2 + _NO_HOME)),
        local=draw(st.booleans()) if local is None else local,
        labels=draw(st.sampled_from([{}, {"app": "web"}, {"app": "db"}])),
        sharing_key=draw(st.sampled_from(["", "", "k"])),
        type=draw(st.sampled_from(["LoadBalancer"] * 9 + ["ClusterIP"])),
        load_balancer_class=draw(st.sampled_from([None] * 9 + ["other"])),
    )
    return found, draw(_endpoints(serving=serving))


@st.composite
def _endpoints(draw: st.DrawFn, *, serving: bool | None = None) -> Endpoint:
    return Endpoint(
        draw(st.none() | st.sampled_from(NAMES)),
        serving=draw(st.booleans()) if serving is None else serving,
        has_address=draw(st.sampled_from([True, True, False])),
    )


_mostly = st.sampled_from([False, False, False, True])


@st.composite
def _node(draw: st.DrawFn, name: NodeName) -> Node:
    rack = {"rack": draw(st.sampled_from("12"))}
    taints = draw(st.sampled_from(["", "", "maintenance", "node.kubernetes.io/unschedulable"]))
    return node(name, rack, network_unavailable=draw(_mostly), excluded=draw(_mostly), taints=taints)


_nodes = st.sets(st.sampled_from(NAMES), min_size=1).flatmap(
    lambda names: st.tuples(*(_node(name) for name in sorted(names)))
)


@st.composite
def speakers(draw: st.DrawFn) -> Members:
    """Some of the nodes, with links that are unknown, up, down or not there."""
    names = draw(st.sets(st.sampled_from(NAMES)))
    links = {
        name: draw(st.sampled_from([None, None, "eth0 eth1", "-eth0 eth1", "eth1", "-eth1", "-eth1 +", "+", ""]))
        for name in names
    }
    known = {str(name): text for name, text in links.items() if text is not None}
    return members(*(name for name, text in links.items() if text is None), **known)


_some_nodes = st.sampled_from(["", "", "ash elm", "fir oak yew", "ash", "nowhere"])
_some_pools = st.sampled_from(["p q", "p", "q"])
_some_services = st.sampled_from(["", "", "web", "web db"])


def _l2(name: str) -> st.SearchStrategy[L2Advertisement]:
    return st.builds(
        l2,
        st.just(name),
        pools=_some_pools,
        nodes=_some_nodes,
        services=_some_services,
        interfaces=st.sampled_from(["", "eth0", "eth0 eth1"]),
        preferring=st.dictionaries(
            st.sampled_from(["ash", "elm fir", "yew", "ash yew"]), st.integers(1, 3), max_size=2
        ),
    )


def _bgp(name: str) -> st.SearchStrategy[BGPAdvertisement]:
    return st.builds(
        bgp,
        st.just(name),
        pools=_some_pools,
        nodes=_some_nodes,
        services=_some_services,
        peers=st.sampled_from(["", "", "tor-a", "tor-b ghost"]),
        length=st.sampled_from([24, 32, 32]),
        length_v6=st.sampled_from([64, 128, 128]),
        local_pref=st.sampled_from([0, 0, 0, 100, 200]),
        communities=st.sampled_from(["", "65000:1", "65000:2 large:1:2:3"]),
    )


@st.composite
def _configurations(draw: st.DrawFn) -> DesiredState:
    peers: list[BGPPeer] = [
        peer("tor-a", node_selectors=draw(st.sampled_from([(), (selector({"rack": "1"}),)]))),
        peer("tor-b", draw(st.sampled_from(["192.0.2.200", "fe80::1"])), dual=draw(st.booleans())),
    ]
    config = desired(
        *POOLS,
        l2=[draw(_l2(f"l2-{n}")) for n in range(draw(st.integers(0, 3)))],
        bgp=[draw(_bgp(f"bgp-{n}")) for n in range(draw(st.integers(0, 3)))],
        peers=peers[: draw(st.integers(0, 2))],
    )
    drain = DrainSettings(draw(st.sampled_from([(), ("maintenance",), ("other", "node.kubernetes.io/unschedulable")])))
    return replace(config, settings=Settings(drain=drain))
