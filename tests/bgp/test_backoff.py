"""How long it is until the next attempt, and which connection stays."""

import pytest

from reconciler.bgp.backoff import Backoff
from reconciler.bgp.collision import keeps_its_own


@pytest.mark.parametrize(
    ("longest", "expected"),
    [
        pytest.param(None, [1, 2, 4, 8, 16, 32, 64, 120, 120], id="as MetalLB"),
        pytest.param(10.0, [1, 2, 4, 8, 10, 10], id="a connect time of 10 s"),
        pytest.param(1.0, [1, 1, 1], id="a connect time of 1 s"),
        pytest.param(0.0, [1, 1, 1], id="never at once"),
        pytest.param(600.0, [1, 2, 4, 8, 16, 32, 64, 120, 120], id="a connect time of 10 min"),
    ],
)
def test_each_failure_doubles_the_wait(longest: float | None, expected: list[float]) -> None:
    backoff = Backoff(longest)
    waits = []
    for _ in expected:
        backoff.count()
        waits.append(backoff.wait)
    assert waits == expected


def test_a_million_failures_are_as_good_as_a_few() -> None:
    backoff = Backoff()
    for _ in range(1_000_000):
        backoff.count()
    assert backoff.wait == 120.0


@pytest.mark.parametrize(
    ("lasted", "hold_time", "expected"),
    [
        pytest.param(90.0, 90.0, [0, 1, 2], id="a hold time"),
        pytest.param(89.9, 90.0, [4, 8, 16], id="less"),
        pytest.param(3.0, 3.0, [4, 8, 16], id="a hold time that is no proof"),
        pytest.param(10.0, 3.0, [0, 1, 2], id="ten seconds"),
        pytest.param(10.0, 0.0, [0, 1, 2], id="ten seconds without a hold time"),
    ],
)
def test_only_a_session_that_lasted_ends_the_row(lasted: float, hold_time: float, expected: list[float]) -> None:
    backoff = Backoff()
    backoff.count()
    backoff.count()
    backoff.judge(lasted, hold_time)
    waits = []
    for _ in expected:
        backoff.count()
        waits.append(backoff.wait)
    assert waits == expected


@pytest.mark.parametrize(
    ("ours", "theirs", "our_asn", "their_asn", "expected"),
    [
        pytest.param("0a000002", "0a000001", 1, 2, True, id="ours is higher"),
        pytest.param("0a000001", "0a000002", 2, 1, False, id="theirs is higher"),
        pytest.param("c8000001", "7f000001", 1, 2, True, id="unsigned"),
        pytest.param("0a000001", "0a000001", 2, 1, True, id="the same, our AS is higher"),
        pytest.param("0a000001", "0a000001", 1, 4_200_000_000, False, id="the same, their AS is higher"),
    ],
)
def test_which_of_two_connections_stays(ours: str, theirs: str, our_asn: int, their_asn: int, expected: bool) -> None:
    mine, yours = bytes.fromhex(ours), bytes.fromhex(theirs)
    assert keeps_its_own(mine, yours, our_asn, their_asn) is expected
    assert keeps_its_own(yours, mine, their_asn, our_asn) is not expected
