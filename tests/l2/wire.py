"""A real link for the tests of this room: our end, and a client's packet socket at the other."""

import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from reconciler.cli.lab import Lab, entered
from reconciler.l2.filters import Program
from reconciler.l2.packet_socket import bind, make_packet_socket
from reconciler.l2.port import LinkState
from tests.l2.addresses import mac

# Long enough for a busy machine; a test that passes never waits for it.
PATIENCE = 10.0


def link_state(lab: Lab, host: str, *, link_local: bytes | None = None) -> LinkState:
    """`eth0` of a host, as netlink would tell of it."""
    with entered(lab.namespace(host)):
        return LinkState(
            index=socket.if_nametoindex("eth0"), name="eth0", mac=mac(lab.mac(host)), link_local=link_local
        )


def open_packet_socket(index: int, ethernet_type: bytes, program: Program) -> socket.socket:
    """Our end, as a link of the product has it."""
    made = make_packet_socket()
    bind(made, index, ethernet_type, program)
    return made


@contextmanager
def packet_socket(lab: Lab, host: str) -> Iterator[socket.socket]:
    """Everything that arrives at a host, and a way to send any frame from there."""
    with entered(lab.namespace(host)):
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        made.bind(("eth0", 3))
    with made:
        yield made


def next_frame(received: socket.socket, wanted: Callable[[bytes], bool], patience: float = PATIENCE) -> bytes | None:
    """The next frame that is wanted; None when none comes in time."""
    end = time.monotonic() + patience
    while (left := end - time.monotonic()) > 0:
        if select.select([received], [], [], left)[0]:
            frame = received.recv(2048)
            if wanted(frame):
                return frame
    return None


def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)
