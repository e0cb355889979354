"""Control packets ↔ octets: vectors, the rules of RFC 5880 section 6.8.6, and arbitrary octets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.bfd.ignored import Ignored
from reconciler.bfd.packets import ControlPacket, Diagnostic, PacketError, State, decode, encode

DOWN = ControlPacket(
    state=State.DOWN,
    detect_multiplier=3,
    my_discriminator=1,
    desired_min_tx_us=1_000_000,
    required_min_rx_us=300_000,
)
UP = ControlPacket(
    state=State.UP,
    is_poll=True,
    detect_multiplier=3,
    my_discriminator=1,
    your_discriminator=2,
    desired_min_tx_us=300_000,
    required_min_rx_us=300_000,
    required_min_echo_rx_us=50_000,
)
OCTETS_OF_DOWN = bytes.fromhex("204003180000000100000000000f4240000493e000000000")
OCTETS_OF_UP = bytes.fromhex("20e003180000000100000002000493e0000493e00000c350")


@pytest.mark.parametrize(
    ("packet", "octets"),
    [pytest.param(DOWN, OCTETS_OF_DOWN, id="down"), pytest.param(UP, OCTETS_OF_UP, id="up, polling, with echo")],
)
def test_a_packet_and_its_octets(packet: ControlPacket, octets: bytes) -> None:
    assert encode(packet) == octets
    assert decode(octets) == packet


def test_every_bit_has_its_place() -> None:
    # AdminDown with the diagnostic 7, final, demand and control-plane independent.
    octets = bytes.fromhex("271a051800000007000000080000271000002710" + "00000000")
    packet = decode(octets)
    assert packet == ControlPacket(
        state=State.ADMIN_DOWN,
        diagnostic=Diagnostic.ADMINISTRATIVELY_DOWN,
        is_final=True,
        is_control_plane_independent=True,
        is_demand=True,
        detect_multiplier=5,
        my_discriminator=7,
        your_discriminator=8,
        desired_min_tx_us=10_000,
        required_min_rx_us=10_000,
    )
    assert encode(packet) == octets


def changed(at: int, value: int, octets: bytes = OCTETS_OF_UP) -> bytes:
    return octets[:at] + bytes([value]) + octets[at + 1 :]


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        pytest.param(b"", Ignored.TRUNCATED, id="nothing"),
        pytest.param(OCTETS_OF_UP[:23], Ignored.TRUNCATED, id="an octet too few"),
        pytest.param(changed(0, 0x00), Ignored.VERSION, id="version 0"),
        pytest.param(changed(0, 0x40), Ignored.VERSION, id="version 2"),
        pytest.param(changed(3, 23), Ignored.LENGTH, id="a length shorter than the mandatory section"),
        pytest.param(changed(3, 25), Ignored.TRUNCATED, id="a length longer than the payload"),
        pytest.param(changed(1, 0xC4), Ignored.LENGTH, id="authenticated, with no room for it"),
        pytest.param(changed(3, 25, changed(1, 0xC4)) + b"\5", Ignored.LENGTH, id="authenticated, with a type alone"),
        pytest.param(changed(2, 0), Ignored.MULTIPLIER, id="a multiplier of 0"),
        pytest.param(changed(1, 0xC1), Ignored.MULTIPOINT, id="the multipoint bit"),
        pytest.param(changed(7, 0), Ignored.DISCRIMINATOR, id="no discriminator of the sender"),
        pytest.param(changed(11, 0), Ignored.DISCRIMINATOR, id="up, and does not know us"),
        pytest.param(changed(1, 0x80, changed(11, 0)), Ignored.DISCRIMINATOR, id="init, and does not know us"),
    ],
)
def test_a_packet_is_discarded(octets: bytes, reason: Ignored) -> None:
    with pytest.raises(PacketError) as raised:
        decode(octets)
    assert raised.value.reason is reason


@pytest.mark.parametrize("second", [0x00, 0x40], ids=["admin down", "down"])
def test_who_is_down_need_not_know_us(second: int) -> None:
    assert decode(changed(1, second, changed(11, 0))).your_discriminator == 0


def test_what_follows_the_packet_is_no_part_of_it() -> None:
    assert decode(OCTETS_OF_UP + b"more") == UP


def test_an_authentication_section_is_kept_as_it_is() -> None:
    section = bytes([5, 28, 1, 0]) + bytes(24)
    octets = changed(3, 52, changed(1, 0xC4)) + section
    assert decode(octets + b"more").authentication == section
    assert encode(decode(octets)) == octets


numbers = st.integers(0, (1 << 32) - 1)
packets = st.builds(
    ControlPacket,
    state=st.sampled_from(State),
    diagnostic=st.integers(0, 31),
    is_poll=st.booleans(),
    is_final=st.booleans(),
    is_control_plane_independent=st.booleans(),
    is_demand=st.booleans(),
    detect_multiplier=st.integers(1, 255),
    my_discriminator=st.integers(1, (1 << 32) - 1),
    your_discriminator=st.integers(1, (1 << 32) - 1),
    desired_min_tx_us=numbers,
    required_min_rx_us=numbers,
    required_min_echo_rx_us=numbers,
    authentication=st.none() | st.binary(min_size=2, max_size=231),
)


@given(packets)
def test_decoding_undoes_encoding(packet: ControlPacket) -> None:
    assert decode(encode(packet)) == packet


@given(st.binary(max_size=80) | st.builds(lambda tail: b"\x20" + tail, st.binary(min_size=23, max_size=60)))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    try:
        packet = decode(octets)
    except PacketError:
        return
    assert decode(encode(packet)) == packet
