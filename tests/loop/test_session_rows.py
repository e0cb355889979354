"""What the status says of BGP sessions, out of what the announcer tells."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import asdict, replace

from reconciler.addresses.family import parse_address
from reconciler.announcers.facts import PeerSession, SessionCounts
from reconciler.bgp.events import State
from reconciler.loop.session_rows import SessionRows, route_rows, tallies
from reconciler.model.observed import ServiceKey
from reconciler.placement.decisions import Placed
from reconciler.telemetry.sessions import SessionRow, SessionTally
from reconciler.telemetry.speaker_status import AnnouncementState
from tests.placement.builders import route, spoken

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
UP = PeerSession(
    peer="tor-a",
    remote="192.0.2.254:179",
    vrf=None,
    state=State.ESTABLISHED,
    since=90.0,
    local_asn=64512,
    remote_asn=64500,
    remote_router_id="192.0.2.254",
    hold_time=90.0,
    graceful_restart=True,
    families=("ipv4",),
    wanted=3,
    told=2,
    received=7,
    bfd="up",
    bfd_since=95.0,
)
DOWN = PeerSession(
    peer="tor-b",
    remote="192.0.2.253:179",
    vrf="red",
    state=State.CONNECT,
    since=99.0,
    local_asn=64512,
    last_error="it refuses the connection",
    last_error_at=98.0,
    retry_at=130.0,
    problem="no Secret",
    bfd="down",
    bfd_problem="the peer sends no BFD packets",
)


def rows(*sessions: PeerSession) -> tuple[SessionRow, ...]:
    return SessionRows().rows(sessions, NOON, 100.0)


def test_everything_that_is_known_is_told() -> None:
    up, down = rows(UP, DOWN)
    same = asdict(UP)
    for name in ("since", "bfd_since", "counts"):
        del same[name]
    told = asdict(up)
    assert {name: told[name] for name in same} == same
    assert (up.since, up.bfd_since, up.down_since) == (
        NOON - timedelta(seconds=10),
        NOON - timedelta(seconds=5),
        None,
    )
    assert (down.since, down.last_error_at, down.retry_at) == (
        NOON - timedelta(seconds=1),
        NOON - timedelta(seconds=2),
        NOON + timedelta(seconds=30),
    )
    assert (down.problem, down.bfd_problem, down.vrf) == ("no Secret", "the peer sends no BFD packets", "red")


def test_an_instant_is_the_same_time_of_day_each_time() -> None:
    """Clocks drift apart, and a document that is written on change must not be written for that."""
    made = SessionRows()
    before = made.rows([UP], NOON, 100.0)
    assert made.rows([UP], NOON + timedelta(seconds=7.3), 106.1) == before


def test_attempts_do_not_move_since_when_a_session_is_down() -> None:
    made = SessionRows()
    (first,) = made.rows([DOWN], NOON, 100.0)
    (later,) = made.rows([replace(DOWN, state=State.ACTIVE, since=150.0)], NOON + timedelta(seconds=60), 160.0)
    assert first.down_since == later.down_since == NOON - timedelta(seconds=1)
    assert later.since == NOON + timedelta(seconds=50)


def test_a_session_that_comes_and_goes_is_down_since_it_went() -> None:
    made = SessionRows()
    made.rows([DOWN], NOON, 100.0)
    (up,) = made.rows([replace(DOWN, state=State.ESTABLISHED, since=120.0)], NOON, 130.0)
    assert up.down_since is None
    (down,) = made.rows([replace(DOWN, state=State.IDLE, since=140.0)], NOON, 150.0)
    assert down.down_since == NOON - timedelta(seconds=10)


def test_a_state_that_nobody_knows_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="gone"):
        rows(replace(UP, state="gone"))


def test_every_count_is_told() -> None:
    counts = {name: number for number, name in enumerate(SessionCounts.__struct_fields__, start=1)}
    found = tallies([replace(UP, counts=SessionCounts(**counts)), DOWN])
    assert asdict(found["tor-a"]) == counts
    assert found["tor-b"] == SessionTally()


def placed(service: str, prefix: str, peer: str) -> Placed:
    return Placed(ServiceKey(service), parse_address("192.0.2.1"), route(prefix, peer))


def test_routes_are_told_by_address_and_prefix() -> None:
    found = list(
        route_rows(
            [
                Placed(ServiceKey("a/l2"), parse_address("192.0.2.1"), spoken("192.0.2.1")),
                placed("a/web", "192.0.2.1/32", "tor-b"),
                placed("a/web", "192.0.2.1/32", "tor-a"),
                placed("a/api", "192.0.2.1/32", "tor-a"),
                placed("a/web", "192.0.2.0/24", "tor-b"),
            ],
            rows(UP, DOWN),
        )
    )
    assert [(row.services, row.address, row.protocol, row.prefix, row.peers, row.state) for row in found] == [
        (("a/api", "a/web"), "192.0.2.1", "bgp", "192.0.2.1/32", ("tor-a", "tor-b"), AnnouncementState.ANNOUNCED),
        (("a/web",), "192.0.2.1", "bgp", "192.0.2.0/24", ("tor-b",), AnnouncementState.NO_SESSION),
    ]
