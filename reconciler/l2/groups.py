"""
The solicited-node groups of a link, joined as IPv6 groups, so that the kernel tells snooping switches of them by MLD.

What arrives is read elsewhere: nothing is ever received on these sockets.
"""

import contextlib
import errno
import socket
import struct
from collections import Counter
from collections.abc import Callable

from reconciler.l2.ndp import solicited_node_group
from reconciler.l2.socket_option import set_option


def _open_socket() -> socket.socket:
    return socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)


# A socket that has no option memory left (net.core.optmem_max) refuses with either.
_FULL = frozenset({errno.ENOBUFS, errno.ENOMEM})


class Groups:
    """
    The groups of the addresses on one link: joined with the first address, left with the last.

    Args:
        index: Of the link.
        open_socket: Makes a datagram socket of IPv6.
    """

    def __init__(self, index: int, open_socket: Callable[[], socket.socket] = _open_socket) -> None:
        self._index = index
        self._open_socket = open_socket
        self._wanted: Counter[bytes] = Counter()
        self._joined: dict[bytes, socket.socket] = {}
        self._sockets: list[socket.socket] = []
        # Made at once, so that it belongs to the network namespace that the link was opened in; a kernel without IPv6
        # has none to give, and says so when a group is joined.
        with contextlib.suppress(OSError):
            self._sockets.append(open_socket())

    def join(self, address: bytes) -> None:
        """
        Join the group of an address.

        Raises:
            OSError: The kernel refuses. The group stays wanted: `join_missing` and `rejoin` try again.
        """
        group = solicited_node_group(address)
        self._wanted[group] += 1
        if group not in self._joined:
            self._enter(group)

    def leave(self, address: bytes) -> None:
        """Leave the group of an address, unless another address needs it."""
        group = solicited_node_group(address)
        self._wanted[group] -= 1
        if not self._wanted[group]:
            del self._wanted[group]
            self._exit(group)

    def rejoin(self) -> None:
        """
        Join everything anew, and so say it to the switches again.

        The kernel forgets the groups of a link whose MTU was below the 1280 that IPv6 needs, and says nothing of it; it
        keeps those of a link that was down, or on which IPv6 was disabled. A switch forgets them when its port was
        down, and may not listen to what was said before the link had a link-local address to say it from.

        Raises:
            OSError: The kernel refuses a group; the others are joined.
        """
        for group in self._wanted:
            self._exit(group)
        self.join_missing()

    @property
    def is_missing(self) -> bool:
        """Whether a group is wanted that the kernel has refused."""
        return len(self._joined) < len(self._wanted)

    def join_missing(self) -> None:
        """
        Join what the kernel has refused so far.

        Raises:
            OSError: It refuses a group again; the others are joined.
        """
        refused: OSError | None = None
        for group in self._wanted.keys() - self._joined.keys():
            try:
                self._enter(group)
            except OSError as exc:
                refused = exc
        if refused is not None:
            raise refused

    def close(self) -> None:
        """Leave everything."""
        for held in self._sockets:
            held.close()
        self._sockets.clear()
        self._joined.clear()
        self._wanted.clear()

    def _enter(self, group: bytes) -> None:
        # The newest first: those before it are full, but for what was left since.
        for held in reversed(self._sockets):
            if self._set(held, group):
                return
        held = self._open_socket()
        self._sockets.append(held)
        if not self._set(held, group):
            raise OSError(errno.ENOBUFS, "net.core.optmem_max is too little for one group")

    def _set(self, held: socket.socket, group: bytes) -> bool:
        try:
            set_option(held, socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, self._request(group))
        except OSError as exc:
            if exc.errno in _FULL:
                return False
            raise
        self._joined[group] = held
        return True

    def _exit(self, group: bytes) -> None:
        held = self._joined.pop(group, None)
        if held is None:
            return
        # The kernel may have forgotten it with the link.
        with contextlib.suppress(OSError):
            set_option(held, socket.IPPROTO_IPV6, socket.IPV6_LEAVE_GROUP, self._request(group))

    def _request(self, group: bytes) -> bytes:
        return group + struct.pack("@I", self._index)
