"""Every field of a BGPPeer, and of our settings for it, in the terms of its session."""

from dataclasses import replace
from typing import Any

import pytest

from reconciler.addresses.family import parse_address
from reconciler.announcers.bgp_parameters import (
    bfd_parameters_of,
    is_beyond_the_link,
    most_demanding,
    terms_of,
    track_of,
)
from reconciler.bfd.demultiplexing import Path
from reconciler.bfd.intervals import Parameters
from reconciler.bgp.families import Family
from reconciler.bgp.parameters import RemoteAS, SessionParameters
from reconciler.bgp.remote import Remote
from reconciler.model.peers import BFDProfile, BGPPeer, DynamicASN
from reconciler.model.selectors import LabelSelector
from reconciler.model.settings import BGPPeerSettings
from tests.announcers.bgp_doubles import peer

V4, V6 = Family.IPV4, Family.IPV6
IPV4 = bytes((192, 0, 2, 9))
IPV6 = bytes.fromhex("20010db8000000000000000000000009")
UNNUMBERED = {"peer_address": None, "interface": "net0"}


def terms(of: BGPPeer, **settings: Any) -> tuple[SessionParameters, Remote]:
    found = terms_of(of, BGPPeerSettings("tor", **settings), b"s3cret" if of.password else None)
    return found.parameters, found.remote


PLAIN = SessionParameters(64512, 64513, frozenset({V4}))


@pytest.mark.parametrize(
    ("fields", "differs"),
    [
        pytest.param({}, {}, id="the defaults"),
        pytest.param({"local_asn": 64999}, {"local_asn": 64999}, id="a local AS is all that the peer sees"),
        pytest.param({"peer_asn": 4200000000}, {"remote_asn": 4200000000}, id="an AS of four octets"),
        pytest.param(
            {"peer_asn": None, "dynamic_asn": DynamicASN.INTERNAL}, {"remote_asn": RemoteAS.INTERNAL}, id="our own AS"
        ),
        pytest.param(
            {"peer_asn": None, "dynamic_asn": DynamicASN.EXTERNAL},
            {"remote_asn": RemoteAS.EXTERNAL},
            id="any AS that is not ours",
        ),
        pytest.param(
            {"hold_time": 9.0, "keepalive_time": 3.0}, {"hold_time": 9.0, "keepalive_time": 3.0}, id="both timers"
        ),
        pytest.param(
            {"hold_time": 0.0, "keepalive_time": 0.0},
            {"hold_time": 0.0, "keepalive_time": 0.0},
            id="S-F-03: no timers at all",
        ),
        pytest.param({"connect_time": 5.0}, {"connect_retry_time": 5.0}, id="the time between two attempts"),
        pytest.param({"enable_graceful_restart": True}, {"graceful_restart": True}, id="graceful restart"),
        pytest.param({"ebgp_multi_hop": True}, {"is_multihop": True}, id="a peer beyond the link"),
        pytest.param({"disable_mp": True}, {"multiprotocol": False}, id="no capability: IPv4 alone"),
        pytest.param({"dual_stack_address_family": True}, {"families": frozenset({V4, V6})}, id="both families"),
        pytest.param(
            {"dual_stack_address_family": True, "disable_mp": True},
            {"families": frozenset({V4, V6})},
            id="both families need the capability",
        ),
        pytest.param(
            {"peer_address": parse_address("2001:db8::9")}, {"families": frozenset({V6})}, id="the family of the peer"
        ),
        pytest.param(
            {"peer_address": parse_address("2001:db8::9"), "disable_mp": True},
            {"families": frozenset({V6})},
            id="IPv6 needs the capability",
        ),
        pytest.param(UNNUMBERED, {"families": frozenset({V4, V6})}, id="S-F-05: unnumbered, both families"),
    ],
)
def test_what_a_peer_is_offered(fields: dict[str, Any], differs: dict[str, Any]) -> None:
    parameters, _ = terms(peer(**fields))
    assert parameters == replace(PLAIN, **differs)


@pytest.mark.parametrize(
    ("fields", "remote"),
    [
        pytest.param({}, Remote(IPV4), id="the defaults"),
        pytest.param({"peer_address": parse_address("2001:db8::9")}, Remote(IPV6), id="IPv6"),
        pytest.param({"peer_port": 1179}, Remote(IPV4, port=1179), id="a port"),
        pytest.param(UNNUMBERED, Remote(None, "net0"), id="an interface"),
        pytest.param(
            {"source_address": parse_address("192.0.2.10")}, Remote(IPV4, source=bytes((192, 0, 2, 10))), id="a source"
        ),
        pytest.param(
            {"router_id": parse_address("10.1.1.1")}, Remote(IPV4, router_id=bytes((10, 1, 1, 1))), id="a router id"
        ),
        pytest.param({"password": "s3cret"}, Remote(IPV4, password=b"s3cret"), id="S-P-01: a password"),
        pytest.param({"vrf": "red"}, Remote(IPV4, device="red"), id="a VRF"),
    ],
)
def test_where_a_peer_is(fields: dict[str, Any], remote: Remote) -> None:
    assert terms(peer(**fields)) == (terms(peer(**fields))[0], remote)


