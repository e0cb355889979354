"""The password of one peer: as it is configured, or as a Secret has it, read again until it can be had."""

import asyncio
from collections.abc import Awaitable, Callable

from reconciler.errors import ReconcilerError
from reconciler.model.peers import BGPPeer

# The value of a Secret's key `password`, by the Secret's name; raises ClusterError.
ReadSecret = Callable[[str], Awaitable[bytes]]

# Seconds: how long one answer may take, and how long to wait until the next question.
_PATIENCE = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0


class Password:
    """
    `value` is None where there is no password, or it `is_known` not yet. `problem` is why it could not be read.

    Args:
        read_secret: Asks the cluster.
        on_news: Called when the value or the problem may be another one.
    """

    def __init__(self, read_secret: ReadSecret, on_news: Callable[[], None]) -> None:
        self.value: bytes | None = None
        self.is_known = False
        self.problem: str | None = None
        self._read_secret = read_secret
        self._on_news = on_news
        self._secret: str | None = None
        self._reading: asyncio.Task[None] | None = None

    def follow(self, peer: BGPPeer) -> None:
        """Find it where the peer's definition says; what was read of a Secret is read again only by `again`."""
        if peer.password_secret is None:
            self.close()
            self._secret, self.problem, self.is_known = None, None, True
            self.value = peer.password.encode() if peer.password else None
        elif peer.password_secret != self._secret:
            self._secret, self.is_known = peer.password_secret, False
            self.again()

    def again(self) -> None:
        """The Secret may have changed: read it; the value stands until there is another one."""
        self.close()
        if self._secret is not None:
            self._reading = asyncio.create_task(self._read(self._secret))

    def close(self) -> None:
        """Read no more."""
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    async def _read(self, secret: str) -> None:
        pause = _FIRST_PAUSE
        while not await self._has_read(secret):
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _has_read(self, secret: str) -> bool:
        try:
            async with asyncio.timeout(_PATIENCE):
                self.value = await self._read_secret(secret)
        except (ReconcilerError, TimeoutError) as exc:
            problem = f"its password cannot be read: {str(exc) or 'the cluster does not answer'}"
            if problem != self.problem:
                self.problem = problem
                self._on_news()
            return False
        self.problem, self.is_known = None, True
        self._on_news()
        return True
