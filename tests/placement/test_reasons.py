"""Every "no" has MetalLB's word, a sentence that says what to change, and a line in the documentation."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.model.advertisements import BGPAdvertisement, L2Advertisement
from reconciler.model.observed import Members, Node, NodeName, Service
from reconciler.model.peers import BGPPeer
from reconciler.model.pools import IPAddressPool
from reconciler.placement.decisions import Declined, DeclineReason, Protocol
from reconciler.placement.place import place
from tests.builders import desired, observed, pool, service
from tests.placement.builders import bgp, endpoints, l2, members, node, nodes, peer

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "decline-reasons.md"
POOLS = (pool("p", "10.20.30.0/24", "2001:db8::/64"), pool("q", "10.20.31.0/24"))
IRISES = nodes("iris1 iris2")
BOTH = members("iris1", "iris2")


def web(
    ingress: str = "10.20.30.1", *, local: bool = False, sharing_key: str = "", hostnames: Iterable[str] = ()
) -> Service:
    labels = {"app": "web"}
    return service(
        "shop/web", ingress=ingress, local=local, sharing_key=sharing_key, hostnames=hostnames, labels=labels
    )


def declined(
    found: Service,
    on: str = "iris2",
    *,
    l2: Iterable[L2Advertisement] = (),
    bgp: Iterable[BGPAdvertisement] = (),
    peers: Iterable[BGPPeer] = (),
    known: Iterable[Node] = IRISES,
    alive: Members = BOTH,
    pools: Iterable[IPAddressPool] = POOLS,
) -> tuple[Declined, ...]:
    """What iris1 declines."""
    state = observed(found, nodes=known, endpoints={found.key: endpoints(on)})
    return place(desired(*pools, l2=l2, bgp=bgp, peers=peers), state, alive, NodeName("iris1")).declined


def said(found: tuple[Declined, ...]) -> tuple[str, str]:
    (one,) = found
    return str(one.reason), one.message


@pytest.mark.parametrize(
    ("found", "reason", "message"),
    [
        pytest.param(web(""), "noIPAllocated", "it holds no address yet; see why the controller has given it none",
                     id="no address"),
        pytest.param(web("", hostnames=["lb.example.com"]), "invalidIP",
                     'its status holds "lb.example.com", which is no IP address; clear that entry', id="host name"),
        pytest.param(web("10.20.30.1", hostnames=["lb.example.com"]), "invalidIP",
                     'its status holds "lb.example.com", which is no IP address; clear that entry',
                     id="host name beside an address"),
        pytest.param(web("192.0.2.1"), "ipNotAllowed",
                     "192.0.2.1 is in no IPAddressPool; put it back into one, or clear the Service's status",
                     id="in no pool"),
        pytest.param(web("10.20.30.1 192.0.2.1"), "ipNotAllowed",
                     "192.0.2.1 is in no IPAddressPool; put it back into one, or clear the Service's status",
                     id="one of two in no pool"),
        pytest.param(web("10.20.31.1 2001:db8::1"), "ipNotAllowed",
                     "its addresses are in different IPAddressPools "
                     '(10.20.31.1 in "q", 2001:db8::1 in "p"); one pool must hold them all', id="two pools"),
    ],
)  # fmt: skip
def test_what_no_node_can_announce(found: Service, reason: str, message: str) -> None:
    assert said(declined(found, l2=[l2()])) == said(declined(found, bgp=[bgp()])) == (reason, message)
    assert [d.protocol for d in declined(found)] == ["l2", "bgp"]
    assert [d.protocol for d in declined(found, l2=[l2()], bgp=[bgp()])] == ["l2", "bgp"]


@pytest.mark.parametrize(
    ("found", "reason", "message"),
    [
        pytest.param(declined(web(), l2=[l2()]), "notOwner", '"iris2" wins the election for 10.20.30.1', id="lost"),
        pytest.param(declined(web("10.20.30.2"), l2=[l2(preferring={"iris1": 1, "iris2": 7})]), "notOwner",
                     '"iris2" wins the election for 10.20.30.2, preferred with a score of 7 against 1',
                     id="lost by preference"),
        pytest.param(declined(web(), "", l2=[l2()]), "notOwner",
                     "the Service has no endpoint; its selector must match a pod that is ready", id="no endpoint"),
        pytest.param(declined(web(), "-iris1", l2=[l2()]), "notOwner", "its endpoint is not ready", id="one unready"),
        pytest.param(declined(web(), "-iris1 -iris2", l2=[l2()]), "notOwner",
                     "none of its 2 endpoints is ready or serving", id="all unready"),
        pytest.param(declined(web(local=True), l2=[l2()]), "notOwner",
                     'externalTrafficPolicy is Local and no endpoint on "iris1" can serve; '
                     '"iris2" announces 10.20.30.1', id="no local endpoint"),
        pytest.param(declined(web(local=True), "?", l2=[l2()]), "notOwner",
                     'externalTrafficPolicy is Local and no endpoint on "iris1" can serve; '
                     "no other node can announce", id="no local endpoint anywhere"),
        pytest.param(declined(web(), l2=[l2()], known=nodes("-iris1 iris2")), "notOwner",
                     '"iris1" carries the label node.kubernetes.io/exclude-from-external-load-balancers; '
                     'remove it to let the node announce; "iris2" announces 10.20.30.1', id="excluded"),
        pytest.param(declined(web(), l2=[l2()], known=[node("iris1", network_unavailable=True)]), "notOwner",
                     '"iris1" has the condition NetworkUnavailable; no other node can announce', id="no network"),
        pytest.param(declined(web(), l2=[l2()], alive=members("iris2")), "notOwner",
                     'no speaker is alive on "iris1"; "iris2" announces 10.20.30.1', id="no speaker"),
        pytest.param(declined(web(), l2=[l2(interfaces="eth1 eth0")], alive=members("iris2", iris1="-eth0 lan")),
                     "notOwner", '"iris1" has no interface eth0, eth1 that is up; "iris2" announces 10.20.30.1',
                     id="no selected link"),
        pytest.param(declined(web(), l2=[l2()], alive=members("iris2", iris1="")),
                     "notOwner", '"iris1" has no interface that is up; "iris2" announces 10.20.30.1', id="no link"),
        pytest.param(declined(web(sharing_key="k"), l2=[l2(services="web")]), "sharedIPWithServiceSelector",
                     "the annotation metallb.io/allow-shared-ip does not go with serviceSelectors, which "
                     'L2Advertisement "l2" has; take one of them away', id="shared"),
        pytest.param(declined(web(), l2=[l2(pools="q")]), "noMatchingAdvertisement",
                     'no L2Advertisement covers IPAddressPool "p"; add one, or name the pool in one that exists',
                     id="other pool"),
        pytest.param(declined(web(), l2=[l2("a", services="db"), l2("b", services="x")]), "noMatchingAdvertisement",
                     'the serviceSelectors of L2Advertisement "a", "b" do not match the labels of the Service',
                     id="other Services"),
        pytest.param(declined(web(), l2=[l2(nodes="iris2")]), "noMatchingAdvertisement",
                     'the nodeSelectors of L2Advertisement "l2" do not match the labels of Node "iris1"',
                     id="other nodes"),
        pytest.param(declined(web(), l2=[l2()], known=nodes("iris2")), "noMatchingAdvertisement",
                     'the cluster has no Node "iris1"', id="unknown node"),
    ],
)  # fmt: skip
def test_what_a_node_says_of_layer_2(found: tuple[Declined, ...], reason: str, message: str) -> None:
    assert said(found) == (reason, message)
    assert found[0].protocol is Protocol.L2


TOR = [peer("tor")]


@pytest.mark.parametrize(
    ("found", "reason", "message"),
    [
        pytest.param(declined(web(), bgp=[bgp(nodes="iris2")], peers=TOR), "notOwner",
                     'the nodeSelectors of BGPAdvertisement "bgp" do not match the labels of Node "iris1"',
                     id="other nodes"),
        pytest.param(declined(web(), bgp=[bgp(services="db")], peers=TOR), "noMatchingAdvertisement",
                     'the serviceSelectors of BGPAdvertisement "bgp" do not match the labels of the Service',
                     id="other Services"),
        pytest.param(declined(web(), bgp=[bgp("a", services="db"), bgp("b", nodes="iris2")], peers=TOR),
                     "noMatchingAdvertisement",
                     'the nodeSelectors of BGPAdvertisement "b" do not match the labels of Node "iris1"',
                     id="the one for this node is for other Services"),
        pytest.param(declined(web(), bgp=[bgp("a", local_pref=1), bgp("b"), bgp("c", length=24)], peers=TOR),
                     "conflictingAdvertisements",
                     'BGPAdvertisement "a" (localPref 1) and "b" (localPref 0) would give one route to one peer two '
                     "local preferences; make them equal, or give them other aggregation lengths or other peers",
                     id="conflict"),
        pytest.param(declined(web(), bgp=[bgp()], peers=TOR, known=[node("iris1", network_unavailable=True)]),
                     "nodeNetworkUnavailable", '"iris1" has the condition NetworkUnavailable', id="no network"),
        pytest.param(declined(web(), bgp=[bgp()], peers=TOR, known=nodes("-iris1")), "nodeLabeledExcludeBalancers",
                     '"iris1" carries the label node.kubernetes.io/exclude-from-external-load-balancers; '
                     "remove it to let the node announce", id="excluded"),
        pytest.param(declined(web(local=True), bgp=[bgp()], peers=TOR), "noLocalEndpoints",
                     'externalTrafficPolicy is Local and no endpoint on "iris1" can serve', id="no local endpoint"),
        pytest.param(declined(web(), "", bgp=[bgp()], peers=TOR), "noEndpoints",
                     "the Service has no endpoint; its selector must match a pod that is ready", id="no endpoint"),
        pytest.param(declined(web(), "~iris1", bgp=[bgp()], peers=TOR), "noEndpoints",
                     "none of its serving endpoints has an address", id="no address of an endpoint"),
        pytest.param(declined(web(), bgp=[bgp()]), "noPeer",
                     'no BGPPeer has a session on "iris1"; look at the names and at their nodeSelectors', id="no peer"),
        pytest.param(declined(web(), bgp=[bgp(peers="tro spine")], peers=TOR), "noPeer",
                     'none of the BGPPeers spine, tro has a session on "iris1"; '
                     "look at the names and at their nodeSelectors", id="misspelt peers"),
        pytest.param(declined(web("2001:db8::1"), bgp=[bgp()], peers=TOR), "peerFamilyMismatch",
                     'no session carries 2001:db8::1: the peers are "tor" (IPv4); add one of that family, '
                     "or set dualStackAddressFamily", id="family"),
        pytest.param(declined(web(), bgp=[bgp(pools="q")], peers=TOR), "notOwner",
                     'no BGPAdvertisement covers IPAddressPool "p"; add one, or name the pool in one that exists',
                     id="other pool"),
    ],
)  # fmt: skip
def test_what_a_node_says_of_bgp(found: tuple[Declined, ...], reason: str, message: str) -> None:
    assert said(found) == (reason, message)
    assert found[0].protocol is Protocol.BGP


def test_peers_are_named_in_order_whatever_the_order_of_the_files() -> None:
    state = observed(web("2001:db8::1"), nodes=IRISES, endpoints={"shop/web": endpoints("iris1")})
    config = replace(desired(*POOLS, bgp=[bgp()]), peers=(peer("tor-b"), peer("tor-a")))
    _, message = said(place(config, state, BOTH, NodeName("iris1")).declined)
    assert '"tor-a" (IPv4), "tor-b" (IPv4)' in message


def test_a_protocol_that_does_not_serve_the_pool_says_nothing() -> None:
    found = declined(web(), l2=[l2()], bgp=[bgp(pools="q")])
    assert [(d.protocol, str(d.reason)) for d in found] == [("l2", "notOwner")]


def test_a_configuration_without_advertisements_is_the_first_thing_to_say() -> None:
    found = declined(web())
    assert [(d.protocol, str(d.reason)) for d in found] == [("l2", "noMatchingAdvertisement"), ("bgp", "notOwner")]
    assert {d.message for d in found} == {
        'no L2Advertisement or BGPAdvertisement covers IPAddressPool "p"; add one, or name the pool in one that exists'
    }


@pytest.mark.parametrize(
    ("found", "lb_class"),
    [
        pytest.param(service("shop/web", ingress="10.20.30.1", type="ClusterIP"), "", id="another type"),
        pytest.param(service("shop/web", ingress="10.20.30.1", load_balancer_class="x"), "", id="another class"),
        pytest.param(service("shop/web", ingress="10.20.30.1", load_balancer_class="x"), "y", id="a class not served"),
        pytest.param(service("shop/web", ingress="10.20.30.1"), "y", id="no class where one is served"),
    ],
)  # fmt: skip
def test_services_of_others_are_left_alone(found: Service, lb_class: str) -> None:
    state = observed(found, nodes=IRISES, endpoints={found.key: endpoints("iris1")})
    config = desired(*POOLS, l2=[l2()], bgp=[bgp()], peers=TOR)
    for name in ("iris1", "iris2"):
        placement = place(config, state, BOTH, NodeName(name), lb_class=lb_class)
        assert (placement.placed, placement.declined) == ((), ())
    served = place(config, state, BOTH, NodeName("iris2"), lb_class="x")
    assert bool(served.placed) == (found.load_balancer_class == "x")


def test_an_address_in_the_pool_is_announced_though_avoid_buggy_ips_would_not_hand_it_out() -> None:
    buggy = [pool("p", "10.20.30.0/24", avoid_buggy_ips=True)]
    assert said(declined(web("10.20.30.0"), l2=[l2(preferring={"iris2": 1})], pools=buggy))[0] == "notOwner"


def test_every_reason_is_documented_and_no_other() -> None:
    documented = re.findall(r"^## `(\w+)`$", DOCUMENTATION.read_text(encoding="utf-8"), re.MULTILINE)
    assert documented == [str(reason) for reason in DeclineReason]
