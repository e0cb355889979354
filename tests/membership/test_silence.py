"""Whom to treat as dead: small groups by hand, and laws over all that may be heard and reported."""

from collections.abc import Iterable
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.membership.silence import LONGEST_SECONDS, REPORT_SECONDS, Report, Silence
from reconciler.membership.watchers import peers_of, ring, watched_by, watchers_of
from reconciler.model.observed import NodeName

A, B, C, D = (NodeName(name) for name in "abcd")
THREE = (A, B, C)


def group(own: NodeName, members: Iterable[NodeName], count: int = 3) -> Silence:
    """A node that hears all its neighbours; every process is in its first run."""
    silence = Silence(own)
    around = ring(members)
    silence.update(dict.fromkeys(around, 1), count)
    for peer in peers_of(own, around, count):
        silence.hear(peer)
    return silence


def accuse(silence: Silence, watcher: NodeName, node: NodeName, *, epoch: int = 1, now: float = 0.0) -> None:
    silence.report(watcher, Report(node, epoch), is_silent=True, now=now)


def test_two_watchers_of_two_must_agree() -> None:
    silence = group(A, THREE)
    silence.miss(C, 0.0)
    assert silence.silent(0.0) == frozenset()
    assert silence.reports(0.0) == {Report(C, 1)}
    accuse(silence, B, C)
    assert silence.silent(0.0) == {C}


def test_what_one_other_says_is_not_enough() -> None:
    silence = group(A, THREE)
    accuse(silence, B, C)
    assert silence.silent(0.0) == frozenset()


def test_who_is_cut_off_believes_nobody_and_says_nothing() -> None:
    silence = group(C, THREE)
    silence.miss(A, 0.0)
    assert silence.silent(0.0) == frozenset()
    silence.miss(B, 0.0)
    assert silence.is_isolated()
    accuse(silence, A, B)
    accuse(silence, B, A)
    assert silence.silent(0.0) == frozenset()
    assert silence.reports(0.0) == frozenset()


def test_of_two_the_other_is_believed() -> None:
    silence = group(A, (A, B))
    silence.miss(B, 0.0)
    assert silence.silent(0.0) == {B}
    assert silence.reports(0.0) == {Report(B, 1)}
    silence.hear(B)
    assert silence.silent(0.0) == frozenset()


def test_who_was_never_heard_is_not_silent() -> None:
    silence = Silence(A)
    silence.update({A: 1, B: 1}, 3)
    assert silence.silent(0.0) == frozenset()
    silence.lose(B)
    assert silence.silent(0.0) == frozenset()


def test_a_split_in_two_halves_is_seen_from_each() -> None:
    silence = group(A, (A, B, C, D))
    silence.miss(C, 0.0)
    silence.miss(D, 0.0)
    assert silence.silent(0.0) == frozenset()
    accuse(silence, B, C)
    assert silence.silent(0.0) == {C}
    # Of those that watch D and are not silent themselves both agree, whatever D's own half says.
    accuse(silence, B, D)
    accuse(silence, C, B)
    assert silence.silent(0.0) == {C, D}


def test_the_others_may_go_on_without_this_node() -> None:
    silence = group(A, THREE)
    accuse(silence, B, A)
    accuse(silence, C, A)
    assert silence.silent(0.0) == {A}


def convicted() -> Silence:
    silence = group(A, THREE)
    silence.miss(C, 0.0)
    accuse(silence, B, C)
    assert silence.silent(0.0) == {C}
    return silence


def test_hearing_it_again_ends_it() -> None:
    silence = convicted()
    silence.hear(C)
    assert silence.silent(0.0) == frozenset()


def test_the_other_watcher_hearing_it_again_ends_it() -> None:
    silence = convicted()
    silence.report(B, Report(C, 1), is_silent=False, now=0.1)
    assert silence.silent(0.1) == frozenset()


def test_another_run_of_the_process_ends_it() -> None:
    silence = convicted()
    silence.update({A: 1, B: 1, C: 2}, 3)
    assert silence.silent(0.1) == frozenset()
    # A report about the run before is late.
    accuse(silence, B, C, epoch=1, now=0.1)
    silence.miss(C, 0.1)
    assert silence.silent(0.1) == frozenset()
    accuse(silence, B, C, epoch=2, now=0.1)
    assert silence.silent(0.1) == {C}


def test_gossip_that_gives_it_up_ends_it() -> None:
    silence = convicted()
    silence.update({A: 1, B: 1}, 3)
    assert silence.silent(0.1) == frozenset()
    silence.update({A: 1, B: 1, C: 1}, 3)
    assert silence.silent(0.1) == frozenset()


def test_a_report_that_is_not_repeated_is_worth_nothing_after_a_while() -> None:
    silence = convicted()
    assert silence.deadline(0.0) == REPORT_SECONDS
    assert silence.silent(REPORT_SECONDS - 0.01) == {C}
    assert silence.silent(REPORT_SECONDS) == frozenset()


