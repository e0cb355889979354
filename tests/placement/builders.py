"""Builders of what placement reads: nodes, speakers, endpoints, advertisements, peers; and of what it answers."""

from collections.abc import Iterable, Mapping

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.family import parse_address
from reconciler.model.advertisements import BGPAdvertisement, Community, L2Advertisement, Preference
from reconciler.model.announcements import L2Announcement, RouteAnnouncement
from reconciler.model.observed import Endpoint, InterfaceName, Link, Member, Members, Node, NodeName
from reconciler.model.origin import Origin
from reconciler.model.peers import BGPPeer
from reconciler.model.selectors import LabelSelector, labels_of
from reconciler.placement.decisions import Placement, Protocol
from tests.builders import selector

HOSTNAME = "kubernetes.io/hostname"


def node(
    name: str,
    labels: Mapping[str, str] | None = None,
    *,
    ready: bool = True,
    network_unavailable: bool = False,
    excluded: bool = False,
    taints: str = "",
) -> Node:
    """A node that carries its own name as the usual label."""
    return Node(
        NodeName(name),
        labels_of({HOSTNAME: name, **(labels or {})}.items()),
        ready=ready,
        network_unavailable=network_unavailable,
        excluded=excluded,
        taints=tuple(sorted(taints.split())),
    )


def nodes(names: str) -> tuple[Node, ...]:
    """Plain nodes, names separated by blanks; a name with a leading `-` is excluded from load balancers."""
    return tuple(node(name.lstrip("-"), excluded=name.startswith("-")) for name in names.split())


def members(*names: str, **links: str | None) -> Members:
    """
    Speakers; by keyword those whose links are known, written `eth0 -eth1` where `-` has no carrier.

    A `+` among the links says that there are others, which are all up.
    """
    known = {Member(NodeName(name), _links(text or ""), others_up="+" in (text or "")) for name, text in links.items()}
    return frozenset({Member(NodeName(name)) for name in names} | known)


def _links(text: str) -> frozenset[Link]:
    return frozenset(
        Link(InterfaceName(name.lstrip("-")), carrier=not name.startswith("-"))
        for name in text.replace("+", "").split()
    )


def endpoints(text: str) -> tuple[Endpoint, ...]:
    """Endpoints by node; `-` before the name cannot serve, `~` has no address, `?` is on no node."""
    return tuple(
        Endpoint(
            NodeName(name.strip("-~")) if "?" not in name else None,
            serving=not name.startswith("-"),
            has_address=not name.startswith("~"),
        )
        for name in text.split()
    )


def on(names: str) -> tuple[LabelSelector, ...]:
    """Node selectors for exactly those nodes; none for the empty text."""
    return (selector(None, **{HOSTNAME: names.split()}),) if names else ()


def apps(names: str) -> tuple[LabelSelector, ...]:
    """One selector for each value of the label `app`."""
    return tuple(selector({"app": name}) for name in names.split())


def l2(
    name: str = "l2",
    *,
    pools: str = "p",
    nodes: str = "",
    interfaces: str = "",
    services: str = "",
    preferring: Mapping[str, int] | None = None,
    line: int = 1,
) -> L2Advertisement:
    """An L2Advertisement; `preferring` maps the names of nodes to weights."""
    return L2Advertisement(
        name,
        tuple(pools.split()),
        node_selectors=on(nodes),
        interfaces=tuple(sorted(interfaces.split())),
        service_selectors=apps(services),
        preferences=tuple(Preference(weight, on(target)[0]) for target, weight in (preferring or {}).items()),
        origin=Origin(f"{name}.yaml", line, 1),
    )


def bgp(
    name: str = "bgp",
    *,
    pools: str = "p",
    nodes: str = "",
    peers: str = "",
    services: str = "",
    length: int = 32,
    length_v6: int = 128,
    local_pref: int = 0,
    communities: str = "",
) -> BGPAdvertisement:
    """A BGPAdvertisement."""
    return BGPAdvertisement(
        name,
        tuple(pools.split()),
        node_selectors=on(nodes),
        peers=tuple(peers.split()),
        service_selectors=apps(services),
        aggregation_length=length,
        aggregation_length_v6=length_v6,
        local_pref=local_pref,
        communities=tuple(sorted(Community.parse(text) for text in communities.split())),
        origin=Origin(f"{name}.yaml", 1, 1),
    )


def peer(
    name: str,
    address: str | None = "192.0.2.1",
    *,
    interface: str | None = None,
    dual: bool = False,
    node_selectors: Iterable[LabelSelector] = (),
) -> BGPPeer:
    """A BGPPeer; unnumbered when `interface` is given."""
    return BGPPeer(
        name,
        64512,
        peer_asn=64513,
        peer_address=None if interface or address is None else parse_address(address),
        interface=interface,
        dual_stack_address_family=dual,
        node_selectors=tuple(node_selectors),
    )


def route(prefix: str, peer: str = "tor", local_pref: int | None = None, communities: str = "") -> RouteAnnouncement:
    """A route, its communities sorted."""
    found = tuple(sorted(Community.parse(text) for text in communities.split()))
    return RouteAnnouncement(AddressRange.parse(prefix), peer, local_pref, found)


def spoken(address: str, interfaces: str | None = None) -> L2Announcement:
    """An address answered for, on the named interfaces or on all."""
    names = None if interfaces is None else frozenset(InterfaceName(name) for name in interfaces.split())
    return L2Announcement(parse_address(address), names)


def answer(placement: Placement, protocol: Protocol, key: str = "shop/web") -> str:
    """The reason for which a node is silent about a Service by one protocol, empty when it announces it."""
    kind = L2Announcement if protocol is Protocol.L2 else RouteAnnouncement
    if any(p.service == key and isinstance(p.announcement, kind) for p in placement.placed):
        return ""
    return next(str(d.reason) for d in placement.declined if (d.service, d.protocol) == (key, protocol))
