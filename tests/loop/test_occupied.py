"""An address that a stranger uses is known to whoever may have to announce it next."""

import pytest

from reconciler.announcers.port import Report, ReportKind
from reconciler.loop.occupied import Occupied
from reconciler.membership.messages import InUse
from tests.builders import addresses

_V4, _V6 = addresses("192.0.2.7 2001:db8::7")


class _Node:
    def __init__(self) -> None:
        self.now = 0.0
        self.told: list[InUse] = []
        self.occupied = Occupied(self.told.append, lambda: self.now)


@pytest.mark.parametrize("kind", [ReportKind.IN_USE, ReportKind.YIELDED])
def test_what_one_meets_all_know_until_it_is_free_again(kind: ReportKind) -> None:
    here, there = _Node(), _Node()
    here.occupied.reported(Report(kind=kind, address=_V6))
    there.occupied.heard(here.told[-1])
    assert _V6 in here.occupied
    assert _V6 in there.occupied
    assert _V4 not in there.occupied
    here.occupied.reported(Report(kind=ReportKind.FREE_AGAIN, address=_V6))
    there.occupied.heard(here.told[-1])
    assert _V6 not in here.occupied
    assert _V6 not in there.occupied


def test_nothing_is_believed_for_ever() -> None:
    node = _Node()
    node.occupied.heard(InUse(_V4.packed, is_in_use=True))
    node.now += 299.0
    assert _V4 in node.occupied
    node.now += 2.0
    assert _V4 not in node.occupied


@pytest.mark.parametrize("kind", [ReportKind.ANNOUNCED, ReportKind.WITHDRAWN, ReportKind.CLAIMED])
def test_other_reports_say_nothing_of_it(kind: ReportKind) -> None:
    node = _Node()
    node.occupied.reported(Report(kind=kind, address=_V4))
    assert not node.told


def test_what_is_no_address_and_a_flood_of_them_do_no_harm() -> None:
    node = _Node()
    node.occupied.heard(InUse(b"abc", is_in_use=True))
    for number in range(20_000):
        node.occupied.heard(InUse(number.to_bytes(4, "big"), is_in_use=True))
    latest, first = (19_999).to_bytes(4, "big"), bytes(4)
    held = [address for address in addresses("0.0.78.31 0.0.0.0") if address in node.occupied]
    assert [address.packed for address in held] == [latest]
    assert first not in [address.packed for address in held]
