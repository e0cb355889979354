"""Another host has, or claims, an address of ours: what is done about it, with a clock turned by hand."""

from collections.abc import Callable

import pytest

from reconciler.l2.conflicts import (
    DEFEND_INTERVAL,
    MAX_CONFLICTS,
    QUIET_TIME,
    RATE_LIMIT_INTERVAL,
    SECOND_PROBE_TIME,
    TOLERANCE,
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

A = bytes((192, 0, 2, 1))
B = bytes.fromhex("20010db8000000000000000000000001")
STRANGER = bytes.fromhex("020000000099")
OTHER = bytes.fromhex("020000000098")
MEMBER = bytes.fromhex("02000000000b")


class World:
    """The machine, the clock, and what it wanted to be done."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.machine = Conflicts(rules)
        self.now = 1000.0
        self.started_at = self.now
        self.said: list[tuple[float, Step]] = []

    def add(self, steps: list[Step]) -> list[Step]:
        self.said += [(round(self.now - self.started_at, 3), step) for step in steps]
        return steps

    def begin(self, address: bytes = A, *, is_new: bool = False) -> list[Step]:
        return self.add(self.machine.begin(address, self.now, is_new=is_new))

    def claim(self, mac: bytes = STRANGER, address: bytes = A, *, is_question: bool = False) -> list[Step]:
        return self.add(self.machine.claimed(address, mac, self.now, is_question=is_question))

    def know(self, *macs: bytes) -> list[Step]:
        return self.add(self.machine.know(frozenset(macs), self.now))

    def wait(self, seconds: float) -> list[Step]:
        """Turn the clock, and ask the machine whenever it wants to be asked."""
        end, done = self.now + seconds, list[Step]()
        while (deadline := self.machine.deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            done += self.add(self.machine.handle_timer(self.now))
        self.now = end
        return done

    def state(self) -> State | None:
        return self.machine.state(A)


def probing(rules: Rules | None = None) -> World:
    world = World(rules)
    assert world.begin(is_new=True) == [Probe(A)]
    return world


def watching() -> World:
    world = probing()
    assert world.wait(0.02) == [Take(A)]
    return world


def owned(rules: Rules | None = None) -> World:
    world = World(rules)
    assert world.begin() == [Take(A)]
    world.wait(100.0)
    return world


def in_use() -> World:
    world = probing()
    assert world.claim() == [Leave(A, STRANGER, is_yielded=False, has_spoken=False)]
    return world


def yielded() -> World:
    world = owned(Rules(may_yield=True))
    world.claim()
    world.wait(1.0)
    assert world.claim() == [Leave(A, STRANGER, is_yielded=True, has_spoken=True)]
    return world


def test_an_address_that_may_have_been_announced_before_is_taken_at_once() -> None:
    world = World()
    assert world.begin(is_new=False) == [Take(A)]
    assert world.state() is State.OWNED
    assert world.machine.deadline() is None


def test_a_new_address_is_taken_when_nobody_answers_the_probe() -> None:
    world = probing()
    assert world.state() is State.PROBING
    assert world.machine.deadline() == pytest.approx(world.now + 0.015)
    assert world.wait(0.014) == []
    assert world.wait(0.001) == [Take(A)]
    assert world.state() is State.WATCHING
    assert world.wait(1.0) == []
    assert world.state() is State.OWNED
    assert world.machine.deadline() is None


def test_without_a_probe_time_a_new_address_is_taken_at_once() -> None:
    world = World(Rules(probe_time=0.0))
    assert world.begin(is_new=True) == [Take(A)]
    assert world.state() is State.OWNED


REFUSED = [Leave(A, STRANGER, is_yielded=False, has_spoken=False)]
WITHDRAWN = [Leave(A, STRANGER, is_yielded=False, has_spoken=True)]


@pytest.mark.parametrize(
    ("before", "mac", "is_question", "expected", "after"),
    [
        pytest.param(probing, STRANGER, False, REFUSED, State.IN_USE, id="an answer to the probe"),
        pytest.param(probing, STRANGER, True, REFUSED, State.IN_USE, id="another host probes at the same time"),
        pytest.param(probing, MEMBER, False, [], State.PROBING, id="the answer of a member"),
        pytest.param(probing, MEMBER, True, [], State.PROBING, id="a member probes too"),
        pytest.param(watching, STRANGER, False, WITHDRAWN, State.IN_USE, id="an answer that comes late"),
        pytest.param(watching, STRANGER, True, [Notice(A, STRANGER)], State.WATCHING, id="a probe after ours"),
        pytest.param(watching, MEMBER, False, [], State.WATCHING, id="a member, late"),
        pytest.param(owned, STRANGER, False, [Defend(A, STRANGER)], State.OWNED, id="a claim"),
        pytest.param(owned, STRANGER, True, [Notice(A, STRANGER)], State.OWNED, id="a probe of what we own"),
        pytest.param(owned, MEMBER, False, [], State.OWNED, id="the first claim of a member"),
        pytest.param(in_use, STRANGER, False, [], State.IN_USE, id="the host that has it"),
        pytest.param(in_use, OTHER, True, [], State.IN_USE, id="somebody asks for what is in use"),
        pytest.param(in_use, MEMBER, False, [], State.IN_USE, id="a member, while another has it"),
        pytest.param(yielded, STRANGER, False, [], State.YIELDED, id="the host it was left to"),
    ],
)
def test_what_a_claim_leads_to(
    before: Callable[[], World], mac: bytes, is_question: bool, expected: list[Step], after: State
) -> None:
    world = before()
    world.know(MEMBER)
    assert world.claim(mac, is_question=is_question) == expected
    assert world.state() is after


def test_a_claim_of_what_is_not_ours_is_nothing() -> None:
    world = owned()
    assert world.claim(address=B) == []
    world.machine.end(A)
    assert world.claim() == []
    assert world.state() is None
    assert world.machine.deadline() is None


def test_addresses_stand_each_for_itself() -> None:
    world = owned()
    world.begin(B, is_new=True)
    world.claim(address=B)
    assert (world.state(), world.machine.state(B)) == (State.OWNED, State.IN_USE)


# In use.


def test_an_address_in_use_is_probed_again_and_taken_when_it_is_free() -> None:
    world = in_use()
    assert world.wait(DEFEND_INTERVAL - 0.01) == []
    assert world.wait(0.01) == [Probe(A)]
    assert world.state() is State.IN_USE
    assert world.machine.claimant(A) == STRANGER
    assert world.wait(SECOND_PROBE_TIME) == [Take(A, is_free_again=True)]
    assert world.state() is State.WATCHING
    assert world.machine.claimant(A) is None


def test_a_host_that_answers_every_probe_keeps_it() -> None:
    world = in_use()
    for _ in range(5):
        assert world.wait(DEFEND_INTERVAL) == [Probe(A)]
        assert world.claim() == []
    assert world.state() is State.IN_USE


def test_after_many_conflicts_it_is_probed_less_often() -> None:
    world = in_use()
    for _ in range(MAX_CONFLICTS - 1):
        assert world.wait(DEFEND_INTERVAL) == [Probe(A)]
        world.claim()
    assert world.wait(RATE_LIMIT_INTERVAL - 0.01) == []
    assert world.wait(0.01) == [Probe(A)]
    # Not for ever: once it was ours for a while the count begins anew.
    assert world.wait(10.0) == [Take(A, is_free_again=True)]
    world.claim()
    assert world.wait(DEFEND_INTERVAL) == []
    assert world.state() is State.OWNED


def test_a_host_that_shows_itself_without_being_asked_is_not_asked() -> None:
    world = in_use()
    for _ in range(20):
        world.wait(5.0)
        world.claim()
    assert all(not isinstance(step, Probe) for _, step in world.said[2:])


def test_a_late_answer_after_it_seemed_free_withdraws_it_again() -> None:
    world = in_use()
    world.wait(DEFEND_INTERVAL + SECOND_PROBE_TIME)
    assert world.state() is State.WATCHING
    assert world.claim() == WITHDRAWN


def test_what_turns_out_to_be_a_members_is_taken() -> None:
    world = in_use()
    assert world.know(OTHER) == []
    assert world.know(OTHER, STRANGER) == [Take(A, is_free_again=True)]
    assert world.state() is State.OWNED
    assert world.wait(1000.0) == []


# Owned: defence.


def test_one_defence_in_the_interval_and_the_last_word_is_ours() -> None:
    world = owned()
    start = world.now - world.started_at
    world.claim()
    for _ in range(4):
        world.wait(1.0)
        assert world.claim() == []
    world.wait(30.0)
    assert world.said[1:] == [(start, Defend(A, STRANGER)), (start + DEFEND_INTERVAL, Defend(A, STRANGER))]


def test_a_claim_of_somebody_else_shares_the_interval() -> None:
    world = owned()
    assert world.claim(STRANGER) == [Defend(A, STRANGER)]
    assert world.claim(OTHER) == []
    assert world.machine.claimant(A) == OTHER
    assert world.wait(DEFEND_INTERVAL) == [Defend(A, OTHER)]


def test_a_claim_is_over_when_it_has_been_quiet_for_a_while() -> None:
    world = owned()
    world.claim()
    world.wait(DEFEND_INTERVAL + 1)
    world.claim()
    assert world.wait(QUIET_TIME - 0.01) == []
    assert world.wait(0.01) == [Over(A)]
    assert world.machine.claimant(A) is None
    assert world.machine.deadline() is None


def test_a_claim_that_comes_back_just_before_it_is_over_is_not_defended_too_soon() -> None:
    world = owned()
    world.claim()
    world.wait(QUIET_TIME - 1)
    assert world.claim() == [Defend(A, STRANGER)]
    world.wait(0.5)
    assert world.claim() == []
    assert world.wait(DEFEND_INTERVAL - 0.6) == []
    assert world.wait(0.1) == [Defend(A, STRANGER)]


def test_probes_of_others_are_told_once_in_the_interval_and_not_defended() -> None:
    world = owned()
    for _ in range(25):
        world.claim(is_question=True)
        world.wait(1.0)
    assert [step for _, step in world.said[1:]] == [Notice(A, STRANGER)] * 3
    assert world.wait(QUIET_TIME) == [Over(A)]


def test_a_probe_noticed_while_watching_is_over_too() -> None:
    world = watching()
    world.claim(is_question=True)
    assert world.wait(QUIET_TIME) == [Over(A)]


# Owned: giving up.


def test_with_yield_the_second_claim_in_the_interval_ends_it() -> None:
    world = owned(Rules(may_yield=True))
    assert world.claim() == [Defend(A, STRANGER)]
    world.wait(2.0)
    assert world.claim() == WITHDRAWN_BY_YIELD
    assert world.state() is State.YIELDED


WITHDRAWN_BY_YIELD = [Leave(A, STRANGER, is_yielded=True, has_spoken=True)]


def test_with_yield_claims_far_apart_are_defended() -> None:
    world = owned(Rules(may_yield=True))
    for _ in range(5):
        assert world.claim() == [Defend(A, STRANGER)]
        world.wait(DEFEND_INTERVAL)
    assert world.state() is State.OWNED


def test_both_forms_of_one_announcement_are_one_claim() -> None:
    world = owned(Rules(may_yield=True))
    assert world.claim() == [Defend(A, STRANGER)]
    world.wait(0.001)
    assert world.claim() == []
    assert world.state() is State.OWNED
    assert world.claim(OTHER) == [Leave(A, OTHER, is_yielded=True, has_spoken=True)]


def test_what_was_given_up_is_taken_back_when_it_is_free() -> None:
    world = yielded()
    assert world.wait(DEFEND_INTERVAL) == [Probe(A)]
    assert world.state() is State.YIELDED
    assert world.wait(SECOND_PROBE_TIME) == [Take(A, is_free_again=True)]


def test_it_is_given_up_by_the_rules_of_the_moment() -> None:
    world = owned()
    world.claim()
    world.machine.rules = Rules(may_yield=True)
    world.wait(1.0)
    assert world.claim() == WITHDRAWN_BY_YIELD


# Members.


def test_a_member_that_still_claims_what_we_took_is_told_after_a_while() -> None:
    world = World()
    world.know(MEMBER)
    world.begin()
    for _ in range(int(TOLERANCE / 0.5)):
        assert world.claim(MEMBER) == []
        world.wait(0.5)
    assert world.claim(MEMBER) == [Defend(A, MEMBER)]
    assert world.machine.claimant(A) == MEMBER


def test_a_member_that_comes_back_is_given_time_to_fall_silent() -> None:
    # A partition heals, and both announce until they have heard of each other.
    world = owned()
    world.know(MEMBER)
    assert world.claim(MEMBER) == []
    world.wait(1.1)
    assert world.claim(MEMBER) == []
    world.wait(QUIET_TIME + 1)
    assert world.claim(MEMBER) == []
    assert [step for _, step in world.said] == [Take(A)]


def test_an_address_is_never_left_to_a_member() -> None:
    world = owned(Rules(may_yield=True))
    world.know(MEMBER)
    for _ in range(100):
        world.claim(MEMBER)
        world.wait(0.7)
    assert world.state() is State.OWNED
    assert Defend(A, MEMBER) in [step for _, step in world.said]


def test_while_an_address_lingers_its_successor_claims_it_in_peace() -> None:
    world = owned()
    world.know(MEMBER)
    world.machine.linger(A)
    for _ in range(20):
        assert world.claim(MEMBER) == []
        world.wait(1.0)


def test_while_an_address_lingers_a_stranger_is_noticed_and_not_answered() -> None:
    world = owned()
    world.claim()
    world.claim(OTHER)
    world.machine.linger(A)
    assert world.wait(DEFEND_INTERVAL) == []
    assert world.claim() == [Notice(A, STRANGER)]
    world.machine.linger(A, lingering=False)
    assert world.claim() == [Defend(A, STRANGER)]


def test_lingering_is_over_when_the_address_is_given_anew() -> None:
    world = owned()
    world.machine.linger(A)
    world.machine.end(A)
    world.begin()
    assert world.claim() == [Defend(A, STRANGER)]


# Cost.


def test_a_flood_from_random_hosts_leaves_nothing_behind() -> None:
    world = owned()
    for number in range(20_000):
        world.now += 0.0001
        world.claim(number.to_bytes(6, "big"))
    assert len(world.machine._heap) <= 2
    assert len(world.said) == 2


def test_a_thousand_addresses_at_rest_want_nothing() -> None:
    world = World()
    for number in range(1000):
        world.begin(number.to_bytes(4, "big"), is_new=True)
    world.wait(2.0)
    assert world.machine.deadline() is None
    assert sum(isinstance(step, Take) for _, step in world.said) == 1000
