"""
BGP on a blocking socket, with messages made beforehand: what a sender, or a receiver, takes at the least.

`python -m benchmarks.bare_bgp send COUNT CHANGES` tells a table, and then so many single changes; it prints when each
of them began. `python -m benchmarks.bare_bgp receive CHANGES` accepts one connection, and prints when each UPDATE
behind End-of-RIB had arrived, once there are so many. Instants are in seconds on the monotonic clock.
"""

import socket
import sys
import time
from collections.abc import Iterator
from ipaddress import IPv4Address

import msgspec

from benchmarks.route_table import (
    PAUSE,
    PORT,
    RECEIVER_ADDRESS,
    RECEIVER_ASN,
    SENDER_ADDRESS,
    SENDER_ASN,
    SETTLING,
    nth_change,
    packed,
    prefixes,
)
from reconciler.bgp.capabilities import CapabilityCode
from reconciler.bgp.families import Family
from reconciler.bgp.framing import HEADER_LENGTH, Framer, MessageType
from reconciler.bgp.messages import KEEPALIVE, encode_open
from reconciler.bgp.negotiation import open_of
from reconciler.bgp.parameters import LocalEnd, SessionParameters
from reconciler.bgp.updates import end_of_rib

_PATIENCE = 60.0
_MUCH = 1 << 20
_END_OF_RIB = end_of_rib(Family.IPV4)[HEADER_LENGTH:]


def _opening(asn: int, remote_asn: int, address: IPv4Address) -> bytes:
    """Without extended messages: most routers do not offer them."""
    parameters = SessionParameters(local_asn=asn, remote_asn=remote_asn, families=frozenset({Family.IPV4}))
    ours = open_of(parameters, LocalEnd(address.packed, address.packed))
    kept = tuple(one for one in ours.capabilities if one.code != CapabilityCode.EXTENDED_MESSAGE)
    return encode_open(msgspec.structs.replace(ours, capabilities=kept))


def _messages(connection: socket.socket) -> Iterator[tuple[MessageType, bytes, float]]:
    """Those that arrive, with the instant; until the peer closes the connection."""
    framer = Framer()
    while data := connection.recv(_MUCH):
        at = time.monotonic()
        framer.feed(data)
        for kind, body in framer:
            yield kind, body, at


def _send(count: int, changes: int) -> None:
    table = prefixes(count)
    octets, rib = packed(table)
    ready = []
    for number in range(changes):
        nth_change(rib, table, number)
        ready.append(rib.take(_MUCH))
    with _connected() as connection:
        connection.sendall(_opening(SENDER_ASN, RECEIVER_ASN, SENDER_ADDRESS))
        messages = _messages(connection)
        for kind, _, _ in messages:
            if kind is MessageType.OPEN:
                connection.sendall(KEEPALIVE)
            if kind is MessageType.KEEPALIVE:
                break
        connection.sendall(octets)
        for octets in ready:
            time.sleep(PAUSE if octets is not ready[0] else SETTLING)
            print(time.monotonic())
            connection.sendall(octets)
        print(flush=True)
        for _ in messages:
            pass


def _connected() -> socket.socket:
    ends = time.monotonic() + _PATIENCE
    while True:
        try:
            connection = socket.create_connection((str(RECEIVER_ADDRESS), PORT), timeout=_PATIENCE)
        except ConnectionError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.01)
        else:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection


def _receive(changes: int) -> None:
    with socket.create_server((str(RECEIVER_ADDRESS), PORT)) as listener:
        print("ready", flush=True)
        connection, _ = listener.accept()
    connection.sendall(_opening(RECEIVER_ASN, SENDER_ASN, RECEIVER_ADDRESS) + KEEPALIVE)
    arrived: list[float] | None = None
    with connection:
        for kind, body, at in _messages(connection):
            if kind is MessageType.UPDATE and body == _END_OF_RIB:
                arrived = []
            elif kind is MessageType.UPDATE and arrived is not None:
                arrived.append(at)
                if len(arrived) == changes:
                    print(*arrived, sep="\n", flush=True)
                    return


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["send", count, changes]:
            _send(int(count), int(changes))
        case ["receive", changes]:
            _receive(int(changes))
        case _:
            raise SystemExit(__doc__)
