"""The legacy text: each feature and what becomes of it, and a law for all that is legal."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.migration.builders import Imported, imported, read_back

POOL = "{name: gold, protocol: layer2, addresses: [192.0.2.0/28]}"


def _pool(fields: str) -> Imported:
    return imported(f"address-pools: [{{name: gold, addresses: [192.0.2.0/28], {fields}}}]")


def _peer(fields: str) -> Imported:
    return imported(f"peers: [{{my-asn: 64512, peer-asn: 64513, peer-address: 10.0.0.1, {fields}}}]")


_BASE: Mapping[str, Any] = {"myASN": 64512, "peerASN": 64513, "peerAddress": "10.0.0.1"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param("", {"holdTime": "90s"}, id="ninety seconds where no hold time is given"),
        pytest.param("hold-time: 10500ms", {"holdTime": "10s"}, id="whole seconds"),
        pytest.param("hold-time: 0s", {"holdTime": "0s"}, id="no hold time"),
        pytest.param("hold-time: 1m30s", {"holdTime": "1m30s"}, id="as it was written"),
        pytest.param("keepalive-time: 3s", {"keepaliveTime": "3s", "holdTime": "90s"}, id="a keepalive time"),
        pytest.param("peer-port: 0", {"holdTime": "90s"}, id="no port"),
        pytest.param("peer-port: 1179", {"peerPort": 1179, "holdTime": "90s"}, id="a port"),
        pytest.param("router-id: 10.9.9.9", {"routerID": "10.9.9.9", "holdTime": "90s"}, id="a router id"),
        pytest.param("source-address: 10.0.0.9", {"sourceAddress": "10.0.0.9", "holdTime": "90s"}, id="a source"),
        pytest.param("password: 0123", {"password": "0123", "holdTime": "90s"}, id="a password of digits"),
        pytest.param("password: ''", {"holdTime": "90s"}, id="an empty password"),
        pytest.param("ebgp-multihop: yes", {"ebgpMultiHop": True, "holdTime": "90s"}, id="several hops"),
        pytest.param(
            "node-selectors: [{match-labels: {rack: 1}}, {match-labels: {rack: 1}}, {match-expressions: "
            "[{key: zone, operator: NotIn, values: [a, b, a]}]}]",
            {
                "nodeSelectors": [
                    {"matchLabels": {"rack": "1"}},
                    {"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a", "b"]}]},
                ],
                "holdTime": "90s",
            },
            id="nodes by label, each selector once",
        ),
    ],
)
def test_a_peer(fields: str, expected: Mapping[str, Any]) -> None:
    found = _peer(fields)
    assert found.specs("BGPPeer") == {"peer-10-0-0-1": {**_BASE, **expected}}
    assert found.loaded.desired is not None


@pytest.mark.parametrize(
    ("fields", "pool", "l2", "bgp"),
    [
        pytest.param("protocol: layer2", {}, ["gold"], {}, id="layer 2"),
        pytest.param("protocol: bgp", {}, [], {"gold": {}}, id="BGP without a word more"),
        pytest.param(
            "protocol: bgp, auto-assign: false, avoid-buggy-ips: on",
            {"autoAssign": False, "avoidBuggyIPs": True},
            [],
            {"gold": {}},
            id="switches",
        ),
        pytest.param("protocol: bgp, bgp-advertisements: []", {}, [], {"gold": {}}, id="an empty list"),
        pytest.param(
            "protocol: bgp, bgp-advertisements: [{aggregation-length: 32, localpref: 100, communities: "
            "[65000:1, 65000:1, large:1:2:3]}, {aggregation-length: 28, aggregation-length-v6: 64}]",
            {},
            [],
            {
                "gold": {"aggregationLength": 32, "localPref": 100, "communities": ["65000:1", "large:1:2:3"]},
                "gold-2": {"aggregationLength": 28, "aggregationLengthV6": 64},
            },
            id="several advertisements",
        ),
        pytest.param(
            "protocol: layer2, bgp-advertisements: [{localpref: 5}]",
            {},
            ["gold"],
            {"gold": {"localPref": 5}},
            id="both ways",
        ),
    ],
)
def test_a_pool(fields: str, pool: Mapping[str, Any], l2: list[str], bgp: Mapping[str, Any]) -> None:
    found = _pool(fields)
    assert found.specs("IPAddressPool") == {"gold": {"addresses": ["192.0.2.0/28"], **pool}}
    assert found.specs("L2Advertisement") == {name: {"ipAddressPools": ["gold"]} for name in l2}
    assert found.specs("BGPAdvertisement") == {name: {"ipAddressPools": ["gold"], **spec} for name, spec in bgp.items()}
    assert found.loaded.desired is not None


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        pytest.param("address-pools: [{name: a, protocol: arp, addresses: [10.0.0.0/24]}]", ["1:unknown-protocol!"]),
        pytest.param("address-pools: [{name: a, addresses: [10.0.0.0/24]}]", ["1:unknown-protocol!"]),
        pytest.param(f"address-pools: [{POOL}]\npeer-autodiscovery: {{}}", ["2:not-carried-over!"]),
        pytest.param(f"address-pools: [{POOL}]\nodd: 1", ["2:unknown-field"]),
        pytest.param(f"address-pools: [{POOL}, 7]", ["1:unreadable!"]),
        pytest.param("address-pools: {}\npeers: []", ["1:unreadable!"]),
        pytest.param("bgp-communities: [a]", ["1:unreadable!"]),
        pytest.param("peers:\n- {peer-address: 10.0.0.1, my-asn: 1, peer-asn: 2,\n   odd: 1}", ["3:unknown-field"]),
        pytest.param(f"address-pools:\n- {POOL}\n- {POOL}", ["3:repeated"], id="a pool given twice"),
    ],
)
def test_what_has_no_place_is_said(text: str, codes: list[str]) -> None:
    assert [code for code in imported(text).codes if ":changed-name" not in code] == codes


def test_names_become_legal_and_stay_apart() -> None:
    found = imported(
        "address-pools:\n"
        "- {name: my_pool, protocol: layer2, addresses: [10.0.0.0/24]}\n"
        "- {name: my-pool, protocol: layer2, addresses: [10.0.1.0/24]}\n"
        "- {name: My Pool, protocol: layer2, addresses: [10.0.2.0/24]}\n"
        "- {name: '***', protocol: layer2, addresses: [10.0.3.0/24]}\n"
        "- {name: eu.west.1, protocol: layer2, addresses: [10.0.4.0/24]}\n"
        f"- {{name: {'x' * 70}_, protocol: layer2, addresses: [10.0.5.0/24]}}\n"
        "bfd-profiles: [{name: Fast_One}]\n"
        "peers:\n"
        "- {my-asn: 1, peer-asn: 2, peer-address: 10.9.0.1, bfd-profile: Fast_One}\n"
        "- {my-asn: 1, peer-asn: 2, peer-address: 10.9.0.1, peer-port: 1179}\n"
        "- {my-asn: 1, peer-asn: 2, peer-address: 'fd00::'}\n"
    )
    assert list(found.specs("IPAddressPool")) == [
        "my-pool-2",
        "my-pool",
        "my-pool-3",
        "ipaddresspool",
        "eu.west.1",
        "x" * 63,
    ]
    assert {name: spec.get("bfdProfile") for name, spec in found.specs("BGPPeer").items()} == {
        "peer-10-9-0-1": "fast-one",
        "peer-10-9-0-1-2": None,
        "peer-fd00": None,
    }
    assert found.codes == [f"{line}:changed-name" for line in (2, 4, 5, 7, 8)]
    assert "have to ask for the new name" in found.problems[0].message
    assert found.loaded.desired is not None


def test_profiles_and_communities() -> None:
    found = imported(
        "bfd-profiles: [{name: fast, receive-interval: 50, transmit-interval: 60, detect-multiplier: 4, "
        "echo-interval: 90, echo-mode: true, passive-mode: true, minimum-ttl: 250}]\n"
        "bgp-communities: {cheap: 65000:1, many: 'large:1:2:3'}\n"
    )
    assert found.specs("BFDProfile") == {
        "fast": {
            "receiveInterval": 50,
            "transmitInterval": 60,
            "detectMultiplier": 4,
            "passiveMode": True,
            "minimumTtl": 250,
        }
    }
    assert found.spec("Community") == {
        "communities": [{"name": "cheap", "value": "65000:1"}, {"name": "many", "value": "large:1:2:3"}]
    }
    assert found.codes == ["1:no-effect"]


CONFIG_MAP = """\
# 2019
apiVersion: v1
kind: ConfigMap
metadata: {name: config, namespace: metallb-system}
data:
  other: address-pools are great
  config: |
    # pools
    address-pools:
    # the first
    - name: gold # good
      protocol: layer2
      # rack
      addresses: [192.0.2.0/28] # A
      odd: 1
    # end
