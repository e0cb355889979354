import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.config.check_local_prefs import local_pref_conflicts
from reconciler.config.shared_nodes import certain_node_keys
from reconciler.model.advertisements import BGPAdvertisement
from reconciler.model.pools import IPAddressPool
from tests.builders import pool as pool_of
from tests.builders import selector
from tests.config.builders import EVERYWHERE, errors, load_texts, manifest, pool, session


def _bgp(name: str, spec: str) -> str:
    return manifest("BGPAdvertisement", name, spec)


@pytest.mark.parametrize(
    ("entry", "spec", "refused"),
    [
        pytest.param("192.0.2.0/24", "aggregationLength: 24", False, id="as wide as the route"),
        pytest.param("192.0.2.0/24", "aggregationLength: 23", True, id="smaller than the route"),
        pytest.param("192.0.2.0/24", "aggregationLength: 32", False, id="host routes"),
        pytest.param("192.0.2.7/32", "", False, id="one address, host routes"),
        pytest.param(
            "3.3.3.2-3.3.3.254", "aggregationLength: 26", False, id="a range whose widest block is big enough"
        ),
        pytest.param("3.3.3.2-3.3.3.254", "aggregationLength: 24", True, id="a range whose widest block is too small"),
        pytest.param("2001:db8::/64", "aggregationLength: 24", False, id="the length of the other family"),
        pytest.param("2001:db8::/64", "aggregationLengthV6: 63", True, id="IPv6, smaller than the route"),
        pytest.param("::/0", "aggregationLengthV6: 0", False, id="IPv6, all of it"),
    ],
)
def test_an_entry_is_not_smaller_than_the_route_it_is_rolled_up_into(entry: str, spec: str, *, refused: bool) -> None:
    found = errors(pool("p", entry), _bgp("a", spec), session("tor"))
    assert [problem.code for problem in found] == ["aggregation-too-wide"] * refused


def test_aggregation_concerns_selected_pools_only() -> None:
    documents = [pool("p", "192.0.2.0/28"), pool("q", "198.51.100.0/24"), session("tor"), EVERYWHERE]
    assert errors(*documents, _bgp("a", "aggregationLength: 24\nipAddressPools: [q]")) == []
    (found,) = errors(*documents, _bgp("a", "aggregationLength: 24\nipAddressPools: [q, p]"))
    assert str(found.related[0].origin) == "config.yaml:6:5"


@pytest.mark.parametrize(
    ("lengths", "conflict"),
    [
        pytest.param(("192.0.2.0/24", 24, 128, 32, 128), False, id="IPv4 pool, other IPv4 lengths"),
        pytest.param(("192.0.2.0/24", 32, 64, 32, 128), True, id="IPv4 pool, other IPv6 lengths"),
        pytest.param(("2001:db8::/64", 32, 64, 32, 128), False, id="IPv6 pool, other IPv6 lengths"),
        pytest.param(("2001:db8::/64", 24, 128, 32, 128), True, id="IPv6 pool, other IPv4 lengths"),
        pytest.param(('192.0.2.0/24"\n- "2001:db8::/64', 24, 128, 32, 128), True, id="both families, one differs"),
        pytest.param(('192.0.2.0/24"\n- "2001:db8::/64', 24, 64, 32, 128), False, id="both families, both differ"),
    ],
)
def test_local_preferences_conflict_on_equal_routes(lengths: tuple[str, int, int, int, int], *, conflict: bool) -> None:
    entry, a4, a6, b4, b6 = lengths
    found = errors(
        pool("p", entry),
        _bgp("a", f"localPref: 100\naggregationLength: {a4}\naggregationLengthV6: {a6}"),
        _bgp("b", f"localPref: 200\naggregationLength: {b4}\naggregationLengthV6: {b6}"),
        session("tor"),
    )
    assert [problem.code for problem in found] == ["local-pref-conflict"] * conflict


