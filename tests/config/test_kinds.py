import pytest

from reconciler.addresses.family import parse_address
from reconciler.model.advertisements import Community, Preference
from reconciler.model.origin import Origin
from reconciler.model.peers import BFDProfile, DynamicASN
from reconciler.model.selectors import LabelSelector, Operator, Requirement
from reconciler.model.settings import GuardSettings
from tests.config.builders import EVERYWHERE, desired, errors, load_files, load_texts, manifest, peer, pool, session

_RACK_A = LabelSelector((("rack", "a"),))


def test_a_pool_is_read_with_everything_it_says() -> None:
    (found,) = desired(
        pool(
            "gold",
            "192.0.2.77/30",
            "2001:db8::1 - 2001:db8::9",
            labels="{tier: gold}",
            extra="""
            autoAssign: false
            avoidBuggyIPs: true
            serviceAllocation:
              priority: -3
              namespaces: [web, shop]
              namespaceSelectors: [{matchLabels: {rack: a}}]
              serviceSelectors: [{matchExpressions: [{key: tier, operator: In, values: [b, a]}]}]
            """,
        ),
        EVERYWHERE,
    ).pools
    assert [str(entry.addresses) for entry in found.entries] == ["192.0.2.76/30", "2001:db8::1-2001:db8::9"]
    assert (found.auto_assign, found.avoid_buggy_ips, found.labels) == (False, True, (("tier", "gold"),))
    assert found.scope is not None
    assert found.scope.priority == -3
    assert found.scope.namespaces == ("shop", "web")
    assert found.scope.namespace_selectors == (_RACK_A,)
    assert found.scope.service_selectors == (LabelSelector((), (Requirement("tier", Operator.IN, ("a", "b")),)),)


def test_a_pool_with_addresses_only_takes_the_defaults() -> None:
    (found,) = desired(pool("gold", "192.0.2.0/24"), EVERYWHERE).pools
    assert (found.auto_assign, found.avoid_buggy_ips, found.scope) == (True, False, None)
    assert found.origin == Origin("config.yaml", 3, 18)
    assert found.entries[0].origin == Origin("config.yaml", 6, 5)


def test_m01_a_range_is_the_fewest_blocks() -> None:
    (found,) = desired(pool("p", "192.0.2.240-192.0.2.250"), EVERYWHERE).pools
    blocks = [(base & 0xFF, length) for base, length in found.entries[0].addresses.blocks()]
    assert blocks == [(240, 29), (248, 31), (250, 32)]


def test_an_l2_advertisement_is_read_with_everything_it_says() -> None:
    spec = """
    ipAddressPools: [p]
    nodeSelectors: [{matchLabels: {rack: b}}, {matchLabels: {rack: a}}]
    interfaces: [eth1, eth0, eth1]
    serviceSelectors: [{}]
    preferredNodeSelectors: [{weight: 7, preference: {matchLabels: {rack: a}}}]
    """
    (found,) = desired(pool("p", "192.0.2.0/24"), manifest("L2Advertisement", "a", spec)).l2_advertisements
    assert found.pools == ("p",)
    assert found.node_selectors == (_RACK_A, LabelSelector((("rack", "b"),)))
    assert found.interfaces == ("eth0", "eth1")
    assert found.service_selectors == (LabelSelector(),)
    assert found.preferences == (Preference(7, _RACK_A),)


def test_a_bgp_advertisement_is_read_with_everything_it_says() -> None:
    spec = """
    aggregationLength: 24
    aggregationLengthV6: 64
    localPref: 4294967295
    communities: [transit, "64512:9", "1:2", "large:1:2:3"]
    nodeSelectors: [{matchLabels: {rack: a}}]
    peers: [tor-b, tor-a]
    """
    aliases = manifest("Community", "c", 'communities: [{name: transit, value: "64512:9"}]')
    peers = (session("tor-a", "192.0.2.1"), session("tor-b", "192.0.2.2"))
    state = desired(pool("p", "192.0.2.0/24"), manifest("BGPAdvertisement", "a", spec), aliases, *peers)
    (found,) = state.bgp_advertisements
    assert (found.aggregation_length, found.aggregation_length_v6, found.local_pref) == (24, 64, 4294967295)
    assert found.communities == tuple(sorted(map(Community.parse, ("1:2", "large:1:2:3", "64512:9"))))
    assert found.peers == ("tor-a", "tor-b")
    assert found.node_selectors == (_RACK_A,)


def test_an_alias_that_looks_like_a_community_wins() -> None:
    aliases = manifest("Community", "c", 'communities: [{name: "1:1", value: "2:2"}]')
    advertisement = manifest("BGPAdvertisement", "a", 'communities: ["1:1"]')
    (found,) = desired(pool("p", "192.0.2.0/24"), aliases, advertisement, session("tor")).bgp_advertisements
    assert found.communities == (Community.parse("2:2"),)


