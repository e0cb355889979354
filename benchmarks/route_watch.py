"""
Routers that only listen: they note when each change of a route has arrived.

`python -m benchmarks.route_watch PORT…` accepts one connection at each port. Once a peer has sent End-of-RIB there
comes a line `PORT told COUNT`, and for each route in an UPDATE after it `PORT + PREFIX INSTANT` or `PORT - PREFIX
INSTANT`, in seconds on the monotonic clock. It ends when a peer goes.
"""

import selectors
import socket
import sys
import time
from struct import unpack_from

import msgspec

from benchmarks.route_table import RECEIVER_ADDRESS, RECEIVER_ASN, SENDER_ASN
from reconciler.bgp.capabilities import CapabilityCode
from reconciler.bgp.families import Family, prefix_text
from reconciler.bgp.framing import HEADER_LENGTH, Framer, MessageType
from reconciler.bgp.messages import KEEPALIVE, encode_open
from reconciler.bgp.negotiation import open_of
from reconciler.bgp.parameters import LocalEnd, SessionParameters
from reconciler.bgp.received import Routes
from reconciler.bgp.updates import end_of_rib

_MUCH = 1 << 20
_END_OF_RIB = end_of_rib(Family.IPV4)[HEADER_LENGTH:]


class _Peer:
    """One connection, from its acceptance on."""

    def __init__(self, port: int, connection: socket.socket) -> None:
        self._port = port
        self._connection = connection
        self._framer = Framer()
        # As of a table before End-of-RIB; None after it.
        self._count: int | None = 0
        connection.sendall(_opening() + KEEPALIVE)

    def read(self) -> bool:
        """Take in what has arrived; False when the peer has gone."""
        data = self._connection.recv(_MUCH)
        self._framer.feed(data)
        at = time.monotonic()
        for kind, body in self._framer:
            if kind is MessageType.KEEPALIVE:
                self._connection.sendall(KEEPALIVE)
            elif kind is MessageType.UPDATE:
                self._hear(body, at)
        return bool(data)

    def _hear(self, body: bytes, at: float) -> None:
        # RFC 4271 section 4.3; IPv4 without paths, so everything is in the fields of old.
        (withdrawn,) = unpack_from("!H", body)
        (attributes,) = unpack_from("!H", body, 2 + withdrawn)
        told = Routes(Family.IPV4, body[4 + withdrawn + attributes :], 0)
        if self._count is None:
            for sign, routes in (("-", Routes(Family.IPV4, body[2 : 2 + withdrawn], 0)), ("+", told)):
                for prefix in routes.prefixes():
                    print(self._port, sign, prefix_text(Family.IPV4, prefix), at)
            sys.stdout.flush()
        elif body == _END_OF_RIB:
            print(self._port, "told", self._count, flush=True)
            self._count = None
        else:
            self._count += sum(1 for _ in told.prefixes())


def _opening() -> bytes:
    """Without extended messages: most routers do not offer them."""
    parameters = SessionParameters(local_asn=RECEIVER_ASN, remote_asn=SENDER_ASN, families=frozenset({Family.IPV4}))
    own = RECEIVER_ADDRESS.packed
    ours = open_of(parameters, LocalEnd(own, own))
    kept = tuple(one for one in ours.capabilities if one.code != CapabilityCode.EXTENDED_MESSAGE)
    return encode_open(msgspec.structs.replace(ours, capabilities=kept))


def _run(ports: list[int]) -> None:
    with selectors.DefaultSelector() as selector:
        for port in ports:
            listener = socket.create_server((str(RECEIVER_ADDRESS), port))
            selector.register(listener, selectors.EVENT_READ, (port, listener))
        print("ready", flush=True)
        while True:
            for key, _ in selector.select():
                if isinstance(key.data, _Peer):
                    if not key.data.read():
                        return
                    continue
                port, listener = key.data
                connection, _ = listener.accept()
                selector.register(connection, selectors.EVENT_READ, _Peer(port, connection))


if __name__ == "__main__":
    _run([int(port) for port in sys.argv[1:]])