# of it
"""


def test_a_config_map_with_its_comments_and_places() -> None:
    found = imported(CONFIG_MAP)
    assert found.texts["pools.yaml"].text == (
        "# 2019\n# pools\n# the first\n# good\napiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata:\n"
        "  name: gold\nspec:\n  # rack\n  addresses:  # A\n    - 192.0.2.0/28\n"
    )
    assert found.texts["l2-advertisements.yaml"].text.endswith("# end\n# of it\n")
    assert found.codes == ["15:unknown-field"]
    assert found.problems[0].origin.column == 7


def test_a_config_map_whose_text_is_in_quotes() -> None:
    text = CONFIG_MAP[CONFIG_MAP.index("    # pools") : CONFIG_MAP.index("# of it")].replace("\n    ", "\n").strip()
    quoted = text.replace("\n", "\\n")
    found = imported(f'apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\ndata:\n  config: "{quoted}"\n')
    assert list(found.specs("IPAddressPool")) == ["gold"]
    assert found.codes == ["5:unknown-field"]


_NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,6}[A-Za-z0-9]", fullmatch=True)
_LABELS = st.dictionaries(st.sampled_from(["rack", "zone"]), st.sampled_from(["a", "b", "1"]), max_size=2)
_EXPRESSIONS = st.one_of(
    st.fixed_dictionaries(
        {
            "key": st.just("zone"),
            "operator": st.sampled_from(["In", "NotIn"]),
            "values": st.lists(st.sampled_from(["a", "b", "c"]), min_size=1),
        }
    ),
    st.fixed_dictionaries({"key": st.just("rack"), "operator": st.sampled_from(["Exists", "DoesNotExist"])}),
)
_SELECTORS = st.fixed_dictionaries(
    {}, optional={"match-labels": _LABELS, "match-expressions": st.lists(_EXPRESSIONS, max_size=2)}
)
_COMMUNITIES = st.lists(st.sampled_from(["65000:1", "cheap", "large:1:2:3"]), max_size=3)
_SWITCH = st.booleans()


@st.composite
def _pools(draw: st.DrawFn, number: int, name: str) -> dict[str, Any]:
    choices = [f"10.{number}.0.0/24", f"10.{number}.1.0-10.{number}.1.255", f"fd00:{number}::/64"]
    pool: dict[str, Any] = {
        "name": name,
        "protocol": draw(st.sampled_from(["bgp", "layer2"])),
        "addresses": draw(st.lists(st.sampled_from(choices), min_size=1, max_size=3, unique=True)),
        **draw(st.fixed_dictionaries({}, optional={"auto-assign": _SWITCH, "avoid-buggy-ips": _SWITCH})),
    }
    if pool["protocol"] == "bgp":
        # One local preference for all: two for the same routes are refused by MetalLB, too.
        fields = {"aggregation-length": st.integers(24, 32), "aggregation-length-v6": st.integers(64, 128)}
        advertisement = st.fixed_dictionaries(
            {"localpref": st.just(100)}, optional={**fields, "communities": _COMMUNITIES}
        )
        pool["bgp-advertisements"] = draw(st.lists(advertisement, max_size=3))
    return pool


@st.composite
def _legacy(draw: st.DrawFn) -> dict[str, Any]:
    """Any text that MetalLB up to 0.12 took."""
    names = draw(st.lists(_NAMES, min_size=1, max_size=4, unique=True))
    profiles = draw(st.lists(_NAMES, max_size=2, unique=True))
    peers = []
    for number in range(draw(st.integers(0, 3))):
        optional: dict[str, st.SearchStrategy[Any]] = {
            "hold-time": st.sampled_from(["0s", "3s", "90s", "1m", "4500ms", "500ms"]),
            "peer-port": st.sampled_from([0, 179, 1179]),
            "router-id": st.just("10.0.0.9"),
            "source-address": st.just("10.0.0.8"),
            "password": st.sampled_from(["", "secret", "0123", "yes"]),
            "ebgp-multihop": _SWITCH,
            "node-selectors": st.lists(_SELECTORS, max_size=2),
        }
        if profiles:
            optional["bfd-profile"] = st.sampled_from(profiles)
        peer = {"my-asn": 64512, "peer-asn": 64513, "peer-address": f"192.0.2.{number + 1}"}
        peers.append({**peer, **draw(st.fixed_dictionaries({}, optional=optional))})
    return {
        "address-pools": [draw(_pools(number, name)) for number, name in enumerate(names)],
        "peers": peers,
        "bfd-profiles": [{"name": name, "echo-mode": draw(_SWITCH)} for name in profiles],
        "bgp-communities": {"cheap": "65000:100"},
    }


@settings(deadline=None, max_examples=40)
@given(_legacy())
def test_whatever_is_legal_becomes_valid_and_announces_the_same_pools(config: dict[str, Any]) -> None:
    found = imported(json.dumps(config))
    desired = found.loaded.desired
    assert desired is not None, found.loaded.problems
    assert [code for code in found.codes if code.endswith("!")] == []
    pools = {tuple(sorted(entry.text for entry in pool.entries)): pool.name for pool in desired.pools}
    names = [pools[tuple(sorted(pool["addresses"]))] for pool in config["address-pools"]]
    assert sorted(names) == sorted(pool.name for pool in desired.pools)
    for pool, name in zip(config["address-pools"], names, strict=True):
        announced = [
            len([a for a in kind if name in a.pools])
            for kind in (desired.l2_advertisements, desired.bgp_advertisements)
        ]
        is_bgp = pool["protocol"] == "bgp"
        assert announced == [not is_bgp, is_bgp and max(1, len(pool["bgp-advertisements"]))]
    assert sorted(str(peer.peer_address) for peer in desired.peers) == [p["peer-address"] for p in config["peers"]]
    assert all(
        (peer.bfd is None) == ("bfd-profile" not in p)
        for peer, p in zip(_by_address(desired.peers), config["peers"], strict=True)
    )
    # The same input gives the same files, and what was written can be imported again.
    assert imported(json.dumps(config)).texts == found.texts
    again = imported(*(text.text for text in found.texts.values()))
    assert {name: text.text for name, text in again.texts.items()} == {
        name: text.text for name, text in found.texts.items()
    }
    assert all(read_back(text.text) for text in found.texts.values())


def _by_address(peers: Any) -> list[Any]:
    return sorted(peers, key=lambda peer: str(peer.peer_address))
