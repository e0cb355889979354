"""The export guard: what leaves, whatever asks for it."""

from collections import Counter
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.addresses.address_range import AddressRange
from reconciler.addresses.family import Family
from reconciler.announcers.bgp_guard import ExportGuard
from reconciler.placement.place import place
from tests.announcers.bgp_doubles import configured
from tests.placement.worlds import NAMES, World, worlds

BASE = 0x0A000000


@pytest.mark.parametrize(
    ("prefix", "lengths", "refusal"),
    [
        pytest.param("10.0.0.7/32", (32,), None, id="an address of a pool"),
        pytest.param("10.0.1.0/32", (32,), "holds no address of any pool", id="the address after the pool"),
        pytest.param("9.255.255.255/32", (32,), "holds no address of any pool", id="the address before the pool"),
        pytest.param("10.0.0.0/24", (24,), None, id="an aggregate that is the pool"),
        pytest.param("10.0.0.0/16", (32, 16), None, id="an aggregate that is larger than the pool"),
        pytest.param("10.1.0.0/16", (32, 16), "holds no address of any pool", id="an aggregate beside the pool"),
        pytest.param("10.0.0.0/16", (32, 24), "has a length of 16, which no BGPAdvertisement asks for", id="a length"),
        pytest.param("10.0.0.7/32", (24,), "has a length of 32, which no BGPAdvertisement asks for", id="a host"),
        pytest.param("0.0.0.0/0", (0, 32), "is a default route", id="a default route"),
        pytest.param("::/0", (0, 32), "is a default route", id="a default route of IPv6"),
        pytest.param("fc00::ffff/128", (32,), None, id="an IPv6 address of a pool"),
        pytest.param("fc00::1:0/128", (32,), "holds no address of any pool", id="an IPv6 address of no pool"),
        pytest.param("10.0.0.1-10.0.0.2", (32, 31), "is not one prefix", id="two addresses of two prefixes"),
        pytest.param("10.0.0.0-10.0.0.2", (32, 30), "is not one prefix", id="three addresses"),
    ],
)
def test_what_may_leave(prefix: str, lengths: tuple[int, ...], refusal: str | None) -> None:
    guard = ExportGuard([configured(lengths=tuple((one, 0 if one == 0 else 128) for one in lengths))])
    assert guard.refusal(AddressRange.parse(prefix)) == refusal


def test_nothing_leaves_without_a_configuration() -> None:
    assert ExportGuard().refusal(AddressRange.parse("10.0.0.7/32")) is not None
    assert ExportGuard().room(Family.IPV4) == 0


def test_a_former_configuration_still_counts() -> None:
    guard = ExportGuard([configured("10.0.1.0/24"), configured("10.0.0.0/24", lengths=((32, 128), (24, 128)))])
    assert guard.refusal(AddressRange.parse("10.0.0.7/32")) is None
    assert guard.refusal(AddressRange.parse("10.0.1.0/24")) is None
    assert guard.room(Family.IPV4) == 2 * 512


def test_one_that_allows_more_is_known_from_one_that_does_not() -> None:
    one = ExportGuard([configured("10.0.0.0/25", "10.0.0.128/25")])
    more = ExportGuard([configured("10.0.0.0-10.0.1.3", lengths=((24, 128), (32, 128)))])
    assert more.allows_all_of(one)
    assert not one.allows_all_of(more)
    assert one.allows_all_of(ExportGuard([configured("10.0.0.3-10.0.0.200")]))
    assert not one.allows_all_of(ExportGuard([configured("10.0.0.3-10.0.0.200", lengths=((24, 128),))]))
    assert not one.allows_all_of(ExportGuard([configured("fc00::/120")]))


@st.composite
def spans(draw: st.DrawFn) -> str:
    first = draw(st.integers(0, 60))
    last = draw(st.integers(first, min(first + 20, 63)))
    return f"10.0.0.{first}-10.0.0.{last}"


@given(st.lists(spans(), min_size=1, max_size=4), st.sets(st.integers(26, 32), min_size=1), st.data())
def test_it_agrees_with_one_look_at_every_address(pool: list[str], lengths: set[int], data: st.DataObject) -> None:
    guard = ExportGuard([configured(*pool, lengths=tuple((length, 128) for length in lengths))])
    held = {value for text in pool for value in _values(AddressRange.parse(text))}
    length = data.draw(st.integers(26, 32))
    network = ip_network((BASE + data.draw(st.integers(0, 63)), length), strict=False)
    asked = AddressRange.parse(str(network))
    assert (guard.refusal(asked) is None) == (length in lengths and bool(held & set(_values(asked))))
    assert guard.room(Family.IPV4) == len(held) * len(lengths)


@settings(max_examples=40, deadline=None)
@given(worlds(), worlds())
def test_all_that_is_ever_placed_may_leave(world: World, earlier: World) -> None:
    for name in NAMES:
        placement = place(world.config, world.state, world.alive, name, explain=False, former=(earlier.config,))
        guard = ExportGuard([world.config, *placement.former])
        routes = list(placement.routes)
        assert [guard.refusal(one.prefix) for one in routes] == [None] * len(routes)
        told = Counter((one.peer, one.prefix.family) for one in routes)
        assert all(count <= guard.room(family) for (_, family), count in told.items())


def _values(span: AddressRange) -> range:
    return range(span.first, span.last + 1)
