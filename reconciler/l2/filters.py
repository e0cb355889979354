"""
Which frames the kernel hands to us, as programs of its classic packet filter. Data only: `packet_socket` attaches them.

A filter keeps the traffic of a node out of the process; it is not a check. Whatever passes is read as if nothing had
been checked.
"""

import struct
from typing import NamedTuple

from reconciler.l2 import ndp

# Octets of a frame that are handed over; the rest is cut off. Those of a neighbour message with a hundred octets of
# options, and nobody sends longer ones.
SNAP_LENGTH = 176

# linux/if_packet.h: what the kernel thinks of a frame's destination.
_OTHER_HOST, _OUTGOING = 3, 4
# linux/filter.h: loads from here on read what the kernel knows about a frame instead of its octets; +4 is the above,
# +8 the index of the link that the frame is for.
_PACKET_TYPE, _LINK_INDEX = 0xFFFFF000 + 4, 0xFFFFF000 + 8
_LOAD_WORD, _LOAD_HALF, _LOAD_BYTE, _IF_EQUAL, _RETURN = 0x20, 0x28, 0x30, 0x15, 0x06


class Instruction(NamedTuple):
    """One `struct sock_filter`. A jump skips that many instructions, if its condition holds or if not."""

    code: int
    if_true: int
    if_false: int
    operand: int


Program = tuple[Instruction, ...]


def pack(program: Program) -> bytes:
    """The octets that the kernel reads: an array of `struct sock_filter`, in the order of this machine."""
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def arp(index: int) -> Program:
    """Requests, replies, and by them every way in which an address is claimed: type Ethernet, operation 1 or 2."""
    return _accept_when(index, (_LOAD_HALF, 12, (0x0806,)), (_LOAD_HALF, 14, (1,)), (_LOAD_HALF, 20, (1, 2)))


def neighbor_discovery(index: int) -> Program:
    """Neighbour messages directly after the IPv6 header: with an extension header they are not answered by anybody."""
    return _accept_when(
        index,
        (_LOAD_HALF, 12, (0x86DD,)),
        (_LOAD_BYTE, 20, (ndp.NEXT_HEADER,)),
        (_LOAD_BYTE, ndp.MESSAGE_OFFSET, (ndp.SOLICITATION, ndp.ADVERTISEMENT)),
    )


def _accept_when(index: int, *conditions: tuple[int, int, tuple[int, ...]]) -> Program:
    """
    Accept a frame that is for us on one link, and of which each condition holds.

    The sockets of a link see every frame that came by it. One for a VLAN or a macvlan on that link is seen as the child
    sees it, without its tag and as if it were for us: that it is the child's is told by the index alone. A tag that no
    interface takes is gone as well: such a frame is marked as another host's.

    Args:
        index: Of the link that the socket is bound to.
        conditions: How to load, from which offset, and the values of which one must be found there.
    """
    length = 5 + sum(1 + len(values) for _, _, values in conditions) + 2
    reject = length - 1
    program = [
        Instruction(_LOAD_WORD, 0, 0, _LINK_INDEX),
        Instruction(_IF_EQUAL, 0, reject - 2, index),
        Instruction(_LOAD_BYTE, 0, 0, _PACKET_TYPE),
        Instruction(_IF_EQUAL, reject - 4, 0, _OTHER_HOST),
        Instruction(_IF_EQUAL, reject - 5, 0, _OUTGOING),
    ]
    for code, offset, values in conditions:
        program.append(Instruction(code, 0, 0, offset))
        for left, value in zip(range(len(values) - 1, -1, -1), values, strict=True):
            miss = 0 if left else reject - len(program) - 1
            program.append(Instruction(_IF_EQUAL, left, miss, value))
    return (*program, Instruction(_RETURN, 0, 0, SNAP_LENGTH), Instruction(_RETURN, 0, 0, 0))
