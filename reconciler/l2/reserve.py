"""
Packet sockets with their rings, made before they are needed and closed after.

The kernel waits for all of its processors before it hands out a ring and before it takes one back, 15 to 30 ms each
time. Neither the event loop nor a new address is to wait that long.
"""

import socket
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from reconciler.l2.packet_socket import MissingCapabilityError, make_packet_socket

# Two for a link: as many links as most nodes have. Each holds the memory of its ring, but none of this process's.
_READY = 8
_THREADS = 4


class Reserve:
    """A few sockets that belong to no link yet, in the network namespace of the thread that makes the reserve."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, "packet-sockets")
        self._made: deque[Future[socket.socket]] = deque()
        for _ in range(_READY):
            self._order()

    def take(self) -> socket.socket:
        """
        A socket; at once, unless many were taken before it.

        Raises:
            MissingCapabilityError: We may not have one.
            OSError: The kernel has none to give.
        """
        taken = self._made.popleft()
        self._order()
        try:
            return taken.result()
        except (OSError, MissingCapabilityError):
            # That was some time ago.
            return self._pool.submit(make_packet_socket).result()

    def give_back(self, taken: socket.socket) -> None:
        """Close a socket that was taken, some milliseconds later."""
        self._pool.submit(taken.close)

    def close(self) -> None:
        """Close what was not taken; returns when everything is closed."""
        for made in self._made:
            made.add_done_callback(_close)
        self._made.clear()
        self._pool.shutdown()

    def _order(self) -> None:
        self._made.append(self._pool.submit(make_packet_socket))


def _close(made: Future[socket.socket]) -> None:
    if made.exception() is None:
        made.result().close()
