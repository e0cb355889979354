"""Sessions with every router, in every way that a session can be configured; what the router has is read back."""

from dataclasses import replace

import pytest

from reconciler.bgp.families import Family
from reconciler.bgp.notification import Cease, Notification
from reconciler.bgp.parameters import RemoteAS
from tests.bgp.interop.features import ROUTER_ASN, ROUTERS
from tests.bgp.interop.site import ORIGINATED, UNNUMBERED
from tests.bgp.interop.talk import RouterTalk, Speaker, octets, text, until
from tests.routers.router import Route

every_router = pytest.mark.parametrize("router", ROUTERS)

SESSIONS = (
    "ebgp",
    "long-as",
    "ibgp",
    "ipv6",
    "ibgp6",
    "password",
    "password6",
    "gtsm",
    "gtsm6",
    "multihop",
    "multihop6",
)


def expected(talk: RouterTalk, next_hops: tuple[str, ...]) -> Route:
    """A plain route of ours as that router shows it."""
    asn = talk.feature.neighbor.remote_asn
    is_ibgp = asn == ROUTER_ASN
    return Route(
        next_hops=next_hops,
        as_path=() if is_ibgp else (asn,),
        origin="igp",
        # BIRD gives one to every route.
        local_pref=100 if is_ibgp or talk.router.name == "bird" else None,
        is_stale=None if talk.router.name == "bird" else False,
    )


def known(route: Route) -> Route:
    """Without what a router adds of its own; FRR sets the metric of what has none to 0."""
    return replace(route, med=None if route.med == 0 else route.med)


@every_router
@pytest.mark.parametrize("feature", SESSIONS)
async def test_a_session_carries_routes_of_both_families(speaker: Speaker, feature: str, router: str) -> None:
    talk = speaker.open(feature, router)
    prefix4, prefix6 = "198.51.100.7/32", "2001:db8:1::7/128"
    talk.announce(prefix4, prefix6)
    agreement = await talk.established()
    assert agreement.families == {Family.IPV4, Family.IPV6}
    assert agreement.is_ibgp == feature.startswith("ibgp")
    table = await talk.table(prefix4, prefix6)
    ours = {Family.IPV4: text(talk.local.ipv4), Family.IPV6: text(talk.local.ipv6)}
    # The address that the session was opened from is the next hop of its family.
    assert ours[talk.feature.over] == talk.us
    of_ipv4 = Family.IPV6 if agreement.extended_next_hop and talk.feature.over is Family.IPV6 else Family.IPV4
    for prefix, hop in ((prefix4, ours[of_ipv4]), (prefix6, ours[Family.IPV6])):
        hops = table[prefix].next_hops
        assert known(table[prefix]) == expected(talk, hops)
        assert hops[0] == hop
        assert set(hops[1:]) <= {text(talk.local.link_local)}
    talk.withdraw(prefix4)
    await talk.table(prefix6)
    assert talk.ends == []


@every_router
async def test_a_session_of_one_family(speaker: Speaker, router: str) -> None:
    talk = speaker.open("ipv4-only", router)
    talk.announce("198.51.100.7/32", "2001:db8:1::7/128")
    assert (await talk.established()).families == {Family.IPV4}
    await talk.route("198.51.100.7/32")


# BIRD refuses whoever offers other capabilities, but not this one (2/7).
@pytest.mark.parametrize("router", ["frr", "gobgp"])
async def test_a_session_without_multiprotocol(speaker: Speaker, router: str) -> None:
    talk = speaker.open("ipv4-only", router, lambda ours: replace(ours, multiprotocol=False))
    talk.announce("198.51.100.7/32")
    await talk.established()
    await talk.route("198.51.100.7/32")


@every_router
@pytest.mark.parametrize(("feature", "remote_as"), [("ebgp", RemoteAS.EXTERNAL), ("ibgp", RemoteAS.INTERNAL)])
async def test_an_as_without_a_number(speaker: Speaker, feature: str, remote_as: RemoteAS, router: str) -> None:
    talk = speaker.open(feature, router, lambda ours: replace(ours, remote_asn=remote_as))
    assert (await talk.established()).remote_asn == ROUTER_ASN


