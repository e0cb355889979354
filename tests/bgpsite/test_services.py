"""Services that come, change and go while sessions stay as they are."""

from tests.bgpsite.site import BGPSite
from tests.netns.site import NODES


async def test_a_node_announces_a_local_service_while_it_has_an_endpoint(site: BGPSite) -> None:
    before = site.connections()
    addresses = site.vip(), site.vip(6)
    name = await site.served(*addresses, on=("n1", "n2"), externalTrafficPolicy="Local")
    for nodes in ({"n2"}, {"n2", "n3"}, set[str](), {"n1"}):
        site.endpoints(name, sorted(nodes))
        await site.heard(addresses, nodes)
    assert site.connections() == before


async def test_services_come_and_go_within_the_sessions(site: BGPSite) -> None:
    before = site.connections()
    stays = site.vip(), site.vip(6)
    await site.served(*stays)
    goes = site.vip(), site.vip(6)
    name = await site.served(*goes)
    site.delete(name)
    await site.heard(goes, ())
    await site.heard(stays, NODES)
    assert site.connections() == before
    await site.sessions(wanted=2, told=2)
