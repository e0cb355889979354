"""One Service on every node: the ranking, the excluded, and what each node says by each protocol."""

import pytest

from reconciler.model.observed import ServiceKey
from reconciler.placement.place import explain_service
from tests.builders import desired, observed, pool, service
from tests.placement.builders import bgp, endpoints, l2, members, node, peer, route, spoken

EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
POOL = pool("p", "10.0.0.0/24")
WEB = service("shop/web", ingress="10.0.0.1")
NODES = [
    node("node-a"), node("node-b"), node("node-c"), node("node-d", excluded=True), node("node-e"),
    node("node-f", network_unavailable=True), node("node-g"),
]  # fmt: skip
ALIVE = members("node-a", "node-b", "node-c", "node-d", "node-f", "stranger", **{"node-g": "-eth0"})


def test_the_ranking_names_the_owner_its_successors_and_the_excluded() -> None:
    state = observed(WEB, nodes=NODES, endpoints={"shop/web": endpoints("node-a")})
    found = explain_service(desired(POOL, l2=[l2(preferring={"node-c": 5})]), state, ALIVE, WEB.key)
    assert (found.pool, found.election_key, found.owner) == ("p", "10.0.0.1", "node-c")
    assert [(c.rank, c.node, c.score, c.excluded) for c in found.candidacies] == [
        (1, "node-c", 5, None),
        (2, "node-b", 0, None),
        (3, "node-a", 0, None),
        (None, "node-d", 0, "nodeLabeledExcludeBalancers"),
        (None, "node-e", 0, "noSpeaker"),
        (None, "node-f", 0, "nodeNetworkUnavailable"),
        (None, "node-g", 0, "noLinkUp"),
        (None, "stranger", 0, "noMatchingAdvertisement"),
    ]
    assert [c.message for c in found.candidacies[3:]] == [
        f'"node-d" carries the label {EXCLUDED}; remove it to let the node announce',
        'no speaker is alive on "node-e"',
        '"node-f" has the condition NetworkUnavailable',
        '"node-g" has no interface that is up',
        'the cluster has no Node "stranger"',
    ]
    assert [v.node for v in found.verdicts if v.placed] == ["node-c"]
    assert [p.announcement for v in found.verdicts for p in v.placed] == [spoken("10.0.0.1")]


def test_local_endpoints_are_part_of_the_ranking() -> None:
    local = service("shop/web", ingress="10.0.0.1", local=True)
    state = observed(local, nodes=NODES[:3], endpoints={"shop/web": endpoints("node-a node-c -node-b")})
    found = explain_service(desired(POOL, l2=[l2()]), state, ALIVE, local.key)
    assert [(c.rank, c.node, c.excluded) for c in found.candidacies[:3]] == [
        (1, "node-a", None), (2, "node-c", None), (None, "node-b", "noLocalEndpoints"),
    ]  # fmt: skip


def test_each_protocol_has_a_verdict_on_each_node() -> None:
    state = observed(WEB, nodes=NODES[:2], endpoints={"shop/web": endpoints("node-a")})
    config = desired(POOL, l2=[l2()], bgp=[bgp(nodes="node-a")], peers=[peer("tor")])
    found = explain_service(config, state, members("node-a"), WEB.key)
    assert [(v.node, v.protocol, [p.announcement for p in v.placed]) for v in found.verdicts] == [
        ("node-a", "l2", [spoken("10.0.0.1")]),
        ("node-a", "bgp", [route("10.0.0.1/32")]),
        ("node-b", "l2", []),
        ("node-b", "bgp", []),
    ]
    assert [v.declined and (v.declined.reason, v.declined.message) for v in found.verdicts] == [
        None,
        None,
        ("notOwner", 'no speaker is alive on "node-b"; "node-a" announces 10.0.0.1'),
        ("noSpeaker", 'no speaker is alive on "node-b"'),
    ]


def test_communities_of_other_services_on_the_same_route_are_shown() -> None:
    ads = [bgp("a", services="a", communities="65000:1"), bgp("b", services="b", communities="65000:2")]
    held = {"a": "10.0.0.1", "b": "10.0.0.2 10.0.0.1"}
    pair = [service(f"shop/{app}", ingress=ingress, labels={"app": app}) for app, ingress in held.items()]
    state = observed(*pair, nodes=NODES[:1], endpoints={s.key: endpoints("node-a") for s in pair})
    for found in pair:
        (verdict,) = explain_service(
            desired(POOL, bgp=ads, peers=[peer("tor")]), state, members("node-a"), found.key
        ).verdicts
        shared = next(p for p in verdict.placed if p.address == WEB.ingress[0])
        assert shared.announcement == route("10.0.0.1/32", communities="65000:1 65000:2")
        assert str(shared.origin) == f"{found.name}.yaml:1:1"


@pytest.mark.parametrize(
    ("found", "reason", "message"),
    [
        pytest.param({"type": "ClusterIP"}, "notLoadBalancer", "its type is ClusterIP, not LoadBalancer", id="type"),
        pytest.param({"load_balancer_class": "x"}, "notOurClass",
                     'its loadBalancerClass is "x", which is not the one served here', id="class"),
        pytest.param({"ingress": ""}, "noIPAllocated",
                     "it holds no address yet; see why the controller has given it none", id="no address"),
    ],
)  # fmt: skip
def test_a_service_that_nobody_can_announce(found: dict[str, str], reason: str, message: str) -> None:
    options: dict[str, str] = {"ingress": "10.0.0.1", **found}
    silent = service("shop/web", **options)  # type: ignore[arg-type]  # one row, many fields
    state = observed(silent, nodes=NODES[:2], endpoints={"shop/web": endpoints("node-a")})
    explained = explain_service(desired(POOL, l2=[l2()]), state, members("node-a"), silent.key)
    assert (explained.owner, explained.pool, explained.candidacies) == (None, None, ())
    assert [(v.node, v.protocol) for v in explained.verdicts] == [("node-a", "l2"), ("node-b", "l2")]
    assert {(v.declined.reason, v.declined.message) for v in explained.verdicts if v.declined} == {(reason, message)}


def test_a_class_that_is_missing_is_said_as_such() -> None:
    state = observed(WEB, nodes=NODES[:1])
    explained = explain_service(desired(POOL, l2=[l2()]), state, members("node-a"), WEB.key, lb_class="x")
    assert [v.declined.message for v in explained.verdicts if v.declined] == [
        "its loadBalancerClass is not set, which is not the one served here"
    ]


def test_a_service_that_is_not_there() -> None:
    with pytest.raises(KeyError, match="shop/ghost"):
        explain_service(desired(POOL), observed(), members(), ServiceKey("shop/ghost"))
