"""
Answer for addresses as the product does: packet sockets, the answering thread, and an event loop beside it.

Usage: python -m benchmarks.answering INTERFACE MAC ADDRESS...; prints `ready`, and answers until it is killed.
"""

import asyncio
import socket
import sys
from ipaddress import ip_address

from reconciler.l2.port import LinkState
from reconciler.l2.transport import Frames


async def main() -> None:
    interface, mac, *addresses = sys.argv[1:]
    state = LinkState(index=socket.if_nametoindex(interface), name=interface, mac=bytes.fromhex(mac.replace(":", "")))
    port = Frames().open(state, lambda _: None)
    for address in addresses:
        port.own(ip_address(address).packed)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
