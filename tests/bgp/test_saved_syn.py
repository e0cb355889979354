"""What is read of a SYN."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.bgp.saved_syn import SavedSYN, read_syn

_MD5 = bytes((19, 18)) + bytes(16)
_MSS, _NOP = bytes((2, 4, 5, 180)), b"\1"


def tcp(options: bytes = b"") -> bytes:
    padded = options.ljust(-(-len(options) // 4) * 4, b"\0")
    return struct.pack("!HHIIBBHHH", 40000, 179, 1, 0, (5 + len(padded) // 4) << 4, 2, 65535, 0, 0) + padded


def ipv4(ttl: int, rest: bytes, options: bytes = b"") -> bytes:
    return bytes((0x45 + len(options) // 4, 0)) + bytes(6) + bytes((ttl, 6)) + bytes(10) + options + rest


def ipv6(hop_limit: int, rest: bytes, following: int = 6) -> bytes:
    return bytes((0x60, 0, 0, 0, 0, 0, following, hop_limit)) + bytes(32) + rest


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param(ipv4(64, tcp()), SavedSYN(64, is_signed=False), id="IPv4"),
        pytest.param(ipv4(255, tcp(_MSS + _NOP + _NOP + _MD5)), SavedSYN(255, is_signed=True), id="IPv4, signed"),
        pytest.param(ipv4(1, tcp(_MD5), bytes(8)), SavedSYN(1, is_signed=True), id="IPv4 with options"),
        pytest.param(ipv6(254, tcp(_MSS)), SavedSYN(254, is_signed=False), id="IPv6"),
        pytest.param(ipv6(255, tcp(_MD5)), SavedSYN(255, is_signed=True), id="IPv6, signed"),
        pytest.param(
            ipv6(255, bytes((6, 0)) + bytes(6) + tcp(_MD5), 60), SavedSYN(255, is_signed=True), id="IPv6, extended"
        ),
        pytest.param(ipv4(9, tcp(b"\0\0\0\0" + _MD5)), SavedSYN(9, is_signed=False), id="a signature after the end"),
        pytest.param(ipv4(9, tcp(bytes((8, 0)) + _MD5)), SavedSYN(9, is_signed=False), id="an option without length"),
        pytest.param(b"", None, id="nothing, as with SYN cookies"),
        pytest.param(ipv4(9, b""), None, id="no TCP header"),
    ],
)
def test_what_a_syn_says(octets: bytes, expected: SavedSYN | None) -> None:
    assert read_syn(octets) == expected


@given(st.binary(max_size=200))
def test_whatever_the_kernel_gives_is_read_or_not(octets: bytes) -> None:
    read_syn(octets)
