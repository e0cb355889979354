"""MetalLB's objects: what stays, what is written otherwise, and what is said about the rest."""

from typing import Any

import pytest

from tests.migration.builders import imported

_PEER = "myASN: 64512, peerASN: 64513, peerAddress: 10.0.0.1"


def _object(kind: str, spec: str, *, version: str = "v1beta1", more: str = "") -> str:
    return f"apiVersion: metallb.io/{version}\nkind: {kind}\nmetadata: {{name: a{more}}}\nspec: {{{spec}}}\n"


@pytest.mark.parametrize(
    ("kind", "spec", "expected", "codes"),
    [
        pytest.param(
            "IPAddressPool",
            "addresses: [10.0.0.0/24], serviceAllocation: {}",
            {"addresses": ["10.0.0.0/24"], "serviceAllocation": {}},
            [],
            id="an empty scope pins the pool to everybody",
        ),
        pytest.param(
            "IPAddressPool",
            "addresses: [10.0.0.0/24, '1.1.1.1-fd00::1'], autoAssign: yes, size: 3, avoidBuggyIPs: null",
            {"addresses": ["10.0.0.0/24"], "autoAssign": True},
            ["4:no-effect", "4:unknown-field"],
            id="what MetalLB ignores",
        ),
        pytest.param(
            "BGPPeer",
            _PEER + ", holdTime: 500ms",
            {"holdTime": "0s"},
            ["4:changed-value", "4:no-hold-time"],
            id="0.5 s is 0",
        ),
        pytest.param("BGPPeer", _PEER + ", holdTime: 0s", {"holdTime": "0s"}, ["4:no-hold-time"], id="no hold time"),
        pytest.param("BGPPeer", _PEER + ", holdTime: 90500ms", {"holdTime": "90s"}, ["4:changed-value"], id="cut"),
        pytest.param("BGPPeer", _PEER + ", routerID: 'fd00::1'", {}, ["4:no-effect"], id="an IPv6 router id"),
        pytest.param("BGPPeer", _PEER + ", routerID: 0.0.0.0", {}, ["4:no-effect"], id="no router id"),
        pytest.param("BGPPeer", _PEER + ", disableMP: true", {}, ["4:no-effect"], id="disableMP"),
        pytest.param("BGPPeer", _PEER + ", disableMP: false, peerPort: 0, vrf: ''", {}, [], id="what says nothing"),
        pytest.param(
            "BGPPeer",
            _PEER + ", passwordSecret: {name: tor, namespace: metallb-system}",
            {"passwordSecret": {"name": "tor"}},
            [],
            id="a Secret without its namespace",
        ),
        pytest.param("BGPPeer", _PEER + ", passwordSecret: {}", {}, [], id="no Secret"),
        pytest.param("BFDProfile", "echoMode: true, echoInterval: 50", {}, ["4:no-effect"], id="echo packets"),
        pytest.param(
            "BGPAdvertisement",
            "communities: [65000:1], localPref: 010",
            {"communities": ["65000:1"], "localPref": 8},
            [],
        ),
    ],
)
def test_a_spec(kind: str, spec: str, expected: dict[str, Any], codes: list[str]) -> None:
    base = {"myASN": 64512, "peerASN": 64513, "peerAddress": "10.0.0.1"} if kind == "BGPPeer" else {}
    found = imported(_object(kind, spec, version="v1beta2" if kind == "BGPPeer" else "v1beta1"))
    assert found.spec(kind) == {**base, **expected}
    assert found.codes == codes
    assert found.loaded.desired is not None


def test_a_former_peer_is_of_the_present_version() -> None:
    found = imported(_object("BGPPeer", _PEER))
    assert found.codes == ["4:former-version"]
    assert "apiVersion: metallb.io/v1beta2\n" in found.texts["peers.yaml"].text
    assert imported(_object("BGPPeer", _PEER + ", holdTime: 9s")).codes == []


def test_an_address_pool_becomes_a_pool_and_its_advertisements() -> None:
    spec = "protocol: bgp, addresses: [10.0.0.0/24], autoAssign: false, bgpAdvertisements: [{localPref: 5}, {}]"
    beside = _object("BGPAdvertisement", "ipAddressPools: [a]")
    found = imported(beside, "# old\n" + _object("AddressPool", spec))
    assert found.spec("IPAddressPool") == {"addresses": ["10.0.0.0/24"], "autoAssign": False}
    assert found.specs("BGPAdvertisement") == {
        "a": {"ipAddressPools": ["a"]},
        "a-2": {"ipAddressPools": ["a"], "localPref": 5},
        "a-3": {"ipAddressPools": ["a"]},
    }
    assert found.texts["pools.yaml"].text.startswith("# old\n")


