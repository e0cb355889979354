"""What the SYN of a connection that was accepted says (TCP_SAVED_SYN in tcp(7)), from octets. No I/O."""

import msgspec

_TCP = 6
# Octets of a header without its options.
_IPV4_HEADER, _IPV6_HEADER, _TCP_HEADER = 20, 40, 20
_EXTENSION_UNIT = 8
_END, _NO_OPERATION, _MD5_SIGNATURE = 0, 1, 19  # RFC 9293 section 3.1, RFC 2385 section 3


class SavedSYN(msgspec.Struct, frozen=True, gc=False):
    """
    The TTL or hop limit it arrived with. `is_signed`: it has a TCP MD5 signature, which the kernel has then checked: it
    drops what is signed without need, or by another password.
    """

    ttl: int
    is_signed: bool


def read_syn(octets: bytes) -> SavedSYN | None:
    """
    Args:
        octets: The IP header and the TCP header of the SYN.

    Returns:
        None where they are not that; a kernel that answers with SYN cookies keeps nothing.
    """
    is_ipv6 = octets[:1] >= b"\x60"
    if len(octets) < (_IPV6_HEADER if is_ipv6 else _IPV4_HEADER) + _TCP_HEADER:
        return None
    if not is_ipv6:
        return SavedSYN(octets[8], _is_signed(octets[4 * (octets[0] & 0x0F) :]))
    return SavedSYN(octets[7], _is_signed(octets[_tcp_in_ipv6(octets) :]))


def _tcp_in_ipv6(octets: bytes) -> int:
    """Where the TCP header begins, behind extension headers."""
    kind, at = octets[6], _IPV6_HEADER
    while kind != _TCP and at + 2 <= len(octets):
        kind, at = octets[at], at + _EXTENSION_UNIT * (octets[at + 1] + 1)
    return at


def _is_signed(tcp: bytes) -> bool:
    length = 4 * (tcp[12] >> 4) if len(tcp) >= _TCP_HEADER else 0
    options = tcp[_TCP_HEADER:length]
    while options and options[0] != _END:
        if options[0] == _MD5_SIGNATURE:
            return True
        size = 1 if options[0] == _NO_OPERATION else options[1] if len(options) > 1 else 0
        if not size:
            return False
        options = options[size:]
    return False
