"""`spec.bgp` of ReconcilerSettings: what is read, what its defaults are, and what is refused."""

import pytest

from reconciler.addresses.family import parse_address
from reconciler.model.origin import Severity
from reconciler.model.settings import (
    BGPDrainSettings,
    BGPListenSettings,
    BGPPeerSettings,
    BGPSettings,
    Settings,
)
from tests.config.builders import EVERYWHERE, desired, load_texts, manifest, pool, session, written


def document(spec: str) -> str:
    return manifest("ReconcilerSettings", "settings", spec, api_version="lb-reconciler.io/v1alpha1")


def read(spec: str) -> BGPSettings:
    return desired(document(spec)).settings.bgp


def test_every_field_is_read() -> None:
    found = read("""
        bgp:
          listen: {enabled: true, port: 1790, addresses: ["2001:db8::1", 192.0.2.1]}
          drain: {gracefulShutdown: false, wait: 1.5s, waitWithdrawn: "0"}
          peers:
            - {name: tor-b, gtsmHops: 2, maximumPrefixes: 1000}
            - {name: tor-a, passive: true}
    """)
    assert found == BGPSettings(
        listen=BGPListenSettings(
            enabled=True, port=1790, addresses=(parse_address("192.0.2.1"), parse_address("2001:db8::1"))
        ),
        drain=BGPDrainSettings(graceful_shutdown=False, wait=1.5, wait_withdrawn=0.0),
        peers=(BGPPeerSettings("tor-a", passive=True), BGPPeerSettings("tor-b", gtsm_hops=2, maximum_prefixes=1000)),
    )
    assert found.of("tor-b").maximum_prefixes == 1000
    assert found.of("tor-c") == BGPPeerSettings("tor-c")


@pytest.mark.parametrize(
    "spec",
    [
        "bgp:",
        "bgp: {}",
        "bgp: {listen: {}, drain: {}, peers: []}",
        "bgp: {listen: null, drain: null, peers: null}",
    ],
    ids=["a null section", "an empty section", "empty parts", "null parts"],
)
def test_what_is_left_out_has_its_default(spec: str) -> None:
    assert desired(document(spec)).settings == Settings()


