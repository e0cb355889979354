from ipaddress import IPv4Address, IPv4Network, IPv6Address, collapse_addresses, summarize_address_range

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.addresses.address_range import AddressRange, is_buggy, prefix_of
from reconciler.addresses.family import Address, AddressError, Family, parse_address
from tests.strategies import address_ranges, any_addresses, small_ranges


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        pytest.param("192.0.2.0/24", "192.0.2.0", "192.0.2.255", id="a CIDR"),
        pytest.param("10.0.0.77/30", "10.0.0.76", "10.0.0.79", id="host bits are masked"),
        pytest.param("128.0.0.0/1", "128.0.0.0", "255.255.255.255", id="half of IPv4"),
        pytest.param("::/0", "::", ":".join(["ffff"] * 8), id="all of IPv6"),
        pytest.param("192.0.2.7/32", "192.0.2.7", "192.0.2.7", id="one address"),
        pytest.param("2001:db8::/126", "2001:db8::", "2001:db8::3", id="an IPv6 CIDR"),
        pytest.param("::ffff:192.0.2.0/120", "192.0.2.0", "192.0.2.255", id="an IPv4-mapped CIDR is IPv4"),
        pytest.param("192.0.2.10-192.0.2.20", "192.0.2.10", "192.0.2.20", id="first and last"),
        pytest.param(" 192.0.2.10 -  192.0.2.20 ", "192.0.2.10", "192.0.2.20", id="blanks around both parts"),
        pytest.param("192.0.2.10-192.0.2.10", "192.0.2.10", "192.0.2.10", id="first is last"),
        pytest.param("2001:db8::a-2001:db8::1:0", "2001:db8::a", "2001:db8::1:0", id="first and last of IPv6"),
    ],
)
def test_a_range_is_read(text: str, first: str, last: str) -> None:
    found = AddressRange.parse(text)
    assert Address(found.family, found.first) == parse_address(first)
    assert Address(found.family, found.last) == parse_address(last)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("192.0.2.7", 'write "192.0.2.7/32"', id="a bare address"),
        pytest.param("10.4.0.0/33", '"/33" is no prefix length of an IPv4 address', id="a prefix too long"),
        pytest.param("2001:db8::/129", '"/129" is no prefix length of an IPv6 address', id="an IPv6 prefix too long"),
        pytest.param("::ffff:192.0.2.0/64", '"/64" is no prefix length of an IPv4', id="a mapped CIDR beyond IPv4"),
        pytest.param(
            "192.0.2.0/-1", '"192.0.2.0/" is not an IP address', id="a negative prefix is a range of nonsense"
        ),
        pytest.param("192.0.2.0/", '"" is not a prefix length', id="no prefix length"),
        pytest.param("192.0.2.0/٢٤", "is not a prefix length", id="digits of another script"),
        pytest.param("192.0.2.0 /24", '"192.0.2.0 " is not an IP address', id="a blank in a CIDR"),
        pytest.param("192.0.2.0/255.255.255.0", "is not a prefix length", id="a netmask"),
        pytest.param(
            "10.4.0.20-10.4.0.10", 'start IP "10.4.0.20" is after the end IP "10.4.0.10"', id="last before first"
        ),
        pytest.param("192.0.2.1-2001:db8::1", "is IPv4 but end IP", id="two families"),
        pytest.param("192.0.2.1-192.0.2.3-192.0.2.5", "is not an IP address", id="two dashes"),
        pytest.param("192.0.2.1-9", '"9" is not an IP address', id="a shortened end"),
        pytest.param("-", '"" is not an IP address', id="a dash alone"),
    ],
)
def test_what_is_no_range_says_which_part_is_wrong(text: str, complaint: str) -> None:
    with pytest.raises(AddressError) as caught:
        AddressRange.parse(text)
    assert complaint in str(caught.value)


def summarized(found: AddressRange) -> list[tuple[int, int]]:
    """The blocks as the standard library finds them."""
    if found.family is Family.IPV4:
        blocks = summarize_address_range(IPv4Address(found.first), IPv4Address(found.last))
        return [(int(block.network_address), block.prefixlen) for block in blocks]
    longer = summarize_address_range(IPv6Address(found.first), IPv6Address(found.last))
    return [(int(block.network_address), block.prefixlen) for block in longer]


@given(st.one_of(address_ranges(), small_ranges()))
def test_blocks_are_those_of_the_ipaddress_module(found: AddressRange) -> None:
    assert list(found.blocks()) == summarized(found)


@given(small_ranges())
def test_blocks_are_the_fewest_that_make_up_the_range(found: AddressRange) -> None:
    blocks = list(found.blocks())
    if found.family is Family.IPV4:
        networks = [IPv4Network(block) for block in blocks]
        assert list(collapse_addresses(networks)) == networks
    sizes = [1 << (found.family.bits - length) for _, length in blocks]
    assert [base for base, _ in blocks] == [found.first + sum(sizes[:n]) for n in range(len(sizes))]
    assert sum(sizes) == found.size
    assert found.widest_prefix_length == min(length for _, length in blocks)


@given(st.one_of(address_ranges(), small_ranges()))
def test_the_text_of_a_range_reads_back(found: AddressRange) -> None:
    mapped = found.family is Family.IPV6 and found.last >> 32 == 0xFFFF
    if not mapped and not (found.family is Family.IPV6 and found.first >> 32 == 0xFFFF):
        assert AddressRange.parse(str(found)) == found


@given(small_ranges(), small_ranges())
def test_ranges_overlap_when_they_share_an_address(a: AddressRange, b: AddressRange) -> None:
    shared = a.family is b.family and bool(set(range(a.first, a.last + 1)) & set(range(b.first, b.last + 1)))
    assert a.overlaps(b) is b.overlaps(a) is shared


@given(st.integers(0, 2000), st.integers(0, 1200))
def test_buggy_addresses_are_counted_without_looking_at_each(first: int, length: int) -> None:
    found = AddressRange(Family.IPV4, first, first + length)
    assert found.buggy_count == sum(v % 256 in (0, 255) for v in range(found.first, found.last + 1))
    assert AddressRange(Family.IPV6, first, first + length).buggy_count == 0


@pytest.mark.parametrize(
    ("text", "buggy"),
    [
        pytest.param("192.0.2.0", True, id="ends in .0"),
        pytest.param("192.0.3.255", True, id="ends in .255"),
        pytest.param("192.0.2.1", False, id="ends in .1"),
        pytest.param("2001:db8::", False, id="IPv6 is never buggy"),
        pytest.param("2001:db8::ff", False, id="IPv6 that ends in 255"),
    ],
)
def test_only_the_last_octet_of_ipv4_is_buggy(text: str, *, buggy: bool) -> None:
    assert is_buggy(parse_address(text)) is buggy


@given(any_addresses(), st.integers(0, 128))
def test_the_prefix_around_an_address_holds_it(address: Address, length: int) -> None:
    length = min(length, address.family.bits)
    block = prefix_of(address, length)
    assert address in block
    assert list(block.blocks()) == [(block.first, length)]
