"""How long to wait before the next attempt (the ConnectRetryCounter of RFC 4271 section 8.1.1, and its use). No I/O."""

# Seconds. The same as MetalLB waits at most.
LONGEST_WAIT = 120.0
# Whatever is configured, no peer is dialed more often than that.
SHORTEST_WAIT = 1.0
# A session shorter than that proves nothing, however short its hold time is.
_SHORTEST_SUCCESS = 10.0


class Backoff:
    """
    Counts failures in a row: the waits are 1, 2, 4, ... seconds, and never more than the longest.

    Only a session that has lasted ends the row. A peer that takes our OPEN and then refuses us is thus not asked again
    at once and for ever.
    """

    def __init__(self, longest_wait: float | None = None) -> None:
        """Longer waits than that are not made; None for the default. In seconds."""
        self._longest = LONGEST_WAIT if longest_wait is None else max(min(longest_wait, LONGEST_WAIT), SHORTEST_WAIT)
        self._failures = 0

    def clear(self) -> None:
        """Forget what was."""
        self._failures = 0

    def count(self) -> None:
        """An attempt failed, or a session was lost."""
        self._failures += 1

    def judge(self, lasted: float, hold_time: float) -> None:
        """
        A session is over, and is yet to be counted.

        Args:
            lasted: How long it was established, in seconds.
            hold_time: What was agreed on; 0 for none.
        """
        if lasted >= max(hold_time, _SHORTEST_SUCCESS):
            # Its loss is the first thing to be counted, and nobody has to wait because of it.
            self._failures = -1

    @property
    def wait(self) -> float:
        """Seconds from the failure that was counted last to the next attempt, without jitter."""
        if self._failures <= 0:
            return 0.0
        return min(2.0 ** min(self._failures - 1, 16), self._longest)
