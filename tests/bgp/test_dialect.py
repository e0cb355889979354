"""Next hops: which address a peer is told for routes of either family, by what the connection is."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address

import pytest

from reconciler.bgp.dialect import dialect_of
from reconciler.bgp.families import Family
from reconciler.bgp.parameters import Agreement, LocalEnd

_ID = b"\x0a\0\0\5"
_AGREEMENT = Agreement(
    remote_asn=65000,
    remote_router_id=b"\x0a\0\0\6",
    is_ibgp=False,
    hold_time=90.0,
    keepalive_time=30.0,
    families=frozenset(Family),
    four_octet_as=True,
    max_length=65535,
    route_refresh=True,
    enhanced_refresh=True,
    extended_next_hop=False,
    graceful_restart=None,
)


def octets(*texts: str) -> bytes:
    return b"".join(ip_address(text).packed for text in texts)


V4, GLOBAL, LINK_LOCAL = octets("10.0.0.5"), octets("2001:db8::5"), octets("fe80::5")


def local(address: bytes, *others: bytes, is_on_link: bool = True) -> LocalEnd:
    """An end at this address, on an interface that has these others."""
    return LocalEnd(
        address=address,
        router_id=_ID,
        ipv4=next((each for each in others if len(each) == 4), None),
        ipv6=next((each for each in others if len(each) == 16 and each[0] != 0xFE), None),
        link_local=next((each for each in others if each[0] == 0xFE), None),
        is_on_link=is_on_link,
    )


OVER_IPV4 = local(V4, V4, GLOBAL, LINK_LOCAL)
OVER_IPV6 = local(GLOBAL, V4, GLOBAL, LINK_LOCAL)
UNNUMBERED = local(LINK_LOCAL, LINK_LOCAL)


@pytest.mark.parametrize(
    ("end", "extended", "ipv4", "ipv6"),
    [
        pytest.param(OVER_IPV4, False, V4, GLOBAL, id="over IPv4"),
        pytest.param(replace(OVER_IPV4, ipv6=None), False, V4, None, id="over IPv4, without a global IPv6 address"),
        pytest.param(
            replace(OVER_IPV4, ipv4=octets("10.0.0.1")), False, V4, GLOBAL, id="over IPv4, not the first address"
        ),
        pytest.param(OVER_IPV6, False, V4, GLOBAL + LINK_LOCAL, id="over IPv6, on the link"),
        pytest.param(
            replace(OVER_IPV6, ipv6=octets("2001:db8::1")),
            False,
            V4,
            GLOBAL + LINK_LOCAL,
            id="over IPv6, not the first address",
        ),
        pytest.param(replace(OVER_IPV6, is_on_link=False), False, V4, GLOBAL, id="over IPv6, beyond the link"),
        pytest.param(replace(OVER_IPV6, link_local=None), False, V4, GLOBAL, id="over IPv6, without link-local"),
        pytest.param(
            replace(OVER_IPV6, ipv4=None), False, None, GLOBAL + LINK_LOCAL, id="over IPv6, without an IPv4 address"
        ),
        pytest.param(
            OVER_IPV6, True, GLOBAL + LINK_LOCAL, GLOBAL + LINK_LOCAL, id="over IPv6, IPv4 by IPv6, on the link"
        ),
        pytest.param(
            replace(OVER_IPV6, is_on_link=False, ipv4=None),
            True,
            GLOBAL,
            GLOBAL,
            id="over IPv6, IPv4 by IPv6, beyond the link",
        ),
        pytest.param(UNNUMBERED, True, LINK_LOCAL, LINK_LOCAL, id="over link-local addresses alone"),
        pytest.param(
            replace(UNNUMBERED, ipv4=V4, ipv6=GLOBAL),
            False,
            V4,
            LINK_LOCAL,
            id="over link-local addresses, with others",
        ),
    ],
)
def test_next_hops(end: LocalEnd, extended: bool, ipv4: bytes | None, ipv6: bytes | None) -> None:
    dialect = dialect_of(64512, replace(_AGREEMENT, extended_next_hop=extended), end)
    found: Mapping[Family, bytes | None] = {family: dialect.next_hops.get(family) for family in Family}
    assert found == {Family.IPV4: ipv4, Family.IPV6: ipv6}
    assert dialect.without_next_hop == {family for family, each in found.items() if each is None}


@pytest.mark.parametrize("family", Family)
def test_a_family_that_is_not_agreed_on_has_no_next_hop_and_lacks_none(family: Family) -> None:
    dialect = dialect_of(64512, replace(_AGREEMENT, families=frozenset({family})), OVER_IPV6)
    assert set(dialect.next_hops) == {family}
    assert not dialect.without_next_hop


@pytest.mark.parametrize("is_so", [False, True])
def test_the_rest_is_what_was_agreed(is_so: bool) -> None:
    agreement = replace(_AGREEMENT, is_ibgp=is_so, four_octet_as=is_so, enhanced_refresh=is_so)
    dialect = dialect_of(64512, agreement, OVER_IPV4)
    assert (dialect.is_ibgp, dialect.four_octet_as, dialect.enhanced_refresh) == (is_so, is_so, is_so)
    assert (dialect.local_asn, dialect.max_length) == (64512, 65535)
