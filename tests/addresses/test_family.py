from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.addresses.family import Address, AddressError, Family, family_of, parse_address
from tests.strategies import any_addresses


@pytest.mark.parametrize(
    ("text", "family", "canonical"),
    [
        pytest.param("192.0.2.1", Family.IPV4, "192.0.2.1", id="IPv4"),
        pytest.param("2001:DB8:0::0001", Family.IPV6, "2001:db8::1", id="IPv6 in any spelling"),
        pytest.param("::ffff:192.0.2.1", Family.IPV4, "192.0.2.1", id="IPv4-mapped is the IPv4 address"),
        pytest.param("::ffff:c000:201", Family.IPV4, "192.0.2.1", id="IPv4-mapped in hexadecimal"),
        pytest.param("::", Family.IPV6, "::", id="the lowest IPv6 address"),
        pytest.param("::192.0.2.1", Family.IPV6, "::c000:201", id="IPv4-compatible is IPv6, written in hexadecimal"),
        pytest.param("255.255.255.255", Family.IPV4, "255.255.255.255", id="the highest IPv4 address"),
    ],
)
def test_an_address_is_read_and_written_canonically(text: str, family: Family, canonical: str) -> None:
    address = parse_address(text)
    assert (address.family, str(address)) == (family, canonical)
    assert family_of(text) is family


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("192.0.2.300", id="an octet too large"),
        pytest.param("192.0.2.010", id="a leading zero"),
        pytest.param("192.0.2", id="three octets"),
        pytest.param(" 192.0.2.1", id="a blank before"),
        pytest.param("192.0.2.1 ", id="a blank after"),
        pytest.param("192.0.2.1/32", id="a prefix"),
        pytest.param("fe80::1%eth0", id="a zone"),
        pytest.param("1:2:3:4:5:6:7", id="seven groups"),
        pytest.param("1::2::3", id="two gaps"),
        pytest.param("192.0.2.1\0", id="a NUL"),
        pytest.param("192.0.2.\udc80", id="a surrogate"),
        pytest.param("١٩٢.0.2.1", id="digits of another script"),
        pytest.param("None", id="the word of a headless Service"),
    ],
)
def test_other_texts_are_refused_and_quoted(text: str) -> None:
    with pytest.raises(AddressError, match="is not an IP address") as caught:
        parse_address(text)
    assert f'"{text}"' in str(caught.value)
    with pytest.raises(AddressError, match="is not an IP address"):
        family_of(text)


@given(any_addresses())
def test_text_agrees_with_the_ipaddress_module(address: Address) -> None:
    known: IPv4Address | IPv6Address = (IPv4Address if address.family is Family.IPV4 else IPv6Address)(address.value)
    # The module writes IPv4-mapped addresses in either form, depending on its version; to us they are IPv4.
    if isinstance(known, IPv6Address) and known.ipv4_mapped:
        return
    assert str(address) == str(known)
    assert parse_address(str(address)) == address


@given(st.text(alphabet="0123456789abcdef:.%/ ", max_size=24))
def test_the_same_texts_are_addresses_as_in_the_ipaddress_module(text: str) -> None:
    try:
        known = ip_address(text)
    except ValueError:
        with pytest.raises(AddressError):
            parse_address(text)
        return
    if "%" not in text:  # the module knows zones
        mapped = known.ipv4_mapped if isinstance(known, IPv6Address) else None
        assert parse_address(text).value == int(mapped or known)


@given(st.lists(any_addresses(), max_size=6))
def test_addresses_sort_by_family_and_then_by_number(addresses: list[Address]) -> None:
    assert sorted(addresses) == sorted(addresses, key=lambda a: (a.family.bits, a.value))


def test_each_family_knows_the_other() -> None:
    assert Family.IPV4.other is Family.IPV6
    assert Family.IPV6.other is Family.IPV4
    assert [str(family) for family in Family] == ["IPv4", "IPv6"]
