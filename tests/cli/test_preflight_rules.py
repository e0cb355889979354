"""What preflight finds on a host, and what it does not make a fuss about."""

from dataclasses import replace
from typing import Any

import pytest

from reconciler.addresses.family import Address, Family, parse_address
from reconciler.cli.preflight_facts import (
    Answer,
    Host,
    Inotify,
    Interface,
    Listener,
    Process,
    Wishes,
    wishes_of,
)
from reconciler.cli.preflight_findings import Level
from reconciler.cli.preflight_interface_rules import reason_unused
from reconciler.cli.preflight_rules import CAP_NET_BIND_SERVICE, CAP_NET_RAW, examine
from reconciler.l2.link_selection import compile_exclusion
from reconciler.l2.port import LinkState
from reconciler.model.advertisements import L2Advertisement
from reconciler.model.desired import DesiredState
from reconciler.model.peers import BFDProfile, BGPPeer
from reconciler.model.settings import (
    EXCLUDED_INTERFACES,
    BGPListenSettings,
    BGPSettings,
    FastFailureDetectionSettings,
    Settings,
)
from tests.builders import pool

EXCLUSION = compile_exclusion(EXCLUDED_INTERFACES)
LINK_LOCAL = bytes.fromhex("fe80000000000000000000fffe000001")
RAW = 1 << CAP_NET_RAW


def interface(name: str = "eth0", *, addresses: str = "", **facts: Any) -> Interface:
    """A link in good order; facts of LinkState and of Interface may be mixed."""
    of_link = {key: facts.pop(key) for key in list(facts) if key in LinkState.__struct_fields__}
    state = LinkState(**{"index": 2, "name": name, "mac": b"\2\0\0\0\0\1", "link_local": LINK_LOCAL, **of_link})
    return Interface(state, addresses=tuple(map(parse_address, addresses.split())), **facts)


def l2(name: str, pools: str, interfaces: str = "") -> L2Advertisement:
    return L2Advertisement(name, tuple(pools.split()), interfaces=tuple(interfaces.split()))


IPVS = interface("kube-ipvs0", has_arp=False)


def host(*interfaces: Interface, **facts: Any) -> Host:
    return Host(**{"interfaces": interfaces or (interface(),), "capabilities": RAW, **facts})


def listener(protocol: str, address: str, port: int, owner: Process | None = None) -> Listener:
    """`*` is every IPv4 address."""
    return Listener(protocol, Address(Family.IPV4, 0) if address == "*" else parse_address(address), port, owner)


WISHES = wishes_of(DesiredState(revision=""), EXCLUSION, is_given=False)


def wishes(**facts: Any) -> Wishes:
    """A pool of both families, announced everywhere; `facts` say what else the configuration has."""
    usual = {"pools": (pool("gold", "192.0.2.128/25", "2001:db8::/120"),), "l2_advertisements": (l2("l2", "gold"),)}
    return wishes_of(DesiredState(revision="1", **{**usual, **facts}), EXCLUSION)


SPEAKER = Process(7, "reconciler", "/usr/bin/python3 /usr/local/bin/reconciler speaker --config /etc/lb-reconciler")
OTHER = Process(8, "speaker", "/speaker --port=7472")


