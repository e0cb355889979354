"""Rows M07 to M12 and M55 to M78: MetalLB's verdict and the stable fragment of its message."""

import pytest

from tests.config.builders import EVERYWHERE, errors, manifest, peer, pool, session

_POOL = pool("p", "192.0.2.0/24")


def _l2(spec: str) -> str:
    return manifest("L2Advertisement", "a", spec)


def _bgp(spec: str, name: str = "a") -> str:
    return manifest("BGPAdvertisement", name, spec)


def _prefs(first: str, second: str) -> list[str]:
    return [_bgp(f"localPref: 100\n{first}", "a"), _bgp(f"localPref: 200\n{second}", "b")]


_NODES = "nodeSelectors: [{{matchLabels: {{rack: {}}}}}]"

_REFUSED = [
    pytest.param(
        [pool("p", "10.4.0.0/16"), pool("q", "10.4.200.0/24")], "overlaps with already defined CIDR", id="M07"
    ),
    pytest.param([pool("p", "10.4.0.0/16"), pool("q", "10.4.0.0/16")], "overlaps with already defined CIDR", id="M08"),
    pytest.param([pool("p", "10.4.0.0/33")], 'invalid CIDR "10.4.0.0/33" in pool "p"', id="M09"),
    pytest.param([pool("p", "10.4.0.20-10.4.0.10")], 'start IP "10.4.0.20" is after the end IP "10.4.0.10"', id="M10"),
    pytest.param([pool("p")], "pool has no prefixes defined", id="M11"),
    pytest.param([_POOL, pool("p", "198.51.100.0/24")], 'duplicate definition of pool "p"', id="M12"),
    pytest.param(
        [manifest("BGPPeer", "a", "myASN: 0\npeerASN: 1\npeerAddress: 192.0.2.1", api_version="metallb.io/v1beta2")],
        "missing local ASN",
        id="M55",
    ),
    pytest.param([peer("a", "peerAddress: 192.0.2.1")], "missing peer ASN and dynamicASN", id="M56"),
    pytest.param([session("a", more="dynamicASN: external")], "both peer ASN and dynamicASN specified", id="M57"),
    pytest.param(
        [peer("a", "peerASN: 64512\npeerAddress: 192.0.2.1\nebgpMultiHop: true")],
        "invalid ebgp-multihop parameter set for an ibgp peer",
        id="M58",
    ),
    pytest.param([session("a", more="interface: eth1")], "both Address and Interface", id="M59-both"),
    pytest.param([peer("a", "peerASN: 64500")], "no Address or Interface", id="M59-neither"),
    pytest.param([session("a", more="holdTime: 1s")], "must be 0 or >=3s", id="M60"),
    pytest.param([session("a", more="holdTime: 30s\nkeepaliveTime: 90s")], "must be lower than holdTime", id="M61"),
    pytest.param([session("a", more="routerID: ten.0.0.1")], "invalid router ID", id="M63"),
    pytest.param([session("a", more="bfdProfile: none")], "referencing non existing bfd profile", id="M64"),
    pytest.param([manifest("BFDProfile", "b", "receiveInterval: 5")], "must be in 10-60000 range", id="M65-low"),
    pytest.param([manifest("BFDProfile", "b", "receiveInterval: 90000")], "must be in 10-60000 range", id="M65-high"),
    pytest.param(
        [pool("p", "192.0.2.0/28"), _bgp("aggregationLength: 26")], "invalid aggregation length 26: prefix 28", id="M66"
    ),
    pytest.param([_bgp("aggregationLength: 34")], "invalid aggregation length", id="M67"),
    pytest.param([_POOL, _l2("ipAddressPools: [p, p]")], "duplicate definition of ipAddressPools", id="M68"),
    pytest.param([_bgp("peers: [a, a]"), session("a")], "duplicate definition of peers", id="M69"),
    pytest.param([_POOL, *_prefs("", "")], "invalid local preference", id="M70"),
    pytest.param([_bgp('communities: ["99999:1"]')], "invalid community value", id="M72"),
    pytest.param([_bgp("communities: [nosuchalias]")], "invalid community format", id="M73"),
    pytest.param(
        [session("a"), session("b")], "duplicate BGPPeers", id="M77, of the default VRF and of one port: on every node"
    ),
    pytest.param(
        [_l2("nodeSelectors: [{matchExpressions: [{key: a, operator: Equals, values: [b]}]}]")],
        "is not a valid label selector operator",
        id="M78",
    ),
]