def test_a_peer_is_read_with_everything_it_says() -> None:
    spec = """
    peerASN: 64500
    localASN: 64513
    peerAddress: 2001:db8::1
    sourceAddress: 2001:db8::2
    peerPort: 1790
    holdTime: 1m30s
    connectTime: 10s
    routerID: 192.0.2.1
    nodeSelectors: [{matchLabels: {rack: a}}]
    passwordSecret: {name: tor, namespace: elsewhere}
    bfdProfile: fast
    enableGracefulRestart: true
    ebgpMultiHop: true
    vrf: red
    dualStackAddressFamily: true
    """
    profile = manifest("BFDProfile", "fast", "receiveInterval: 100\npassiveMode: true")
    (found,) = desired(pool("p", "192.0.2.0/24"), EVERYWHERE, peer("tor", spec), profile).peers
    assert (found.my_asn, found.peer_asn, found.local_asn, found.dynamic_asn) == (64512, 64500, 64513, None)
    assert (found.peer_address, found.source_address) == (parse_address("2001:db8::1"), parse_address("2001:db8::2"))
    assert (found.peer_port, found.router_id, found.vrf) == (1790, parse_address("192.0.2.1"), "red")
    assert (found.hold_time, found.keepalive_time, found.connect_time) == (90.0, 30.0, 10.0)
    assert (found.password, found.password_secret) == (None, "tor")
    assert found.bfd == BFDProfile("fast", receive_interval_ms=100, passive_mode=True)
    assert (found.enable_graceful_restart, found.ebgp_multi_hop, found.dual_stack_address_family) == (True, True, True)
    assert found.node_selectors == (_RACK_A,)


def test_an_unnumbered_peer_of_any_other_as_is_read() -> None:
    (found,) = desired(
        pool("p", "192.0.2.0/24"), EVERYWHERE, peer("tor", "dynamicASN: external\ninterface: eth1\npassword: sesame")
    ).peers
    assert (found.peer_asn, found.dynamic_asn) == (None, DynamicASN.EXTERNAL)
    assert (found.peer_address, found.interface, found.password) == (None, "eth1", "sesame")
    assert "sesame" not in repr(found)


@pytest.mark.parametrize(
    ("timers", "hold", "keepalive"),
    [
        pytest.param("", None, None, id="neither stays unset"),
        pytest.param("holdTime: 90s", 90, 30, id="keepalive is a third of hold"),
        pytest.param("keepaliveTime: 10s", 30, 10, id="hold is three times keepalive"),
        pytest.param("holdTime: 0s\nkeepaliveTime: 0s", 0, 0, id="M62: zero and zero turn keepalives off"),
        pytest.param("holdTime: '0'", 0, 0, id="zero needs no unit"),
        pytest.param("holdTime: 3s\nkeepaliveTime: 3s", 3, 3, id="equal is allowed"),
        pytest.param("holdTime: 1.5m\nkeepaliveTime: 500ms", 90, 0.5, id="fractions and small units"),
        pytest.param("holdTime: 1h0m.5s", 3600.5, 3600.5 / 3, id="mixed units"),
    ],
)
def test_timers(timers: str, hold: float | None, keepalive: float | None) -> None:
    (found,) = desired(pool("p", "192.0.2.0/24"), EVERYWHERE, session("tor", more=timers)).peers
    assert (found.hold_time, found.keepalive_time) == (hold, keepalive)


def test_the_former_peer_version_keeps_unset_timers_unset() -> None:
    spec = "myASN: 64512\npeerASN: 64500\npeerAddress: 192.0.2.1\npeerPort: 0"
    former = manifest("BGPPeer", "tor", spec)
    loaded = load_texts(pool("p", "198.51.100.0/24"), EVERYWHERE, former)
    assert [(problem.code, problem.severity) for problem in loaded.problems] == [("deprecated-version", "warning")]
    assert loaded.desired is not None
    (found,) = loaded.desired.peers
    assert (found.hold_time, found.keepalive_time, found.connect_time, found.peer_port) == (None, None, None, 179)
    assert found == desired(pool("p", "198.51.100.0/24"), EVERYWHERE, session("tor", "192.0.2.1")).peers[0]


def test_settings_are_read() -> None:
    digest = "sha256:" + "0123456789abcdef" * 4
    spec = f"guard: {{maxChangedPercent: 0, minimumServices: 0, approvedPlan: '{digest}'}}"
    settings = manifest("ReconcilerSettings", "s", spec, api_version="lb-reconciler.io/v1alpha1")
    assert desired(settings).settings.guard == GuardSettings(0, 0, digest)


