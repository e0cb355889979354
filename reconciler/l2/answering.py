"""
The one thread that answers, on all links. It never waits for the event loop.

The interpreter lock is the only thing the two share: a loop that computes gives it up after the switch interval, which
is set so short that a client does not notice.
"""

import contextlib
import logging
import os
import select
import sys
import threading
import time

from reconciler.l2.batch import Batch
from reconciler.l2.channel import MOST_FAILURES, Channel

_log = logging.getLogger(__name__)

# Seconds; Python's own is 0.005, which would be the latency of an answer while the loop computes.
_SWITCH_INTERVAL = 0.0001
# Sockets in one answer of epoll; memory for so many is taken each time.
_MOST_READY = 16


class Answering:
    """The thread, and the channels it serves. Everything but the thread itself is for the event loop."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._wake, select.EPOLLIN)
        self._channels: dict[int, Channel] = {}
        self._is_closing = False
        # Odd while channels are being served.
        self._turn = 0
        self._interval = sys.getswitchinterval()
        self._thread = threading.Thread(target=self._run, name="answers", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        sys.setswitchinterval(min(self._interval, _SWITCH_INTERVAL))
        self._thread.start()

    def add(self, channel: Channel) -> None:
        """Serve a channel from now on; also one that was left alone because it failed."""
        self._channels[channel.descriptor] = channel
        channel.failures_in_a_row = 0
        with contextlib.suppress(FileExistsError):
            self._epoll.register(channel.descriptor, select.EPOLLIN)

    def remove(self, channel: Channel) -> None:
        """Serve a channel no longer; when this returns nobody does."""
        if self._channels.pop(channel.descriptor, None) is not None:
            with contextlib.suppress(OSError):
                self._epoll.unregister(channel.descriptor)
            self.settle()

    def settle(self) -> None:
        """
        Wait until the frames that are being answered are answered: those after them see every change made before.

        That is a fraction of a millisecond. A lock would do as well, were the thread not quick enough under a flood to
        take it again before anybody else could.
        """
        turn = self._turn
        while turn % 2 and turn == self._turn and self._thread.is_alive():
            time.sleep(0)

    def close(self) -> None:
        """End the thread."""
        self._is_closing = True
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        self._epoll.close()
        os.close(self._wake)
        sys.setswitchinterval(self._interval)

    def _run(self) -> None:
        batch = Batch()
        poll, channels = self._epoll.poll, self._channels
        while not self._is_closing:
            ready = poll(-1, _MOST_READY)
            self._turn += 1
            for descriptor, _ in ready:
                channel = channels.get(descriptor)
                if channel is None:
                    continue
                try:
                    channel.serve(batch)
                except Exception:  # noqa: BLE001 - whatever it is, the other links are not to fall silent for it
                    channel.failures_in_a_row += 1
                    if channel.failures_in_a_row == 1:
                        _log.exception("a link cannot be served")
                if channel.failures_in_a_row >= MOST_FAILURES:
                    self._leave_alone(channel)
            self._turn += 1

    def _leave_alone(self, channel: Channel) -> None:
        with contextlib.suppress(OSError):
            self._epoll.unregister(channel.descriptor)
