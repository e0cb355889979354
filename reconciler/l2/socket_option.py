"""
Options of sockets that the kernel takes its time for, set without holding the interpreter lock meanwhile.

The socket module holds it: a ring takes the kernel some 15 ms, and a group as long as somebody else changes links.
Whoever answers would wait for as long.
"""

import ctypes
import os
import socket

_libc = ctypes.CDLL(None, use_errno=True)
_libc.setsockopt.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)


def set_option(made: socket.socket, level: int, option: int, value: bytes) -> None:
    """
    Set one option.

    Raises:
        OSError: The kernel refuses it.
    """
    if _libc.setsockopt(made.fileno(), level, option, value, len(value)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
