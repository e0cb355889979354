"""The addresses of a host, as the kernel lists them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.bgp.address_dump import DumpDone, DumpError, InterfaceAddress, read
from reconciler.bgp.own_addresses import own_addresses
from reconciler.cli.lab import Lab, entered
from tests.bgp.host import octets


@pytest.fixture
def lab_hosts() -> tuple[str, ...]:
    return ("n1",)


def test_the_kernel_tells_all_that_may_be_used(lab: Lab) -> None:
    lab.run("n1", "ip", "addr", "add", "198.51.100.1/32", "dev", "lo")
    lab.run("n1", "ip", "addr", "add", "192.0.2.110", "peer", "203.0.113.2/32", "dev", "eth0")
    lab.run("n1", "ip", "addr", "add", "2001:db8::dead/64", "dev", "eth0", "preferred_lft", "0", "nodad")
    with entered(lab.namespace("n1")):
        found = {address.address: address for address in own_addresses()}
    eth0 = found[octets(lab.address("n1"))].index
    own, loopback = found[octets(lab.address6("n1"))], found[octets("198.51.100.1")]
    assert (own.index, own.length, own.is_lasting) == (eth0, 64, True)
    assert loopback.index != eth0
    assert not found[octets("2001:db8::dead")].is_lasting
    assert found[octets("192.0.2.110")].subnet == octets("203.0.113.2")
    assert octets("127.0.0.1") in found


def test_an_address_that_another_host_may_have_is_left_out(lab: Lab) -> None:
    lab.run("n1", "sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=1", "net.ipv6.conf.eth0.dad_transmits=100")
    lab.run("n1", "ip", "addr", "add", "2001:db8::beef/64", "dev", "eth0")
    with entered(lab.namespace("n1")):
        assert octets("2001:db8::beef") not in {address.address for address in own_addresses()}


@given(st.binary(max_size=200))
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    try:
        found = list(read(data))
    except DumpError:
        return
    assert all(isinstance(message, InterfaceAddress | DumpDone) for message in found)


def _message(kind: int, body: bytes = b"") -> bytes:
    length = 16 + len(body)
    return length.to_bytes(4, "little") + kind.to_bytes(2, "little") + bytes(10) + body


def test_an_error_of_the_kernel_is_one() -> None:
    with pytest.raises(DumpError, match="does not list"):
        list(read(_message(2, bytes(4))))


def test_the_end_of_the_list() -> None:
    assert list(read(_message(3, bytes(4)))) == [DumpDone()]


@pytest.mark.parametrize("data", [_message(20)[:-1], _message(20), _message(20, bytes(8) + b"\x03\0\x01\0")])
def test_what_is_cut_off_is_refused(data: bytes) -> None:
    with pytest.raises(DumpError, match="cut off"):
        list(read(data))
