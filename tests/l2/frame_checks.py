"""
Our own frames, built and checked by scapy: a second opinion that shares no code with `arp` and `ndp`.

Heavy to import (0.2 s, 25 MiB). A running speaker has no use for it.
"""

import ipaddress

from reconciler.l2 import scapy_layers as layers

_BROADCAST = "ff:ff:ff:ff:ff:ff"
_NOBODY, _UNSPECIFIED = "00:00:00:00:00:00", ("0.0.0.0", "::")  # noqa: S104 - nobody's address
_ALL_NODES, _ALL_NODES_MAC = "ff02::1", "33:33:00:00:00:01"
_SOLICITED_NODE = bytes.fromhex("ff0200000000000000000001ff")
_REQUEST, _REPLY = 1, 2
_ARP_HEADER = {"hwtype": 1, "ptype": 0x0800, "hwlen": 6, "plen": 4}
# Ethernet and the first fields of ARP, up to the operation.
_OPERATION = slice(20, 22)


def build_gratuitous(mac: bytes, address: bytes, *, source: bytes | None = None) -> tuple[bytes, ...]:
    """
    What announces an address unasked, made by scapy: both ARP forms, or the unsolicited neighbour advertisement.

    Args:
        mac: Of the link.
        address: 4 or 16 octets.
        source: The IPv6 address that speaks; the announced one where there is none.
    """
    ours, announced = _mac(mac), _address(address)
    if len(address) == 4:
        request = layers.ARP(op=_REQUEST, hwsrc=ours, psrc=announced, hwdst=_NOBODY, pdst=announced)
        reply = layers.ARP(op=_REPLY, hwsrc=ours, psrc=announced, hwdst=ours, pdst=announced)
        return tuple(bytes(layers.Ether(dst=_BROADCAST, src=ours) / form) for form in (request, reply))
    speaker = _address(source) if source else announced
    header = layers.Ether(dst=_ALL_NODES_MAC, src=ours) / layers.IPv6(src=speaker, dst=_ALL_NODES, hlim=255)
    message = layers.ICMPv6ND_NA(R=0, S=0, O=1, tgt=announced) / layers.ICMPv6NDOptDstLLAddr(lladdr=ours)
    return (bytes(header / message),)


def check_gratuitous(frame: bytes, *, mac: bytes, address: bytes) -> list[str]:
    """What is wrong with an announcement of `address` by `mac`; empty when scapy finds it right."""
    ours, announced = _mac(mac), _address(address)
    if len(address) == 16:
        return _check_advertisement(frame, ours, announced, _ALL_NODES_MAC, _ALL_NODES, is_solicited=False)
    # Linux takes a reply for a gratuitous one only when its target hardware address is the sender's.
    is_reply = int.from_bytes(frame[_OPERATION], "big") == _REPLY
    expected = {
        "op": _REPLY if is_reply else _REQUEST,
        "psrc": announced,
        "hwdst": ours if is_reply else _NOBODY,
        "pdst": announced,
    }
    return _check_arp(frame, ours, _BROADCAST, expected)


def check_probe(frame: bytes, *, mac: bytes, address: bytes) -> list[str]:
    """What is wrong with a question by `mac` whether anybody has `address`; empty when scapy finds it right."""
    ours, wanted = _mac(mac), _address(address)
    if len(address) == 4:
        return _check_arp(
            frame, ours, _BROADCAST, {"op": _REQUEST, "psrc": _UNSPECIFIED[0], "hwdst": _NOBODY, "pdst": wanted}
        )
    group = _SOLICITED_NODE + address[13:]
    packet = layers.Ether(frame)
    complaints = _check_ipv6(packet, layers.ICMPv6ND_NS, ours, f"33:33:{_mac(group[12:])}")
    complaints += _differences(packet, layers.IPv6, {"src": _UNSPECIFIED[1], "dst": _address(group)})
    complaints += _differences(packet, layers.ICMPv6ND_NS, {"tgt": wanted})
    if layers.ICMPv6NDOptSrcLLAddr in packet:
        complaints.append("from :: it has a source link-layer address, which RFC 4861 section 7.1.1 forbids")
    return complaints


def check_answer(frame: bytes, *, mac: bytes, question: bytes) -> list[str]:
    """What is wrong with an answer by `mac` to a question, an ARP request or a solicitation; empty when it is right."""
    ours, asked = _mac(mac), layers.Ether(question)
    if layers.ARP in asked:
        request = asked[layers.ARP]
        expected = {"op": _REPLY, "psrc": request.pdst, "hwdst": request.hwsrc, "pdst": request.psrc}
        return _check_arp(frame, ours, asked.src, expected)
    if layers.ICMPv6ND_NS not in asked:
        return ["there was no question that scapy can read"]
    target, source = asked[layers.ICMPv6ND_NS].tgt, asked[layers.IPv6].src
    if source == _UNSPECIFIED[1]:
        return _check_advertisement(frame, ours, target, _ALL_NODES_MAC, _ALL_NODES, is_solicited=False)
    return _check_advertisement(frame, ours, target, asked.src, source, is_solicited=True)


def _check_arp(frame: bytes, ours: str, to_mac: str, expected: dict[str, object]) -> list[str]:
    packet = layers.Ether(frame)
    complaints = _differences(packet, layers.Ether, {"src": ours, "dst": to_mac, "type": 0x0806})
    return complaints + _differences(packet, layers.ARP, {**_ARP_HEADER, "hwsrc": ours, **expected})


def _check_advertisement(
    frame: bytes, ours: str, target: str, to_mac: str, to: str, *, is_solicited: bool
) -> list[str]:
    packet = layers.Ether(frame)
    flags = {"R": 0, "S": int(is_solicited), "O": 1}
    return [
        *_check_ipv6(packet, layers.ICMPv6ND_NA, ours, to_mac),
        *_differences(packet, layers.IPv6, {"dst": to}),
        *_differences(packet, layers.ICMPv6ND_NA, {"tgt": target, **flags}),
        *_differences(packet, layers.ICMPv6NDOptDstLLAddr, {"lladdr": ours, "len": 1}),
    ]


def _check_ipv6(packet: layers.Packet, kind: type[layers.Packet], ours: str, to_mac: str) -> list[str]:
    """What RFC 4861 asks of any such message: section 7.1."""
    complaints = _differences(packet, layers.Ether, {"src": ours, "dst": to_mac, "type": 0x86DD})
    complaints += _differences(packet, layers.IPv6, {"version": 6, "nh": 58, "hlim": 255})
    complaints += _differences(packet, kind, {"code": 0})
    if not complaints:
        # Without the sum scapy works it out while it writes, and without the length as well.
        again = packet.copy()
        del again[kind].cksum
        del again[layers.IPv6].plen
        right = layers.Ether(bytes(again))
        complaints += _differences(packet, kind, {"cksum": right[kind].cksum})
        complaints += _differences(packet, layers.IPv6, {"plen": right[layers.IPv6].plen})
    return complaints


def _differences(packet: layers.Packet, layer: type[layers.Packet], expected: dict[str, object]) -> list[str]:
    if layer not in packet:
        return [f"there is no {layer.__name__} in {len(packet)} octets"]
    found = {name: packet[layer].getfieldval(name) for name in expected}
    return [
        f"{layer.__name__}.{name} is {found[name]}, not {value}"
        for name, value in expected.items()
        if found[name] != value
    ]


def _mac(octets: bytes) -> str:
    return ":".join(f"{octet:02x}" for octet in octets)


def _address(octets: bytes) -> str:
    return str(ipaddress.ip_address(octets))
