"""Several peers that change in one pass: who keeps which session, and what an exception in the middle leaves."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from reconciler.addresses.family import parse_address
from reconciler.announcers.bgp import BGPAnnouncer
from reconciler.bgp.notification import Cease
from reconciler.model.announcements import RouteAnnouncement
from reconciler.model.observed import NodeName, ServiceKey
from reconciler.model.peers import BGPPeer
from reconciler.model.settings import BGPPeerSettings, BGPSettings, Settings
from reconciler.placement.decisions import Placed, Placement
from reconciler.plan.actions import ClosePeer, OpenPeer
from reconciler.plan.announcements import plan_announcements
from tests.announcers.bgp_doubles import Clock, Net, Secrets, Session, configured, peer, route

NAMED = "tor-secret"


class Node:
    """An announcer that is given placements, as a speaker does."""

    def __init__(self) -> None:
        self.net = Net()
        self.announcer = BGPAnnouncer("n1", Secrets().read, _ignore, clock=Clock(), open_transport=lambda _: self.net)
        self.configure()

    def configure(self, *settings: BGPPeerSettings) -> None:
        self.announcer.desired_changed(configured(settings=Settings(bgp=BGPSettings(peers=settings))))

    def make_pass(self, peers: list[BGPPeer], *routes: RouteAnnouncement) -> None:
        placed = (Placed(ServiceKey("shop/web"), parse_address("10.0.0.1"), one) for one in routes)
        placement = Placement(NodeName("n1"), tuple(placed), frozenset(peers))
        actions = plan_announcements(placement, self.announcer.active()).actions
        self.announcer.apply_all(actions, amounting_to=placement.routes)
        assert self.announcer.active().routes == placement.routes
        assert plan_announcements(placement, self.announcer.active()).actions == ()

    def tables(self) -> dict[str, list[str]]:
        """By the last octet of the peer's address: what it hears of, in the last session with it."""
        return {
            str(each.remote.address[3]): sorted(each.rib.table) for each in self.net.sessions if each.remote.address
        }


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_true():
            await asyncio.sleep(0)


async def _turns() -> None:
    """Let come what is on its way."""
    for _ in range(100):
        await asyncio.sleep(0)


def _ignore(_: object) -> None:
    pass


def _is_untouched(session: Session) -> bool:
    return set(session.log) <= {"tell"}


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    made = Node()
    yield made
    await made.announcer.close()


async def test_names_that_move_along_a_row_reset_nothing(node: Node) -> None:
    """As where peers are numbered, and one is put in front of the others."""
    rack = [peer(f"peer-{index}", f"192.0.2.{20 + index}") for index in range(3)]
    node.make_pass(rack, *(route("10.0.0.1/32", one.name) for one in rack), route("10.0.0.2/32", "peer-0"))
    first = peer("peer-0", "192.0.2.30")
    moved = [first, *(replace(one, name=f"peer-{index + 1}") for index, one in enumerate(rack))]
    node.make_pass(moved, *(route("10.0.0.1/32", one.name) for one in moved), route("10.0.0.2/32", "peer-0"))
    await _turns()
    assert [each.remote.address[3] for each in node.net.sessions if each.remote.address] == [20, 21, 22, 30]
    assert all(map(_is_untouched, node.net.sessions))
    one, both = ["10.0.0.1/32"], ["10.0.0.1/32", "10.0.0.2/32"]
    assert node.tables() == {"20": one, "21": one, "22": one, "30": both}
    assert [(each.peer, each.remote) for each in node.announcer.sessions()] == [
        ("peer-0", "192.0.2.30:179"),
        ("peer-1", "192.0.2.20:179"),
        ("peer-2", "192.0.2.21:179"),
        ("peer-3", "192.0.2.22:179"),
    ]


