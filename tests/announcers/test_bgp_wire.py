"""The announcer on a network: sessions with another one of its kind, which listens; BFD; and taking leave."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from time import monotonic
from typing import Any

import pytest

from reconciler.announcers.bgp import BGPAnnouncer
from reconciler.announcers.facts import PeerSession
from reconciler.announcers.port import SessionReport, SessionReportKind
from reconciler.bgp.families import Family
from reconciler.cli.lab import Lab
from reconciler.model.announcements import RouteAnnouncement
from reconciler.model.peers import BFDProfile, BGPPeer
from reconciler.model.settings import BGPDrainSettings, BGPListenSettings, BGPPeerSettings, BGPSettings, Settings
from reconciler.plan.actions import Announce, ClosePeer, OpenPeer, SpeakerAction
from tests.announcers.bgp_doubles import Secrets, configured, peer, route
from tests.bgp.host import Host, host, until
from tests.routers.configuration import Neighbor, Setup
from tests.routers.frr import Frr
from tests.routers.router import running

FAST = BFDProfile("fast", 50, 50, 3)
PASSIVE = BGPSettings(listen=BGPListenSettings(enabled=True), peers=(BGPPeerSettings("n1", passive=True),))
HASTE = BGPSettings(drain=BGPDrainSettings(wait=0.05, wait_withdrawn=0.05))


class Speaker:
    """An announcer in a host of the lab."""

    def __init__(self, inside: Host, name: str, settings: BGPSettings) -> None:
        self.inside = inside
        self.reports: list[SessionReport] = []
        self.secrets = Secrets({"shared": b"s3cret"})
        self.announcer = inside.do(lambda: BGPAnnouncer(name, self.secrets.read, self.reports.append, clock=monotonic))
        desired = configured(settings=Settings(bgp=settings))
        inside.do(lambda: self.announcer.desired_changed(desired))

    def do(self, *actions: SpeakerAction) -> None:
        self.inside.do(lambda: self.announcer.apply_all(actions))

    def fact(self) -> PeerSession:
        return self.inside.do(self.announcer.sessions)[0]

    def leave(self, *, preserving: bool = False) -> None:
        self.inside.wait(self.announcer.leave(preserving=preserving))

    def close(self) -> None:
        self.inside.wait(self.announcer.close())


@pytest.fixture
def lab_hosts() -> tuple[str, ...]:
    return "n1", "n2"


@pytest.fixture
def pair(lab: Lab) -> Iterator[tuple[Speaker, Speaker]]:
    """Our speaker on n1; the other one, on n2, waits for it."""
    with ExitStack() as stack:
        made = []
        for name, settings in (("n1", HASTE), ("n2", PASSIVE)):
            speaker = Speaker(stack.enter_context(host(lab, name)), name, settings)
            stack.callback(speaker.close)
            made.append(speaker)
        yield made[0], made[1]


def toward(lab: Lab, name: str, **fields: Any) -> BGPPeer:
    """The definition of the one peer that a speaker has."""
    fields = {"peer_asn": 64512, "connect_time": 1.0} | fields
    return replace(peer(name, lab.address(name)), **fields)


def established(speaker: Speaker) -> bool:
    return speaker.fact().state == "established"


def test_what_is_announced_arrives_and_what_changes_does_not_reset(pair: tuple[Speaker, Speaker], lab: Lab) -> None:
    here, there = pair
    before = toward(lab, "n2", dual_stack_address_family=True, bfd=FAST)
    there.do(OpenPeer(toward(lab, "n1", dual_stack_address_family=True, bfd=FAST)))
    here.do(OpenPeer(before), *_announcements("10.0.0.1/32", "10.0.0.2/32", "fc00::1/128"))
    until(lambda: there.fact().received == 3)
    until(lambda: here.fact().bfd == there.fact().bfd == "up")
    assert (here.fact().told, here.fact().families) == (3, ("IPv4", "IPv6"))
    after = replace(before, bfd=BFDProfile("faster", 40, 40, 3))
    here.do(ClosePeer(before), OpenPeer(after), *_announcements("10.0.0.1/32", "10.0.0.2/32", "fc00::1/128"))
    here.do(*_announcements("10.0.0.3/32"))
    until(lambda: there.fact().received == 4)
    shorter = replace(after, hold_time=30.0, keepalive_time=10.0)
    here.do(ClosePeer(after), OpenPeer(shorter), *_announcements("10.0.0.1/32", "10.0.0.2/32", "10.0.0.3/32"))
    until(lambda: established(here) and here.fact().hold_time == 30.0)
    until(lambda: there.fact().counts.established == 2)
    until(lambda: there.fact().received == 4)
    assert here.fact().counts.bfd_down_events == there.fact().counts.bfd_down_events == 0
    error = there.fact().last_error
    assert error is not None
    assert "configuration change" in error.lower()


def test_a_link_that_is_cut_is_noticed_by_bfd(pair: tuple[Speaker, Speaker], lab: Lab) -> None:
    here, there = pair
    there.do(OpenPeer(toward(lab, "n1", bfd=FAST)))
    here.do(OpenPeer(toward(lab, "n2", bfd=FAST)))
    until(lambda: here.fact().bfd == there.fact().bfd == "up" and established(here) and established(there))
    lab.cut("n2")
    until(lambda: not established(here) and not established(there))
    for speaker in pair:
        (ended,) = [one.message for one in speaker.reports if one.kind is SessionReportKind.ENDED]
        assert "nothing was heard of the peer for the detection time" in ended
    lab.restore("n2")
    until(lambda: here.fact().bfd == there.fact().bfd == "up" and established(here) and established(there))


def test_a_password_from_a_secret(pair: tuple[Speaker, Speaker], lab: Lab) -> None:
    """S-P-01: both sides have it, and nothing of it shows."""
    here, there = pair
    there.do(OpenPeer(toward(lab, "n1", password_secret="shared")))  # noqa: S106 - its name
    here.do(OpenPeer(toward(lab, "n2", password_secret="shared")))  # noqa: S106 - its name
    until(lambda: established(here) and established(there))
    assert "s3cret" not in repr((here.fact(), here.reports))


def test_taking_leave_withdraws_before_it_says_why(pair: tuple[Speaker, Speaker], lab: Lab) -> None:
    here, there = pair
    there.do(OpenPeer(toward(lab, "n1")))
    here.do(OpenPeer(toward(lab, "n2")), *_announcements("10.0.0.1/32"))
    # The route, and that it is all.
    until(lambda: there.fact().counts.updates_received == 2)
    here.leave()
    until(lambda: there.fact().last_error is not None)
    error = there.fact().last_error
    assert error is not None
    assert "the speaker of node n1 ends" in error
    # Once with the community, once to withdraw.
    assert there.fact().counts.updates_received == 4


def test_a_port_of_another_program_is_no_reason_to_have_no_session(pair: tuple[Speaker, Speaker], lab: Lab) -> None:
    here, there = pair
    taken = here.inside.do(_taken)
    there.do(OpenPeer(toward(lab, "n1")))
    here.do(OpenPeer(toward(lab, "n2", bfd=FAST)))
    until(lambda: established(here))
    problem = here.fact().bfd_problem
    taken.close()
    assert problem is not None
    assert "UDP port 3784" in problem
    assert "another program on this node has it" in problem


def test_the_end_of_bfd_does_not_cost_the_routes_that_are_to_be_kept(lab: Lab) -> None:
    """FRR tears a session down as soon as its BFD ends, also where it is ended on purpose."""
    ours = lab.address("n1")
    neighbor = Neighbor(remote_asn=64512, address=ours, bfd_ms=50)
    router = Frr(lab, "n2", Setup(asn=64513, router_id=lab.address("n2"), neighbors=(neighbor,)))
    with running(router), host(lab, "n1") as inside:
        speaker = Speaker(inside, "n1", HASTE)
        watched = toward(lab, "n2", peer_asn=64513, enable_graceful_restart=True, bfd=FAST)
        speaker.do(OpenPeer(watched), *_announcements("10.0.0.1/32"))
        until(lambda: "10.0.0.1/32" in router.routes(Family.IPV4, ours))
        until(lambda: speaker.fact().bfd == "up")
        speaker.leave(preserving=True)
        until(lambda: "BFD down" in router.session(ours).said)
        assert "10.0.0.1/32" in router.routes(Family.IPV4, ours)


def _taken() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("", 3784))
    return made


def _announcements(*prefixes: str) -> list[SpeakerAction]:
    routes: list[RouteAnnouncement] = [route(prefix, "n2") for prefix in prefixes]
    return [Announce(one) for one in routes]
