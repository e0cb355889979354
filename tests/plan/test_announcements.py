"""The plan for the announcers of one node, and the difference of two placements."""

from collections.abc import Iterable
from typing import NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.family import parse_address
from reconciler.model.announcements import Active, Announcement, L2Announcement, RouteAnnouncement, Routes
from reconciler.model.observed import InterfaceName, NodeName, ServiceKey
from reconciler.model.origin import Origin
from reconciler.model.peers import BGPPeer
from reconciler.placement.decisions import Placed, Placement
from reconciler.placement.hearing import order_of
from reconciler.plan.actions import Announce, ClosePeer, OpenPeer, SpeakerAction, Withdraw
from reconciler.plan.announcements import Change, diff_placements, plan_announcements


def l2(address: str, *interfaces: str) -> L2Announcement:
    named = frozenset(map(InterfaceName, interfaces))
    return L2Announcement(parse_address(address), named or None)


def route(prefix: str, peer: str, *, local_pref: int | None = None) -> RouteAnnouncement:
    return RouteAnnouncement(AddressRange.parse(prefix), peer, local_pref)


def peer(name: str, *, port: int = 179, line: int = 1) -> BGPPeer:
    return BGPPeer(name, my_asn=64512, peer_asn=64513, peer_port=port, origin=Origin("peers.yaml", line, 1))


def placed(service: str, announcement: Announcement, *, line: int = 1) -> Placed:
    match announcement:
        case L2Announcement(address=address):
            held = address
        case RouteAnnouncement(prefix=prefix):
            held = parse_address(str(prefix).partition("/")[0])
    return Placed(ServiceKey(service), held, announcement, Origin("ads.yaml", line, 1))


def placement(*announcements: Announcement, peers: Iterable[BGPPeer] = ()) -> Placement:
    return Placement(NodeName("n"), tuple(placed("shop/web", one) for one in announcements), frozenset(peers))


def active(*announcements: Announcement, peers: Iterable[BGPPeer] = ()) -> Active:
    by_layer2 = frozenset(one for one in announcements if isinstance(one, L2Announcement))
    routes = Routes.of(one for one in announcements if isinstance(one, RouteAnnouncement))
    return Active(by_layer2, frozenset(peers), routes)


ONE, TWO = "192.0.2.1", "192.0.2.2"
ORIGIN = Origin("ads.yaml", 1, 1)
TOR, SPINE = peer("tor"), peer("spine")


@pytest.mark.parametrize(
    ("wanted", "now", "expected"),
    [
        pytest.param(placement(l2(ONE)), active(l2(ONE)), [], id="nothing where all is said"),
        pytest.param(placement(l2(ONE)), active(), [Announce(l2(ONE), ORIGIN)], id="announce what is new"),
        pytest.param(placement(), active(l2(ONE)), [Withdraw(l2(ONE))], id="withdraw what is not wanted"),
        pytest.param(
            placement(l2(ONE, "eth0")),
            active(l2(ONE)),
            [Announce(l2(ONE, "eth0"), ORIGIN)],
            id="other interfaces need no withdrawal",
        ),
        pytest.param(
            placement(route("192.0.2.1/32", "tor", local_pref=200), peers=[TOR]),
            active(route("192.0.2.1/32", "tor", local_pref=100), peers=[TOR]),
            [Announce(route("192.0.2.1/32", "tor", local_pref=200), ORIGIN)],
            id="other attributes need no withdrawal",
        ),
        pytest.param(
            placement(route("192.0.2.0/24", "tor"), peers=[TOR]),
            active(route("192.0.2.1/32", "tor"), peers=[TOR]),
            [Withdraw(route("192.0.2.1/32", "tor")), Announce(route("192.0.2.0/24", "tor"), ORIGIN)],
            id="another prefix is another route",
        ),
        pytest.param(
            placement(route("192.0.2.1/32", "tor"), l2(TWO), peers=[TOR]),
            active(route("192.0.2.1/32", "spine"), l2(ONE), peers=[SPINE]),
            [
                Withdraw(l2(ONE)),
                Withdraw(route("192.0.2.1/32", "spine")),
                ClosePeer(SPINE),
                OpenPeer(TOR, TOR.origin),
                Announce(l2(TWO), ORIGIN),
                Announce(route("192.0.2.1/32", "tor"), ORIGIN),
            ],
            id="withdraw, close, open, announce",
        ),
        pytest.param(
            placement(route("192.0.2.1/32", "tor"), peers=[peer("tor", port=1179)]),
            active(route("192.0.2.1/32", "tor"), peers=[TOR]),
            [
                ClosePeer(TOR),
                OpenPeer(peer("tor", port=1179), TOR.origin),
                Announce(route("192.0.2.1/32", "tor"), ORIGIN),
            ],
            id="a peer defined anew hears its routes again",
        ),
        pytest.param(
            placement(peers=[peer("tor", line=9)]), active(peers=[TOR]), [], id="a peer moved to another line stays up"
        ),
        pytest.param(
            Placement(NodeName("n")),
            active(l2(ONE), route("192.0.2.1/32", "tor"), peers=[TOR]),
            [Withdraw(l2(ONE)), Withdraw(route("192.0.2.1/32", "tor")), ClosePeer(TOR)],
            id="an empty placement takes everything back",
        ),
        pytest.param(
            placement(l2(ONE, "eth0"), l2(ONE, "eth1")),
            active(),
            [Announce(l2(ONE, "eth0", "eth1"))],
            id="two Services of one address are heard on the interfaces of either",
        ),
        pytest.param(
            placement(l2(ONE, "eth0"), l2(ONE)),
            active(),
            [Announce(l2(ONE), ORIGIN)],
            id="all interfaces include any",
        ),
    ],
)
def test_plan_announcements(wanted: Placement, now: Active, expected: list[SpeakerAction]) -> None:
    assert list(plan_announcements(wanted, now).actions) == expected