@pytest.mark.parametrize(
    ("first", "second", "conflict"),
    [
        pytest.param("peers: [t]", "", True, id="S-B-17: no peers are all peers"),
        pytest.param("peers: [t, u]", "peers: [u]", True, id="S-B-17: a peer in common"),
        pytest.param("peers: [t]", "peers: [u]", False, id="S-B-16: disjoint peers"),
        pytest.param("nodeSelectors: [{matchLabels: {a: b}}]", "", False, id="left to the nodes there are"),
        pytest.param(
            "nodeSelectors: [{matchLabels: {a: b}}, {matchLabels: {a: c}}]",
            "nodeSelectors: [{matchLabels: {a: c}}]",
            True,
            id="a selector of nodes in common",
        ),
        pytest.param("serviceSelectors: [{}]", "", False, id="a selector of Services exempts"),
        pytest.param("ipAddressPools: [p]", "ipAddressPools: [q]", False, id="different pools"),
        pytest.param("ipAddressPools: [p]", "ipAddressPoolSelectors: [{matchLabels: {t: p}}]", True, id="by label"),
    ],
)
def test_local_preferences_conflict_where_advertisements_meet(first: str, second: str, *, conflict: bool) -> None:
    found = errors(
        pool("p", "192.0.2.0/24", labels="{t: p}"),
        pool("q", "198.51.100.0/24"),
        _bgp("a", f"localPref: 100\n{first}"),
        _bgp("b", f"localPref: 200\n{second}"),
        session("t", "192.0.2.1"),
        session("u", "192.0.2.2"),
    )
    assert [problem.code for problem in found] == ["local-pref-conflict"] * conflict


_labels = st.sampled_from(["a", "b", "c"])
_advertisements = st.lists(
    st.builds(
        lambda pools, peers, nodes, length, pref: BGPAdvertisement(
            name="",
            pools=tuple(sorted(pools)),
            peers=tuple(sorted(peers)),
            node_selectors=tuple(selector({"rack": rack}) for rack in sorted(nodes)),
            aggregation_length=length,
            aggregation_length_v6=length,
            local_pref=pref,
        ),
        st.sets(st.sampled_from(["p", "q"])),
        st.sets(_labels, max_size=2),
        st.sets(_labels, max_size=2),
        st.sampled_from([24, 32]),
        st.sampled_from([0, 100, 200]),
    ),
    max_size=7,
)


@given(_advertisements)
@settings(max_examples=300, deadline=None)
def test_the_filed_advertisements_conflict_as_every_pair_compared(drawn: list[BGPAdvertisement]) -> None:
    pools: tuple[IPAddressPool, ...] = (pool_of("p", "192.0.2.0/24"), pool_of("q", "198.51.100.0/24"))
    named = [
        BGPAdvertisement(
            name=f"a{n}",
            pools=a.pools,
            peers=a.peers,
            node_selectors=a.node_selectors,
            aggregation_length=a.aggregation_length,
            local_pref=a.local_pref,
        )
        for n, a in enumerate(drawn)
    ]
    guilty = {b.name for n, b in enumerate(named) for a in named[:n] if _conflict(a, b)}
    found = list(local_pref_conflicts(reversed(named), pools, certain_node_keys))
    assert {conflict.later.name for conflict in found} == guilty
    assert all(_conflict(conflict.earlier, conflict.later) for conflict in found)


def _conflict(a: BGPAdvertisement, b: BGPAdvertisement) -> bool:
    def meet(x: tuple[object, ...], y: tuple[object, ...]) -> bool:
        return not x or not y or not set(x).isdisjoint(y)

    nodes = a.node_selectors == b.node_selectors or not set(a.node_selectors).isdisjoint(b.node_selectors)
    return (
        a.local_pref != b.local_pref
        and a.aggregation_length == b.aggregation_length
        and not set(a.pools).isdisjoint(b.pools)
        and meet(a.peers, b.peers)
        and nodes
    )


@pytest.mark.parametrize(
    ("documents", "codes"),
    [
        pytest.param([pool("p", "192.0.2.0/24")], ["pool-not-advertised"], id="no advertisement at all"),
        pytest.param(
            [pool("p", "192.0.2.0/24"), pool("q", "198.51.100.0/24")],
            ["pool-not-advertised"],
            id="no advertisement at all is said once",
        ),
        pytest.param(
            [
                pool("p", "192.0.2.0/24"),
                pool("q", "198.51.100.0/24"),
                manifest("L2Advertisement", "a", "ipAddressPools: [p]"),
            ],
            ["pool-not-advertised"],
            id="one pool of two",
        ),
        pytest.param([EVERYWHERE], [], id="no pool at all"),
        pytest.param([manifest("L2Advertisement", "a", "ipAddressPoolSelectors: [{}]")], [], id="no pool to select"),
        pytest.param([manifest("L2Advertisement", "a", "ipAddressPools: [p]")], ["unknown-pool-name"], id="unknown"),
        pytest.param(
            [pool("p", "192.0.2.0/24"), _bgp("a", "")], ["advertisement-without-peers"], id="nobody to announce to"
        ),
        pytest.param([session("tor"), manifest("BFDProfile", "b")], [], id="peers and profiles that nobody uses"),
    ],
)
def test_warnings(documents: list[str], codes: list[str]) -> None:
    loaded = load_texts(*documents)
    assert [problem.code for problem in loaded.problems] == codes
    assert loaded.desired is not None