@every_router
async def test_ipv4_routes_with_an_ipv6_next_hop(speaker: Speaker, router: str) -> None:
    talk = speaker.open("hop6", router)
    talk.announce("198.51.100.7/32")
    assert (await talk.established()).extended_next_hop
    route = await talk.route("198.51.100.7/32")
    assert route.next_hops[0] == talk.us


async def test_an_unnumbered_session(speaker: Speaker) -> None:
    talk = speaker.open(
        "ebgp", "frr", remote=lambda there: replace(there, address=None, source=None, interface=UNNUMBERED)
    )
    talk.us = UNNUMBERED
    talk.announce("198.51.100.7/32", "2001:db8:1::7/128")
    await talk.established()
    assert talk.local.link_local == talk.local.address
    for route in (await talk.table("198.51.100.7/32", "2001:db8:1::7/128")).values():
        assert text(talk.local.link_local) in route.next_hops


@every_router
async def test_a_wrong_password_is_silence(speaker: Speaker, router: str) -> None:
    before = speaker.site.counted(router, "TcpExtTCPMD5Failure")
    wrong = speaker.open("password", router, remote=lambda there: replace(there, password=b"other"))
    await until(lambda: speaker.site.counted(router, "TcpExtTCPMD5Failure") > before, "a refusal of the kernel")
    assert not wrong.router.session(wrong.us).is_established
    await wrong.neighbor.close(Cease.PEER_DECONFIGURED)
    await speaker.open("password", router).established()


@every_router
async def test_no_password_is_silence(speaker: Speaker, router: str) -> None:
    before = speaker.site.counted(router, "TcpExtTCPMD5NotFound")
    speaker.open("password", router, remote=lambda there: replace(there, password=None))
    await until(lambda: speaker.site.counted(router, "TcpExtTCPMD5NotFound") > before, "a refusal of the kernel")


@every_router
async def test_a_router_with_gtsm_does_not_hear_a_small_ttl(speaker: Speaker, router: str) -> None:
    before = speaker.site.counted(router, "TcpExtTCPMinTTLDrop")
    talk = speaker.open("gtsm", router, remote=lambda there: replace(there, hops=None))
    await until(lambda: speaker.site.counted(router, "TcpExtTCPMinTTLDrop") > before, "a refusal of the kernel")
    assert not talk.router.session(talk.us).is_established


@every_router
async def test_with_gtsm_we_do_not_hear_a_small_ttl(speaker: Speaker, router: str) -> None:
    before = speaker.site.counted("speaker", "TcpExtTCPMinTTLDrop")
    talk = speaker.open("ebgp", router, remote=lambda there: replace(there, hops=1))
    await until(lambda: speaker.site.counted("speaker", "TcpExtTCPMinTTLDrop") > before, "a refusal of the kernel")
    assert not talk.router.session(talk.us).is_established


@every_router
async def test_a_router_refuses_our_as(speaker: Speaker, router: str) -> None:
    talk = speaker.open("ebgp", router, lambda ours: replace(ours, local_asn=64999))
    ended = await talk.ended()
    assert ended.received is not None
    assert (ended.received.code, ended.received.subcode) == (2, 2)
    assert not ended.was_established


@every_router
async def test_we_refuse_the_as_of_a_router(speaker: Speaker, router: str) -> None:
    talk = speaker.open("ebgp", router, lambda ours: replace(ours, remote_asn=64998))
    ended = await talk.ended()
    assert ended.sent is not None
    assert (ended.sent.code, ended.sent.subcode) == (2, 2)
    assert str(ROUTER_ASN) in ended.why
    if router == "bird":
        # The others keep no record of a session that never was.
        await talk.said("Bad peer AS")


@every_router
async def test_two_routers_with_one_router_id(speaker: Speaker, router: str) -> None:
    talk = speaker.open(
        "ibgp", router, remote=lambda there: replace(there, router_id=octets(speaker.site.lab.address(router)))
    )
    ended = await talk.ended()
    told = ended.sent or ended.received
    assert told is not None
    assert (told.code, told.subcode) == (2, 3)


