"""Whatever claims, waits and settings follow each other: what never happens, and what happens in the end."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.l2.conflicts import (
    DEFEND_INTERVAL,
    QUIET_TIME,
    RATE_LIMIT_INTERVAL,
    Conflicts,
    Defend,
    Leave,
    Notice,
    Over,
    Probe,
    Rules,
    State,
    Step,
    Take,
)

ADDRESSES = [bytes((192, 0, 2, last)) for last in (1, 2)]
MACS = [bytes((2, 0, 0, 0, 0, last)) for last in (1, 2, 3)]

_addresses = st.sampled_from([ADDRESSES[0], ADDRESSES[0], ADDRESSES[0], ADDRESSES[1]])
_claims = st.tuples(st.sampled_from(["claim", "claim", "question"]), _addresses, st.sampled_from(MACS))
_waits = st.tuples(
    st.just("wait"), st.just(b""), st.sampled_from([0.001, 0.014, 0.3, 0.6, 1.0, 3.1, 9.9, 10.0, 59.0, 61.0])
)
operations = st.one_of(
    *(_claims, _claims, _claims, _waits, _waits, _waits),
    st.tuples(st.just("begin"), _addresses, st.booleans()),
    st.tuples(st.just("end"), _addresses, st.none()),
    st.tuples(st.just("linger"), _addresses, st.booleans()),
    st.tuples(st.just("members"), st.just(b""), st.frozensets(st.sampled_from(MACS))),
    st.tuples(st.just("rules"), st.just(b""), st.builds(Rules, st.sampled_from([0.0, 0.015, 2.0]), st.booleans())),
)


@dataclass
class Follower:
    """What a transport would do, and what it must never be asked for."""

    machine: Conflicts = field(default_factory=Conflicts)
    now: float = 0.0
    spoken: set[bytes] = field(default_factory=set)
    lingering: set[bytes] = field(default_factory=set)
    defended_at: dict[bytes, float] = field(default_factory=dict)
    told: set[bytes] = field(default_factory=set)

    def follow(self, steps: list[Step]) -> None:
        for step in steps:
            address = step.address
            state = self.machine.state(address)
            match step:
                case Take():
                    assert address not in self.spoken
                    self.spoken.add(address)
                case Leave():
                    assert step.has_spoken == (address in self.spoken)
                    assert state in {State.IN_USE, State.YIELDED}
                    self.spoken.discard(address)
                    self.told.discard(address)
                case Defend():
                    assert address in self.spoken - self.lingering
                    assert self.now - self.defended_at.get(address, -1e9) >= DEFEND_INTERVAL - 1e-6
                    self.defended_at[address] = self.now
                    self.told.add(address)
                case Notice():
                    assert address in self.spoken
                    self.told.add(address)
                case Over():
                    assert address in self.told
                    self.told.discard(address)
                case Probe():
                    assert address not in self.spoken
        for address in ADDRESSES:
            speaks = self.machine.state(address) in {State.WATCHING, State.OWNED}
            assert speaks == (address in self.spoken)

    def begin(self, address: bytes, is_new: bool) -> None:
        if self.machine.state(address) is None:
            self.follow(self.machine.begin(address, self.now, is_new=is_new))

    def end(self, address: bytes) -> None:
        self.machine.end(address)
        for known in (self.spoken, self.lingering, self.told):
            known.discard(address)
        self.defended_at.pop(address, None)

    def linger(self, address: bytes, lingering: bool) -> None:
        if self.machine.state(address) is not None:
            self.machine.linger(address, lingering=lingering)
            (self.lingering.add if lingering else self.lingering.discard)(address)

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        asked = 0
        while (deadline := self.machine.deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.follow(self.machine.handle_timer(self.now))
            asked += 1
            assert asked < 1000, "it wants to be asked for ever"
        self.now = end

    def carry_out(self, name: str, address: bytes, value: object) -> None:
        match name, value:
            case "begin", bool(is_new):
                self.begin(address, is_new)
            case "end", _:
                self.end(address)
            case "linger", bool(lingering):
                self.linger(address, lingering)
            case "claim" | "question", bytes(mac):
                self.follow(self.machine.claimed(address, mac, self.now, is_question=name == "question"))
            case "wait", float(seconds):
                self.wait(seconds)
            case "members", frozenset() as macs:
                self.follow(self.machine.know(macs, self.now))
            case "rules", Rules() as rules:
                self.machine.rules = rules
            case _:
                raise AssertionError(name)


@settings(max_examples=400)
@given(st.booleans(), st.lists(operations, max_size=40))
def test_nothing_is_announced_that_another_has_and_nothing_is_defended_twice(
    is_new: bool,
    steps: list[tuple[str, bytes, object]],
) -> None:
    follower = Follower()
    follower.begin(ADDRESSES[0], is_new)
    for name, address, value in steps:
        follower.carry_out(name, address, value)
        assert len(follower.machine._heap) < 100
    # Once everybody is silent every address is ours, nothing is told for ever, and nothing is due any more.
    follower.wait(RATE_LIMIT_INTERVAL + QUIET_TIME + 2 * DEFEND_INTERVAL)
    for address in ADDRESSES:
        assert follower.machine.state(address) in {None, State.OWNED}
    assert not follower.told
    assert follower.machine.deadline() is None
