"""When a speaker takes a revision into use: alone, with the others, on the controller's word, and by the clock."""

import pytest

from reconciler.membership.facts import Facts, Peer
from reconciler.membership.revisions import (
    Await,
    Choice,
    Published,
    Revisions,
    Stay,
    Use,
    WaitReason,
)
from reconciler.model.desired import short_revision
from reconciler.model.observed import NodeName

WAIT = 120.0
ME = NodeName("n0")
A, B, C, D = ("sha256:" + digit * 64 for digit in "abcd")


def peer(name: str, loaded: str, in_use: str = A, *, ready: bool = True) -> Peer:
    facts = Facts(loaded=short_revision(loaded), in_use=short_revision(in_use), is_ready=ready)
    return Peer(node=NodeName(name), address=name, facts=facts)


def unreadable(name: str) -> Peer:
    return Peer(node=NodeName(name), address=name, facts=None)


def passed(revision: str) -> Published:
    return Published(revision=revision, verdict="passed", in_force=revision)


def held(revision: str, *, in_force: str = A) -> Published:
    return Published(revision=revision, verdict="held", in_force=in_force, held_revision=revision)


def refused(revision: str, *, in_force: str = A, held_revision: str | None = None) -> Published:
    return Published(revision=revision, verdict="refused", in_force=in_force, held_revision=held_revision)


def using(revision: str, *later: str, at: float = 0.0) -> Revisions:
    """One that uses a revision, and whose files have had others since, all at one instant."""
    revisions = Revisions(ME, 0.0)
    revisions.restore(revision)
    for one in later:
        revisions.saw(one, at)
    return revisions


def choose(revisions: Revisions, *peers: Peer, published: Published | None = None, now: float = 1.0) -> Choice:
    return revisions.choose(peers, published, WAIT, now)


def waits(choice: Choice) -> Await:
    assert isinstance(choice, Await)
    return choice


ALL_HAVE_B = (peer("n1", B), peer("n2", B))


@pytest.mark.parametrize(
    ("peers", "published"),
    [
        pytest.param((), None, id="alone"),
        pytest.param((peer("n1", A),), None, id="although others have another one"),
        pytest.param((), held(B), id="although it is held"),
    ],
)
def test_the_first_revision_is_used_at_once(peers: tuple[Peer, ...], published: Published | None) -> None:
    revisions = Revisions(ME, 0.0)
    assert choose(revisions, *peers, published=published) == Stay()
    revisions.saw(B, 0.5)
    assert choose(revisions, *peers, published=published) == Use(B)
    revisions.use(B)
    assert choose(revisions, *peers, published=published) == Stay()
    assert revisions.in_use == B


@pytest.mark.parametrize(
    ("peers", "published", "expected"),
    [
        pytest.param((), passed(B), True, id="passed, and nobody else there"),
        pytest.param(ALL_HAVE_B, passed(B), True, id="passed, and all have it"),
        pytest.param((peer("n1", C, B, ready=False),), passed(B), True, id="one has it in use and is further"),
        pytest.param(ALL_HAVE_B, refused(C, in_force=B), True, id="in force, whatever came after it"),
        pytest.param(ALL_HAVE_B, None, False, id="nobody knows what the controller says"),
        pytest.param(ALL_HAVE_B, passed(A), False, id="the controller has not got it"),
        pytest.param(ALL_HAVE_B, passed(C), False, id="the controller is further than we know"),
        pytest.param(ALL_HAVE_B, Published(revision=B, in_force=A), False, id="the controller is judging it"),
        pytest.param(ALL_HAVE_B, Published(revision=B, verdict="praised"), False, id="a verdict of another version"),
        pytest.param(ALL_HAVE_B, held(B), False, id="held"),
        pytest.param(ALL_HAVE_B, refused(B), False, id="refused"),
        pytest.param((peer("n1", B), peer("n2", A)), passed(B), False, id="one has not got it"),
        pytest.param((peer("n1", B), unreadable("n2")), passed(B), False, id="one says nothing that can be read"),
        pytest.param((peer("n1", B), peer("n2", "", "")), passed(B), False, id="one has nothing at all"),
        pytest.param((peer("n1", A), peer("n2", B, B)), passed(A), True, id="one uses it already"),
        pytest.param((peer("n2", B, B, ready=False),), passed(A), False, id="one uses it that starts"),
        pytest.param((peer("n2", B, B),), held(B), False, id="one uses it although it is held"),
        pytest.param((peer("n2", B, B),), refused(C, held_revision=B), False, id="the same, beside refused files"),
        pytest.param((peer("n0", A), peer("n1", B)), passed(B), True, id="our own facts lag behind"),
    ],
)
def test_a_later_revision_is_used(peers: tuple[Peer, ...], published: Published | None, *, expected: bool) -> None:
    revisions = using(A, B)
    assert (choose(revisions, *peers, published=published) == Use(B)) is expected


