"""Sessions between two hosts, with all that a socket can be asked for."""

import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from reconciler.bgp.events import Ended, Established, Event, State
from reconciler.bgp.families import Family, prefix_of
from reconciler.bgp.notification import Cease
from reconciler.bgp.parameters import SessionParameters
from reconciler.bgp.routes import RouteAttributes
from reconciler.bgp.sockets import listening
from reconciler.bgp.transport import Neighbor, Remote, Transport, TransportError
from reconciler.cli.lab import Lab, LabError, entered, why_no_lab
from tests.bgp.host import Host, host, octets, until

EBGP = SessionParameters(65001, 65002, frozenset(Family), hold_time=9, connect_retry_time=1)
PASSIVE = replace(EBGP, local_asn=65002, remote_asn=65001, is_passive=True)
GOODBYE = Cease.ADMINISTRATIVE_SHUTDOWN


class Side:
    """A transport on a host of the lab, and what it told."""

    def __init__(self, running: Host, name: str) -> None:
        self.host = running
        self.transport = running.do(lambda: Transport(name))
        self.events: list[Event] = []
        self.problems: list[str | None] = []

    def open(self, parameters: SessionParameters, remote: Remote) -> Neighbor:
        return self.host.do(lambda: self.transport.open(parameters, remote, self.events.append, self.problems.append))

    def listen(self, port: int = 179, *addresses: str) -> None:
        self.host.do(lambda: self.transport.listen(port, tuple(octets(address) for address in addresses)))

    def close(self, neighbor: Neighbor, message: str = "") -> None:
        self.host.wait(neighbor.close(GOODBYE, message))

    def why(self) -> str:
        """Why the first attempt or session ended; empty while none did."""
        return next((event.why for event in list(self.events) if isinstance(event, Ended)), "")

    def end(self) -> None:
        self.host.do(self.transport.close)
        self.host.close()


class Pair:
    """Two hosts: the first one dials, the second one listens."""

    def __init__(self, lab: Lab, a: Side, b: Side) -> None:
        self.lab, self.a, self.b = lab, a, b
        self.kept: list[socket.socket] = []
        self._addresses = {
            True: (lab.address("n1"), lab.address("n2")),
            False: (lab.address6("n1"), lab.address6("n2")),
        }

    def open(
        self,
        of_a: SessionParameters = EBGP,
        of_b: SessionParameters = PASSIVE,
        *,
        is_ipv4: bool = True,
        a: Callable[[Remote], Remote] = lambda remote: remote,
        b: Callable[[Remote], Remote] = lambda remote: remote,
    ) -> tuple[Neighbor, Neighbor]:
        """Open both ends; `a` and `b` change how they reach each other."""
        first, second = (octets(address) for address in self._addresses[is_ipv4])
        waiting = self.b.open(of_b, b(Remote(first)))
        return self.a.open(of_a, a(Remote(second))), waiting


@pytest.fixture
def lab_hosts() -> tuple[str, ...]:
    return "n1", "n2"


@pytest.fixture(scope="module")
def shared_lab() -> Iterator[Lab]:
    """For tests that leave the network as it was. Skips where there can be none; fails in CI."""
    reason = why_no_lab()
    if reason is not None:
        if os.environ.get("CI") == "true":
            raise LabError(reason)
        pytest.skip(reason)
    with Lab("n1", "n2") as made:
        yield made


@contextmanager
def paired(lab: Lab) -> Iterator[Pair]:
    with ExitStack() as stack:
        sides = []
        for name in ("n1", "n2"):
            side = Side(Host(lab.namespace(name)), name)
            stack.callback(side.end)
            sides.append(side)
        made = Pair(lab, *sides)
        yield made
        for each in made.kept:
            each.close()


@pytest.fixture
def pair(shared_lab: Lab) -> Iterator[Pair]:
    with paired(shared_lab) as made:
        yield made


@pytest.fixture
def own_pair(lab: Lab) -> Iterator[Pair]:
    """In a network that the test may change."""
    with paired(lab) as made:
        yield made


def up(*neighbors: Neighbor) -> Callable[[], bool]:
    return lambda: all(neighbor.state is State.ESTABLISHED for neighbor in neighbors)


def has_connection(neighbor: Neighbor) -> Callable[[], bool]:
    return lambda: neighbor.has_connection


