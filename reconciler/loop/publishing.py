"""Says how a role is, for everybody to read, whenever there is news, and not more often than anybody would look."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from reconciler.cluster.port import ClusterError, NotLeading

_LOG = logging.getLogger(__name__)
# The status object is for people and for speakers: once a second is often enough for either.
_GAP = 1.0
_PAUSE = 5.0


class Publishing:
    """Calls `publish` after there was news; what cannot be published is tried again, and complained of once."""

    def __init__(self, publish: Callable[[], Awaitable[None]]) -> None:
        self._publish = publish
        self._news = asyncio.Event()

    def has_news(self) -> None:
        """There may be something new to say."""
        self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        complaint = None
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self._publish()
                complaint = None
            except NotLeading:
                continue
            except ClusterError as error:
                if str(error) != complaint:
                    complaint = str(error)
                    _LOG.warning("the status is not published: %s", complaint)
                self._news.set()
                await asyncio.sleep(_PAUSE)
            except Exception:  # noqa: BLE001 - the addresses do not depend on it
                _LOG.exception("the status cannot be written")
                await asyncio.sleep(_PAUSE)
            await asyncio.sleep(_GAP)
