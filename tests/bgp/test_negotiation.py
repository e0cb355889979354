"""What two OPENs mean together, and which one is refused with which code."""

from dataclasses import replace

import pytest

from reconciler.bgp.capabilities import Capability, Offer, encode_offer
from reconciler.bgp.families import Family
from reconciler.bgp.framing import HEADER_LENGTH
from reconciler.bgp.messages import Open, decode_open, encode_open
from reconciler.bgp.negotiation import negotiate, open_of, refuses_capabilities
from reconciler.bgp.notification import Notification, ProtocolError
from reconciler.bgp.parameters import Agreement, LocalEnd, PeerRestart, RemoteAS, SessionParameters
from tests.l2.vectors import vector

_V4, _V6 = frozenset({Family.IPV4}), frozenset({Family.IPV6})
_BOTH = _V4 | _V6
_OURS, _THEIRS = b"\x0a\0\0\5", b"\x0a\0\0\6"
_LARGE = 4_200_000_001
_OVER_IPV4 = LocalEnd(address=b"\x0a\0\0\5", router_id=_OURS)
_OVER_IPV6 = LocalEnd(address=bytes.fromhex("20010db8000000000000000000000005"), router_id=_OURS)
_PARAMETERS = SessionParameters(local_asn=64512, remote_asn=65000, families=_BOTH)
_ALL = Offer(
    families=_BOTH,
    asn=65000,
    route_refresh=True,
    enhanced_refresh=True,
    extended_message=True,
    extended_next_hop=True,
)
_RESTART = PeerRestart(
    families=_BOTH, preserved=_V6, restart_time=60, is_restarting=True, understands_notifications=True
)


def theirs(offer: Offer | None = _ALL, *, asn: int = 65000, hold_time: int = 90, router_id: bytes = _THEIRS) -> Open:
    """The peer's OPEN; None offers nothing at all."""
    capabilities = () if offer is None else encode_offer(offer)
    return Open(asn=asn, hold_time=hold_time, router_id=router_id, capabilities=capabilities)


def agreed(
    peer: Open,
    parameters: SessionParameters = _PARAMETERS,
    *,
    local: LocalEnd = _OVER_IPV4,
    with_capabilities: bool = True,
) -> Agreement:
    return negotiate(parameters, open_of(parameters, local, with_capabilities=with_capabilities), peer)


def refused(peer: Open, parameters: SessionParameters = _PARAMETERS) -> ProtocolError:
    with pytest.raises(ProtocolError) as raised:
        agreed(peer, parameters)
    return raised.value


def test_our_open_begins_as_the_vector_does() -> None:
    octets = encode_open(open_of(replace(_PARAMETERS, local_asn=64512), _OVER_IPV4))
    expected = vector("bgp-open")
    # The fields, and the first three capabilities; only the lengths count what follows.
    assert octets[18:28] == expected[18:28]
    assert octets[31:49] == expected[31:]


@pytest.mark.parametrize(("asn", "field"), [(1, 1), (65534, 65534), (65536, 23456), (_LARGE, 23456)], ids=str)
def test_an_as_that_does_not_fit_is_told_by_the_capability(asn: int, field: int) -> None:
    made = open_of(replace(_PARAMETERS, local_asn=asn), _OVER_IPV4)
    assert made.asn == field
    assert Capability(65, asn.to_bytes(4)) in made.capabilities


def test_our_open_without_capabilities() -> None:
    made = open_of(_PARAMETERS, _OVER_IPV6, with_capabilities=False)
    assert made == Open(asn=64512, hold_time=90, router_id=_OURS)
    assert len(encode_open(made)) == 29


def test_everything_that_both_offer() -> None:
    parameters = replace(_PARAMETERS, graceful_restart=True)
    offer = replace(_ALL, graceful_restart=_RESTART)
    assert agreed(theirs(offer), parameters, local=_OVER_IPV6) == Agreement(
        remote_asn=65000,
        remote_router_id=_THEIRS,
        is_ibgp=False,
        hold_time=90.0,
        keepalive_time=30.0,
        families=_BOTH,
        four_octet_as=True,
        max_length=65535,
        route_refresh=True,
        enhanced_refresh=True,
        extended_next_hop=True,
        graceful_restart=_RESTART,
    )


def test_a_peer_that_offers_nothing() -> None:
    assert agreed(theirs(None)) == Agreement(
        remote_asn=65000,
        remote_router_id=_THEIRS,
        is_ibgp=False,
        hold_time=90.0,
        keepalive_time=30.0,
        families=_V4,
        four_octet_as=False,
        max_length=4096,
        route_refresh=False,
        enhanced_refresh=False,
        extended_next_hop=False,
        graceful_restart=None,
    )


def test_what_we_did_not_offer_is_not_agreed_on() -> None:
    without = agreed(theirs(replace(_ALL, graceful_restart=_RESTART)), with_capabilities=False)
    assert without == agreed(theirs(None))


