"""The documented reason codes are the ones in use."""

import re
from pathlib import Path

from hypothesis import given, settings

from reconciler.allocation.allocate import allocate
from reconciler.allocation.reasons import Reason
from reconciler.model.desired import DesiredState
from reconciler.model.observed import ObservedState
from reconciler.plan.conditions import reason_word
from tests.strategies import desired_states, observed_states

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reason-codes.md").read_text(encoding="utf-8")
SOURCE = "\n".join(
    path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "reconciler" / "allocation").glob("*.py"))
    if path.name != "reasons.py"
)


def test_every_code_has_a_row_with_its_meaning_and_the_fix() -> None:
    table = PAGE.partition("## Why not")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z-]+)` \| `([A-Za-z]+)` \| ([^|]+) \| ([^|]+) \|$", table, flags=re.MULTILINE)
    assert sorted(code for code, *_ in rows) == sorted(Reason)
    assert all(meaning.strip() and fix.strip() for _, _, meaning, fix in rows)
    assert all(word == reason_word(code) for code, word, *_ in rows)


def test_every_code_is_in_use() -> None:
    assert {name for name in Reason.__members__ if f"Reason.{name}" in SOURCE} == set(Reason.__members__)


@settings(max_examples=60, deadline=None)
@given(desired_states(), observed_states())
def test_no_other_word_is_ever_given_as_a_reason(desired: DesiredState, observed: ObservedState) -> None:
    allocation = allocate(desired, observed)
    said = {refusal.reason for refusal in allocation.refusals}
    said |= {cause.rule for refusal in allocation.refusals for cause in refusal.causes}
    said |= {loss.reason for loss in allocation.losses} | {found.reason for found in allocation.ignored}
    assert said <= set(Reason)
