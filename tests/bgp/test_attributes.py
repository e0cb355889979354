"""Path attributes of our routes: the vectors, what differs by session, and how much fits."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.bgp.attributes import AttributeType, PathAttributes, attribute, leaving, mp_unreach, path_attributes
from reconciler.bgp.dialect import Dialect
from reconciler.bgp.families import Family, prefix_of
from reconciler.bgp.framing import HEADER_LENGTH, Framer
from reconciler.bgp.parameters import Agreement
from reconciler.bgp.received import read_update
from reconciler.bgp.routes import RouteAttributes
from reconciler.bgp.updates import UpdateForm
from tests.l2.vectors import vector

V4, V6 = Family.IPV4, Family.IPV6
NEXT_HOP = b"\x0a\0\0\5"
NEXT_HOP6 = bytes.fromhex("20010db8000000000000000000000005")
LINK_LOCAL = bytes.fromhex("fe800000000000000000000000000005")
EXTERNAL = Dialect(
    local_asn=64512, is_ibgp=False, four_octet_as=True, max_length=4096, next_hops={V4: NEXT_HOP, V6: NEXT_HOP6}
)
INTERNAL = replace(EXTERNAL, is_ibgp=True)
NO_ADVERTISE = 0xFFFFFF02
HOST = prefix_of(bytes((198, 51, 100, 10)), 32)
HOST6 = prefix_of(bytes.fromhex("20010db8010000000000000000000010"), 128)


def made(dialect: Dialect, family: Family, attributes: RouteAttributes | None = None) -> PathAttributes:
    found = path_attributes(dialect, family, attributes or RouteAttributes())
    assert found is not None
    return found


def announcement(dialect: Dialect, family: Family, prefix: bytes, attributes: RouteAttributes | None = None) -> bytes:
    form = UpdateForm(family, dialect.next_hops[family], dialect.max_length)
    return form.announcement(made(dialect, family, attributes), prefix)


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        pytest.param(
            "bgp-update-internal",
            announcement(INTERNAL, V4, HOST, RouteAttributes(communities=(NO_ADVERTISE,))),
            id="within our AS",
        ),
        pytest.param(
            "bgp-update-external", announcement(EXTERNAL, V4, prefix_of(bytes((198, 51, 100, 10)), 24)), id="external"
        ),
        pytest.param("bgp-update-ipv6", announcement(EXTERNAL, V6, HOST6), id="IPv6"),
    ],
)
def test_an_update_has_the_octets_of_the_vector(name: str, octets: bytes) -> None:
    assert octets == vector(name)


@pytest.mark.parametrize(
    ("dialect", "attributes", "others"),
    [
        pytest.param(
            EXTERNAL,
            RouteAttributes(local_pref=300),
            "40010100 40020602010000fc00 4003040a000005",
            id="no LOCAL_PREF leaves our AS",
        ),
        pytest.param(
            INTERNAL,
            RouteAttributes(local_pref=0),
            "40010100 400200 4003040a000005 40050400000000",
            id="a LOCAL_PREF of 0 is none unset",
        ),
        pytest.param(
            INTERNAL,
            RouteAttributes(local_pref=4294967295),
            "40010100 400200 4003040a000005 400504ffffffff",
            id="the largest LOCAL_PREF",
        ),
        pytest.param(
            replace(EXTERNAL, four_octet_as=False),
            RouteAttributes(),
            "40010100 4002040201fc00 4003040a000005",
            id="an AS in two octets",
        ),
        pytest.param(
            replace(EXTERNAL, four_octet_as=False, local_asn=4_200_000_001),
            RouteAttributes(communities=(1,), large_communities=((1, 2, 3),)),
            "40010100 40020402015ba0 4003040a000005 c0080400000001 c011060201fa56ea01c0200c000000010000000200000003",
            id="an AS that does not fit into two octets",
        ),
        pytest.param(
            replace(EXTERNAL, local_asn=4_200_000_001),
            RouteAttributes(),
            "40010100 4002060201fa56ea01 4003040a000005",
            id="the same toward a peer that knows four",
        ),
        pytest.param(
            INTERNAL,
            RouteAttributes(communities=(1, NO_ADVERTISE), large_communities=((64512, 0, 1), (64512, 4294967295, 0))),
            "40010100 400200 4003040a000005 40050400000064 c0080800000001ffffff02"
            "c020180000fc000000000000000001 0000fc00ffffffff00000000",
            id="communities of both kinds",
        ),
    ],
)
def test_attributes_by_session(dialect: Dialect, attributes: RouteAttributes, others: str) -> None:
    assert made(dialect, V4, attributes) == PathAttributes(None, bytes.fromhex(others))


@pytest.mark.parametrize(
    ("family", "next_hop", "reach"),
    [
        pytest.param(V6, NEXT_HOP6, f"00020110{NEXT_HOP6.hex()}00", id="IPv6, global"),
        pytest.param(V6, NEXT_HOP6 + LINK_LOCAL, f"00020120{(NEXT_HOP6 + LINK_LOCAL).hex()}00", id="IPv6, both"),
        pytest.param(V4, NEXT_HOP6, f"00010110{NEXT_HOP6.hex()}00", id="IPv4 by IPv6"),
    ],
)
def test_the_next_hop_of_multiprotocol_routes(family: Family, next_hop: bytes, reach: str) -> None:
    found = made(replace(EXTERNAL, next_hops={family: next_hop}), family)
    # There is no NEXT_HOP beside it.
    assert found == PathAttributes(bytes.fromhex(reach), bytes.fromhex("40010100 40020602010000fc00"))


@pytest.mark.parametrize(
    ("length", "header"),
    [(0, "800f00"), (255, "800fff"), (256, "900f0100"), (65535, "900fffff")],
    ids=["empty", "just short", "just long", "the longest"],
)
def test_the_length_of_an_attribute(length: int, header: str) -> None:
    made_of = attribute(0x80, AttributeType.MP_UNREACH_NLRI, bytes(length))
    assert made_of == bytes.fromhex(header) + bytes(length)


def test_end_of_rib_of_ipv6_is_an_empty_withdrawal() -> None:
    assert mp_unreach(V6) == vector("bgp-end-of-rib-ipv6")[HEADER_LENGTH + 4 :]


def test_a_route_that_is_about_to_go_says_so() -> None:
    before = RouteAttributes(local_pref=300, communities=(1, NO_ADVERTISE), large_communities=((1, 2, 3),))
    after = leaving(before)
    assert after == RouteAttributes(
        local_pref=0, communities=(1, 0xFFFF0000, NO_ADVERTISE), large_communities=((1, 2, 3),)
    )
    assert leaving(after) == after


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("max_length", [4096, 65535])
@pytest.mark.parametrize("dialect", [EXTERNAL, INTERNAL], ids=["external", "internal"])
def test_as_many_communities_as_fit_with_one_prefix(dialect: Dialect, max_length: int, family: Family) -> None:
    dialect = replace(dialect, max_length=max_length)
    prefix = HOST if family is V4 else HOST6
    fitting = [
        count
        for count in range(max_length // 4 - 30, max_length // 4 + 2)
        if path_attributes(dialect, family, RouteAttributes(communities=tuple(range(count)))) is not None
    ]
    most = max(fitting)
    assert fitting == list(range(fitting[0], most + 1))
    octets = announcement(dialect, family, prefix, RouteAttributes(communities=tuple(range(most))))
    assert max_length - 4 < len(octets) <= max_length


def test_more_communities_than_a_length_can_name_are_refused() -> None:
    attributes = RouteAttributes(communities=tuple(range(20_000)))
    assert path_attributes(replace(EXTERNAL, max_length=65535), V4, attributes) is None


_NUMBERS = st.integers(0, (1 << 32) - 1)
_ATTRIBUTES = st.builds(
    RouteAttributes,
    local_pref=st.none() | _NUMBERS,
    communities=st.frozensets(_NUMBERS, max_size=80).map(lambda each: tuple(sorted(each))),
    large_communities=st.frozensets(st.tuples(_NUMBERS, _NUMBERS, _NUMBERS), max_size=30).map(
        lambda each: tuple(sorted(each))
    ),
)
_DIALECTS = st.builds(
    Dialect,
    local_asn=st.integers(1, (1 << 32) - 2),
    is_ibgp=st.booleans(),
    four_octet_as=st.booleans(),
    max_length=st.sampled_from([4096, 65535]),
    next_hops=st.fixed_dictionaries(
        {
            V4: st.sampled_from([NEXT_HOP, NEXT_HOP6, NEXT_HOP6 + LINK_LOCAL]),
            V6: st.sampled_from([NEXT_HOP6, NEXT_HOP6 + LINK_LOCAL, LINK_LOCAL]),
        }
    ),
)


@given(dialect=_DIALECTS, family=st.sampled_from(Family), attributes=_ATTRIBUTES)
def test_whatever_we_write_is_nothing_we_would_complain_of(
    dialect: Dialect, family: Family, attributes: RouteAttributes
) -> None:
    prefix = HOST if family is V4 else HOST6
    framer = Framer()
    framer.feed(announcement(dialect, family, prefix, attributes))
    ((_, body),) = framer
    received = read_update(body, _reader_of(dialect))
    assert (received.fault, received.discarded, received.withdrawn) == (None, 0, ())
    ((announced),) = received.announced
    assert (announced.family, list(announced.prefixes())) == (family, [prefix])


def _reader_of(dialect: Dialect) -> Agreement:
    """The other side of the session."""
    return Agreement(
        remote_asn=dialect.local_asn,
        remote_router_id=NEXT_HOP,
        is_ibgp=dialect.is_ibgp,
        hold_time=90.0,
        keepalive_time=30.0,
        families=frozenset(Family),
        four_octet_as=dialect.four_octet_as,
        max_length=dialect.max_length,
        route_refresh=True,
        enhanced_refresh=True,
        extended_next_hop=True,
        graceful_restart=None,
    )
