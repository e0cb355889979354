"""Where a peer is, how to reach it, and how far packets may travel. No I/O."""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from reconciler.bgp.parameters import RemoteAS, SessionParameters

PORT = 179
LARGEST_TTL = 255


@dataclass(frozen=True, slots=True)
class Remote:
    """
    Where a peer is, and how to reach it.

    `address` is 4 or 16 octets; None where the peer is found by its router advertisements on `interface`, which also is
    the scope of a link-local address. `source` must be an address of this host. `password` is for TCP MD5 (RFC 2385).
    `device` is a VRF. `hops` None: eBGP sends with TTL 1, iBGP and multihop with 255, which peers with and without
    GTSM take; a number: GTSM (RFC 5082), TTL 255 both ways and at most so many hops. `router_id` is ours.
    """

    address: bytes | None
    interface: str | None = None
    port: int = PORT
    source: bytes | None = None
    password: bytes | None = field(default=None, repr=False)
    device: str | None = None
    hops: int | None = None
    router_id: bytes | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """The TTL or hop limit that packets leave with, and the least that they may arrive with; 0 is any."""

    ttl: int
    least: int = 0


def reach_of(parameters: SessionParameters, remote: Remote) -> Reach:
    """How far packets of a session may travel."""
    if remote.hops is not None:
        return Reach(LARGEST_TTL, LARGEST_TTL + 1 - remote.hops)
    if is_external(parameters) and not parameters.is_multihop:
        return Reach(1)
    return Reach(LARGEST_TTL)


def is_external(parameters: SessionParameters) -> bool:
    """Whether the peer is to be of another AS than we are."""
    return parameters.remote_asn not in (RemoteAS.INTERNAL, parameters.local_asn)


def is_link_local(address: bytes) -> bool:
    """Whether an address means something on one link only (RFC 4291 section 2.5.6)."""
    return len(address) == 16 and address[0] == 0xFE and address[1] & 0xC0 == 0x80


def address_text(address: bytes, interface: str | None = None) -> str:
    """As people write it; a link-local one with the interface that it is on."""
    if len(address) == 4:
        return str(IPv4Address(address))
    scope = f"%{interface}" if interface is not None and is_link_local(address) else ""
    return f"{IPv6Address(address)}{scope}"


def remote_text(remote: Remote) -> str:
    """`192.0.2.14:179`, `[2001:db8::14]:179`, `[fe80::14%eth0]:179`, or the interface of an unnumbered peer."""
    if remote.address is None:
        return remote.interface or ""
    text = address_text(remote.address, remote.interface)
    return f"{text}:{remote.port}" if len(remote.address) == 4 else f"[{text}]:{remote.port}"
