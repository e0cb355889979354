"""
Packet sockets as the kernel gives them: made without a link, then bound to one, for one type of frame.

A filter stands before the first frame. What arrives on a link is shown to its sockets even where it is for a VLAN or a
macvlan on that link, so the filter has to tell them apart: see `filters`.
"""

import ctypes
import errno
import os
import socket
import struct

from reconciler.errors import ReconcilerError
from reconciler.l2.filters import Program, pack
from reconciler.l2.ring import ask_for_ring

# Constants that the socket module lacks: asm-generic/socket.h, linux/if_packet.h.
_SO_ATTACH_FILTER = 26
_SOL_PACKET = 263
_PACKET_IGNORE_OUTGOING = 23

_libc = ctypes.CDLL(None, use_errno=True)


class MissingCapabilityError(ReconcilerError):
    """The kernel does not let us open packet sockets: the message is one line that names NET_RAW."""

    def __init__(self) -> None:
        super().__init__("packet sockets need the capability NET_RAW, and user id 0 to have it in a container")


def make_packet_socket() -> socket.socket:
    """
    A non-blocking socket for whole frames, which are received through a `Ring` once it is bound to a link.

    What this node sends itself is not received. This takes the kernel some 15 ms.

    Raises:
        MissingCapabilityError: We may not.
        OSError: The kernel has no memory for its ring.
    """
    try:
        # Of no protocol, so that nothing arrives before it is bound.
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
    except PermissionError as exc:
        raise MissingCapabilityError from exc
    try:
        made.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        ask_for_ring(made)
    except BaseException:
        made.close()
        raise
    return made


def bind(made: socket.socket, index: int, ethernet_type: bytes, program: Program) -> None:
    """
    Receive what a filter lets through of one type on one link from now on.

    It is bound by the link's index: a name can be another link's a moment later.

    Raises:
        OSError: The link is gone.
    """
    _attach(made, program)
    _bind(made, index, ethernet_type)


def check_capability() -> None:
    """
    See whether packet sockets may be opened at all.

    Raises:
        MissingCapabilityError: They may not.
    """
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0).close()
    except PermissionError as exc:
        raise MissingCapabilityError from exc


def _attach(made: socket.socket, program: Program) -> None:
    instructions = ctypes.create_string_buffer(pack(program))
    made.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program), ctypes.addressof(instructions))
    )


def _bind(made: socket.socket, index: int, ethernet_type: bytes) -> None:
    # The socket module binds by name only. This is struct sockaddr_ll: family, type as on the wire, index, the rest.
    address = struct.pack("@H2si12x", socket.AF_PACKET, ethernet_type, index)
    if _libc.bind(made.fileno(), address, len(address)):
        number = ctypes.get_errno()
        raise OSError(number, f"{os.strerror(number)} (link {index}, {errno.errorcode.get(number, number)})")
