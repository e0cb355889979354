"""A host of a `Lab` that asks for addresses all the time, and notes when it was answered."""

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address

from reconciler.cli.lab import Lab, entered
from reconciler.l2 import arp
from reconciler.l2.ethernet import BROADCAST, NO_MAC, TYPE_ARP

HOST = "client"
# In seconds: between two questions. Many addresses are asked for one after the other at the same pace.
_PAUSE = 0.001
_PATIENCE = 30.0
_ARP = int.from_bytes(TYPE_ARP, "big")


class AskingClient:
    """
    Asks for every address of `expect`. `first` and `last` are when each was answered, on the clock `perf_counter`.

    A node that announces an address is asked at once, so the pace of the questions hardly shows.
    """

    def __init__(self, asking: socket.socket, mac: bytes, own: str) -> None:
        self._asking = asking
        self._asking.settimeout(_PAUSE)
        self._mac, self._own = mac, ip_address(own).packed
        self._addresses: tuple[bytes, ...] = ()
        self._turn = 0
        self._is_over = False
        self.first: dict[str, float] = {}
        self.last: dict[str, float] = {}

    def expect(self, addresses: Iterable[str]) -> None:
        """Forget what was heard, and ask for these from now on."""
        self._addresses = ()
        self.first, self.last = {}, {}
        self._addresses = tuple(ip_address(address).packed for address in addresses)

    def wait_until_answered(self, count: int) -> None:
        """Until so many addresses were answered."""
        deadline = time.perf_counter() + _PATIENCE
        while len(self.first) < count:
            if time.perf_counter() > deadline:
                raise SystemExit(f"no answer for {count - len(self.first)} of {count} addresses")
            time.sleep(0.01)

    def wait_until_silent(self, seconds: float) -> None:
        """Until nothing was answered for so long."""
        while time.perf_counter() - max(self.last.values(), default=0.0) < seconds:
            time.sleep(0.01)

    def stop(self) -> None:
        self._is_over = True

    def run(self) -> None:
        """For a thread of its own."""
        due = time.perf_counter()
        while not self._is_over:
            now = time.perf_counter()
            if now >= due:
                due = max(due + _PAUSE, now)
                self._ask_next()
            self._asking.settimeout(max(due - time.perf_counter(), 0.00005))
            try:
                self._hear(self._asking.recv(256), time.perf_counter())
            except (TimeoutError, BlockingIOError):
                continue

    def _ask_next(self) -> None:
        addresses = self._addresses
        if addresses:
            self._turn += 1
            self._ask(addresses[self._turn % len(addresses)])

    def _ask(self, address: bytes) -> None:
        self._asking.send(
            arp.encode(
                arp.ArpPacket(
                    destination=BROADCAST,
                    source=self._mac,
                    operation=arp.Operation.REQUEST,
                    sender_mac=self._mac,
                    sender_address=self._own,
                    target_mac=NO_MAC,
                    target_address=address,
                )
            )
        )

    def _hear(self, frame: bytes, now: float) -> None:
        address = frame[28:32]
        if address not in self._addresses:
            return
        if frame[0:6] == self._mac and frame[20:22] == b"\0\2":
            shown = socket.inet_ntoa(address)
            self.first.setdefault(shown, now)
            self.last[shown] = now
        elif frame[38:42] == address and socket.inet_ntoa(address) not in self.first:
            self._ask(address)


@contextmanager
def asking_client(lab: Lab) -> Iterator[AskingClient]:
    """It asks in a thread for as long as the block lasts."""
    with entered(lab.namespace(HOST)):
        asking = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ARP))
    with asking:
        asking.bind(("eth0", _ARP))
        client = AskingClient(asking, bytes.fromhex(lab.mac(HOST).replace(":", "")), lab.address(HOST))
        thread = threading.Thread(target=client.run)
        thread.start()
        try:
            yield client
        finally:
            client.stop()
            thread.join()
