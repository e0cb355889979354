"""Small builders of model values, so that a row of a table fits on one line."""

from collections.abc import Iterable, Mapping

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.family import Address, parse_address
from reconciler.model.advertisements import BGPAdvertisement, L2Advertisement
from reconciler.model.desired import DesiredState
from reconciler.model.observed import Endpoint, FamilyPolicy, Node, ObservedState, Port, Service, ServiceKey
from reconciler.model.origin import Origin
from reconciler.model.peers import BGPPeer
from reconciler.model.pools import IPAddressPool, PoolEntry, ServiceScope
from reconciler.model.selectors import Labels, LabelSelector, Operator, Requirement, labels_of

_CLUSTER_IPS = {"4": "10.96.0.10", "6": "fd00:96::10"}
_POLICIES = {
    "single": FamilyPolicy.SINGLE_STACK,
    "prefer": FamilyPolicy.PREFER_DUAL_STACK,
    "require": FamilyPolicy.REQUIRE_DUAL_STACK,
}


def addresses(text: str) -> tuple[Address, ...]:
    """Addresses separated by blanks or commas; the empty text is none."""
    return tuple(parse_address(part) for part in text.replace(",", " ").split())


def service(
    key: str,
    *,
    families: str = "4",
    policy: str = "single",
    ingress: str = "",
    hostnames: Iterable[str] = (),
    foreign: bool = False,
    allocated_pool: str | None = None,
    requested_ips: str | None = None,
    load_balancer_ip: str = "",
    requested_pool: str = "",
    sharing_key: str = "",
    ports: str = "TCP/80",
    local: bool = False,
    selector: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    created: int = 0,
    type: str = "LoadBalancer",  # noqa: A002 - the word of the API
    load_balancer_class: str | None = None,
    cluster_ips: tuple[str, ...] | None = None,
    prefers_ipv6: bool | None = None,
    deprecated: tuple[str, ...] = (),
    resource_version: str = "1",
) -> Service:
    """
    A Service named `namespace/name`.

    `families` is "4", "6", "46" or "64" and makes the cluster IPs, unless `cluster_ips` says them. `policy` is
    single, prefer or require. `ingress` lists addresses; the status then counts as written by us, from
    `allocated_pool` ("p" unless given), except with `foreign`. `ports` are written `TCP/80 UDP/53`. `created` counts
    seconds.
    """
    namespace, name = key.split("/")
    if ingress and not foreign and allocated_pool is None:
        allocated_pool = "p"
    return Service(
        key=ServiceKey(key),
        namespace=namespace,
        name=name,
        type=type,
        load_balancer_class=load_balancer_class,
        labels=labels_of((labels or {}).items()),
        created_at=f"2026-01-01T{created // 3600:02}:{created // 60 % 60:02}:{created % 60:02}Z",
        resource_version=resource_version,
        cluster_ips=tuple(_CLUSTER_IPS[f] for f in families) if cluster_ips is None else cluster_ips,
        family_policy=_POLICIES[policy],
        prefers_ipv6=families.startswith("6") if prefers_ipv6 is None else prefers_ipv6,
        load_balancer_ip=load_balancer_ip,
        requested_ips=requested_ips,
        requested_pool=requested_pool,
        sharing_key=sharing_key,
        announces_shared_ip=bool(sharing_key),
        deprecated_annotations=deprecated,
        ports=tuple(port(text) for text in ports.split()),
        external_traffic_policy="Local" if local else "Cluster",
        selector=labels_of((selector or {}).items()),
        ingress=addresses(ingress),
        unreadable_ingress=tuple(hostnames),
        allocated_pool=allocated_pool,
    )


def port(text: str) -> Port:
    """A port written `TCP/80`."""
    protocol, number = text.split("/")
    return Port(protocol, int(number))


def pool(
    name: str,
    *entries: str,
    auto_assign: bool = True,
    avoid_buggy_ips: bool = False,
    scope: ServiceScope | None = None,
    labels: Mapping[str, str] | None = None,
) -> IPAddressPool:
    """A pool of CIDRs and first-last ranges; its lines count from the name of the file, `<name>.yaml`."""
    path = f"{name}.yaml"
    return IPAddressPool(
        name=name,
        entries=tuple(
            PoolEntry(text=text, addresses=AddressRange.parse(text), origin=Origin(path, 6 + n, 5))
            for n, text in enumerate(entries)
        ),
        auto_assign=auto_assign,
        avoid_buggy_ips=avoid_buggy_ips,
        scope=scope,
        labels=labels_of((labels or {}).items()),
        origin=Origin(path, 1, 1),
    )


def scope(
    *namespaces: str,
    priority: int = 0,
    namespace_labels: Mapping[str, str] | None = None,
    service_labels: Mapping[str, str] | None = None,
) -> ServiceScope:
    """A `serviceAllocation` by namespace names, and at most one selector of each kind."""
    return ServiceScope(
        priority=priority,
        namespaces=tuple(sorted(namespaces)),
        namespace_selectors=() if namespace_labels is None else (selector(namespace_labels),),
        service_selectors=() if service_labels is None else (selector(service_labels),),
        origin=Origin("scope.yaml", 9, 3),
    )


def selector(match_labels: Mapping[str, str] | None = None, **expressions: Iterable[str]) -> LabelSelector:
    """A selector of labels, and of one `In` expression for each keyword."""
    return LabelSelector(
        labels_of((match_labels or {}).items()),
        tuple(Requirement(key, Operator.IN, tuple(sorted(values))) for key, values in sorted(expressions.items())),
    )


def desired(
    *pools: IPAddressPool,
    revision: str = "test",
    l2: Iterable[L2Advertisement] = (),
    bgp: Iterable[BGPAdvertisement] = (),
    peers: Iterable[BGPPeer] = (),
) -> DesiredState:
    """A configuration, sorted by name as `load` would hand it over."""
    return DesiredState(
        revision=revision,
        pools=tuple(sorted(pools, key=lambda p: p.name)),
        l2_advertisements=tuple(sorted(l2, key=lambda a: a.name)),
        bgp_advertisements=tuple(sorted(bgp, key=lambda a: a.name)),
        peers=tuple(sorted(peers, key=lambda p: p.name)),
    )


def observed(
    *services: Service,
    nodes: Iterable[Node] = (),
    endpoints: Mapping[str, Iterable[Endpoint]] | None = None,
    namespaces: Mapping[str, Mapping[str, str]] | None = None,
) -> ObservedState:
    """A snapshot, sorted as `observe` would hand it over."""
    named: dict[str, Labels] = {name: labels_of(pairs.items()) for name, pairs in (namespaces or {}).items()}
    return ObservedState(
        services=tuple(sorted(services, key=lambda s: s.key)),
        endpoints={ServiceKey(key): tuple(found) for key, found in (endpoints or {}).items()},
        nodes=tuple(sorted(nodes, key=lambda n: n.name)),
        namespaces=named,
    )