def test_lists_are_opened_however_deep() -> None:
    pool = {"metadata": "{name: %s}", "spec": "{addresses: [10.0.%d.0/24]}"}
    typed = ", ".join(
        f"{{metadata: {pool['metadata'] % name}, spec: {pool['spec'] % n}}}" for n, name in enumerate("ab")
    )
    text = (
        "apiVersion: v1\nkind: List\nitems:\n"
        f"- {{apiVersion: metallb.io/v1beta1, kind: IPAddressPoolList, items: [{typed}]}}\n"
        "- {apiVersion: apps/v1, kind: Deployment}\n"
    )
    found = imported(text)
    assert list(found.specs("IPAddressPool")) == ["a", "b"]
    assert (found.codes, found.foreign) == ([], 1)


def test_what_the_server_added_is_gone() -> None:
    more = ", uid: x, resourceVersion: '1', generation: 3, managedFields: [], ownerReferences: [], namespace: metallb"
    notes = (
        ", annotations: {kubectl.kubernetes.io/last-applied-configuration: x, meta.helm.sh/release-name: y, mine: z}"
    )
    found = imported(_object("L2Advertisement", "", more=more + notes + ", odd: 1") + "status: {a: 1}\nextra: 1\n")
    assert found.texts["l2-advertisements.yaml"].text == (
        "apiVersion: metallb.io/v1beta1\nkind: L2Advertisement\nmetadata:\n  name: a\n  annotations:\n    mine: z\n"
    )
    assert found.codes == ["3:unknown-field", "6:unknown-field"]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        pytest.param("apiVersion: metallb.io/v1beta1\nkind: ServiceL2Status\n", [], id="a status"),
        pytest.param(
            "apiVersion: metallb.io/v1beta1\nkind: MetalLB\n", ["1:no-effect"], id="what the operator installs"
        ),
        pytest.param("apiVersion: metallb.io/v9\nkind: BGPPeer\n", ["1:unknown-version!"], id="a version to come"),
        pytest.param(
            "apiVersion: frrk8s.metallb.io/v1beta1\nkind: FRRConfiguration\nmetadata: {name: mine}\n",
            ["1:not-carried-over!"],
            id="configuration of FRR",
        ),
        pytest.param(
            "apiVersion: frrk8s.metallb.io/v1beta1\nkind: FRRConfiguration\nmetadata: {name: metallb-worker-1}\n",
            [],
            id="configuration of FRR that MetalLB made",
        ),
        pytest.param(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bgpextras}\ndata: {extras: x}\n",
            ["4:not-carried-over!"],
            id="raw configuration of FRR",
        ),
        pytest.param("apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n", ["1:secret-by-reference"], id="a Secret"),
        pytest.param("- a\n", ["1:skipped"], id="no mapping"),
        pytest.param("a: [\n", ["2:yaml-syntax!"], id="no YAML"),
    ],
)
def test_the_rest_is_said(text: str, codes: list[str]) -> None:
    found = imported(text)
    assert found.manifests == ()
    assert found.codes == codes


def test_objects_that_are_there_twice() -> None:
    text = _object("L2Advertisement", "ipAddressPools: [a]")
    found = imported(text, text)
    assert list(found.specs("L2Advertisement")) == ["a"]
    assert found.codes == ["3:repeated"]
    other = imported(text, _object("L2Advertisement", "ipAddressPools: [b]"))
    assert other.loaded.desired is None
    assert other.texts["l2-advertisements.yaml"].text.count("name: a\n") == 2


def test_objects_of_other_namespaces_are_not_what_metallb_reads() -> None:
    texts = [
        _object("L2Advertisement", f"ipAddressPools: [{name}]", more=f", namespace: {name}") for name in ("one", "two")
    ]
    assert imported(*texts, namespace="two").spec("L2Advertisement") == {"ipAddressPools": ["two"]}
    assert imported(*texts, namespace="two").codes == ["1:other-namespace"]
    # One alone is the one: somebody has named it when saving.
    assert imported(texts[0], namespace="two").codes == []
