"""What the kernel says when it refuses something, in words that name what would help. No I/O."""

import errno
from collections.abc import Mapping

_CONNECTING: Mapping[int, str] = {
    errno.ECONNREFUSED: "the peer refuses the connection: nobody listens on that port, or we are not known there",
    errno.ECONNRESET: "the peer reset the connection while it was being opened",
    errno.ENETUNREACH: "this host has no route to the peer",
    errno.EADDRNOTAVAIL: "this host has no address from which the peer can be reached",
    errno.EACCES: "a rule of this host forbids the connection",
    errno.EPERM: "a rule of this host forbids the connection",
    errno.EINVAL: "the source address or the interface does not fit the peer's address",
    errno.ENOBUFS: "the kernel is out of memory",
    errno.ENOMEM: "the kernel is out of memory",
}
_OPEN: Mapping[int, str] = {
    errno.ECONNRESET: "the peer reset the connection",
    errno.EPIPE: "the peer closed the connection",
    errno.ETIMEDOUT: "the peer acknowledges nothing any more",
    errno.EHOSTUNREACH: "the peer became unreachable",
    errno.ENETUNREACH: "there is no route to the peer any more",
    errno.ENETDOWN: "the interface went down",
}


def why_not_connected(error: OSError, *, has_password: bool, is_one_hop: bool) -> str:
    """
    Why a connection could not be opened. A `TimeoutError` is one too, ours or that of the kernel.

    Args:
        error: What was raised.
        has_password: TCP MD5 is used: a different password shows as silence, never as an error.
        is_one_hop: We send with TTL 1, so a router in between answers that it is unreachable.
    """
    if isinstance(error, TimeoutError):
        password = "a different MD5 password" if has_password else "an MD5 password that it wants"
        return f"no answer: a wrong address, a filter, or {password}"
    if error.errno == errno.EHOSTUNREACH:
        beyond = ", or it is beyond the link (ebgpMultiHop)" if is_one_hop else ""
        return f"the peer is unreachable: nobody on the link answers for it{beyond}"
    return _CONNECTING.get(error.errno or 0, error.strerror or "unknown error")


def why_ended(error: OSError) -> str:
    """Why a connection that was open is no more."""
    return _OPEN.get(error.errno or 0, error.strerror or "unknown error")


def why_not_bound(error: OSError, address: str, port: int) -> str:
    """Why we may not listen, or not speak from an address."""
    match error.errno:
        case errno.EADDRNOTAVAIL:
            return f"{address} is no address of this host"
        case errno.EACCES | errno.EPERM if port:
            return f"a port below 1024 needs the capability NET_BIND_SERVICE, or choose another port than {port}"
        case errno.EADDRINUSE if port:
            return f"TCP port {port} is taken: another BGP speaker runs on this host"
        case _:
            return error.strerror or "unknown error"


def why_no_device(error: OSError, device: str) -> str:
    """Why a socket cannot be bound to an interface or VRF."""
    if error.errno == errno.ENODEV:
        return f"there is no interface or VRF {device} on this host"
    if error.errno == errno.EPERM:
        return f"binding to {device} needs the capability NET_RAW"
    return f"cannot bind to {device}: {error.strerror}"


def why_no_password(error: OSError) -> str:
    """Why the kernel does not sign with a password (TCP MD5, RFC 2385)."""
    match error.errno:
        case errno.ENOPROTOOPT | errno.EOPNOTSUPP:
            return "this kernel has no TCP MD5 (CONFIG_TCP_MD5SIG)"
        case errno.ENOMEM:
            return "the kernel has no room for another TCP MD5 password (net.core.optmem_max)"
        case errno.EINVAL:
            return "the kernel does not take the TCP MD5 password: it has at most 80 octets"
        case _:
            return f"the kernel does not take the TCP MD5 password: {error.strerror}"