def announce(side: Side, neighbor: Neighbor, count: int) -> None:
    def change() -> None:
        for number in range(count):
            prefix = prefix_of(bytes((10, *number.to_bytes(3))), 32)
            neighbor.rib.announce(Family.IPV4, prefix, RouteAttributes())
        neighbor.rib.settled()
        neighbor.tell()

    side.host.do(change)


def with_password(text: bytes) -> Callable[[Remote], Remote]:
    return lambda remote: replace(remote, password=text)


@pytest.mark.parametrize("is_ipv4", [True, False])
def test_a_session_comes_up_and_both_know_their_end(pair: Pair, is_ipv4: bool) -> None:
    pair.b.listen()
    a, b = pair.open(is_ipv4=is_ipv4)
    until(up(a, b))
    until(lambda: a.local is not None and b.local is not None)
    assert a.local is not None
    assert b.local is not None
    assert (a.local.address, b.local.address) == (b.remote_address, a.remote_address)
    assert a.local.router_id == octets(pair.lab.address("n1"))
    assert a.local.is_on_link
    assert b.agreement is not None
    assert b.agreement.remote_router_id == a.local.router_id
    until(lambda: any(isinstance(event, Established) for event in pair.a.events))
    assert a.remote_text == (f"{pair.lab.address('n2')}:179" if is_ipv4 else f"[{pair.lab.address6('n2')}]:179")
    assert (a.problem, b.problem, pair.b.host.do(pair.b.transport.turned_away)) == (None, None, {})


def test_the_last_words_arrive_and_nothing_is_told_after_close(pair: Pair) -> None:
    pair.b.listen()
    a, b = pair.open()
    until(up(a, b))
    until(lambda: any(isinstance(event, Established) for event in pair.a.events))
    # What belongs to the same turn of the loop has been told by then.
    told = pair.a.host.do(lambda: len(pair.a.events))
    pair.a.close(a, "maintenance")
    until(lambda: b.state is not State.ESTABLISHED)
    until(lambda: bool(pair.b.why()))
    assert "maintenance" in pair.b.why()
    assert len(pair.a.events) == told
    pair.a.close(a)


def test_leaving_says_nothing(pair: Pair) -> None:
    pair.b.listen()
    a, b = pair.open()
    until(up(a, b))
    pair.a.host.wait(a.leave())
    until(lambda: bool(pair.b.why()))
    ended = [event for event in pair.b.events if isinstance(event, Ended)]
    assert ended[0].was_established
    assert ended[0].received is None


def test_a_failed_session_is_looked_for_again(pair: Pair) -> None:
    pair.b.listen()
    a, b = pair.open()
    until(up(a, b))
    pair.a.host.do(lambda: a.fail(Cease.BFD_DOWN, "BFD says that it is down"))
    until(lambda: "BFD" in pair.a.why())
    until(lambda: a.counts().established == b.counts().established == 2)


def test_routes_are_told_and_drained(pair: Pair) -> None:
    pair.b.listen()
    a, b = pair.open()
    assert pair.a.host.wait(a.drained(1)), "without a session there is nothing to wait for"

    until(up(a, b))
    announce(pair.a, a, 20_000)
    assert pair.a.host.wait(a.drained(20))
    assert a.rib.told == 20_000
    until(lambda: b.counts().received_prefixes == 20_000)


# OPEN of AS 65002 with the hold time 0 and no capabilities, and KEEPALIVE.
WORDS_OF_A_PEER = bytes.fromhex("ff" * 16 + "001d01" + "04fdea0000c000020b00" + "ff" * 16 + "001304")