def test_after_a_long_time_gossip_is_right() -> None:
    silence = convicted()
    for second in range(int(LONGEST_SECONDS) + 5):
        accuse(silence, B, C, now=float(second))
    assert silence.deadline(float(second)) == second + REPORT_SECONDS
    assert silence.silent(LONGEST_SECONDS - 0.01) == {C}
    assert silence.reports(LONGEST_SECONDS - 0.01) == {Report(C, 1)}
    assert silence.silent(LONGEST_SECONDS) == frozenset()
    assert silence.reports(LONGEST_SECONDS) == frozenset()


def test_who_becomes_isolated_keeps_what_it_believed_with_others_and_adds_nothing() -> None:
    silence = convicted()
    silence.miss(B, 0.1)
    assert silence.is_isolated()
    assert silence.silent(0.1) == {C}
    assert silence.silent(REPORT_SECONDS) == frozenset()


@pytest.mark.parametrize("watcher", ["x", "a"], ids=["a stranger", "this node, sent back"])
def test_whose_reports_count_for_nothing(watcher: str) -> None:
    silence = group(A, THREE)
    silence.miss(C, 0.0)
    accuse(silence, NodeName(watcher), C)
    accuse(silence, NodeName(watcher), B)
    assert silence.silent(0.0) == frozenset()


def test_a_neighbour_that_does_not_watch_does_not_judge() -> None:
    members = tuple(NodeName(f"n{number}") for number in range(12))
    around = ring(members)
    own = around[0]
    silence = group(own, members)
    ahead = watchers_of(own, around, 3)[0]
    assert ahead not in watched_by(own, around, 3)
    silence.miss(ahead, 0.0)
    assert silence.reports(0.0) == frozenset()
    for watcher in around[4:]:
        accuse(silence, watcher, ahead)
    # Only one of those is a watcher of it.
    assert silence.silent(0.0) == frozenset()


numbers = st.integers(3, 9)
steps = st.lists(
    st.tuples(st.sampled_from(["hear", "miss", "lose", "accuse", "take back"]), st.integers(0, 8), st.integers(0, 8)),
    max_size=40,
)


def played(count: int, size: int, played_steps: list[tuple[str, int, int]]) -> Silence:
    """This node is the first of the ring; what others may do wrong, they do."""
    around = ring(NodeName(f"n{number}") for number in range(size))
    silence = group(around[0], around, count)
    peers = sorted(peers_of(around[0], around, count))
    for kind, one, other in played_steps:
        peer, a, b = peers[one % len(peers)], around[one % size], around[other % size]
        match kind:
            case "hear":
                silence.hear(peer)
            case "miss":
                silence.miss(peer, 0.0)
            case "lose":
                silence.lose(peer)
            case "accuse":
                accuse(silence, a, b)
            case _:
                silence.report(a, Report(b, 1), is_silent=False, now=0.0)
    return silence


@given(count=st.integers(1, 4), size=numbers, done=steps)
def test_nobody_is_silent_by_one_word_alone(count: int, size: int, done: list[tuple[str, int, int]]) -> None:
    # Only what this node itself misses, or only what one other says: a single node that is cut off, or lies.
    own = [step for step in done if step[0] in {"hear", "miss", "lose"}]
    assert played(count, size, own).silent(0.0) == frozenset()
    liar = [step for step in done if step[0] == "accuse" and step[1] % size == 1]
    assert played(count, size, liar).silent(0.0) == frozenset()


@given(count=st.integers(1, 4), size=numbers, done=steps)
def test_whatever_was_heard_it_is_over_when_nobody_repeats_it(
    count: int, size: int, done: list[tuple[str, int, int]]
) -> None:
    silence = played(count, size, done)
    now, looks = 0.0, 0
    while now < inf:
        last = silence.silent(now)
        now = silence.deadline(now)
        looks += 1
        assert looks < 10
    assert last == frozenset()


@given(count=st.integers(1, 4), size=numbers, done=steps)
def test_all_who_know_the_same_agree(count: int, size: int, done: list[tuple[str, int, int]]) -> None:
    # One that is told everything, and one that watches and tells: the same verdict on everybody.
    around = ring(NodeName(f"n{number}") for number in range(size))
    accusations = {
        (around[a % size], around[b % size]) for kind, a, b in done if kind == "accuse" and a % size != b % size
    }
    watching = {(a, b) for a, b in accusations if a in watchers_of(b, around, count)}
    verdicts = set()
    for own in around:
        silence = group(own, around, count)
        for watcher, node in watching:
            if watcher == own:
                silence.miss(node, 0.0)
            else:
                accuse(silence, watcher, node)
        if not silence.is_isolated():
            verdicts.add(silence.silent(0.0))
    assert len(verdicts) <= 1
