"""UPDATEs of a peer: what is counted, what is treated as withdrawn, and what ends the session (RFC 7606)."""

import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.bgp.families import Family, Prefix, prefix_of
from reconciler.bgp.framing import HEADER_LENGTH
from reconciler.bgp.notification import Notification, ProtocolError
from reconciler.bgp.parameters import Agreement
from reconciler.bgp.received import Received, Routes, read_update
from tests.l2.vectors import vector

V4, V6 = Family.IPV4, Family.IPV6
EXTERNAL = Agreement(
    remote_asn=64512,
    remote_router_id=b"\x0a\0\0\2",
    is_ibgp=False,
    hold_time=90.0,
    keepalive_time=30.0,
    families=frozenset(Family),
    four_octet_as=True,
    max_length=4096,
    route_refresh=True,
    enhanced_refresh=True,
    extended_next_hop=False,
    graceful_restart=None,
)
INTERNAL = replace(EXTERNAL, is_ibgp=True)

ORIGIN = "40010100"
AS_PATH = "40020602010000fc00"
NEXT_HOP = "4003040a000005"
LOCAL_PREF = "40050400000064"
MANDATORY = ORIGIN + AS_PATH + NEXT_HOP
PREFIX = "18c63364"
PREFIX6 = "2020010db8"
REACH = "800e1a000201" + "10" + "20010db8000000000000000000000005" + "00" + PREFIX6
UNREACH = "800f08000201" + PREFIX6


def update(attributes: str = "", prefixes: str = "", withdrawn: str = "") -> bytes:
    parts = [bytes.fromhex(part) for part in (withdrawn, attributes, prefixes)]
    return len(parts[0]).to_bytes(2) + parts[0] + len(parts[1]).to_bytes(2) + parts[1] + parts[2]


def read(body: bytes, agreement: Agreement = EXTERNAL) -> tuple[dict[str, int], dict[str, int]]:
    """How many were announced and withdrawn, by family."""
    return counted(read_update(body, agreement))


def counted(received: Received) -> tuple[dict[str, int], dict[str, int]]:
    announced, withdrawn = ({}, {})  # type: tuple[dict[str, int], dict[str, int]]
    for into, routes in ((announced, received.announced), (withdrawn, received.withdrawn)):
        for each in routes:
            into[each.family.name] = into.get(each.family.name, 0) + each.count
    return announced, withdrawn


@pytest.mark.parametrize(
    ("body", "agreement", "announced", "withdrawn"),
    [
        pytest.param(vector("bgp-update-external")[19:], EXTERNAL, {"IPV4": 1}, {}, id="the vector, external"),
        pytest.param(vector("bgp-update-internal")[19:], INTERNAL, {"IPV4": 1}, {}, id="the vector, internal"),
        pytest.param(vector("bgp-update-ipv6")[19:], EXTERNAL, {"IPV6": 1}, {}, id="the vector, IPv6"),
        pytest.param(vector("bgp-withdraw")[19:], EXTERNAL, {}, {"IPV4": 2}, id="the vector, withdrawn"),
        pytest.param(update(MANDATORY, "00"), EXTERNAL, {"IPV4": 1}, {}, id="a default route"),
        pytest.param(update(MANDATORY, PREFIX * 300), EXTERNAL, {"IPV4": 300}, {}, id="many"),
        pytest.param(
            update(REACH + UNREACH + MANDATORY, PREFIX * 2, PREFIX * 3),
            EXTERNAL,
            {"IPV4": 2, "IPV6": 1},
            {"IPV4": 3, "IPV6": 1},
            id="everything at once",
        ),
        pytest.param(
            update("800e0d000101 04 0a000005 00" + PREFIX + ORIGIN + AS_PATH),
            EXTERNAL,
            {"IPV4": 1},
            {},
            id="IPv4 in MP_REACH_NLRI",
        ),
        pytest.param(
            update(
                "800e2a000201 20" + "20010db8000000000000000000000005"
                "fe800000000000000000000000000005" + "00" + PREFIX6 + ORIGIN + AS_PATH
            ),
            EXTERNAL,
            {"IPV6": 1},
            {},
            id="a next hop that is global and link-local",
        ),
        pytest.param(
            update("900e001a000201" + REACH[12:] + ORIGIN + AS_PATH),
            EXTERNAL,
            {"IPV6": 1},
            {},
            id="a length of two octets",
        ),
        pytest.param(update(MANDATORY), EXTERNAL, {}, {}, id="attributes, and no route"),
        pytest.param(update(ORIGIN + "400200" + NEXT_HOP, PREFIX), EXTERNAL, {"IPV4": 1}, {}, id="an empty AS path"),
        pytest.param(update(MANDATORY + "c0fe03010203", PREFIX), EXTERNAL, {"IPV4": 1}, {}, id="an unknown attribute"),
        pytest.param(
            update(MANDATORY + "80fe00", PREFIX), EXTERNAL, {"IPV4": 1}, {}, id="an unknown one that does not travel"
        ),
        pytest.param(update(MANDATORY + "e00804ffffff02", PREFIX), EXTERNAL, {"IPV4": 1}, {}, id="a partial attribute"),
    ],
)
def test_routes_are_counted(
    body: bytes, agreement: Agreement, announced: dict[str, int], withdrawn: dict[str, int]
) -> None:
    received = read_update(body, agreement)
    assert counted(received) == (announced, withdrawn)
    assert (received.fault, received.discarded, received.end_of_rib) == (None, 0, None)


