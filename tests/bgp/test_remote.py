"""Where a peer is, and how far packets go."""

import pytest

from reconciler.bgp.families import Family
from reconciler.bgp.parameters import RemoteAS, SessionParameters
from reconciler.bgp.remote import Reach, Remote, is_link_local, reach_of, remote_text
from tests.bgp.host import octets


def parameters(remote_asn: int | RemoteAS, *, is_multihop: bool = False) -> SessionParameters:
    return SessionParameters(65001, remote_asn, frozenset({Family.IPV4}), is_multihop=is_multihop)


@pytest.mark.parametrize(
    ("session", "hops", "expected"),
    [
        pytest.param(parameters(65002), None, Reach(1), id="eBGP stays on the link"),
        pytest.param(parameters(RemoteAS.EXTERNAL), None, Reach(1), id="with any other AS too"),
        pytest.param(parameters(65002, is_multihop=True), None, Reach(255), id="multihop goes far"),
        pytest.param(parameters(65001), None, Reach(255), id="iBGP goes far"),
        pytest.param(parameters(RemoteAS.INTERNAL), None, Reach(255), id="iBGP by name goes far"),
        pytest.param(parameters(65002), 1, Reach(255, 255), id="one hop with GTSM"),
        pytest.param(parameters(65001), 3, Reach(255, 253), id="three hops with GTSM"),
        pytest.param(parameters(65001), 255, Reach(255, 1), id="all hops with GTSM"),
    ],
)
def test_reach(session: SessionParameters, hops: int | None, expected: Reach) -> None:
    assert reach_of(session, Remote(octets("192.0.2.14"), hops=hops)) == expected


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        pytest.param(Remote(octets("192.0.2.14")), "192.0.2.14:179", id="IPv4"),
        pytest.param(Remote(octets("2001:db8::14"), port=1790), "[2001:db8::14]:1790", id="IPv6"),
        pytest.param(Remote(octets("2001:db8::14"), "eth0"), "[2001:db8::14]:179", id="no scope where none is needed"),
        pytest.param(Remote(octets("fe80::14"), "eth0"), "[fe80::14%eth0]:179", id="link-local"),
        pytest.param(Remote(None, "eth0"), "eth0", id="unnumbered"),
    ],
)
def test_a_remote_as_people_write_it(remote: Remote, expected: str) -> None:
    assert remote_text(remote) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [("fe80::1", True), ("febf::1", True), ("fec0::1", False), ("2001:db8::1", False), ("254.128.0.1", False)],
)
def test_link_local_is_a_tenth_of_ten_bits(address: str, expected: bool) -> None:
    assert is_link_local(octets(address)) is expected


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(Remote(bytes(4), password=b"secret"))