def test_what_only_our_own_settings_say() -> None:
    parameters, remote = terms(peer(), gtsm_hops=2, maximum_prefixes=10, passive=True)
    assert (parameters, remote) == (replace(PLAIN, maximum_prefixes=10, is_passive=True), Remote(IPV4, hops=2))


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"name": "other"}, id="its name"),
        pytest.param({"node_selectors": (LabelSelector((("rack", "a"),)),)}, id="where it runs"),
        pytest.param({"bfd": BFDProfile("fast")}, id="how it is watched"),
    ],
)
def test_what_is_no_part_of_the_session(fields: dict[str, Any]) -> None:
    assert terms(peer(**fields)) == terms(peer())


def test_a_password_shows_nowhere() -> None:
    assert "s3cret" not in repr(terms_of(peer(), BGPPeerSettings("tor"), b"s3cret"))


@pytest.mark.parametrize(
    ("profile", "parameters"),
    [
        pytest.param(BFDProfile("p"), Parameters(0.3, 0.3, 3), id="S-F-06: only a name"),
        pytest.param(BFDProfile("p", 50, 60, 5), Parameters(0.06, 0.05, 5), id="intervals and multiplier"),
        pytest.param(BFDProfile("p", passive_mode=True), Parameters(0.3, 0.3, 3, is_passive=True), id="passive"),
        pytest.param(BFDProfile("p", echo_mode=True, echo_interval_ms=10), Parameters(0.3, 0.3, 3), id="no echo"),
    ],
)
def test_what_a_profile_asks_for(profile: BFDProfile, parameters: Parameters) -> None:
    assert bfd_parameters_of(profile) == parameters


@pytest.mark.parametrize(
    ("fields", "is_on_link", "is_multihop"),
    [
        pytest.param({}, None, False, id="eBGP is on the link"),
        pytest.param({}, False, False, id="whatever the kernel says"),
        pytest.param({"ebgp_multi_hop": True}, True, True, id="unless it is configured otherwise"),
        pytest.param({"peer_asn": 64512}, None, None, id="iBGP is not known before there was a session"),
        pytest.param({"peer_asn": 64512}, True, False, id="iBGP with a neighbour"),
        pytest.param({"peer_asn": 64512}, False, True, id="iBGP across routers"),
        pytest.param({"peer_asn": 64512, "local_asn": 64999}, False, False, id="a local AS makes it eBGP"),
        pytest.param({"peer_asn": None, "dynamic_asn": DynamicASN.INTERNAL}, False, True, id="iBGP by our own AS"),
        pytest.param({"peer_asn": None, "dynamic_asn": DynamicASN.EXTERNAL}, False, False, id="eBGP by any AS"),
        pytest.param({"peer_asn": 64512, **UNNUMBERED}, None, False, id="an unnumbered peer is on its link"),
    ],
)
def test_whether_bfd_crosses_hops(fields: dict[str, Any], is_on_link: bool | None, is_multihop: bool | None) -> None:
    assert is_beyond_the_link(peer(**fields), is_on_link=is_on_link) is is_multihop


def test_which_packets_are_those_of_the_peer() -> None:
    plain = peer(bfd=BFDProfile("p"), vrf="red")
    near = track_of(plain, IPV4, 0, is_multihop=False)
    assert (near.port, near.device, near.path) == (3784, "red", Path(IPV4, minimum_ttl=255))
    assert track_of(plain, IPV6, 7, is_multihop=False).path == Path(IPV6, interface=7)
    far = track_of(replace(plain, source_address=parse_address("192.0.2.10")), IPV4, 0, is_multihop=True)
    assert (far.port, far.path) == (4784, Path(IPV4, bytes((192, 0, 2, 10)), minimum_ttl=254))
    low = track_of(replace(plain, bfd=BFDProfile("p", minimum_ttl=250)), IPV4, 0, is_multihop=True)
    assert low.path.minimum_ttl == 250


def test_who_shares_a_session_gets_what_the_most_demanding_wants() -> None:
    wanted = (Parameters(0.3, 0.05, 3), Parameters(0.1, 0.3, 5, is_passive=True))
    assert most_demanding(wanted) == Parameters(0.1, 0.05, 3)
