"""ARP frames: what we write, what we read, and what an independent implementation makes of both."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.l2 import ARP, Ether

from reconciler.l2 import arp
from reconciler.l2.ethernet import BROADCAST, NO_MAC
from reconciler.l2.ignored import FrameError, Ignored
from tests.l2.addresses import ASKER, CLIENT, OURS, VIP, ip, mac
from tests.l2.questions import arp_packet
from tests.l2.vectors import vector

_MACS = st.binary(min_size=6, max_size=6)
_ADDRESSES = st.binary(min_size=4, max_size=4)
_PACKETS = st.builds(
    arp.ArpPacket,
    destination=_MACS,
    source=_MACS,
    operation=st.integers(0, 0xFFFF),
    sender_mac=_MACS,
    sender_address=_ADDRESSES,
    target_mac=_MACS,
    target_address=_ADDRESSES,
)


def test_a_reply_has_the_octets_of_the_captured_one() -> None:
    made = arp.reply(OURS, ip("192.168.1.240"), to_mac=CLIENT, to_address=ip("192.168.1.50"))
    assert made == vector("arp-reply")


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        pytest.param(
            arp.reply(OURS, VIP, to_mac=CLIENT, to_address=ASKER), (CLIENT, 2, VIP, CLIENT, ASKER), id="a reply"
        ),
        pytest.param(arp.probe(OURS, VIP), (BROADCAST, 1, bytes(4), NO_MAC, VIP), id="a probe names no sender"),
        pytest.param(
            arp.gratuitous_request(OURS, VIP), (BROADCAST, 1, VIP, NO_MAC, VIP), id="an announcement as a request"
        ),
        pytest.param(
            arp.gratuitous_reply(OURS, VIP), (BROADCAST, 2, VIP, OURS, VIP), id="as a reply, to the sender's own MAC"
        ),
    ],
)
def test_scapy_reads_what_we_write(frame: bytes, expected: tuple[bytes, int, bytes, bytes, bytes]) -> None:
    read = Ether(frame)
    said = read[ARP]
    assert len(frame) == 60
    assert (said.hwtype, said.ptype, said.hwlen, said.plen) == (1, 0x0800, 6, 4)
    assert (mac(read.src), mac(said.hwsrc)) == (OURS, OURS)
    assert (mac(read.dst), said.op, ip(said.psrc), mac(said.hwdst), ip(said.pdst)) == expected


def test_we_read_what_scapy_writes() -> None:
    frame = Ether(dst="ff:ff:ff:ff:ff:ff", src="02:00:00:00:00:99") / ARP(
        op=1, hwsrc="02:00:00:00:00:99", psrc="192.0.2.50", hwdst="00:00:00:00:00:00", pdst="192.0.2.240"
    )
    assert arp.decode(bytes(frame)) == arp.decode(arp_packet(VIP))


@given(packet=_PACKETS)
def test_decoding_what_was_encoded_gives_it_back(packet: arp.ArpPacket) -> None:
    assert arp.decode(arp.encode(packet)) == packet


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        pytest.param(b"", Ignored.TRUNCATED, id="nothing"),
        pytest.param(arp_packet(VIP)[:13], Ignored.TRUNCATED, id="no whole Ethernet header"),
        pytest.param(arp_packet(VIP)[:41], Ignored.TRUNCATED, id="one octet short"),
        pytest.param(arp_packet(VIP)[:12] + b"\x08\x00" + arp_packet(VIP)[14:], Ignored.OTHER_TYPE, id="IPv4"),
        pytest.param(
            arp_packet(VIP)[:12] + b"\x81\x00\x00\x05" + arp_packet(VIP)[12:], Ignored.VLAN_TAGGED, id="802.1Q"
        ),
        pytest.param(
            arp_packet(VIP)[:12] + b"\x88\xa8\x00\x05" + arp_packet(VIP)[12:], Ignored.VLAN_TAGGED, id="802.1ad"
        ),
        *(
            pytest.param(
                arp_packet(VIP)[:offset] + b"\x77" + arp_packet(VIP)[offset + 1 :],
                Ignored.NOT_IPV4_OVER_ETHERNET,
                id=name,
            )
            for offset, name in (
                (15, "hardware type"),
                (16, "protocol type"),
                (18, "hardware length"),
                (19, "protocol length"),
            )
        ),
    ],
)
def test_what_is_no_arp_for_ipv4_is_refused_with_the_reason(frame: bytes, reason: Ignored) -> None:
    with pytest.raises(FrameError) as caught:
        arp.decode(frame)
    assert caught.value.reason is reason


def test_a_frame_without_its_padding_is_read() -> None:
    assert arp.decode(arp_packet(VIP)[: arp.LENGTH]) == arp.decode(arp_packet(VIP))
