"""
Many frames out in one call of the kernel: sendmmsg, which the socket module lacks.

It is called without giving up the interpreter lock: it never waits, and a thread that gives the lock up for a few
microseconds gets it back only when the other thread has used up its time slice.
"""

import ctypes
import errno
import mmap
import os
import socket
from collections.abc import Sequence

# Frames in one call. More does not make a frame cheaper, and keeps who waits for the end of a batch waiting.
SIZE = 32
# Octets; no answer is longer.
_SLOT = 128

_libc = ctypes.PyDLL(None, use_errno=True)


class _Vector(ctypes.Structure):
    """`struct iovec`."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    """`struct msghdr`."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Header(ctypes.Structure):
    """`struct mmsghdr`: a message and the length of what was moved."""

    _fields_ = (("message", _Message), ("moved", ctypes.c_uint))


_libc.sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)


class Batch:
    """Memory for SIZE frames, each in a place of its own, and the headers that point there. For one thread."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, SIZE * _SLOT)
        base = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._vectors = (_Vector * SIZE)(*(_Vector(base + i * _SLOT, 0) for i in range(SIZE)))
        at, size = ctypes.addressof(self._vectors), ctypes.sizeof(_Vector)
        self._headers = (_Header * SIZE)(
            *(_Header(_Message(vectors=at + i * size, vector_count=1)) for i in range(SIZE))
        )
        self._address = ctypes.addressof(self._headers)
        # Writing one integer through a view is cheaper by half than through the structure.
        self._lengths = memoryview(self._vectors).cast("B").cast("L")[1::2]

    def send(self, descriptor: int, frames: Sequence[bytes]) -> int:
        """
        Send frames, SIZE at most, and give how many the kernel has taken: it may have no room for the last ones.

        Raises:
            OSError: It has taken none.
        """
        memory, lengths = self._memory, self._lengths
        for i, frame in enumerate(frames):
            start, length = i * _SLOT, len(frame)
            memory[start : start + length] = frame
            lengths[i] = length
        count: int = _libc.sendmmsg(descriptor, self._address, len(frames), socket.MSG_DONTWAIT)
        if count < 0:
            _raise_unless_busy()
            return 0
        return count


def _raise_unless_busy() -> None:
    number = ctypes.get_errno()
    if number not in (errno.EAGAIN, errno.EINTR):
        raise OSError(number, os.strerror(number))
