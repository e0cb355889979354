"""Two `Peer`s and what is between them: connections with delays and faults, and a clock that is turned by hand."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import count
from random import Random

from reconciler.bgp.adj_rib_out import AdjRibOut
from reconciler.bgp.events import CancelDial, Close, Dial, Ended, Established, Event, State
from reconciler.bgp.families import Family
from reconciler.bgp.parameters import LocalEnd, SessionParameters
from reconciler.bgp.peer import Peer

A = SessionParameters(local_asn=64500, remote_asn=64501, families=frozenset(Family))
B = replace(A, local_asn=64501, remote_asn=64500)
# What a socket takes before its peer has read anything.
_WINDOW = 65536


class Link:
    """One TCP connection; `is_dead` loses whatever is sent, and tells nobody."""

    def __init__(self, dialer: "Host", acceptor: "Host", number: int) -> None:
        self.hosts = (dialer, acceptor)
        self.number = number
        self.is_dead = False
        self.arrives = {dialer: 0.0, acceptor: 0.0}

    def other(self, host: "Host") -> "Host":
        return self.hosts[1] if host is self.hosts[0] else self.hosts[0]


@dataclass(eq=False)
class Host:
    peer: Peer
    rib: AdjRibOut
    router_id: bytes
    listens: bool = True
    reads: bool = True
    links: dict[int, Link] = field(default_factory=dict)
    dials: list[float] = field(default_factory=list)
    dialing: int = 0
    log: list[tuple[float, Event]] = field(default_factory=list)
    outstanding: dict[int, int] = field(default_factory=dict)
    kept: list[tuple[Link, bytes]] = field(default_factory=list)

    @property
    def local(self) -> LocalEnd:
        return LocalEnd(address=self.router_id, router_id=self.router_id, ipv4=self.router_id, ipv6=bytes(15) + b"\1")

    def ended(self) -> list[str]:
        return [event.why for _, event in self.log if isinstance(event, Ended)]

    def sessions(self) -> list[float]:
        return [at for at, event in self.log if isinstance(event, Established)]


class Network:
    """`a` has the lower identifier. `delay` is that of a connection, in seconds; octets take up to thrice as long."""

    def __init__(
        self, a: SessionParameters = A, b: SessionParameters = B, *, seed: int = 0, delay: float = 0.001
    ) -> None:
        self.now = 0.0
        self.delay = delay
        self._random = Random(seed)  # noqa: S311 - the same run for the same seed
        self._numbers = count(1)
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self.a, self.b = self._host(a, 1), self._host(b, 2)
        self.links: list[Link] = []

    def _host(self, parameters: SessionParameters, last: int) -> Host:
        rib = AdjRibOut()
        rib.settled()
        return Host(Peer(parameters, rib, jitter=self._random.random), rib, bytes((10, 0, 0, last)))

    @property
    def hosts(self) -> tuple[Host, Host]:
        return self.a, self.b

    def start(self) -> None:
        for host in self.hosts:
            host.peer.start(self.now)
            self.look(host)

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        heappush(self._queue, (self.now + seconds, next(self._numbers), call))

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        until = self.now + seconds
        while True:
            due = min(host.peer.deadline() for host in self.hosts)
            if self._queue and self._queue[0][0] <= min(due, until):
                self.now, _, call = heappop(self._queue)
                call()
            elif due <= until:
                self.now = max(self.now, due)
                for host in self.hosts:
                    self._wake(host)
            else:
                self.now = until
                return

    def is_up(self) -> bool:
        """Both sides have the one session, over the one connection there is."""
        both = all(host.peer.state is State.ESTABLISHED and len(host.links) == 1 for host in self.hosts)
        return both and list(self.a.links) == list(self.b.links)

    def cut(self, link: Link, why: str = "connection reset") -> None:
        """Break a connection, so that both sides notice."""
        for host in link.hosts:
            self.lose(link, host, why)

    def lose(self, link: Link, host: Host, why: str) -> None:
        if host.links.pop(link.number, None) is not None:
            host.peer.closed(link.number, why, self.now)
            self.look(host)

    def look(self, host: Host) -> None:
        while True:
            commands, events = host.peer.commands(), host.peer.events()
            host.log += [(self.now, event) for event in events]
            for command in commands:
                match command:
                    case Dial():
                        self._dial(host)
                    case CancelDial():
                        host.dialing += 1
                    case Close(connection=number):
                        self._close(host, number)
            if not commands and not events:
                break
        for link in list(host.links.values()):
            self._send(host, link)

    def _wake(self, host: Host) -> None:
        for number in host.links:
            if not host.outstanding.get(number):
                host.peer.progressed(number, self.now)
        if host.peer.deadline() <= self.now:
            host.peer.handle_timer(self.now)
            self.look(host)

    def _dial(self, host: Host) -> None:
        host.dials.append(self.now)
        host.dialing += 1
        ticket = host.dialing
        self.later(self.delay, lambda: self._answer(host, ticket))

    def _answer(self, host: Host, ticket: int) -> None:
        if ticket != host.dialing:
            return
        other = self.b if host is self.a else self.a
        if not other.listens:
            host.peer.dial_failed("connection refused", self.now)
            self.look(host)
            return
        link = Link(host, other, next(self._numbers))
        self.links.append(link)
        host.links[link.number] = other.links[link.number] = link
        self.later(self._random.uniform(0, 1) * self.delay, lambda: self._accept(other, link))
        host.peer.connected(link.number, host.local, self.now)
        self.look(host)

    def _accept(self, host: Host, link: Link) -> None:
        if link.number in host.links:
            host.peer.accepted(link.number, host.local, self.now)
            self.look(host)

    def _send(self, host: Host, link: Link) -> None:
        while host.outstanding.get(link.number, 0) < _WINDOW:
            data = host.peer.data_to_send(link.number, 4096)
            if not data:
                return
            host.outstanding[link.number] = host.outstanding.get(link.number, 0) + len(data)
            self._carry(host, link, lambda data=data: self._deliver(link, host, data))  # type: ignore[misc]

    def _carry(self, host: Host, link: Link, call: Callable[[], None]) -> None:
        # What was sent first arrives first, and nothing before the connection itself.
        at = max(link.arrives[host], self.now + self._random.uniform(1, 3) * self.delay)
        link.arrives[host] = at
        self.later(at - self.now, call)

    def _deliver(self, link: Link, sender: Host, data: bytes) -> None:
        receiver = link.other(sender)
        if link.is_dead:
            return
        if not receiver.reads:
            receiver.kept.append((link, data))
            return
        sender.outstanding[link.number] -= len(data)
        if link.number in sender.links:
            sender.peer.progressed(link.number, self.now)
            self.look(sender)
        if link.number in receiver.links:
            receiver.peer.received(link.number, data, self.now)
            self.look(receiver)

    def _close(self, host: Host, number: int) -> None:
        link = host.links.get(number)
        if link is None:
            return
        self._send(host, link)
        del host.links[number]
        other = link.other(host)
        if not link.is_dead:
            self._carry(host, link, lambda: self.lose(link, other, ""))
