"""What one replica does about the lease, step by step: the semantics of client-go's leader election."""

from datetime import UTC, datetime, timedelta

import pytest

from reconciler.membership.lease import (
    Candidate,
    Done,
    LeaseRecord,
    LeaseTiming,
    LeaseTimingError,
    Read,
    StoredLease,
    Wait,
    Write,
)

TIMING = LeaseTiming(duration=15, renew_deadline=10, retry_period=2)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(seconds=5)
NOON_TEXT = "2026-03-01T12:00:00.000000Z"
LATER_TEXT = "2026-03-01T12:00:05.000000Z"


def record(holder: str, *, duration: int = 15, renewed_at: str = "then", transitions: int = 3) -> LeaseRecord:
    return LeaseRecord(
        holder=holder, duration=duration, acquired_at="long ago", renewed_at=renewed_at, transitions=transitions
    )


def stored(holder: str, version: str = "1", *, duration: int = 15, renewed_at: str = "then") -> StoredLease:
    return StoredLease(record(holder, duration=duration, renewed_at=renewed_at), version)


def having_read(found: StoredLease | None, now: float = 0.0, jitter: float = 0.0) -> Candidate:
    candidate = Candidate("a", TIMING)
    assert candidate.next_step(now, NOON) == Read()
    candidate.handle_read(found, now, jitter)
    return candidate


def leading(began: float = 0.0, answered: float = 0.0) -> Candidate:
    candidate = having_read(None, began)
    step = candidate.next_step(began, NOON)
    assert isinstance(step, Write)
    candidate.handle_written(StoredLease(step.record, "1"), answered)
    return candidate


def expect_write(candidate: Candidate, now: float, wall: datetime = LATER) -> Write:
    step = candidate.next_step(now, wall)
    assert isinstance(step, Write)
    return step


# Times


@pytest.mark.parametrize(
    ("duration", "deadline", "retry", "message"),
    [
        pytest.param(10, 10, 2, "lease duration is 10 s; it must be more than the renew deadline of 10 s", id="lease"),
        pytest.param(15, 2.4, 2, "must be more than 1.2 times the retry period of 2 s", id="deadline"),
        pytest.param(15, 10, 0, "retry period is 0 s; it must be more than 0", id="retry"),
    ],
)
def test_times_that_leave_no_room_are_refused(duration: int, deadline: float, retry: float, message: str) -> None:
    with pytest.raises(LeaseTimingError, match=message):
        LeaseTiming(duration=duration, renew_deadline=deadline, retry_period=retry)


def test_the_times_of_kubernetes_are_the_default() -> None:
    assert LeaseTiming() == LeaseTiming(duration=15, renew_deadline=10, retry_period=2)


def test_an_identity_must_not_read_as_nobody() -> None:
    with pytest.raises(LeaseTimingError, match="must not be empty"):
        Candidate("", TIMING)


# Acquiring


def claim(transitions: int, acquired_at: str = NOON_TEXT) -> LeaseRecord:
    return LeaseRecord(holder="a", duration=15, acquired_at=acquired_at, renewed_at=NOON_TEXT, transitions=transitions)


@pytest.mark.parametrize(
    ("found", "written"),
    [
        pytest.param(None, claim(0), id="no lease: it is created"),
        pytest.param(stored(""), claim(4), id="a released one: the holder changes"),
        pytest.param(stored("a"), claim(3, "long ago"), id="one that names us already: we go on"),
        pytest.param(stored("b", duration=0), claim(4), id="one that promises no time at all"),
    ],
)
def test_what_is_free_is_taken_at_once(found: StoredLease | None, written: LeaseRecord) -> None:
    candidate = having_read(found)
    assert candidate.next_step(0, NOON) == Write(written, found)


@pytest.mark.parametrize(
    ("jitter", "until"),
    [
        pytest.param(0.0, 102.0, id="a retry period"),
        pytest.param(1.0, 104.4, id="or up to 1.2 of it more"),
    ],
)
def test_what_another_holds_is_looked_at_again(jitter: float, until: float) -> None:
    candidate = having_read(stored("b"), 100, jitter)
    assert candidate.next_step(100, NOON) == Wait(until)
    assert candidate.next_step(until, NOON) == Read()
    assert not candidate.may_write(until)
    assert candidate.holder == "b"