@pytest.mark.parametrize(
    ("body", "family"),
    [
        pytest.param(vector("bgp-end-of-rib-ipv4")[19:], V4, id="the vector, IPv4"),
        pytest.param(vector("bgp-end-of-rib-ipv6")[19:], V6, id="the vector, IPv6"),
        pytest.param(update("800f03000101"), V4, id="IPv4, as other families do"),
        pytest.param(update("900f0003000201"), V6, id="a length of two octets"),
        pytest.param(update("800f03000201" + ORIGIN), None, id="with another attribute"),
        pytest.param(update("800f03000201", "", PREFIX), None, id="with routes that are withdrawn"),
        pytest.param(update("800f03001941"), None, id="of another family"),
    ],
)
def test_the_end_of_a_table(body: bytes, family: Family | None) -> None:
    assert read_update(body, EXTERNAL).end_of_rib is family


@pytest.mark.parametrize(
    ("families", "announced"),
    [
        pytest.param({V4, V6}, {"IPV4": 1, "IPV6": 1}, id="both"),
        pytest.param({V4}, {"IPV4": 1}, id="IPv4"),
        pytest.param({V6}, {"IPV6": 1}, id="IPv6"),
    ],
)
def test_routes_of_a_family_that_was_not_agreed_on_are_ignored(
    families: set[Family], announced: dict[str, int]
) -> None:
    agreement = replace(EXTERNAL, families=frozenset(families))
    assert read(update(REACH + MANDATORY, PREFIX), agreement) == (announced, {})
    assert read_update(bytes(4), agreement).end_of_rib == (V4 if V4 in families else None)


@pytest.mark.parametrize(
    ("attributes", "agreement"),
    [
        pytest.param(AS_PATH + NEXT_HOP, EXTERNAL, id="without ORIGIN"),
        pytest.param(ORIGIN + NEXT_HOP, EXTERNAL, id="without AS_PATH"),
        pytest.param(ORIGIN + AS_PATH, EXTERNAL, id="without NEXT_HOP"),
        pytest.param(MANDATORY, INTERNAL, id="without LOCAL_PREF, internal"),
        pytest.param(MANDATORY + "c0ff05", EXTERNAL, id="an attribute longer than all"),
        pytest.param(MANDATORY + "d0ff00", EXTERNAL, id="a length of two octets, cut off"),
        pytest.param(MANDATORY + "c0", EXTERNAL, id="flags alone"),
        pytest.param("c0010100" + AS_PATH + NEXT_HOP, EXTERNAL, id="ORIGIN, optional"),
        pytest.param(MANDATORY + "40080400000001", EXTERNAL, id="COMMUNITIES, well-known"),
        pytest.param(MANDATORY + "80080400000001", EXTERNAL, id="COMMUNITIES, not transitive"),
        pytest.param(MANDATORY + "c00404 00000000", EXTERNAL, id="MED, transitive"),
        pytest.param("40010103" + AS_PATH + NEXT_HOP, EXTERNAL, id="ORIGIN 3"),
        pytest.param("4001020000" + AS_PATH + NEXT_HOP, EXTERNAL, id="ORIGIN, long"),
        pytest.param("400100" + AS_PATH + NEXT_HOP, EXTERNAL, id="ORIGIN, empty"),
        pytest.param(ORIGIN + "40020605010000fc00" + NEXT_HOP, EXTERNAL, id="a strange AS_PATH segment"),
        pytest.param(ORIGIN + "4002020200" + NEXT_HOP, EXTERNAL, id="an empty AS_PATH segment"),
        pytest.param(ORIGIN + "40020602020000fc00" + NEXT_HOP, EXTERNAL, id="an AS_PATH segment that is too long"),
        pytest.param(ORIGIN + "40020702010000fc0002" + NEXT_HOP, EXTERNAL, id="an AS_PATH with an octet too many"),
        pytest.param(ORIGIN + AS_PATH + "4003030a0000", EXTERNAL, id="NEXT_HOP, short"),
        pytest.param(MANDATORY + "800403000000", EXTERNAL, id="MED, short"),
        pytest.param(MANDATORY + "4005050000000064", INTERNAL, id="LOCAL_PREF, long, internal"),
        pytest.param(MANDATORY + "c00800", EXTERNAL, id="COMMUNITIES, empty"),
        pytest.param(MANDATORY + "c00806000000010000", EXTERNAL, id="COMMUNITIES, one and a half"),
        pytest.param(MANDATORY + "c0100400020000", EXTERNAL, id="EXTENDED_COMMUNITIES, half"),
        pytest.param(MANDATORY + "c02008" + "00" * 8, EXTERNAL, id="LARGE_COMMUNITY, short"),
        pytest.param(MANDATORY + LOCAL_PREF + "8009030a0000", INTERNAL, id="ORIGINATOR_ID, short, internal"),
        pytest.param(MANDATORY + LOCAL_PREF + "800a00", INTERNAL, id="CLUSTER_LIST, empty, internal"),
    ],
)
def test_routes_that_are_treated_as_withdrawn(attributes: str, agreement: Agreement) -> None:
    received = read_update(update(attributes, PREFIX * 2, PREFIX), agreement)
    assert counted(received) == ({}, {"IPV4": 3})
    assert received.fault


