"""What an independent decoder, tshark, makes of our messages: every one is what we meant, and none is malformed."""

import json
import struct
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.bgp.attributes import path_attributes
from reconciler.bgp.dialect import Dialect
from reconciler.bgp.families import Family, prefix_of
from reconciler.bgp.messages import (
    KEEPALIVE,
    RouteRefresh,
    Subtype,
    encode_notification,
    encode_open,
    encode_route_refresh,
)
from reconciler.bgp.negotiation import open_of
from reconciler.bgp.notification import Cease, cease, hard_reset
from reconciler.bgp.parameters import LocalEnd, RemoteAS, SessionParameters
from reconciler.bgp.routes import RouteAttributes
from reconciler.bgp.updates import UpdateForm, end_of_rib
from tests.routers.router import need

_RAW_IP = 101
_SOURCE, _DESTINATION = bytes((192, 0, 2, 10)), bytes((192, 0, 2, 14))
_GLOBAL = bytes.fromhex("20010db8000000000000000000000005")
_LINK_LOCAL = bytes.fromhex("fe800000000000000000000000000005")
_EXTERNAL = Dialect(
    local_asn=4_200_000_001,
    is_ibgp=False,
    four_octet_as=True,
    max_length=4096,
    next_hops={Family.IPV4: _SOURCE, Family.IPV6: _GLOBAL + _LINK_LOCAL},
)
_BY_IPV6 = replace(_EXTERNAL, next_hops={Family.IPV4: _GLOBAL})
_OF_OLD = replace(_EXTERNAL, four_octet_as=False)
_ATTRIBUTES = RouteAttributes(
    local_pref=300, communities=(0xFC00_0001, 0xFFFFFF02), large_communities=((4_200_000_001, 1, 2),)
)
_MANY = RouteAttributes(communities=tuple(range(200)))
_HOSTS = [prefix_of(bytes((198, 51, 100, last)), 32) for last in range(200)]
_NETWORKS6 = [prefix_of(_GLOBAL, 64), prefix_of(_GLOBAL, 128), prefix_of(_GLOBAL, 0)]


def _opening() -> bytes:
    parameters = SessionParameters(
        local_asn=4_200_000_001, remote_asn=RemoteAS.EXTERNAL, families=frozenset(Family), graceful_restart=True
    )
    local = LocalEnd(address=_GLOBAL, router_id=b"\x0a\0\0\5")
    return encode_open(open_of(parameters, local, is_restarting=True))


def _update(dialect: Dialect, family: Family, prefixes: list[bytes], attributes: RouteAttributes) -> bytes:
    found = path_attributes(dialect, family, attributes)
    assert found is not None
    return _form(dialect, family).announcement(found, b"".join(prefixes))


def _form(dialect: Dialect, family: Family) -> UpdateForm:
    return UpdateForm(family, dialect.next_hops[family], dialect.max_length)


def _capture(path: Path, messages: list[bytes]) -> None:
    """One TCP segment for each message, between port 50000 and BGP's."""
    octets = struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 16, _RAW_IP)
    sequence = 1
    for number, message in enumerate(messages):
        segment = struct.pack("!HHIIBBHHH", 50_000, 179, sequence, 1, 5 << 4, 0x18, 65_535, 0, 0) + message
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), number, 0, 64, 6, 0)
        packet = head + _SOURCE + _DESTINATION + segment
        octets += struct.pack("=IIII", number, 0, len(packet), len(packet)) + packet
        sequence += len(message)
    path.write_bytes(octets)


