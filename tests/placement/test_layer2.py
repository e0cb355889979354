"""Who announces by ARP and NDP: the decision table of MetalLB, and where it is asked for more."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.model.advertisements import L2Advertisement
from reconciler.model.observed import Members, Node, NodeName, ObservedState, Service
from reconciler.model.settings import DrainSettings, Settings
from reconciler.placement.decisions import Protocol
from reconciler.placement.place import explain_service, place, place_nodes, speakers
from tests.builders import desired, observed, pool, service
from tests.placement.builders import answer, endpoints, l2, members, node, nodes, spoken

POOL = pool("p", "10.20.30.0/24", "2001:db8::/64")
IRISES = nodes("iris1 iris2")


def web(ingress: str = "10.20.30.1", *, local: bool = False, app: str | None = None, sharing_key: str = "") -> Service:
    labels = {"app": app} if app else None
    return service("shop/web", ingress=ingress, local=local, labels=labels, sharing_key=sharing_key)


def cluster(found: Service, on: str, known: Iterable[Node] = IRISES) -> ObservedState:
    return observed(found, nodes=known, endpoints={found.key: endpoints(on)})


def answers(
    found: Service,
    on: str,
    ads: Iterable[L2Advertisement],
    known: Iterable[Node],
    speaking: Members | None = None,
    *,
    ignore: bool = False,
) -> dict[str, str]:
    """What every node would log, empty where it announces; by each way there is to ask."""
    snapshot, config = cluster(found, on, known), desired(POOL, l2=ads)
    alive = speakers(snapshot) if speaking is None else speaking
    explained = {
        p.node: answer(p, Protocol.L2)
        for p in place_nodes(
            config, snapshot, alive, [n.name for n in known], ignore_exclude_label=ignore, explain=True
        )
    }
    for name, reason in explained.items():
        alone = place(config, snapshot, alive, name, ignore_exclude_label=ignore, explain=False)
        assert bool(alone.placed) == (reason == "")
        assert alone.declined == ()
    return {str(name): reason for name, reason in explained.items()}


EVERYWHERE = [l2()]
SELECTIVE = [l2(services="web")]
SPLIT = [l2("foo", nodes="iris1", services="foo"), l2("bar", nodes="iris2", services="bar")]
NO_MATCH = "noMatchingAdvertisement"
SHARED = "sharedIPWithServiceSelector"


@pytest.mark.parametrize(
    ("found", "on", "ads", "known", "expected"),
    [
        pytest.param(
            web(local=True), "iris1 iris1", EVERYWHERE, "iris1 iris2", ("", "notOwner"),
            id="S-L2-01 Local: only the node with endpoints stands",
        ),
        pytest.param(
            web(local=True), "-iris1 -iris2", EVERYWHERE, "iris1 iris2", ("notOwner", "notOwner"),
            id="S-L2-02 Local: nobody announces without an endpoint that can serve",
        ),
        pytest.param(
            web(local=True), "iris1 iris2", EVERYWHERE, "iris1 iris2", ("notOwner", ""),
            id="S-L2-03 Local: an endpoint that only serves counts like a ready one",
        ),
        pytest.param(
            web(local=True), "iris1 -iris2", EVERYWHERE, "iris1 iris2", ("", "notOwner"),
            id="S-L2-04 Local: a node whose endpoint is not ready does not stand",
        ),
        pytest.param(
            web(), "iris1", EVERYWHERE, "iris1 iris2", ("notOwner", ""),
            id="S-L2-05 Cluster: the place of the endpoint does not matter",
        ),
        pytest.param(
            web(), "iris1", [l2(nodes="iris1")], "iris1 iris2", ("", NO_MATCH),
            id="S-L2-06 an advertisement for one node",
        ),
        pytest.param(
            web(local=True), "iris1", [l2("a", nodes="iris1"), l2("b", nodes="iris2")], "iris1 iris2", ("", "notOwner"),
            id="S-L2-07 two advertisements for a node each, endpoint on one",
        ),
        pytest.param(
            web(local=True), "iris1", [l2(nodes="iris2")], "iris1 iris2", (NO_MATCH, "notOwner"),
            id="S-L2-08 endpoint on one node, advertisement for the other",
        ),
        pytest.param(
            web(), "iris1 iris2", EVERYWHERE, "iris1 -iris2", ("", "notOwner"),
            id="S-L2-09 a node labelled for exclusion does not stand",
        ),
        pytest.param(
            web(), "iris1 iris2", EVERYWHERE, "-iris1 -iris2", ("notOwner", "notOwner"),
            id="S-L2-10 all nodes excluded",
        ),
        pytest.param(
            web(app="nginx"), "iris1", [l2(services="apache")], "iris1 iris2", (NO_MATCH, NO_MATCH),
            id="S-L2-16 service selectors that do not match",
        ),
        pytest.param(
            web(app="nginx"), "iris1", [l2(services="apache nginx")], "iris1 iris2", ("notOwner", ""),
            id="S-L2-17 one of two service selectors matches",
        ),
        pytest.param(
            web(app="web", sharing_key="k"), "iris1", SELECTIVE, "iris1 iris2", (SHARED, SHARED),
            id="S-L2-18 a shared address does not go with service selectors",
        ),
        pytest.param(
            web(app="web", sharing_key="k"), "iris1", EVERYWHERE, "iris1 iris2", ("notOwner", ""),
            id="S-L2-19 a shared address and no service selectors",
        ),
        pytest.param(
            web(app="foo"), "iris1", SPLIT, "iris1 iris2", ("", NO_MATCH),
            id="S-L2-20 the advertisement that matches the Service decides the nodes",
        ),
        pytest.param(
            web(app="other", sharing_key="k"), "iris1", [l2("a"), l2("b", services="web")], "iris1 iris2",
            ("notOwner", ""), id="a shared address is held against matching advertisements only",
        ),
        pytest.param(
            web(app="web", sharing_key="k"), "iris1", [l2(services="web", nodes="iris1")], "iris1 iris2",
            (SHARED, SHARED), id="the question of sharing comes before that of nodes",
        ),
        pytest.param(
            web(app="web", sharing_key="k"), "-iris1", SELECTIVE, "iris1 iris2", ("notOwner", "notOwner"),
            id="and after that of endpoints",
        ),
        pytest.param(
            web(), "?", EVERYWHERE, "iris1 iris2", ("notOwner", ""),
            id="Cluster: an endpoint on no node counts",
        ),
        pytest.param(
            web(local=True), "?", EVERYWHERE, "iris1 iris2", ("notOwner", "notOwner"),
            id="Local: an endpoint on no node does not",
        ),
        pytest.param(
            web(), "~iris1", EVERYWHERE, "iris1 iris2", ("notOwner", ""),
            id="an endpoint without an address is good enough for Layer 2",
        ),
        pytest.param(
            web(), "iris1", [l2(pools="other")], "iris1 iris2", (NO_MATCH, NO_MATCH),
            id="no advertisement of the pool",
        ),
        pytest.param(
            web("2001:db8::2 10.20.30.1"), "iris1", EVERYWHERE, "iris1 iris2", ("", "notOwner"),
            id="dual stack: the first address in the status decides",
        ),
    ],
)  # fmt: skip
def test_which_node_announces(
    found: Service, on: str, ads: list[L2Advertisement], known: str, expected: tuple[str, str]
) -> None:
    assert answers(found, on, ads, nodes(known)) == dict(zip(("iris1", "iris2"), expected, strict=True))


def test_s_l2_11_excluded_nodes_stand_when_the_label_is_ignored() -> None:
    found = answers(web(local=True), "iris1", EVERYWHERE, nodes("-iris1 -iris2"), ignore=True)
    assert found == {"iris1": "", "iris2": "notOwner"}


@pytest.mark.parametrize(
    ("ingress", "winner"), [("10.20.30.1", "iris2"), ("10.20.30.2", "iris1")], ids=["first", "second"]
)
def test_s_l2_12_local_services_with_endpoints_everywhere_are_spread(ingress: str, winner: str) -> None:
    found = answers(web(ingress, local=True), "iris1 iris2", EVERYWHERE, IRISES)
    assert found == {name: "" if name == winner else "notOwner" for name in ("iris1", "iris2")}


def test_s_l2_13_the_number_of_endpoints_does_not_matter() -> None:
    found = answers(web(local=True), "iris1 iris1 iris2", EVERYWHERE, IRISES)
    assert found == {"iris1": "notOwner", "iris2": ""}


def test_s_l2_14_without_membership_every_node_that_is_ready_counts_as_a_speaker() -> None:
    known = [*IRISES, node("iris3", ready=False)]
    found = answers(web(local=True), "iris1 iris3", EVERYWHERE, known)
    assert found == {"iris1": "", "iris2": "notOwner", "iris3": "notOwner"}


def test_s_l2_15_every_address_has_one_owner_and_sharers_have_the_same() -> None:
    last_octets = range(1, 256)
    services = [
        service(f"shop/{name}-{n:03}", ingress=f"10.20.30.{n}", sharing_key="k") for n in last_octets for name in "ab"
    ]
    found = observed(
        *services,
        nodes=IRISES,
        endpoints={s.key: endpoints("iris1" if s.name.startswith("a") else "iris2") for s in services},
    )
    placements = tuple(place_nodes(desired(POOL, l2=EVERYWHERE), found, speakers(found)))
    owned = {p.node: {placed.address for placed in p.placed} for p in placements}
    assert {name: len(addresses) for name, addresses in owned.items()} == {"iris1": 134, "iris2": 121}
    assert owned[NodeName("iris1")].isdisjoint(owned[NodeName("iris2")])
    assert [len(p.placed) for p in placements] == [268, 242]
    assert [len(p.announcements) for p in placements] == [134, 121]


def test_s_l2_24_weights_of_several_advertisements_add_up() -> None:
    ads = [l2("x", preferring={"a": 70}), l2("y", preferring={"a": 30, "b": 50})]
    found = explain_service(
        desired(POOL, l2=ads), cluster(web(), "a", nodes("a b c")), members("a", "b", "c"), web().key
    )
    assert [(c.node, c.rank, c.score) for c in found.candidacies] == [("a", 1, 100), ("b", 2, 50), ("c", 3, 0)]


@pytest.mark.parametrize(
    ("ads", "winner"),
    [
        pytest.param([l2(preferring={"iris1": 1})], "iris1", id="the least weight beats the hash"),
        pytest.param(
            [l2("a", nodes="iris2", preferring={"iris1": 100}), l2("b")], "iris2",
            id="a weight counts only for nodes that its own advertisement lists",
        ),
        pytest.param(
            [l2("a", services="other", preferring={"iris1": 100}), l2("b")], "iris2",
            id="weights of an advertisement for other Services do not count",
        ),
        pytest.param(
            [l2("a", nodes="iris1", preferring={"iris1": 10}), l2("b", nodes="iris2", preferring={"iris2": 11})],
            "iris2", id="weights count even where the advertisement does not list the other node",
        ),
    ],
)  # fmt: skip
def test_a_preferred_node_wins(ads: list[L2Advertisement], winner: str) -> None:
    found = answers(web(), "iris1", ads, IRISES)
    assert found == {name: "" if name == winner else "notOwner" for name in ("iris1", "iris2")}


def test_s_l2_25_a_preference_only_orders_the_candidates() -> None:
    found = answers(web(local=True), "worker-a", [l2(preferring={"preferred-a": 100})], nodes("preferred-a worker-a"))
    assert found == {"preferred-a": "notOwner", "worker-a": ""}


@pytest.mark.parametrize(
    ("ads", "expected"),
    [
        pytest.param([l2("a", interfaces="eth0 eth1"), l2("b", interfaces="eth0 eth2")], "eth0 eth1 eth2", id="union"),
        pytest.param(
            [l2("a", interfaces="eth0 eth1"), l2("b", interfaces="eth0 eth2"), l2("c")], None, id="all of them win"
        ),
        pytest.param(
            [l2("a", interfaces="eth0"), l2("b", interfaces="eth1", services="x")], "eth0", id="other Services' do not"
        ),
        pytest.param([l2("a", interfaces="eth0"), l2("b", nodes="iris2")], "eth0", id="other nodes' do not"),
    ],
)
def test_s_l2_26_interfaces_of_the_matching_advertisements_are_a_union(
    ads: list[L2Advertisement], expected: str | None
) -> None:
    found = place(desired(POOL, l2=ads), cluster(web(), "iris1"), members("iris1"), NodeName("iris1"))
    assert found.announcements == {spoken("10.20.30.1", expected)}


@pytest.mark.parametrize(
    ("ads", "expected"),
    [
        pytest.param([l2("b", interfaces="eth0"), l2("a", interfaces="eth1")], "a.yaml", id="the first by name"),
        pytest.param([l2("a", interfaces="eth0"), l2("b")], "b.yaml", id="the one that opens all interfaces"),
        pytest.param([l2("a", nodes="iris2"), l2("b")], "b.yaml", id="one that lists the node"),
    ],
)
def test_an_announcement_points_at_the_advertisement_behind_it(ads: list[L2Advertisement], expected: str) -> None:
    found = place(desired(POOL, l2=ads), cluster(web(), "iris1"), members("iris1"), NodeName("iris1"))
    assert [p.origin.path for p in found.placed if p.origin] == [expected]


def test_an_advertisement_that_names_a_pool_twice_counts_once() -> None:
    ads = [l2("twice", pools="p p", preferring={"a": 30}), l2("once", preferring={"b": 50})]
    state = cluster(web(), "a", nodes("a b"))
    found = explain_service(desired(POOL, l2=ads), state, members("a", "b"), web().key)
    assert [(c.node, c.score) for c in found.candidacies] == [("b", 50), ("a", 30)]


@pytest.mark.parametrize(("gone", "speaker", "interface"), [("iris1", "iris2", "eth1"), ("iris2", "iris1", "eth0")])
def test_s_l2_27_each_node_has_its_own_interfaces(gone: str, speaker: str, interface: str) -> None:
    ads = [l2("a", nodes="iris1", interfaces="eth0"), l2("b", nodes="iris2", interfaces="eth1")]
    alive = members(*({"iris1", "iris2"} - {gone}))
    found = place(desired(POOL, l2=ads), cluster(web(), "iris1"), alive, NodeName(speaker))
    assert found.announcements == {spoken("10.20.30.1", interface)}
    both = answers(web(), "iris1", ads, IRISES)
    assert both == {"iris1": "notOwner", "iris2": ""}


def test_all_addresses_of_a_service_go_to_one_node() -> None:
    found = place(
        desired(POOL, l2=[l2(line=7)]),
        cluster(web("2001:db8::2 10.20.30.1"), "iris1"),
        members("iris1", "iris2"),
        NodeName("iris1"),
    )
    assert [str(p.address) for p in found.placed] == ["10.20.30.1", "2001:db8::2"]
    assert {str(p.origin) for p in found.placed} == {"l2.yaml:7:1"}


@pytest.mark.parametrize(
    ("ads", "links", "winner"),
    [
        pytest.param([l2()], {"iris2": "-eth0 eth1"}, "iris2", id="any link that is up will do for all interfaces"),
        pytest.param([l2()], {"iris2": "-eth0 -eth1"}, "iris1", id="all links down"),
        pytest.param([l2(interfaces="eth0")], {"iris2": "-eth0 eth1"}, "iris1", id="the selected link is down"),
        pytest.param([l2(interfaces="eth0")], {"iris2": "eth1"}, "iris1", id="the node lacks the selected interface"),
        pytest.param([l2(interfaces="eth0 eth1")], {"iris2": "-eth0 eth1"}, "iris2", id="one of two selected is up"),
        pytest.param([l2()], {"iris2": ""}, "iris1", id="no link at all"),
        pytest.param([l2()], {}, "iris2", id="unknown links count as up"),
        pytest.param([l2()], {"iris2": "-eth0 +"}, "iris2", id="one link is down, all others are up"),
        pytest.param([l2()], {"iris2": "+"}, "iris2", id="all links are up, none is named"),
        pytest.param([l2(interfaces="eth0")], {"iris2": "-eth0 +"}, "iris1", id="the selected link is the one down"),
        pytest.param(
            [l2(interfaces="eth1")], {"iris2": "-eth0 +"}, "iris2", id="the selected link is one of the others"
        ),
        pytest.param([l2(interfaces="eth0 eth1")], {"iris2": "-eth0 +"}, "iris2", id="one of two selected is"),
    ],
)
def test_a_node_without_a_usable_link_does_not_stand(
    ads: list[L2Advertisement], links: dict[str, str], winner: str
) -> None:
    alive = members(*({"iris1", "iris2"} - links.keys()), **links)
    found = answers(web(), "iris1", ads, IRISES, alive)
    assert found == {name: "" if name == winner else "notOwner" for name in ("iris1", "iris2")}


@pytest.mark.parametrize(
    ("known", "alive", "winner"),
    [
        pytest.param([node("iris1"), node("iris2", network_unavailable=True)], "iris1 iris2", "iris1", id="no network"),
        pytest.param(IRISES, "iris1", "iris1", id="no speaker alive"),
        pytest.param(
            [node("iris1"), node("iris2", ready=False)], "iris1 iris2", "iris2", id="not ready, yet it speaks"
        ),
        pytest.param([node("iris1")], "iris1 iris2", "iris1", id="a speaker on a node that has no object"),
    ],
)
def test_who_stands_for_election(known: list[Node], alive: str, winner: str) -> None:
    found = answers(web(), "iris1", EVERYWHERE, known, members(*alive.split()))
    assert [name for name, reason in found.items() if not reason] == [winner]


@pytest.mark.parametrize(
    ("taints", "drain", "reasons"),
    [
        pytest.param("maintenance", ("maintenance",), {"iris2": "nodeDrained"}, id="a taint that is named drains"),
        pytest.param("maintenance", (), {}, id="one that is not named does not"),
        pytest.param("node.kubernetes.io/unschedulable", (), {}, id="nor does a cordon"),
        pytest.param(
            "node.kubernetes.io/unschedulable",
            ("node.kubernetes.io/unschedulable",),
            {"iris2": "nodeDrained"},
            id="unless somebody names its taint",
        ),
        pytest.param("a b", ("b", "c"), {"iris2": "nodeDrained"}, id="one of several"),
    ],
)
def test_a_drained_node_does_not_stand(taints: str, drain: tuple[str, ...], reasons: dict[str, str]) -> None:
    state = cluster(web(), "iris1", [node("iris1"), node("iris2", taints=taints)])
    config = replace(desired(POOL, l2=EVERYWHERE), settings=Settings(drain=DrainSettings(drain)))
    found = explain_service(config, state, members("iris1", "iris2"), web().key, ignore_exclude_label=True)
    assert {c.node: str(c.excluded) for c in found.candidacies if c.excluded} == reasons
    assert found.owner == ("iris1" if reasons else "iris2")
    if reasons:
        found_here = place(config, state, members("iris1", "iris2"), NodeName("iris2"))
        key = next(taint for taint in taints.split() if taint in drain)
        assert [d.message for d in found_here.declined] == [
            f'"iris2" has the taint {key}, which drains it; remove it to let the node announce; "iris1" announces '
            + str(web().ingress[0])
        ]


def test_a_drained_node_that_is_excluded_as_well_says_so_first() -> None:
    state = cluster(web(), "iris1", [node("iris1", excluded=True, taints="m")])
    config = replace(desired(POOL, l2=EVERYWHERE), settings=Settings(drain=DrainSettings(("m",))))
    for ignore, expected in ((False, "nodeLabeledExcludeBalancers"), (True, "nodeDrained")):
        found = explain_service(config, state, members("iris1"), web().key, ignore_exclude_label=ignore)
        assert [str(c.excluded) for c in found.candidacies] == [expected]


_TESTS = Path(__file__).resolve().parents[1]


def test_every_row_of_the_decision_table_is_tested_by_its_id() -> None:
    texts = (path.read_text(encoding="utf-8") for path in _TESTS.rglob("test_*.py"))
    named = {int(number) for text in texts for number in re.findall(r"(?i)s[-_]l2[-_](\d\d)", text)}
    assert named >= set(range(1, 29))
