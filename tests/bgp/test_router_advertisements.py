"""Router advertisements and solicitations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.bgp.router_advertisements import (
    AdvertisementError,
    RouterAdvertisement,
    RouterSolicitation,
    decode,
    encode,
)
from tests.bgp.host import octets

SOURCE = octets("fe80::14")
MAC = bytes.fromhex("02000000000a")


def test_an_advertisement_as_it_stands_in_rfc_4861() -> None:
    assert encode(RouterAdvertisement(0, MAC)).hex() == "860000000000000000000000000000000101" + MAC.hex()


@given(st.integers(0, 0xFFFF), st.none() | st.binary(min_size=6, max_size=6))
def test_decode_after_encode_is_identity(lifetime: int, mac: bytes | None) -> None:
    advertisement = RouterAdvertisement(lifetime, mac)
    assert decode(encode(advertisement), SOURCE, 255) == advertisement


@given(st.none() | st.binary(min_size=6, max_size=6))
def test_a_question_comes_back_as_it_was(mac: bytes | None) -> None:
    assert decode(encode(RouterSolicitation(mac)), SOURCE, 255) == RouterSolicitation(mac)


@given(st.binary(max_size=64) | st.binary(max_size=64).map(lambda data: b"\x86\0" + data))
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    try:
        read = decode(data, SOURCE, 255)
    except AdvertisementError:
        return
    assert isinstance(read, RouterAdvertisement | RouterSolicitation)


def test_other_options_are_passed_over() -> None:
    mtu = bytes.fromhex("0501000000000578")
    assert decode(encode(RouterAdvertisement(1800)) + mtu, SOURCE, 255) == RouterAdvertisement(1800)


@pytest.mark.parametrize("source", ["::", "fe80::14", "2001:db8::14"])
def test_a_solicitation(source: str) -> None:
    assert decode(bytes.fromhex("8500000000000000"), octets(source), 255) == RouterSolicitation()


ADVERTISEMENT = encode(RouterAdvertisement(1800, MAC))


@pytest.mark.parametrize(
    ("data", "source", "hop_limit"),
    [
        pytest.param(ADVERTISEMENT, SOURCE, 254, id="from beyond the link"),
        pytest.param(ADVERTISEMENT, octets("2001:db8::14"), 255, id="from an address that is not link-local"),
        pytest.param(b"\x86\x01" + ADVERTISEMENT[2:], SOURCE, 255, id="with a code"),
        pytest.param(ADVERTISEMENT[:15], SOURCE, 255, id="cut off"),
        pytest.param(ADVERTISEMENT[:17] + b"\0" + ADVERTISEMENT[18:], SOURCE, 255, id="with an option of no length"),
        pytest.param(ADVERTISEMENT[:-1], SOURCE, 255, id="with an option that is cut off"),
        pytest.param(b"\x88" + ADVERTISEMENT[1:], SOURCE, 255, id="of another type"),
        pytest.param(b"\x85" + bytes(7) + b"\x01\x01" + MAC, bytes(16), 255, id="asked by nobody with an address"),
        pytest.param(b"", SOURCE, 255, id="empty"),
    ],
)
def test_what_breaks_a_rule_is_refused(data: bytes, source: bytes, hop_limit: int) -> None:
    with pytest.raises(AdvertisementError):
        decode(data, source, hop_limit)
