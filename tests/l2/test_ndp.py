"""Neighbour messages: what we write, what we read, every rule of validity, and an independent implementation."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet6 import (
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import Ether
from scapy.utils6 import in6_getnsma, in6_getnsmac

from reconciler.l2 import ndp
from reconciler.l2.ignored import FrameError, Ignored
from tests.l2.addresses import ASKER6, CLIENT, LINK_LOCAL, OURS, VIP6, ip, mac
from tests.l2.questions import damaged, solicitation
from tests.l2.vectors import vector

_MACS = st.binary(min_size=6, max_size=6)
_UNICAST = st.binary(min_size=16, max_size=16).filter(lambda octets: octets[0] != 0xFF and any(octets))
_SOLICITATIONS = st.builds(
    ndp.NeighborSolicitation,
    ethernet_destination=_MACS,
    ethernet_source=_MACS,
    source=_UNICAST,
    destination=_UNICAST,
    target=_UNICAST,
    source_mac=st.none() | _MACS,
)
_ADVERTISEMENTS = st.builds(
    ndp.NeighborAdvertisement,
    ethernet_destination=_MACS,
    ethernet_source=_MACS,
    source=_UNICAST,
    destination=_UNICAST,
    target=_UNICAST,
    target_mac=st.none() | _MACS,
    is_router=st.booleans(),
    is_solicited=st.booleans(),
    is_override=st.booleans(),
)


def test_an_advertisement_has_the_octets_of_the_captured_one() -> None:
    assert ndp.advertisement(OURS, VIP6, source=LINK_LOCAL, to_mac=CLIENT, to=ASKER6) == vector("ndp-advertisement")


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        pytest.param(
            ndp.advertisement(OURS, VIP6, source=LINK_LOCAL, to_mac=CLIENT, to=ASKER6),
            (CLIENT, LINK_LOCAL, ASKER6, 1),
            id="an answer, from the link-local address",
        ),
        pytest.param(
            ndp.advertisement(OURS, VIP6, source=None, to_mac=CLIENT, to=ASKER6),
            (CLIENT, VIP6, ASKER6, 1),
            id="an answer, from the address itself where the link has none",
        ),
        pytest.param(
            ndp.advertisement(OURS, VIP6, source=LINK_LOCAL, to_mac=CLIENT, to=ndp.UNSPECIFIED),
            (mac("33:33:00:00:00:01"), LINK_LOCAL, ip("ff02::1"), 0),
            id="a probe is answered to all nodes, and not as solicited",
        ),
        pytest.param(
            ndp.unsolicited(OURS, VIP6, source=LINK_LOCAL),
            (mac("33:33:00:00:00:01"), LINK_LOCAL, ip("ff02::1"), 0),
            id="an announcement",
        ),
    ],
)
def test_scapy_reads_our_advertisements(frame: bytes, expected: tuple[bytes, bytes, bytes, int]) -> None:
    read = Ether(frame)
    said = read[ICMPv6ND_NA]
    assert (mac(read.dst), ip(read[IPv6].src), ip(read[IPv6].dst), said.S) == expected
    assert (mac(read.src), read[IPv6].hlim, said.code, said.R, said.O, ip(said.tgt)) == (OURS, 255, 0, 0, 1, VIP6)
    assert mac(read[ICMPv6NDOptDstLLAddr].lladdr) == OURS
    assert _recomputed(read) == frame


def test_scapy_reads_our_probe() -> None:
    frame = ndp.probe(OURS, VIP6)
    read = Ether(frame)
    group = in6_getnsma(VIP6)
    assert (ip(read[IPv6].src), ip(read[IPv6].dst), mac(read.dst)) == (bytes(16), group, mac(in6_getnsmac(group)))
    assert (read[IPv6].hlim, ip(read[ICMPv6ND_NS].tgt)) == (255, VIP6)
    assert ICMPv6NDOptSrcLLAddr not in read
    assert _recomputed(read) == frame


def test_we_read_what_scapy_writes() -> None:
    asked = (
        Ether(dst="33:33:ff:00:02:40", src="02:00:00:00:00:99")
        / IPv6(src="fe80::99", dst="ff02::1:ff00:240", hlim=255)
        / ICMPv6ND_NS(tgt="2001:db8::240")
        / ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:00:99")
    )
    assert bytes(asked) == solicitation(VIP6)
    assert ndp.decode(bytes(asked)) == ndp.decode(solicitation(VIP6))


@given(message=_SOLICITATIONS | _ADVERTISEMENTS)
def test_decoding_what_was_encoded_gives_it_back(message: ndp.NeighborMessage) -> None:
    assert ndp.decode(ndp.encode(message)) == message


@given(message=_ADVERTISEMENTS)
def test_scapy_computes_the_same_checksum(message: ndp.NeighborAdvertisement) -> None:
    frame = ndp.encode(message)
    assert _recomputed(Ether(frame))[56:58] == frame[56:58]


def test_the_group_of_an_address_and_its_mac() -> None:
    group = ndp.solicited_node_group(VIP6)
    assert (group, ndp.group_mac(group)) == (ip("ff02::1:ff00:240"), mac("33:33:ff:00:02:40"))


def _advertised(*, solicited: bool, to: bytes) -> bytes:
    frame = ndp.decode(ndp.unsolicited(CLIENT, VIP6, source=None))
    assert isinstance(frame, ndp.NeighborAdvertisement)
    return ndp.encode(replace(frame, destination=to, is_solicited=solicited))


_PLAIN = solicitation(VIP6)
_PROBE = ndp.probe(CLIENT, VIP6)
_PROBE_WITH_OPTION = solicitation(VIP6, source=bytes(16))


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        pytest.param(_PLAIN[:10], Ignored.TRUNCATED, id="no whole Ethernet header"),
        pytest.param(_PLAIN[:54], Ignored.TRUNCATED, id="no whole IPv6 header"),
        pytest.param(_PLAIN[:-1], Ignored.TRUNCATED, id="one octet short of the length in the header"),
        pytest.param(_PLAIN[:12] + b"\x81\x00\x00\x05" + _PLAIN[12:], Ignored.VLAN_TAGGED, id="802.1Q"),
        pytest.param(_PLAIN[:12] + b"\x08\x06" + _PLAIN[14:], Ignored.OTHER_TYPE, id="another type"),
        pytest.param(damaged(_PLAIN, 14, 0x40), Ignored.NOT_NEIGHBOR_DISCOVERY, id="IP version 4"),
        pytest.param(damaged(_PLAIN, 20, 0), Ignored.NOT_NEIGHBOR_DISCOVERY, id="behind an extension header"),
        pytest.param(damaged(_PLAIN, 54, 133), Ignored.NOT_NEIGHBOR_DISCOVERY, id="a router solicitation"),
        pytest.param(damaged(_PLAIN, 21, 254), Ignored.HOP_LIMIT, id="forwarded by a router"),
        pytest.param(damaged(_PLAIN, 57, 0), Ignored.CHECKSUM, id="a wrong checksum"),
        pytest.param(damaged(_PLAIN, 55, 1), Ignored.CODE, id="a code"),
        pytest.param(damaged(_PLAIN, 19, 16), Ignored.LENGTH, id="shorter than such a message is"),
        pytest.param(damaged(_PLAIN, 19, 31), Ignored.LENGTH, id="no multiple of eight octets"),
        pytest.param(damaged(_PLAIN, 79, 0), Ignored.OPTION_LENGTH, id="an option without length"),
        pytest.param(damaged(_PLAIN, 79, 2), Ignored.OPTION_LENGTH, id="an option that runs past the end"),
        pytest.param(damaged(_PLAIN, 62, 0xFF), Ignored.TARGET_MULTICAST, id="a group as the target"),
        pytest.param(damaged(_PLAIN, 22, 0xFF), Ignored.SOURCE_MULTICAST, id="a group as the source"),
        pytest.param(solicitation(VIP6, source_mac=None), Ignored.NO_SOURCE_OPTION, id="to a group, without its MAC"),
        pytest.param(_PROBE_WITH_OPTION, Ignored.DAD_SOURCE_OPTION, id="a probe with a MAC"),
        pytest.param(damaged(_PROBE, 50, 0), Ignored.DAD_DESTINATION, id="a probe to another group"),
        pytest.param(
            _advertised(solicited=True, to=ndp.ALL_NODES), Ignored.SOLICITED_MULTICAST, id="solicited by everybody"
        ),
    ],
)
def test_a_message_that_breaks_a_rule_is_refused_with_the_reason(frame: bytes, reason: Ignored) -> None:
    with pytest.raises(FrameError) as caught:
        ndp.decode(frame)
    assert caught.value.reason is reason


def test_a_link_layer_address_of_another_length_is_refused() -> None:
    longer = damaged(_PLAIN + bytes(8), 19, 40)
    with pytest.raises(FrameError) as caught:
        ndp.decode(damaged(longer, 79, 2))
    assert caught.value.reason is Ignored.OPTION_LENGTH


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(damaged(_PLAIN + b"\x0e\x01" + bytes(6), 19, 40), id="with a nonce"),
        pytest.param(_PLAIN + bytes(20), id="with padding behind it"),
        pytest.param(solicitation(VIP6, source_mac=None, unicast_to=OURS), id="unicast, without a MAC"),
        pytest.param(_PROBE, id="a probe"),
        pytest.param(_advertised(solicited=True, to=ASKER6), id="solicited by one host"),
    ],
)
def test_what_breaks_no_rule_is_read(frame: bytes) -> None:
    assert ndp.decode(frame).target == VIP6


def _recomputed(read: Ether) -> bytes:
    """The same frame with the checksum and the length that scapy finds."""
    for layer in (ICMPv6ND_NA, ICMPv6ND_NS):
        if layer in read:
            del read[layer].cksum
    del read[IPv6].plen
    return bytes(read)
