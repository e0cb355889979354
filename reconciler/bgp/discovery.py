"""
The other end of an unnumbered link: we advertise ourselves as a router, and learn its address when it does.

An advertisement of ours has the lifetime 0, so no host on the link takes us for a way out. FRR, which refuses our
connections until it has heard one, does not ask for more.
"""

import asyncio
import fcntl
import random
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from math import inf

from reconciler.bgp.remote import LARGEST_TTL
from reconciler.bgp.router_advertisements import (
    ADVERTISEMENT,
    ALL_NODES,
    ALL_ROUTERS,
    SOLICITATION,
    AdvertisementError,
    RouterAdvertisement,
    RouterSolicitation,
    decode,
    encode,
)
from reconciler.bgp.sockets import TransportError

# Seconds between advertisements, drawn anew each time; the least after which a question is answered (RFC 4861 6.2.6).
_INTERVAL = 8.0, 10.0
_LEAST_INTERVAL = 3.0
# An interface may come, go or be replaced by another of the same name.
_LOOK_INTERVAL = 1.0
_LIFETIME = 0

# linux/icmpv6.h, linux/in6.h, linux/sockios.h; the socket module does not name them.
_ICMP6_FILTER = 1
_SIOCGIFHWADDR = 0x8927
_ARPHRD_ETHER = 1
_GROUP = struct.Struct("=16sI")
_NUMBER = struct.Struct("=i")
_LARGEST_MESSAGE = 2048
_ANCILLARY_SPACE = socket.CMSG_SPACE(_NUMBER.size)
# What arrived in one turn is read; more waits.
_BATCH = 64


class Discovery:
    """One interface; `start` and `stop` it in the event loop."""

    def __init__(
        self, interface: str, on_found: Callable[[bytes], None], on_problem: Callable[[str | None], None]
    ) -> None:
        """
        Args:
            interface: Of an unnumbered link.
            on_found: Called with the link-local address of the other end, when it is heard first or is another one.
            on_problem: Called with what is in the way; None where nothing is.
        """
        self._interface = interface
        self._on_found = on_found
        self._on_problem = on_problem
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = None
        self._index = 0
        self._known: bytes | None = None
        self._known_at = -inf
        self._sent, self._due = -inf, -inf
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Advertise and listen, until `stop`; what is in the way is tried again."""
        self._look()

    def stop(self) -> None:
        """Give the socket back."""
        if self._timer is not None:
            self._timer.cancel()
        self._close()

    def _look(self) -> None:
        try:
            self._keep_open()
            if self._loop.time() >= self._due:
                self._advertise()
        except TransportError as exc:
            self._close()
            self._on_problem(str(exc))
        else:
            self._on_problem(None)
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        until_due = self._due - self._loop.time() if self._socket is not None else inf
        self._timer = self._loop.call_later(max(0.0, min(until_due, _LOOK_INTERVAL)), self._look)

    def _keep_open(self) -> None:
        try:
            index = socket.if_nametoindex(self._interface)
        except OSError as exc:
            raise TransportError(f"there is no interface {self._interface} on this host") from exc
        if self._socket is not None and index != self._index:
            self._close()
        if self._socket is None:
            self._socket, self._index = _opened(self._interface, index), index
            self._loop.add_reader(self._socket, self._read)
            self._due = -inf

    def _close(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None
            self._known, self._known_at = None, -inf

    def _advertise(self) -> None:
        """
        Raises:
            TransportError: The link is down, or has no link-local address yet.
        """
        if self._socket is None:
            return
        mac = _mac(self._socket, self._interface)
        try:
            self._send(RouterAdvertisement(_LIFETIME, mac), ALL_NODES)
            if self._known is None:
                # A router answers at once; its next advertisement of its own accord may be long in coming.
                self._send(RouterSolicitation(mac), ALL_ROUTERS)
        except OSError as exc:
            raise TransportError(f"cannot advertise on {self._interface}: {exc.strerror}") from exc
        now = self._loop.time()
        self._sent, self._due = now, now + random.uniform(*_INTERVAL)  # noqa: S311

    def _send(self, message: RouterAdvertisement | RouterSolicitation, group: bytes) -> None:
        if self._socket is not None:
            self._socket.sendto(encode(message), (socket.inet_ntop(socket.AF_INET6, group), 0, 0, self._index))

    def _read(self) -> None:
        for _ in range(_BATCH):
            if self._socket is None:
                return
            try:
                data, ancillary, _, said = self._socket.recvmsg(_LARGEST_MESSAGE, _ANCILLARY_SPACE)
            except OSError:
                # Empty, or the link went down.
                return
            hop_limits = [_NUMBER.unpack(value)[0] for _, kind, value in ancillary if kind == socket.IPV6_HOPLIMIT]
            source = socket.inet_pton(socket.AF_INET6, said[0].partition("%")[0])
            # Where we cannot answer, the next look finds out why.
            with suppress(AdvertisementError, TransportError):
                self._heard(decode(data, source, hop_limits[0] if hop_limits else 0), source)

    def _heard(self, message: RouterAdvertisement | RouterSolicitation, source: bytes) -> None:
        now = self._loop.time()
        if isinstance(message, RouterAdvertisement):
            # Two who claim to be the other end must not have us answer each other's advertisements without a pause.
            if source != self._known and now >= self._known_at + _LEAST_INTERVAL:
                # It may have begun to listen after we spoke last.
                self._known, self._known_at = source, now
                self._due = -inf
                self._on_found(source)
                self._advertise()
        elif now >= self._sent + _LEAST_INTERVAL:
            self._advertise()
        else:
            self._due = min(self._due, self._sent + _LEAST_INTERVAL)
            self._arm()


def _opened(interface: str, index: int) -> socket.socket:
    """
    Raises:
        TransportError: We may not, or the interface is none for IPv6.
    """
    try:
        made = socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMPV6)
    except PermissionError as exc:
        raise TransportError("an unnumbered peer needs the capability NET_RAW") from exc
    except OSError as exc:
        raise TransportError(f"this host has no IPv6: {exc.strerror}") from exc
    try:
        made.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, _only(SOLICITATION, ADVERTISEMENT))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, LARGEST_TTL)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, _GROUP.pack(ALL_ROUTERS, index))
    except OSError as exc:
        made.close()
        raise TransportError(f"cannot advertise on {interface}: {exc.strerror}") from exc
    return made


def _only(*kinds: int) -> bytes:
    """A filter of ICMPv6 types: a bit that is set keeps one out."""
    words = [0xFFFFFFFF] * 8
    for kind in kinds:
        words[kind // 32] &= ~(1 << kind % 32)
    return struct.pack("=8I", *words)


def _mac(made: socket.socket, interface: str) -> bytes | None:
    """The hardware address of an interface; None where it has none of Ethernet."""
    try:
        answer = fcntl.ioctl(made, _SIOCGIFHWADDR, struct.pack("=16s24x", interface.encode()))
    except OSError:
        return None
    kind, mac = struct.unpack_from("=H6s", answer, 16)
    return mac if kind == _ARPHRD_ETHER else None
