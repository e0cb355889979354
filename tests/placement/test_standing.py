"""A Placer between two passes: what it hands over again, and when it starts from nothing."""

from dataclasses import replace

import pytest
from msgspec.structs import replace as altered

from reconciler.addresses.family import parse_address
from reconciler.model.observed import NodeName, ObservedState
from reconciler.placement.decisions import Placement
from reconciler.placement.place import place
from reconciler.placement.standing import Placer
from tests.builders import desired, observed, pool, service
from tests.placement.builders import bgp, endpoints, l2, members, node, peer, spoken

HERE = NodeName("node-b")
NODES = [node("node-a"), node("node-b"), node("node-c")]
ALIVE = members("node-a", "node-b", "node-c")
CONFIG = desired(pool("p", "10.0.0.0/16"), l2=[l2()])
MANY = [service(f"shop/s{n:03}", ingress=f"10.0.0.{n}") for n in range(1, 200)]


def cluster(*found: object) -> ObservedState:
    services = [one for one in found if one is not None] or MANY
    ends = {s.key: endpoints("node-a") for s in MANY}
    return observed(*services, nodes=NODES, endpoints=ends)  # type: ignore[arg-type]  # a Service or nothing


class Followed:
    """A Placer that is compared with `place` at every step."""

    def __init__(self) -> None:
        self.placer = Placer()

    def __call__(self, state: ObservedState, **changes: object) -> Placement:
        asked = {"desired": CONFIG, "members": ALIVE, "node": HERE} | changes
        found = self.placer.place(observed=state, **asked)  # type: ignore[arg-type]  # arguments by name
        assert found == place(observed=state, explain=False, **asked)  # type: ignore[arg-type]  # the same
        return found


def test_as_long_as_nothing_changes_the_placement_is_the_same_object() -> None:
    follow, state = Followed(), cluster()
    first = follow(state)
    assert follow(state) is first
    assert follow(replace(state, endpoints=dict(state.endpoints))) is first
    touched = replace(state, services=(altered(MANY[0], resource_version="2"), *MANY[1:]))
    assert follow(touched) is first
    assert follow.placer.whole_passes == 1


def test_a_change_that_is_no_change_of_ours_leaves_it_as_well() -> None:
    follow, state = Followed(), cluster()
    first = follow(state)
    others = next(s for s in MANY if s.key not in {p.service for p in first.placed})
    assert follow(replace(state, services=tuple(s for s in MANY if s is not others))) is first


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"members": members("node-a", "node-b")}, id="another member"),
        pytest.param({"desired": replace(CONFIG, l2_advertisements=())}, id="another configuration"),
        pytest.param({"former": (CONFIG,)}, id="another former one"),
        pytest.param({"node": NodeName("node-a")}, id="another node"),
        pytest.param({"lb_class": "ours"}, id="another class"),
        pytest.param({"ignore_exclude_label": True}, id="another rule"),
    ],
)
def test_what_concerns_every_service_is_decided_from_nothing(changes: dict[str, object]) -> None:
    follow, state = Followed(), cluster()
    follow(state)
    follow(state, **changes)
    assert follow.placer.whole_passes == 2


def test_nodes_that_are_read_again_are_the_same_nodes() -> None:
    follow, state = Followed(), cluster()
    follow(state)
    follow(replace(state, nodes=tuple(altered(one) for one in NODES)))
    assert follow.placer.whole_passes == 1
    follow(replace(state, nodes=(*NODES[:2], node("node-c", excluded=True))))
    assert follow.placer.whole_passes == 2


BY_BGP = desired(pool("p", "10.0.0.0/16"), bgp=[bgp(nodes="node-b"), bgp("wide", length=24)], peers=[peer("tor")])


