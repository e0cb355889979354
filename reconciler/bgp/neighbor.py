"""One peer: its machine, its connections and its clock, joined."""

import asyncio
import logging
import random
import socket
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from math import inf

from reconciler.bgp.address_dump import DumpError
from reconciler.bgp.adj_rib_out import AdjRibOut
from reconciler.bgp.dialing import DialError, dial, patience
from reconciler.bgp.discovery import Discovery
from reconciler.bgp.events import (
    CancelDial,
    Close,
    Command,
    Counts,
    Dial,
    Ended,
    Established,
    Event,
    RoutesRefused,
    State,
)
from reconciler.bgp.local_end import local_end
from reconciler.bgp.notification import Cease
from reconciler.bgp.own_addresses import own_addresses
from reconciler.bgp.parameters import Agreement, LocalEnd, SessionParameters
from reconciler.bgp.peer import Peer
from reconciler.bgp.remote import Remote, is_link_local, reach_of, remote_text
from reconciler.bgp.sockets import guard, octets_of, prepare
from reconciler.bgp.stream import Stream

# Connections with one peer, those that are about to be closed among them.
_MOST_STREAMS = 8

_log = logging.getLogger(__name__)

OnEvent = Callable[[Event], None]
OnProblem = Callable[[str | None], None]


class Neighbor:
    """One peer as the announcer has it, made by `Transport.open`; no event arrives after `close`."""

    rib: AdjRibOut

    def __init__(
        self,
        parameters: SessionParameters,
        remote: Remote,
        *,
        node: str,
        on_event: OnEvent,
        on_problem: OnProblem | None,
        on_moved: Callable[[], None],
        on_gone: Callable[["Neighbor"], None],
    ) -> None:
        self.rib = AdjRibOut()
        self.remote = remote
        self.is_passive = parameters.is_passive
        self.reach = reach_of(parameters, remote)
        self._node = node
        self._patience = patience(parameters)
        self._on_event, self._on_problem, self._on_moved, self._on_gone = on_event, on_problem, on_moved, on_gone
        self._loop = asyncio.get_running_loop()
        self._peer = Peer(parameters, self.rib, jitter=random.random)
        self._numbers = count(1)
        self._streams: dict[int, Stream] = {}
        self._dialing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at = inf
        self._address = remote.address
        self._local: LocalEnd | None = None
        self._problems: dict[str, str] = {}
        self._is_closed = self._is_looking = False
        self._changed = asyncio.Event()
        self._discovery = (
            Discovery(remote.interface, self._found, lambda why: self.tell_problem("discovery", why))
            if remote.address is None and remote.interface is not None
            else None
        )

    @property
    def state(self) -> State:
        """Of the session, or of the attempt that has come farthest."""
        return self._peer.state

    @property
    def agreement(self) -> Agreement | None:
        """Of the established session."""
        return self._peer.agreement

    @property
    def local(self) -> LocalEnd | None:
        """Our end of the established session."""
        return self._local

    @property
    def remote_text(self) -> str:
        """As people write it: `192.0.2.14:179`, `[2001:db8::14]:179`, `[fe80::14%eth0]:179` or `eth0`."""
        return remote_text(self.remote)

    @property
    def remote_address(self) -> bytes | None:
        """The peer's address, 4 or 16 octets; None as long as an unnumbered peer has not been found."""
        return self._address

    @property
    def problem(self) -> str | None:
        """Why no attempt can even be made, such as a source address that is not ours; None where nothing is amiss."""
        return next(iter(self._problems.values()), None)

    def counts(self) -> Counts:
        """Since the neighbour was opened."""
        return self._peer.counts()

    def tell(self) -> None:
        """The rib has changed: send what there is to send."""
        for stream in self._streams.values():
            stream.write()

    async def drained(self, timeout: float) -> bool:
        """Wait until all that is wanted was given to the kernel, or there is no session; False when time ran out."""
        self.tell()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not self._is_drained():
                    self._changed.clear()
                    await self._changed.wait()
        return self._is_drained()

    def fail(self, subcode: Cease, why: str) -> None:
        """End the session with a CEASE; the next attempt follows as usual."""
        self._peer.fail(self._loop.time(), subcode, why)
        self._look()

    async def close(self, subcode: Cease, message: str = "") -> None:
        """End everything with a CEASE; returns when it was sent, or cannot be."""
        if not self._is_closed:
            self._peer.stop(self._loop.time(), subcode, message)
            self._part()
        await self._parted()

    async def leave(self) -> None:
        """End everything without a NOTIFICATION: peers that agreed to graceful restart keep our routes."""
        if not self._is_closed:
            self._peer.leave(self._loop.time())
            self._part()
        await self._parted()

    # What follows is for the transport.

    def start(self) -> None:
        """Begin to look for a session."""
        if self._discovery is not None:
            self._discovery.start()
        self._peer.start(self._loop.time())
        self._look()

    def abort(self) -> None:
        """Close every socket at once, without a word."""
        self._is_closed = True
        self._release()
        for stream in self._streams.values():
            stream.abort()
        self._streams.clear()
        self._changed.set()

    def may_come_from(self, address: bytes, interface: str | None, local: bytes, device: str | None) -> bool:
        """Whether a connection that arrived may be this peer's."""
        remote = self.remote
        if address != self._address or device != remote.device or remote.source not in (None, local):
            return False
        return not is_link_local(address) or interface == remote.interface

    def accept(self, made: socket.socket) -> None:
        """Take over a connection that the peer has opened."""
        prepare(made, self.reach)
        guard(made)
        self._joined(made, self._peer.accepted)

    @property
    def has_connection(self) -> bool:
        """Whether there is one, whatever its state."""
        return bool(self._streams)

    @property
    def is_crowded(self) -> bool:
        """Whether there are so many that another one has to wait."""
        return len(self._streams) >= _MOST_STREAMS

    def tell_problem(self, source: str, why: str | None) -> None:
        """Something is in the way, or is no more; each source has its own."""
        before = self.problem
        if why is None:
            self._problems.pop(source, None)
        else:
            self._problems[source] = why
        if self.problem != before and self._on_problem is not None and not self._is_closed:
            self._loop.call_soon(self._deliver_problem, self.problem)

    def _deliver_problem(self, problem: str | None) -> None:
        if not self._is_closed and self._on_problem is not None:
            self._on_problem(problem)

    # What follows is for the streams.

    def stream_received(self, connection: int, data: bytes) -> None:
        """Octets have arrived."""
        self._peer.received(connection, data, self._loop.time())
        self._look()

    def stream_wants(self, connection: int, limit: int) -> bytes:
        """Octets to send."""
        data = self._peer.data_to_send(connection, limit)
        # The peer owes an acknowledgement from now on, even where the kernel takes nothing.
        self._arm()
        return data

    def stream_sent(self, connection: int) -> None:
        """The kernel has taken some, or all that there was."""
        self._mark_progress(self._streams[connection])
        self._arm()
        self._changed.set()

    def stream_ended(self, connection: int, why: str) -> None:
        """It has ended without our doing."""
        del self._streams[connection]
        self._peer.closed(connection, why, self._loop.time())
        self._look()

    def stream_closed(self, connection: int) -> None:
        """What we began to close is closed."""
        del self._streams[connection]
        self._changed.set()

    def _is_drained(self) -> bool:
        if self._is_closed or self._peer.state is not State.ESTABLISHED:
            return True
        return self.rib.is_all_told and all(stream.is_idle for stream in self._streams.values())

    def _look(self) -> None:
        """Do what the machine asks for, and tell what happened; again, until there is nothing more."""
        if self._is_looking:
            return
        self._is_looking = True
        try:
            while True:
                commands, events = self._peer.commands(), self._peer.events()
                if not commands and not events:
                    break
                for command in commands:
                    self._obey(command)
                for event in events:
                    self._report(event)
        finally:
            self._is_looking = False
        self.tell()
        self._arm()
        self._changed.set()

    def _obey(self, command: Command) -> None:
        match command:
            case Dial():
                self._dial()
            case CancelDial():
                self._cancel_dial()
            case Close(connection=connection):
                stream = self._streams.get(connection)
                if stream is not None:
                    stream.close()

    def _report(self, event: Event) -> None:
        match event:
            case Established(local=local):
                self._local = local
                # What keeps us from dialling is no matter where the peer did.
                self.tell_problem("dial", None)
            case Ended(was_established=True):
                self._local = None
            case RoutesRefused(why=why):
                _log.warning("%s tells of malformed routes, which count as withdrawn: %s", self.remote_text, why)
            case _:
                pass
        # In a turn of its own: who hears of it may ask for something else.
        self._loop.call_soon(self._deliver, event)

    def _deliver(self, event: Event) -> None:
        if not self._is_closed:
            self._on_event(event)

    def _arm(self) -> None:
        """Be woken when the machine wants to be. A wake that comes too early costs less than one for each message."""
        deadline = self._peer.deadline()
        if deadline >= self._wakes_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._wakes_at = deadline
        self._timer = self._loop.call_at(deadline, self._wake)

    def _wake(self) -> None:
        self._timer, self._wakes_at = None, inf
        now = self._loop.time()
        for stream in self._streams.values():
            self._mark_progress(stream)
        if self._peer.deadline() <= now:
            self._peer.handle_timer(now)
        self._look()

    def _mark_progress(self, stream: Stream) -> None:
        if not stream.is_closing and stream.has_progressed():
            self._peer.progressed(stream.number, self._loop.time())

    def _found(self, address: bytes) -> None:
        """The peer of an unnumbered link is there. A session that it has by another address is left alone."""
        if address == self._address:
            return
        self._address = address
        self._on_moved()
        if self._dialing is not None:
            self._cancel_dial()
            self._dial()

    def _dial(self) -> None:
        self._cancel_dial()
        self._dialing = self._loop.create_task(self._connect())

    def _cancel_dial(self) -> None:
        if self._dialing is not None:
            self._dialing.cancel()
            self._dialing = None

    async def _connect(self) -> None:
        try:
            made = await dial(
                self.remote,
                self.reach,
                self._patience,
                lambda: self._address,
                self._hindered,
            )
        except DialError as exc:
            self._dialing = None
            self._peer.dial_failed(str(exc), self._loop.time())
            self._look()
        else:
            self._dialing = None
            self._joined(made, self._peer.connected)

    def _hindered(self, why: str | None) -> None:
        self._peer.hindered(why)
        self.tell_problem("dial", why)

    def _joined(self, made: socket.socket, tell: Callable[[int, LocalEnd, float], None]) -> None:
        number = next(self._numbers)
        local = self._local_end(made)
        self._streams[number] = Stream(number, made, self)
        tell(number, local, self._loop.time())
        self._look()

    def _local_end(self, made: socket.socket) -> LocalEnd:
        address, scope = octets_of(made.getsockname())
        try:
            addresses = own_addresses()
        except DumpError:
            # The next hop of the family of the connection is known all the same.
            addresses = ()
        remote = self._address or address
        return local_end(address, remote, scope, addresses, router_id=self.remote.router_id, node=self._node)

    def _part(self) -> None:
        self._is_closed = True
        self._look()
        self._release()
        for stream in list(self._streams.values()):
            stream.close()

    async def _parted(self) -> None:
        while self._streams:
            self._changed.clear()
            await self._changed.wait()

    def _release(self) -> None:
        self._on_gone(self)
        self._cancel_dial()
        if self._discovery is not None:
            self._discovery.stop()
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._wakes_at = None, -inf
