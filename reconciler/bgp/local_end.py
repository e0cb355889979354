"""Our end of a connection: the addresses routes are to be reached by, and our BGP identifier. No I/O."""

from collections.abc import Callable, Iterable, Sequence
from zlib import crc32

from reconciler.bgp.address_dump import InterfaceAddress
from reconciler.bgp.parameters import LocalEnd
from reconciler.bgp.remote import is_link_local

_LOOPBACK_6 = bytes(15) + b"\x01"


def local_end(
    address: bytes,
    remote: bytes,
    scope: int,
    addresses: Sequence[InterfaceAddress],
    *,
    router_id: bytes | None,
    node: str,
) -> LocalEnd:
    """
    Describe our end of a connection.

    Args:
        address: Ours, 4 or 16 octets.
        remote: The peer's.
        scope: Index of the interface of a link-local address.
        addresses: All of this host, in the kernel's order.
        router_id: As configured, 4 octets; None to choose one.
        node: Name of this node.
    """
    owner = scope or _owner(address, remote, addresses)
    there = [found for found in addresses if found.index == owner]
    ipv4 = address if len(address) == 4 else _first(there, _is_ipv4)
    ipv6 = address if _is_global_ipv6(address) else _first(there, _is_global_ipv6)
    return LocalEnd(
        address=address,
        router_id=router_id or ipv4 or _drawn(node),
        ipv4=ipv4,
        ipv6=ipv6,
        link_local=address if is_link_local(address) else _first(there, is_link_local),
        is_on_link=is_link_local(remote) or any(found.reaches(remote) for found in there),
    )


def _owner(address: bytes, remote: bytes, addresses: Iterable[InterfaceAddress]) -> int | None:
    """The interface of an address: where several have it, one that the peer is on."""
    owners = [found for found in addresses if found.address == address]
    near = (found.index for found in owners if found.reaches(remote))
    return next(near, owners[0].index if owners else None)


def _first(addresses: Iterable[InterfaceAddress], is_wanted: Callable[[bytes], bool]) -> bytes | None:
    """The first address of a kind, lasting ones before others."""
    wanted = sorted((found for found in addresses if is_wanted(found.address)), key=lambda found: not found.is_lasting)
    return wanted[0].address if wanted else None


def _is_ipv4(address: bytes) -> bool:
    return len(address) == 4 and address[0] != 127


def _is_global_ipv6(address: bytes) -> bool:
    return len(address) == 16 and not is_link_local(address) and address != _LOOPBACK_6


def _drawn(node: str) -> bytes:
    """
    An identifier that no other node has, or hardly so: as MetalLB draws it.

    Another IPv4 address of the host would be a bad choice: bridges of containers have the same one on every node.
    """
    return crc32(node.encode()).to_bytes(4, "little").replace(bytes(4), b"\0\0\0\x01")
