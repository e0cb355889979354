"""Frames that other hosts send: the questions and claims of the tests of this room."""

from dataclasses import replace

from reconciler.l2 import arp, ndp
from reconciler.l2.ethernet import BROADCAST, NO_MAC
from tests.l2.addresses import ASKER, ASKER6, CLIENT


def arp_packet(
    target: bytes,
    *,
    operation: int = arp.Operation.REQUEST,
    sender: bytes = ASKER,
    sender_mac: bytes = CLIENT,
    to: bytes = BROADCAST,
) -> bytes:
    """An ARP frame; by default the broadcast question of a client."""
    return arp.encode(
        arp.ArpPacket(
            destination=to,
            source=sender_mac,
            operation=operation,
            sender_mac=sender_mac,
            sender_address=sender,
            target_mac=NO_MAC,
            target_address=target,
        )
    )


def solicitation(
    target: bytes,
    *,
    source: bytes = ASKER6,
    source_mac: bytes | None = CLIENT,
    ethernet_source: bytes = CLIENT,
    unicast_to: bytes | None = None,
) -> bytes:
    """A neighbour solicitation: to the group of its target, or straight to a MAC that is known already."""
    group = ndp.solicited_node_group(target)
    question = ndp.NeighborSolicitation(
        ethernet_destination=ndp.group_mac(group),
        ethernet_source=ethernet_source,
        source=source,
        destination=group,
        target=target,
        source_mac=source_mac,
    )
    if unicast_to is not None:
        question = replace(question, ethernet_destination=unicast_to, destination=target)
    return ndp.encode(question)


def damaged(frame: bytes, offset: int, value: int) -> bytes:
    """A neighbour frame with one octet changed, and its checksum right again where that is possible."""
    changed = bytearray(frame)
    changed[offset] = value
    if offset not in (56, 57):
        changed[56:58] = bytes(2)
        octets = bytes(changed)
        changed[56:58] = ndp.checksum(octets[22:38], octets[38:54], octets[54:]).to_bytes(2, "big")
    return bytes(changed)