@pytest.mark.parametrize(
    ("octets", "asn", "four_octet_as"),
    [
        pytest.param("0206 4104 0000fdea", 65002, True, id="the capability wins"),
        pytest.param("", 65001, False, id="the field alone"),
    ],
)
def test_the_as_of_a_received_open(octets: str, asn: int, four_octet_as: bool) -> None:
    parameters = bytes.fromhex(octets)
    opening = decode_open(bytes.fromhex("04fde9005a0a000006") + bytes([len(parameters)]) + parameters)
    agreement = agreed(opening, replace(_PARAMETERS, remote_asn=asn))
    assert (agreement.remote_asn, agreement.four_octet_as) == (asn, four_octet_as)


@pytest.mark.parametrize(
    ("expected", "local", "remote", "is_ibgp"),
    [
        pytest.param(65000, 64512, 65000, False, id="the number"),
        pytest.param(64512, 64512, 64512, True, id="the number, ours"),
        pytest.param(RemoteAS.INTERNAL, 64512, 64512, True, id="internal"),
        pytest.param(RemoteAS.EXTERNAL, 64512, 65000, False, id="external"),
        pytest.param(_LARGE, _LARGE, _LARGE, True, id="a number that needs four octets"),
    ],
)
def test_an_as_that_is_accepted(expected: int | RemoteAS, local: int, remote: int, is_ibgp: bool) -> None:
    parameters = replace(_PARAMETERS, local_asn=local, remote_asn=expected)
    agreement = agreed(theirs(replace(_ALL, asn=remote), asn=23456 if remote > 65535 else remote), parameters)
    assert (agreement.remote_asn, agreement.is_ibgp) == (remote, is_ibgp)


@pytest.mark.parametrize(
    ("expected", "peer"),
    [
        pytest.param(65001, theirs(), id="another number"),
        pytest.param(65000, theirs(replace(_ALL, asn=65001)), id="another number in the capability"),
        pytest.param(RemoteAS.INTERNAL, theirs(), id="external where internal is wanted"),
        pytest.param(
            RemoteAS.EXTERNAL, theirs(replace(_ALL, asn=64512), asn=64512), id="internal where external is wanted"
        ),
        pytest.param(RemoteAS.EXTERNAL, theirs(None, asn=0), id="0"),
        pytest.param(RemoteAS.EXTERNAL, theirs(replace(_ALL, asn=0)), id="0 in the capability"),
        pytest.param(RemoteAS.EXTERNAL, theirs(None, asn=23456), id="AS_TRANS without the capability"),
        pytest.param(RemoteAS.EXTERNAL, theirs(replace(_ALL, asn=23456)), id="AS_TRANS in the capability"),
    ],
)
def test_an_as_that_is_refused(expected: int | RemoteAS, peer: Open) -> None:
    error = refused(peer, replace(_PARAMETERS, remote_asn=expected))
    assert error.notification == Notification(2, 2)


@pytest.mark.parametrize(
    ("remote", "router_id", "is_accepted"),
    [
        pytest.param(65000, bytes(4), False, id="none"),
        pytest.param(64512, _OURS, False, id="ours, in our AS"),
        pytest.param(65000, _OURS, True, id="ours, in another AS"),
        pytest.param(64512, _THEIRS, True, id="another one"),
        pytest.param(65000, b"\xff" * 4, True, id="one that is no unicast address"),
    ],
)
def test_identifiers(remote: int, router_id: bytes, is_accepted: bool) -> None:
    parameters = replace(_PARAMETERS, remote_asn=remote)
    peer = theirs(replace(_ALL, asn=remote), asn=remote, router_id=router_id)
    if is_accepted:
        assert agreed(peer, parameters).remote_router_id == router_id
    else:
        assert refused(peer, parameters).notification == Notification(2, 3)


@pytest.mark.parametrize(
    ("ours", "peers", "keepalive", "expected"),
    [
        pytest.param(90.0, 180, None, (90.0, 30.0), id="ours is shorter"),
        pytest.param(90.0, 9, None, (9.0, 3.0), id="theirs is shorter"),
        pytest.param(90.0, 3, None, (3.0, 1.0), id="the shortest there is"),
        pytest.param(0.0, 90, None, (0.0, 0.0), id="we want none"),
        pytest.param(90.0, 0, 10.0, (0.0, 0.0), id="they want none"),
        pytest.param(90.0, 90, 10.0, (90.0, 10.0), id="a keepalive time that is configured"),
        pytest.param(90.0, 9, 10.0, (9.0, 3.0), id="a keepalive time too long for what is agreed"),
        pytest.param(90.0, 90, 0.1, (90.0, 1.0), id="a keepalive time shorter than the shortest"),
        pytest.param(90.0, 90, 0.0, (90.0, 30.0), id="a keepalive time of 0 is none that is configured"),
        pytest.param(100_000.0, 65535, None, (65535.0, 21845.0), id="longer than the field"),
    ],
)
def test_times(ours: float, peers: int, keepalive: float | None, expected: tuple[float, float]) -> None:
    agreement = agreed(theirs(hold_time=peers), replace(_PARAMETERS, hold_time=ours, keepalive_time=keepalive))
    assert (agreement.hold_time, agreement.keepalive_time) == expected