@pytest.mark.parametrize(("documents", "fragment"), _REFUSED)
def test_refused_with_the_known_fragment(documents: list[str], fragment: str) -> None:
    found = errors(*documents)
    assert len(found) == 1
    assert fragment in found[0].message


_ACCEPTED = [
    pytest.param([session("a", more="holdTime: 0s\nkeepaliveTime: 0s")], id="M62"),
    pytest.param(
        [_POOL, *_prefs("peers: [t]", "peers: [u]"), session("t", "192.0.2.1"), session("u", "192.0.2.2")],
        id="M70, disjoint peers",
    ),
    pytest.param([_POOL, *_prefs(_NODES.format("a"), _NODES.format("b"))], id="M70, disjoint nodes"),
    pytest.param([_POOL, *_prefs("aggregationLength: 24", "aggregationLength: 32")], id="M71"),
    pytest.param(
        [
            _bgp("communities: [transit]"),
            manifest("Community", "c", 'communities: [{name: transit, value: "64512:9"}]'),
        ],
        id="M74",
    ),
    # There is one BGP stack and no mode: what native mode refuses is simply supported.
    pytest.param([manifest("BFDProfile", "b")], id="M75 and S-C-03, refused in native mode only"),
    pytest.param([session("a", more="keepaliveTime: 10s")], id="M76, refused in native mode only"),
    pytest.param([session("a", more="keepaliveTime: 0s")], id="M76, zero"),
    pytest.param(
        [session("a"), session("b", more="peerPort: 1790")], id="M77, refused in FRR modes only: another port"
    ),
    pytest.param(
        [session("a", "192.0.2.1", "routerID: 192.0.2.8"), session("b", "192.0.2.2", "routerID: 192.0.2.9")],
        id="S-C-01, refused in FRR modes only: another router id for each peer",
    ),
    pytest.param([session("a"), session("b", more="vrf: red")], id="S-C-02, the same address in another VRF"),
    pytest.param([_bgp('communities: ["large:1:2:3"]')], id="S-N-05, refused in native mode only"),
]


@pytest.mark.parametrize("documents", _ACCEPTED)
def test_accepted(documents: list[str]) -> None:
    assert errors(EVERYWHERE, *documents) == []


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        pytest.param("12345:12345", None, id="standard"),
        pytest.param("large:1:2:3", None, id="large"),
        pytest.param("00001:065535", None, id="leading zeros"),
        pytest.param("12345", "invalid community format", id="a number"),
        pytest.param("larg:1:2:3", "invalid community value", id="a misspelt marker"),
        pytest.param("large:1:x:3", "invalid community value", id="a part that is no number"),
        pytest.param("large:1:2:4294967296", "invalid community value", id="a part out of range"),
        pytest.param("1:2:3", "invalid community format", id="three parts, as extended communities have"),
        pytest.param("-1:2", "invalid community value", id="a sign"),
        pytest.param("1: 2", "invalid community value", id="a blank"),
    ],
)
def test_s_n_06_community_texts(text: str, fragment: str | None) -> None:
    in_advertisement = [p.message for p in errors(_bgp(f'communities: ["{text}"]'))]
    alias = manifest("Community", "c", f'communities: [{{name: a, value: "{text}"}}]')
    in_alias = [p.message for p in errors(alias)]
    for messages in (in_advertisement, in_alias):
        assert len(messages) == (fragment is not None)
        assert all(fragment is not None and fragment in message for message in messages)
