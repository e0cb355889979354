"""Two sessions joined by a wire, under a clock that the test turns."""

from collections.abc import Callable
from math import inf

from reconciler.bfd.authentication import Meticulous
from reconciler.bfd.intervals import Parameters
from reconciler.bfd.packets import ControlPacket, State, decode
from reconciler.bfd.session import Event, Session, StateChanged

FAST = Parameters(0.05, 0.05, 3)


class Side:
    """A session, and all that it sent and reported, with the times."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.sent: list[tuple[float, ControlPacket]] = []
        self.reported: list[tuple[float, Event]] = []
        self.is_frozen = False

    @property
    def state(self) -> State:
        return self.session.state

    def changes(self) -> list[StateChanged]:
        return [event for _, event in self.reported if isinstance(event, StateChanged)]

    def times(self) -> list[float]:
        """When packets were sent, answers to a Poll left out."""
        return [at for at, packet in self.sent if not packet.is_final]


class Pair:
    """Two sides, `a` and `b`. Packets take no time. `lose` says whether one from the side named gets lost."""

    def __init__(
        self,
        of_a: Parameters = FAST,
        of_b: Parameters = FAST,
        *,
        jitter: Callable[[], float] = lambda: 0.0,
        keys: tuple[Meticulous, Meticulous] | None = None,
    ) -> None:
        self.now = 0.0
        with_keys = keys or (None, None)
        self.a = Side(Session(of_a, 1, 0.0, jitter=jitter, authentication=with_keys[0]))
        self.b = Side(Session(of_b, 2, 0.0, jitter=jitter, authentication=with_keys[1]))
        self.lose: Callable[[Side, ControlPacket], bool] = lambda *_: False

    def run(self, seconds: float) -> None:
        """Let time pass."""
        until = self.now + seconds
        self.settle()
        while (due := self._due()) <= until:
            self.now = max(self.now, due)
            for side in (self.a, self.b):
                if not side.is_frozen:
                    side.session.handle_timer(self.now)
            self.settle()
        self.now = until

    def run_until(self, is_true: Callable[[], bool], *, limit: float = 30.0) -> None:
        """Let time pass, deadline by deadline, until something is true."""
        end = self.now + limit
        while not is_true():
            assert self.now < end, "it never came true"
            self.run(max(0.0, self._due() - self.now) + 1e-9)

    def up(self) -> "Pair":
        """Let both come up and agree on their intervals."""
        self.run_until(lambda: self.a.state == State.UP == self.b.state)
        self.run(3)
        return self

    def cut(self) -> None:
        """From now on nothing arrives."""
        self.lose = lambda *_: True

    def settle(self) -> None:
        """Hand over what both have to say, until both have nothing more."""
        while self._pass_on(self.a, self.b) | self._pass_on(self.b, self.a):
            pass

    def _pass_on(self, sender: Side, receiver: Side) -> bool:
        if sender.is_frozen:
            return False
        sender.reported += [(self.now, event) for event in sender.session.events()]
        out = sender.session.data_to_send()
        for data in out:
            packet = decode(data)
            sender.sent.append((self.now, packet))
            if not self.lose(sender, packet) and not receiver.is_frozen:
                receiver.session.receive(packet, data, self.now)
        return bool(out)

    def _due(self) -> float:
        return min((side.session.deadline() for side in (self.a, self.b) if not side.is_frozen), default=inf)
