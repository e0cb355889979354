"""What a row of probes or questions about one address tells: gaps, two owners at once, and who has it in the end."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass(slots=True)
class Attempt:
    """One probe or question: when it was sent, and when each host that answered did so; on the monotonic clock."""

    sent_at: float
    answers: dict[str, float] = field(default_factory=dict)


Attempts = Sequence[Attempt]


def unanswered(attempts: Attempts) -> int:
    """How many nobody answered."""
    return sum(not attempt.answers for attempt in attempts)


def longest_gap(attempts: Attempts) -> float:
    """Seconds from one that nobody answered to the next that somebody did, by when they were sent: the longest such."""
    longest, began = 0.0, None
    for attempt in attempts:
        if began is not None:
            longest = max(longest, attempt.sent_at - began)
        if attempt.answers:
            began = None
        elif began is None:
            began = attempt.sent_at
    return longest


def two_at_once(attempts: Attempts) -> float:
    """Seconds from the first that several hosts answered until the last such was over."""
    began, over = None, 0.0
    for attempt, following in pairwise(attempts):
        if len(attempt.answers) > 1:
            began = attempt.sent_at if began is None else began
            over = following.sent_at
    return 0.0 if began is None else over - began


def disturbed(attempts: Attempts, owner: str) -> int:
    """How many were not answered by the owner alone."""
    return sum(attempt.answers.keys() != {owner} for attempt in attempts)


def first_answer(attempts: Attempts) -> float | None:
    """When the first answer came; None when none did."""
    return min((at for attempt in attempts for at in attempt.answers.values()), default=None)


def alone_since(attempts: Attempts, owners: AbstractSet[str]) -> tuple[str, float] | None:
    """
    Who of these alone has answered everything lately, and since when; None where that is not so at the end.

    Give only attempts whose answers had the time to come.
    """
    if not attempts or len(attempts[-1].answers) != 1:
        return None
    owner = next(iter(attempts[-1].answers))
    since = None
    for attempt in reversed(attempts):
        if attempt.answers.keys() != {owner}:
            break
        since = attempt.sent_at
    return (owner, since) if owner in owners and since is not None else None
