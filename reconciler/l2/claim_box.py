"""Claims on their way from the thread that hears them to the event loop, few enough for it whatever is sent to us."""

import asyncio
import contextlib
import threading
from collections.abc import Iterable

from reconciler.l2.port import Claim, ClaimKind, OnClaim

# The first claim is told at once; those heard within this many seconds after it together, and so on.
_REST = 0.005
_MOST_WAITING = 64


class ClaimBox:
    """
    The same claim waits once, the newest frame of it; beyond a few dozen different ones, more are dropped and counted.

    Args:
        loop: Where `on_claim` is called.
        on_claim: Told of each claim.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_claim: OnClaim) -> None:
        self._loop = loop
        self._on_claim = on_claim
        self._lock = threading.Lock()
        self._waiting: dict[tuple[bytes, bytes, ClaimKind], Claim] = {}
        self._is_due = False
        self._is_closed = False
        self.dropped = 0

    def put(self, claims: Iterable[Claim]) -> None:
        """Take claims in any thread."""
        with self._lock:
            for claim in claims:
                key = (claim.address, claim.mac, claim.kind)
                if key in self._waiting or len(self._waiting) < _MOST_WAITING:
                    self._waiting[key] = claim
                else:
                    self.dropped += 1
            if self._is_due:
                return
            self._is_due = True
        # The loop may be closed already: then nobody wants to know.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._deliver)

    def close(self) -> None:
        """Tell nothing any more. In the loop."""
        self._is_closed = True

    def _deliver(self) -> None:
        with self._lock:
            claims = tuple(self._waiting.values())
            self._waiting.clear()
            self._is_due = bool(claims)
        if not claims:
            return
        self._loop.call_later(_REST, self._deliver)
        for claim in claims:
            # A claim may be the reason to close.
            if not self._is_closed:
                self._on_claim(claim)
