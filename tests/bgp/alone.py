"""One `Peer` without another: the test says what arrives, and looks at what is sent."""

from dataclasses import replace

from reconciler.bgp.adj_rib_out import AdjRibOut
from reconciler.bgp.capabilities import Capability
from reconciler.bgp.events import Command, Dial, Ended, State
from reconciler.bgp.families import Family
from reconciler.bgp.framing import MAX_EXTENDED_LENGTH, Framer, MessageType
from reconciler.bgp.messages import KEEPALIVE, Open, decode_notification, encode_open
from reconciler.bgp.negotiation import open_of
from reconciler.bgp.notification import Notification
from reconciler.bgp.parameters import LocalEnd, SessionParameters
from reconciler.bgp.peer import Peer

OURS = SessionParameters(local_asn=64500, remote_asn=64501, families=frozenset(Family))
LOCAL = LocalEnd(address=bytes((10, 0, 0, 5)), router_id=bytes((10, 0, 0, 5)), ipv4=bytes((10, 0, 0, 5)))
HIGHER, LOWER = bytes((10, 0, 0, 9)), bytes((10, 0, 0, 1))


class Alone:
    """`connection` is the number of the connection that is talked about; `draw` what the jitter gives."""

    def __init__(
        self,
        parameters: SessionParameters = OURS,
        *,
        theirs: SessionParameters | None = None,
        draw: float = 1.0,
        send_hold_time: float | None = None,
    ) -> None:
        mirrored = replace(parameters, local_asn=64501, remote_asn=64500, maximum_prefixes=None, is_restarting=False)
        self.theirs = mirrored if theirs is None else theirs
        self.rib = AdjRibOut()
        self.peer = Peer(parameters, self.rib, jitter=lambda: draw, send_hold_time=send_hold_time)
        self.now = 0.0
        self.connection = 0

    def to(self, state: State) -> "Alone":
        """Start, and come to a state by a connection that we opened."""
        self.peer.start(self.now)
        if state is State.CONNECT:
            return self
        self.connect()
        if state is not State.OPEN_SENT:
            self.say(self.opening())
        if state is State.ESTABLISHED:
            self.say(KEEPALIVE)
        assert self.peer.state is state
        return self

    def connect(self) -> int:
        assert Dial() in self.peer.commands()
        self.connection += 1
        self.peer.connected(self.connection, LOCAL, self.now)
        return self.connection

    def accept(self) -> int:
        self.connection += 1
        self.peer.accepted(self.connection, LOCAL, self.now)
        return self.connection

    def opening(self, router_id: bytes = HIGHER, *more: Capability, is_restarting: bool = False) -> bytes:
        """The peer's OPEN."""
        opening = open_of(self.theirs, replace(LOCAL, router_id=router_id), is_restarting=is_restarting)
        return encode_open(
            Open(
                asn=opening.asn,
                hold_time=opening.hold_time,
                router_id=router_id,
                capabilities=opening.capabilities + more,
            )
        )

    def say(self, data: bytes, connection: int | None = None) -> None:
        """The peer sends that."""
        self.peer.received(self.connection if connection is None else connection, data, self.now)

    def wait(self, seconds: float) -> None:
        """Let so much time pass, with the timers at their times."""
        until = self.now + seconds
        while self.peer.deadline() <= until:
            self.now = max(self.now, self.peer.deadline())
            self.peer.handle_timer(self.now)
        self.now = until

    def sent(self, connection: int | None = None) -> list[tuple[MessageType, bytes]]:
        """What we said since this was asked last."""
        framer = Framer()
        framer.max_length = MAX_EXTENDED_LENGTH
        while data := self.peer.data_to_send(self.connection if connection is None else connection, 1 << 20):
            framer.feed(data)
        return list(framer)

    def kinds(self, connection: int | None = None) -> list[MessageType]:
        return [kind for kind, _ in self.sent(connection)]

    def notified(self, connection: int | None = None) -> list[Notification]:
        """The NOTIFICATIONs among it."""
        return [decode_notification(body) for kind, body in self.sent(connection) if kind is MessageType.NOTIFICATION]

    def commands(self) -> list[Command]:
        return self.peer.commands()

    def endings(self) -> list[Ended]:
        return [event for event in self.peer.events() if isinstance(event, Ended)]
