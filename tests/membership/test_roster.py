"""Who counts as a speaker, and what is remembered of those that are gone."""

from collections.abc import Mapping

import pytest

from reconciler.membership.facts import Facts, Peer
from reconciler.membership.roster import Attendance, members_of
from reconciler.model.observed import InterfaceName, Link, Member, NodeName

N1, N2, N3 = NodeName("n1"), NodeName("n2"), NodeName("n3")
FORMER = frozenset({"abc"})
DOWN = frozenset({Link(InterfaceName("eth0"), carrier=False)})
READY = Facts(is_ready=True)
STARTING = Facts()
LEAVING = Facts(is_ready=True, is_leaving=True)
NOW = 1000.0


def peer(node: NodeName, facts: Facts | None = READY, *, suspect: bool = False) -> Peer:
    return Peer(node=node, address="192.0.2.1", is_suspect=suspect, facts=facts)


def electable(
    *peers: Peer,
    own_facts: Facts = READY,
    absent: Mapping[NodeName, float] | None = None,
    silent: frozenset[NodeName] = frozenset(),
) -> set[NodeName]:
    found = members_of(peers, own=N1, own_facts=own_facts, absent=absent or {}, silent=silent, now=NOW)
    return {member.node for member in found}


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param(peer(N2), {N1, N2}, id="a member that is ready counts"),
        pytest.param(peer(N2, suspect=True), {N1, N2}, id="a suspect counts"),
        pytest.param(peer(N2, STARTING), {N1}, id="one that starts does not"),
        pytest.param(peer(N2, LEAVING), {N1}, id="one that hands over does not"),
        pytest.param(peer(N2, None), {N1, N2}, id="one of a later version counts"),
    ],
)
def test_a_member(other: Peer, expected: set[str]) -> None:
    assert electable(peer(N1), other) == expected


@pytest.mark.parametrize(
    ("own_facts", "expected"),
    [
        pytest.param(READY, {N1, N2}, id="ready"),
        pytest.param(STARTING, {N2}, id="starting"),
        pytest.param(LEAVING, {N2}, id="handing over"),
    ],
)
def test_this_node_counts_by_its_own_facts(own_facts: Facts, expected: set[str]) -> None:
    # Whatever is still told of it, and also where gossip does not list it.
    assert electable(peer(N1, STARTING), peer(N2), own_facts=own_facts) == expected
    assert electable(peer(N1), peer(N2), own_facts=own_facts) == expected
    assert electable(peer(N2), own_facts=own_facts) == expected


def test_a_node_that_the_others_call_silent_does_not_count_itself_either() -> None:
    assert electable(peer(N2), silent=frozenset({N1})) == {N2}


@pytest.mark.parametrize(
    ("others", "absent", "silent", "expected"),
    [
        pytest.param([], {N2: NOW + 1}, set(), {N1, N2}, id="while it restarts its addresses are left with it"),
        pytest.param([], {N2: NOW}, set(), {N1}, id="not longer than the grace"),
        pytest.param([peer(N2, STARTING)], {N2: NOW + 1}, set(), {N1, N2}, id="there again and not ready is not back"),
        pytest.param([peer(N2, LEAVING)], {N2: NOW + 1}, set(), {N1}, id="there again and leaving gives them away"),
        pytest.param([], {N2: NOW + 1}, {N2}, {N1, N2}, id="that it is silent was to be expected"),
        pytest.param([peer(N2)], {}, {N2}, {N1}, id="a silent member is no candidate"),
        pytest.param([peer(N2, None)], {}, {N2}, {N1}, id="nor one of a later version"),
        pytest.param([], {N1: NOW + 1}, set(), {N1}, id="this node is not absent"),
    ],
)
def test_absent_and_silent(
    others: list[Peer], absent: dict[NodeName, float], silent: set[NodeName], expected: set[str]
) -> None:
    assert electable(peer(N1), *others, absent=absent, silent=frozenset(silent)) == expected


def test_links_and_former_configurations_are_those_that_each_tells_of_itself() -> None:
    found = members_of(
        [peer(N2, Facts(is_ready=True, in_use="old", links=DOWN, others_up=False, former=FORMER)), peer(N3, None)],
        own=N1,
        own_facts=Facts(is_ready=True, links=DOWN, others_up=True),
        absent={},
        silent=(),
        now=NOW,
    )
    assert found == {
        Member(N1, DOWN, others_up=True, former=frozenset({""})),
        Member(N2, DOWN, others_up=False, former=FORMER | {"old"}),
        Member(N3, None),
    }


