"""The UDP sockets of one port: what arrives, with its TTL and its destination, and what leaves with TTL 255."""

import random
import socket
from collections.abc import Iterator
from contextlib import suppress
from struct import Struct as Layout

from reconciler.bfd.demultiplexing import LARGEST_TTL, Arrival
from reconciler.errors import ReconcilerError

# linux/in.h; the socket module does not name it.
_IP_PKTINFO = 8
_IP_RECVTTL = 12
# RFC 5881 section 4; a new one is drawn where one is taken.
_SOURCE_PORTS = range(49152, 65536)
_DRAWS = 64
# Internetwork control (RFC 4594): what keeps the network running goes before what it carries.
_CLASS_SELECTOR_6 = 0xC0
_PRIORITY = 6
_LARGEST_PACKET = 512
_ANCILLARY_SPACE = socket.CMSG_SPACE(20) + socket.CMSG_SPACE(4)
_PKTINFO4, _PKTINFO6, _NUMBER = Layout("=i4s4s"), Layout("=16si"), Layout("=i")
# More than the kernel's buffer holds of the smallest packets: what was there when we came is taken out.
_BATCH = 512


class SocketError(ReconcilerError):
    """A UDP socket cannot be opened; the message names the port or address, and the cause."""


class FamilyError(ReconcilerError):
    """The family of addresses does not exist on this host."""


class Receiver:
    """One family's socket on the port, for all sessions."""

    def __init__(self, family: socket.AddressFamily, port: int, device: str | None) -> None:
        """
        Raises:
            SocketError: The port is taken, or there is no such device.
            FamilyError: This host does not have the family.
        """
        try:
            self.socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        except OSError as exc:
            raise FamilyError(f"no {family.name} here: {exc.strerror}") from exc
        self._family = family
        try:
            if device is not None:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
            if family == socket.AF_INET6:
                self._info = socket.IPPROTO_IPV6, socket.IPV6_PKTINFO
                self._ttl = socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
            else:
                self._info = socket.IPPROTO_IP, _IP_PKTINFO
                self._ttl = socket.IPPROTO_IP, socket.IP_TTL
                self.socket.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
                self.socket.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)
            self.socket.bind(("", port))
        except OSError as exc:
            self.socket.close()
            raise SocketError(f"cannot listen on UDP port {port}: {exc.strerror}") from exc

    def arrived(self) -> Iterator[tuple[bytes, Arrival]]:
        """What is in the buffer, in order of arrival. Ends when it is empty, or after many of them."""
        for _ in range(_BATCH):
            try:
                data, ancillary, _, source = self.socket.recvmsg(_LARGEST_PACKET, _ANCILLARY_SPACE)
            except OSError:
                # Empty, or an error of the network that belongs to no packet.
                return
            arrival = self._arrival(source[0], ancillary)
            if arrival is not None:
                yield data, arrival

    def close(self) -> None:
        """Give the port back."""
        self.socket.close()

    def _arrival(self, source: str, ancillary: list[tuple[int, int, bytes]]) -> Arrival | None:
        told = {(level, kind): value for level, kind, value in ancillary}
        info, ttl = told.get(self._info), told.get(self._ttl)
        if info is None or ttl is None:
            return None
        if self._family == socket.AF_INET:
            interface, _, local = _PKTINFO4.unpack(info)
        else:
            local, interface = _PKTINFO6.unpack(info)
        # The kernel names the interface of a link-local source after a percent sign.
        remote = socket.inet_pton(self._family, source.partition("%")[0])
        return Arrival(remote, local, interface, _NUMBER.unpack(ttl)[0])


class Sender:
    """One session's socket: it has a source port of its own, always the same (RFC 5881 section 4)."""

    def __init__(self, remote: bytes, port: int, local: bytes | None, interface: int, device: str | None) -> None:
        """
        Args:
            remote: 4 or 16 octets.
            port: Of the peer.
            local: The source of the packets; None lets the kernel choose by its routes.
            interface: Index of the link of a link-local address; 0 for none.
            device: The VRF or interface that it is bound to; None for none.

        Raises:
            SocketError: The local address is not one of this host, or every port drawn was taken.
        """
        self._family = socket.AF_INET if len(remote) == 4 else socket.AF_INET6
        self._to = self._address(remote, port, interface)
        self._socket = socket.socket(self._family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._prepare(device)
            self._bind(bytes(len(remote)) if local is None else local, interface)
        except OSError as exc:
            self._socket.close()
            raise SocketError(f"no socket towards {self._to[0]}: {exc.strerror}") from exc

    def send(self, data: bytes) -> bool:
        """Send a packet; whether the kernel took it. A path that is broken is found out by silence, not here."""
        try:
            self._socket.sendto(data, self._to)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()

    def _prepare(self, device: str | None) -> None:
        if device is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        if self._family == socket.AF_INET6:
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, LARGEST_TTL)
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _CLASS_SELECTOR_6)
        else:
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, LARGEST_TTL)
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _CLASS_SELECTOR_6)
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _PRIORITY)

    def _bind(self, local: bytes, interface: int) -> None:
        for attempt in range(_DRAWS):
            try:
                self._socket.bind(self._address(local, random.choice(_SOURCE_PORTS), interface))  # noqa: S311
            except OSError:
                if attempt == _DRAWS - 1:
                    raise
            else:
                return

    def _address(self, octets: bytes, port: int, interface: int) -> tuple[str, int] | tuple[str, int, int, int]:
        text = socket.inet_ntop(self._family, octets)
        return (text, port) if self._family == socket.AF_INET else (text, port, 0, interface)
