"""Make before break, seen from both sides, with a clock and a post that the test turns by hand."""

from collections.abc import Collection

import pytest

from reconciler.addresses.family import Address
from reconciler.loop.handing_over import HandingOver
from reconciler.membership.handover import LIMIT
from reconciler.membership.messages import Message, Taken, TakeOver
from reconciler.model.announcements import Active, L2Announcement
from reconciler.model.observed import NodeName
from reconciler.plan.actions import Announce, SpeakerAction, Withdraw
from reconciler.telemetry.speaker_metrics import HandoverResult
from tests.builders import addresses

_ONE, _TWO = addresses("192.0.2.1 2001:db8::2")
_HEIR = NodeName("n2")


class _Announcer:
    """What was asked of it; nothing is sent."""

    def __init__(self, *owned: Address) -> None:
        self.owned = set(owned)
        self.lingering: set[Address] = set()
        # What lingered when something was withdrawn.
        self.lingered: list[set[Address]] = []

    def active(self) -> Active:
        return Active(frozenset(map(L2Announcement, self.owned)))

    @property
    def announced_octets(self) -> Collection[bytes]:
        return {address.packed for address in self.owned - self.lingering}

    async def apply(self, action: SpeakerAction) -> None:
        match action:
            case Announce(L2Announcement(address=address)):
                self.owned.add(address)
                self.lingering.discard(address)
            case Withdraw(L2Announcement(address=address)):
                self.lingered.append(set(self.lingering))
                self.owned.discard(address)
                self.lingering.discard(address)
            case _:
                raise AssertionError(action)

    def linger(self, addresses: Collection[Address]) -> None:
        self.lingering.update(addresses)

    async def close(self) -> None:
        self.owned.clear()


class _Node:
    def __init__(self, *owned: Address) -> None:
        self.now = 100.0
        self.sent: list[tuple[NodeName, Message]] = []
        self.announcer = _Announcer(*owned)
        self.ended: list[tuple[HandoverResult, float]] = []
        self.side = HandingOver(self.announcer, self._send, self._note, clock=lambda: self.now)

    def _note(self, result: HandoverResult, seconds: float) -> None:
        self.ended.append((result, seconds))

    async def _send(self, node: NodeName, message: Message) -> bool:
        self.sent.append((node, message))
        return True

    async def lose(self, *lost: Address, to: NodeName | None = _HEIR) -> None:
        successors = {} if to is None else dict.fromkeys(lost, to)
        await self.side.begin([Withdraw(L2Announcement(address)) for address in lost], successors)


@pytest.fixture
def loser() -> _Node:
    return _Node(_ONE, _TWO)


async def test_without_a_successor_the_node_falls_silent_at_once(loser: _Node) -> None:
    await loser.lose(_ONE, to=None)
    assert loser.announcer.owned == {_TWO}
    assert not loser.sent


async def test_until_the_successor_says_so_the_node_goes_on_answering(loser: _Node) -> None:
    await loser.lose(_ONE)
    assert loser.announcer.owned == {_ONE, _TWO}
    assert loser.announcer.lingering == {_ONE}
    assert loser.side.under_way == {_ONE: _HEIR}
    assert loser.sent == [(_HEIR, TakeOver((_ONE.packed,)))]
    await loser.side.heard_taken(_HEIR, Taken((_ONE.packed,)))
    assert loser.announcer.owned == {_TWO}
    assert not loser.side.under_way
    assert loser.ended == [(HandoverResult.TAKEN, 0.0)]
    await loser.side.finished(0.0)


async def test_what_is_handed_over_is_not_announced_any_more_while_the_rest_is_withdrawn(loser: _Node) -> None:
    withdrawals = [Withdraw(L2Announcement(address)) for address in (_TWO, _ONE)]
    await loser.side.begin(withdrawals, {_ONE: _HEIR})
    assert loser.announcer.lingered == [{_ONE}]


async def test_the_word_of_another_does_not_count(loser: _Node) -> None:
    await loser.lose(_ONE)
    await loser.side.heard_taken(NodeName("n3"), Taken((_ONE.packed,)))
    assert _ONE in loser.announcer.owned


async def test_a_later_pass_that_finds_the_same_changes_nothing(loser: _Node) -> None:
    await loser.lose(_ONE)
    loser.now += LIMIT / 2
    await loser.lose(_ONE)
    loser.now += LIMIT / 2
    await loser.lose(_ONE)
    assert loser.announcer.owned == {_TWO}, "time runs from when it was found first"


async def test_nobody_is_waited_for_without_limit(loser: _Node) -> None:
    await loser.lose(_ONE)
    loser.now += LIMIT
    await loser.side.heard_taken(_HEIR, Taken(()))
    assert loser.announcer.owned == {_TWO}
    assert loser.ended == [(HandoverResult.GIVEN_UP, LIMIT)]


async def test_a_successor_that_restarts_is_waited_for_until_it_is_back(loser: _Node) -> None:
    withdrawals, successors = [Withdraw(L2Announcement(_ONE))], {_ONE: _HEIR}
    await loser.side.begin(withdrawals, successors, away={_HEIR})
    for _ in range(10):
        loser.now += LIMIT - 0.1
        await loser.side.heard_taken(_HEIR, Taken(()))
    assert loser.announcer.owned == {_ONE, _TWO}
    await loser.side.begin(withdrawals, successors)
    loser.now += LIMIT - 0.1
    await loser.side.heard_taken(_HEIR, Taken(()))
    assert loser.announcer.owned == {_ONE, _TWO}
    loser.now += 0.1
    await loser.side.heard_taken(_HEIR, Taken(()))
    assert loser.announcer.owned == {_TWO}
    assert loser.ended == [(HandoverResult.GIVEN_UP, LIMIT)]


async def test_what_is_ours_again_is_announced_again(loser: _Node) -> None:
    await loser.lose(_ONE)
    await loser.side.keep([L2Announcement(_ONE), L2Announcement(_TWO)])
    assert loser.announcer.owned == {_ONE, _TWO}
    assert not loser.announcer.lingering
    assert loser.ended == [(HandoverResult.KEPT, 0.0)]
    await loser.side.heard_taken(_HEIR, Taken((_ONE.packed,)))
    assert _ONE in loser.announcer.owned


async def test_a_service_that_goes_meanwhile_ends_it(loser: _Node) -> None:
    await loser.lose(_ONE)
    await loser.lose(_ONE, to=None)
    assert loser.announcer.owned == {_TWO}
    assert not loser.side.under_way


async def test_the_successor_answers_as_soon_as_it_is_true() -> None:
    heir = _Node()
    await heir.side.heard_take_over(NodeName("n1"), TakeOver((_ONE.packed,)))
    assert not heir.sent
    await heir.announcer.apply(Announce(L2Announcement(_ONE)))
    await heir.side.answer()
    await heir.side.answer()
    assert heir.sent == [(NodeName("n1"), Taken((_ONE.packed,)))]


async def test_who_is_about_to_lose_it_as_well_does_not_say_that_it_has_it(loser: _Node) -> None:
    await loser.lose(_ONE)
    loser.sent.clear()
    await loser.side.heard_take_over(NodeName("n3"), TakeOver((_ONE.packed, _TWO.packed)))
    assert loser.sent == [(NodeName("n3"), Taken((_TWO.packed,)))]
