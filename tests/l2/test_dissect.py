"""A line about any frame, and scapy's opinion of the frames that we send."""

import os
import socket
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.l2 import arp, ndp
from reconciler.l2.dissect import describe
from tests.l2.frame_checks import build_gratuitous, check_answer, check_gratuitous, check_probe

MAC = bytes.fromhex("02000000000a")
ASKER = bytes.fromhex("02000000000d")
V4, ASKER4 = bytes([192, 0, 2, 100]), bytes([192, 0, 2, 13])
V6, ASKER6, LINK_LOCAL = (
    socket.inet_pton(socket.AF_INET6, text) for text in ("2001:db8::100", "2001:db8::d", "fe80::a")
)
ANNOUNCED = pytest.mark.parametrize("address", [V4, V6], ids=["IPv4", "IPv6"])


def request4(*, mac: bytes = ASKER, sender: bytes = ASKER4, target: bytes = V4, ethernet: bytes = ASKER) -> bytes:
    return arp.encode(
        arp.ArpPacket(
            destination=b"\xff" * 6,
            source=ethernet,
            operation=1,
            sender_mac=mac,
            sender_address=sender,
            target_mac=bytes(6),
            target_address=target,
        )
    )


def solicitation(*, source: bytes = ASKER6, mac: bytes | None = ASKER) -> bytes:
    group = ndp.solicited_node_group(V6)
    return ndp.encode(
        ndp.NeighborSolicitation(
            ethernet_destination=ndp.group_mac(group),
            ethernet_source=ASKER,
            source=source,
            destination=group,
            target=V6,
            source_mac=mac,
        )
    )


@pytest.mark.parametrize(
    ("frame", "line"),
    [
        (request4(), "ARP request for 192.0.2.100 from 192.0.2.13 at 02:00:00:00:00:0d"),
        (
            request4(ethernet=MAC),
            "ARP request for 192.0.2.100 from 192.0.2.13 at 02:00:00:00:00:0d, sent by 02:00:00:00:00:0a",
        ),
        (arp.probe(ASKER, V4), "ARP probe for 192.0.2.100 by 02:00:00:00:00:0d"),
        (arp.gratuitous_request(ASKER, V4), "ARP announcement: 192.0.2.100 is at 02:00:00:00:00:0d"),
        (arp.gratuitous_reply(ASKER, V4), "ARP announcement: 192.0.2.100 is at 02:00:00:00:00:0d"),
        (
            arp.reply(ASKER, V4, to_mac=MAC, to_address=ASKER4),
            "ARP reply to 192.0.2.13: 192.0.2.100 is at 02:00:00:00:00:0d",
        ),
        (
            solicitation(),
            "neighbour solicitation for 2001:db8::100 from 2001:db8::d at 02:00:00:00:00:0d",
        ),
        (ndp.probe(ASKER, V6), "duplicate address probe for 2001:db8::100 by 02:00:00:00:00:0d"),
        (
            ndp.unsolicited(ASKER, V6, source=LINK_LOCAL),
            "neighbour advertisement to ff02::1: 2001:db8::100 is at 02:00:00:00:00:0d, flags O",
        ),
        (MAC + ASKER + b"\x08\x00" + bytes(4), "02:00:00:00:00:0d > 02:00:00:00:00:0a (IPv4) / Raw"),
        (MAC + ASKER, "12 octets, too few for a frame"),
    ],
)
def test_a_frame_in_one_line(frame: bytes, line: str) -> None:
    assert describe(frame) == line


ARP_HEAD = b"\xff" * 6 + ASKER + bytes.fromhex("0806000108000604")
NDP_HEAD = ndp.probe(ASKER, V6)[:54]


@given(st.sampled_from([b"", ARP_HEAD, ARP_HEAD[:14], NDP_HEAD, NDP_HEAD[:14]]), st.binary(max_size=1600))
@example(ARP_HEAD[:14], bytes.fromhex("0001080000000001"))
@example(ARP_HEAD[:14], bytes.fromhex("00010800ffff0001") + bytes(600))
@example(NDP_HEAD, bytes.fromhex("88000000a0000000") + V6 + bytes.fromhex("0200"))
@example(b"", b"\xaa" * 12 + b"\x81\x00\x00\x01" * 300)
@example(b"", b"\xaa" * 12 + b"\x88\xe7" + bytes(1400))
def test_any_octets_make_one_printable_line(head: bytes, tail: bytes) -> None:
    line = describe(head + tail)
    assert line
    assert line.isprintable()
    assert len(line) <= 240


@ANNOUNCED
def test_scapy_makes_the_announcements_that_we_make(address: bytes) -> None:
    if address == V4:
        ours = (arp.gratuitous_request(MAC, V4), arp.gratuitous_reply(MAC, V4))
        assert ours == tuple(frame.ljust(60, b"\0") for frame in build_gratuitous(MAC, V4))
    else:
        assert (ndp.unsolicited(MAC, V6, source=None),) == build_gratuitous(MAC, V6)
        assert (ndp.unsolicited(MAC, V6, source=LINK_LOCAL),) == build_gratuitous(MAC, V6, source=LINK_LOCAL)


@ANNOUNCED
def test_scapy_finds_its_own_announcements_right(address: bytes) -> None:
    assert [check_gratuitous(frame, mac=MAC, address=address) for frame in build_gratuitous(MAC, address)] == (
        [[], []] if address == V4 else [[]]
    )


