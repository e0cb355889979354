"""
The links of this network namespace, followed by the notifications of the kernel (rtnetlink) and never polled.

What a link means is decided elsewhere: `link_inventory` puts messages together, `link_selection` chooses.
"""

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Callable

from reconciler.errors import ReconcilerError
from reconciler.l2.link_inventory import LinkInventory
from reconciler.l2.port import LinkState
from reconciler.l2.rtnetlink import (
    IPV6_ADDRESS_GROUP,
    LINK_GROUP,
    DumpDone,
    DumpInterrupted,
    NetlinkError,
    Received,
    ask_for_addresses,
    ask_for_links,
    read,
)

_LOG = logging.getLogger(__name__)

# More than the kernel puts into one datagram.
_DATAGRAM = 65536
# Datagrams in one turn of the loop; the rest of a flood waits for the next.
_AT_ONCE = 32
# What waits here while the loop is busy. The kernel gives less where its limit (net.core.rmem_max) is lower.
_RECEIVE_BUFFER = 1 << 20
# Seconds from a loss to reading all links again, so that a flood that causes losses does not cause more of them.
_PAUSE = 0.05
_LONG_PAUSE = 1.0
# Seconds. The kernel answers in milliseconds, or something is in the way.
_FIRST_ANSWER = 5.0
# What is asked for, by the number of the question.
_NOTHING, _LINKS, _ADDRESSES = 0, 1, 2
_KERNEL = 0


class LinksError(ReconcilerError):
    """The kernel does not tell of its links."""


def netlink_socket() -> socket.socket:
    """
    A socket that hears of every change of a link or an IPv6 address in the namespace of this thread.

    Raises:
        OSError: The kernel refuses it. No right is needed for it.
    """
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        made.bind((0, LINK_GROUP | IPV6_ADDRESS_GROUP))
    except BaseException:
        made.close()
        raise
    return made


class LinkTable:
    """
    All links of this namespace. Made by `open`; `on_change` is called in the event loop after `links` became another.

    Changes of several links that arrive together are told of once. Two changes of one link are not merged, unless the
    kernel did that: whoever is told sees every state that a link was in, a short loss of its carrier too.
    """

    def __init__(self, on_change: Callable[[], None], make_socket: Callable[[], socket.socket]) -> None:
        self._on_change = on_change
        self._make_socket = make_socket
        self._links: tuple[LinkState, ...] = ()
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._socket: socket.socket | None = None
        self._again: asyncio.TimerHandle | None = None
        self._port = 0
        self._inventory = LinkInventory()
        self._awaited = _NOTHING
        self._is_interrupted = False
        # What was read last, which of it nobody was told of yet, and what they are told next.
        self._seen: dict[int, LinkState] = {}
        self._changed: set[int] = set()
        self._untold: list[tuple[LinkState, ...]] = []
        self._losses = 0

    @classmethod
    async def open(
        cls,
        on_change: Callable[[], None] = lambda: None,
        *,
        make_socket: Callable[[], socket.socket] = netlink_socket,
    ) -> "LinkTable":
        """
        Follow the links from now on; returns when all of them are known.

        Args:
            on_change: Called after a change, not for the links that are there at the start.
            make_socket: Where the messages come from; called again after messages were lost.

        Raises:
            LinksError: The kernel does not tell of them.
        """
        table = cls(on_change, make_socket)
        try:
            table._start()
            async with asyncio.timeout(_FIRST_ANSWER):
                await table._opened
        except OSError as exc:  # TimeoutError is one.
            table.close()
            raise LinksError(f"the kernel does not tell of its links: {str(exc) or 'no answer'}") from exc
        except BaseException:
            table.close()
            raise
        return table

    @property
    def links(self) -> tuple[LinkState, ...]:
        """The links, by index."""
        return self._links

    @property
    def losses(self) -> int:
        """How often the kernel lost notifications, so that all links were read again."""
        return self._losses

    def close(self) -> None:
        """Stop following; `links` stays as it is."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        self._untold.clear()
        self._disconnect()

    def _start(self) -> None:
        self._again = None
        self._inventory = LinkInventory()
        self._is_interrupted = False
        self._socket = self._make_socket()
        self._port = self._socket.getsockname()[0]
        # Before the first question: what changes from here on is notified of.
        self._ask(_LINKS)
        asyncio.get_running_loop().add_reader(self._socket, self._readable, self._socket)

    def _start_again(self) -> None:
        try:
            self._start()
        except OSError as exc:
            self._lost(exc)

    def _ask(self, what: int) -> None:
        self._awaited = what
        if self._socket is not None:
            self._socket.send(ask_for_links(what) if what == _LINKS else ask_for_addresses(what))

    def _readable(self, source: socket.socket) -> None:
        try:
            for _ in range(_AT_ONCE):
                data, (port, _) = source.recvfrom(_DATAGRAM)
                if port == _KERNEL:
                    for received in read(data):
                        self._take(received)
        except BlockingIOError:
            pass
        except (OSError, NetlinkError) as exc:
            self._lost(exc)
        self._stage()
        self._tell()

    def _take(self, received: Received) -> None:
        message, is_answer = received.message, (received.port, received.sequence) == (self._port, self._awaited)
        if isinstance(message, DumpDone):
            if is_answer:
                self._answered(message)
        elif isinstance(message, DumpInterrupted):
            self._is_interrupted |= is_answer
        elif is_answer:
            self._inventory.learn(message)
        elif self._inventory.notice(message) and not self._awaited:
            self._change(message.index)

    def _answered(self, done: DumpDone) -> None:
        if done.error and not self._opened.done():
            self._opened.set_exception(OSError(done.error, os.strerror(done.error)))
        elif done.error or self._is_interrupted:
            raise NetlinkError(os.strerror(done.error) if done.error else "the list of links was interrupted")
        elif self._awaited == _LINKS:
            self._ask(_ADDRESSES)
        else:
            self._complete()

    def _complete(self) -> None:
        self._awaited = _NOTHING
        self._inventory.complete()
        before, self._seen = self._seen, self._inventory.states()
        if self._opened.done():
            self._changed = {i for i in before.keys() | self._seen.keys() if before.get(i) != self._seen.get(i)}
        else:
            self._links = self._snapshot()
            self._opened.set_result(None)

    def _change(self, index: int) -> None:
        if index in self._changed:
            self._stage()
        self._changed.add(index)
        state = self._inventory.state(index)
        if state is None:
            self._seen.pop(index, None)
        else:
            self._seen[index] = state

    def _stage(self) -> None:
        if self._changed:
            self._changed.clear()
            self._untold.append(self._snapshot())

    def _snapshot(self) -> tuple[LinkState, ...]:
        return tuple(self._seen[index] for index in sorted(self._seen))

    def _tell(self) -> None:
        while self._untold:
            self._links = self._untold.pop(0)
            self._on_change()

    def _lost(self, error: NetlinkError | OSError) -> None:
        # A socket that fell behind is given up: on a new one there is no list that is half told.
        is_overrun = isinstance(error, NetlinkError) or error.errno == errno.ENOBUFS
        _LOG.log(logging.DEBUG if is_overrun else logging.WARNING, "the links of this node are read again: %s", error)
        self._losses += 1
        self._disconnect()
        pause = _PAUSE if is_overrun else _LONG_PAUSE
        self._again = asyncio.get_running_loop().call_later(pause, self._start_again)

    def _disconnect(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