def test_a_peer_that_stops_reading_costs_little_and_loses_its_session(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.bgp.timers.SHORTEST_SEND_HOLD_TIME", 0.5)
    with entered(pair.lab.namespace("n2")):
        lazy = socket.create_server(("", 179))
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    lazy.settimeout(20)
    a = pair.a.open(EBGP, Remote(octets(pair.lab.address("n2"))))
    announce(pair.a, a, 200_000)
    with lazy:
        reading, _ = lazy.accept()
    with reading:
        reading.sendall(WORDS_OF_A_PEER)
        most = 0

        def has_ended() -> bool:
            nonlocal most
            most = max(most, pair.a.host.do(lambda: a.rib.told))
            return any(isinstance(event, Ended) and event.was_established for event in pair.a.events)

        until(has_ended)
        assert 0 < most < 150_000
        ended = [event for event in pair.a.events if isinstance(event, Ended) and event.was_established]
        assert "took nothing" in ended[0].why


@pytest.mark.parametrize("is_ipv4", [True, False])
def test_the_same_password_on_both_sides(pair: Pair, is_ipv4: bool) -> None:
    pair.b.listen()
    both = with_password(b"s3cret")
    until(up(*pair.open(is_ipv4=is_ipv4, a=both, b=both)))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(b"s3cret", b"other", id="different ones"),
        pytest.param(b"s3cret", None, id="only on our side"),
        pytest.param(None, b"s3cret", id="only on the peer's side"),
    ],
)
def test_a_wrong_password_is_silence(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, first: bytes | None, second: bytes | None
) -> None:
    monkeypatch.setattr("reconciler.bgp.dialing.CONNECT_TIMEOUT", 0.3)
    pair.b.listen()
    pair.open(a=lambda remote: replace(remote, password=first), b=lambda remote: replace(remote, password=second))
    until(lambda: bool(pair.a.why()))
    assert "no answer" in pair.a.why()
    assert "MD5 password" in pair.a.why()
    assert not pair.b.events or State.ESTABLISHED not in [getattr(event, "after", None) for event in pair.b.events]


def test_a_password_ends_with_its_peer(pair: Pair) -> None:
    pair.b.listen()
    a, b = pair.open(b=with_password(b"s3cret"))
    pair.b.close(b)
    b = pair.b.open(PASSIVE, Remote(octets(pair.lab.address("n1"))))
    until(up(a, b))


def test_a_password_that_is_too_long_is_a_problem(pair: Pair) -> None:
    a, _ = pair.open(a=with_password(bytes(81)))
    until(lambda: a.problem is not None)
    assert a.problem is not None
    assert "80 at most" in a.problem


def test_ttl_security_lets_neighbours_through_and_nobody_from_farther_away(pair: Pair) -> None:
    one_hop: Callable[[Remote], Remote] = lambda remote: replace(remote, hops=1)  # noqa: E731
    pair.b.listen()
    a, b = pair.open(a=one_hop, b=one_hop)
    until(up(a, b))
    pair.a.close(a)
    # With TTL 1, as eBGP does without it.
    a = pair.a.open(EBGP, Remote(octets(pair.lab.address("n2"))))
    until(lambda: pair.b.host.do(pair.b.transport.turned_away).get("too-far", 0) > 0)
    assert a.state is not State.ESTABLISHED
    # Both ways: what we dial has to come from as near.
    with entered(pair.lab.namespace("n2")), socket.create_server(("", 1790)) as far:
        far.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 64)
        far.settimeout(0.2)
        pair.a.close(a)
        pair.a.events.clear()
        monkey = replace(Remote(octets(pair.lab.address("n2"))), port=1790, hops=1)
        a = pair.a.open(EBGP, monkey)
        with pytest.raises(TimeoutError):
            far.accept()


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        pytest.param({"source": octets("192.0.2.99")}, "192.0.2.99 is no address of this host", id="source"),
        pytest.param({"source": octets("2001:db8::99")}, "another family", id="source of another family"),
        pytest.param({"device": "red"}, "no interface or VRF red", id="VRF"),
        pytest.param({"address": octets("fe80::1"), "interface": "eth9"}, "no interface eth9", id="interface"),
        pytest.param({"address": octets("fe80::1")}, "needs the interface", id="link-local without interface"),
    ],
)
def test_what_keeps_us_from_trying_is_a_problem(pair: Pair, how: dict[str, str], expected: str) -> None:
    patient = replace(EBGP, connect_retry_time=None)
    a, _ = pair.open(patient, a=lambda remote: replace(remote, **how))  # type: ignore[arg-type]
    until(lambda: a.problem is not None)
    assert a.problem is not None
    assert expected in a.problem
    until(lambda: pair.a.problems == [a.problem])
    assert not pair.a.why()


