"""Files of /proc as `reconciler preflight` reads them: text → what it says. Pure (proc(5))."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from reconciler.addresses.family import Address, Family, unpacked

# States of a socket in /proc/net: one that waits for connections, and a UDP socket without a peer.
_LISTENING = {"tcp": "0A", "udp": "07"}


class SocketLine(NamedTuple):
    """A socket that waits for somebody, and its inode."""

    address: Address
    port: int
    inode: str


def listening(text: str, protocol: str) -> Iterator[SocketLine]:
    """The waiting sockets of /proc/net/tcp, tcp6, udp or udp6; `protocol` is `tcp` or `udp`."""
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTENING[protocol]:
            address, _, port = fields[1].partition(":")
            yield SocketLine(_address(address), int(port, 16), fields[9])


def _address(text: str) -> Address:
    """An address as words of 32 bits, each in the order of this machine; x86-64 and arm64 are little-endian."""
    words = [bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8)]
    return unpacked(b"".join(words))


def default_routes(text: str) -> frozenset[str]:
    """The interfaces of IPv4's default routes, in /proc/net/route."""
    rows = (line.split() for line in text.splitlines()[1:])
    return frozenset(row[0] for row in rows if len(row) > 7 and row[1] == row[7] == "00000000" and int(row[3], 16) & 1)


def ipv6_addresses(text: str) -> Iterator[tuple[str, Address]]:
    """Interfaces and their addresses, in /proc/net/if_inet6."""
    for line in text.splitlines():
        fields = line.split()
        if len(fields) == 6:
            yield fields[5], Address(Family.IPV6, int(fields[0], 16))


def effective_capabilities(text: str) -> int:
    """A bit for each capability in force, in /proc/self/status."""
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", text, re.MULTILINE)
    return int(found[1], 16) if found else 0


def watches(text: str) -> int:
    """How many files an inotify instance watches: the lines of its fdinfo that say so."""
    return sum(line.startswith("inotify ") for line in text.splitlines())
