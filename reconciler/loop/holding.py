"""
What becomes of a revision that waits, in the light of the plan that was held last. No I/O.

A held plan stays held until it is approved, or the files ask for something else. Neither a commit that changes nothing
of it, nor a restart, nor another leader lets it pass by itself.
"""

from dataclasses import dataclass, replace

from reconciler.allocation.decisions import Allocation
from reconciler.model.desired import DesiredState
from reconciler.model.observed import ObservedState
from reconciler.plan.guard import Settled, Silenced, Verdict, settle

_UNKNOWN_BASE = (
    "held by the controller that led before, and what it compared the files with is not known here: keep --state-dir "
    "on a volume, or commit what is meant"
)


@dataclass(frozen=True, slots=True)
class Hold:
    """
    A plan that is held: of which revision, and why.

    `desired` is None where another process has held it. Nobody is `affected` as long as that is taken on its word.
    """

    revision: str
    verdict: Verdict
    desired: DesiredState | None = None


def settle_in_light_of(
    hold: Hold | None,
    desired: DesiredState,
    observed: ObservedState,
    *,
    lb_class: str,
    silenced: Silenced,
    proposed: Allocation | None = None,
) -> Settled:
    """
    Settle a revision that is not in force.

    Args:
        hold: The plan that was held at the last look, None when there was none.
        desired: The revision.
        observed: What it is decided on.
        lb_class: The `spec.loadBalancerClass` that is ours.
        silenced: The addresses that it would silence, compared with what is in force.
        proposed: What `allocate` gives for these, where the caller knows it already.
    """

    def attempt(*, held_before: bool) -> Settled:
        return settle(
            desired, observed, lb_class=lb_class, proposed=proposed, silenced=silenced, held_before=held_before
        )

    is_the_same = hold is not None and hold.revision == desired.revision
    settled = attempt(held_before=is_the_same)
    verdict = settled.verdict
    if hold is None or verdict.held or verdict.approved:
        return settled
    if verdict.digest is not None and verdict.digest == hold.verdict.digest:
        # The same plan under another commit: what was served meanwhile must not let it pass by itself.
        return attempt(held_before=True)
    if is_the_same and not hold.verdict.affected and verdict.digest is None:
        # It was held for what shows only beside the files that were in force then, or the nodes that were ready.
        return replace(settled, verdict=Verdict(held=True, digest=hold.verdict.digest, reason=_UNKNOWN_BASE))
    return settled