@every_router
async def test_a_shutdown_is_read_by_the_router(speaker: Speaker, router: str) -> None:
    talk = speaker.open("ebgp", router)
    await talk.established()
    await talk.neighbor.close(Cease.ADMINISTRATIVE_SHUTDOWN, "back at noon")
    await talk.said(*SHUTDOWN[router])


SHUTDOWN = {
    "frr": ["Administrative Shutdown", "back at noon"],
    "bird": ["Administrative shutdown", "back at noon"],
    "gobgp": ["back at noon"],
}


@every_router
async def test_a_router_that_is_told_too_much_says_so(speaker: Speaker, router: str) -> None:
    talk = speaker.open("limited", router)
    # FRR lets one more than it should go by.
    talk.announce(*(f"198.51.100.{number}/32" for number in range(8)))
    ended = await talk.ended()
    assert ended.was_established
    assert ended.received is not None
    assert (ended.received.code, ended.received.subcode) == (6, Cease.MAXIMUM_PREFIXES)


@every_router
async def test_what_a_router_tells_is_counted(speaker: Speaker, router: str) -> None:
    talk = speaker.open("told", router)
    await talk.established()
    await until(lambda: talk.neighbor.counts().received_prefixes == len(ORIGINATED), talk.neighbor.counts)
    assert talk.ends == []


@every_router
async def test_a_router_that_tells_too_much_is_told_so(speaker: Speaker, router: str) -> None:
    talk = speaker.open("told", router, lambda ours: replace(ours, maximum_prefixes=len(ORIGINATED) - 1))
    ended = await talk.ended()
    assert ended.sent is not None
    assert (ended.sent.code, ended.sent.subcode) == (6, Cease.MAXIMUM_PREFIXES)


async def test_a_router_that_says_nothing_any_more(speaker: Speaker) -> None:
    talk = speaker.open("silent", "bird", lambda ours: replace(ours, hold_time=3.0))
    assert (await talk.established()).hold_time == 3
    talk.router.freeze()
    try:
        ended = await talk.ended()
    finally:
        talk.router.thaw()
    assert ended.sent == Notification(4)
    await talk.established(2)


@every_router
async def test_a_router_that_is_killed_is_found_again(speaker: Speaker, router: str) -> None:
    talk = speaker.open("ebgp", router)
    talk.announce("198.51.100.7/32")
    await talk.route("198.51.100.7/32")
    talk.router.kill()
    assert (await talk.ended()).was_established
    talk.router.start()
    await talk.established(2)
    await talk.route("198.51.100.7/32")


# One after the other: a kernel has one password for an address, for whoever listens.
@pytest.mark.parametrize("feature", ["dials", "dials-password"])
async def test_routers_dial_us(speaker: Speaker, feature: str) -> None:
    speaker.transport.listen(179)
    passive = [speaker.open(feature, router, lambda ours: replace(ours, is_passive=True)) for router in ROUTERS]
    for talk in passive:
        talk.announce("198.51.100.7/32")
    for talk in passive:
        await talk.route("198.51.100.7/32")
        assert talk.neighbor.counts().established == 1


async def test_a_router_with_a_wrong_password_is_not_heard(speaker: Speaker) -> None:
    speaker.transport.listen(179)
    before = speaker.site.counted("speaker", "TcpExtTCPMD5Failure")
    talk = speaker.open(
        "dials-password",
        "bird",
        lambda ours: replace(ours, is_passive=True),
        lambda there: replace(there, password=b"other"),
    )
    await until(lambda: speaker.site.counted("speaker", "TcpExtTCPMD5Failure") > before, "a refusal of our kernel")
    assert talk.neighbor.state == "active"


@every_router
async def test_both_sides_dial(speaker: Speaker, router: str) -> None:
    speaker.transport.listen(179)
    there = speaker.site.router(router)
    # Its kernel takes our connection meanwhile; then it dials, and sees ours.
    there.freeze()
    try:
        talk = speaker.open("dials", router)
        talk.announce("198.51.100.7/32")
        # It may have sent its OPEN just before.
        await until(lambda: talk.neighbor.state in ("open-sent", "open-confirm"), lambda: talk.neighbor.state)
    finally:
        there.thaw()
    await talk.route("198.51.100.7/32")
    assert there.session(talk.us).is_established
    assert talk.neighbor.state == "established"
