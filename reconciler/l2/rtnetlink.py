"""
rtnetlink messages about links and IPv6 addresses, from octets and to octets (rtnetlink(7), netlink(7)). No I/O.

Only what `LinkState` needs is read. A library that knows all of rtnetlink was measured here and turned down: 13 MiB of
memory and 0.2 ms for a message, on nodes where every Pod that comes or goes is a handful of messages.
"""

import struct
from collections.abc import Iterator

import msgspec

from reconciler.errors import ReconcilerError

LINK_GROUP, IPV6_ADDRESS_GROUP = 0x1, 0x100  # RTMGRP_LINK, RTMGRP_IPV6_IFADDR

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_LINK = struct.Struct("=BxHiII")  # family, type, index, flags, mask of changes
_ADDRESS = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, index
_ATTRIBUTE = struct.Struct("=HH")
_NUMBER = struct.Struct("=I")
_ERROR = struct.Struct("=i")
_ALIGNMENT = 4

_NLMSG_ERROR, _NLMSG_DONE, _NLMSG_OVERRUN = 2, 3, 4
_RTM_NEWLINK, _RTM_DELLINK, _RTM_GETLINK = 16, 17, 18
_RTM_NEWADDR, _RTM_DELADDR, _RTM_GETADDR = 20, 21, 22
_REQUEST_DUMP = 0x1 | 0x300  # NLM_F_REQUEST | NLM_F_DUMP
_NLM_F_DUMP_INTR = 0x10

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MASTER, _IFLA_WIRELESS, _IFLA_LINKINFO, _IFLA_EXT_MASK = 1, 3, 10, 11, 18, 29
_IFLA_INFO_SLAVE_KIND = 4
_RTEXT_FILTER_SKIP_STATS = 8
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_IFA_F_DADFAILED, _IFA_F_TENTATIVE = 0x08, 0x40
_ARPHRD_ETHER = 1
_AF_INET6, _AF_BRIDGE = 10, 7
_NESTED_BITS = 0x3FFF


class NetlinkError(ReconcilerError):
    """The octets are no netlink messages, or the kernel says that messages were lost."""


