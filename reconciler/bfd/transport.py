"""
BFD on a UDP port: the sockets, and the one thread that keeps the time of all sessions.

A thread of its own, because a packet that leaves late is a failure to the peer: the event loop may be busy with a pass
for longer than a peer waits. What the loop asks for is done under a lock that the thread never holds while it waits.
"""

import asyncio
import os
import random
import secrets
import selectors
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import inf
from time import monotonic

import msgspec

from reconciler.bfd.authentication import Meticulous
from reconciler.bfd.demultiplexing import Arrival, Path, PathError, Sessions
from reconciler.bfd.ignored import Ignored
from reconciler.bfd.intervals import Parameters
from reconciler.bfd.packets import ControlPacket, PacketError, State, decode
from reconciler.bfd.session import Event, Session
from reconciler.bfd.sockets import FamilyError, Receiver, Sender, SocketError

# The selector cannot wait for longer than some weeks.
_LONGEST_WAIT = 3600.0
_LARGEST_DISCRIMINATOR = (1 << 32) - 1

OnEvent = Callable[[Event], None]


class Counts(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Packets of one session since it was opened. `unsent` are those that the kernel refused."""

    received: int = 0
    sent: int = 0
    unsent: int = 0


class Neighbor:
    """
    One session, as the event loop has it; made by `Endpoint.open`.

    Events arrive in the event loop, in order, and none after `close`.
    """

    def __init__(self, endpoint: "Endpoint", session: Session, sender: Sender, on_event: OnEvent) -> None:
        self._endpoint = endpoint
        self._session = session
        self._sender = sender
        self._on_event = on_event
        self._is_closed = False
        self._received = self._sent = self._unsent = 0

    @property
    def discriminator(self) -> int:
        """Ours: what the peer's packets name."""
        return self._session.discriminator

    @property
    def state(self) -> State:
        """The state of the session at this moment; its event may be on its way."""
        return self._session.state

    def counts(self) -> Counts:
        """What was sent and received so far."""
        with self._endpoint.lock:
            return Counts(received=self._received, sent=self._sent, unsent=self._unsent)

    def change(self, parameters: Parameters) -> None:
        """Keep the session by other parameters; the peer is asked where he must agree."""
        with self._endpoint.attention():
            self._session.change(parameters, monotonic())
            self.flush()

    def disable(self) -> None:
        """Go AdminDown: the peer learns that this is no failure."""
        with self._endpoint.attention():
            self._session.disable(monotonic())
            self.flush()

    def enable(self) -> None:
        """End what `disable` began."""
        with self._endpoint.attention():
            self._session.enable(monotonic())
            self.flush()

    def close(self) -> None:
        """Go AdminDown and end the session; the peer learns that this is no failure."""
        if self._is_closed:
            return
        self._is_closed = True
        self.disable()
        self._endpoint.remove(self)
        self._sender.close()

    # What follows is for the thread, which holds the lock.

    def due(self) -> float:
        """When the session wants to be looked at next."""
        return self._session.deadline()

    def excuse(self, late: float, now: float) -> None:
        """We come late: see `Session.excuse`."""
        self._session.excuse(late, now)

    def receive(self, packet: ControlPacket, data: bytes, now: float) -> Ignored | None:
        """Take in a packet of this session; why it was discarded, or None."""
        refusal = self._session.receive(packet, data, now)
        self._received += refusal is None
        self.flush()
        return refusal

    def look(self, now: float) -> None:
        """Do what is due."""
        self._session.handle_timer(now)
        self.flush()

    def flush(self) -> None:
        """Send what is to be sent, and report what happened."""
        for data in self._session.data_to_send():
            if self._sender.send(data):
                self._sent += 1
            else:
                self._unsent += 1
        for event in self._session.events():
            self._endpoint.call(self._report, event)

    def _report(self, event: Event) -> None:
        if not self._is_closed:
            self._on_event(event)


class Endpoint:
    """One UDP port with its sessions. Made and used in the event loop; close it before the loop ends."""

    def __init__(self, port: int, *, device: str | None = None) -> None:
        """
        Listen on a port: 3784 for one hop, 4784 for several (RFC 5881, RFC 5883), or one of one's own.

        Args:
            port: Of ours and of the peers.
            device: A VRF or interface to bind to.

        Raises:
            SocketError: The port is taken, or there is no such device.
        """
        self.lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._port = port
        self._device = device
        self._sessions: Sessions[Neighbor] = Sessions()
        self._ignored: Counter[Ignored] = Counter()
        self._receivers = _receivers(port, device)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._is_running = True
        self._thread = threading.Thread(target=self._run, name=f"bfd-{port}", daemon=True)
        self._thread.start()

    def open(
        self, path: Path, parameters: Parameters, on_event: OnEvent, *, authentication: Meticulous | None = None
    ) -> Neighbor:
        """
        Begin a session with a peer.

        Args:
            path: Of no other session here.
            parameters: How it is to be kept.
            on_event: Called in the event loop.
            authentication: Of this session alone.

        Raises:
            SocketError: No socket can be had, for instance because the local address is none of ours.
            PathError: Another session has this path.
        """
        sender = Sender(path.remote, self._port, path.local, path.interface, self._device)
        try:
            with self.attention():
                discriminator = self._draw()
                now = monotonic()
                session = Session(parameters, discriminator, now, jitter=random.random, authentication=authentication)
                neighbor = Neighbor(self, session, sender, on_event)
                self._sessions.add(discriminator, path, neighbor)
        except PathError:
            sender.close()
            raise
        return neighbor

    def ignored(self) -> dict[str, int]:
        """How many packets were discarded so far, by reason."""
        with self.lock:
            return {str(reason): count for reason, count in self._ignored.items()}

    def close(self) -> None:
        """Close every session, end the thread and give the port back."""
        for neighbor in self._sessions:
            neighbor.close()
        with self.attention():
            self._is_running = False
        self._thread.join()
        for receiver in self._receivers:
            receiver.close()
        os.close(self._wake)

    # What follows is for the neighbours.

    @contextmanager
    def attention(self) -> Iterator[None]:
        """Change something that the thread looks at; it looks again afterwards."""
        with self.lock:
            yield
        os.eventfd_write(self._wake, 1)

    def remove(self, neighbor: Neighbor) -> None:
        """A session is over."""
        with self.attention():
            self._sessions.remove(neighbor.discriminator)

    def call(self, report: OnEvent, event: Event) -> None:
        """Have an event reported in the event loop."""
        # A loop that has ended wants no reports.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(report, event)

    def _draw(self) -> int:
        """A discriminator that no session here has, and that nobody can guess."""
        while True:
            drawn = secrets.randbelow(_LARGEST_DISCRIMINATOR) + 1
            if drawn not in self._sessions:
                return drawn

    def _run(self) -> None:
        deadline = inf
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake, selectors.EVENT_READ)
            for receiver in self._receivers:
                selector.register(receiver.socket, selectors.EVENT_READ)
            while True:
                selector.select(min(max(deadline - monotonic(), 0), _LONGEST_WAIT))
                with self.lock:
                    if not self._is_running:
                        return
                    deadline = self._look(deadline)

    def _look(self, deadline: float) -> float:
        """What arrived first, then what is due: nobody is called silent whose packet is in the buffer already."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        now = monotonic()
        if now > deadline:
            for neighbor in self._sessions:
                neighbor.excuse(now - deadline, now)
        for receiver in self._receivers:
            for data, arrival in receiver.arrived():
                self._receive(data, arrival)
        now = monotonic()
        for neighbor in self._sessions:
            if neighbor.due() <= now:
                neighbor.look(now)
        return min((neighbor.due() for neighbor in self._sessions), default=inf)

    def _receive(self, data: bytes, arrival: Arrival) -> None:
        try:
            packet = decode(data)
        except PacketError as exc:
            self._ignored[exc.reason] += 1
            return
        found = self._sessions.find(packet, arrival)
        refusal = found if isinstance(found, Ignored) else found.receive(packet, data, monotonic())
        if refusal is not None:
            self._ignored[refusal] += 1


def _receivers(port: int, device: str | None) -> list[Receiver]:
    """One for each family that this host has."""
    opened: list[Receiver] = []
    try:
        for family in (socket.AF_INET, socket.AF_INET6):
            # Some kernels run without IPv6.
            with suppress(FamilyError):
                opened.append(Receiver(family, port, device))
    except SocketError:
        for receiver in opened:
            receiver.close()
        raise
    return opened