def test_a_source_address_that_appears_later_is_used(own_pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.bgp.dialing._LOOK_INTERVAL", 0.1)
    own_pair.b.listen()
    source = octets("192.0.2.99")
    a = own_pair.a.open(EBGP, Remote(octets(own_pair.lab.address("n2")), source=source))
    until(lambda: a.problem is not None)
    b = own_pair.b.open(PASSIVE, Remote(source))
    own_pair.lab.run("n1", "ip", "addr", "add", "192.0.2.99/24", "dev", "eth0")
    until(up(a, b))
    until(lambda: own_pair.a.problems[-1:] == [None])
    assert a.local is not None
    assert a.local.address == source


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param("192.0.2.11", "refuses the connection", id="nobody listens"),
        pytest.param("203.0.113.1", "no route", id="no route"),
    ],
)
def test_a_failed_attempt_says_why(pair: Pair, address: str, expected: str) -> None:
    pair.a.open(EBGP, Remote(octets(address)))
    until(lambda: bool(pair.a.why()))
    assert expected in pair.a.why()


def test_a_peer_beyond_a_router_is_told_from_one_that_is_away(own_pair: Pair) -> None:
    own_pair.lab.run("n2", "sysctl", "-qw", "net.ipv4.ip_forward=1")
    own_pair.lab.run("n1", "ip", "route", "add", "203.0.113.0/24", "via", own_pair.lab.address("n2"))
    own_pair.lab.run("n2", "ip", "link", "add", "far", "type", "veth", "peer", "name", "beyond")
    own_pair.lab.run("n2", "ip", "link", "set", "far", "up")
    own_pair.lab.run("n2", "ip", "addr", "add", "203.0.113.1/24", "dev", "far")
    own_pair.a.open(EBGP, Remote(octets("203.0.113.2")))
    until(lambda: bool(own_pair.a.why()))
    assert "ebgpMultiHop" in own_pair.a.why()


def test_strangers_are_refused_and_counted(pair: Pair) -> None:
    pair.b.listen()
    a = pair.a.open(EBGP, Remote(octets(pair.lab.address("n2"))))
    until(lambda: pair.b.host.do(pair.b.transport.turned_away).get("not-a-peer", 0) > 0)
    b = pair.b.open(PASSIVE, Remote(octets(pair.lab.address("n1"))))
    until(up(a, b))


def test_a_peer_whose_password_the_kernel_refused_may_not_come_without(pair: Pair) -> None:
    pair.b.listen()
    a, b = pair.open(b=lambda remote: replace(remote, password=b"x" * 81))
    until(lambda: pair.b.host.do(pair.b.transport.turned_away).get("unsigned", 0) > 0)
    assert (a.state is State.ESTABLISHED, b.has_connection) == (False, False)


def test_a_password_that_the_kernel_refuses_keeps_no_other_from_being_used(pair: Pair) -> None:
    pair.b.listen()
    pair.b.open(PASSIVE, Remote(octets("192.0.2.99"), password=b"x" * 81))
    until(up(*pair.open(a=with_password(b"right"), b=with_password(b"right"))))