def test_where_nobody_is_elected_other_nodes_and_their_speakers_change_nothing() -> None:
    follow, state = Followed(), cluster()
    first = follow(state, desired=BY_BGP)
    assert len(first.routes) == len(MANY) + 1
    assert follow(state, desired=BY_BGP, members=members("node-b")) is first
    assert follow(replace(state, nodes=tuple(NODES[1:])), desired=BY_BGP) is first
    assert not follow(replace(state, nodes=(node("node-b", excluded=True),)), desired=BY_BGP).routes
    assert follow.placer.whole_passes == 2
    follow(state, desired=BY_BGP, former=(CONFIG,))
    follow(replace(state, nodes=tuple(NODES[1:])), desired=BY_BGP, former=(CONFIG,))
    assert follow.placer.whole_passes == 4, "under a former one somebody is"


def test_what_was_said_before_can_be_asked_for_later() -> None:
    follow, state = Followed(), cluster()
    first, whole = follow.placer.place(BY_BGP, state, ALIVE, HERE), place(BY_BGP, state, ALIVE, HERE)
    then = follow(replace(state, services=tuple(MANY[1:])), desired=BY_BGP)
    assert first.placed == whole.placed
    assert first.routes == whole.routes
    assert len(first.placed) == len(then.placed) + 2
    assert first.placed[0] == whole.placed[0]
    assert first.placed[-2:] == whole.placed[-2:]
    assert hash(first) == hash(whole)
    assert first != then


def test_many_changes_are_decided_from_nothing() -> None:
    follow, state = Followed(), cluster()
    follow(state)
    follow(replace(state, services=tuple(altered(s, resource_version="2") for s in MANY)))
    assert follow.placer.whole_passes == 2


def test_what_rules_remember_of_services_that_are_gone_goes_some_day() -> None:
    follow, state = Followed(), observed(MANY[0], nodes=NODES, endpoints={MANY[0].key: endpoints("node-a")})
    for version in range(10_050):
        changed = replace(state, services=(altered(MANY[0], resource_version=str(version)),))
        follow.placer.place(CONFIG, changed, ALIVE, HERE)
    assert follow.placer.whole_passes == 2


def test_a_snapshot_out_of_order_is_decided_from_nothing() -> None:
    follow, state = Followed(), cluster()
    follow(state)
    for passes in (2, 3):
        follow(replace(state, services=state.services[::-1]))
        assert follow.placer.whole_passes == passes


def test_after_a_pass_that_failed_nothing_stands() -> None:
    follow, state = Followed(), cluster()
    follow(state)
    broken = replace(state, services=(None, *MANY))  # type: ignore[arg-type]  # a fault
    with pytest.raises(AttributeError):
        follow.placer.place(CONFIG, broken, ALIVE, HERE)
    assert follow.placer.successors([MANY[0].ingress[0]]) == {}
    follow(state)
    assert follow.placer.whole_passes == 2


def test_successors_are_who_announces_instead() -> None:
    placer, state = Placer(), cluster()
    owned = {name: place(CONFIG, state, ALIVE, NodeName(name), explain=False).placed for name in ("node-a", "node-c")}
    placer.place(CONFIG, state, ALIVE, HERE)
    every = [service.ingress[0] for service in MANY]
    assert placer.successors(every) == {one.address: name for name, placed in owned.items() for one in placed}


def test_what_nobody_announces_has_no_successor() -> None:
    placer = Placer()
    assert placer.successors([parse_address("10.0.0.1")]) == {}
    placer.place(CONFIG, observed(MANY[0], nodes=NODES), ALIVE, HERE)
    assert placer.successors([parse_address("10.0.0.1"), parse_address("10.0.0.2")]) == {}


def test_of_services_that_share_an_address_any_other_owner_will_do() -> None:
    pair = [service(f"shop/{name}", ingress="10.0.0.1", local=True, sharing_key="k") for name in "ab"]
    state = observed(*pair, nodes=NODES, endpoints={"shop/a": endpoints("node-b"), "shop/b": endpoints("node-c")})
    placer = Placer()
    assert placer.place(CONFIG, state, ALIVE, HERE).announcements == {spoken("10.0.0.1")}
    assert placer.successors([parse_address("10.0.0.1")]) == {parse_address("10.0.0.1"): "node-c"}
