"""The addresses of this host as rtnetlink tells them (rtnetlink(7), RTM_GETADDR), from octets. No I/O."""

import struct
from collections.abc import Iterator

import msgspec

from reconciler.errors import ReconcilerError

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_ADDRESS = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, index
_ATTRIBUTE = struct.Struct("=HH")
_NUMBER = struct.Struct("=I")
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_RTM_NEWADDR, _RTM_GETADDR = 20, 22
_REQUEST_DUMP = 0x1 | 0x300  # NLM_F_REQUEST | NLM_F_DUMP
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_IFA_F_TEMPORARY, _IFA_F_DADFAILED, _IFA_F_DEPRECATED, _IFA_F_TENTATIVE = 0x01, 0x08, 0x20, 0x40
_OCTETS = {2: 4, 10: 16}  # AF_INET, AF_INET6


class DumpError(ReconcilerError):
    """The octets are no list of addresses, or the kernel refuses to give one."""


class InterfaceAddress(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """
    An address of an interface, 4 or 16 octets.

    `subnet` with its first `length` bits is what is on the link: on a point-to-point link the other end.
    `is_lasting`: it is neither on its way out nor one of those that change for privacy.
    """

    index: int
    address: bytes
    subnet: bytes
    length: int
    is_lasting: bool

    def reaches(self, address: bytes) -> bool:
        """Whether another address is on the same link by this one."""
        if len(address) != len(self.subnet):
            return False
        unlike = int.from_bytes(address) ^ int.from_bytes(self.subnet)
        return not unlike >> (8 * len(address) - self.length)


class DumpDone(msgspec.Struct, frozen=True, gc=False):
    """The end of the list."""


def ask_for_addresses() -> bytes:
    """The octets that ask for the addresses of all interfaces."""
    return _HEADER.pack(_HEADER.size + _ADDRESS.size, _RTM_GETADDR, _REQUEST_DUMP, 1, 0) + _ADDRESS.pack(0, 0, 0, 0, 0)


def read(data: bytes) -> Iterator[InterfaceAddress | DumpDone]:
    """
    The addresses of one datagram, in the kernel's order; those that may not be used yet are left out.

    Raises:
        DumpError: It is cut off, or the kernel tells of an error.
    """
    offset = 0
    while offset < len(data):
        if offset + _HEADER.size > len(data):
            raise DumpError("a header that is cut off")
        length, kind, _, _, _ = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size or offset + length > len(data):
            raise DumpError("a message that is cut off")
        if kind == _NLMSG_ERROR:
            raise DumpError("the kernel does not list the addresses of this host")
        if kind == _NLMSG_DONE:
            yield DumpDone()
        elif kind == _RTM_NEWADDR:
            found = _address(data[offset + _HEADER.size : offset + length])
            if found is not None:
                yield found
        offset += (length + 3) & ~3


def _address(body: bytes) -> InterfaceAddress | None:
    if len(body) < _ADDRESS.size:
        raise DumpError("an address that is cut off")
    family, length, flags, _, index = _ADDRESS.unpack_from(body)
    attributes = _attributes(body[_ADDRESS.size :])
    subnet = attributes.get(_IFA_ADDRESS) or attributes.get(_IFA_LOCAL, b"")
    address = attributes.get(_IFA_LOCAL) or subnet
    if len(attributes.get(_IFA_FLAGS, b"")) == _NUMBER.size:
        (flags,) = _NUMBER.unpack(attributes[_IFA_FLAGS])
    # IPv4 says "secondary" by the same bit, which is no reason against an address.
    unwanted = _IFA_F_DEPRECATED | (_IFA_F_TEMPORARY if len(address) == 16 else 0)
    octets = _OCTETS.get(family)
    if octets is None or len(address) != octets or len(subnet) != octets or length > 8 * octets:
        return None
    if flags & (_IFA_F_TENTATIVE | _IFA_F_DADFAILED):
        return None
    return InterfaceAddress(index=index, address=address, subnet=subnet, length=length, is_lasting=not flags & unwanted)


def _attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size or offset + length > len(data):
            raise DumpError("an attribute that is cut off")
        found[kind] = data[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
    return found