@pytest.mark.parametrize(
    ("peers", "published", "expected"),
    [
        pytest.param(ALL_HAVE_B, None, True, id="without a verdict"),
        pytest.param((peer("n1", A),), passed(B), True, id="without a member"),
        pytest.param((unreadable("n1"),), None, True, id="without either"),
        pytest.param(ALL_HAVE_B, refused(C), True, id="the controller refuses files that we have not got"),
        pytest.param(ALL_HAVE_B, held(B), False, id="held"),
        pytest.param(ALL_HAVE_B, refused(B), False, id="refused"),
        pytest.param(ALL_HAVE_B, held(C), False, id="the controller holds what we have not got"),
    ],
)
def test_it_is_used_when_the_wait_is_over(
    peers: tuple[Peer, ...], published: Published | None, *, expected: bool
) -> None:
    revisions = using(A, B, at=10.0)
    before = waits(choose(revisions, *peers, published=published, now=10.0 + WAIT - 0.001))
    assert before.until == (10.0 + WAIT if expected else None)
    after = choose(revisions, *peers, published=published, now=10.0 + WAIT)
    assert (after == Use(B)) is expected
    assert isinstance(after, Use | Await)


@pytest.mark.parametrize(
    ("peers", "published", "reason", "lacking", "message"),
    [
        pytest.param(
            (peer("n2", A), peer("n1", A)),
            passed(B),
            WaitReason.MEMBERS,
            ("n1", "n2"),
            'it has passed, and "n1", "n2" have not got it yet',
            id="members",
        ),
        pytest.param(
            tuple(peer(f"n{i}", A) for i in range(1, 6)),
            passed(B),
            WaitReason.MEMBERS,
            ("n1", "n2", "n3", "n4", "n5"),
            'it has passed, and "n1", "n2", "n3" and 2 more have not got it yet',
            id="many members",
        ),
        pytest.param((), passed(A), WaitReason.NOT_JUDGED, (), "the controller has not judged it", id="the verdict"),
        pytest.param(
            (peer("n1", A),),
            None,
            WaitReason.NOT_JUDGED,
            ("n1",),
            'what the controller says of it cannot be read; "n1" has not got it yet',
            id="both",
        ),
        pytest.param(
            (),
            held(C),
            WaitReason.NOT_JUDGED,
            (),
            "the controller has not judged it, and holds revision cccccccccccc",
            id="a verdict that the controller cannot give yet",
        ),
        pytest.param(
            (),
            held(B),
            WaitReason.HELD,
            (),
            "the controller holds it until its plan is approved",
            id="held",
        ),
        pytest.param((), refused(B), WaitReason.REFUSED, (), "the controller has refused it", id="refused"),
    ],
)
def test_who_waits_says_for_what(
    peers: tuple[Peer, ...], published: Published | None, reason: WaitReason, lacking: tuple[str, ...], message: str
) -> None:
    found = waits(choose(using(A, B), *peers, published=published))
    assert (found.revision, found.reason, found.lacking, found.message) == (B, reason, lacking, message)


def test_nothing_but_a_first_revision_is_used_before_the_group_was_looked_for() -> None:
    assert using(A, B).choose(None, passed(B), WAIT, 10 * WAIT) == Stay()
    revisions = Revisions(ME, 0.0)
    revisions.saw(B, 0.0)
    assert revisions.choose(None, None, WAIT, 0.0) == Use(B)


def test_files_that_stay_as_they_are_are_no_news() -> None:
    revisions = using(A)
    revisions.saw(A, 1.0)
    assert choose(revisions, published=passed(A), now=1000.0) == Stay()
    revisions.saw(B, 10.0)
    revisions.saw(B, 100.0)
    assert waits(choose(revisions, now=100.0)).until == 10.0 + WAIT
    assert revisions.loaded == short_revision(B)


