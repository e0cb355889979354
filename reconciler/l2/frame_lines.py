"""What a frame says, in one line for people, as scapy reads it. Heavy to import: see `dissect`."""

from reconciler.l2 import scapy_layers as layers
from reconciler.l2.ethernet import HEADER_LENGTH

_NOBODY = ("0.0.0.0", "::")  # noqa: S104 - the sender of a probe


def read_line(frame: bytes) -> str:
    """
    One line about a frame, as its sender wrote it: nothing is cleaned or cut.

    Raises:
        Exception: Whatever a dissector meets in hostile octets.
    """
    if len(frame) < HEADER_LENGTH:
        return f"{len(frame)} octets, too few for a frame"
    packet = layers.Ether(frame)
    return _arp_line(packet) or _ndp_line(packet) or str(packet.summary())


def _arp_line(packet: layers.Packet) -> str | None:
    if layers.ARP not in packet:
        return None
    arp = packet[layers.ARP]
    match arp.op:
        case 1 if arp.psrc == _NOBODY[0]:
            line = f"ARP probe for {arp.pdst} by {arp.hwsrc}"
        case 1 | 2 if arp.psrc == arp.pdst:
            line = f"ARP announcement: {arp.psrc} is at {arp.hwsrc}"
        case 1:
            line = f"ARP request for {arp.pdst} from {arp.psrc} at {arp.hwsrc}"
        case 2:
            line = f"ARP reply to {arp.pdst}: {arp.psrc} is at {arp.hwsrc}"
        case _:
            line = f"ARP operation {arp.op} from {arp.psrc} at {arp.hwsrc}"
    return line if packet.src == arp.hwsrc else f"{line}, sent by {packet.src}"


def _ndp_line(packet: layers.Packet) -> str | None:
    if layers.ICMPv6ND_NA in packet:
        message = packet[layers.ICMPv6ND_NA]
        flags = " ".join(name for name in "RSO" if message.getfieldval(name)) or "none"
        option = message.payload
        at = option.lladdr if isinstance(option, layers.ICMPv6NDOptDstLLAddr) else packet.src
        to = packet[layers.IPv6].dst
        line = f"neighbour advertisement to {to}: {message.tgt} is at {at}, flags {flags}"
        return line if packet.src == at else f"{line}, sent by {packet.src}"
    if layers.ICMPv6ND_NS in packet:
        target, source = packet[layers.ICMPv6ND_NS].tgt, packet[layers.IPv6].src
        if source == _NOBODY[1]:
            return f"duplicate address probe for {target} by {packet.src}"
        return f"neighbour solicitation for {target} from {source} at {packet.src}"
    return None
