"""The announcer of routes: what it asks of sessions, and when; without a network."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from reconciler.addresses.family import parse_address
from reconciler.announcers.bgp import BGPAnnouncer
from reconciler.announcers.facts import PeerSession
from reconciler.announcers.port import SessionReport, SessionReportKind
from reconciler.bgp.events import RoutesRefused
from reconciler.bgp.notification import Cease
from reconciler.bgp.routes import RouteAttributes
from reconciler.model.announcements import Active, L2Announcement, RouteAnnouncement, Routes
from reconciler.model.observed import NodeName, ServiceKey
from reconciler.model.peers import BGPPeer
from reconciler.model.selectors import LabelSelector
from reconciler.model.settings import BGPDrainSettings, BGPListenSettings, BGPPeerSettings, BGPSettings, Settings
from reconciler.placement.decisions import Placed, Placement
from reconciler.plan.actions import Announce, ClosePeer, OpenPeer, SpeakerAction, Withdraw
from reconciler.plan.announcements import plan_announcements
from tests.announcers.bgp_doubles import Clock, Net, Secrets, Session, configured, peer, route

Kind = SessionReportKind
SECRET, ONE, TWO, OLD = "tor-secret", "one", "two", "old"
CHANGED = (Cease.OTHER_CONFIGURATION_CHANGE, "its configuration has changed")
GONE = (Cease.PEER_DECONFIGURED, "it is not configured here any more")


class Speaker:
    """An announcer, and all that it is joined to."""

    def __init__(self, **options: Any) -> None:
        self.net, self.clock, self.secrets = Net(), Clock(), Secrets()
        self.reports: list[SessionReport] = []
        self.announcer = BGPAnnouncer(
            "n1",
            self.secrets.read,
            self.reports.append,
            clock=self.clock,
            open_transport=lambda _: self.net,
            **options,
        )
        self.configure()

    def configure(self, **bgp: Any) -> None:
        self.announcer.desired_changed(configured(settings=Settings(bgp=BGPSettings(**bgp))))

    def do(self, *actions: SpeakerAction) -> None:
        self.announcer.apply_all(actions)

    def open(self, *peers: BGPPeer) -> list[Session]:
        self.do(*(OpenPeer(one) for one in peers))
        return self.net.sessions

    def redefine(self, before: BGPPeer, after: BGPPeer) -> None:
        self.do(ClosePeer(before), OpenPeer(after))

    def session(self, name: str = "tor") -> PeerSession:
        return next(one for one in self.announcer.sessions() if one.peer == name)

    def told(self) -> list[tuple[Kind, str]]:
        told = [(one.kind, one.message) for one in self.reports]
        self.reports.clear()
        return told


@pytest.fixture
async def speaker() -> AsyncIterator[Speaker]:
    made = Speaker()
    yield made
    await made.announcer.close()


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_true():
            await asyncio.sleep(0)


# What is asked for, and what becomes of it


async def test_one_peer_and_no_service(speaker: Speaker) -> None:
    """S-B-01."""
    (session,) = speaker.open(peer())
    assert speaker.announcer.active() == Active(peers=frozenset({peer()}))
    assert session.rib.table == {}
    assert session.rib.is_settled


async def test_what_is_asked_for_is_what_is_active(speaker: Speaker) -> None:
    one, two = route("10.0.0.1/32"), route("10.0.0.2/32", "tor", 100, "0:1234", "large:1:2:3")
    (session,) = speaker.open(peer())
    speaker.do(Announce(one), Announce(two), Announce(L2Announcement(parse_address("10.0.0.1"))))
    assert speaker.announcer.active() == Active(peers=frozenset({peer()}), routes=Routes.of([one, two]))
    assert session.rib.table == {
        "10.0.0.1/32": RouteAttributes(),
        "10.0.0.2/32": RouteAttributes(100, (1234,), ((1, 2, 3),)),
    }
    assert session.log.count("tell") == 2
    changed = route("10.0.0.2/32", "tor", 200)
    speaker.do(Withdraw(one), Announce(changed))
    assert speaker.announcer.active().routes == Routes.of([changed])
    assert session.rib.table == {"10.0.0.2/32": RouteAttributes(200)}


async def test_every_peer_hears_of_its_own_routes(speaker: Speaker) -> None:
    """S-B-09: an advertisement for one peer alone."""
    tor, other = peer(), peer("other", "192.0.2.8")
    mine, both = route("10.0.0.1/32"), [route("10.0.0.2/32", name) for name in ("tor", "other")]
    first, second = speaker.open(tor, other)
    speaker.do(*(Announce(one) for one in (mine, *both)))
    assert (sorted(first.rib.table), sorted(second.rib.table)) == (["10.0.0.1/32", "10.0.0.2/32"], ["10.0.0.2/32"])


async def test_nothing_is_told_where_nothing_changes(speaker: Speaker) -> None:
    (session,) = speaker.open(peer())
    speaker.do(Announce(route("10.0.0.1/32")))
    log = list(session.log)
    speaker.do()
    speaker.do(Withdraw(route("10.0.0.1/32", "somebody")))
    assert session.log == log


async def test_planning_again_after_applying_gives_an_empty_plan(speaker: Speaker) -> None:
    peers = frozenset({peer(), peer("other", "192.0.2.8")})
    wanted = [route("10.0.0.1/32"), route("10.0.0.1/32", "other"), route("fc00::1/128", "other", 7)]
    placement = _placement(peers, *wanted)
    speaker.announcer.apply_all(plan_announcements(placement, speaker.announcer.active()).actions)
    assert plan_announcements(placement, speaker.announcer.active()).actions == ()
    fewer = _placement(frozenset({peer()}), wanted[0])
    speaker.announcer.apply_all(plan_announcements(fewer, speaker.announcer.active()).actions)
    assert plan_announcements(fewer, speaker.announcer.active()).actions == ()
    assert speaker.announcer.active() == Active(peers=frozenset({peer()}), routes=Routes.of(wanted[:1]))


async def test_a_peer_that_is_removed_leaves_the_others_alone(speaker: Speaker) -> None:
    """S-B-12."""
    first, second = speaker.open(peer(), peer("other", "192.0.2.8"))
    speaker.do(ClosePeer(peer()))
    await until(lambda: GONE in first.log)
    assert not [one for one in second.log if one != "tell"]
    assert [one.peer for one in speaker.announcer.sessions()] == ["other"]


# Which changes reopen a session


@pytest.mark.parametrize(
    ("fields", "reopens"),
    [
        pytest.param({"node_selectors": (LabelSelector((("rack", "a"),)),)}, False, id="where it runs"),
        pytest.param({"hold_time": 90.0}, False, id="a default that is written down"),
        pytest.param({"local_asn": 64512}, False, id="a local AS that is ours anyway"),
        pytest.param({"hold_time": 9.0, "keepalive_time": 3.0}, True, id="timers"),
        pytest.param({"peer_asn": 64514}, True, id="another AS"),
        pytest.param({"password": "new"}, True, id="a password"),
        pytest.param({"enable_graceful_restart": True}, True, id="another capability"),
        pytest.param({"vrf": "red"}, True, id="another VRF"),
    ],
)
async def test_only_a_change_of_its_own_terms_reopens_a_session(
    speaker: Speaker, fields: dict[str, Any], reopens: bool
) -> None:
    speaker.open(peer(), peer("other", "192.0.2.8"))
    kept = [route("10.0.0.1/32"), route("10.0.0.2/32")]
    speaker.do(*map(Announce, kept))
    before, after = peer(), replace(peer(), **fields)
    # As a plan has it: what is withdrawn, then the peer, then all its routes.
    speaker.do(Withdraw(kept[1]), ClosePeer(before), OpenPeer(after), Announce(kept[0]))
    first, other = speaker.net.sessions[:2]
    await until(lambda: len(speaker.net.sessions) == 2 + reopens and (CHANGED in first.log) is reopens)
    assert not [one for one in other.log if one != "tell"]
    assert speaker.net.sessions[2 if reopens else 0].rib.table == {"10.0.0.1/32": RouteAttributes()}
    assert speaker.announcer.active().peers == {after, peer("other", "192.0.2.8")}


async def test_a_new_name_costs_nothing(speaker: Speaker) -> None:
    (session,) = speaker.open(peer())
    speaker.do(Announce(route("10.0.0.1/32")))
    session.rib.changes.clear()
    renamed = peer("better")
    speaker.do(
        Withdraw(route("10.0.0.1/32")),
        ClosePeer(peer()),
        OpenPeer(renamed),
        Announce(route("10.0.0.1/32", "better")),
    )
    assert session.rib.changes == ["-10.0.0.1/32", "+10.0.0.1/32"]
    assert set(session.log) == {"tell"}
    assert [one.peer for one in speaker.announcer.sessions()] == ["better"]
    assert len(speaker.net.sessions) == 1
    session.establish()
    assert [one.peer for one in speaker.reports] == ["better"]


async def test_a_peer_under_another_name_with_other_terms_waits_until_the_first_has_gone(speaker: Speaker) -> None:
    (first,) = speaker.open(peer())
    speaker.do(ClosePeer(peer()), OpenPeer(peer("better", hold_time=9.0, keepalive_time=3.0)))
    assert len(speaker.net.sessions) == 1
    await until(lambda: len(speaker.net.sessions) == 2)
    assert GONE in first.log


async def test_a_peer_that_comes_back_waits_until_it_has_gone(speaker: Speaker) -> None:
    speaker.open(peer())
    speaker.do(Announce(route("10.0.0.1/32")))
    speaker.do(ClosePeer(peer()))
    speaker.do(OpenPeer(peer()))
    assert len(speaker.net.sessions) == 1
    await until(lambda: len(speaker.net.sessions) == 2)
    assert list(speaker.net.sessions[1].rib.table) == ["10.0.0.1/32"]
    assert speaker.net.sessions[1].rib.is_settled


async def test_two_changes_in_a_row_open_one_session(speaker: Speaker) -> None:
    speaker.open(peer())
    one, two = peer(hold_time=9.0, keepalive_time=3.0), peer(hold_time=12.0, keepalive_time=4.0)
    speaker.redefine(peer(), one)
    speaker.redefine(one, two)
    await until(lambda: len(speaker.net.sessions) == 2)
    assert speaker.net.sessions[1].parameters.hold_time == 12.0


async def test_settings_of_one_peer_reopen_that_one(speaker: Speaker) -> None:
    first, second = speaker.open(peer(), peer("other", "192.0.2.8"))
    speaker.configure(peers=(BGPPeerSettings("tor", gtsm_hops=1, maximum_prefixes=5),))
    speaker.do()
    await until(lambda: len(speaker.net.sessions) == 3)
    assert CHANGED in first.log
    assert not [one for one in second.log if one != "tell"]
    assert speaker.net.sessions[2].remote.hops == 1
    assert speaker.net.sessions[2].parameters.maximum_prefixes == 5


async def test_an_event_of_the_session_before_is_none_of_this_one(speaker: Speaker) -> None:
    (first,) = speaker.open(peer())
    speaker.redefine(peer(), peer(hold_time=9.0, keepalive_time=3.0))
    first.establish()
    assert speaker.told() == []
    assert speaker.session().state == "idle"


# Passwords


async def test_a_secret_is_read_before_the_first_attempt(speaker: Speaker) -> None:
    """S-P-01."""
    speaker.secrets.values["tor-secret"] = b"s3cret"
    speaker.do(OpenPeer(peer(password_secret=SECRET)), Announce(route("10.0.0.1/32")))
    assert speaker.net.sessions == []
    await until(lambda: bool(speaker.net.sessions))
    (session,) = speaker.net.sessions
    assert session.remote.password == b"s3cret"
    assert list(session.rib.table) == ["10.0.0.1/32"]
    assert session.rib.is_settled
    assert speaker.told() == []


async def test_a_secret_that_is_missing_is_told_and_read_again(
    speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.announcers.bgp_password._FIRST_PAUSE", 0.0)
    speaker.open(peer(password_secret=SECRET))
    problem = 'its password cannot be read: there is no Secret "tor-secret"'
    await until(lambda: len(speaker.secrets.asked) > 2)
    assert speaker.told() == [(Kind.PROBLEM, problem)]
    assert speaker.session().problem == problem
    speaker.secrets.values["tor-secret"] = b"s3cret"
    await until(lambda: bool(speaker.net.sessions))
    assert [kind for kind, _ in speaker.told()] == [Kind.PROBLEM_OVER]


async def test_a_password_that_changed_reopens_its_session_and_one_that_did_not_does_not(speaker: Speaker) -> None:
    speaker.secrets.values |= {"one": b"1", "two": b"2"}
    speaker.open(peer(password_secret=ONE), peer("other", "192.0.2.8", password_secret=TWO))
    await until(lambda: len(speaker.net.sessions) == 2)
    speaker.secrets.values["one"] = b"new"
    speaker.announcer.read_secrets_again()
    await until(lambda: len(speaker.net.sessions) == 3)
    assert speaker.net.sessions[2].remote.password == b"new"
    await until(lambda: speaker.secrets.asked == ["one", "two", "one", "two"])
    assert CHANGED not in speaker.net.sessions[1].log


async def test_a_session_stays_while_its_new_secret_is_read(speaker: Speaker) -> None:
    (first,) = speaker.open(peer(password=OLD))
    after = peer(password_secret=SECRET)
    speaker.redefine(peer(password=OLD), after)
    await until(lambda: speaker.session().problem is not None)
    assert set(first.log) == {"tell"}
    speaker.secrets.values["tor-secret"] = b"old"
    speaker.announcer.read_secrets_again()
    await until(lambda: speaker.session().problem is None)
    assert (set(first.log), len(speaker.net.sessions)) == ({"tell"}, 1)


# What is reported


async def test_a_session_comes_and_goes(speaker: Speaker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "reconciler.announcers")
    (session,) = speaker.open(peer())
    assert (speaker.session().state, speaker.session().since) == ("idle", 1000.0)
    speaker.clock.now = 1001.0
    session.establish()
    established = "session with 192.0.2.9:179, AS 64513: IPv4, hold time 90 s"
    assert speaker.told() == [(Kind.ESTABLISHED, established)]
    speaker.clock.now = 1005.0
    session.lose("the peer is silent", retry_in=4.0)
    session.lose("nobody answers")
    session.lose("nobody answers")
    assert speaker.told() == [(Kind.ENDED, "the session has ended: the peer is silent")]
    assert [record.getMessage() for record in caplog.records] == [
        f"peer tor: {established}",
        "peer tor: the session has ended: the peer is silent",
        "peer tor: no session yet: nobody answers",
    ]
    fact = speaker.session()
    assert (fact.last_error, fact.last_error_at, fact.retry_at) == ("nobody answers", 1005.0, 1006.0)


async def test_routes_of_a_peer_that_are_in_error_are_in_the_log(
    speaker: Speaker, caplog: pytest.LogCaptureFixture
) -> None:
    (session,) = speaker.open(peer())
    session.establish()
    session.happen(RoutesRefused("ORIGIN has 2 octets"))
    assert caplog.records[-1].getMessage() == "peer tor: routes of it are passed over: ORIGIN has 2 octets"
    assert speaker.session().state == "established"


async def test_how_a_session_stands(speaker: Speaker) -> None:
    (session,) = speaker.open(peer(vrf="red", local_asn=64999))
    speaker.do(Announce(route("10.0.0.1/32")))
    session.establish(graceful=True)
    fact = speaker.session()
    assert (fact.peer, fact.remote, fact.vrf, fact.state) == ("tor", "192.0.2.9:179", "red", "established")
    assert (fact.local_asn, fact.remote_asn, fact.remote_router_id) == (64999, 64513, "192.0.2.9")
    assert (fact.hold_time, fact.graceful_restart, fact.families) == (90.0, True, ("IPv4",))
    assert (fact.wanted, fact.told, fact.received, fact.counts.updates_sent) == (1, 1, 3, 7)
    assert (fact.problem, fact.last_error, fact.bfd) == (None, None, None)


async def test_what_keeps_us_from_trying_is_told_once(speaker: Speaker) -> None:
    (session,) = speaker.open(peer())
    session.have_problem("no interface of this node has 192.0.2.77")
    session.have_problem("no interface of this node has 192.0.2.77")
    assert speaker.told() == [(Kind.PROBLEM, "no interface of this node has 192.0.2.77")]
    session.have_problem(None)
    assert [kind for kind, _ in speaker.told()] == [Kind.PROBLEM_OVER]


async def test_routes_of_a_family_in_which_we_cannot_be_reached_are_a_problem(speaker: Speaker) -> None:
    (session,) = speaker.open(peer(dual_stack_address_family=True))
    speaker.do(Announce(route("10.0.0.1/32")))
    session.establish(has_ipv6=False)
    # As long as there are no such routes, nobody misses anything.
    assert speaker.session().problem is None
    speaker.do(Announce(route("fc00::1/128")))
    problem = speaker.session().problem
    assert problem is not None
    assert problem.startswith("IPv6 routes are not told: the interface towards the peer has no IPv6 address")
    session.establish()
    assert speaker.session().problem is None


async def test_a_route_that_may_not_leave_is_told_and_kept(speaker: Speaker) -> None:
    (session,) = speaker.open(peer())
    bad = [route("203.0.113.1/32"), route("10.0.0.0/16")]
    speaker.do(Announce(route("10.0.0.1/32")), *map(Announce, bad))
    complaint = "203.0.113.1/32 is not announced: it holds no address of any pool (and 1 more)"
    assert speaker.told() == [(Kind.PROBLEM, complaint)]
    assert (speaker.session().problem, speaker.session().wanted) == (complaint, 3)
    assert list(session.rib.table) == ["10.0.0.1/32"]
    assert speaker.announcer.active().routes == Routes.of([route("10.0.0.1/32"), *bad])
    speaker.do(*map(Withdraw, bad))
    assert [kind for kind, _ in speaker.told()] == [Kind.PROBLEM_OVER]


async def test_a_pool_that_goes_takes_its_routes_along_even_where_no_plan_does(speaker: Speaker) -> None:
    (session,) = speaker.open(peer())
    speaker.do(Announce(route("10.0.0.1/32")))
    speaker.announcer.desired_changed(configured("10.0.9.0/24"), former=[configured()])
    speaker.do()
    assert list(session.rib.table) == ["10.0.0.1/32"]
    speaker.announcer.desired_changed(configured("10.0.9.0/24"))
    speaker.do()
    assert session.rib.table == {}


# Listening


async def test_peers_may_connect_where_that_is_configured(speaker: Speaker) -> None:
    speaker.configure(listen=BGPListenSettings(True, 1179, (parse_address("192.0.2.10"),)))
    speaker.configure(listen=BGPListenSettings(True, 1179, (parse_address("192.0.2.10"),)))
    speaker.configure()
    assert speaker.net.listening == [(1179, (bytes((192, 0, 2, 10)),)), None]


async def test_a_peer_that_cannot_connect_has_a_problem(speaker: Speaker) -> None:
    settings = {"peers": (BGPPeerSettings("tor", passive=True),)}
    speaker.configure(**settings)
    speaker.open(peer())
    why = "it is to connect to us, but nothing is listened on: set spec.bgp.listen.enabled"
    assert speaker.told() == [(Kind.PROBLEM, why)]
    speaker.net.refusal = "cannot listen on port 179: NET_BIND_SERVICE is missing"
    speaker.configure(listen=BGPListenSettings(True), **settings)
    speaker.do()
    assert speaker.announcer.listening_problem == speaker.net.refusal
    assert speaker.told() == [(Kind.PROBLEM, speaker.net.refusal)]
    speaker.net.refusal = None
    speaker.announcer.look()
    assert speaker.told() == []
    speaker.clock.now += 5.0
    speaker.announcer.look()
    assert [kind for kind, _ in speaker.told()] == [Kind.PROBLEM_OVER]
    assert speaker.announcer.listening_problem is None
    assert speaker.net.listening == [(179, ())]


# The end


LEFT = (Cease.ADMINISTRATIVE_SHUTDOWN, "the speaker of node n1 ends")


async def test_routes_are_withdrawn_before_the_end() -> None:
    speaker = Speaker()
    speaker.configure(drain=BGPDrainSettings(wait=0.0, wait_withdrawn=0.0))
    (session,) = speaker.open(peer())
    speaker.do(Announce(route("10.0.0.1/32")))
    session.establish()
    session.log.clear()
    session.rib.changes.clear()
    await speaker.announcer.leave(preserving=False)
    assert session.log == ["tell", ("drained", "leaving"), "tell", ("drained", "-10.0.0.1/32"), LEFT]
    speaker.do(Announce(route("10.0.0.2/32")))
    await speaker.announcer.close()
    assert (session.rib.table, session.log[-1], speaker.net.listening) == ({}, LEFT, ["closed"])


async def test_nobody_is_warned_where_that_is_not_asked_for() -> None:
    speaker = Speaker()
    speaker.configure(drain=BGPDrainSettings(graceful_shutdown=False, wait=3600.0, wait_withdrawn=0.0))
    (session,) = speaker.open(peer())
    speaker.do(Announce(route("10.0.0.1/32")))
    session.establish()
    session.rib.changes.clear()
    await speaker.announcer.leave(preserving=False)
    assert session.log[-2:] == [("drained", "-10.0.0.1/32"), LEFT]


async def test_peers_that_have_heard_nothing_are_not_waited_for() -> None:
    speaker = Speaker()
    speaker.configure(drain=BGPDrainSettings(wait=3600.0, wait_withdrawn=3600.0))
    without_routes, without_session = speaker.open(peer(), peer("other", "192.0.2.8"))
    speaker.do(Announce(route("10.0.0.1/32", "other")))
    without_routes.establish()
    async with asyncio.timeout(20):
        await speaker.announcer.leave(preserving=True)
    assert [one.log[-1] for one in (without_routes, without_session)] == [LEFT, LEFT]


async def test_peers_that_agreed_to_it_keep_the_routes_through_a_restart() -> None:
    speaker = Speaker()
    speaker.configure(drain=BGPDrainSettings(wait=0.0, wait_withdrawn=0.0))
    graceful = peer(enable_graceful_restart=True)
    first, second, third = speaker.open(
        graceful,
        replace(graceful, name="not-he", peer_address=parse_address("192.0.2.8")),
        replace(graceful, name="not-yet", peer_address=parse_address("192.0.2.7")),
    )
    speaker.do(*(Announce(route("10.0.0.1/32", name)) for name in ("tor", "not-he", "not-yet")))
    first.establish(graceful=True)
    second.establish(graceful=False)
    await speaker.announcer.leave(preserving=True)
    assert first.log[-1] == third.log[-1] == "leave"
    assert (second.log[-1], second.rib.table) == (LEFT, {})
    assert list(first.rib.table) == ["10.0.0.1/32"]


async def test_without_a_restart_to_come_nobody_keeps_routes() -> None:
    speaker = Speaker()
    speaker.configure(drain=BGPDrainSettings(wait=0.0, wait_withdrawn=0.0))
    (session,) = speaker.open(peer(enable_graceful_restart=True))
    session.establish(graceful=True)
    await speaker.announcer.leave(preserving=False)
    assert session.log[-1] == LEFT


async def test_who_ends_because_of_a_defect_leaves_the_routes_where_that_was_agreed() -> None:
    speaker = Speaker()
    first, second = speaker.open(peer(enable_graceful_restart=True), peer("other", "192.0.2.8"))
    for session in (first, second):
        session.establish(graceful=True)
        session.log.clear()
    await speaker.announcer.close(preserving=True)
    assert (first.log, second.log) == (["leave"], [LEFT])


async def test_taking_leave_of_one_peer_goes_on_where_that_of_another_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: float) -> bool:
        raise ZeroDivisionError

    speaker = Speaker()
    speaker.configure(drain=BGPDrainSettings(wait=0.0, wait_withdrawn=0.0))
    first, second = speaker.open(peer(), peer("other", "192.0.2.8"))
    speaker.do(*(Announce(route("10.0.0.1/32", name)) for name in ("tor", "other")))
    first.establish()
    second.establish()
    monkeypatch.setattr(first, "drained", fail)
    with pytest.raises(ZeroDivisionError):
        await speaker.announcer.leave(preserving=False)
    assert (second.rib.table, second.log[-1]) == ({}, LEFT)


async def test_peers_are_told_of_a_restart_for_as_long_as_they_may_remember() -> None:
    speaker = Speaker(restarted=True)
    speaker.open(peer())
    speaker.clock.now += 120.0
    first, second = speaker.open(peer("other", "192.0.2.8"))
    assert (first.parameters.is_restarting, second.parameters.is_restarting) == (True, False)
    await speaker.announcer.close()
    # The end is sent when there is a turn for it.
    assert first.log[-1] == LEFT


def _placement(peers: frozenset[BGPPeer], *routes: RouteAnnouncement) -> Placement:
    placed = (Placed(ServiceKey("shop/web"), parse_address("10.0.0.1"), one) for one in routes)
    return Placement(NodeName("n1"), tuple(placed), peers)