async def test_two_peers_that_swap_names_swap_routes_and_no_session(node: Node) -> None:
    one, two = peer("one", "192.0.2.21"), peer("two", "192.0.2.22")
    routes = route("10.0.0.1/32", "one"), route("10.0.0.2/32", "two"), route("10.0.0.3/32", "two", 7)
    node.make_pass([one, two], *routes)
    node.make_pass([replace(two, name="one"), replace(one, name="two")], *routes)
    await _turns()
    assert all(map(_is_untouched, node.net.sessions))
    assert node.tables() == {"22": ["10.0.0.1/32"], "21": ["10.0.0.2/32", "10.0.0.3/32"]}
    node.make_pass([replace(two, name="one"), replace(one, name="two")], routes[0])
    assert node.tables() == {"22": ["10.0.0.1/32"], "21": []}


async def test_a_new_name_that_our_settings_follow_costs_nothing(node: Node) -> None:
    node.configure(BGPPeerSettings("tor", gtsm_hops=1))
    node.make_pass([peer(), peer("other", "192.0.2.8")])
    node.configure(BGPPeerSettings("better", gtsm_hops=1))
    node.make_pass([peer("better"), peer("other", "192.0.2.8")])
    await _turns()
    assert len(node.net.sessions) == 2
    assert all(map(_is_untouched, node.net.sessions))


@pytest.mark.parametrize("is_swapped", [False, True])
async def test_nobody_comes_to_a_place_before_it_is_left(node: Node, is_swapped: bool) -> None:
    one, two = peer("one", "192.0.2.21"), peer("two", "192.0.2.22")
    node.make_pass([one, two])
    slower = replace(one, peer_address=two.peer_address, hold_time=9.0, keepalive_time=3.0)
    others = [replace(two, peer_address=one.peer_address, hold_time=9.0, keepalive_time=3.0)] if is_swapped else []
    node.make_pass([slower, *others])
    assert len(node.net.sessions) == 2
    await until(lambda: len(node.net.sessions) == 3 + is_swapped)
    first, second = node.net.sessions[:2]
    assert isinstance(first.log[-1], tuple)
    assert isinstance(second.log[-1], tuple)
    assert node.net.sessions[2].remote.address == bytes((192, 0, 2, 22))


async def test_a_peer_that_cannot_be_opened_costs_the_others_nothing(node: Node) -> None:
    """Whatever it is that fails: the next pass finds what there is, and asks for the rest."""
    bad, gone, good = peer("a-bad", "192.0.2.66"), peer("gone", "192.0.2.21"), peer("good", "192.0.2.22")
    routes = [route(f"10.0.0.{index}/32", "good") for index in range(1, 4)]
    node.make_pass([gone, good], routes[0])
    node.net.fault = lambda remote: remote.address == bytes((192, 0, 2, 66))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            node.make_pass([bad, good], *routes)
        assert node.announcer.active().peers == {good}
    await until(lambda: (Cease.PEER_DECONFIGURED, "it is not configured here any more") in node.net.sessions[0].log)
    node.net.fault = lambda _: False
    node.make_pass([bad, good], *routes)
    assert node.announcer.active().peers == {bad, good}
    assert node.tables() == {"21": ["10.0.0.1/32"][:0], "22": [str(one.prefix) for one in routes], "66": []}
    assert {one.peer: one.wanted for one in node.announcer.sessions()} == {"a-bad": 0, "good": 3}


async def test_whoever_asks_in_another_thread_disturbs_nobody() -> None:
    """As a scrape of the metrics does, while peers come and go that have no session yet."""

    async def wait(_: str) -> bytes:
        await asyncio.Event().wait()
        return b""

    announcer = BGPAnnouncer("n1", wait, _ignore, clock=Clock(), open_transport=lambda _: Net())
    peers = [peer(f"p{index}", f"192.0.2.{index}", password_secret=NAMED) for index in range(1, 21)]
    has_ended = False

    def ask() -> None:
        while not has_ended:
            announcer.sessions()

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        asking = asyncio.create_task(asyncio.to_thread(ask))
        for _ in range(300):
            announcer.apply_all(map(OpenPeer, peers))
            announcer.apply_all(())
            announcer.apply_all(map(ClosePeer, peers))
            await asyncio.sleep(0)
        has_ended = True
        await asking
    finally:
        has_ended = True
        sys.setswitchinterval(before)
        await announcer.close()