class LinkSeen(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """
    A link is there, or has changed: RTM_NEWLINK. `flags` are those of netdevice(7), `mac` is empty unless Ethernet.

    `port_of` is the kind of its master ("bridge", "bond", "vrf"), empty where it has none.
    """

    index: int
    name: str
    flags: int
    mac: bytes
    port_of: str


class LinkGone(msgspec.Struct, frozen=True, gc=False):
    """A link vanished, or moved to another namespace: RTM_DELLINK."""

    index: int


class AddressSeen(msgspec.Struct, frozen=True, gc=False):
    """A link has an IPv6 address; a tentative one may not be used yet (RFC 4862 5.4), or never."""

    index: int
    address: bytes
    is_tentative: bool


class AddressGone(msgspec.Struct, frozen=True, gc=False):
    """A link has an IPv6 address no more."""

    index: int
    address: bytes


class DumpDone(msgspec.Struct, frozen=True, gc=False):
    """The end of what was asked for. An `error` is that of errno(3), 0 for none."""

    error: int


class DumpInterrupted(msgspec.Struct, frozen=True, gc=False):
    """
    What is being listed has changed since the list was begun: something may be there twice, or not at all.

    The kernel marks the message with which it notices, whichever that is, and not the end of the list.
    """


Message = LinkSeen | LinkGone | AddressSeen | AddressGone | DumpDone | DumpInterrupted


class Received(msgspec.Struct, frozen=True, gc=False):
    """
    A message, and the socket and the number of the question that it answers.

    A notification has them too: of whoever caused it, by another socket than ours, or 0 and 0.
    """

    message: Message
    port: int
    sequence: int


def ask_for_links(sequence: int) -> bytes:
    """The octets that ask for all links, without their statistics."""
    skip = _ATTRIBUTE.pack(8, _IFLA_EXT_MASK) + _NUMBER.pack(_RTEXT_FILTER_SKIP_STATS)
    return _request(_RTM_GETLINK, sequence, _LINK.pack(0, 0, 0, 0, 0) + skip)


def ask_for_addresses(sequence: int) -> bytes:
    """The octets that ask for all IPv6 addresses."""
    return _request(_RTM_GETADDR, sequence, _ADDRESS.pack(_AF_INET6, 0, 0, 0, 0))


def read(data: bytes) -> Iterator[Received]:
    """
    The messages of one datagram in their order; those that say nothing about links or their addresses are left out.

    Raises:
        NetlinkError: It is cut off, or the kernel says that something was lost.
    """
    offset = 0
    while offset < len(data):
        if offset + _HEADER.size > len(data):
            raise NetlinkError("a header that is cut off")
        length, kind, flags, sequence, port = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size or offset + length > len(data):
            raise NetlinkError("a message that is cut off")
        if flags & _NLM_F_DUMP_INTR:
            yield Received(DumpInterrupted(), port, sequence)
        message = _read_one(kind, data[offset + _HEADER.size : offset + length])
        if message is not None:
            yield Received(message, port, sequence)
        offset += _aligned(length)


def _read_one(kind: int, body: bytes) -> Message | None:
    try:
        match kind:
            case _ if kind in {_RTM_NEWLINK, _RTM_DELLINK}:
                return _read_link(body, is_gone=kind == _RTM_DELLINK)
            case _ if kind in {_RTM_NEWADDR, _RTM_DELADDR}:
                return _read_address(body, is_gone=kind == _RTM_DELADDR)
            case _ if kind in {_NLMSG_DONE, _NLMSG_ERROR}:
                # DONE carries an error as well, older kernels send it empty.
                error = -_ERROR.unpack_from(body)[0] if len(body) >= _ERROR.size else 0
                return DumpDone(error)
            case _ if kind == _NLMSG_OVERRUN:
                raise NetlinkError("the kernel lost messages")
            case _:
                return None
    except struct.error as exc:
        raise NetlinkError(f"a message of type {kind} that is too short") from exc


def _read_link(body: bytes, *, is_gone: bool) -> LinkSeen | LinkGone | None:
    family, kind, index, flags, _ = _LINK.unpack_from(body)
    if family == _AF_BRIDGE:
        # What a bridge says about its port: a link that leaves the bridge is "deleted" by it, and still there.
        return None
    if is_gone:
        return LinkGone(index)
    attributes = _attributes(body[_LINK.size :])
    if _IFLA_WIRELESS in attributes or _IFLA_IFNAME not in attributes:
        # An event of a wireless driver, which describes nothing but itself.
        return None
    master, info = attributes.get(_IFLA_MASTER, b""), _attributes(attributes.get(_IFLA_LINKINFO, b""))
    has_master = len(master) == _NUMBER.size and any(master)
    mac = attributes.get(_IFLA_ADDRESS, b"")
    return LinkSeen(
        index=index,
        name=_text(attributes[_IFLA_IFNAME]),
        flags=flags,
        mac=mac if kind == _ARPHRD_ETHER and len(mac) == 6 and any(mac) else b"",
        port_of=(_text(info.get(_IFLA_INFO_SLAVE_KIND, b"")) or "another") if has_master else "",
    )


def _read_address(body: bytes, *, is_gone: bool) -> AddressSeen | AddressGone | None:
    family, _, flags, _, index = _ADDRESS.unpack_from(body)
    attributes = _attributes(body[_ADDRESS.size :])
    # With a peer IFA_ADDRESS is the peer's, and IFA_LOCAL ours.
    address = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS, b"")
    if family != _AF_INET6 or len(address) != 16:
        return None
    if is_gone:
        return AddressGone(index, address)
    if _IFA_FLAGS in attributes:
        (flags,) = _NUMBER.unpack_from(attributes[_IFA_FLAGS])
    return AddressSeen(index, address, is_tentative=bool(flags & (_IFA_F_TENTATIVE | _IFA_F_DADFAILED)))


def _attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size or offset + length > len(data):
            raise NetlinkError("an attribute that is cut off")
        found[kind & _NESTED_BITS] = data[offset + _ATTRIBUTE.size : offset + length]
        offset += _aligned(length)
    return found


def _text(data: bytes) -> str:
    # The kernel allows any octets in a name; what is no UTF-8 is shown readably, and can be selected by nobody.
    return data.rstrip(b"\0").decode("utf-8", "backslashreplace")


def _aligned(length: int) -> int:
    return (length + _ALIGNMENT - 1) & ~(_ALIGNMENT - 1)


def _request(kind: int, sequence: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST_DUMP, sequence, 0) + body