def test_a_lease_is_taken_when_it_was_seen_unchanged_for_its_duration() -> None:
    candidate = having_read(stored("b", duration=20), 100)
    candidate.handle_read(stored("b", duration=20), 119, 1.0)
    assert candidate.next_step(119, NOON) == Wait(120)
    assert candidate.next_step(120, NOON) == Read()
    candidate.handle_read(stored("b", duration=20), 120, 1.0)
    assert expect_write(candidate, 120).replaces == stored("b", duration=20)


@pytest.mark.parametrize(
    "renewed",
    [
        pytest.param(stored("b", renewed_at="now"), id="another record"),
        pytest.param(stored("b", version="2"), id="the same record written again"),
        pytest.param(stored("c", version="2"), id="another holder"),
    ],
)
def test_a_renewal_starts_the_wait_again(renewed: StoredLease) -> None:
    candidate = having_read(stored("b"), 100)
    candidate.handle_read(renewed, 114, 0.0)
    candidate.handle_read(renewed, 128, 0.0)
    assert candidate.next_step(128, NOON) == Wait(129)


def test_the_times_in_the_record_decide_nothing() -> None:
    ancient = stored("b", renewed_at="1970-01-01T00:00:00.000000Z")
    assert isinstance(having_read(ancient, 100).next_step(100, NOON), Wait)
    future = stored("b", renewed_at="2999-01-01T00:00:00.000000Z")
    candidate = having_read(future, 100)
    candidate.handle_read(future, 115, 0.0)
    assert isinstance(candidate.next_step(115, NOON), Write)


# Leading


def test_leadership_counts_from_the_beginning_of_the_request() -> None:
    candidate = leading(began=100, answered=104)
    assert candidate.may_write(104)
    assert candidate.may_write(109.9)
    assert not candidate.may_write(110)
    assert candidate.may_write_until == 110


def test_an_answer_after_the_deadline_is_no_leadership() -> None:
    candidate = leading(began=100, answered=111)
    assert not candidate.may_write(111)
    expect_write(candidate, 113)


def test_a_renewal_keeps_when_and_how_often_the_lease_was_acquired() -> None:
    candidate = leading()
    assert candidate.next_step(1, LATER) == Wait(2)
    step = expect_write(candidate, 2)
    assert step.replaces == StoredLease(claim(0), "1")
    assert step.record == LeaseRecord(
        holder="a", duration=15, acquired_at=NOON_TEXT, renewed_at=LATER_TEXT, transitions=0
    )


def test_a_renewal_differs_from_what_it_replaces_though_the_wall_clock_stands_still() -> None:
    assert expect_write(leading(), 2, NOON).record.renewed_at == "2026-03-01T12:00:00.000001Z"


def test_our_own_renewals_do_not_make_us_look() -> None:
    candidate = leading()
    candidate.look_again()
    assert candidate.next_step(1, LATER) == Wait(2)


def test_a_failed_renewal_is_followed_by_a_look_and_ends_nothing() -> None:
    candidate = leading()
    written = expect_write(candidate, 2)
    candidate.handle_failure(7, 1.0)
    assert candidate.may_write(9.9)
    assert candidate.next_step(7, LATER) == Read()
    # The answer was lost, the write was not.
    candidate.handle_read(StoredLease(written.record, "2"), 7.5, 0.0)
    assert expect_write(candidate, 7.5).replaces == StoredLease(written.record, "2")
    candidate.handle_written(StoredLease(written.record, "3"), 8)
    assert candidate.may_write_until == 17.5


def test_a_request_that_fails_at_once_is_not_repeated_at_once() -> None:
    candidate = leading()
    expect_write(candidate, 2)
    candidate.handle_failure(2, 1.0)
    assert candidate.next_step(2, LATER) == Wait(4)
    standby = Candidate("a", TIMING)
    assert standby.next_step(2, LATER) == Read()
    standby.handle_failure(2, 1.0)
    assert standby.next_step(2, LATER) == Wait(6.4)


