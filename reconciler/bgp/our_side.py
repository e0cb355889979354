"""What all connections with one peer share on our side. No I/O."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from reconciler.bgp.adj_rib_out import AdjRibOut
from reconciler.bgp.backoff import SHORTEST_WAIT, Backoff
from reconciler.bgp.events import Close, Command, Counts
from reconciler.bgp.framing import MessageType
from reconciler.bgp.messages import Open
from reconciler.bgp.negotiation import open_of
from reconciler.bgp.parameters import CONNECT_RETRY_TIME, LocalEnd, SessionParameters
from reconciler.bgp.timers import LONGEST_DIAL, jittered, send_hold_time

_MOST_FAREWELLS = 16


@dataclass(slots=True)
class OurSide:
    """
    `with_capabilities` and `is_restarting` are what the next OPEN says. `send_hold_time` None is that of RFC 9687.
    `farewells` are the last octets of connections that are to be closed, by number. `hindrance` is what keeps a dial
    from being tried, in words.
    """

    parameters: SessionParameters
    rib: AdjRibOut
    jitter: Callable[[], float]
    backoff: Backoff
    is_restarting: bool
    send_hold_time: float | None
    with_capabilities: bool = True
    commands: list[Command] = field(default_factory=list)
    farewells: dict[int, bytes] = field(default_factory=dict)
    sent: Counter[MessageType] = field(default_factory=Counter)
    received: Counter[MessageType] = field(default_factory=Counter)
    established: int = 0
    updates_refused: int = 0
    hindrance: str | None = None

    def opening(self, local: LocalEnd) -> Open:
        """What we say on a new connection."""
        return open_of(
            self.parameters, local, with_capabilities=self.with_capabilities, is_restarting=self.is_restarting
        )

    def jittered(self, seconds: float) -> float:
        """A little less than that."""
        return jittered(seconds, self.jitter())

    def dial_time(self) -> float:
        """How long a connection may take to open, in seconds, without jitter."""
        configured = self.parameters.connect_retry_time
        return max(min(CONNECT_RETRY_TIME if configured is None else configured, LONGEST_DIAL), SHORTEST_WAIT)

    def send_hold(self, hold_time: float) -> float:
        """How long a peer may take no octets, in seconds, in a session with that hold time."""
        return send_hold_time(hold_time) if self.send_hold_time is None else self.send_hold_time

    def close(self, number: int, farewell: bytes) -> None:
        """Have a connection closed, and these octets sent before."""
        self.commands.append(Close(number))
        if farewell:
            self.farewells[number] = farewell
        # Nobody may ever ask for those of a connection that broke meanwhile.
        while len(self.farewells) > _MOST_FAREWELLS:
            del self.farewells[next(iter(self.farewells))]

    def counts(self, received_prefixes: int) -> Counts:
        """What was said so far. UPDATEs and most ROUTE-REFRESHes of ours come straight out of the rib."""
        return Counts(
            opens_sent=self.sent[MessageType.OPEN],
            opens_received=self.received[MessageType.OPEN],
            notifications_sent=self.sent[MessageType.NOTIFICATION],
            notifications_received=self.received[MessageType.NOTIFICATION],
            updates_sent=self.rib.updates,
            updates_received=self.received[MessageType.UPDATE],
            updates_refused=self.updates_refused,
            keepalives_sent=self.sent[MessageType.KEEPALIVE],
            keepalives_received=self.received[MessageType.KEEPALIVE],
            route_refreshes_sent=self.rib.route_refreshes,
            route_refreshes_received=self.received[MessageType.ROUTE_REFRESH],
            established=self.established,
            received_prefixes=received_prefixes,
        )
