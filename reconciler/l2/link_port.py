"""One open link: what is owned there, and the groups and sockets that this needs."""

import asyncio
import errno
import logging
from collections import Counter
from collections.abc import Callable
from functools import partial

from reconciler.l2.answering import Answering
from reconciler.l2.channel import Channel
from reconciler.l2.claim_box import ClaimBox
from reconciler.l2.ethernet import TYPE_ARP
from reconciler.l2.groups import Groups
from reconciler.l2.ignored import Ignored
from reconciler.l2.port import Counts, LinkState
from reconciler.l2.responder import Responder

_log = logging.getLogger(__name__)

# Counted beside the reasons for which a frame is ignored.
REFUSED = "refused-by-kernel"
CLAIMS_DROPPED = "claims-dropped"
RING_FULL = "ring-full"

# Seconds until the kernel is asked again for a group that it has refused.
_JOIN_AGAIN = 10.0


class LinkPort:
    """
    The `Port` of one link; see there.

    Args:
        own_macs: How many open links have a MAC; this one counts itself in and out.
    """

    def __init__(
        self,
        state: LinkState,
        *,
        channels: tuple[Channel, Channel],
        responder: Responder,
        claims: ClaimBox,
        answering: Answering,
        own_macs: Counter[bytes],
    ) -> None:
        self._state = state
        self._arp, self._ndp = channels
        self._responder = responder
        self._claims = claims
        self._answering = answering
        self._own_macs = own_macs
        self._groups = Groups(state.index)
        self._addresses: set[bytes] = set()
        self._groups_refused = 0
        self._joining_again: asyncio.TimerHandle | None = None
        self.is_open = True
        own_macs[state.mac] += 1
        for channel in channels:
            answering.add(channel)

    @property
    def state(self) -> LinkState:
        """The link as it was last told of."""
        return self._state

    def update(self, state: LinkState) -> None:
        """Take what has changed; a link that comes up, or gets a link-local address, joins its groups anew."""
        before, self._state = self._state, state
        self._own_macs[state.mac] += 1
        self._forget_mac(before.mac)
        self._responder.update(state)
        is_back = _is_usable(state) and not _is_usable(before)
        if is_back:
            for channel in (self._arp, self._ndp):
                self._answering.add(channel)
        # With IPv6 its link-local address goes from a link, and comes back.
        if is_back or (state.link_local is not None and before.link_local is None):
            self._group(self._groups.rejoin)
        elif self._groups.is_missing:
            self._group(self._groups.join_missing)

    def own(self, address: bytes) -> None:
        """Answer for an address from now on, and hear who else claims it."""
        self._hear(address)
        self._responder.own(address)

    def watch(self, address: bytes) -> None:
        """Hear who claims an address, without answering for it."""
        self._hear(address)
        self._responder.watch(address)

    def disown(self, address: bytes) -> None:
        """Neither answer nor hear any more. After this returns no answer goes out."""
        self._responder.disown(address)
        self._answering.settle()
        if address in self._addresses:
            self._addresses.discard(address)
            if len(address) == 16:
                self._groups.leave(address)

    def send(self, frame: bytes) -> None:
        """Send one Ethernet frame."""
        channel = self._arp if frame[12:14] == TYPE_ARP else self._ndp
        channel.send(frame)

    def counts(self) -> Counts:
        """What happened here so far."""
        both = (self._arp, self._ndp)
        # A copy is made in one step; the thread goes on counting.
        ignored = sum((Counter(channel.ignored) for channel in both), Counter[Ignored]())
        refused = self._groups_refused + sum(channel.refused for channel in both)
        lost = sum(channel.lost() for channel in both)
        others = {REFUSED: refused, CLAIMS_DROPPED: self._claims.dropped, RING_FULL: lost}
        return Counts(
            requests=sum(channel.requests for channel in both),
            answers=sum(channel.answers for channel in both),
            unasked=sum(channel.unasked for channel in both),
            ignored={
                **{reason.value: count for reason, count in ignored.items()},
                **{reason: count for reason, count in others.items() if count},
            },
        )

    def close(self) -> None:
        """Fall silent and give everything back; once is enough."""
        if not self.is_open:
            return
        self.is_open = False
        self._claims.close()
        if self._joining_again is not None:
            self._joining_again.cancel()
        for channel in (self._arp, self._ndp):
            self._answering.remove(channel)
            channel.close()
        self._groups.close()
        self._forget_mac(self._state.mac)

    def _hear(self, address: bytes) -> None:
        if address in self._addresses:
            return
        self._addresses.add(address)
        if len(address) == 16:
            self._group(partial(self._groups.join, address))

    def _group(self, change: Callable[[], None]) -> None:
        try:
            change()
        except OSError as exc:
            self._groups_refused += 1
            if self._groups_refused == 1:
                name = errno.errorcode.get(exc.errno or 0, "?")
                _log.warning("a multicast group cannot be joined", extra={"link": self._state.name, "error": name})
            if self._joining_again is None:
                self._joining_again = asyncio.get_running_loop().call_later(_JOIN_AGAIN, self._join_again)

    def _join_again(self) -> None:
        self._joining_again = None
        if self._groups.is_missing:
            self._group(self._groups.join_missing)

    def _forget_mac(self, mac: bytes) -> None:
        self._own_macs[mac] -= 1
        if not self._own_macs[mac]:
            del self._own_macs[mac]


def _is_usable(state: LinkState) -> bool:
    return state.is_up and state.has_carrier
