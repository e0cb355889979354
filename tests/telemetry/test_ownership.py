"""Who announces what, worked out from what speakers have published."""

from typing import Any

import msgspec
import pytest

from reconciler.model.announcements import L2Announcement
from reconciler.model.desired import DesiredState
from reconciler.model.observed import NodeName, ObservedState
from reconciler.placement.place import place
from reconciler.telemetry.ownership import Ownership, members_of, ownership
from reconciler.telemetry.speaker_condition import conditions_of, speakers_among
from reconciler.telemetry.speaker_status import LinkRow, MemberRow, MemberState, SpeakerStatus, document
from tests.builders import desired, observed, pool, service
from tests.placement.builders import bgp, endpoints, l2, nodes, peer
from tests.telemetry.builders import REFUSING, SESSION, speaker

UP = msgspec.structs.replace(SESSION, peer="tor")
DOWN = msgspec.structs.replace(REFUSING, peer="tor")
NAMES = "a b c"


def published(*names: str, **facts: Any) -> tuple[SpeakerStatus, ...]:
    """Speakers that are well, as what they have published says."""
    usual = {"links": (LinkRow(name="eth0"),), "members": (), "sessions": (UP,), "announcements": ()}
    written = [document(speaker(node=name, **{**usual, **facts})) for name in names]
    return tuple(speakers_among([b"{", b"[]", b'{"role": "controller"}', *written]))


def owned(configuration: DesiredState, cluster: ObservedState, *speakers: SpeakerStatus) -> Ownership:
    return ownership(configuration, cluster, conditions_of(speakers), lb_class="")


def cluster(*, on: str = "a b c", **facts: Any) -> ObservedState:
    """One Service with an address, which has endpoints on those nodes."""
    web = service("shop/web", ingress="10.0.0.1", **facts)
    return observed(web, nodes=nodes(NAMES), endpoints={"shop/web": endpoints(on)})


BY_L2 = desired(pool("p", "10.0.0.0/24"), l2=[l2()])
BY_BGP = desired(pool("p", "10.0.0.0/24"), bgp=[bgp()], peers=[peer("tor")])


def test_the_owner_by_arp_is_the_one_that_every_speaker_elects() -> None:
    many = [service(f"shop/s{n}", ingress=f"10.0.0.{n}", local=n % 3 == 0) for n in range(60)]
    homes = {f"shop/s{n}": endpoints(NAMES[n % 5 :].strip() or "-a") for n in range(60)}
    state = observed(*many, nodes=nodes(NAMES), endpoints=homes)
    speakers = published("a", "b", "c")
    found = owned(BY_L2, state, *speakers)
    members = members_of(conditions_of(speakers))
    said = {
        placed.service: name
        for name in NAMES.split()
        for placed in place(BY_L2, state, members, NodeName(name), explain=False).placed
        if isinstance(placed.announcement, L2Announcement)
    }
    assert {row.service: row.l2 for row in found.announcers if row.l2} == said
    assert len(set(said.values())) == 3


def test_services_that_the_same_nodes_tell_of_share_a_set() -> None:
    many = [service(f"shop/s{n}", ingress=f"10.0.0.{n}", local=n == 3) for n in range(4)]
    homes = {f"shop/s{n}": endpoints("a") for n in range(4)}
    state = observed(*many, nodes=nodes(NAMES), endpoints=homes)
    found = owned(BY_BGP, state, *published("a", "b"))
    assert found.node_sets == (("a", "b"), ("a",))
    assert [(row.l2, row.bgp) for row in found.announcers] == [(None, 0), (None, 0), (None, 0), (None, 1)]


@pytest.mark.parametrize(
    ("configuration", "state", "speakers", "expected"),
    [
        pytest.param(BY_L2, cluster(), published(), "noSpeaker", id="no speaker has published anything"),
        pytest.param(BY_L2, cluster(), published("a", not_ready="it waits"), "noSpeaker", id="none is ready"),
        pytest.param(BY_L2, cluster(), published("a", leaving=True), "noSpeaker", id="the only one leaves"),
        pytest.param(BY_L2, cluster(on="-a"), published("a"), "noEndpoints", id="no endpoint is ready"),
        pytest.param(
            BY_L2, cluster(on="b", local=True), published("a"), "noLocalEndpoints", id="its endpoints are elsewhere"
        ),
        pytest.param(
            BY_L2,
            cluster(),
            published("a", links=(LinkRow(name="eth0", carrier=False),)),
            "noLinkUp",
            id="no interface is up",
        ),
        pytest.param(
            BY_L2,
            cluster(),
            published("a", links=(LinkRow(name="eth0", used=False, reason="excluded"),)),
            "noLinkUp",
            id="no interface is used",
        ),
        pytest.param(
            desired(pool("p", "10.0.0.0/24"), l2=[l2(pools="q")]),
            cluster(),
            published("a"),
            "noMatchingAdvertisement",
            id="nothing advertises its pool",
        ),
        pytest.param(
            desired(pool("p", "10.9.0.0/24")), cluster(), published("a"), "ipNotAllowed", id="no pool has its address"
        ),
        pytest.param(BY_BGP, cluster(), published("a", sessions=(DOWN,)), "no-session", id="no peer has a session"),
        pytest.param(BY_BGP, cluster(on="-a"), published("a"), "noEndpoints", id="nothing to route to"),
        pytest.param(
            desired(pool("p", "10.0.0.0/24"), bgp=[bgp()]), cluster(), published("a"), "noPeer", id="there is no peer"
        ),
    ],
)
def test_why_nobody_announces_it(
    configuration: DesiredState, state: ObservedState, speakers: tuple[SpeakerStatus, ...], expected: str
) -> None:
    (row,) = owned(configuration, state, *speakers).announcers
    assert (row.l2, row.bgp, row.reason) == (None, None, expected)
    assert row.message


def test_who_is_not_heard_of_any_more_announces_nothing() -> None:
    gone = (MemberRow(node="a", state=MemberState.SILENT),)
    (row,) = owned(BY_L2, cluster(), *published("a"), *published("b", members=gone)).announcers
    assert row.l2 == "b"


def test_one_without_an_address_is_the_controllers_affair() -> None:
    state = observed(service("shop/new"), service("shop/theirs", load_balancer_class="x"), nodes=nodes("a"))
    assert owned(BY_L2, state, *published("a")) == Ownership()