def test_a_message_is_faster_than_the_facts() -> None:
    revisions = using(A, B)
    others = (peer("n1", B), peer("n2", B))
    revisions.handle_adopted(NodeName("n1"), short_revision(B))
    assert isinstance(choose(revisions, *others), Await), "nobody knows the sender"
    revisions.handle_adopted(NodeName("n1"), short_revision(B))
    assert choose(revisions, *others) == Use(B)
    revisions.use(B)
    assert choose(revisions, *others) == Stay()


def test_a_message_of_one_that_starts_is_no_reason() -> None:
    revisions = using(A, B)
    others = (peer("n1", B, "", ready=False),)
    choose(revisions, *others)
    revisions.handle_adopted(NodeName("n1"), short_revision(B))
    assert isinstance(choose(revisions, *others), Await)


def test_facts_that_changed_later_replace_the_message() -> None:
    revisions = using(A, B)
    choose(revisions, peer("n1", B, D))
    revisions.handle_adopted(NodeName("n1"), short_revision(B))
    assert isinstance(choose(revisions, peer("n1", C, C)), Await)


def test_a_verdict_stays_with_its_revision_when_the_controller_goes_on() -> None:
    revisions = using(A, B, C)
    assert waits(choose(revisions, peer("n1", B), published=held(B, in_force=A))).revision == C
    revisions = using(A, B)
    choose(revisions, peer("n1", A), published=passed(B))
    assert choose(revisions, peer("n1", B), published=Published(revision=D, in_force=C)) == Use(B)
    revisions = using(A, B)
    choose(revisions, published=held(B))
    revisions.saw(C, 1.0)
    assert choose(revisions, peer("n1", A), published=None, now=1.0 + WAIT) == Use(C)
    assert isinstance(choose(using(A, B), published=held(B), now=10 * WAIT), Await)


def test_a_revision_after_the_held_one_starts_anew() -> None:
    revisions = using(A, B)
    assert waits(choose(revisions, published=held(B), now=500.0)).until is None
    revisions.saw(C, 500.0)
    found = waits(choose(revisions, published=held(B), now=500.0))
    assert (found.revision, found.until) == (C, 500.0 + WAIT)
    assert choose(revisions, published=passed(C), now=501.0) == Use(C)


def test_what_came_before_the_held_one_is_not_used_by_the_clock() -> None:
    # The controller has skipped it, and it may well hold what is held now.
    revisions = using(A, B, C)
    assert waits(choose(revisions, published=held(C), now=500.0)).until is None


def test_only_the_newest_is_used_by_the_clock() -> None:
    # What came before it may never have been on another node, and never will be.
    revisions = using(A, B)
    revisions.saw(C, 60.0)
    assert waits(choose(revisions, peer("n1", A), now=WAIT)).until == 60.0 + WAIT
    assert choose(revisions, peer("n1", A), now=60.0 + WAIT) == Use(C)


@pytest.mark.parametrize("later", [held(C, in_force=B), refused(C, in_force=B)])
def test_what_came_before_one_that_may_not_be_used_needs_everybody(later: Published) -> None:
    # Whoever has not got it by now has later files, and never will.
    revisions = using(A, B, C)
    assert waits(choose(revisions, peer("n1", C), published=later, now=10 * WAIT)).until is None
    assert choose(revisions, peer("n1", B), published=later, now=10 * WAIT) == Use(B)


def test_a_member_that_lags_pulls_nobody_back() -> None:
    revisions = using(A, B)
    lagging = peer("n1", A, A)
    assert choose(revisions, lagging, now=WAIT) == Use(B)
    revisions.use(B)
    assert choose(revisions, lagging, now=WAIT) == Stay()
    revisions.saw(A, 200.0)  # a revert: now it is where it always was
    assert isinstance(choose(revisions, lagging, peer("n2", B, B), now=200.0), Await)
    assert choose(revisions, lagging, peer("n2", A, B), published=passed(A), now=201.0) == Use(A)


def test_nor_does_it_after_several_steps() -> None:
    revisions = using(A, B)
    lagging = peer("n1", A, A)
    for number, later in enumerate((C, D, A), 1):
        choice = choose(revisions, lagging, now=number * WAIT)
        assert isinstance(choice, Use)
        revisions.use(choice.revision)
        revisions.saw(later, number * WAIT)
    assert isinstance(choose(revisions, lagging, now=3 * WAIT + 1), Await)