@pytest.mark.parametrize(
    ("spec", "place", "code", "message"),
    [
        pytest.param("bgp: {listen: {port: 0}}", "5:24", "out-of-range", "is 0: must be from 1 to 65535", id="no port"),
        pytest.param(
            "bgp: {listen: {addresses: [192.0.2.0/24]}}",
            "5:30",
            "invalid-address",
            'invalid listen address "192.0.2.0/24": write an IPv4 or IPv6 address',
            id="a prefix to listen on",
        ),
        pytest.param(
            "bgp: {listen: {addresses: [192.0.2.1, 192.0.2.1]}}",
            "5:41",
            "duplicate-entry",
            'in bgp.listen.addresses "192.0.2.1": remove one',
            id="an address twice",
        ),
        pytest.param(
            "bgp: {listen: {enabled: true, port: 7947}}",
            "5:39",
            "conflicting-settings",
            "is 7947, and so is that of membership",
            id="the port that membership has by default",
        ),
        pytest.param(
            "bgp: {drain: {wait: 2m}}",
            "5:23",
            "out-of-range",
            'spec.bgp.drain.wait of ReconcilerSettings "settings" is 2m: must be from 0s to 1m',
            id="a farewell without an end",
        ),
        pytest.param("bgp: {drain: {waitWithdrawn: 5}}", "5:32", "wrong-type", 'write "5s" for seconds', id="no unit"),
        pytest.param("bgp: {peers: [{gtsmHops: 1}]}", "5:17", "missing-field", 'missing field "name" in', id="nobody"),
        pytest.param('bgp: {peers: [{name: ""}]}', "5:24", "missing-field", "write that of a BGPPeer", id="empty"),
        pytest.param(
            "bgp: {peers: [{name: tor, gtsmHops: 0}]}", "5:39", "out-of-range", "is 0: must be from 1 to 254", id="GTSM"
        ),
        pytest.param(
            "bgp: {peers: [{name: tor, gtsmHops: 255}]}", "5:39", "out-of-range", "is 255: must be", id="no GTSM at all"
        ),
        pytest.param(
            "bgp: {peers: [{name: tor, maximumPrefixes: 0}]}",
            "5:46",
            "out-of-range",
            "is 0: must be from 1",
            id="not one prefix",
        ),
        pytest.param(
            "bgp: {peers: [{name: tor}, {name: tor}]}",
            "5:37",
            "duplicate-entry",
            'in bgp.peers "tor": remove one',
            id="a peer twice",
        ),
        pytest.param(
            "bgp: {peers: [{name: tor, passive: true}]}",
            "5:38",
            "conflicting-settings",
            'peer "tor" is passive while spec.bgp.listen.enabled of ReconcilerSettings "settings" is false: it waits '
            "for a connection that nobody could ever open",
            id="passive, and nobody listens",
        ),
        pytest.param("bgp: {peers: [{name: tor, gtsm: 1}]}", "5:29", "unknown-field", "known are gtsmHops", id="typo"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(spec: str, place: str, code: str, message: str) -> None:
    peers = session("tor"), pool("p", "198.51.100.0/24"), EVERYWHERE
    found = load_texts(document(spec), *peers).problems
    assert len(found) == 1, written(found)
    (problem,) = found
    assert (f"{problem.origin.line}:{problem.origin.column}", problem.code) == (place, code), problem
    assert problem.severity is Severity.ERROR
    assert message in problem.message


def test_the_port_of_membership_is_free_for_who_does_not_listen() -> None:
    assert read("bgp: {listen: {port: 7947}}").listen.port == 7947


def test_two_ports_that_are_the_same_point_at_each_other() -> None:
    spec = "membership: {port: 7000}\nbgp: {listen: {enabled: true, port: 7000}}"
    (problem,) = load_texts(document(spec)).problems
    assert (problem.origin.line, problem.origin.column) == (6, 39)
    assert [(note.origin.line, note.origin.column) for note in problem.related] == [(5, 22)]


def test_a_peer_that_does_not_exist_is_a_warning() -> None:
    peers = session("tor-a"), pool("p", "198.51.100.0/24"), EVERYWHERE
    loaded = load_texts(document("bgp: {peers: [{name: tor-b}, {name: tor-a}]}"), *peers)
    (problem,) = loaded.problems
    assert (problem.severity, problem.code) == (Severity.WARNING, "unknown-peer-name")
    assert problem.message == (
        'ReconcilerSettings "settings" names BGPPeer "tor-b", which does not exist: did you mean "tor-a"?'
    )
    assert loaded.desired is not None


@pytest.mark.parametrize(
    ("hops", "more", "codes"),
    [
        pytest.param(1, "ebgpMultiHop: true", ["gtsm-multihop"], id="one hop, and said to be beyond the link"),
        pytest.param(2, "ebgpMultiHop: true", [], id="two hops"),
        pytest.param(1, "", [], id="on the link"),
    ],
)
def test_gtsm_of_one_hop_keeps_out_who_is_beyond_the_link(hops: int, more: str, codes: list[str]) -> None:
    settings = document(f"bgp: {{peers: [{{name: tor, gtsmHops: {hops}}}]}}")
    loaded = load_texts(settings, session("tor", more=more), pool("p", "198.51.100.0/24"), EVERYWHERE)
    assert [problem.code for problem in loaded.problems] == codes
    assert loaded.desired is not None


def test_moving_a_peer_to_another_line_is_no_change() -> None:
    one = read("bgp: {peers: [{name: a}, {name: b, gtsmHops: 1}]}")
    assert one == read("bgp:\n  peers:\n  - {name: b, gtsmHops: 1}\n  - name: a")


def test_echo_packets_are_a_warning_and_the_rest_of_the_profile_counts() -> None:
    profile = manifest("BFDProfile", "fast", "echoMode: true\ntransmitInterval: 50")
    loaded = load_texts(profile, session("tor", more="bfdProfile: fast"), pool("p", "198.51.100.0/24"), EVERYWHERE)
    (problem,) = loaded.problems
    assert (problem.severity, problem.code) == (Severity.WARNING, "bfd-echo-unused")
    assert (problem.origin.line, problem.origin.column) == (5, 13)
    assert loaded.desired is not None
    (peer,) = loaded.desired.peers
    assert peer.bfd is not None
    assert peer.bfd.transmit_interval_ms == 50


@pytest.mark.parametrize(
    ("address", "more", "message"),
    [
        pytest.param("192.0.2.1", "", "offers no multiprotocol capability", id="IPv4 alone"),
        pytest.param("2001:db8::1", "", "has no effect, because IPv6 routes need", id="IPv6"),
        pytest.param("192.0.2.1", "dualStackAddressFamily: true", "has no effect, because IPv6 routes", id="both"),
    ],
)
def test_what_disable_mp_means_is_told(address: str, more: str, message: str) -> None:
    peer = session("tor", address, f"disableMP: true\n{more}")
    loaded = load_texts(peer, pool("p", "198.51.100.0/24"), EVERYWHERE)
    (problem,) = loaded.problems
    assert (problem.severity, problem.code) == (Severity.WARNING, "deprecated-field")
    assert message in problem.message
    assert loaded.desired is not None