@pytest.mark.parametrize("spec", ["", "guard:", "guard: {}"])
def test_settings_that_say_nothing_are_the_defaults(spec: str) -> None:
    settings = manifest("ReconcilerSettings", "s", spec, api_version="lb-reconciler.io/v1alpha1")
    assert desired(settings).settings.guard == GuardSettings(30, 10, None)


def test_what_a_cluster_adds_to_an_object_is_accepted() -> None:
    dumped = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata:
  name: gold
  namespace: metallb-system
  uid: 3ee0c1b4-6b1b-4a4f-a3a4-0d7d1f0c9d77
  resourceVersion: "123"
  generation: 2
  creationTimestamp: "2026-01-01T00:00:00Z"
  deletionTimestamp: null
  finalizers: [example.com/keep]
  ownerReferences: [{apiVersion: v1, kind: Pod, name: a, uid: b}]
  annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}"}
  managedFields: [{manager: kubectl, fieldsV1: {"f:spec": {}}}]
spec:
  addresses: [192.0.2.0/24]
  serviceAllocation: null
status: {assignedIPv4: 3, assignedIPv6: 0, availableIPv4: 253, availableIPv6: 0}
"""
    loaded = load_texts(dumped, EVERYWHERE.replace("everywhere", "everywhere, creationTimestamp: null"))
    assert loaded.problems == ()
    assert loaded.desired is not None
    assert loaded.desired.pools[0].scope is None


@pytest.mark.parametrize(
    "document",
    [
        pytest.param("kind: Service\napiVersion: v1\n", id="another kind"),
        pytest.param(
            "apiVersion: crd.projectcalico.org/v1\nkind: BGPPeer\nmetadata: {name: a}\n", id="another BGPPeer"
        ),
        pytest.param("apiVersion: metallb.io/v1beta1\nkind: ServiceL2Status\n", id="a status object"),
        pytest.param("apiVersion: frrk8s.metallb.io/v1beta1\nkind: BGPSessionState\n", id="a neighbouring group"),
        pytest.param("resources: [pools.yaml]\n", id="a kustomization"),
        pytest.param("- one\n- two\n", id="a list"),
        pytest.param("just words\n", id="a word"),
        pytest.param("apiVersion: [metallb.io/v1beta1]\nkind: {}\n", id="no words at all"),
    ],
)
def test_a_foreign_document_is_counted_and_left_alone(document: str) -> None:
    loaded = load_texts(pool("p", "192.0.2.0/24"), EVERYWHERE, document)
    assert (loaded.problems, loaded.documents, loaded.foreign) == ((), 2, 1)


@pytest.mark.parametrize(
    ("api_version", "code"),
    [
        pytest.param("metallb.universe.tf/v1beta1", "unknown-version", id="the former name of the project"),
        pytest.param("MetalLB.io/v1beta1", "unknown-version", id="other case"),
        pytest.param("metallb.io", "unknown-version", id="no version"),
        pytest.param("v1beta1", "unknown-version", id="no group"),
        pytest.param("metallb.io/v1beta1 ", "unknown-version", id="a blank too many"),
    ],
)
def test_a_misspelt_group_is_no_foreign_document(api_version: str, code: str) -> None:
    (found,) = errors(manifest("IPAddressPool", "p", "addresses: [192.0.2.0/24]", api_version=f'"{api_version}"'))
    assert found.code == code
    assert "write metallb.io/v1beta1" in found.message


def test_a_password_is_never_quoted() -> None:
    found = errors(pool("p", "192.0.2.0/24"), EVERYWHERE, session("tor", more="password: 31337"))
    assert [problem.code for problem in found] == ["wrong-type"]
    assert "31337" not in found[0].message


def test_long_and_unprintable_values_are_cut_and_escaped() -> None:
    entry = "x" * 100_000 + "\\u202e"
    (found,) = errors(pool("p", entry, "\\u202e\\n"), EVERYWHERE)[:1]
    assert len(found.message) < 500
    messages = [problem.message for problem in errors(pool("p", entry, "\\u202e\\n"), EVERYWHERE)]
    assert all(message.isprintable() for message in messages)


def test_an_integral_float_is_an_integer_as_it_is_in_json() -> None:
    text = '{"apiVersion": "metallb.io/v1beta1", "kind": "BGPAdvertisement", "metadata": {"name": "a"},'
    files = {
        "a.json": text + ' "spec": {"aggregationLength": 24.0}}',
        "b.yaml": "---\n".join((pool("p", "192.0.2.0/24"), session("tor"))),
    }
    loaded = load_files(files)
    assert loaded.desired is not None
    assert loaded.desired.bgp_advertisements[0].aggregation_length == 24
