"""Our end of a connection: next hops and the router id."""

from zlib import crc32

import pytest

from reconciler.bgp.address_dump import InterfaceAddress
from reconciler.bgp.local_end import local_end
from reconciler.bgp.parameters import LocalEnd
from tests.bgp.host import octets

LO, ETH0, ETH1, POINT_TO_POINT = 1, 2, 3, 4


def has(index: int, text: str, *, is_lasting: bool = True, peer: str | None = None) -> InterfaceAddress:
    address, _, length = text.partition("/")
    subnet = octets(peer or address)
    return InterfaceAddress(
        index=index, address=octets(address), subnet=subnet, length=int(length), is_lasting=is_lasting
    )


ADDRESSES = (
    has(LO, "127.0.0.1/8"),
    has(LO, "198.51.100.1/32"),
    has(LO, "::1/128"),
    has(ETH0, "192.0.2.10/24"),
    has(ETH0, "192.0.2.110/24"),
    has(ETH0, "2001:db8::1:1/64", is_lasting=False),
    has(ETH0, "2001:db8::10/64"),
    has(ETH0, "fe80::10/64"),
    has(ETH1, "2001:db8:1::10/64"),
    has(ETH1, "fe80::10/64"),
    has(POINT_TO_POINT, "192.0.2.10/32", peer="203.0.113.2"),
)
DRAWN = crc32(b"n1").to_bytes(4, "little")


def end(address: str, remote: str, *, scope: int = 0, router_id: str | None = None) -> LocalEnd:
    chosen = None if router_id is None else octets(router_id)
    return local_end(octets(address), octets(remote), scope, ADDRESSES, router_id=chosen, node="n1")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(end("192.0.2.110", "192.0.2.14", router_id="192.0.2.1"), octets("192.0.2.1"), id="configured"),
        pytest.param(end("192.0.2.110", "192.0.2.14"), octets("192.0.2.110"), id="that of the connection"),
        pytest.param(end("2001:db8::10", "2001:db8::14"), octets("192.0.2.10"), id="the first of the interface"),
        pytest.param(end("2001:db8:1::10", "2001:db8:1::14"), DRAWN, id="drawn from the name of the node"),
    ],
)
def test_router_id(found: LocalEnd, expected: bytes) -> None:
    assert found.router_id == expected


@pytest.mark.parametrize("node", ["", "n1", "n2"])
def test_a_drawn_router_id_is_never_zero(node: str) -> None:
    found = local_end(octets("2001:db8::1"), octets("2001:db8::2"), 0, (), router_id=None, node=node)
    assert any(found.router_id)


def test_addresses_of_the_interface_that_has_ours() -> None:
    assert end("192.0.2.110", "192.0.2.14") == LocalEnd(
        address=octets("192.0.2.110"),
        router_id=octets("192.0.2.110"),
        ipv4=octets("192.0.2.110"),
        ipv6=octets("2001:db8::10"),
        link_local=octets("fe80::10"),
        is_on_link=True,
    )


def test_an_address_that_is_on_its_way_out_is_used_where_the_connection_does() -> None:
    assert end("2001:db8::1:1", "2001:db8::14").ipv6 == octets("2001:db8::1:1")


def test_a_link_local_connection_knows_its_interface() -> None:
    found = end("fe80::10", "fe80::14", scope=ETH1)
    assert (found.ipv4, found.ipv6, found.link_local) == (None, octets("2001:db8:1::10"), octets("fe80::10"))
    assert found.is_on_link


def test_nothing_of_the_loopback_is_a_next_hop_but_what_was_put_there() -> None:
    found = end("198.51.100.1", "203.0.113.9")
    assert found.ipv4 == octets("198.51.100.1")
    assert (found.ipv6, found.link_local) == (None, None)


@pytest.mark.parametrize(
    ("address", "remote", "expected"),
    [
        pytest.param("192.0.2.10", "192.0.2.14", True, id="in the subnet"),
        pytest.param("192.0.2.10", "203.0.113.9", False, id="elsewhere"),
        pytest.param("192.0.2.10", "203.0.113.2", True, id="the other end of a point-to-point link"),
        pytest.param("198.51.100.1", "192.0.2.14", False, id="from the loopback"),
        pytest.param("2001:db8::10", "2001:db8::14", True, id="in the IPv6 subnet"),
        pytest.param("2001:db8::10", "2001:db8:1::14", False, id="in that of another interface"),
    ],
)
def test_whether_the_peer_is_on_the_link(address: str, remote: str, expected: bool) -> None:
    assert end(address, remote).is_on_link is expected


def test_without_a_list_of_addresses_the_family_of_the_connection_remains() -> None:
    found = local_end(octets("192.0.2.10"), octets("192.0.2.14"), 0, (), router_id=None, node="n1")
    assert (found.ipv4, found.ipv6, found.is_on_link) == (octets("192.0.2.10"), None, False)