def test_after_the_deadline_we_go_on_where_nobody_took_over() -> None:
    candidate = leading()
    expect_write(candidate, 2)
    candidate.handle_failure(12, 0.0)
    assert not candidate.may_write(12)
    assert candidate.next_step(12, LATER) == Read()
    candidate.handle_read(StoredLease(claim(0), "1"), 12, 0.0)
    assert expect_write(candidate, 12).record.transitions == 0


@pytest.mark.parametrize("found", [None, stored("b", "9"), stored("", "9")])
def test_whoever_sees_that_the_lease_is_not_theirs_stops_at_once(found: StoredLease | None) -> None:
    candidate = leading()
    expect_write(candidate, 2)
    candidate.handle_conflict()
    assert candidate.may_write(2)
    assert candidate.next_step(2, LATER) == Read()
    candidate.handle_read(found, 2, 0.0)
    assert not candidate.may_write(2)


def test_who_loses_the_race_for_a_free_lease_waits() -> None:
    candidate = having_read(None, 100)
    expect_write(candidate, 100)
    candidate.handle_conflict()
    assert candidate.next_step(100, NOON) == Read()
    candidate.handle_read(stored("b"), 100, 0.0)
    assert candidate.next_step(100, NOON) == Wait(102)


def test_news_of_a_change_ends_the_wait_of_a_standby() -> None:
    candidate = having_read(stored("b"), 100)
    candidate.look_again()
    assert candidate.next_step(100.1, NOON) == Read()
    candidate.handle_read(stored("", "2", duration=1), 100.1, 0.0)
    assert expect_write(candidate, 100.1).record.transitions == 4


# Releasing


def released(transitions: int, at: str = LATER_TEXT) -> LeaseRecord:
    return LeaseRecord(holder="", duration=1, acquired_at=at, renewed_at=at, transitions=transitions)


def test_a_release_ends_leadership_before_it_is_written() -> None:
    candidate = leading()
    candidate.resign()
    assert not candidate.may_write(1)
    step = expect_write(candidate, 1)
    assert step == Write(released(0), StoredLease(claim(0), "1"))
    candidate.handle_written(StoredLease(step.record, "2"), 1)
    assert not candidate.may_write(1)
    assert candidate.next_step(1, LATER) == Done()


def test_a_release_keeps_the_transitions() -> None:
    candidate = having_read(stored("a"))
    candidate.resign()
    assert expect_write(candidate, 1).record == released(3)


def test_a_standby_has_nothing_to_release() -> None:
    candidate = having_read(stored("b"))
    candidate.resign()
    assert candidate.next_step(0, NOON) == Done()
    assert Candidate("a", TIMING).next_step(0, NOON) == Read()


def test_a_claim_whose_answer_never_came_is_released_too() -> None:
    candidate = having_read(None)
    claimed = expect_write(candidate, 0, NOON)
    candidate.resign()
    assert candidate.next_step(1, LATER) == Read()
    candidate.handle_read(StoredLease(claimed.record, "1"), 1, 0.0)
    assert expect_write(candidate, 1).record == released(0)


def test_an_answer_that_comes_after_the_resignation_is_no_leadership() -> None:
    candidate = having_read(None)
    claimed = expect_write(candidate, 0, NOON)
    candidate.resign()
    candidate.handle_written(StoredLease(claimed.record, "1"), 1)
    assert not candidate.may_write(1)
    assert expect_write(candidate, 1).record.holder == ""


def test_a_release_that_meets_a_successor_leaves_it_alone() -> None:
    candidate = leading()
    candidate.resign()
    expect_write(candidate, 1)
    candidate.handle_conflict()
    assert candidate.next_step(1, LATER) == Read()
    candidate.handle_read(stored("b", "7"), 1, 0.0)
    assert candidate.next_step(1, LATER) == Done()


def test_a_release_that_fails_is_tried_again_after_a_while() -> None:
    candidate = leading()
    candidate.resign()
    expect_write(candidate, 1)
    candidate.handle_failure(1, 0.0)
    assert candidate.next_step(1, LATER) == Wait(3)
    assert candidate.next_step(3, LATER) == Read()
