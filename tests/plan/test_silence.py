"""Whom a change of the files would silence: the same as the placements of all nodes tell, without working them out."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from reconciler.addresses.family import Address
from reconciler.model.desired import DesiredState
from reconciler.model.observed import ObservedState, ServiceKey
from reconciler.model.settings import DrainSettings, Settings
from reconciler.placement.place import place_nodes, speakers
from reconciler.plan.silence import announces_alike, silenced
from tests.builders import desired, observed, pool, service
from tests.placement.builders import bgp, endpoints, l2, node, peer
from tests.placement.worlds import World, worlds

DUAL = pool("p", "192.0.2.0/28", "2001:db8::/124")
V4_AND_V6 = "192.0.2.1 2001:db8::1"
TOR = peer("tor")


def cluster(ends: str = "ash", *, local: bool = False, nodes: str = "ash elm", sharing_key: str = "") -> ObservedState:
    web = service(
        "shop/web", ingress=V4_AND_V6, families="46", local=local, sharing_key=sharing_key, labels={"app": "web"}
    )
    return observed(web, nodes=[node(name) for name in nodes.split()], endpoints={web.key: endpoints(ends)})


def told(found: frozenset[tuple[ServiceKey, Address]]) -> str:
    return " ".join(str(address) for _, address in sorted(found))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(desired(DUAL, l2=[l2()]), desired(DUAL, l2=[l2()]), "", id="nothing has changed"),
        pytest.param(desired(DUAL), desired(DUAL), "", id="it was silent before"),
        pytest.param(desired(DUAL, l2=[l2()]), desired(DUAL), V4_AND_V6, id="the advertisement is gone"),
        pytest.param(desired(DUAL, l2=[l2()]), desired(DUAL, l2=[l2(nodes="oak")]), V4_AND_V6, id="for no node left"),
        pytest.param(desired(DUAL, l2=[l2()]), desired(DUAL, l2=[l2(nodes="elm")]), "", id="another node speaks"),
        pytest.param(
            desired(DUAL, l2=[l2()]), desired(DUAL, l2=[l2(services="db")]), V4_AND_V6, id="for other Services"
        ),
        pytest.param(
            desired(DUAL, l2=[l2()]),
            desired(DUAL, bgp=[bgp()], peers=[TOR]),
            "2001:db8::1",
            id="BGP to a peer that takes one family",
        ),
        pytest.param(
            desired(DUAL, bgp=[bgp()], peers=[TOR]),
            desired(DUAL, bgp=[bgp(peers="ghost")], peers=[TOR]),
            "192.0.2.1",
            id="to nobody",
        ),
        pytest.param(desired(DUAL, bgp=[bgp()], peers=[TOR]), desired(DUAL, bgp=[bgp()]), "192.0.2.1", id="no peer"),
        pytest.param(
            desired(DUAL, l2=[l2()], bgp=[bgp()], peers=[TOR]), desired(DUAL, l2=[l2()]), "", id="one of two ways stays"
        ),
        pytest.param(
            desired(DUAL, l2=[l2()]), desired(pool("p", "192.0.2.0/28"), l2=[l2()]), V4_AND_V6, id="out of its pool"
        ),
    ],
)
def test_silenced(before: DesiredState, after: DesiredState, expected: str) -> None:
    assert told(silenced(before, after, cluster(), cluster())) == expected


@pytest.mark.parametrize(
    ("state", "after", "expected"),
    [
        pytest.param(
            cluster("ash", local=True), desired(DUAL, l2=[l2(nodes="elm")]), V4_AND_V6, id="a node without an endpoint"
        ),
        pytest.param(cluster("ash elm", local=True), desired(DUAL, l2=[l2(nodes="elm")]), "", id="a node with one"),
        pytest.param(
            cluster("ash ~elm", local=True),
            desired(DUAL, bgp=[bgp(nodes="elm")], peers=[peer("tor", dual=True)]),
            V4_AND_V6,
            id="an endpoint without an address is none for BGP",
        ),
        pytest.param(
            cluster("ash", local=True),
            desired(DUAL, bgp=[bgp(nodes="ash")], peers=[peer("tor", dual=True)]),
            "",
            id="a local endpoint and a peer",
        ),
        pytest.param(cluster("-ash"), desired(DUAL), "", id="without an endpoint it was silent"),
        pytest.param(
            cluster(sharing_key="k"),
            desired(DUAL, l2=[l2(services="web")]),
            V4_AND_V6,
            id="shared, and selected by its labels",
        ),
        pytest.param(cluster(nodes=""), desired(DUAL), "", id="without nodes nobody spoke"),
    ],
)
def test_silenced_in_different_clusters(state: ObservedState, after: DesiredState, expected: str) -> None:
    assert told(silenced(desired(DUAL, l2=[l2()]), after, state, state)) == expected


def test_a_taint_that_drains_every_node_silences_all() -> None:
    state = replace(cluster(), nodes=(node("ash", taints="maintenance"), node("elm", taints="maintenance other")))
    before = desired(DUAL, l2=[l2()])
    after = replace(before, settings=Settings(drain=DrainSettings(("maintenance",))))
    assert not announces_alike(before, after)
    assert told(silenced(before, after, state, state)) == V4_AND_V6
    some = replace(before, settings=Settings(drain=DrainSettings(("other",))))
    assert told(silenced(before, some, state, state)) == ""


def test_a_service_of_another_class_is_none_of_ours() -> None:
    arguments = desired(DUAL, l2=[l2()]), desired(DUAL), cluster(), cluster()
    assert silenced(*arguments, lb_class="other") == frozenset()


def test_an_address_that_a_service_loses_is_not_heard_any_more() -> None:
    state = desired(DUAL, l2=[l2()])
    after = replace(cluster(), services=(service("shop/web", ingress="192.0.2.1"),))
    assert told(silenced(state, state, cluster(), after)) == "2001:db8::1"


def _heard(state: DesiredState, snapshot: ObservedState) -> set[tuple[ServiceKey, Address]]:
    placements = place_nodes(state, snapshot, speakers(snapshot))
    return {(placed.service, placed.address) for placement in placements for placed in placement.placed}


@settings(max_examples=100, deadline=None)
@given(worlds(), worlds(), st.booleans(), st.sets(st.sampled_from(["ash", "elm", "fir"])))
def test_the_same_as_the_placements_of_all_nodes_tell(
    before: World, after: World, same_cluster: bool, not_ready: set[str]
) -> None:
    nodes = tuple(structs.replace(one, ready=one.name not in not_ready) for one in before.state.nodes)
    first = replace(before.state, nodes=nodes)
    second = first if same_cluster else after.state
    found = silenced(before.config, after.config, first, second)
    assert found == _heard(before.config, first) - _heard(after.config, second)


@pytest.mark.parametrize(
    ("after", "alike"),
    [
        pytest.param(desired(DUAL, l2=[l2()], revision="other"), True, id="another revision"),
        pytest.param(desired(DUAL, l2=[l2(line=7)]), True, id="a line that moved"),
        pytest.param(desired(DUAL, l2=[l2(interfaces="eth0")]), False, id="other interfaces"),
        pytest.param(desired(DUAL, pool("q", "198.51.100.0/28"), l2=[l2()]), False, id="another pool"),
        pytest.param(desired(DUAL, l2=[l2()], bgp=[bgp()]), False, id="routes"),
        pytest.param(desired(DUAL, l2=[l2()], peers=[TOR]), False, id="a peer"),
    ],
)
def test_announces_alike(after: DesiredState, alike: bool) -> None:
    assert announces_alike(desired(DUAL, l2=[l2()]), after) is alike
