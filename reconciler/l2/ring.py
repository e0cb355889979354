"""
Frames in memory that the kernel shares with us: TPACKET_V2 of packet(7).

The kernel writes what arrives into the slots of a ring, one after the other, and marks each as ours; we mark it as the
kernel's again once we have read it. A frame so costs no call of the kernel, and none of the times that the interpreter
lock would be given up for one.
"""

import mmap
import socket
import struct

from reconciler.l2.socket_option import set_option

# linux/if_packet.h.
_SOL_PACKET = 263
_PACKET_RX_RING, _PACKET_STATISTICS, _PACKET_VERSION = 5, 6, 10
_TPACKET_V2 = 1
_STATUS_KERNEL, _STATUS_USER = 0, 1

# A frame stands behind some 70 octets of what the kernel says about it; see `filters.SNAP_LENGTH`.
_SLOT = 256
# What may wait to be answered: a burst that comes while the machine lets nobody run for some milliseconds.
_SLOTS = 1024
_BLOCK = 1 << 16
_SIZE = _SLOT * _SLOTS
# struct tpacket_stats: frames that passed the filter, and those of them that were lost.
_STATISTICS = struct.Struct("@II")


def ask_for_ring(made: socket.socket) -> None:
    """
    Have the kernel make the ring of a packet socket; nothing is received otherwise from here on.

    Raises:
        OSError: It has no memory for it, a quarter of a mebibyte.
    """
    made.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V2)
    set_option(made, _SOL_PACKET, _PACKET_RX_RING, struct.pack("@IIII", _BLOCK, _SIZE // _BLOCK, _SLOT, _SLOTS))


def frames_lost(made: socket.socket) -> int:
    """The frames that found the ring full since this was last asked."""
    _, lost = _STATISTICS.unpack(made.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, _STATISTICS.size))
    return int(lost)


class Ring:
    """The ring of one packet socket. For one thread."""

    def __init__(self, made: socket.socket) -> None:
        self._memory = mmap.mmap(made.fileno(), _SIZE)
        # struct tpacket2_hdr: status, length on the wire, length here, and 16 bits of where the frame begins.
        self._integers = memoryview(self._memory).cast("I")
        self._status = self._integers[0 :: _SLOT // 4]
        self._lengths = self._integers[2 :: _SLOT // 4]
        self._shorts = memoryview(self._memory).cast("H")
        self._offsets = self._shorts[6 :: _SLOT // 2]
        self._next = 0

    def take(self, most: int) -> list[bytes]:
        """The frames that have arrived, oldest first, so many at most."""
        memory, status, lengths, offsets = self._memory, self._status, self._lengths, self._offsets
        slot = self._next
        frames: list[bytes] = []
        while status[slot] & _STATUS_USER and len(frames) < most:
            start = slot * _SLOT + offsets[slot]
            frames.append(memory[start : start + lengths[slot]])
            status[slot] = _STATUS_KERNEL
            slot = (slot + 1) % _SLOTS
        self._next = slot
        return frames

    def close(self) -> None:
        """Give the memory back."""
        for view in (self._status, self._lengths, self._offsets, self._integers, self._shorts):
            view.release()
        self._memory.close()
