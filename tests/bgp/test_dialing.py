"""How long a peer may take to answer."""

import pytest

from reconciler.bgp.dialing import patience
from reconciler.bgp.families import Family
from reconciler.bgp.parameters import SessionParameters


@pytest.mark.parametrize(
    ("connect_retry_time", "expected"),
    [
        pytest.param(None, 10.0, id="by default"),
        pytest.param(120.0, 10.0, id="no longer than that"),
        pytest.param(2.0, 1.4, id="less than the shortest time after which the machine dials anew"),
    ],
)
def test_patience(connect_retry_time: float | None, expected: float) -> None:
    parameters = SessionParameters(1, 2, frozenset(Family), connect_retry_time=connect_retry_time)
    assert patience(parameters) == pytest.approx(expected)