def test_a_peer_that_connects_again_and_again_is_not_given_a_descriptor_each_time(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As long as nothing is closed, there are at most so many.
    monkeypatch.setattr("reconciler.bgp.stream.LINGER", 1000.0)
    pair.b.listen()
    b = pair.b.open(PASSIVE, Remote(octets(pair.lab.address("n1"))))
    with entered(pair.lab.namespace("n1")):
        for _ in range(40):
            pair.kept.append(socket.create_connection((pair.lab.address("n2"), 179)))
    until(lambda: pair.b.host.do(pair.b.transport.turned_away).get("too-many", 0) == 32)
    assert b.has_connection


def test_nothing_is_told_after_close(pair: Pair) -> None:
    def close_with_a_problem() -> None:
        a.tell_problem("dial", "something is in the way")
        a.abort()

    a = pair.a.open(EBGP, Remote(octets(pair.lab.address("n2")), source=octets(pair.lab.address("n2"))))
    until(lambda: bool(pair.a.problems))
    told = len(pair.a.problems)
    pair.a.host.do(close_with_a_problem)
    # What was about to be told would have been by now.
    pair.a.host.do(lambda: None)
    pair.a.host.do(lambda: None)
    assert len(pair.a.problems) == told


def test_an_attempt_that_cannot_be_made_says_why(pair: Pair) -> None:
    pair.a.open(EBGP, Remote(octets(pair.lab.address("n2")), source=octets("203.0.113.7")))
    until(lambda: bool(pair.a.why()))
    assert "203.0.113.7 is no address of this host" in pair.a.why()


def test_a_peer_is_expected_at_the_source_address_that_it_is_configured_with(pair: Pair) -> None:
    pair.b.listen()
    _, b = pair.open(b=lambda remote: replace(remote, source=octets(pair.lab.address6("n2"))))
    until(lambda: pair.b.host.do(pair.b.transport.turned_away).get("not-a-peer", 0) > 0)
    assert b.state is not State.ESTABLISHED


def test_both_dial_and_one_session_remains(pair: Pair) -> None:
    pair.a.listen()
    pair.b.listen()
    a, b = pair.open(EBGP, replace(PASSIVE, is_passive=False))
    until(up(a, b))
    assert (a.counts().established, b.counts().established) == (1, 1)


def test_two_peers_of_one_address_are_told_apart_by_who_has_no_connection(pair: Pair) -> None:
    pair.b.listen()
    n1 = Remote(octets(pair.lab.address("n1")))
    first, second, third = pair.b.open(PASSIVE, n1), pair.b.open(PASSIVE, n1), pair.b.open(PASSIVE, n1)
    for expected in (first, second, third):
        assert not expected.has_connection
        with entered(pair.lab.namespace("n1")):
            silent = socket.create_connection((pair.lab.address("n2"), 179))
        pair.kept.append(silent)
        until(has_connection(expected))


def test_listening_elsewhere_replaces_where_it_was(pair: Pair) -> None:
    pair.b.listen()
    pair.b.listen(1790, pair.lab.address("n2"))
    assert sorted(pair.lab.run("n2", "ss", "-Hltn").split()[3::5]) == ["192.0.2.11:1790"]
    pair.b.listen()
    a, b = pair.open()
    until(up(a, b))
    pair.b.host.do(pair.b.transport.stop_listening)
    assert pair.lab.run("n2", "ss", "-Hltn") == ""
    assert b.state is State.ESTABLISHED


def test_a_port_that_is_taken_and_an_address_that_is_not_ours(pair: Pair) -> None:
    with entered(pair.lab.namespace("n2")), socket.create_server(("", 1790)):
        with pytest.raises(TransportError, match="port 1790 is taken"):
            pair.b.listen(1790)
        with pytest.raises(TransportError, match=r"192\.0\.2\.99 is no address of this host"):
            pair.b.listen(179, pair.lab.address("n2"), "192.0.2.99")
    assert pair.lab.run("n2", "ss", "-Hltn") == ""


def test_a_device_has_a_listener_of_its_own(pair: Pair) -> None:
    """Any interface does where the kernel has no VRF."""
    pair.b.listen()
    in_device: Callable[[Remote], Remote] = lambda remote: replace(remote, device="eth0", password=b"s3cret")  # noqa: E731
    a, b = pair.open(a=with_password(b"s3cret"), b=in_device)
    until(up(a, b))
    pair.b.close(b)
    until(lambda: "%eth0" not in pair.lab.run("n2", "ss", "-Hltn"))


def test_a_device_that_is_missing_is_a_problem_of_its_peer_alone(
    own_pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.bgp.transport._LOOK_INTERVAL", 0.1)
    own_pair.b.listen()
    a, b = own_pair.open()
    lost = own_pair.b.open(PASSIVE, Remote(octets("192.0.2.77"), device="red"))
    until(lambda: lost.problem is not None)
    until(up(a, b))
    assert b.problem is None
    own_pair.lab.run("n2", "ip", "link", "add", "red", "type", "veth", "peer", "name", "blue")
    until(lambda: lost.problem is None)
    # The port was shared for as long as that took, and no longer.
    with entered(own_pair.lab.namespace("n2")), socket.socket() as stranger:
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            stranger.setsockopt(socket.SOL_SOCKET, option, 1)
        with pytest.raises(OSError, match="in use"):
            stranger.bind(("", 179))


def test_a_device_that_is_made_anew_has_a_listener_again(own_pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_listened_in() -> bool:
        return "%red:" in own_pair.lab.run("n2", "ss", "-Hltn")

    def make() -> None:
        own_pair.lab.run("n2", "ip", "link", "add", "red", "type", "veth", "peer", "name", "blue")

    monkeypatch.setattr("reconciler.bgp.transport._LOOK_INTERVAL", 0.1)
    make()
    own_pair.b.listen()
    b = own_pair.b.open(PASSIVE, Remote(octets("192.0.2.77"), device="red"))
    until(is_listened_in)
    own_pair.lab.run("n2", "ip", "link", "del", "red")
    until(lambda: b.problem is not None)
    make()
    until(is_listened_in)
    until(lambda: b.problem is None)


def test_link_local_peers_are_told_apart_by_their_interface(pair: Pair) -> None:
    def link_local(name: str) -> bytes:
        line = pair.lab.run(name, "ip", "-6", "-br", "addr", "show", "eth0", "scope", "link")
        return octets(line.split()[2].partition("/")[0])

    pair.b.listen()
    b = pair.b.open(PASSIVE, Remote(link_local("n1"), "eth0"))
    a = pair.a.open(EBGP, Remote(link_local("n2"), "eth0"))
    until(up(a, b))
    assert a.local is not None
    assert a.local.link_local == link_local("n1")
    assert a.local.ipv6 == octets(pair.lab.address6("n1"))
    pair.b.close(b)
    pair.b.open(PASSIVE, Remote(link_local("n1"), "lo"))
    until(lambda: pair.b.host.do(pair.b.transport.turned_away).get("not-a-peer", 0) > 0)


class Exhausted(socket.socket):
    """Fails once as where a process has no file descriptors left."""

    has_failed = False

    def accept(self) -> tuple[socket.socket, Any]:
        if not Exhausted.has_failed:
            Exhausted.has_failed = True
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def test_without_file_descriptors_the_listener_waits(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*arguments: Any, is_shared: bool) -> socket.socket:
        return Exhausted(fileno=listening(*arguments, is_shared=is_shared).detach())

    monkeypatch.setattr("reconciler.bgp.listener.listening", failing)
    monkeypatch.setattr("reconciler.bgp.listener._PAUSE", 0.1)
    pair.b.listen()
    until(up(*pair.open()))
    assert Exhausted.has_failed


@pytest.mark.parametrize("is_passive", [True, False])
def test_two_ends_of_an_unnumbered_link_find_each_other(pair: Pair, is_passive: bool) -> None:
    pair.b.listen()
    a = pair.a.open(EBGP, Remote(None, "eth0"))
    until(lambda: a.problem is not None)
    assert a.remote_address is None
    b = pair.b.open(replace(PASSIVE, is_passive=is_passive), Remote(None, "eth0"))
    until(up(a, b))
    assert a.local is not None
    assert b.remote_address == a.local.link_local
    assert a.remote_text == "eth0"
    assert a.problem is None


def test_an_unnumbered_peer_is_dialled_anew_where_its_address_changes(
    own_pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.bgp.discovery._LEAST_INTERVAL", 0.0)
    own_pair.b.listen()
    a, b = own_pair.open(a=lambda _: Remote(None, "eth0"), b=lambda _: Remote(None, "eth0"))
    until(up(a, b))
    before = a.remote_address
    own_pair.b.close(b)
    own_pair.lab.run("n2", "ip", "-6", "addr", "flush", "dev", "eth0", "scope", "link")
    own_pair.lab.run("n2", "ip", "addr", "add", "fe80::77/64", "dev", "eth0", "nodad")
    b = own_pair.b.open(PASSIVE, Remote(None, "eth0"))
    until(up(a, b))
    assert before != a.remote_address == octets("fe80::77")


def test_an_unnumbered_peer_waits_for_its_interface(own_pair: Pair) -> None:
    own_pair.b.listen()
    a = own_pair.a.open(EBGP, Remote(None, "late"))
    until(lambda: a.problem is not None)
    assert a.problem is not None
    assert "no interface late" in a.problem
    own_pair.lab.run("n1", "ip", "link", "set", "eth0", "down")
    own_pair.lab.run("n1", "ip", "link", "set", "eth0", "name", "late", "up")
    b = own_pair.b.open(PASSIVE, Remote(None, "eth0"))
    until(up(a, b))


def test_closing_the_transport_needs_no_peer(lab: Lab) -> None:
    with host(lab, "n1") as running:
        side = Side(running, "n1")
        side.listen()
        side.open(EBGP, Remote(octets("192.0.2.11")))
        side.open(EBGP, Remote(None, "eth0"))
        running.do(side.transport.close)
        assert lab.run("n1", "ss", "-Htna") == ""
        assert lab.run("n1", "ss", "-Hwna") == ""