@pytest.mark.parametrize(
    ("found", "wanted", "expected"),
    [
        pytest.param(host(), WISHES, [], id="a node in good order"),
        pytest.param(host(), wishes(), [], id="the same with a configuration"),
        pytest.param(host(IPVS, interface()), WISHES, ["error strict-arp eth0"], id="IPVS without strictARP"),
        pytest.param(host(IPVS, interface(arp_ignore=1, arp_announce=2)), WISHES, [], id="IPVS with strictARP"),
        pytest.param(
            host(IPVS, interface(arp_ignore=1)), WISHES, ["error strict-arp eth0"], id="IPVS with half of strictARP"
        ),
        pytest.param(host(kube_proxy_mode="ipvs"), WISHES, ["error strict-arp eth0"], id="IPVS by kube-proxy's word"),
        pytest.param(host(kube_proxy_mode="nftables"), WISHES, [], id="another mode"),
        pytest.param(
            host(IPVS, interface(has_broadcast=False)), WISHES, [], id="IPVS, and a link where nobody asks by ARP"
        ),
        pytest.param(
            host(interface(rp_filter=1), interface("eth1", rp_filter=1), default_routes=frozenset({"eth0"})),
            WISHES,
            ["warning rp-filter eth1"],
            id="strict where the way back is another",
        ),
        pytest.param(
            host(interface("eth1", rp_filter=2), default_routes=frozenset({"eth0"})), WISHES, [], id="loose there"
        ),
        pytest.param(host(interface("eth1", rp_filter=1)), WISHES, [], id="strict on an island"),
        pytest.param(host(interface(), interface("eth1", mtu=9000)), WISHES, ["warning mtu-differs"], id="two MTUs"),
        pytest.param(host(interface(), interface("veth1", mtu=9000)), WISHES, [], id="that of a link that is not used"),
        pytest.param(
            host(interface(is_ipv6_disabled=True, link_local=None)),
            wishes(),
            ["error ipv6-disabled eth0"],
            id="no IPv6",
        ),
        pytest.param(host(interface(is_ipv6_disabled=True)), WISHES, [], id="no IPv6, and nobody wants it"),
        pytest.param(
            host(interface(link_local=None)), wishes(), ["warning no-link-local eth0"], id="no link-local address"
        ),
        pytest.param(host(interface("cali1")), WISHES, ["error no-interface"], id="nothing but interfaces of Pods"),
        pytest.param(
            host(interface(is_up=False)),
            wishes(l2_advertisements=(l2("l2", "gold", interfaces="eth0"),)),
            ["error no-interface", "warning interface-down eth0"],
            id="the one that is named is down",
        ),
        pytest.param(host(interface(has_carrier=False)), WISHES, ["warning interface-down eth0"], id="no cable"),
        pytest.param(
            host(interface(), interface("eth1", mtu=9000)),
            wishes(l2_advertisements=(l2("l2", "gold", interfaces="eth0 lan9"),)),
            ["info interface-missing lan9"],
            id="interfaces that are named",
        ),
        pytest.param(
            host(interface("cali1"), IPVS),
            wishes(l2_advertisements=()),
            [],
            id="interfaces are no matter without an L2Advertisement",
        ),
        pytest.param(
            host(interface("macvlan0", kind="macvlan")), WISHES, ["info virtual-interface macvlan0"], id="a macvlan"
        ),
        pytest.param(host(interface("pod7", kind="veth")), WISHES, ["info virtual-interface pod7"], id="a pair"),
        pytest.param(host(interface("wlan0", kind="wlan")), WISHES, ["warning wireless wlan0"], id="radio"),
        pytest.param(host(capabilities=0), WISHES, ["error no-net-raw"], id="no NET_RAW"),
    ],
)
def test_interfaces_and_rights(found: Host, wanted: Wishes, expected: list[str]) -> None:
    assert told(found, wanted) == expected


def told(found: Host, wanted: Wishes = WISHES) -> list[str]:
    return [f"{one.level} {one.code} {one.subject}".strip() for one in examine(found, wanted)]


LISTENS = Settings(bgp=BGPSettings(listen=BGPListenSettings(enabled=True)))


