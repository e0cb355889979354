"""Time that a test turns: what is to happen, in order."""

import heapq
from collections.abc import Callable
from itertools import count


class Timeline:
    """`now` is in seconds. `after_each` is called after everything that has happened."""

    def __init__(self) -> None:
        self.now = 0.0
        self.after_each: Callable[[], None] = lambda: None
        self._order = count()
        self._heap: list[tuple[float, int, Callable[[], None]]] = []

    def at(self, instant: float, action: Callable[[], None]) -> None:
        """Do something at an instant; what is late is done next."""
        heapq.heappush(self._heap, (max(instant, self.now), next(self._order), action))

    def after(self, delay: float, action: Callable[[], None]) -> None:
        """Do something so many seconds from now."""
        self.at(self.now + delay, action)

    def run(self, until: float) -> None:
        """Let everything happen up to an instant."""
        while self._heap and self._heap[0][0] <= until:
            self.now, _, action = heapq.heappop(self._heap)
            action()
            self.after_each()
        self.now = until