_announcements = st.one_of(
    st.builds(l2, st.sampled_from([ONE, TWO, "2001:db8::1"]), st.sampled_from(["eth0", "eth1"])),
    st.builds(
        route,
        st.sampled_from(["192.0.2.1/32", "192.0.2.0/24"]),
        st.sampled_from(["spine", "tor"]),
        local_pref=st.sampled_from([None, 100, 200]),
    ),
)
_peers = st.sets(st.builds(peer, st.sampled_from(["spine", "tor"]), port=st.sampled_from([179, 1179])), max_size=2)


def _distinct(announcements: set[Announcement]) -> dict[object, Announcement]:
    """One for each address, and for each prefix and peer: what an announcer can do at one time."""
    return {
        one.address if isinstance(one, L2Announcement) else (one.prefix, one.peer): one
        for one in sorted(announcements, key=repr)
    }


@settings(max_examples=200, deadline=None)
@given(st.sets(_announcements), _peers, st.sets(_announcements), _peers)
def test_carrying_out_the_plan_leaves_nothing_to_do(
    wanted: set[Announcement], peers: set[BGPPeer], spoken: set[Announcement], sessions: set[BGPPeer]
) -> None:
    by_name = {one.name: one for one in sorted(peers, key=repr)}
    up = {one.name: one for one in sorted(sessions, key=repr)}
    reachable = [a for a in wanted if isinstance(a, L2Announcement) or a.peer in by_name]
    target = placement(*reachable, peers=by_name.values())
    said = {k: a for k, a in _distinct(spoken).items() if isinstance(a, L2Announcement) or a.peer in up}
    for action in plan_announcements(target, active(*said.values(), peers=up.values())).actions:
        match action:
            case Withdraw(announcement=gone):
                said = {key: one for key, one in said.items() if one != gone}
            case ClosePeer(peer=closed):
                assert up.pop(closed.name) == closed
                said = {k: a for k, a in said.items() if isinstance(a, L2Announcement) or a.peer != closed.name}
            case OpenPeer(peer=opened):
                assert opened.name not in up
                up[opened.name] = opened
            case Announce(announcement=new):
                assert isinstance(new, L2Announcement) or new.peer in up
                said.update(_distinct({new}))
    assert plan_announcements(target, active(*said.values(), peers=up.values())).actions == ()


@settings(max_examples=200, deadline=None)
@given(st.sets(_announcements), _peers, st.sets(_announcements), _peers)
def test_a_plan_is_what_a_comparison_of_everything_gives(
    wanted: set[Announcement], peers: set[BGPPeer], spoken: set[Announcement], sessions: set[BGPPeer]
) -> None:
    target = placement(*wanted, peers={one.name: one for one in sorted(peers, key=repr)}.values())
    up = {one.name: one for one in sorted(sessions, key=repr)}
    now = active(*_distinct(spoken).values(), peers=up.values())
    before, after = _distinct(spoken), _distinct({*target.heard, *target.routes})
    redefined = {one.name for one in target.peers if one.name in up and up[one.name] != one}
    again = {k for k, one in after.items() if isinstance(one, RouteAnnouncement) and one.peer in redefined}
    actions = plan_announcements(target, now).actions
    gone = [action.announcement for action in actions if isinstance(action, Withdraw)]
    told = [action.announcement for action in actions if isinstance(action, Announce)]
    assert gone == sorted((one for key, one in before.items() if key not in after), key=order_of)
    assert told == sorted((one for k, one in after.items() if before.get(k) != one or k in again), key=order_of)
    assert [action for action in actions if isinstance(action, Announce) and action.cause is None] == [
        action for action in actions if isinstance(action, Announce) and action.announcement not in wanted
    ]


def test_where_the_active_set_is_the_very_one_that_is_heard_nothing_is_compared() -> None:
    class Watched(frozenset[L2Announcement]):
        def __sub__(self, _: object) -> NoReturn:
            raise AssertionError

    found = placement(l2(ONE))
    found.__dict__["heard"] = heard = Watched(found.heard)
    assert plan_announcements(found, Active(heard)).actions == ()
    with pytest.raises(AssertionError):
        plan_announcements(found, active(l2(ONE)))


def test_an_address_that_nobody_can_have_announced_is_new() -> None:
    wanted = placement(l2(ONE), l2(TWO), route("192.0.2.1/32", "tor"), peers=[TOR])
    actions = plan_announcements(wanted, active(peers=[TOR]), new={parse_address(ONE)}).actions
    assert actions == (
        Announce(l2(ONE), ORIGIN, is_new=True),
        Announce(l2(TWO), ORIGIN),
        Announce(route("192.0.2.1/32", "tor"), ORIGIN),
    )


def test_diff_placements_by_service_and_address() -> None:
    node = NodeName("n")
    before = Placement(node, (placed("a/kept", l2(ONE)), placed("b/moved", l2(TWO)), placed("c/wider", l2(TWO, "e0"))))
    after = Placement(
        node, (placed("a/kept", l2(ONE), line=7), placed("b/moved", l2(ONE)), placed("c/wider", l2(TWO, "e0", "e1")))
    )
    assert list(diff_placements(before, after)) == [
        (Change.KEEP, placed("a/kept", l2(ONE), line=7)),
        (Change.ADD, placed("b/moved", l2(ONE))),
        (Change.REMOVE, placed("b/moved", l2(TWO))),
        (Change.REMOVE, placed("c/wider", l2(TWO, "e0"))),
        (Change.ADD, placed("c/wider", l2(TWO, "e0", "e1"))),
    ]
