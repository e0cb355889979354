"""What a node tells its BGP peers: the decision table of MetalLB, merging, families, and peers by node."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from reconciler.model.advertisements import BGPAdvertisement
from reconciler.model.announcements import Announcement
from reconciler.model.observed import Node, NodeName, ObservedState, Service
from reconciler.model.peers import BGPPeer
from reconciler.model.settings import DrainSettings, Settings
from reconciler.placement.decisions import Placement, Protocol
from reconciler.placement.place import place, place_nodes, speakers
from tests.builders import desired, observed, pool, selector, service
from tests.placement.builders import answer, bgp, endpoints, l2, members, node, nodes, peer, route, spoken

POOL = pool("p", "10.20.30.0/24")
DUAL_POOL = pool("p", "10.20.30.0/24", "2001:db8::/64")
TOR = peer("tor")
HERE = NodeName("here")
BOTH = nodes("here there")


def web(ingress: str = "10.20.30.1", *, local: bool = False, app: str = "web", name: str = "web") -> Service:
    return service(f"shop/{name}", ingress=ingress, local=local, labels={"app": app})


def cluster(*found: Service, on: str = "there", known: Iterable[Node] = BOTH) -> ObservedState:
    return observed(*found, nodes=known, endpoints={s.key: endpoints(on) for s in found})


def told(
    state: ObservedState,
    ads: Iterable[BGPAdvertisement],
    peers: Iterable[BGPPeer] = (TOR,),
    on: NodeName = HERE,
    *,
    dual: bool = False,
) -> frozenset[Announcement]:
    """The routes of one node, whichever way it is asked."""
    config = desired(DUAL_POOL if dual else POOL, bgp=ads, peers=peers)
    alone = place(config, state, speakers(state), on)
    (among_others,) = place_nodes(config, state, speakers(state), [on])
    assert among_others.placed == alone.placed
    return alone.announcements


def reason(found: Service, on: str, ads: Iterable[BGPAdvertisement], here: Node, *, ignore: bool = False) -> str:
    state = cluster(found, on=on, known=[here, node("there")])
    drain = Settings(drain=DrainSettings(("maintenance",)))
    config = replace(desired(POOL, bgp=ads, peers=[TOR]), settings=drain)
    return answer(place(config, state, speakers(state), HERE, ignore_exclude_label=ignore), Protocol.BGP)


def test_s_b_01_a_peer_without_services_is_kept_and_told_nothing() -> None:
    found = place(desired(POOL, bgp=[bgp()], peers=[TOR]), cluster(), members("here"), HERE)
    assert found == Placement(HERE, peers=frozenset({TOR}))


def test_s_b_02_every_peer_of_every_node_hears_of_a_cluster_service() -> None:
    peers = [peer("tor-a"), peer("tor-b")]
    for name in (HERE, NodeName("there")):
        assert told(cluster(web()), [bgp()], peers, name) == {
            route("10.20.30.1/32", "tor-a"),
            route("10.20.30.1/32", "tor-b"),
        }


@pytest.mark.parametrize(
    ("local", "on", "expected"),
    [
        pytest.param(True, "there", "noLocalEndpoints", id="S-B-03 Local with the endpoint elsewhere"),
        pytest.param(True, "there here", "", id="S-B-04 Local once an endpoint is here"),
        pytest.param(False, "", "noEndpoints", id="S-B-05 no endpoint"),
        pytest.param(False, "-here -there", "noEndpoints", id="S-B-05 none that can serve"),
        pytest.param(False, "-there there", "", id="S-B-06 once unready and once ready"),
        pytest.param(False, "?", "", id="an endpoint on no node counts for Cluster"),
        pytest.param(True, "?", "noLocalEndpoints", id="and not for Local"),
        pytest.param(False, "~here", "noEndpoints", id="an endpoint without an address does not count"),
        pytest.param(True, "~here there", "noLocalEndpoints", id="nor does it for Local"),
        pytest.param(True, "-here", "noLocalEndpoints", id="the question of local endpoints comes first"),
    ],
)
def test_endpoints_decide(local: bool, on: str, expected: str) -> None:
    assert reason(web(local=local), on, [bgp()], node("here")) == expected


TWO_LENGTHS = [
    bgp("host", local_pref=100, communities="0:1234 0:2345"),
    bgp("aggregate", length=24, local_pref=1000),
]
HOST, AGGREGATE = (
    route("10.20.30.1/32", local_pref=100, communities="0:1234 0:2345"),
    route("10.20.30.0/24", local_pref=1000),
)


def test_s_b_07_each_advertisement_gives_its_own_route() -> None:
    assert told(cluster(web()), TWO_LENGTHS) == {HOST, AGGREGATE}


def test_s_b_08_an_advertisement_for_another_node_gives_none_here() -> None:
    ads = [TWO_LENGTHS[0], bgp("aggregate", length=24, local_pref=1000, nodes="there")]
    assert told(cluster(web()), ads) == {HOST}
    assert told(cluster(web()), ads, on=NodeName("there")) == {HOST, AGGREGATE}


def test_s_b_09_an_advertisement_for_one_peer() -> None:
    ads = [bgp("host", local_pref=100, peers="tor-a"), bgp("aggregate", length=24, local_pref=1000)]
    assert told(cluster(web()), ads, [peer("tor-a"), peer("tor-b")]) == {
        route("10.20.30.1/32", "tor-a", 100),
        route("10.20.30.0/24", "tor-a", 1000),
        route("10.20.30.0/24", "tor-b", 1000),
    }


def test_s_b_10_a_service_without_address_changes_nothing() -> None:
    state = cluster(web(), web("", name="pending"))
    assert told(state, TWO_LENGTHS) == {HOST, AGGREGATE}


def test_s_b_11_a_shared_address_is_told_as_long_as_one_service_has_it() -> None:
    first, second = web(), web(name="second")
    config = desired(POOL, bgp=[bgp()], peers=[TOR])
    both = place(config, cluster(first, second), members("here"), HERE)
    assert [p.service for p in both.placed] == ["shop/second", "shop/web"]
    assert both.announcements == told(cluster(second), [bgp()]) == {route("10.20.30.1/32")}


def test_s_b_12_removing_a_peer_leaves_the_others() -> None:
    peers = [peer("tor-a"), peer("tor-b")]
    state = cluster(web())
    before = place(desired(POOL, bgp=[bgp()], peers=peers), state, members("here"), HERE)
    after = place(desired(POOL, bgp=[bgp()], peers=peers[1:]), state, members("here"), HERE)
    assert before.peers - after.peers == {peers[0]}
    assert before.announcements - after.announcements == {route("10.20.30.1/32", "tor-a")}


@pytest.mark.parametrize(
    ("labels", "wanted", "kept"),
    [
        pytest.param({}, "bar", False, id="S-B-13 the node lacks the label"),
        pytest.param({"foo": "bar"}, "bar", True, id="S-B-13 the label is added"),
        pytest.param({"foo": "baz"}, "bar", False, id="S-B-13 the label changes"),
        pytest.param({"foo": "baz"}, "bar baz", True, id="S-B-13 the selector is widened"),
    ],
)
def test_a_peer_runs_on_the_nodes_it_selects(labels: dict[str, str], wanted: str, kept: bool) -> None:
    selective = peer("tor", node_selectors=[selector(None, foo=wanted.split())])
    state = cluster(web(), known=[node("here", labels)])
    found = place(desired(POOL, bgp=[bgp()], peers=[selective]), state, members("here"), HERE)
    assert found.peers == ({selective} if kept else set())
    assert bool(found.placed) == kept


def test_a_node_that_is_not_known_yet_keeps_the_peers_without_selectors_and_tells_nothing() -> None:
    selective = peer("tor-b", node_selectors=[selector({"foo": "bar"})])
    config = desired(POOL, bgp=[bgp()], peers=[TOR, selective])
    found = place(config, cluster(web(), known=nodes("there")), members("here"), HERE)
    assert found.peers == {TOR}
    assert found.placed == ()
    assert answer(found, Protocol.BGP) == "notOwner"


@pytest.mark.parametrize(
    ("here", "ignore", "expected"),
    [
        pytest.param(node("here", excluded=True), False, "nodeLabeledExcludeBalancers", id="S-B-14 excluded"),
        pytest.param(node("here", excluded=True), True, "", id="S-B-14 excluded, but that is ignored"),
        pytest.param(node("here", network_unavailable=True), True, "nodeNetworkUnavailable", id="no network"),
        pytest.param(
            node("here", network_unavailable=True, excluded=True), False, "nodeNetworkUnavailable", id="that is first"
        ),
        pytest.param(node("here", ready=False), False, "", id="a node that is not ready, but speaks"),
        pytest.param(node("here", taints="maintenance"), True, "nodeDrained", id="drained"),
        pytest.param(node("here", taints="node.kubernetes.io/unschedulable"), False, "", id="cordoned"),
        pytest.param(
            node("here", taints="maintenance", excluded=True), False, "nodeLabeledExcludeBalancers", id="label first"
        ),
    ],
)  # fmt: skip
def test_the_node_itself_decides(here: Node, ignore: bool, expected: str) -> None:
    assert reason(web(), "there", [bgp()], here, ignore=ignore) == expected


CONFLICT = "conflictingAdvertisements"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param({}, {}, CONFLICT, id="S-B-15 same node, same aggregation"),
        pytest.param({"nodes": "here"}, {"nodes": "there"}, "", id="S-B-16 disjoint nodes"),
        pytest.param({"nodes": "here"}, {"nodes": "nowhere"}, "", id="S-B-16 one selects no node"),
        pytest.param({"peers": "tor"}, {"peers": "other"}, "", id="S-B-16 disjoint peers"),
        pytest.param({"peers": "tor"}, {}, CONFLICT, id="S-B-17 one for all peers"),
        pytest.param({"peers": "tor"}, {"peers": "other tor"}, CONFLICT, id="S-B-17 overlapping peers"),
        pytest.param({"length": 24}, {}, "", id="other aggregation"),
        pytest.param({"length_v6": 64}, {}, CONFLICT, id="other aggregation in a family the pool lacks"),
        pytest.param({"services": "db"}, {}, "", id="one is for other Services"),
        pytest.param({"services": "web"}, {"services": "web db"}, CONFLICT, id="both select the Service"),
        pytest.param({"pools": "q"}, {}, "", id="one is for another pool"),
        pytest.param({"local_pref": 200}, {}, "", id="equal preferences"),
        pytest.param({"local_pref": 0}, {}, CONFLICT, id="unset is a preference of its own"),
    ],
)
def test_two_local_preferences(first: dict[str, str], second: dict[str, str], expected: str) -> None:
    options: dict[str, object] = {"local_pref": 100, **first}
    ads = [bgp("a", **options), bgp("b", local_pref=200, **second)]  # type: ignore[arg-type]  # one row, many fields
    assert reason(web(), "there", ads, node("here")) == expected


@pytest.mark.parametrize(
    ("length", "length_v6", "expected"),
    [(32, 128, CONFLICT), (24, 128, CONFLICT), (32, 64, CONFLICT), (24, 64, "")],
    ids=["neither differs", "only IPv4 differs", "only IPv6 differs", "both differ"],
)
def test_in_a_pool_of_both_families_both_lengths_must_differ(length: int, length_v6: int, expected: str) -> None:
    ads = [bgp("a", local_pref=100), bgp("b", local_pref=200, length=length, length_v6=length_v6)]
    state = cluster(web())
    found = place(desired(DUAL_POOL, bgp=ads, peers=[TOR]), state, members("here"), HERE)
    assert answer(found, Protocol.BGP) == expected


def test_s_b_18_an_advertisement_for_one_peer_and_one_that_does_not_exist() -> None:
    peers = [peer("tor-a"), peer("tor-b")]
    expected = {route("10.20.30.1/32", "tor-a")}
    assert told(cluster(web()), [bgp(peers="tor-a")], peers) == expected
    assert told(cluster(web()), [bgp(peers="ghost tor-a")], peers) == expected


def test_s_b_19_communities_of_overlapping_advertisements_are_a_union() -> None:
    ads = [bgp("a", communities="65000:200"), bgp("b", communities="65000:100 large:1:2:3")]
    assert told(cluster(web()), ads) == {route("10.20.30.1/32", communities="65000:100 65000:200 large:1:2:3")}


def test_a_merged_route_points_at_the_first_advertisement_by_name() -> None:
    config = desired(POOL, bgp=[bgp("b"), bgp("a", communities="65000:1")], peers=[TOR])
    found = place(config, cluster(web()), members("here"), HERE)
    assert [str(p.origin) for p in found.placed] == ["a.yaml:1:1"]


def test_services_that_share_an_address_are_told_as_one_route() -> None:
    ads = [bgp("a", services="a", communities="65000:1"), bgp("b", services="b", communities="65000:2")]
    state = cluster(web(app="a", name="a"), web(app="b", name="b"))
    assert told(state, ads) == {route("10.20.30.1/32", communities="65000:1 65000:2")}


def test_an_aggregate_over_two_pools_carries_the_higher_local_preference() -> None:
    pools = [pool("p", "10.20.30.0/25"), pool("q", "10.20.30.128/25")]
    ads = [bgp("p", length=24, local_pref=100), bgp("q", pools="q", length=24, local_pref=200, communities="65000:1")]
    for names in (("a", "b"), ("b", "a")):
        state = cluster(web("10.20.30.1", name=names[0]), web("10.20.30.129", name=names[1]))
        found = place(desired(*pools, bgp=ads, peers=[TOR]), state, members("here"), HERE)
        assert found.announcements == {route("10.20.30.0/24", local_pref=200, communities="65000:1")}


def test_many_addresses_of_one_aggregate_are_one_route() -> None:
    state = cluster(*(web(f"10.20.30.{n}", name=f"web-{n}") for n in range(1, 20)))
    assert told(state, [bgp(length=24)]) == {route("10.20.30.0/24")}


@pytest.mark.parametrize(
    ("peers", "expected", "why"),
    [
        pytest.param([peer("v4")], {"v4": "4"}, "peerFamilyMismatch", id="an IPv4 session"),
        pytest.param([peer("v6", "fe80::1")], {"v6": "6"}, "peerFamilyMismatch", id="an IPv6 session"),
        pytest.param([peer("dual", dual=True)], {"dual": "46"}, "", id="dualStackAddressFamily"),
        pytest.param([peer("net0", interface="net0")], {"net0": "46"}, "", id="unnumbered"),
        pytest.param([peer("v4"), peer("v6", "2001:db8:1::1")], {"v4": "4", "v6": "6"}, "", id="one session each"),
        pytest.param([], {}, "noPeer", id="no peer"),
    ],
)
def test_a_route_is_told_where_the_session_carries_its_family(
    peers: list[BGPPeer], expected: dict[str, str], why: str
) -> None:
    state = cluster(web("10.20.30.1 2001:db8::1"))
    prefixes = {"4": "10.20.30.1/32", "6": "2001:db8::1/128"}
    assert told(state, [bgp()], peers, dual=True) == {
        route(prefixes[family], name) for name, families in expected.items() for family in families
    }
    found = place(desired(DUAL_POOL, bgp=[bgp()], peers=peers), state, members("here"), HERE)
    assert [str(d.reason) for d in found.declined] == ([why] if why else [])


def test_prefixes_are_masked_to_the_length_of_their_family() -> None:
    state = cluster(web("10.20.30.77 2001:db8::1:2:3:4"))
    both = peer("tor", dual=True)
    assert told(state, [bgp(length=26, length_v6=96)], [both], dual=True) == {
        route("10.20.30.64/26"),
        route("2001:db8:0:0:1:2::/96"),
    }


def test_both_protocols_at_once_are_in_order_of_service_then_address() -> None:
    state = cluster(web("10.20.30.9 10.20.30.2", name="b"), web(name="a"), on="here")
    config = desired(POOL, bgp=[bgp()], l2=[l2(nodes="here")], peers=[peer("tor-b"), peer("tor-a")])
    found = place(config, state, members("here"), HERE)
    assert [(p.service, str(p.address), p.announcement) for p in found.placed] == [
        (f"shop/{name}", address, told)
        for name, address in (("a", "10.20.30.1"), ("b", "10.20.30.2"), ("b", "10.20.30.9"))
        for told in (
            spoken(address),
            route(f"{address}/32", "tor-a"),
            route(f"{address}/32", "tor-b"),
        )
    ]
    assert {str(p.origin) for p in found.placed} == {"bgp.yaml:1:1", "l2.yaml:1:1"}
