"""
A hostile host: `python -m tests.netns.flood SEED NODE... -- ADDRESS...`, inside its namespace, until it is killed.

Sends malformed, random and forged frames to everybody, and random octets to the port of the speakers' group.
"""

import contextlib
import os
import random
import socket
import sys
import time
from itertools import count

from tests.l2.addresses import ip
from tests.l2.questions import arp_packet, solicitation

_PORT = 7947
# Frames before the others may send something: a few thousand a second.
_ROUND = 50
_PAUSE = 0.01


def frames(chance: random.Random, mac: bytes, owned: list[bytes]) -> bytes:
    """One frame, seldom a sensible one."""
    address = chance.choice(owned) if chance.random() < 0.2 else chance.randbytes(chance.choice((4, 16)))
    sender = chance.choice((mac, bytes((2, *chance.randbytes(5)))))
    kind = chance.randrange(6)
    if kind == 0:
        return (
            chance.randbytes(12) + chance.choice((b"\x08\x06", b"\x86\xdd")) + chance.randbytes(chance.randrange(120))
        )
    if len(address) == 4:
        # From the target itself it is a claim, from anybody else a question.
        spoken = address if kind == 1 else chance.randbytes(4)
        frame = arp_packet(address, sender=spoken, sender_mac=sender, operation=chance.choice((1, 1, 2, 9)))
    else:
        frame = solicitation(address, source=chance.randbytes(16), source_mac=sender, ethernet_source=sender)
    if kind == 2:
        return frame[: chance.randrange(14, len(frame))]
    if kind == 3:
        damaged = bytearray(frame)
        damaged[chance.randrange(12, len(frame))] = chance.randrange(256)
        return bytes(damaged)
    return frame


def run(seed: int, nodes: list[str], owned: list[bytes]) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same flood each time
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as wire,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gossip,
    ):
        wire.bind(("eth0", 0))
        mac = wire.getsockname()[4]
        for number in count():
            for _ in range(_ROUND):
                with contextlib.suppress(OSError):
                    wire.send(frames(chance, mac, owned))
            for node in nodes:
                gossip.sendto(chance.randbytes(chance.randrange(1400)), (node, _PORT))
                if number % 20 == 0:
                    _connect(node, chance.randbytes(300))
            time.sleep(_PAUSE)


def _connect(node: str, octets: bytes) -> None:
    with contextlib.suppress(OSError), socket.create_connection((node, _PORT), timeout=0.2) as connection:
        connection.sendall(octets)


if __name__ == "__main__":
    os.nice(10)
    arguments = sys.argv[2:]
    end = arguments.index("--")
    run(int(sys.argv[1]), arguments[:end], [ip(address) for address in arguments[end + 1 :]])
