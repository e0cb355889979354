"""
TCP for BGP: connections with their options, one listener for all peers, and the clock of every session.

Everything runs in the event loop. What is not sent yet stays with the peer's machine, not in a buffer: a peer that
does not read costs no memory.
"""

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Callable
from enum import StrEnum

from reconciler.bgp.events import Event, State
from reconciler.bgp.listener import Listeners
from reconciler.bgp.neighbor import Neighbor
from reconciler.bgp.parameters import SessionParameters
from reconciler.bgp.remote import PORT, Remote, address_text
from reconciler.bgp.sockets import TransportError, octets_of, reset_on_close, saved_syn

__all__ = ["PORT", "Neighbor", "Remote", "Transport", "TransportError", "TurnedAway"]

# Seconds.
_LOOK_INTERVAL = 2.0
_LOG_INTERVAL = 60.0

_log = logging.getLogger(__name__)


class TurnedAway(StrEnum):
    """Why a connection that arrived was closed before a machine saw it."""

    NOT_A_PEER = "not-a-peer"
    TOO_FAR = "too-far"  # its hops are more than the peer is allowed (GTSM)
    UNSIGNED = "unsigned"  # the peer has a password, and this was begun without
    TOO_MANY = "too-many"  # the peer opens connections faster than they can be closed
    GONE = "gone"  # it was reset before we came to it


class Transport:
    """All BGP of this process. Made and used in the event loop."""

    def __init__(self, node: str) -> None:
        """`node` is the name of this node; a router id is made of it where no IPv4 address offers itself."""
        self._node = node
        self._loop = asyncio.get_running_loop()
        self._neighbors: list[Neighbor] = []
        self._listeners = Listeners(self._accepted)
        self._turned_away: Counter[TurnedAway] = Counter()
        self._retry: asyncio.TimerHandle | None = None
        self._may_log_at = 0.0

    def listen(self, port: int, addresses: tuple[bytes, ...] = ()) -> None:
        """
        Accept connections of the peers that are open or opened later; replaces what was listened on before.

        Args:
            port: TCP.
            addresses: Of this host, 4 or 16 octets; none of them means all.

        Raises:
            TransportError: We may not (NET_BIND_SERVICE), or it is taken. Nothing is listened on then.
        """
        try:
            self._listeners.open(port, addresses)
        finally:
            self._update()

    def stop_listening(self) -> None:
        """Accept nobody any more."""
        self._listeners.close()
        self._update()

    def open(
        self,
        parameters: SessionParameters,
        remote: Remote,
        on_event: Callable[[Event], None],
        on_problem: Callable[[str | None], None] | None = None,
    ) -> Neighbor:
        """
        Begin to look for a session. What is in the way is tried again, and told by `Neighbor.problem`.

        Args:
            parameters: Of the session.
            remote: Where the peer is.
            on_event: Called in the event loop, in order.
            on_problem: Called with each change of `Neighbor.problem`.
        """
        neighbor = Neighbor(
            parameters,
            remote,
            node=self._node,
            on_event=on_event,
            on_problem=on_problem,
            on_moved=self._update,
            on_gone=self._gone,
        )
        self._neighbors.append(neighbor)
        self._update()
        neighbor.start()
        return neighbor

    def turned_away(self) -> dict[str, int]:
        """How many connections were closed unheard so far, by reason."""
        return {str(reason): count for reason, count in self._turned_away.items()}

    def close(self) -> None:
        """Close every socket at once, without a word."""
        self._listeners.close()
        for neighbor in list(self._neighbors):
            neighbor.abort()
        if self._retry is not None:
            self._retry.cancel()

    def _gone(self, neighbor: Neighbor) -> None:
        if neighbor in self._neighbors:
            self._neighbors.remove(neighbor)
            self._update()

    def _update(self) -> None:
        """Have the listeners fit the peers and the devices; what does not work yet is tried again."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        passwords: dict[str | None, dict[bytes, bytes]] = {None: {}}
        for neighbor in self._neighbors:
            by_address = passwords.setdefault(neighbor.remote.device, {})
            if neighbor.remote_address is not None and neighbor.remote.password is not None:
                # The kernel has one for an address, whatever the port: the peer that came first has its way.
                by_address.setdefault(neighbor.remote_address, neighbor.remote.password)
        problems = self._listeners.update(passwords)
        for neighbor in self._neighbors:
            neighbor.tell_problem("listen", problems.get(neighbor.remote.device))
        if problems or self._listeners.has_devices:
            self._retry = self._loop.call_later(_LOOK_INTERVAL, self._update)

    def _accepted(self, made: socket.socket, device: str | None) -> None:
        try:
            address, scope = octets_of(made.getpeername())
            local, _ = octets_of(made.getsockname())
            interface = socket.if_indextoname(scope) if scope else None
        except OSError:
            self._turn_away(made, TurnedAway.GONE)
            return
        neighbor = self._expecting(address, interface, local, device)
        if neighbor is None:
            self._log_stranger(address_text(address, interface))
            self._turn_away(made, TurnedAway.NOT_A_PEER)
            return
        reason = self._why_not(made, neighbor)
        if reason is not None:
            self._turn_away(made, reason)
            return
        try:
            neighbor.accept(made)
        except OSError:
            self._turn_away(made, TurnedAway.GONE)

    @staticmethod
    def _why_not(made: socket.socket, neighbor: Neighbor) -> TurnedAway | None:
        syn = saved_syn(made)
        if syn is not None and syn.ttl < neighbor.reach.least:
            return TurnedAway.TOO_FAR
        # The kernel only asks for a signature since it has the password, which it may have refused.
        if syn is not None and neighbor.remote.password is not None and not syn.is_signed:
            return TurnedAway.UNSIGNED
        return TurnedAway.TOO_MANY if neighbor.is_crowded else None

    def _expecting(self, address: bytes, interface: str | None, local: bytes, device: str | None) -> Neighbor | None:
        """
        Whose connection it is. A port says nothing here, so where several peers have one address, the first that has
        no session gets it, or better no connection yet, or better still one that only waits.
        """
        found = [n for n in self._neighbors if n.may_come_from(address, interface, local, device)]
        return min(found, key=_preference, default=None)

    def _turn_away(self, made: socket.socket, reason: TurnedAway) -> None:
        self._turned_away[reason] += 1
        reset_on_close(made)
        made.close()

    def _log_stranger(self, text: str) -> None:
        now = self._loop.time()
        if now >= self._may_log_at:
            self._may_log_at = now + _LOG_INTERVAL
            _log.info("a BGP connection from %s, which is no peer, was refused", text)


def _preference(neighbor: Neighbor) -> tuple[bool, bool, bool]:
    return neighbor.state is State.ESTABLISHED, neighbor.has_connection, not neighbor.is_passive