@pytest.mark.parametrize(
    ("capabilities", "first_unprivileged", "expected"),
    [
        (RAW, 1024, ["error no-net-bind-service"]),
        (RAW | 1 << CAP_NET_BIND_SERVICE, 1024, []),
        (RAW, 0, []),
    ],
)
def test_the_port_of_bgp_needs_a_right_of_its_own(
    capabilities: int, first_unprivileged: int, expected: list[str]
) -> None:
    found = host(capabilities=capabilities, first_unprivileged_port=first_unprivileged)
    assert told(found, wishes(settings=LISTENS)) == expected
    assert told(replace(found, capabilities=RAW), wishes()) == []


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        pytest.param(listener("tcp", "*", 7947), ["error port-taken tcp/7947"], id="the port of the group"),
        pytest.param(listener("udp", "192.0.2.1", 7947), ["error port-taken udp/7947"], id="the same by UDP"),
        pytest.param(listener("udp", "::", 7947), ["error port-taken udp/7947"], id="by IPv6 on every address"),
        pytest.param(listener("tcp", "127.0.0.1", 7947), [], id="a socket of the loopback leaves it free"),
        pytest.param(listener("tcp", "127.0.0.1", 7472), ["error port-taken tcp/7472"], id="health and metrics"),
        pytest.param(listener("tcp", "192.0.2.1", 7472), [], id="MetalLB on the node's address"),
        pytest.param(listener("udp", "*", 7948), ["error port-taken udp/7948"], id="fast failure detection"),
        pytest.param(listener("tcp", "*", 179), ["error port-taken tcp/179"], id="BGP"),
        pytest.param(listener("udp", "*", 3784), ["error port-taken udp/3784"], id="BFD"),
        pytest.param(listener("udp", "*", 4784), ["error port-taken udp/4784"], id="BFD over several hops"),
        pytest.param(listener("udp", "*", 179), [], id="another protocol"),
        pytest.param(listener("tcp", "*", 7947, SPEAKER), [], id="a speaker of ours"),
    ],
)
def test_ports_that_are_taken(held: Listener, expected: list[str]) -> None:
    settings = replace(LISTENS, fast_failure_detection=FastFailureDetectionSettings(enabled=True))
    peers = (
        BGPPeer("a", 64512, 64500, bfd=BFDProfile("fast")),
        BGPPeer("b", 64512, 64501, bfd=BFDProfile("fast"), ebgp_multi_hop=True),
    )
    wanted = wishes(settings=settings, peers=peers)
    assert told(host(listeners=(held,), first_unprivileged_port=0), wanted) == expected


@pytest.mark.parametrize("port", [179, 3784, 4784, 7948])
def test_ports_that_nobody_wants_may_be_taken(port: int) -> None:
    taken = tuple(listener(protocol, "*", port) for protocol in ("tcp", "udp"))
    assert told(host(listeners=taken), wishes()) == []


def test_who_holds_a_port_is_named_where_it_can_be_seen() -> None:
    (seen,) = examine(host(listeners=(listener("tcp", "*", 7947, Process(9, "nc")),)), WISHES)
    (unseen,) = examine(host(listeners=(listener("tcp", "*", 7947),)), WISHES)
    assert "nc (process 9) listens" in seen.message
    assert "a process that cannot be seen from here listens" in unseen.message


@pytest.mark.parametrize(
    ("process", "expected"),
    [
        (OTHER, ["warning other-announcer MetalLB"]),
        (Process(1, "kube-vip", "/kube-vip manager"), ["warning other-announcer kube-vip"]),
        (Process(1, "keepalived"), ["warning other-announcer keepalived"]),
        (Process(1, "cilium-agent"), ["warning other-announcer Cilium"]),
        (Process(1, "bgpd"), ["warning other-announcer FRR"]),
        (Process(1, "bird"), ["warning other-announcer BIRD"]),
        (SPEAKER, ["info speaker-runs"]),
        (Process(1, "speaker-test", "speaker-test -t wav"), []),
        (Process(1, "reconciler", "python reconciler preflight"), []),
    ],
)
def test_others_that_announce(process: Process, expected: list[str]) -> None:
    assert told(host(processes=(process, replace(process, pid=99)))) == expected


