"""How many prefixes a peer tells us of in one session, and whether those are too many. No I/O."""

from reconciler.bgp.families import Family, Prefix
from reconciler.bgp.received import Received


class ReceivedPrefixes:
    """
    `announced` counts what was announced so far, `is_exceeded` says that there were more than the limit at a time. Only
    where there is one, prefixes are kept to count each once, and never more of them than it allows.
    """

    def __init__(self, maximum: int | None) -> None:
        self.announced = 0
        self.is_exceeded = False
        self._maximum = maximum
        self._held: set[tuple[Family, Prefix]] = set()

    def take(self, update: Received) -> None:
        """Count an UPDATE."""
        self.announced += sum(routes.count for routes in update.announced)
        if self._maximum is None:
            return
        for routes in update.withdrawn:
            self._held.difference_update((routes.family, prefix) for prefix in routes.prefixes())
        for routes in update.announced:
            for prefix in routes.prefixes():
                self._held.add((routes.family, prefix))
                if len(self._held) > self._maximum:
                    self._held.clear()
                    self.is_exceeded = True
                    return