def test_of_a_member_that_restarts_the_links_are_unknown() -> None:
    found = members_of([], own=N1, own_facts=STARTING, absent={N2: NOW + 1}, silent=(), now=NOW)
    assert found == {Member(N2, None)}


RESTARTING = Facts(is_ready=True, restart_grace=30)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(RESTARTING, {N2: NOW + 30}, id="for a restart"),
        pytest.param(READY, {}, id="for good"),
        pytest.param(Facts(is_ready=True, is_leaving=True, restart_grace=30), {}, id="after handing over"),
        pytest.param(Facts(restart_grace=30), {}, id="before it ever was ready"),
        pytest.param(None, {}, id="nobody knows why"),
    ],
)
def test_one_left(facts: Facts | None, expected: dict[NodeName, float]) -> None:
    attendance = Attendance()
    attendance.left(N2, facts, NOW)
    assert attendance.absent == expected
    assert attendance.deadline(NOW) == next(iter(expected.values()), None)


def test_the_next_deadline_is_of_the_first_absence_that_is_not_over() -> None:
    attendance = Attendance()
    attendance.left(N2, RESTARTING, NOW)
    attendance.left(N3, RESTARTING, NOW + 5)
    assert attendance.deadline(NOW + 29) == NOW + 30
    assert attendance.deadline(NOW + 30) == NOW + 35
    assert attendance.absent == {N3: NOW + 35}
    assert attendance.deadline(NOW + 35) is None


def test_an_absence_lasts_until_the_member_is_ready_again() -> None:
    attendance = Attendance()
    attendance.left(N2, RESTARTING, NOW)
    assert not attendance.joined(N2, STARTING, NOW + 1)
    assert attendance.absent == {N2: NOW + 30}
    attendance.updated(N2, READY)
    assert attendance.absent == {}
    assert attendance.deadline(NOW + 2) is None


@pytest.mark.parametrize("facts", [READY, LEAVING, None])
def test_an_absence_ends_with_facts_that_settle_it(facts: Facts | None) -> None:
    attendance = Attendance()
    attendance.left(N2, RESTARTING, NOW)
    attendance.updated(N2, facts)
    assert attendance.absent == {}


def test_an_absence_ends_when_the_member_dies_while_it_starts() -> None:
    attendance = Attendance()
    attendance.left(N2, RESTARTING, NOW)
    attendance.joined(N2, STARTING, NOW + 1)
    attendance.died(N2)
    assert attendance.absent == {}


def test_one_that_died_and_is_there_again_was_alive_apart() -> None:
    attendance = Attendance()
    attendance.joined(N2, STARTING, NOW)
    attendance.died(N2)
    assert attendance.joined(N2, READY, NOW + 10)
    assert attendance.reunions == 1


def test_one_that_died_and_starts_anew_may_have_been_alive_apart_before() -> None:
    attendance = Attendance()
    attendance.died(N2)
    assert attendance.joined(N2, STARTING, NOW)


def test_one_that_left_and_is_there_again_was_not() -> None:
    attendance = Attendance()
    attendance.died(N2)
    attendance.joined(N2, READY, NOW)
    attendance.left(N2, READY, NOW + 10)
    assert not attendance.joined(N2, STARTING, NOW + 20)
    assert attendance.reunions == 1


def test_one_that_is_ready_when_we_first_hear_of_it_was_alive_apart() -> None:
    assert Attendance().joined(N2, READY, NOW)


def test_one_partition_counts_once_however_it_is_found_out() -> None:
    attendance = Attendance()
    attendance.died(N2)
    assert attendance.joined(N2, READY, NOW)
    assert not attendance.reunited(N2, NOW + 0.4)
    assert attendance.reunions == 1


def test_the_next_partition_counts_again_however_soon_it_comes() -> None:
    attendance = Attendance()
    attendance.died(N2)
    attendance.joined(N2, READY, NOW)
    attendance.died(N2)
    assert attendance.joined(N2, READY, NOW + 0.5)
    assert attendance.reunited(N2, NOW + 3)
    assert attendance.reunions == 3


def test_who_hangs_right_after_it_joined_was_apart_from_us_a_second_time() -> None:
    attendance = Attendance()
    assert attendance.joined(N2, READY, NOW)
    # It was this node that hung, as the other one says: a death is known after some 0.6 s.
    assert attendance.reunited(N2, NOW + 0.79)
    assert attendance.reunions == 2


def test_partitions_from_several_members_count_each() -> None:
    attendance = Attendance()
    assert attendance.reunited(N2, NOW)
    assert attendance.reunited(N3, NOW)
    assert attendance.reunions == 2