def test_a_member_that_is_ahead_pulls_as_soon_as_our_files_come() -> None:
    revisions = using(A, B)
    ahead = peer("n1", C, C)
    assert choose(revisions, ahead, now=WAIT) == Use(B)
    revisions.use(B)
    revisions.saw(C, WAIT + 1)
    assert choose(revisions, ahead, now=WAIT + 1) == Use(C)


def test_a_member_that_goes_back_before_us_takes_us_along() -> None:
    revisions = using(A, B)
    choose(revisions, peer("n1", B, A), peer("n2", B, A))
    assert choose(revisions, *ALL_HAVE_B, published=passed(B)) == Use(B)
    revisions.use(B)
    choose(revisions, peer("n1", B, B), peer("n2", B, B))
    revisions.saw(A, 50.0)
    assert isinstance(choose(revisions, peer("n1", A, B), peer("n2", B, B), now=51.0), Await)
    assert choose(revisions, peer("n1", A, A), peer("n2", B, B), now=52.0) == Use(A)


def test_the_message_of_one_that_goes_back_counts_as_well() -> None:
    revisions = using(A, B)
    choose(revisions, *ALL_HAVE_B)
    revisions.use(B)
    choose(revisions, *ALL_HAVE_B)
    revisions.saw(A, 50.0)
    assert isinstance(choose(revisions, *ALL_HAVE_B, now=51.0), Await)
    revisions.handle_adopted(NodeName("n1"), short_revision(A))
    assert choose(revisions, *ALL_HAVE_B, now=51.0) == Use(A)


def test_files_that_went_back_too_soon_follow_the_others_that_went_on() -> None:
    # The others saw that we had it, and began.
    revisions = using(A, B)
    revisions.saw(A, 5.0)
    assert choose(revisions, peer("n1", B, A), published=passed(B), now=5.0) == Stay()
    assert choose(revisions, peer("n1", B, B), published=passed(B), now=5.5) == Use(B)
    revisions.use(B)
    assert waits(choose(revisions, peer("n1", B, B), published=passed(B), now=5.5)).revision == A
    assert choose(revisions, peer("n1", A, B), published=passed(A), now=60.0) == Use(A)


def test_and_not_for_ever() -> None:
    revisions = using(A, B)
    revisions.saw(A, 5.0)
    assert choose(revisions, peer("n1", B, A), now=16.0) == Stay()
    assert choose(revisions, peer("n1", B, B), now=17.0) == Stay()


def test_files_that_flap_begin_the_wait_anew() -> None:
    revisions = using(A)
    for turn in range(100):
        revisions.saw((B, C)[turn % 2], float(turn))
    assert waits(choose(revisions, peer("n1", A), now=100.0)).until == 99.0 + WAIT


@pytest.mark.parametrize(
    ("peers", "published", "now", "expected"),
    [
        pytest.param((), None, 0.0, True, id="nobody else is there"),
        pytest.param((peer("n1", A, A), peer("n2", A, A)), None, 0.0, True, id="all use the same"),
        pytest.param((peer("n1", B, B), peer("n2", B, B)), None, 0.0, False, id="all others use another"),
        pytest.param((peer("n1", B, B), peer("n2", A, A)), None, 0.0, True, id="others are divided"),
        pytest.param((peer("n1", B, B, ready=False),), None, 0.0, True, id="the other starts as well"),
        pytest.param((unreadable("n1"),), None, 0.0, True, id="the other says nothing that can be read"),
        pytest.param((peer("n1", B, B),), None, WAIT, True, id="after the wait"),
        pytest.param((peer("n1", B, B),), held(A, in_force=B), WAIT, False, id="after the wait, and ours is held"),
    ],
)
def test_a_speaker_that_starts_is_in_step(
    peers: tuple[Peer, ...], published: Published | None, now: float, *, expected: bool
) -> None:
    assert using(A).is_in_step(peers, published, WAIT, now) is expected


def test_who_has_no_revision_is_not_in_step_and_who_was_stays_so() -> None:
    revisions = Revisions(ME, 0.0)
    assert not revisions.is_in_step((), None, WAIT, 1000.0)
    revisions.restore(A)
    assert revisions.is_in_step((), None, WAIT, 1.0)
    assert revisions.is_in_step((peer("n1", B, B),), None, WAIT, 1.0)