def test_of_a_route_that_is_treated_as_withdrawn_so_is_what_stands_in_mp_reach() -> None:
    received = read_update(update(REACH + "40010103" + AS_PATH), EXTERNAL)
    assert counted(received) == ({}, {"IPV6": 1})
    assert received.fault == "the attribute ORIGIN of a route is malformed"


def test_multiprotocol_routes_need_no_next_hop_but_the_rest() -> None:
    assert read_update(update(REACH + ORIGIN), EXTERNAL).fault == "a route lacks the attribute AS_PATH"


@pytest.mark.parametrize(
    ("attributes", "agreement"),
    [
        pytest.param(LOCAL_PREF, EXTERNAL, id="LOCAL_PREF from another AS"),
        pytest.param("40050164", EXTERNAL, id="LOCAL_PREF from another AS, short"),
        pytest.param("40060101", EXTERNAL, id="ATOMIC_AGGREGATE with a value"),
        pytest.param("c00706fc000a000001", EXTERNAL, id="AGGREGATOR with an AS of two octets"),
        pytest.param("8009040a000001", EXTERNAL, id="ORIGINATOR_ID from another AS"),
        pytest.param("800a00", EXTERNAL, id="CLUSTER_LIST from another AS"),
        pytest.param("c0110602010000fc00", EXTERNAL, id="AS4_PATH from who has no need of it"),
        pytest.param("c0120400000000", EXTERNAL, id="AS4_AGGREGATOR, short"),
        pytest.param("40010100", EXTERNAL, id="ORIGIN twice"),
        pytest.param("40010103", EXTERNAL, id="ORIGIN twice, the second one malformed"),
    ],
)
def test_attributes_that_are_discarded(attributes: str, agreement: Agreement) -> None:
    received = read_update(update(MANDATORY + attributes, PREFIX), agreement)
    assert counted(received) == ({"IPV4": 1}, {})
    assert (received.fault, received.discarded) == (None, 1)


@pytest.mark.parametrize(
    ("four_octet_as", "attributes", "is_well_formed"),
    [
        pytest.param(True, AS_PATH, True, id="four octets where four are agreed on"),
        pytest.param(False, "4002040201fc00", True, id="two octets where two are"),
        pytest.param(True, "4002040201fc00", False, id="two octets where four are"),
        pytest.param(False, AS_PATH, False, id="four octets where two are"),
    ],
)
def test_the_width_of_an_as(four_octet_as: bool, attributes: str, is_well_formed: bool) -> None:
    agreement = replace(EXTERNAL, four_octet_as=four_octet_as)
    received = read_update(update(ORIGIN + attributes + NEXT_HOP, PREFIX), agreement)
    assert (received.fault is None) is is_well_formed


def test_what_a_peer_with_short_as_numbers_adds() -> None:
    agreement = replace(EXTERNAL, four_octet_as=False)
    attributes = ORIGIN + "4002040201" + "5ba0" + NEXT_HOP + "c00706" + "5ba0" + "0a000001" + "c0110602010000fc00"
    received = read_update(update(attributes + "c012080000fc000a000001", PREFIX), agreement)
    assert (received.fault, received.discarded) == (None, 0)


