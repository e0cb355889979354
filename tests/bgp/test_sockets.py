"""What sockets are asked for, and what they refuse."""

import errno
import socket
import subprocess
import sys

import pytest

from reconciler.bgp.remote import Reach, Remote
from reconciler.bgp.sockets import FamilyError, TransportError, unconnected
from reconciler.cli.lab import Lab, entered
from tests.bgp.host import octets

# Listens on the port of BGP, and looks for an unnumbered peer.
_PROGRAM = """
import asyncio
from reconciler.bgp.parameters import SessionParameters
from reconciler.bgp.transport import Remote, Transport, TransportError

async def main():
    transport = Transport("n1")
    try:
        transport.listen(179)
    except TransportError as exc:
        print(exc)
    transport.listen(1790)
    neighbor = transport.open(SessionParameters(65001, 65002, frozenset()), Remote(None, "eth0"), print)
    print(neighbor.problem)
    transport.close()

asyncio.run(main())
"""


@pytest.fixture
def lab_hosts() -> tuple[str, ...]:
    return ("n1",)


@pytest.mark.parametrize("address", ["192.0.2.14", "2001:db8::14"])
def test_a_socket_is_marked_and_limited(lab: Lab, address: str) -> None:
    is_ipv4 = ":" not in address
    with (
        entered(lab.namespace("n1")),
        unconnected(Remote(octets(address)), octets(address), Reach(255, 254)) as made,
    ):
        level = socket.IPPROTO_IP if is_ipv4 else socket.IPPROTO_IPV6
        traffic_class, ttl, least = (socket.IP_TOS, socket.IP_TTL, 21) if is_ipv4 else (socket.IPV6_TCLASS, 16, 73)
        assert [made.getsockopt(level, option) for option in (traffic_class, ttl, least)] == [0xC0, 255, 254]
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert not made.getblocking()


def test_a_family_that_is_missing_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> socket.socket:
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr("reconciler.bgp.sockets.socket.socket", missing)
    with pytest.raises(FamilyError, match="this host has no IPv6"):
        unconnected(Remote(octets("2001:db8::1")), octets("2001:db8::1"), Reach(1))


def test_a_lack_of_file_descriptors_is_not_taken_for_a_missing_family(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("reconciler.bgp.sockets.socket.socket", exhausted)
    with pytest.raises(TransportError, match="Too many open files") as raised:
        unconnected(Remote(octets("2001:db8::1")), octets("2001:db8::1"), Reach(1))
    assert not isinstance(raised.value, FamilyError)


def test_an_option_that_the_kernel_refuses_is_told_in_words() -> None:
    with pytest.raises(TransportError, match="refuses an option"):
        unconnected(Remote(octets("192.0.2.1")), octets("192.0.2.1"), Reach(4000))


def test_rights_that_are_missing_are_named(lab: Lab) -> None:
    limited = ("setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all")
    command = (*lab.inside("n1"), *limited, sys.executable, "-W", "error", "-c", _PROGRAM)
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    listening, unnumbered = done.stdout.splitlines()
    assert "NET_BIND_SERVICE" in listening
    assert "NET_RAW" in unnumbered
