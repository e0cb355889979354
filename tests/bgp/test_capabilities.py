"""Capabilities: what we offer, in octets, and what we make of what others offer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.bgp.capabilities import (
    Capability,
    Offer,
    decode_capabilities,
    encode_capabilities,
    encode_offer,
    offer_of,
    read_offer,
)
from reconciler.bgp.families import Family
from reconciler.bgp.notification import Notification, ProtocolError
from reconciler.bgp.parameters import PeerRestart, SessionParameters

_V4, _V6 = frozenset({Family.IPV4}), frozenset({Family.IPV6})
_BOTH = _V4 | _V6
# What we always offer: route refresh, extended messages, enhanced route refresh.
_ALWAYS = "0200 0600 4600"


def parameters(
    families: frozenset[Family] = _BOTH, *, multiprotocol: bool = True, graceful_restart: bool = False
) -> SessionParameters:
    return SessionParameters(
        local_asn=4_200_000_001,
        remote_asn=65000,
        families=families,
        multiprotocol=multiprotocol,
        graceful_restart=graceful_restart,
    )


def restart(
    families: frozenset[Family] = frozenset(), preserved: frozenset[Family] = frozenset(), *, flags: int = 0
) -> PeerRestart:
    return PeerRestart(
        families=families,
        preserved=preserved,
        restart_time=120,
        is_restarting=bool(flags & 8),
        understands_notifications=bool(flags & 4),
    )


@pytest.mark.parametrize(
    ("offer", "octets"),
    [
        pytest.param(
            offer_of(parameters(), is_over_ipv6=False),
            f"010400010001 010400020001 4104fa56ea01 {_ALWAYS}",
            id="families and AS come first",
        ),
        pytest.param(
            offer_of(parameters(_V6), is_over_ipv6=True), f"010400020001 4104fa56ea01 {_ALWAYS}", id="IPv6 alone"
        ),
        pytest.param(
            offer_of(parameters(), is_over_ipv6=True),
            "010400010001 010400020001 4104fa56ea01 0200 0506000100010002 0600 4600",
            id="IPv4 by IPv6, over IPv6",
        ),
        pytest.param(
            offer_of(parameters(_V4, multiprotocol=False), is_over_ipv6=True),
            f"4104fa56ea01 {_ALWAYS}",
            id="without multiprotocol",
        ),
        pytest.param(
            offer_of(parameters(graceful_restart=True), is_over_ipv6=False),
            "010400010001 010400020001 4104fa56ea01 0200 0600 400a4078 00010180 00020180 4600",
            id="graceful restart",
        ),
        pytest.param(
            offer_of(parameters(_V4, graceful_restart=True), is_over_ipv6=False, is_restarting=True),
            "010400010001 4104fa56ea01 0200 0600 4006c078 00010180 4600",
            id="graceful restart, after a restart",
        ),
        pytest.param(
            offer_of(parameters(_V4, graceful_restart=True), is_over_ipv6=False, is_forwarding=False),
            "010400010001 4104fa56ea01 0200 0600 40064078 00010100 4600",
            id="graceful restart, and nothing was forwarded",
        ),
        pytest.param(
            offer_of(parameters(_V4, multiprotocol=False, graceful_restart=True), is_over_ipv6=False),
            "4104fa56ea01 0200 0600 40064078 00010180 4600",
            id="graceful restart without multiprotocol",
        ),
    ],
)
def test_what_we_offer(offer: Offer, octets: str) -> None:
    assert encode_capabilities(encode_offer(offer)).hex() == octets.replace(" ", "")


def test_a_restart_time_longer_than_the_field_is_the_longest() -> None:
    configured = SessionParameters(local_asn=1, remote_asn=2, families=_V4, graceful_restart=True, restart_time=86_400)
    offered = offer_of(configured, is_over_ipv6=False).graceful_restart
    assert offered is not None
    assert offered.restart_time == 4095


@pytest.mark.parametrize(
    ("octets", "offer"),
    [
        pytest.param("", Offer(), id="nothing"),
        pytest.param("010400010001", Offer(families=_V4), id="IPv4"),
        pytest.param("010400020001 010400010001", Offer(families=_BOTH), id="both, in any order"),
        pytest.param("0104000100ff 010400190041", Offer(families=frozenset()), id="other families alone"),
        pytest.param("010400010701", Offer(families=_V4), id="a reserved octet that is not 0"),
        pytest.param("41040000fde8", Offer(asn=65000), id="an AS"),
        pytest.param("0200", Offer(route_refresh=True), id="route refresh"),
        pytest.param("8000", Offer(route_refresh=True), id="route refresh of old"),
        pytest.param("4600", Offer(enhanced_refresh=True), id="enhanced route refresh"),
        pytest.param("0600", Offer(extended_message=True), id="extended messages"),
        pytest.param("0506000100010002", Offer(extended_next_hop=True), id="IPv4 by IPv6"),
        pytest.param(
            "050c000100800002 000100010002", Offer(extended_next_hop=True), id="IPv4 by IPv6, behind another family"
        ),
        pytest.param("0506000100020002", Offer(), id="multicast by IPv6"),
        pytest.param("40020078", Offer(graceful_restart=restart()), id="only a helper in a restart"),
        pytest.param(
            "400ac078 00010180 00020100",
            Offer(graceful_restart=restart(_BOTH, _V4, flags=12)),
            id="a restart that preserved one family",
        ),
        pytest.param("40068078 00194180", Offer(graceful_restart=restart(flags=8)), id="a restart of other families"),
        pytest.param("40020001 40020078", Offer(graceful_restart=restart()), id="the last of two restarts"),
        pytest.param("f103aabbcc 4903616263", Offer(), id="unknown ones"),
        pytest.param("020100 060100 460100 80 0100", Offer(), id="features with a value that they have not"),
        pytest.param("05050001000100", Offer(), id="IPv4 by IPv6, cut off"),
        pytest.param("400100", Offer(), id="a restart, cut off"),
        pytest.param("40050078000101", Offer(), id="a restart with half a family"),
    ],
)
def test_what_others_offer(octets: str, offer: Offer) -> None:
    assert read_offer(decode_capabilities(bytes.fromhex(octets))) == offer


@pytest.mark.parametrize(
    "capability",
    [
        pytest.param(Capability(1, b"\0\1\1"), id="a short family"),
        pytest.param(Capability(1), id="an empty family"),
        pytest.param(Capability(65, b"\0\1"), id="a short AS"),
        pytest.param(Capability(65, bytes(5)), id="a long AS"),
    ],
)
def test_what_decides_the_meaning_of_a_session_must_be_well_formed(capability: Capability) -> None:
    with pytest.raises(ProtocolError) as raised:
        read_offer((Capability(2), capability))
    assert raised.value.notification == Notification(2, 0)


_FAMILIES = st.frozensets(st.sampled_from(Family))
_RESTARTS = _FAMILIES.flatmap(
    lambda families: st.builds(
        PeerRestart,
        families=st.just(families),
        preserved=st.just(families) | st.just(frozenset()),
        restart_time=st.integers(0, 4095),
        is_restarting=st.booleans(),
        understands_notifications=st.booleans(),
    )
)
_OFFERS = st.builds(
    Offer,
    families=st.none() | st.frozensets(st.sampled_from(Family), min_size=1),
    asn=st.none() | st.integers(0, (1 << 32) - 1),
    route_refresh=st.booleans(),
    enhanced_refresh=st.booleans(),
    extended_message=st.booleans(),
    extended_next_hop=st.booleans(),
    graceful_restart=st.none() | _RESTARTS,
)


@given(offer=_OFFERS)
def test_reading_undoes_offering(offer: Offer) -> None:
    assert read_offer(decode_capabilities(encode_capabilities(encode_offer(offer)))) == offer
