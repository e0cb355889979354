"""Messages as kernels send them, those that must be passed over, and any octets at all."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.l2.rtnetlink import (
    AddressGone,
    AddressSeen,
    DumpDone,
    DumpInterrupted,
    LinkGone,
    LinkSeen,
    Message,
    NetlinkError,
    ask_for_links,
    read,
)

NEWLINK, DELLINK, NEWADDR, DELADDR, ERROR, DONE, OVERRUN = 16, 17, 20, 21, 2, 3, 4
ETHERNET, TUNNEL, LOOPBACK = 1, 65534, 772
MAC = bytes.fromhex("02000000000a")
LINK_LOCAL = bytes.fromhex("fe80") + bytes(13) + b"\x01"
PEER = bytes.fromhex("fe80") + bytes(13) + b"\x02"
UP = 0x11043
SEEN = AddressSeen(5, LINK_LOCAL, False)


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def message(kind: int, body: bytes, *, flags: int = 0) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 7, 4711) + body + bytes(-len(body) % 4)


def link(*attributes: bytes, kind: int = NEWLINK, family: int = 0, hardware: int = ETHERNET) -> bytes:
    return message(kind, struct.pack("=BxHiII", family, hardware, 5, UP, 0) + b"".join(attributes))


def address(*attributes: bytes, kind: int = NEWADDR, family: int = 10, flags: int = 0) -> bytes:
    return message(kind, struct.pack("=BBBBI", family, 64, flags, 253, 5) + b"".join(attributes))


NAME, OURS = attribute(3, b"eth0\0"), attribute(1, MAC)
MASTER = attribute(10, struct.pack("=I", 9))


def port_of(kind: bytes) -> bytes:
    # Nested, with the flag that says so, as some kernels set it.
    return MASTER + attribute(18 | 0x8000, attribute(1, b"veth\0") + attribute(4, kind + b"\0"))


def eth0(*, mac: bytes = MAC, name: str = "eth0", master: str = "") -> LinkSeen:
    return LinkSeen(index=5, name=name, flags=UP, mac=mac, port_of=master)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param(link(NAME, OURS), eth0(), id="a link"),
        pytest.param(link(NAME, OURS, port_of(b"bridge")), eth0(master="bridge"), id="a port of a bridge"),
        pytest.param(link(NAME, OURS, port_of(b"vrf")), eth0(master="vrf"), id="a member of a VRF"),
        pytest.param(link(NAME, OURS, MASTER), eth0(master="another"), id="a master of a kind that is not told"),
        pytest.param(link(NAME, OURS, attribute(10, bytes(4))), eth0(), id="a master that is none"),
        pytest.param(link(NAME, OURS, hardware=TUNNEL), eth0(mac=b""), id="a tunnel: its address is no MAC"),
        pytest.param(link(NAME, attribute(1, bytes(6)), hardware=LOOPBACK), eth0(mac=b""), id="loopback"),
        pytest.param(link(NAME, attribute(1, bytes(6))), eth0(mac=b""), id="a MAC of zeros is none"),
        pytest.param(link(NAME, attribute(1, bytes(20))), eth0(mac=b""), id="a longer hardware address"),
        pytest.param(link(attribute(3, b"\xff\n\0")), eth0(mac=b"", name="\\xff\n"), id="a name that is no text"),
        pytest.param(link(NAME, attribute(11, b"x")), None, id="an event of a wireless driver"),
        pytest.param(link(OURS), None, id="a link without a name"),
        pytest.param(link(NAME, kind=DELLINK), LinkGone(5), id="a link that is gone"),
        pytest.param(link(NAME, kind=DELLINK, family=7), None, id="a port that left its bridge is still a link"),
        pytest.param(link(NAME, family=7), None, id="what a bridge says of its port"),
        pytest.param(address(attribute(1, LINK_LOCAL)), AddressSeen(5, LINK_LOCAL, False), id="an address"),
        pytest.param(
            address(attribute(1, PEER), attribute(2, LINK_LOCAL)), AddressSeen(5, LINK_LOCAL, False), id="with a peer"
        ),
        pytest.param(
            address(attribute(1, LINK_LOCAL), flags=0xC0), AddressSeen(5, LINK_LOCAL, True), id="a tentative one"
        ),
        pytest.param(
            address(attribute(1, LINK_LOCAL), attribute(8, struct.pack("=I", 0x280)), flags=0xC0),
            AddressSeen(5, LINK_LOCAL, False),
            id="the wider flags count",
        ),
        pytest.param(
            address(attribute(1, LINK_LOCAL), attribute(8, struct.pack("=I", 0x88))),
            AddressSeen(5, LINK_LOCAL, True),
            id="somebody else has it",
        ),
        pytest.param(
            address(attribute(1, LINK_LOCAL), kind=DELADDR), AddressGone(5, LINK_LOCAL), id="an address that is gone"
        ),
        pytest.param(address(attribute(1, bytes(4)), family=2), None, id="an IPv4 address"),
        pytest.param(address(), None, id="an address without one"),
        pytest.param(message(DONE, struct.pack("=i", 0)), DumpDone(0), id="the end of a list"),
        pytest.param(message(ERROR, struct.pack("=i", -1) + bytes(16)), DumpDone(1), id="an error"),
        pytest.param(message(77, b"1234"), None, id="another type"),
    ],
)
def test_what_a_message_says(octets: bytes, expected: Message | None) -> None:
    found = list(read(octets))
    assert [received.message for received in found] == ([] if expected is None else [expected])
    assert all((received.port, received.sequence) == (4711, 7) for received in found)


def test_messages_follow_each_other_aligned() -> None:
    datagram = link(NAME, OURS) + message(77, b"12345") + link(NAME, kind=DELLINK)
    assert [received.message for received in read(datagram)] == [eth0(), LinkGone(5)]


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param(message(DONE, b"", flags=0x12), [DumpDone(0)], id="with its end"),
        pytest.param(message(NEWADDR, address(attribute(1, LINK_LOCAL))[16:], flags=0x10), [SEEN], id="by an address"),
        pytest.param(message(77, b"", flags=0x12), [], id="with a message that says nothing else"),
    ],
)
def test_a_list_was_interrupted(octets: bytes, expected: list[Message]) -> None:
    assert [received.message for received in read(octets)] == [DumpInterrupted(), *expected]


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(message(OVERRUN, b""), id="the kernel lost messages"),
        pytest.param(b"\x10", id="a header that is cut off"),
        pytest.param(link(NAME, OURS)[:-4], id="a message that is cut off"),
        pytest.param(struct.pack("=IHHII", 15, NEWLINK, 0, 0, 0), id="a length below that of the header"),
        pytest.param(message(NEWLINK, b"1234"), id="a link that is too short"),
        pytest.param(link(struct.pack("=HH", 3, 3)), id="an attribute of less than its header"),
        pytest.param(link(struct.pack("=HH", 44, 3)), id="an attribute that is cut off"),
    ],
)
def test_what_is_no_message_is_an_error(octets: bytes) -> None:
    with pytest.raises(NetlinkError):
        list(read(octets))


@given(st.binary(max_size=200), st.sampled_from([NEWLINK, DELLINK, NEWADDR, DELADDR, ERROR, DONE, 77]))
def test_any_octets_are_read_or_are_an_error(body: bytes, kind: int) -> None:
    for octets in (body, message(kind, body)):
        try:
            list(read(octets))
        except NetlinkError:
            continue


def test_a_question_is_a_message_of_its_length() -> None:
    octets = ask_for_links(1)
    assert struct.unpack_from("=I", octets) == (len(octets),)
    assert list(read(octets)) == []
