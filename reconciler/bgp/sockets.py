"""TCP sockets with the options that BGP asks for, and what they refuse in words."""

import errno
import fcntl
import socket
import struct
import termios
from contextlib import suppress

from reconciler.bgp.kernel_refusals import why_no_device, why_no_password, why_not_bound
from reconciler.bgp.remote import Reach, Remote, address_text, is_link_local
from reconciler.bgp.saved_syn import SavedSYN, read_syn
from reconciler.errors import ReconcilerError

SocketAddress = tuple[str, int] | tuple[str, int, int, int]

# linux/in.h, linux/in6.h and linux/tcp.h; the socket module does not name them.
_IP_MINTTL, _IPV6_MINHOPCOUNT = 21, 73
_TCP_MD5SIG, _TCP_NOTSENT_LOWAT, _TCP_SAVE_SYN, _TCP_SAVED_SYN = 14, 25, 27, 28
_MD5SIG = struct.Struct("=128sBBHi80s")
_SOCKADDR4, _SOCKADDR6 = struct.Struct("=HH4s"), struct.Struct("=HHI16sI")
_LONGEST_PASSWORD = 80
# Internetwork control (RFC 4594): what keeps the network running goes before what it carries.
_CLASS_SELECTOR_6 = 0xC0
_PRIORITY = 6
# What lies in the kernel cannot be taken back when a route changes: as much as keeps the line busy, and no more.
_UNSENT = 256 * 1024
# Where no hold time guards a session, acknowledgements do. Longer than the send hold time (RFC 9687, 8 minutes), or
# the kernel would drop a slow reader before we could tell him why.
_UNACKNOWLEDGED_MS = 600_000
_BACKLOG = 128
_LONGEST_SYN = 256
_RESET = struct.pack("=ii", 1, 0)


class TransportError(ReconcilerError):
    """A socket cannot be had as it was asked for: the message says which, why, and what would help."""


class FamilyError(TransportError):
    """The family of addresses does not exist on this host."""


def unconnected(remote: Remote, address: bytes, reach: Reach) -> socket.socket:
    """
    A socket from which a peer can be connected to.

    Raises:
        TransportError: The source address is not ours, there is no such device, or no such family.
    """
    made = _made(address)
    try:
        if remote.device is not None:
            _bind_to(made, remote.device)
        prepare(made, reach)
        if remote.password is not None:
            set_password(made, address, remote.password)
        if remote.source is not None:
            _bind_source(made, remote.source, address, remote.interface)
    except OSError as exc:
        made.close()
        raise TransportError(f"the kernel refuses an option of the connection: {exc.strerror}") from exc
    except BaseException:
        made.close()
        raise
    return made


def listening(address: bytes, port: int, device: str | None, *, is_shared: bool) -> socket.socket:
    """
    A socket that accepts connections.

    Args:
        address: Of this host; all zeros for any of the family.
        port: TCP.
        device: A VRF or interface to bind to.
        is_shared: Others listen on the same port, bound to other devices or to none.

    Raises:
        TransportError: We may not, it is taken, or there is no such address or device.
    """
    made = _made(address)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            share(made, is_shared=True)
        if device is not None:
            _bind_to(made, device)
        # The answer to a SYN leaves before it is known whose it was: a peer with GTSM would not take it with less.
        prepare(made, Reach(255))
        with suppress(OSError):
            made.setsockopt(socket.IPPROTO_TCP, _TCP_SAVE_SYN, 1)
        try:
            made.bind((address_text(address), port))
            made.listen(_BACKLOG)
        except OSError as exc:
            raise TransportError(f"cannot listen: {why_not_bound(exc, address_text(address), port)}") from exc
    except OSError as exc:
        made.close()
        raise TransportError(f"cannot listen: the kernel refuses an option: {exc.strerror}") from exc
    except BaseException:
        made.close()
        raise
    return made


def share(made: socket.socket, *, is_shared: bool) -> None:
    """Let others bind the same port to other devices. Best only while one of them does, or strangers may as well."""
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, is_shared)


