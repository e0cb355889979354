"""How signals end a running role."""

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from reconciler.cli.report import Exit


class Stoppable(Protocol):
    """A process that can be asked to end."""

    def stop(self) -> None:
        """Hand over and end."""
        ...


@contextmanager
def ended_by_signals(running: Sequence[Stoppable]) -> Iterator[None]:
    """The first SIGTERM or SIGINT hands over, where there is anything to hand over yet; the second one ends at once."""
    loop = asyncio.get_running_loop()
    received: list[int] = []
    # Until the triggers listen to it there is nothing to look at again, and that is no reason to die.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def receive(number: int) -> None:
        if received:
            os._exit(128 + number)
        if not running:
            os._exit(Exit.NOTHING)
        received.append(number)
        for process in running:
            process.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, receive, number)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