@pytest.mark.parametrize("hold_time", [1, 2])
@pytest.mark.parametrize("ours", [0.0, 90.0])
def test_a_hold_time_that_is_refused(hold_time: int, ours: float) -> None:
    assert refused(theirs(hold_time=hold_time), replace(_PARAMETERS, hold_time=ours)).notification == Notification(2, 6)


@pytest.mark.parametrize(
    ("families", "offered", "expected"),
    [
        pytest.param(_BOTH, _V6, _V6, id="only IPv6 in common"),
        pytest.param(_V4, _BOTH, _V4, id="only IPv4 in common"),
        pytest.param(_BOTH, None, _V4, id="a peer without the capability"),
    ],
)
def test_families(families: frozenset[Family], offered: frozenset[Family] | None, expected: frozenset[Family]) -> None:
    assert agreed(theirs(replace(_ALL, families=offered)), replace(_PARAMETERS, families=families)).families == expected


def test_without_the_capability_we_mean_ipv4() -> None:
    assert agreed(theirs(), replace(_PARAMETERS, families=_V4, multiprotocol=False)).families == _V4


@pytest.mark.parametrize(
    ("families", "capabilities", "data"),
    [
        pytest.param(_V6, encode_offer(Offer(families=_V4, asn=65000)), "010400020001", id="another family"),
        pytest.param(_V6, (), "010400020001", id="none named, which is IPv4"),
        pytest.param(
            _BOTH, (Capability(1, bytes.fromhex("00190041")),), "010400010001010400020001", id="a strange one"
        ),
    ],
)
def test_no_family_in_common(families: frozenset[Family], capabilities: tuple[Capability, ...], data: str) -> None:
    peer = Open(asn=65000, hold_time=90, router_id=_THEIRS, capabilities=capabilities)
    error = refused(peer, replace(_PARAMETERS, families=families))
    # It names what we cannot do without (RFC 5492 section 5).
    assert error.notification == Notification(2, 7, bytes.fromhex(data))


def test_what_is_wrong_is_told_in_the_order_of_the_fields() -> None:
    bad_family = Offer(families=_V6, asn=65001)
    parameters = replace(_PARAMETERS, families=_V4)
    found = [
        refused(theirs(offer, asn=1, hold_time=hold_time, router_id=router_id), parameters).notification.subcode
        for offer, hold_time, router_id in (
            (bad_family, 1, bytes(4)),
            (replace(bad_family, asn=65000), 1, bytes(4)),
            (replace(bad_family, asn=65000), 1, _THEIRS),
            (replace(bad_family, asn=65000), 3, _THEIRS),
        )
    ]
    assert found == [2, 3, 6, 7]


@pytest.mark.parametrize(
    ("families", "notification", "expected"),
    [
        pytest.param(_BOTH, Notification(2, 4), True, id="it knows no parameters"),
        pytest.param(_V4, Notification(2, 4, b"\2\0"), True, id="and quotes ours"),
        pytest.param(_V6, Notification(2, 4), False, id="without them there is no IPv6"),
        pytest.param(_BOTH, Notification(2, 7), False, id="it misses a capability"),
        pytest.param(_BOTH, Notification(6, 4), False, id="something else"),
    ],
)
def test_when_to_try_without_capabilities(
    families: frozenset[Family], notification: Notification, expected: bool
) -> None:
    assert refuses_capabilities(replace(_PARAMETERS, families=families), notification) is expected


def test_of_a_restart_only_agreed_families_count() -> None:
    parameters = replace(_PARAMETERS, families=_V4, graceful_restart=True)
    found = agreed(theirs(replace(_ALL, graceful_restart=_RESTART)), parameters).graceful_restart
    assert found == replace(_RESTART, families=_V4, preserved=frozenset())


def test_a_peer_that_only_helps_in_a_restart_has_agreed_to_it() -> None:
    helper = replace(_RESTART, families=frozenset(), preserved=frozenset())
    parameters = replace(_PARAMETERS, graceful_restart=True)
    assert agreed(theirs(replace(_ALL, graceful_restart=helper)), parameters).graceful_restart == helper


def test_the_sentence_of_a_refusal_names_the_values() -> None:
    error = refused(theirs(replace(_ALL, asn=65001)))
    assert str(error) == "the peer says that its AS is 65001; configured is 65000"
    assert str(refused(theirs(), replace(_PARAMETERS, remote_asn=RemoteAS.INTERNAL))) == (
        "the peer says that its AS is 65000; configured is ours, 64512"
    )


def test_what_is_sent_is_what_is_negotiated() -> None:
    made = open_of(_PARAMETERS, _OVER_IPV6)
    assert decode_open(encode_open(made)[HEADER_LENGTH:]) == made
