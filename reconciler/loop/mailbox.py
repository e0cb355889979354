"""What other speakers say to this one, until it is listened to; no more of it than this node can bear."""

import asyncio
import logging
from collections import Counter

from reconciler.membership.messages import Message, MessageError, decode
from reconciler.model.observed import NodeName

_LOG = logging.getLogger(__name__)
# A real handover of a node with thousands of addresses needs a few of each.
_MOST_OF_ONE = 64
_MOST_OCTETS = 8 << 20


class Mailbox:
    """Messages in the order in which they came. One that does not fit is dropped: whoever means it says it again."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[tuple[NodeName, bytes]] = asyncio.Queue()
        self._octets = 0
        self._of: Counter[NodeName] = Counter()

    def put(self, node: NodeName, data: bytes) -> None:
        """A member says something."""
        if self._of[node] >= _MOST_OF_ONE or self._octets + len(data) > _MOST_OCTETS:
            _LOG.debug("%s says more than can be listened to", node)
            return
        self._of[node] += 1
        self._octets += len(data)
        self._waiting.put_nowait((node, data))

    async def get(self) -> tuple[NodeName, Message]:
        """The next message that is one."""
        while True:
            node, data = await self._waiting.get()
            self._octets -= len(data)
            self._of[node] -= 1
            if not self._of[node]:
                del self._of[node]
            try:
                return node, decode(data)
            except MessageError as error:
                _LOG.debug("%s says something that is not understood: %s", node, error)