@pytest.mark.parametrize(
    ("body", "subcode", "data"),
    [
        pytest.param(bytes.fromhex("0005 0000"), 1, "", id="withdrawn routes longer than the message"),
        pytest.param(bytes.fromhex("0000 0001"), 1, "", id="attributes longer than the message"),
        pytest.param(bytes.fromhex("0001 00 00"), 1, "", id="no length of attributes"),
        pytest.param(update("c0ff05"), 1, "", id="an attribute longer than all, and nobody knows of which routes"),
        pytest.param(update(REACH + REACH), 1, REACH, id="MP_REACH_NLRI twice"),
        pytest.param(update(UNREACH + UNREACH), 1, UNREACH, id="MP_UNREACH_NLRI twice"),
        pytest.param(update(MANDATORY + "40fe0101", PREFIX), 2, "40fe0101", id="unknown and well-known"),
        pytest.param(update(MANDATORY + "00fe00", PREFIX), 2, "00fe00", id="unknown, neither optional nor transitive"),
        pytest.param(update("800e020002"), 9, "800e020002", id="MP_REACH_NLRI without a family"),
        pytest.param(update("800e03000201"), 9, "800e03000201", id="MP_REACH_NLRI without a next hop"),
        pytest.param(update("800f00"), 9, "800f00", id="MP_UNREACH_NLRI without a family"),
        pytest.param(
            update("800e0900020104 0a000005 00"), 9, "800e09000201040a00000500", id="IPv6 with a next hop of IPv4"
        ),
        pytest.param(update("800e05000201ff00"), 9, "800e05000201ff00", id="a next hop longer than the attribute"),
        pytest.param(
            update("800e14000201" + "10" + "00" * 16), 9, "800e1400020110" + "00" * 16, id="no reserved octet"
        ),
        pytest.param(update("800f0500020181ff"), 9, "800f0500020181ff", id="a prefix of 129 bits"),
        pytest.param(update("800f05000101 21ff"), 9, "800f0500010121ff", id="a prefix of 33 bits in MP_UNREACH_NLRI"),
        pytest.param(update("800f0500020120ff"), 9, "800f0500020120ff", id="a prefix that is cut off"),
        pytest.param(update(MANDATORY, "2101020304 05"), 10, "", id="a prefix of 33 bits"),
        pytest.param(update(MANDATORY, PREFIX + "1801"), 10, "", id="a prefix cut off by the message"),
        pytest.param(update("", "", "2001"), 10, "", id="a withdrawn prefix that is cut off"),
    ],
)
def test_what_ends_the_session(body: bytes, subcode: int, data: str) -> None:
    with pytest.raises(ProtocolError) as raised:
        read_update(body, EXTERNAL)
    assert raised.value.notification == Notification(3, subcode, bytes.fromhex(data))


def test_of_a_long_attribute_the_notification_quotes_what_fits() -> None:
    agreement = replace(EXTERNAL, max_length=65535)
    with pytest.raises(ProtocolError) as raised:
        read_update(update("50fe" + "2000" + "00" * 0x2000), agreement)
    assert len(raised.value.notification.data) == 4096 - HEADER_LENGTH - 2


_PREFIXES = {
    V4: st.builds(prefix_of, st.binary(min_size=4, max_size=4), st.integers(0, 32)),
    V6: st.builds(prefix_of, st.binary(min_size=16, max_size=16), st.integers(0, 128)),
}


@given(data=st.data(), family=st.sampled_from(Family))
def test_the_prefixes_are_there_for_who_asks(data: st.DataObject, family: Family) -> None:
    prefixes: list[Prefix] = data.draw(st.lists(_PREFIXES[family], max_size=20))
    octets = b"".join(prefixes)
    assert list(Routes(family, octets, len(prefixes)).prefixes()) == prefixes
    if family is V4:
        body = len(octets).to_bytes(2) + octets + bytes(2)
    else:
        value = b"\0\2\1" + octets
        attribute = b"\x90\x0f" + len(value).to_bytes(2) + value
        body = bytes(2) + len(attribute).to_bytes(2) + attribute
    found = [each for routes in read_update(body, EXTERNAL).withdrawn for each in routes.prefixes()]
    assert found == prefixes


def test_a_prefix_has_one_form_whatever_its_last_bits_are() -> None:
    (routes,) = read_update(update("", "", "0f0a01 0f0a00"), EXTERNAL).withdrawn
    assert list(routes.prefixes()) == [b"\x0f\x0a\0"] * 2


def test_a_table_of_a_peer_leaves_nothing_in_memory() -> None:
    body = update(MANDATORY, PREFIX * 1000)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(250):
            assert read_update(body, EXTERNAL).announced[0].count == 1000
        # The octets alone would be a million.
        assert tracemalloc.get_traced_memory()[0] - before < 200_000
    finally:
        tracemalloc.stop()
