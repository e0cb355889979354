"""
What `reconciler preflight` says of the interfaces of a node: which are used, and what the kernel does there. Pure.

Settings of the kernel are those of ip-sysctl (net.ipv4.conf, net.ipv6.conf); fixes write those of an interface with
slashes, since the names of VLANs have dots of their own (sysctl(8)).
"""

from collections.abc import Iterator

from reconciler.addresses.family import Family
from reconciler.cli.preflight_facts import Host, Interface, Wishes
from reconciler.cli.preflight_findings import Finding, Level
from reconciler.l2.link_selection import NotUsed, speaks_arp, why_not_used

# Of kube-proxy and of kube-router: every address of a Service stands there.
IPVS_INTERFACES = ("kube-ipvs0", "kube-dummy-if")
_STRICT = 1
# ip-sysctl: to use no address of another interface as the sender of an ARP request.
_BEST_LOCAL = 2
_SHARED_BY_PARENT = frozenset({"macvlan", "ipvlan"})


def used_interfaces(host: Host, wishes: Wishes) -> tuple[Interface, ...]:
    """Those on which addresses would be announced by ARP and NDP, in the order of the kernel."""
    return tuple(found for found in host.interfaces if reason_unused(found, wishes) is None)


def reason_unused(interface: Interface, wishes: Wishes) -> str | None:
    """Why nothing would be announced on it, in the words of the status; None where something may be."""
    reason = why_not_used(interface.state, wishes.exclusion)
    if reason is not None:
        return reason.value
    return None if not wishes.interfaces or interface.name in wishes.interfaces else "not-selected"


def interface_findings(host: Host, wishes: Wishes) -> Iterator[Finding]:
    """Everything about interfaces; nothing where the configuration has no L2Advertisement."""
    if not wishes.uses_l2:
        return
    used = used_interfaces(host, wishes)
    yield from _selection(host, wishes, used)
    yield from _strict_arp(host, used)
    yield from _return_paths(host, used)
    yield from _mtu(used)
    if Family.IPV6 in wishes.families:
        yield from _ipv6(used)
    for interface in used:
        yield from _hints(interface)


def _selection(host: Host, wishes: Wishes, used: tuple[Interface, ...]) -> Iterator[Finding]:
    if not used:
        reasons = ", ".join(f"{found.name} is {reason_unused(found, wishes)}" for found in host.interfaces)
        yield Finding(
            Level.ERROR,
            "no-interface",
            "",
            f"no address can be announced on this node: {reasons or 'it has no interfaces'}",
            "name the right interfaces in spec.interfaces of the L2Advertisement, or change "
            "announcements.excludedInterfaces in the ReconcilerSettings; in a Pod, set hostNetwork",
        )
    for name in sorted(wishes.interfaces - {found.name for found in host.interfaces}):
        yield Finding(
            Level.INFO,
            "interface-missing",
            name,
            "an L2Advertisement names it, and this node has no such interface",
            "nothing, where other nodes have it; otherwise correct spec.interfaces",
        )
    for found in host.interfaces:
        if why_not_used(found.state, wishes.exclusion) is NotUsed.DOWN and found.name in wishes.interfaces:
            yield _no_carrier(found, "is down")
    for found in used:
        if not found.state.has_carrier:
            yield _no_carrier(found, "has no carrier")


def _no_carrier(interface: Interface, state: str) -> Finding:
    return Finding(
        Level.WARNING,
        "interface-down",
        interface.name,
        f"it {state}; while that is so of all that are used, other nodes announce",
        f"ip link set {interface.name} up, and look at the cable and the switch",
    )


def _strict_arp(host: Host, used: tuple[Interface, ...]) -> Iterator[Finding]:
    bound = next((found for found in host.interfaces if found.name in IPVS_INTERFACES), None)
    if bound is None and host.kube_proxy_mode != "ipvs":
        return
    where = IPVS_INTERFACES[0] if bound is None else bound.name
    for found in used:
        wrong = [
            *([f"arp_ignore is {found.arp_ignore}, not 1"] if found.arp_ignore < 1 else []),
            *([f"arp_announce is {found.arp_announce}, not 2"] if found.arp_announce < _BEST_LOCAL else []),
        ]
        if wrong and speaks_arp(found.state):
            yield Finding(
                Level.ERROR,
                "strict-arp",
                found.name,
                f"kube-proxy is in IPVS mode and binds every address of a Service to {where}, and "
                f"{' and '.join(wrong)}: every node answers ARP for every address",
                "set ipvs.strictARP: true in the configuration of kube-proxy and restart it; until then "
                "sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2",
            )


def _return_paths(host: Host, used: tuple[Interface, ...]) -> Iterator[Finding]:
    for found in used:
        if found.rp_filter == _STRICT and host.default_routes and found.name not in host.default_routes:
            yield Finding(
                Level.WARNING,
                "rp-filter",
                found.name,
                f"strict reverse path filtering: the way back to other networks is {_listed(host.default_routes)}, so "
                "packets of their clients that arrive here are dropped",
                f"sysctl -w net/ipv4/conf/{found.name}/rp_filter=2, or name {_listed(host.default_routes)} alone in "
                "spec.interfaces",
            )


def _mtu(used: tuple[Interface, ...]) -> Iterator[Finding]:
    sizes = {found.mtu for found in used}
    if len(sizes) > 1:
        each = ", ".join(f"{found.name} {found.mtu}" for found in used)
        yield Finding(
            Level.WARNING,
            "mtu-differs",
            "",
            f"addresses are announced on interfaces of different MTU ({each}): replies that leave by another one than "
            "the request came in on may be too large",
            "give them one MTU, or name one of them in spec.interfaces of the L2Advertisement",
        )


def _ipv6(used: tuple[Interface, ...]) -> Iterator[Finding]:
    for found in used:
        if found.is_ipv6_disabled:
            yield Finding(
                Level.ERROR,
                "ipv6-disabled",
                found.name,
                "a pool has IPv6 addresses, and IPv6 is disabled here: none can be announced",
                f"sysctl -w net/ipv6/conf/{found.name}/disable_ipv6=0, or announce on other interfaces",
            )
        elif found.state.link_local is None and found.state.has_carrier:
            yield Finding(
                Level.WARNING,
                "no-link-local",
                found.name,
                "a pool has IPv6 addresses, and this interface has no link-local address to announce them from",
                f"look at ip -6 addr show dev {found.name}: dadfailed means that another host has the address, none at "
                "all that addr_gen_mode is 1",
            )


def _hints(found: Interface) -> Iterator[Finding]:
    if found.kind in _SHARED_BY_PARENT:
        yield Finding(
            Level.INFO,
            "virtual-interface",
            found.name,
            f"a {found.kind}: it and the interface below it do not reach each other, so nothing on this host does",
            "announce on the interface below it, unless that is meant",
        )
    elif found.kind in {"veth", "tun"}:
        yield Finding(
            Level.INFO,
            "virtual-interface",
            found.name,
            f"a {found.kind}: most often it leads to a Pod or a tunnel, where no client is",
            "add a pattern for it to announcements.excludedInterfaces, or name the right ones in spec.interfaces",
        )
    elif found.kind == "wlan":
        yield Finding(
            Level.WARNING,
            "wireless",
            found.name,
            "many access points drop ARP for addresses that they do not know, and broadcasts to stations",
            "announce from nodes with a cable; where that cannot be, try ip link set promisc on",
        )


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
