"""Files that change while speakers run: what a session sees of it, and which sessions do not."""

from tests.bgpsite.configuration import BIRD, FRR, configuration
from tests.bgpsite.site import ROUTERS, BGPSite, host_prefix
from tests.netns.site import NODES, until


async def carried(site: BGPSite, router: str, prefix: str, **attributes: object) -> None:
    """Wait until a router has a prefix from all nodes, with these attributes."""

    def is_so() -> bool:
        routes = site.routes(router, prefix)
        found = [{name: getattr(route, name) for name in attributes} for route in routes.values()]
        return set(routes) == set(NODES) and all(one == attributes for one in found)

    await until(is_so, f"{router} has {prefix} with {attributes}")


async def test_routes_change_within_the_sessions(site: BGPSite) -> None:
    before = site.connections()
    addresses = site.vip(), site.vip(6)
    await site.served(*addresses)
    spec = {"communities": ["64512:7", "large:64512:1:7"], "localPref": 300}
    site.configure(configuration(site.peers(), (spec,)))
    communities = {"communities": {"64512:7"}, "large_communities": {"64512:1:7"}}
    for prefix in map(host_prefix, addresses):
        await carried(site, FRR, prefix, local_pref=300, **communities)
        await carried(site, BIRD, prefix, **communities)
    site.configure(configuration(site.peers(), ({"aggregationLength": 28, "aggregationLengthV6": 120},)))
    first = int(addresses[0].rpartition(".")[2]) // 16 * 16
    for router in ROUTERS:
        await carried(site, router, f"198.51.100.{first}/28", communities=set(), large_communities=set())
        await carried(site, router, "2001:db8:f::/120", communities=set(), large_communities=set())
    await site.heard(addresses, ())
    assert site.connections() == before


async def test_only_the_session_that_changed_is_opened_anew(site: BGPSite) -> None:
    addresses = site.vip(), site.vip(6)
    await site.served(*addresses)
    before = site.connections()
    site.configure(configuration(site.peers(frr={"holdTime": "30s"})))
    await site.sessions(NODES, (FRR,), holdTime=30.0)
    await site.heard(addresses, NODES)
    after = site.connections()
    for node in NODES:
        assert site.routers[FRR].session(site.lab.address(node)).hold_time == 30
        assert after[node, BIRD] == before[node, BIRD]
        assert after[node, FRR] != before[node, FRR]


async def test_a_peer_that_is_removed_is_taken_leave_of_and_no_other(site: BGPSite) -> None:
    addresses = site.vip(), site.vip(6)
    await site.served(*addresses)
    before = site.connections()
    site.configure(configuration({FRR: site.peers()[FRR]}))
    # With graceful restart agreed on as well: the peer is not going to come back.
    await site.heard(addresses, (), (BIRD,))
    await site.heard(addresses, NODES, (FRR,))
    await until(lambda: not any(site.session(node, BIRD) for node in NODES), "no node has the peer")
    for node in NODES:
        assert "Peer de-configured" in site.routers[BIRD].session(site.lab.address(node)).said
        assert site.connection(node, FRR) == before[node, FRR]


async def test_a_peer_is_there_while_its_selector_fits_the_node(site: BGPSite) -> None:
    before = site.connections()
    addresses = site.vip(), site.vip(6)
    await site.served(*addresses)
    selected = {"nodeSelectors": [{"matchExpressions": [{"key": "rack", "operator": "NotIn", "values": ["b"]}]}]}
    await site.adopt(configuration(site.peers(bird=selected)))
    await site.sessions()
    assert site.connections() == before
    site.node("n3", labels={"rack": "b"})
    end = site.lab.address("n3")
    await until(lambda: not site.routers[BIRD].session(end).is_established, "n3 has left BIRD")
    await site.heard(addresses, {"n1", "n2"}, (BIRD,))
    await until(lambda: not site.session("n3", BIRD), "the peer is not there")
    site.node("n3")
    await site.sessions()
    await site.heard(addresses, NODES)
    after = site.connections()
    assert after.pop(("n3", BIRD)) != before.pop(("n3", BIRD))
    assert after == before
