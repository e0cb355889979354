"""An event loop that does not wait: where nothing else is to be done, its clock goes on to the next instant."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


class _Selector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everybody waits, and nothing will ever happen"
        self.now += max(0.0, timeout)
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._ahead = _Selector()
        super().__init__(self._ahead)

    def time(self) -> float:
        return self._ahead.now


def run_ahead(main: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine that knows no time but that of its loop; hours take no time."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main)


def now() -> float:
    """Seconds on the clock of the loop."""
    return asyncio.get_running_loop().time()
