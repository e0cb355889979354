"""OPEN and ROUTE-REFRESH ↔ octets: vectors, both forms of optional parameters, and what is malformed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.bgp.capabilities import Capability, Offer, encode_offer
from reconciler.bgp.families import Family
from reconciler.bgp.framing import HEADER_LENGTH, Framer, MessageType
from reconciler.bgp.messages import (
    Open,
    RouteRefresh,
    Subtype,
    decode_open,
    decode_route_refresh,
    encode_open,
    encode_route_refresh,
)
from reconciler.bgp.notification import Notification, ProtocolError
from tests.l2.vectors import vector

# AS 64512, a hold time of 90 s, identifier 10.0.0.5; the optional parameters follow.
_FIXED = "04fc00005a0a000005"
_MALFORMED = Notification(2, 0)


def opening(*capabilities: Capability) -> Open:
    return Open(asn=64512, hold_time=90, router_id=b"\x0a\0\0\5", capabilities=capabilities)


def decoded(parameters: str) -> Open:
    """An OPEN that ends with these octets."""
    return decode_open(bytes.fromhex(_FIXED + parameters))


def test_an_open_has_the_octets_of_the_vector() -> None:
    made = opening(*encode_offer(Offer(families=frozenset(Family), asn=64512)))
    assert encode_open(made) == vector("bgp-open")
    assert decode_open(vector("bgp-open")[HEADER_LENGTH:]) == made


@pytest.mark.parametrize(
    ("parameters", "capabilities"),
    [
        pytest.param("00", (), id="none at all"),
        pytest.param("02 0200", (), id="an empty parameter"),
        pytest.param("04 02020200", (Capability(2),), id="one"),
        pytest.param(
            "0c 02020200 02064104 0000fde8", (Capability(2), Capability(65, b"\0\0\xfd\xe8")), id="two parameters"
        ),
        pytest.param(
            "0a 0208 0200 4104 0000fde8", (Capability(2), Capability(65, b"\0\0\xfd\xe8")), id="two in one parameter"
        ),
        pytest.param("06 0204 f1020102", (Capability(0xF1, b"\1\2"),), id="one that nobody knows"),
        pytest.param("ff ff0005 0200020200", (Capability(2),), id="extended"),
        pytest.param("01 ff0005 0200020200", (Capability(2),), id="extended, whatever the short length says"),
        pytest.param("ff ff000a 0200020200 0200020600", (Capability(2), Capability(6)), id="extended, two parameters"),
        pytest.param("ff ff0000", (), id="extended, without any"),
    ],
)
def test_capabilities_of_an_open(parameters: str, capabilities: tuple[Capability, ...]) -> None:
    assert decoded(parameters) == opening(*capabilities)


@pytest.mark.parametrize(
    ("parameters", "notification"),
    [
        pytest.param("04 01020000", Notification(2, 4), id="authentication, which is no more"),
        pytest.param("08 02020200 01020000", Notification(2, 4), id="unknown, behind one that is known"),
        pytest.param("ff ff0004 09000100", Notification(2, 4), id="unknown, extended"),
        pytest.param("05 02020200", _MALFORMED, id="fewer octets than named"),
        pytest.param("00 02020200", _MALFORMED, id="more octets than named"),
        pytest.param("01 02", _MALFORMED, id="a parameter that ends in its length"),
        pytest.param("04 02030200", _MALFORMED, id="a parameter that is longer than all"),
        pytest.param("03 020102", _MALFORMED, id="a capability that ends in its length"),
        pytest.param("04 02020201", _MALFORMED, id="a capability that is longer than its parameter"),
        pytest.param("08 02020201 02020200", _MALFORMED, id="a capability that reaches into the next parameter"),
        pytest.param("ff ff00", _MALFORMED, id="extended, and no length"),
        pytest.param("ff ff0006 0200020200", _MALFORMED, id="extended, fewer octets than named"),
        pytest.param("ff ff0002 0200", _MALFORMED, id="extended, a parameter that ends in its length"),
        pytest.param("ff ff0005 0201020200", _MALFORMED, id="extended, a parameter that is longer than all"),
    ],
)
def test_an_open_that_is_refused(parameters: str, notification: Notification) -> None:
    with pytest.raises(ProtocolError) as raised:
        decoded(parameters)
    assert raised.value.notification == notification


@pytest.mark.parametrize("version", [0, 3, 5, 255])
def test_another_version_is_told_ours(version: int) -> None:
    # It comes first: nothing else in the message is known to mean what it means to us.
    octets = bytes([version]) + bytes(8) + b"\xff"
    with pytest.raises(ProtocolError) as raised:
        decode_open(octets)
    assert raised.value.notification == Notification(2, 1, b"\0\4")


@pytest.mark.parametrize(
    ("length", "is_extended"), [pytest.param(251, False, id="just fits"), pytest.param(252, True, id="just not")]
)
def test_the_extended_form_is_used_only_where_it_must_be(length: int, is_extended: bool) -> None:
    made = opening(Capability(73, bytes(length)))
    octets = encode_open(made)
    assert (octets[HEADER_LENGTH + 10] == 255) is is_extended
    assert decode_open(octets[HEADER_LENGTH:]) == made


_CAPABILITIES = st.builds(Capability, st.integers(0, 255), st.binary(max_size=255))


@given(
    asn=st.integers(0, 0xFFFF),
    hold_time=st.integers(0, 0xFFFF),
    router_id=st.binary(min_size=4, max_size=4),
    capabilities=st.lists(_CAPABILITIES, max_size=10),
)
def test_decoding_undoes_encoding(asn: int, hold_time: int, router_id: bytes, capabilities: list[Capability]) -> None:
    made = Open(asn=asn, hold_time=hold_time, router_id=router_id, capabilities=tuple(capabilities))
    framer = Framer()
    framer.feed(encode_open(made))
    assert [(kind, decode_open(body)) for kind, body in framer] == [(MessageType.OPEN, made)]


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("subtype", Subtype)
def test_a_route_refresh_and_back(family: Family, subtype: Subtype) -> None:
    octets = encode_route_refresh(RouteRefresh(family, subtype))
    assert octets[HEADER_LENGTH:] == bytes([0, family, subtype, 1])
    assert decode_route_refresh(octets[HEADER_LENGTH:]) == RouteRefresh(family, subtype)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("00190041", id="another family"),
        pytest.param("00010080", id="another kind of routes"),
        pytest.param("00010301", id="another subtype"),
        pytest.param("0001ff01aabb", id="another subtype, of another length"),
    ],
)
def test_a_route_refresh_that_is_ignored(body: str) -> None:
    assert decode_route_refresh(bytes.fromhex(body)) is None


@pytest.mark.parametrize(
    ("body", "notification"),
    [
        pytest.param("", Notification(1, 2, b"\0\x13"), id="empty"),
        pytest.param("000100", Notification(1, 2, b"\0\x16"), id="a short request"),
        pytest.param("0001000101", Notification(1, 2, b"\0\x18"), id="a request with filters that nobody offered"),
        pytest.param("000101", Notification(7, 1, b"\xff" * 16 + b"\0\x16\5\0\1\1"), id="a short BoRR"),
        pytest.param("0001020100", Notification(7, 1, b"\xff" * 16 + b"\0\x18\5\0\1\2\1\0"), id="a long EoRR"),
    ],
)
def test_a_route_refresh_of_a_wrong_length(body: str, notification: Notification) -> None:
    with pytest.raises(ProtocolError) as raised:
        decode_route_refresh(bytes.fromhex(body))
    assert raised.value.notification == notification
