"""Two peers with each other, over connections that fail: RFC 4271 section 6.8 and 8, without sleeping."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.bgp.events import Ended, Established, State
from reconciler.bgp.families import Family
from reconciler.bgp.notification import Cease
from reconciler.bgp.routes import RouteAttributes
from tests.bgp.network import A, B, Host, Network

HOUR = 3600.0
LONG_ENOUGH = 900.0


def up(network: Network, seconds: float = 5.0) -> Network:
    network.start()
    network.run(seconds)
    assert network.is_up(), [host.log for host in network.hosts]
    return network


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("delay", [0.0, 0.001, 0.3])
def test_who_dials_each_other_keeps_one_connection(seed: int, delay: float) -> None:
    network = Network(seed=seed, delay=delay)
    up(network, 60)
    assert [len(host.sessions()) for host in network.hosts] == [1, 1]


def test_the_higher_identifier_keeps_its_own() -> None:
    network = up(Network())
    (link,) = network.b.links.values()
    assert link.hosts[0] is network.b


def test_equal_identifiers_are_told_apart_by_the_as() -> None:
    network = Network()
    network.b.router_id = network.a.router_id
    up(network)
    (link,) = network.b.links.values()
    assert link.hosts[0] is network.b


def test_one_side_dials() -> None:
    network = Network(A, replace(B, is_passive=True))
    up(network)
    assert (len(network.a.dials), network.b.dials) == (1, [])
    assert network.b.peer.state is State.ESTABLISHED


def test_a_passive_peer_waits_for_ever() -> None:
    network = Network(A, replace(B, is_passive=True))
    up(network)
    network.a.peer.stop(network.now, Cease.ADMINISTRATIVE_SHUTDOWN)
    network.look(network.a)
    network.run(HOUR)
    assert network.b.dials == []
    assert network.b.peer.state is State.ACTIVE
    (ended,) = [event for _, event in network.b.log if isinstance(event, Ended)]
    assert ended.retry_in is None
    network.a.peer.start(network.now)
    network.look(network.a)
    network.run(5)
    assert network.is_up()


def test_a_lost_session_comes_back_at_once() -> None:
    network = up(Network(), 200)
    (link,) = network.a.links.values()
    network.cut(link)
    network.run(1)
    assert network.is_up()
    assert [len(host.sessions()) for host in network.hosts] == [2, 2]


def test_a_session_stays_for_an_hour() -> None:
    network = up(Network(), HOUR)
    assert [len(host.sessions()) for host in network.hosts] == [1, 1]
    counts = network.a.peer.counts()
    # A third of 90 s, with a jitter of 0.75 to 1.0.
    assert HOUR / 30 <= counts.keepalives_sent <= HOUR / 22.5 + 2
    assert counts.notifications_sent <= 1


@pytest.mark.parametrize(("hold_time", "expires"), [(90.0, 90.0), (3.0, 3.0)])
def test_silence_ends_a_session(hold_time: float, expires: float) -> None:
    network = up(Network(replace(A, hold_time=hold_time)))
    (link,) = network.a.links.values()
    network.run(100)
    link.is_dead = True
    begun = network.now
    network.b.listens = False
    network.run(120)
    at, ended = next((at, each) for at, each in network.a.log if isinstance(each, Ended) and each.was_established)
    assert ended.why == f"the peer said nothing for {expires:g} s"
    assert ended.sent is not None
    assert (ended.sent.code, ended.sent.subcode) == (4, 0)
    # The last thing that was heard was at most a keepalive time ago.
    assert expires * 2 / 3 - 1 <= at - begun <= expires


def test_a_hold_time_of_zero_never_ends_a_session() -> None:
    network = up(Network(replace(A, hold_time=0.0)))
    (link,) = network.a.links.values()
    link.is_dead = True
    network.run(HOUR)
    assert network.is_up()


def test_a_peer_that_stops_reading_loses_its_session_and_gets_another_later() -> None:
    network = up(Network(replace(A, hold_time=0.0), replace(B, is_passive=True)))
    network.b.reads = False
    for number in range(30_000):
        network.a.rib.announce(Family.IPV4, bytes((32, 10, 1)) + number.to_bytes(2), RouteAttributes())
    network.look(network.a)
    network.run(479)
    assert network.is_up()
    network.run(2)
    assert network.a.ended()[0] == "the peer took nothing for 480 s"
    network.b.reads = True
    network.run(300)
    assert network.is_up()
    assert network.a.rib.is_all_told


def test_who_refuses_every_connection_is_not_dialed_often() -> None:
    network = Network()
    network.a.listens = network.b.listens = False
    network.start()
    network.run(HOUR)
    for host in network.hosts:
        # 1, 2, 4, ... 64, 120, 120, ... seconds, and a jitter of 0.75 to 1.0.
        assert HOUR / 120 <= len(host.dials) <= 7 + HOUR / 90
        waits = [after - before for before, after in zip(host.dials, host.dials[1:], strict=False)]
        assert all(0.75 * 2**n <= wait <= 2**n + 0.01 for n, wait in enumerate(waits[:7]))


def test_a_short_connect_retry_time_bounds_every_wait() -> None:
    network = Network(replace(A, connect_retry_time=1.0), replace(B, is_passive=True))
    network.b.listens = False
    network.start()
    network.run(100)
    assert 100 <= len(network.a.dials) <= 100 / 0.75 + 1


def test_a_dial_that_nobody_answers_is_given_up() -> None:
    network = Network(A, B, delay=1e9)
    network.start()
    network.run(HOUR)
    assert HOUR / 15 <= len(network.a.dials) <= HOUR / (0.75 * 15) + 1
    assert set(network.a.ended()) == {"nobody answered our connection within 15 s"}


@dataclass(frozen=True)
class Fault:
    kind: str
    host: int
    after: float
    delay: float


faults = st.lists(
    st.builds(
        Fault,
        kind=st.sampled_from(["cut", "dead", "deaf", "hears again", "fail", "slow", "restart"]),
        host=st.integers(0, 1),
        after=st.one_of(st.floats(0, 0.02), st.floats(0, 200)),
        delay=st.sampled_from([0.0, 0.001, 0.2, 3.0]),
    ),
    max_size=8,
)


def strike(network: Network, fault: Fault) -> None:
    host = network.hosts[fault.host]
    match fault.kind:
        case "cut":
            for link in list(host.links.values()):
                network.cut(link)
        case "dead":
            for link in host.links.values():
                link.is_dead = True
        case "deaf" | "hears again":
            host.listens = fault.kind != "deaf"
        case "fail":
            host.peer.fail(network.now, Cease.BFD_DOWN, "BFD says so")
            network.look(host)
        case "slow":
            network.delay = fault.delay
        case _:
            restart(network, host)


def restart(network: Network, host: Host) -> None:
    host.peer.leave(network.now)
    network.look(host)
    host.peer.start(network.now)
    network.look(host)


def sessions_alternate(host: Host) -> bool:
    moves = [
        event
        for _, event in host.log
        if isinstance(event, Established) or (isinstance(event, Ended) and event.was_established)
    ]
    return all(isinstance(event, Established) == (number % 2 == 0) for number, event in enumerate(moves))


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 1000), struck=faults, restarts=st.booleans(), passive=st.booleans())
def test_whatever_fails_there_is_one_session_in_the_end(
    seed: int, struck: list[Fault], restarts: bool, passive: bool
) -> None:
    network = Network(
        replace(A, graceful_restart=restarts, is_passive=passive), replace(B, graceful_restart=restarts), seed=seed
    )
    network.start()
    for fault in struck:
        network.run(fault.after)
        strike(network, fault)
        assert all(len(host.dials) <= 30 + network.now for host in network.hosts)
    network.delay = 0.001
    for host in network.hosts:
        host.listens = True
    network.run(LONG_ENOUGH)
    assert network.is_up(), [host.log for host in network.hosts]
    assert all(map(sessions_alternate, network.hosts))
    assert all(len(host.dials) <= 60 + 8 * len(struck) for host in network.hosts)
