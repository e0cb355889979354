"""
One TCP connection in the event loop. What is not sent yet stays with its owner until the kernel takes more.

Nobody has the loop for himself: what is read or written in one turn is bounded, so that the keepalives of a hundred
peers leave in time while some of them are told a whole table.
"""

import asyncio
import socket
from typing import Protocol

from reconciler.bgp.kernel_refusals import why_ended
from reconciler.bgp.sockets import reset_on_close, unacknowledged

# Octets of one turn. What is read costs more: 16 KiB of the smallest messages take some milliseconds.
CHUNK = 64 * 1024
_READ = 16 * 1024
# How long a connection that we close has for its last octets, in seconds, and for the peer to close it too.
LINGER = 1.0


class Owner(Protocol):
    """Whose connection it is; `connection` is its number."""

    def stream_received(self, connection: int, data: bytes) -> None:
        """Octets have arrived."""
        ...

    def stream_wants(self, connection: int, limit: int) -> bytes:
        """Octets to send, about so many; empty when there are none for now."""
        ...

    def stream_sent(self, connection: int) -> None:
        """The kernel has taken some, or all that there was."""
        ...

    def stream_ended(self, connection: int, why: str) -> None:
        """It has ended without our doing; `why` is empty where the peer closed it in order."""
        ...

    def stream_closed(self, connection: int) -> None:
        """What `close` began is done."""
        ...


class Stream:
    """A connection that is open. It reads at once, and writes when told to."""

    def __init__(self, number: int, made: socket.socket, owner: Owner) -> None:
        self.number = number
        self._socket = made
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._pending = memoryview(b"")
        self._taken = self._acknowledged = 0
        self._has_turn = self._is_full = self._is_closing = self._is_shut = self._is_over = False
        self._broken: OSError | None = None
        self._last_call: asyncio.TimerHandle | None = None
        self._loop.add_reader(made, self._read)

    @property
    def is_closing(self) -> bool:
        """Whether `close` was called: its owner's machine may know it no more."""
        return self._is_closing

    @property
    def is_idle(self) -> bool:
        """Whether the kernel has taken all that was pulled."""
        return not self._pending and not self._has_turn

    def write(self) -> None:
        """There may be something to send."""
        if not (self._has_turn or self._is_full or self._is_over):
            self._has_turn = True
            self._loop.call_soon(self._turn)

    def has_progressed(self) -> bool:
        """
        Whether the peer has acknowledged anything since this was asked last, or nothing is left to acknowledge.

        That the kernel took octets would say little: it takes a keepalive now and then long after the peer has ceased
        to read.
        """
        if self._is_over:
            return False
        left = unacknowledged(self._socket)
        before, self._acknowledged = self._acknowledged, self._taken - left
        return self._acknowledged > before or (left == 0 and not self._pending)

    def close(self) -> None:
        """
        End it once all that the owner still has to send is on its way, or cannot be sent in time.

        First only our direction is closed: with octets of the peer unread, the kernel would send a reset, which
        overtakes the NOTIFICATION.
        """
        if self._is_closing or self._is_over:
            return
        self._is_closing = True
        self._last_call = self._loop.call_later(LINGER, self._give_up)
        self.write()

    def abort(self) -> None:
        """End it at once; nobody is told."""
        if not self._is_over:
            self._release()

    def _turn(self) -> None:
        self._has_turn = False
        if self._is_over or self._is_shut or self._broken is not None:
            return
        if not self._pending:
            self._pending = memoryview(self._owner.stream_wants(self.number, CHUNK))
            if self._is_over:
                return
        if self._pending:
            self._send()
        elif self._is_closing:
            self._shut()
        else:
            self._owner.stream_sent(self.number)

    def _send(self) -> None:
        try:
            taken = self._socket.send(self._pending)
        except (BlockingIOError, InterruptedError):
            taken = 0
        except OSError as exc:
            # What the peer said last may be waiting to be read, and says more about the cause.
            self._broken = exc
            self._loop.call_soon(self._read)
            return
        self._taken += taken
        self._pending = self._pending[taken:]
        if self._pending:
            self._is_full = True
            self._loop.add_writer(self._socket, self._writable)
        else:
            self.write()
        if taken:
            self._owner.stream_sent(self.number)

    def _writable(self) -> None:
        self._loop.remove_writer(self._socket)
        self._is_full = False
        self._turn()

    def _read(self) -> None:
        if self._is_over:
            return
        try:
            data = self._socket.recv(_READ)
        except (BlockingIOError, InterruptedError):
            if self._broken is not None:
                self._end(why_ended(self._broken))
            return
        except OSError as exc:
            self._end(why_ended(self._broken or exc))
            return
        if not data:
            self._end("" if self._broken is None else why_ended(self._broken))
        elif not self._is_closing:
            self._owner.stream_received(self.number, data)

    def _shut(self) -> None:
        self._is_shut = True
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            # The peer was faster.
            self._end("")

    def _give_up(self) -> None:
        if not self._is_shut:
            # A peer that does not read. What the kernel holds for him would stay there for minutes.
            reset_on_close(self._socket)
        self._end("")

    def _end(self, why: str) -> None:
        self._release()
        if self._is_closing:
            self._owner.stream_closed(self.number)
        else:
            self._owner.stream_ended(self.number, why)

    def _release(self) -> None:
        self._is_over = True
        if self._last_call is not None:
            self._last_call.cancel()
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        self._pending = memoryview(b"")
