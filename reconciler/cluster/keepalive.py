"""Sockets that notice when the other side is gone without having said so."""

import socket
from typing import Any

# A silent connection is probed after 5 s and every 2 s from then on; 9 s without any answer end it.
_KEEPALIVE_IDLE_S, _KEEPALIVE_INTERVAL_S, _KEEPALIVE_PROBES, _UNANSWERED_MS = 5, 2, 3, 9_000


def kept_alive(address: tuple[Any, ...]) -> socket.socket:
    """A TCP socket for an address as `getaddrinfo` gives it, not connected yet."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    try:
        made.setblocking(False)  # noqa: FBT003 - takes no keyword
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            (socket.TCP_KEEPIDLE, _KEEPALIVE_IDLE_S),
            (socket.TCP_KEEPINTVL, _KEEPALIVE_INTERVAL_S),
            (socket.TCP_KEEPCNT, _KEEPALIVE_PROBES),
            (socket.TCP_USER_TIMEOUT, _UNANSWERED_MS),
        ):
            made.setsockopt(socket.IPPROTO_TCP, option, value)
    except OSError:
        made.close()
        raise
    return made
