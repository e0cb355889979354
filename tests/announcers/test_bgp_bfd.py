"""BFD beside BGP: what is watched, and what a failure means; with endpoints that a test moves by hand."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from reconciler.addresses.family import parse_address
from reconciler.announcers.bgp import BGPAnnouncer
from reconciler.announcers.bgp_bfd_sessions import BFDSessions
from reconciler.announcers.facts import PeerSession
from reconciler.announcers.port import SessionReport, SessionReportKind
from reconciler.bfd.authentication import Meticulous
from reconciler.bfd.demultiplexing import Path, PathError
from reconciler.bfd.intervals import Parameters
from reconciler.bfd.packets import Diagnostic, State
from reconciler.bfd.session import Event, Heard, StateChanged, Unheard
from reconciler.bfd.sockets import SocketError
from reconciler.bfd.transport import Counts, Endpoint, Neighbor, OnEvent
from reconciler.bgp.notification import Cease
from reconciler.model.peers import BFDProfile, BGPPeer
from reconciler.plan.actions import ClosePeer, OpenPeer
from tests.announcers.bgp_doubles import Clock, Net, Secrets, configured, peer

Kind = SessionReportKind
WATCHED = peer(bfd=BFDProfile("fast", 50, 50, 3))
REMOTE = bytes((192, 0, 2, 9))


class Watched(Neighbor):
    """One BFD session."""

    def __init__(self, path: Path, parameters: Parameters, on_event: OnEvent) -> None:
        self.path, self.parameters, self.on_event = path, [parameters], on_event
        self.is_closed = False
        self._at = State.DOWN

    @property
    def state(self) -> State:
        return self._at

    def say(self, *events: Event) -> None:
        for event in events:
            if isinstance(event, StateChanged):
                self._at = event.after
            self.on_event(event)

    def come_up(self) -> None:
        self.say(Heard(), StateChanged(State.DOWN, State.UP, Diagnostic.NONE, State.INIT))

    def counts(self) -> Counts:
        return Counts(received=4, sent=5)

    def change(self, parameters: Parameters) -> None:
        if parameters != self.parameters[-1]:
            self.parameters.append(parameters)

    def close(self) -> None:
        self.is_closed = True


class Port(Endpoint):
    """One port with its sessions."""

    def __init__(self) -> None:
        self.sessions: list[Watched] = []
        self.refusal: Exception | None = None
        self.is_closed = False

    def open(
        self,
        path: Path,
        parameters: Parameters,
        on_event: OnEvent,
        *,
        authentication: Meticulous | None = None,  # noqa: ARG002 - as the endpoint has it
    ) -> Watched:
        if self.refusal is not None:
            raise self.refusal
        made = Watched(path, parameters, on_event)
        self.sessions.append(made)
        return made

    def close(self) -> None:
        self.is_closed = True


class Speaker:
    """An announcer whose peers have BFD."""

    def __init__(self) -> None:
        self.net, self.clock = Net(), Clock()
        self.ports: dict[tuple[int, str | None], list[Port]] = {}
        self.refusal: Exception | None = None
        self.reports: list[SessionReport] = []
        self.announcer = BGPAnnouncer(
            "n1",
            Secrets().read,
            self.reports.append,
            clock=self.clock,
            open_transport=lambda _: self.net,
            bfd=BFDSessions(self._open_port),
        )
        self.announcer.desired_changed(configured())

    def _open_port(self, port: int, device: str | None) -> Port:
        if self.refusal is not None:
            raise self.refusal
        made = Port()
        self.ports.setdefault((port, device), []).append(made)
        return made

    def open(self, *peers: BGPPeer) -> None:
        self.announcer.apply_all(OpenPeer(one) for one in peers)

    def redefine(self, before: BGPPeer, after: BGPPeer) -> None:
        self.announcer.apply_all((ClosePeer(before), OpenPeer(after)))

    def watched(self, port: int = 3784, device: str | None = None) -> list[Watched]:
        return [session for made in self.ports.get((port, device), []) for session in made.sessions]

    def session(self) -> PeerSession:
        return self.announcer.sessions()[0]

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds
        self.announcer.look()

    def told(self) -> list[tuple[Kind, str]]:
        told: list[tuple[Kind, str]] = [(r.kind, r.message) for r in self.reports if r.kind is not Kind.ESTABLISHED]
        self.reports.clear()
        return told


@pytest.fixture
async def speaker() -> AsyncIterator[Speaker]:
    made = Speaker()
    yield made
    await made.announcer.close()


def down(diagnostic: Diagnostic, remote: State = State.DOWN) -> StateChanged:
    return StateChanged(State.UP, State.DOWN, diagnostic, remote)


async def test_a_session_follows_its_bfd_down(speaker: Speaker) -> None:
    speaker.open(WATCHED)
    (watched,) = speaker.watched()
    assert (watched.path, watched.parameters) == (Path(REMOTE), [Parameters(0.05, 0.05, 3)])
    (session,) = speaker.net.sessions
    session.establish()
    watched.come_up()
    assert (speaker.session().bfd, speaker.session().bfd_problem) == ("up", None)
    watched.say(Unheard(was_up=True), down(Diagnostic.DETECTION_TIME_EXPIRED))
    why = "nothing was heard of the peer for the detection time"
    assert session.log[-1] == (Cease.BFD_DOWN, f"BFD is down: {why}")
    up = (Kind.BFD_UP, "the BFD session is up")
    assert speaker.told() == [up, (Kind.BFD_DOWN, f"the BFD session is down: {why}")]
    fact = speaker.session()
    assert (fact.bfd, fact.counts.bfd_up_events, fact.counts.bfd_down_events) == ("down", 1, 1)
    assert (fact.counts.bfd_packets_sent, fact.counts.bfd_packets_received) == (5, 4)


async def test_the_other_side_noticing_first_is_a_failure_too(speaker: Speaker) -> None:
    speaker.open(WATCHED)
    speaker.net.sessions[0].establish()
    (watched,) = speaker.watched()
    watched.come_up()
    watched.say(down(Diagnostic.NEIGHBOR_SIGNALED_DOWN))
    assert speaker.net.sessions[0].log[-1] == (
        Cease.BFD_DOWN,
        "BFD is down: the peer says that it does not hear us any more",
    )


async def test_a_peer_that_ends_bfd_on_purpose_keeps_its_session(speaker: Speaker) -> None:
    speaker.open(WATCHED)
    (session,), (watched,) = speaker.net.sessions, speaker.watched()
    session.establish()
    watched.come_up()
    watched.say(down(Diagnostic.NEIGHBOR_SIGNALED_DOWN, State.ADMIN_DOWN))
    assert set(session.log) == {"tell"}
    assert [kind for kind, _ in speaker.told()] == [Kind.BFD_UP, Kind.BFD_DOWN]


async def test_bfd_that_never_came_up_ends_nothing(speaker: Speaker) -> None:
    speaker.open(WATCHED)
    (session,), (watched,) = speaker.net.sessions, speaker.watched()
    session.establish()
    watched.say(Heard(), StateChanged(State.DOWN, State.INIT, Diagnostic.NONE, State.DOWN))
    watched.say(StateChanged(State.INIT, State.DOWN, Diagnostic.DETECTION_TIME_EXPIRED, State.DOWN))
    assert set(session.log) == {"tell"}
    assert speaker.told() == []


async def test_bfd_that_goes_down_without_a_bgp_session_asks_for_nothing(speaker: Speaker) -> None:
    speaker.open(WATCHED)
    (session,), (watched,) = speaker.net.sessions, speaker.watched()
    watched.come_up()
    watched.say(down(Diagnostic.DETECTION_TIME_EXPIRED))
    assert set(session.log) == {"tell"}


async def test_a_peer_without_bfd_is_said_to_have_none(speaker: Speaker) -> None:
    speaker.open(WATCHED)
    speaker.wait(100.0)
    assert (speaker.told(), speaker.session().bfd, speaker.session().bfd_problem) == ([], "down", None)
    speaker.net.sessions[0].establish()
    speaker.wait(4.9)
    assert speaker.told() == []
    speaker.wait(0.1)
    speaker.wait(1.0)
    assert speaker.told() == [(Kind.BFD_ABSENT, "the BGP session is there, but the peer sends no BFD packets")]
    assert speaker.session().bfd_problem == "the peer sends no BFD packets"
    (watched,) = speaker.watched()
    watched.come_up()
    assert speaker.session().bfd_problem is None
    watched.say(Unheard(was_up=True), down(Diagnostic.DETECTION_TIME_EXPIRED))
    speaker.told()
    speaker.wait(5.0)
    assert [kind for kind, _ in speaker.told()] == [Kind.BFD_ABSENT]


async def test_bfd_that_hears_the_peer_and_does_not_come_up(speaker: Speaker) -> None:
    speaker.open(WATCHED)
    (watched,) = speaker.watched()
    speaker.net.sessions[0].establish()
    watched.say(Heard(), StateChanged(State.DOWN, State.INIT, Diagnostic.NONE, State.DOWN))
    speaker.wait(5.0)
    problem = "the peer sends BFD packets, but the session does not come up: it is init"
    assert (speaker.session().bfd_problem, speaker.told()) == (problem, [])


async def test_bfd_ends_after_a_session_whose_routes_are_to_be_kept(speaker: Speaker) -> None:
    graceful = replace(WATCHED, enable_graceful_restart=True)
    speaker.open(graceful)
    (session,), (watched,) = speaker.net.sessions, speaker.watched()
    session.establish(graceful=True)
    watched.come_up()
    session.on_leave = lambda: session.log.append(watched.is_closed)
    await speaker.announcer.leave(preserving=True)
    assert session.log[-2:] == ["leave", False]
    assert watched.is_closed


# What is watched


async def test_other_intervals_reset_neither_session(speaker: Speaker) -> None:
    speaker.open(WATCHED)
    (watched,) = speaker.watched()
    faster = replace(WATCHED, bfd=BFDProfile("fast", 20, 50, 3))
    speaker.redefine(WATCHED, faster)
    renamed = replace(WATCHED, bfd=BFDProfile("another name", 20, 50, 3))
    speaker.redefine(faster, renamed)
    assert watched.parameters == [Parameters(0.05, 0.05, 3), Parameters(0.05, 0.02, 3)]
    assert (len(speaker.watched()), len(speaker.net.sessions), watched.is_closed) == (1, 1, False)


async def test_a_profile_comes_and_goes_without_a_reset(speaker: Speaker) -> None:
    speaker.open(peer())
    assert (speaker.ports, speaker.session().bfd) == ({}, None)
    speaker.redefine(peer(), WATCHED)
    (watched,) = speaker.watched()
    speaker.redefine(WATCHED, peer())
    assert watched.is_closed
    assert speaker.ports[3784, None][0].is_closed
    assert (speaker.session().bfd, len(speaker.net.sessions)) == (None, 1)


async def test_a_session_that_begins_anew_keeps_its_bfd(speaker: Speaker) -> None:
    speaker.open(WATCHED)
    speaker.redefine(WATCHED, replace(WATCHED, hold_time=9.0, keepalive_time=3.0))
    (watched,) = speaker.watched()
    assert not watched.is_closed


async def test_an_address_that_the_peer_has_no_more_is_not_watched(speaker: Speaker) -> None:
    """What watches the new one is not known before there is a session."""
    before = replace(WATCHED, peer_asn=64512)
    speaker.open(before)
    speaker.net.sessions[0].establish()
    (watched,) = speaker.watched()
    speaker.redefine(before, replace(before, peer_address=parse_address("192.0.2.99")))
    assert (watched.is_closed, speaker.session().bfd) == (True, "waiting")


async def test_bfd_ends_with_its_peer(speaker: Speaker) -> None:
    speaker.open(WATCHED, replace(WATCHED, name="z", peer_address=None, interface="lo"))
    speaker.announcer.apply_all([ClosePeer(WATCHED)])
    assert [one.is_closed for one in speaker.watched()] == [True]
    await speaker.announcer.leave(preserving=True)
    assert all(port.is_closed for made in speaker.ports.values() for port in made)


@pytest.mark.parametrize(
    ("fields", "is_on_link", "before", "path"),
    [
        pytest.param({"ebgp_multi_hop": True}, False, "down", Path(REMOTE, minimum_ttl=254), id="eBGP multihop"),
        pytest.param({"peer_asn": 64512}, True, "waiting", Path(REMOTE), id="iBGP on the link"),
        pytest.param({"peer_asn": 64512}, False, "waiting", Path(REMOTE, minimum_ttl=254), id="iBGP beyond it"),
    ],
)
async def test_how_far_away_a_peer_is(
    speaker: Speaker, fields: dict[str, Any], is_on_link: bool, before: str, path: Path
) -> None:
    port = 3784 if is_on_link else 4784
    speaker.open(replace(WATCHED, **fields))
    assert speaker.session().bfd == before
    assert len(speaker.watched(port)) == (before == "down")
    speaker.net.sessions[0].establish(is_on_link=is_on_link)
    assert [one.path for one in speaker.watched(port)] == [path]


async def test_an_unnumbered_peer_is_watched_where_it_was_found(speaker: Speaker) -> None:
    unnumbered = replace(WATCHED, peer_address=None, interface="lo")
    speaker.open(unnumbered)
    assert speaker.session().bfd == "waiting"
    found = bytes.fromhex("fe80000000000000000000000000abcd")
    speaker.net.sessions[0].found = found
    speaker.net.sessions[0].establish()
    assert [one.path for one in speaker.watched()] == [Path(found, interface=1)]


async def test_a_vrf_has_ports_of_its_own(speaker: Speaker) -> None:
    speaker.open(WATCHED, replace(WATCHED, name="z", vrf="red"))
    assert [len(speaker.watched(3784, device)) for device in (None, "red")] == [1, 1]


async def test_two_peers_at_one_address_share_what_watches_it(speaker: Speaker) -> None:
    slower = replace(WATCHED, name="z", peer_port=1179, bfd=BFDProfile("slow", 300, 20, 5, passive_mode=True))
    speaker.open(WATCHED, slower)
    (watched,) = speaker.watched()
    assert watched.parameters[-1] == Parameters(0.02, 0.05, 3)
    first, second = speaker.net.sessions
    first.establish()
    second.establish()
    watched.come_up()
    assert [one.bfd for one in speaker.announcer.sessions()] == ["up", "up"]
    watched.say(down(Diagnostic.DETECTION_TIME_EXPIRED))
    assert first.log[-1][0] == second.log[-1][0] == Cease.BFD_DOWN
    speaker.announcer.apply_all([ClosePeer(WATCHED)])
    assert (watched.is_closed, watched.parameters[-1]) == (False, Parameters(0.02, 0.3, 5, is_passive=True))


# What is in the way


async def test_a_port_that_is_taken_is_told_and_tried_again(speaker: Speaker) -> None:
    speaker.refusal = SocketError("cannot listen on UDP port 3784: Address already in use")
    speaker.open(WATCHED)
    assert speaker.session().bfd_problem == str(speaker.refusal)
    assert (speaker.session().bfd, len(speaker.net.sessions)) == ("waiting", 1)
    speaker.refusal = None
    speaker.wait(4.9)
    assert speaker.watched() == []
    speaker.wait(0.1)
    assert len(speaker.watched()) == 1
    assert speaker.session().bfd_problem is None


async def test_a_path_that_cannot_be_told_from_another_is_told(speaker: Speaker) -> None:
    speaker.open(WATCHED)
    speaker.ports[3784, None][0].refusal = PathError("two sessions on one path")
    speaker.open(replace(WATCHED, name="z", peer_address=parse_address("192.0.2.8")))
    problems = [one.bfd_problem for one in speaker.announcer.sessions()]
    assert problems == [None, "another peer of this node has the same path"]
    assert not speaker.ports[3784, None][0].is_closed


async def test_an_interface_that_is_not_there_is_told(speaker: Speaker) -> None:
    speaker.open(replace(WATCHED, peer_address=None, interface="no-such-link"))
    speaker.net.sessions[0].found = bytes(16)
    speaker.announcer.look()
    problem = speaker.session().bfd_problem
    assert problem is not None
    assert problem.startswith("BFD cannot be begun: ")


async def test_echo_is_said_not_to_be_used(speaker: Speaker) -> None:
    speaker.open(replace(WATCHED, bfd=BFDProfile("echo", echo_mode=True)))
    speaker.watched()[0].come_up()
    problem = speaker.session().bfd_problem
    assert problem is not None
    assert "echo packets, which are not used" in problem
