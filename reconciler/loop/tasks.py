"""Tasks that run beside each other for as long as a process lives."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any


async def until(event: asyncio.Event) -> None:
    """Wait for an event, as something that can be a task."""
    await event.wait()


async def cancelled(tasks: Iterable["asyncio.Task[None]"]) -> None:
    """Cancel all of them, and see them end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def running(*mains: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator["asyncio.Task[None]"]:
    """All of them at once, as one task that ends, with its error, when any of them does."""

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as group:
            for main in mains:
                group.create_task(main())

    task = asyncio.create_task(all_of_them())
    try:
        yield task
    finally:
        await cancelled([task])