def _decode(path: Path, messages: list[bytes]) -> list[Any]:
    """What tshark says of each message: fields by their names, nested as they stand in it."""
    need("tshark", "tshark")
    _capture(path, messages)
    command = ["tshark", "-n", "-r", str(path), "-T", "json", "--no-duplicate-keys"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return [packet["_source"]["layers"] for packet in json.loads(done.stdout)]


def _values(layers: Any, field: str) -> list[str]:
    """All values of a field, wherever it stands."""
    if isinstance(layers, list):
        return [value for each in layers for value in _values(each, field)]
    if not isinstance(layers, dict):
        return []
    found = layers.get(field, [])
    below = [value for each in layers.values() for value in _values(each, field)]
    return [*(found if isinstance(found, list) else [found]), *below]


def _complaints(layers: Any) -> list[str]:
    return [*_values(layers, "_ws.expert.message"), *(each for each in layers if each.startswith("_ws."))]


# Our messages, and what must be found in them: the decoder's names of fields, and their values.
_PATH = "bgp.update.path_attribute"
_MP = f"{_PATH}.mp_reach_nlri"
_COMMUNITIES = {
    f"{_PATH}.community_as": ["64512"],
    f"{_PATH}.community_value": ["1"],
    f"{_PATH}.community_wellknown": ["0xffffff02"],
    "bgp.large_communities.ga": ["4200000001"],
    "bgp.large_communities.ldp1": ["1"],
    "bgp.large_communities.ldp2": ["2"],
}
_TEXTS = [f"198.51.100.{last}" for last in range(200)]
_TEXTS6 = ["2001:db8::", "2001:db8::5", "::"]
MESSAGES: dict[str, tuple[bytes, dict[str, list[str]]]] = {
    "OPEN": (
        _opening(),
        {
            "bgp.type": ["1"],
            "bgp.open.myas": ["23456"],
            "bgp.open.identifier": ["10.0.0.5"],
            "bgp.cap.type": ["1", "1", "65", "2", "5", "6", "64", "70"],
            "bgp.cap.mp.afi": ["1", "2"],
            "bgp.cap.4as": ["4200000001"],
            "bgp.cap.enh.nhafi": ["2"],
            "bgp.cap.gr.timers.restart_flag": ["1"],
            "bgp.cap.gr.timers.notification_flag": ["1"],
            "bgp.cap.gr.timers.restart_time": ["120"],
            "bgp.cap.gr.afi": ["1", "2"],
            "bgp.cap.gr.flag.pfs": ["1", "1"],
        },
    ),
    "KEEPALIVE": (KEEPALIVE, {"bgp.type": ["4"]}),
    "UPDATE to another AS": (
        _update(_EXTERNAL, Family.IPV4, _HOSTS, _ATTRIBUTES),
        {
            "bgp.type": ["2"],
            f"{_PATH}.type_code": ["1", "2", "3", "8", "32"],
            f"{_PATH}.as_path_segment.as4": ["4200000001"],
            f"{_PATH}.next_hop": ["192.0.2.10"],
            "bgp.nlri_prefix": _TEXTS,
            **_COMMUNITIES,
        },
    ),
    "UPDATE within the AS": (
        _update(replace(_EXTERNAL, is_ibgp=True), Family.IPV4, _HOSTS, _ATTRIBUTES),
        {
            f"{_PATH}.type_code": ["1", "2", "3", "5", "8", "32"],
            f"{_PATH}.as_path_segment.as4": [],
            f"{_PATH}.local_pref": ["300"],
            "bgp.nlri_prefix": _TEXTS,
            **_COMMUNITIES,
        },
    ),
    "UPDATE to a peer that knows two octets": (
        _update(_OF_OLD, Family.IPV4, _HOSTS[:1], _ATTRIBUTES),
        {
            f"{_PATH}.type_code": ["1", "2", "3", "8", "17", "32"],
            f"{_PATH}.as_path_segment.as2": ["23456"],
            f"{_PATH}.as_path_segment.as4": ["4200000001"],
            "bgp.nlri_prefix": _TEXTS[:1],
        },
    ),
    "UPDATE of IPv6": (
        _update(_EXTERNAL, Family.IPV6, _NETWORKS6, _ATTRIBUTES),
        {
            f"{_PATH}.type_code": ["14", "1", "2", "8", "32"],
            f"{_MP}.next_hop.ipv6": ["2001:db8::5"],
            f"{_MP}.next_hop.ipv6.link_local": ["fe80::5"],
            "bgp.mp_reach_nlri_ipv6_prefix": _TEXTS6,
            "bgp.prefix_length": ["64", "128", "0"],
            **_COMMUNITIES,
        },
    ),
    "UPDATE of IPv4 by IPv6": (
        _update(_BY_IPV6, Family.IPV4, _HOSTS, _ATTRIBUTES),
        {
            f"{_PATH}.type_code": ["14", "1", "2", "8", "32"],
            f"{_MP}.next_hop.ipv6": ["2001:db8::5"],
            "bgp.mp_reach_nlri_ipv4_prefix": _TEXTS,
        },
    ),
    "UPDATE with 200 communities": (
        _update(_EXTERNAL, Family.IPV4, _HOSTS[:1], _MANY),
        {f"{_PATH}.length": ["1", "6", "4", "800"], "bgp.nlri_prefix": _TEXTS[:1]},
    ),
    "UPDATE that withdraws": (
        _form(_EXTERNAL, Family.IPV4).withdrawal(b"".join(_HOSTS)),
        {"bgp.withdrawn_prefix": _TEXTS, f"{_PATH}.type_code": []},
    ),
    "UPDATE that withdraws IPv6": (
        _form(_EXTERNAL, Family.IPV6).withdrawal(b"".join(_NETWORKS6)),
        {"bgp.mp_unreach_nlri_ipv6_prefix": _TEXTS6, f"{_PATH}.type_code": ["15"]},
    ),
    "End-of-RIB": (end_of_rib(Family.IPV4), {"bgp.length": ["23"], "bgp.type": ["2"]}),
    "End-of-RIB of IPv6": (
        end_of_rib(Family.IPV6),
        {f"{_PATH}.mp_unreach_nlri.afi": ["2"], f"{_PATH}.length": ["3"], f"{_PATH}.type_code": ["15"]},
    ),
    **{
        f"ROUTE-REFRESH, {subtype.name}": (
            encode_route_refresh(RouteRefresh(Family.IPV6, subtype)),
            {
                "bgp.type": ["5"],
                "bgp.route_refresh.afi": ["2"],
                "bgp.route_refresh.subtype": [str(int(subtype))],
                "bgp.route_refresh.safi": ["1"],
            },
        )
        for subtype in Subtype
    },
    "NOTIFICATION, shutdown": (
        encode_notification(cease(Cease.ADMINISTRATIVE_SHUTDOWN, "maint")),
        {
            "bgp.notify.major_error": ["6"],
            "bgp.notify.minor_error_cease": ["2"],
            "bgp.notify.communication": ["maint"],
        },
    ),
    "NOTIFICATION, hard reset": (
        encode_notification(hard_reset(cease(Cease.ADMINISTRATIVE_RESET, "maint"))),
        {"bgp.notify.minor_error_cease": ["9"], "bgp.notify.minor_data": ["06:04:05:6d:61:69:6e:74"]},
    ),
}


@pytest.fixture(scope="module")
def decoded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every message by its name, as the decoder sees it."""
    path = tmp_path_factory.mktemp("capture") / "messages.pcap"
    found = _decode(path, [octets for octets, _ in MESSAGES.values()])
    return dict(zip(MESSAGES, found, strict=True))


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_means_to_others_what_we_meant(decoded: dict[str, Any], name: str) -> None:
    layers, (_, expected) = decoded[name], MESSAGES[name]
    assert not _complaints(layers)
    assert {field: _values(layers["bgp"], field) for field in expected} == expected


def test_the_decoder_complains_of_what_is_malformed(tmp_path: Path) -> None:
    octets = bytearray(_update(_EXTERNAL, Family.IPV4, _HOSTS, _ATTRIBUTES))
    # The length of AS_PATH.
    octets[29] += 200
    (layers,) = _decode(tmp_path / "malformed.pcap", [bytes(octets)])
    assert _complaints(layers)
