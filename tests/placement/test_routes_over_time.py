"""What becomes of routes and sessions when a cluster or a configuration changes: what the next pass asks for."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from msgspec.structs import replace as altered

from reconciler.model.announcements import Active, RouteAnnouncement
from reconciler.model.desired import DesiredState
from reconciler.model.observed import Node, NodeName, ObservedState, Service
from reconciler.model.peers import BGPPeer
from reconciler.placement.standing import Placer
from reconciler.plan.actions import Announce, ClosePeer, OpenPeer, SpeakerAction, Withdraw
from reconciler.plan.announcements import plan_announcements
from tests.builders import desired, observed, pool, selector, service
from tests.placement.builders import bgp, endpoints, members, node, nodes, peer, route

HERE = NodeName("here")
POOL = pool("p", "10.20.30.0/24")
TOR, SPINE = peer("tor"), peer("spine")
FIRST, SECOND = "10.20.30.1/32", "10.20.30.2/32"
TO_TOR = desired(POOL, bgp=[bgp()], peers=[TOR])
TO_BOTH = replace(TO_TOR, peers=(SPINE, TOR))


def web(ingress: str = "10.20.30.1", *, local: bool = False, name: str = "web") -> Service:
    return service(f"shop/{name}", ingress=ingress, local=local)


def cluster(*found: Service, on: str = "there", known: Iterable[Node] = nodes("here there")) -> ObservedState:
    return observed(*found, nodes=known, endpoints={one.key: endpoints(on) for one in found})


class Speaker:
    """The passes of a node, and what they make its announcers do."""

    def __init__(self) -> None:
        self._placer = Placer()
        self.active = Active()

    def __call__(self, state: ObservedState, config: DesiredState = TO_TOR) -> list[SpeakerAction]:
        placement = self._placer.place(config, state, members("here", "there"), HERE)
        actions = plan_announcements(placement, self.active).actions
        told = [one.announcement for one in actions if isinstance(one, Announce)]
        ended = [one.announcement for one in actions if isinstance(one, Withdraw)]
        routes = self.active.routes.after(filter(_is_route, ended), filter(_is_route, told))  # type: ignore[arg-type]
        self.active = Active(peers=placement.peers, routes=routes)
        # For a reader: where an advertisement stands is tested elsewhere.
        return [altered(one, cause=None) for one in actions]


def _is_route(announcement: object) -> bool:
    return isinstance(announcement, RouteAnnouncement)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param(
            [cluster(web(local=True))], [Withdraw(route(FIRST))], id="S-B-03 Local with the endpoint elsewhere"
        ),
        pytest.param(
            [cluster(web(local=True)), cluster(web(local=True), on="there here")],
            [Announce(route(FIRST))],
            id="S-B-04 an endpoint appears here",
        ),
        pytest.param(
            [cluster(web(local=True), on="here"), cluster(web(local=True), on="-here there")],
            [Withdraw(route(FIRST))],
            id="Local and the endpoint here stops serving",
        ),
        pytest.param([cluster(web(), on="")], [Withdraw(route(FIRST))], id="S-B-05 no endpoint any more"),
        pytest.param([cluster(web(), on="-there")], [Withdraw(route(FIRST))], id="S-B-05 only an unready one"),
        pytest.param([cluster(web(), on="-there there")], [], id="S-B-06 once unready and once ready"),
        pytest.param([cluster(web(), web("", name="pending"))], [], id="S-B-10 a Service without an address"),
        pytest.param([cluster(web(), web(name="second"))], [], id="S-B-11 a second Service of the address"),
        pytest.param(
            [cluster(web(), web(name="second")), cluster(web(name="second"))], [], id="S-B-11 and the first one goes"
        ),
        pytest.param(
            [cluster(web(), web(name="second")), cluster()], [Withdraw(route(FIRST))], id="both Services go at once"
        ),
        pytest.param([cluster(web(""))], [Withdraw(route(FIRST))], id="the address is taken away"),
        pytest.param(
            [cluster(web("10.20.30.2"))],
            [Withdraw(route(FIRST)), Announce(route(SECOND))],
            id="another address: the old one goes first",
        ),
        pytest.param([cluster(web(), known=[node("here")])], [], id="another node goes"),
        pytest.param(
            [cluster(web(), known=[node("here", excluded=True)])], [Withdraw(route(FIRST))], id="S-B-14 excluded"
        ),
        pytest.param([cluster()], [Withdraw(route(FIRST))], id="the Service is deleted, the session stays"),
    ],
)
def test_what_happens_to_a_service_is_told_by_the_same_pass(
    steps: list[ObservedState], expected: list[SpeakerAction]
) -> None:
    speaker = Speaker()
    assert speaker(cluster(web())) == [OpenPeer(TOR), Announce(route(FIRST))]
    *before, last = steps
    for step in before:
        speaker(step)
    assert speaker(last) == expected
    assert speaker(last) == []


ONE, OTHER = bgp("a", communities="65000:200"), bgp("b", communities="65000:100")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(
            TO_BOTH,
            TO_TOR,
            [Withdraw(route(FIRST, "spine")), ClosePeer(SPINE)],
            id="S-B-12 a peer goes, the others are left alone",
        ),
        pytest.param(TO_TOR, TO_BOTH, [OpenPeer(SPINE), Announce(route(FIRST, "spine"))], id="a peer comes"),
        pytest.param(
            TO_TOR,
            replace(TO_TOR, bgp_advertisements=(ONE, OTHER)),
            [Announce(route(FIRST, communities="65000:100 65000:200"))],
            id="S-B-19 a second advertisement: one route that carries both",
        ),
        pytest.param(
            replace(TO_TOR, bgp_advertisements=(ONE, OTHER)),
            replace(TO_TOR, bgp_advertisements=(ONE,)),
            [Announce(route(FIRST, communities="65000:200"))],
            id="and gone again",
        ),
        pytest.param(
            TO_BOTH,
            replace(TO_BOTH, bgp_advertisements=(bgp(peers="tor"),)),
            [Withdraw(route(FIRST, "spine"))],
            id="S-B-09 limited to one peer: the session of the other stays",
        ),
        pytest.param(
            replace(TO_BOTH, bgp_advertisements=(bgp(peers="tor"),)),
            replace(TO_BOTH, bgp_advertisements=(bgp(peers="ghost tor"),)),
            [],
            id="S-B-18 an unknown peer in an advertisement changes nothing",
        ),
        pytest.param(
            replace(TO_TOR, bgp_advertisements=(bgp("a", local_pref=100),)),
            replace(TO_TOR, bgp_advertisements=(bgp("a", local_pref=100), bgp("b", local_pref=200))),
            [Withdraw(route(FIRST, local_pref=100))],
            id="S-B-15 a conflict takes the route back",
        ),
        pytest.param(
            TO_TOR,
            replace(TO_TOR, bgp_advertisements=(bgp(length=24),)),
            [Withdraw(route(FIRST)), Announce(route("10.20.30.0/24"))],
            id="another aggregation",
        ),
        pytest.param(TO_TOR, replace(TO_TOR, bgp_advertisements=()), [Withdraw(route(FIRST))], id="none any more"),
    ],
)
def test_what_happens_to_the_configuration_touches_no_other_session(
    before: DesiredState, after: DesiredState, expected: list[SpeakerAction]
) -> None:
    speaker, state = Speaker(), cluster(web())
    speaker(state, before)
    assert speaker(state, after) == expected
    assert speaker(state, after) == []


def test_s_b_13_a_session_follows_the_labels_of_its_node() -> None:
    def toward(*racks: str) -> tuple[DesiredState, BGPPeer]:
        selective = peer("tor", node_selectors=[selector(None, foo=racks)])
        return desired(POOL, bgp=[bgp()], peers=[selective]), selective

    def labelled(foo: str | None) -> ObservedState:
        return cluster(web(), known=[node("here", {"foo": foo} if foo else {})])

    (narrow, one), (wide, other), speaker = toward("bar"), toward("bar", "baz"), Speaker()
    assert speaker(labelled(None), narrow) == []
    assert speaker(labelled("bar"), narrow) == [OpenPeer(one), Announce(route(FIRST))]
    assert speaker(labelled("baz"), narrow) == [Withdraw(route(FIRST)), ClosePeer(one)]
    assert speaker(labelled("baz"), wide) == [OpenPeer(other), Announce(route(FIRST))]
