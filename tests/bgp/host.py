"""A host of the lab with an event loop of its own: all that runs there makes its sockets in the host's namespace."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from socket import AF_INET, AF_INET6, inet_pton
from time import monotonic, sleep
from typing import Any, TypeVar

from reconciler.cli.lab import Lab, entered

PATIENCE = 20.0
T = TypeVar("T")


def octets(address: str) -> bytes:
    return inet_pton(AF_INET6 if ":" in address else AF_INET, address)


def until(is_true: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    ends = monotonic() + PATIENCE
    while not is_true():
        assert monotonic() < ends, "it never became true"
        sleep(0.005)


class Host:
    """The loop of one host; everything here is called from outside of it."""

    def __init__(self, namespace: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._namespace = namespace
        self._thread = threading.Thread(target=self._run, name=namespace)
        self._thread.start()

    def do(self, function: Callable[[], T]) -> T:
        """Call something in the loop."""

        async def call() -> T:
            return function()

        return self.wait(call())

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop to its end."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)

    def close(self) -> None:
        self.wait(_finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        with entered(self._namespace):
            self._loop.run_forever()


async def _finish() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@contextmanager
def host(lab: Lab, name: str) -> Iterator[Host]:
    running = Host(lab.namespace(name))
    try:
        yield running
    finally:
        running.close()