def test_what_cannot_be_seen_is_said_and_shows_by_its_ports() -> None:
    ports = (listener("tcp", "*", 179), listener("tcp", "*", 7946))
    assert told(host(listeners=ports, sees_all_processes=False)) == [
        "warning other-announcer tcp/179",
        "warning other-announcer tcp/7946",
        "info processes-unseen",
    ]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        pytest.param(interface(addresses="192.0.2.200"), ["error address-on-host 192.0.2.200"], id="of a pool"),
        pytest.param(interface(addresses="2001:db8::7"), ["error address-on-host 2001:db8::7"], id="an IPv6 one"),
        pytest.param(interface(addresses="192.0.2.10 fe80::1"), [], id="of no pool"),
        pytest.param(interface("kube-ipvs0", addresses="192.0.2.200"), ["error no-interface"], id="of kube-proxy"),
    ],
)
def test_addresses_of_pools_on_this_host(where: Interface, expected: list[str]) -> None:
    assert told(host(replace(where, arp_ignore=1, arp_announce=2)), wishes()) == expected


def test_an_address_that_somebody_has_and_a_link_where_nobody_could_be_asked() -> None:
    answer = Answer(parse_address("192.0.2.200"), "02:00:00:00:00:ff", "eth0")
    found = examine(host(answers=(answer,), unprobed=(("eth1", "no right"),)), WISHES)
    assert [(one.level, one.code, one.subject, one.message) for one in found] == [
        (Level.ERROR, "address-in-use", "192.0.2.200", "02:00:00:00:00:ff answers for it on eth0"),
        (Level.WARNING, "not-probed", "eth1", "nobody could be asked on it: no right"),
    ]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param({"is_clock_synchronized": False}, ["warning clock"], id="a clock of its own"),
        pytest.param({"is_clock_synchronized": None}, [], id="a clock of which the kernel does not tell"),
        pytest.param({"unreachable_seeds": (("a:1", "refused"),)}, ["error seed-unreachable a:1"], id="a seed"),
        pytest.param({"inotify": Inotify(128, 100, error="Too many open files")}, ["error inotify"], id="no instance"),
        pytest.param(
            {"inotify": Inotify(128, 1000, instances=127, watches=899)},
            ["warning inotify fs.inotify.max_user_instances"],
            id="few instances",
        ),
        pytest.param(
            {"inotify": Inotify(128, 1000, instances=1, watches=900)},
            ["warning inotify fs.inotify.max_user_watches"],
            id="few watches",
        ),
    ],
)
def test_the_rest_of_the_host(facts: dict[str, Any], expected: list[str]) -> None:
    assert told(host(**facts)) == expected


def test_a_configuration_that_is_refused_is_said() -> None:
    assert told(host(), replace(WISHES, problems=3)) == ["warning configuration-refused"]


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (interface(), None),
        (interface("eth1"), "not-selected"),
        (interface("veth1"), "excluded"),
        (interface(is_enslaved=True), "enslaved"),
    ],
)
def test_why_an_interface_is_not_used(found: Interface, reason: str | None) -> None:
    wanted = wishes(l2_advertisements=(l2("l2", "gold", interfaces="eth0"),))
    assert reason_unused(found, wanted) == reason


def test_one_advertisement_without_interfaces_means_all_of_them() -> None:
    both = (l2("a", "gold", interfaces="eth0"), l2("b", "gold"))
    assert wishes(l2_advertisements=both).interfaces == frozenset()
    assert wishes().families == {Family.IPV4, Family.IPV6}


def test_every_finding_says_what_to_do() -> None:
    worst = host(
        IPVS,
        interface("eth1", mtu=1, has_carrier=False, kind="wlan"),
        interface("eth2", kind="macvlan"),
        capabilities=0,
        processes=(OTHER, SPEAKER),
        sees_all_processes=False,
        is_clock_synchronized=False,
        inotify=Inotify(1, 1, error="full"),
    )
    found = examine(worst, WISHES)
    assert len(found) > 9
    assert all(one.message and one.fix for one in found)
    assert [one.level for one in found] == sorted((one.level for one in found), key=list(Level).index)
