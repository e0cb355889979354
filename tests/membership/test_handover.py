"""Both sides of a handover, step by step."""

import pytest

from reconciler.membership.handover import ASK_INTERVAL, LIMIT, Handovers
from reconciler.membership.messages import LARGEST
from reconciler.model.observed import NodeName

N1, N2, N3 = NodeName("n1"), NodeName("n2"), NodeName("n3")
X, Y, Z = (bytes([192, 0, 2, last]) for last in (1, 2, 3))


def giving(*addresses: bytes, to: NodeName = N2) -> Handovers:
    handovers = Handovers()
    for address in addresses:
        handovers.begin(address, to, 0.0)
    return handovers


def many(count: int) -> list[bytes]:
    return [number.to_bytes(4, "big") for number in range(count)]


# What this node gives away


def test_the_successor_is_asked_at_once_and_again() -> None:
    handovers = giving(X, Y)
    assert handovers.requests(0.0) == [(N2, (X, Y))]
    assert handovers.requests(0.05) == []
    assert handovers.deadline() == ASK_INTERVAL
    assert handovers.requests(ASK_INTERVAL) == [(N2, (X, Y))]


def test_an_address_is_answered_for_until_it_is_taken() -> None:
    handovers = giving(X, Y)
    assert handovers.due(1.0) == ()
    handovers.taken([X, Z], N2)
    assert handovers.due(1.0) == (X,)
    assert set(handovers.leaving) == {Y}
    assert handovers.due(1.0) == ()


def test_what_is_taken_is_due_at_once() -> None:
    handovers = giving(X)
    handovers.requests(1.0)
    handovers.taken([X], N2)
    deadline = handovers.deadline()
    assert deadline is not None
    assert deadline <= 1.0 + ASK_INTERVAL
    assert handovers.requests(2.0) == []


def test_nobody_is_waited_for_without_limit() -> None:
    handovers = giving(X)
    assert handovers.due(LIMIT - 0.001) == ()
    assert handovers.requests(LIMIT) == []
    assert handovers.due(LIMIT) == (X,)
    assert handovers.deadline() is None


def test_the_deadline_is_the_limit_where_that_is_sooner() -> None:
    handovers = giving(X)
    handovers.requests(LIMIT - 0.05)
    assert handovers.deadline() == LIMIT


def test_only_the_successor_can_take() -> None:
    handovers = giving(X)
    handovers.taken([X], N3)
    assert handovers.due(1.0) == ()


def test_another_successor_is_asked_and_has_its_own_time() -> None:
    handovers = giving(X)
    handovers.requests(0.0)
    handovers.begin(X, N3, 2.0)
    assert handovers.requests(2.0) == [(N3, (X,))]
    handovers.taken([X], N2)
    assert handovers.due(LIMIT) == ()
    assert handovers.due(2.0 + LIMIT) == (X,)


def test_the_same_successor_gets_no_more_time() -> None:
    handovers = giving(X)
    handovers.begin(X, N2, 2.0)
    assert handovers.due(LIMIT) == (X,)


def test_without_a_successor_there_is_nobody_to_wait_for() -> None:
    handovers = giving(X)
    handovers.begin(X, None, 1.0)
    assert handovers.requests(1.0) == []
    deadline = handovers.deadline()
    assert deadline is not None
    assert deadline <= 1.0
    assert handovers.due(1.0) == (X,)


def test_what_is_ours_again_is_kept() -> None:
    handovers = giving(X, Y)
    handovers.keep([X, Z])
    handovers.taken([X], N2)
    assert set(handovers.leaving) == {Y}
    assert handovers.due(LIMIT) == (Y,)


@pytest.mark.parametrize("count", [LARGEST, LARGEST + 1, 10_000])
def test_one_message_holds_no_more_than_it_can(count: int) -> None:
    handovers = giving(*many(count), to=N2)
    handovers.begin(X, N3, 0.0)
    sent = handovers.requests(0.0)
    assert all(len(addresses) <= LARGEST for _, addresses in sent)
    assert [a for node, addresses in sent if node == N2 for a in addresses] == many(count)
    assert sent[-1] == (N3, (X,))


# What others give to this node


def test_who_asks_hears_as_soon_as_it_is_true() -> None:
    handovers = Handovers()
    handovers.asked(N1, [X, Y], 0.0)
    assert handovers.answers(frozenset(), 0.0) == []
    assert handovers.answers({X}, 0.02) == [(N1, (X,))]
    assert handovers.answers({X, Y}, 0.03) == [(N1, (Y,))]
    assert handovers.answers({X, Y}, 0.04) == []


def test_who_asks_for_what_is_announced_hears_at_once_and_every_time() -> None:
    handovers = Handovers()
    for now in (0.0, 0.1, 0.2):
        handovers.asked(N1, [X], now)
        assert handovers.answers({X, Y}, now) == [(N1, (X,))]


def test_everybody_who_asks_is_answered() -> None:
    handovers = Handovers()
    handovers.asked(N1, [X], 0.0)
    handovers.asked(N3, [X], 0.1)
    assert sorted(handovers.answers({X}, 0.2)) == [(N1, (X,)), (N3, (X,))]


def test_what_we_give_away_ourselves_we_have_not_taken() -> None:
    handovers = giving(X, to=N3)
    handovers.asked(N1, [X], 0.0)
    assert handovers.answers({X}, 0.0) == []
    handovers.keep([X])
    assert handovers.answers({X}, 0.1) == [(N1, (X,))]


def test_a_request_that_is_not_repeated_is_forgotten() -> None:
    handovers = Handovers()
    handovers.asked(N1, [X], 0.0)
    handovers.asked(N3, [Y], 2.0)
    assert handovers.answers({X}, 2.0) == []


def test_answers_are_as_large_as_a_message_may_be() -> None:
    handovers = Handovers()
    for first in range(0, 10_000, LARGEST):
        handovers.asked(N1, many(10_000)[first : first + LARGEST], 0.0)
    answers = handovers.answers(frozenset(many(10_000)), 0.0)
    assert [len(addresses) for _, addresses in answers] == [3000, 3000, 3000, 1000]
    assert [a for _, addresses in answers for a in addresses] == many(10_000)


def test_a_flood_of_requests_does_not_fill_the_memory() -> None:
    handovers = Handovers()
    flood = many(400_000)
    for first in range(0, len(flood), LARGEST):
        handovers.asked(N1, flood[first : first + LARGEST], 0.0)
    kept = sum(len(addresses) for _, addresses in handovers.answers(frozenset(flood), 0.0))
    assert kept == 20_000
    for number in range(40):
        for first in range(0, 30_000, LARGEST):
            handovers.asked(NodeName(f"m{number}"), flood[first : first + LARGEST], 0.0)
    kept = sum(len(addresses) for _, addresses in handovers.answers(frozenset(flood), 0.0))
    assert kept == 100_000


def test_one_flood_leaves_room_for_others() -> None:
    handovers = Handovers()
    flood = many(60_000)
    for first in range(0, len(flood), LARGEST):
        handovers.asked(N1, flood[first : first + LARGEST], 0.0)
    handovers.asked(N3, [X], 0.0)
    assert (N3, (X,)) in handovers.answers({X}, 0.0)
