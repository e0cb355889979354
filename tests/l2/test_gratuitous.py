"""When to announce unasked: a clock turned by hand, and a schedule asked whenever it says so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.l2.gratuitous import BATCH, PAUSE, Rhythm, Schedule

A, B, C = (bytes((192, 0, 2, last)) for last in (1, 2, 3))


def numbered(count: int, first: int = 0) -> list[bytes]:
    return [(0x0A000000 + first + number).to_bytes(4, "big") for number in range(count)]


def run(schedule: Schedule, start: float, end: float) -> list[tuple[float, bytes]]:
    """Everything said from `start` to `end`, asked exactly when the schedule wants to be."""
    said = []
    now = start
    while now <= end:
        said += [(round(now - start, 3), address) for address in schedule.due(now)]
        deadline = schedule.deadline()
        if deadline is None:
            break
        assert deadline > now, "it wants to be asked again at once"
        now = deadline
    return said


@pytest.mark.parametrize(
    ("rhythm", "instants"),
    [
        pytest.param(Rhythm(), [0, 1.1, 2.2, 3.3, 4.4], id="S-W-07: five rounds in five seconds"),
        pytest.param(Rhythm(duration=0), [0], id="once"),
        pytest.param(Rhythm(interval=1, duration=3), [0, 1, 2, 3], id="the last one at the very end"),
        pytest.param(Rhythm(interval=1.1, duration=5.5), [0, 1.1, 2.2, 3.3, 4.4, 5.5], id="also with odd fractions"),
        pytest.param(Rhythm(interval=2, duration=1), [0], id="a pause that is longer than all of it"),
        pytest.param(Rhythm(interval=0, duration=5), [0], id="no pause at all"),
    ],
)
def test_rounds_after_a_take_over(rhythm: Rhythm, instants: list[float]) -> None:
    schedule = Schedule(rhythm)
    schedule.begin(A, 100.0)
    assert run(schedule, 100.0, 200.0) == [(instant, A) for instant in instants]


def test_nothing_is_due_before_anything_began() -> None:
    schedule = Schedule()
    assert schedule.due(0.0) == []
    assert schedule.deadline() is None


def test_an_address_that_ended_is_silent() -> None:
    schedule = Schedule()
    schedule.begin(A, 0.0)
    schedule.begin(B, 0.0)
    assert schedule.due(0.0) == [A, B]
    schedule.end(A)
    assert {address for _, address in run(schedule, 0.0, 1000.0)} == {B}


def test_an_address_that_ended_before_its_first_announcement_is_silent() -> None:
    schedule = Schedule()
    schedule.begin(A, 0.0)
    schedule.end(A)
    assert schedule.due(0.0) == []
    assert schedule.deadline() is None


def test_again_begins_anew_with_what_is_announced() -> None:
    schedule = Schedule(Rhythm(refresh_interval=0))
    schedule.begin(A, 0.0)
    assert len(run(schedule, 0.0, 50.0)) == 5
    assert schedule.deadline() is None
    schedule.again([A, B], 50.0)
    assert run(schedule, 50.0, 100.0) == [(instant, A) for instant in (0, 1.1, 2.2, 3.3, 4.4)]


def test_beginning_anew_in_the_middle_does_not_double_the_rounds() -> None:
    schedule = Schedule(Rhythm(refresh_interval=0))
    schedule.begin(A, 0.0)
    assert schedule.due(0.0) == [A]
    schedule.begin(A, 1.0)
    assert run(schedule, 1.0, 100.0) == [(instant, A) for instant in (0, 1.1, 2.2, 3.3, 4.4)]


def test_rounds_that_are_late_keep_their_distance() -> None:
    # A neighbour ignores a second change within a second.
    schedule = Schedule()
    schedule.begin(A, 0.0)
    schedule.due(0.0)
    assert schedule.due(2.0) == [A]
    assert schedule.due(2.2) == []
    assert schedule.due(3.1) == [A]


def test_a_single_address_is_refreshed_after_the_interval() -> None:
    schedule = Schedule()
    schedule.begin(A, 0.0)
    assert [instant for instant, _ in run(schedule, 0.0, 900.0)][5:] == [300, 600, 900]


def test_a_refresh_is_spread_over_its_interval() -> None:
    crowd = numbered(1000)
    schedule = Schedule(Rhythm(duration=0))
    for address in crowd:
        schedule.begin(address, 0.0)
    run(schedule, 0.0, 10.0)
    said = run(schedule, 10.0, 311.2)
    by_instant: dict[float, int] = {}
    for instant, _ in said:
        by_instant[instant] = by_instant.get(instant, 0) + 1
    assert max(by_instant.values()) <= 4
    assert min(b - a for a, b in zip(sorted(by_instant), sorted(by_instant)[1:], strict=False)) >= 1.0
    assert {address for _, address in said} == set(crowd)
    assert len(said) == pytest.approx(1000, abs=8)


def test_more_addresses_do_not_make_up_for_the_time_before_them() -> None:
    schedule = Schedule(Rhythm(duration=0))
    schedule.begin(A, 0.0)
    schedule.due(0.0)
    for address in numbered(1000):
        schedule.begin(address, 299.0)
    run(schedule, 299.0, 299.9)
    assert len(schedule.due(301.0)) <= 4


def test_refreshes_can_be_switched_off_and_on() -> None:
    schedule = Schedule(Rhythm(duration=0, refresh_interval=0))
    schedule.begin(A, 0.0)
    assert schedule.due(0.0) == [A]
    assert schedule.deadline() is None
    schedule.rhythm = Rhythm(refresh_interval=10.0)
    assert schedule.deadline() == 10.0
    assert schedule.due(10.0) == [A]


def test_many_at_once_are_said_in_strokes() -> None:
    schedule = Schedule(Rhythm(refresh_interval=0))
    crowd = numbered(10 * BATCH)
    for address in crowd:
        schedule.begin(address, 0.0)
    said = run(schedule, 0.0, 1.0)
    assert [address for _, address in said] == crowd
    assert said[-1][0] == pytest.approx(9 * PAUSE)
    assert all(sum(instant == moment for instant, _ in said) == BATCH for moment, _ in said)


def test_a_first_announcement_waits_for_nothing_that_is_repeated() -> None:
    schedule = Schedule()
    for address in numbered(10 * BATCH):
        schedule.begin(address, 0.0)
    run(schedule, 0.0, 1.05)
    # The second rounds of all of them are due now, and fill the strokes.
    assert len(schedule.due(1.2)) == BATCH
    schedule.begin(A, 1.2)
    assert A in schedule.due(1.2)


def test_a_refresh_that_falls_on_a_round_is_the_same_announcement() -> None:
    schedule = Schedule(Rhythm(interval=1.0, duration=10.0, refresh_interval=10.0))
    schedule.begin(A, 0.0)
    said = run(schedule, 0.0, 35.0)
    assert said == [(instant, A) for instant in (*range(11), 20, 30)]


def test_beginning_anew_in_a_crowd_does_not_double_the_rounds() -> None:
    schedule = Schedule(Rhythm(refresh_interval=0))
    schedule.begin(A, 0.0)
    schedule.due(0.0)
    for address in [*numbered(BATCH), A]:
        schedule.begin(address, 1.1)
    assert [address for _, address in run(schedule, 1.1, 100.0)].count(A) == 5


class Clock:
    """Turned by hand."""

    now = 0.0


operations = st.one_of(
    st.tuples(st.just("begin"), st.sampled_from([A, B, C])),
    st.tuples(st.just("end"), st.sampled_from([A, B, C])),
    st.tuples(st.just("again"), st.just(A)),
    st.tuples(st.just("wait"), st.floats(0.0, 20.0)),
    st.tuples(st.just("rhythm"), st.sampled_from([Rhythm(), Rhythm(0.5, 2.0, 0.0), Rhythm(2.0, 0.0, 10.0)])),
)


@given(st.lists(operations, max_size=40))
def test_whatever_happens_what_is_announced_is_announced_and_nothing_else(
    steps: list[tuple[str, bytes | float | Rhythm]],
) -> None:
    schedule, clock = Schedule(), Clock()
    announced: set[bytes] = set()
    unsaid: set[bytes] = set()
    for name, value in steps:
        match name, value:
            case "begin", bytes(address):
                schedule.begin(address, clock.now)
                announced.add(address)
                unsaid.add(address)
            case "end", bytes(address):
                schedule.end(address)
                announced.discard(address)
                unsaid.discard(address)
            case "again", _:
                schedule.again([A, B, C], clock.now)
                unsaid |= announced
            case "rhythm", Rhythm() as rhythm:
                schedule.rhythm = rhythm
            case _, float(pause):
                clock.now += pause
            case _:
                raise AssertionError(name)
        said = schedule.due(clock.now)
        assert len(said) == len(set(said))
        assert set(said) <= announced
        # Fewer than fill a stroke: all first announcements are made in the first moment.
        unsaid -= set(said)
        assert not unsaid
    deadline = schedule.deadline()
    assert deadline is None or deadline > clock.now
    if announced and schedule.rhythm.refresh_interval:
        later = run(schedule, clock.now, clock.now + 2 * schedule.rhythm.refresh_interval)
        assert {address for _, address in later} == announced