@pytest.mark.parametrize(
    "complaints",
    [
        check_probe(arp.probe(MAC, V4), mac=MAC, address=V4),
        check_probe(ndp.probe(MAC, V6), mac=MAC, address=V6),
        check_answer(arp.reply(MAC, V4, to_mac=ASKER, to_address=ASKER4), mac=MAC, question=request4()),
        check_answer(
            ndp.advertisement(MAC, V6, source=None, to_mac=ASKER, to=ASKER6), mac=MAC, question=solicitation()
        ),
        check_answer(
            ndp.advertisement(MAC, V6, source=LINK_LOCAL, to_mac=ASKER, to=bytes(16)),
            mac=MAC,
            question=ndp.probe(ASKER, V6),
        ),
    ],
    ids=["ARP probe", "NDP probe", "ARP reply", "advertisement", "answer to a probe"],
)
def test_scapy_finds_what_we_send_right(complaints: list[str]) -> None:
    assert complaints == []


def changed(frame: bytes, at: int, octet: int) -> bytes:
    return frame[:at] + bytes([octet]) + frame[at + 1 :]


REQUEST_FORM, REPLY_FORM = arp.gratuitous_request(MAC, V4), arp.gratuitous_reply(MAC, V4)
UNSOLICITED = ndp.unsolicited(MAC, V6, source=LINK_LOCAL)


@pytest.mark.parametrize(
    ("frame", "address", "complaint"),
    [
        pytest.param(changed(REQUEST_FORM, 31, 99), V4, "ARP.psrc", id="another address"),
        pytest.param(changed(REQUEST_FORM, 27, 9), V4, "ARP.hwsrc", id="another MAC"),
        pytest.param(changed(REQUEST_FORM, 0, 2), V4, "Ether.dst", id="not to everyone"),
        pytest.param(changed(REQUEST_FORM, 21, 3), V4, "ARP.op", id="another operation"),
        pytest.param(changed(REPLY_FORM, 32, 0xFF), V4, "ARP.hwdst", id="a reply that Linux takes for an ordinary one"),
        pytest.param(REQUEST_FORM[:30], V4, "", id="cut short"),
        pytest.param(UNSOLICITED, V4, "ARP", id="no ARP at all"),
        pytest.param(changed(UNSOLICITED, 21, 64), V6, "IPv6.hlim", id="a hop limit below 255"),
        pytest.param(changed(UNSOLICITED, 57, UNSOLICITED[57] ^ 1), V6, "cksum", id="a wrong checksum"),
        pytest.param(changed(UNSOLICITED, 58, 0x80), V6, "ICMPv6ND_NA.R", id="a router's"),
        pytest.param(changed(UNSOLICITED, 58, 0x00), V6, "ICMPv6ND_NA.O", id="one that overrides nothing"),
        pytest.param(changed(UNSOLICITED, 77, 1), V6, "ICMPv6ND_NA.tgt", id="another target"),
        pytest.param(changed(UNSOLICITED, 85, 9), V6, "lladdr", id="another MAC in the option"),
        pytest.param(changed(UNSOLICITED, 78, 1), V6, "ICMPv6NDOptDstLLAddr", id="the wrong option"),
        pytest.param(UNSOLICITED[:78], V6, "ICMPv6NDOptDstLLAddr", id="without the option"),
        pytest.param(REQUEST_FORM, V6, "IPv6", id="no IPv6 at all"),
        pytest.param(b"", V6, "", id="nothing"),
    ],
)
def test_scapy_finds_what_is_wrong(frame: bytes, address: bytes, complaint: str) -> None:
    complaints = check_gratuitous(frame, mac=MAC, address=address)
    assert complaints
    assert any(complaint in line for line in complaints)


def test_an_answer_to_somebody_else_is_wrong() -> None:
    reply = arp.reply(MAC, V4, to_mac=ASKER, to_address=ASKER4)
    assert check_answer(reply, mac=MAC, question=request4(target=bytes([192, 0, 2, 101])))
    assert check_answer(reply, mac=MAC, question=request4(sender=bytes([192, 0, 2, 14])))
    assert check_answer(reply, mac=MAC, question=b"")
    advertisement = ndp.advertisement(MAC, V6, source=None, to_mac=ASKER, to=ASKER6)
    assert check_answer(advertisement, mac=MAC, question=ndp.probe(ASKER, V6))


def test_a_probe_that_names_its_sender_is_wrong() -> None:
    assert check_probe(request4(), mac=ASKER, address=V4)
    assert check_probe(solicitation(), mac=ASKER, address=V6)
    assert any("7.1.1" in line for line in check_probe(solicitation(source=bytes(16)), mac=ASKER, address=V6))


LAZY = """
import sys
from reconciler.l2 import dissect
assert not any(name.startswith("scapy") for name in sys.modules)
print(dissect.describe(bytes.fromhex(sys.argv[1])))
assert "scapy.all" not in sys.modules
from scapy.config import conf
assert not conf.route_autoload and not conf.route6_autoload
"""


def test_scapy_comes_with_the_first_frame_and_needs_no_home() -> None:
    # Nobody may make a file there, not even root.
    environment = {"HOME": "/proc", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LAZY, arp.probe(ASKER, V4).hex()],
        env=environment,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"ARP probe for 192.0.2.100 by 02:00:00:00:00:0d\n"