def prepare(made: socket.socket, reach: Reach) -> None:
    """Set what every connection has, and how far its packets may travel."""
    if made.family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _CLASS_SELECTOR_6)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, reach.ttl)
        made.setsockopt(socket.IPPROTO_IPV6, _IPV6_MINHOPCOUNT, reach.least)
    else:
        made.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _CLASS_SELECTOR_6)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, reach.ttl)
        made.setsockopt(socket.IPPROTO_IP, _IP_MINTTL, reach.least)
    with suppress(OSError):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _PRIORITY)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, _UNSENT)


def guard(made: socket.socket) -> None:
    """Give up an open connection once nothing is acknowledged for long. Not before: it would shorten the opening."""
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)


def set_password(made: socket.socket, address: bytes, password: bytes) -> None:
    """
    Sign with TCP MD5 toward an address, and take nothing unsigned from it; an empty password ends that.

    Raises:
        TransportError: The kernel cannot, or the password is too long.
    """
    if len(password) > _LONGEST_PASSWORD:
        raise TransportError(f"the MD5 password has {len(password)} octets, and TCP takes {_LONGEST_PASSWORD} at most")
    if len(address) == 4:
        packed = _SOCKADDR4.pack(socket.AF_INET, 0, address)
    else:
        packed = _SOCKADDR6.pack(socket.AF_INET6, 0, 0, address, 0)
    try:
        made.setsockopt(socket.IPPROTO_TCP, _TCP_MD5SIG, _MD5SIG.pack(packed, 0, 0, len(password), 0, password))
    except OSError as exc:
        raise TransportError(why_no_password(exc)) from exc


def socket_address(address: bytes, port: int, interface: str | None) -> SocketAddress:
    """
    As the socket module wants it.

    Raises:
        TransportError: There is no such interface.
    """
    if len(address) == 4:
        return address_text(address), port
    return address_text(address), port, 0, _index(interface) if is_link_local(address) else 0


def octets_of(said: SocketAddress) -> tuple[bytes, int]:
    """The address that a socket tells of, and the index of the interface that is its scope; 0 for none."""
    if len(said) == 2:
        return socket.inet_pton(socket.AF_INET, said[0]), 0
    return socket.inet_pton(socket.AF_INET6, said[0].partition("%")[0]), said[3]


def saved_syn(accepted: socket.socket) -> SavedSYN | None:
    """The SYN of a connection that was accepted; None where the kernel has not kept it."""
    try:
        return read_syn(accepted.getsockopt(socket.IPPROTO_TCP, _TCP_SAVED_SYN, _LONGEST_SYN))
    except OSError:
        return None


def reset_on_close(made: socket.socket) -> None:
    """Let nothing of it stay in the kernel once it is closed."""
    with suppress(OSError):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def unacknowledged(made: socket.socket) -> int:
    """Octets that the kernel has taken and the peer has not acknowledged (SIOCOUTQ)."""
    (count,) = struct.unpack("=i", fcntl.ioctl(made, termios.TIOCOUTQ, bytes(4)))
    return int(count)


def _made(address: bytes) -> socket.socket:
    family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
    try:
        made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    except OSError as exc:
        if exc.errno != errno.EAFNOSUPPORT:
            raise TransportError(f"the kernel gives no socket: {exc.strerror}") from exc
        raise FamilyError(f"this host has no {'IPv4' if len(address) == 4 else 'IPv6'}: {exc.strerror}") from exc
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return made


def _bind_to(made: socket.socket, device: str) -> None:
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    except OSError as exc:
        raise TransportError(why_no_device(exc, device)) from exc


def _bind_source(made: socket.socket, source: bytes, address: bytes, interface: str | None) -> None:
    text = address_text(source)
    if len(source) != len(address):
        raise TransportError(f"the source address {text} is of another family than the peer's {address_text(address)}")
    try:
        made.bind(socket_address(source, 0, interface))
    except OSError as exc:
        raise TransportError(f"no connection from the source address: {why_not_bound(exc, text, 0)}") from exc


def _index(interface: str | None) -> int:
    if interface is None:
        raise TransportError("a link-local address needs the interface that it is on")
    try:
        return socket.if_nametoindex(interface)
    except OSError as exc:
        raise TransportError(f"there is no interface {interface} on this host") from exc
