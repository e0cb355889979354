"""The addresses of this host, asked of the kernel."""

import socket

from reconciler.bgp.address_dump import DumpDone, DumpError, InterfaceAddress, ask_for_addresses, read

_LARGEST_DATAGRAM = 1 << 16
# The kernel answers at once; one that does not must not stop everything else.
_PATIENCE = 1.0


def own_addresses() -> tuple[InterfaceAddress, ...]:
    """
    Of all interfaces, in the kernel's order.

    Raises:
        DumpError: The kernel does not tell.
    """
    found: list[InterfaceAddress] = []
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as asked:
            asked.settimeout(_PATIENCE)
            asked.send(ask_for_addresses())
            while True:
                for message in read(asked.recv(_LARGEST_DATAGRAM)):
                    if isinstance(message, DumpDone):
                        return tuple(found)
                    found.append(message)
    except OSError as exc:
        raise DumpError(f"the kernel does not list the addresses of this host: {exc}") from exc
