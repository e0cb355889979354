"""
The state of a controller as a value, and its JSON: `/status`, and the document that everybody can read in the cluster.

A speaker's (`speaker_status.py`) has some of the same parts. Both forms are described in docs/status.md. No I/O.

Keys may be added; `FORMAT_VERSION` rises when anything else changes.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar, cast

import msgspec

from reconciler.allocation.decisions import Allocation
from reconciler.model.desired import DesiredState
from reconciler.model.observed import ObservedState
from reconciler.model.origin import Problem, Severity
from reconciler.plan.guard import Verdict
from reconciler.telemetry.cutting import encoded, fitted
from reconciler.telemetry.occupancy import Counts, PoolFill, ServiceState, counts_of, pool_fills, service_states

FORMAT_VERSION = 1
PASSED, HELD, REFUSED = "passed", "held", "refused"
# The API server takes at most 1 MiB of data in a ConfigMap; interfaces promise a quarter of that.
LARGEST_DOCUMENT = 256 * 1024


class Fact(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A part of a status, under the names that its JSON has."""


class NewestRevision(Fact, frozen=True, kw_only=True):
    """
    What the files say now, and what became of it.

    `revision` is None where they cannot be read, `verdict` None until there is one; `since` is when revision and
    verdict became these. `message` is why it is held or refused, in a line.
    """

    revision: str | None = None
    verdict: str | None = None
    since: datetime | None = None
    message: str | None = None


class GuardState(Fact, frozen=True, kw_only=True):
    """
    The plan that is held back: that of `revision`, which need not be the newest where that is refused. `digest` is
    what an approval names; `affected` are the Services it is about; `approved_plan` is what the configuration
    approves, whatever plan that was.
    """

    held: bool = False
    revision: str | None = None
    reason: str | None = None
    digest: str | None = None
    affected: tuple[str, ...] = ()
    approved_plan: str | None = None


class RelatedPlace(Fact, frozen=True, kw_only=True):
    """The other place of a problem."""

    path: str
    line: int
    column: int
    note: str


class ProblemFound(Fact, frozen=True, kw_only=True):
    """One problem of the newest configuration, as `validate` prints it."""

    path: str
    line: int
    column: int
    severity: Severity
    code: str
    message: str
    related: tuple[RelatedPlace, ...] = ()


class LastPass(Fact, frozen=True, kw_only=True):
    """The pass that ended last: what woke it, how long it took in seconds, and what went wrong."""

    finished_at: datetime | None = None
    duration_seconds: float | None = None
    reasons: tuple[str, ...] = ()
    error: str | None = None


class ClusterState(Fact, frozen=True, kw_only=True):
    """Whether the cluster was read completely once, and since when, and why, it cannot be reached."""

    synced: bool = False
    away_since: datetime | None = None
    error: str | None = None


class ControllerStatus(Fact, frozen=True, kw_only=True):
    """
    Everything a controller says about itself.

    `revision` is the configuration in force; `problems` are those of the newest one. Counts and pools are those of the
    last pass that led. `services` is None except in `/status`; `cut` says what was left out to keep a document small.
    """

    format_version: int = FORMAT_VERSION
    role: str = "controller"
    version: str
    identity: str
    leading: bool
    leader: str | None = None
    lb_class: str = ""
    revision: str | None = None
    newest: NewestRevision = NewestRevision()
    guard: GuardState = GuardState()
    problems: tuple[ProblemFound, ...] = ()
    last_pass: LastPass = LastPass()
    cluster: ClusterState = ClusterState()
    counts: Counts = Counts()
    pools: tuple[PoolFill, ...] = ()
    state_dir_problem: str | None = None
    services: tuple[ServiceState, ...] | None = None
    cut: str | None = None


class PublishedVerdict(Fact, frozen=True, kw_only=True):
    """
    What a published document says about configurations: the newest revision and its verdict, and the one in force.

    `revision` and `verdict` are empty where the document names none; `digest` is that of a plan that is held, and
    `held_revision` its revision.
    """

    revision: str = ""
    verdict: str = ""
    since: datetime | None = None
    in_force: str | None = None
    held_revision: str | None = None
    held_reason: str | None = None
    digest: str | None = None


def controller_status(
    *,
    version: str,
    identity: str,
    leading: bool,
    leader: str | None = None,
    lb_class: str,
    in_force: DesiredState | None,
    newest: NewestRevision,
    verdict: Verdict,
    held_revision: str | None = None,
    problems: Iterable[Problem],
    last_pass: LastPass,
    cluster: ClusterState,
    decided_on: DesiredState | None = None,
    allocation: Allocation | None = None,
    observed: ObservedState | None = None,
    state_dir_problem: str | None = None,
) -> ControllerStatus:
    """
    Put a controller's state together: a few milliseconds for ten thousand Services.

    Args:
        version: Of this program.
        identity: The name under which this process holds, or would hold, the Lease.
        leading: Whether it does.
        leader: Who does, as far as is known.
        lb_class: The class of Services that are served.
        in_force: The configuration that is carried out.
        newest: What the files say now, and the verdict on it.
        verdict: That of the guard on the plan that is held.
        held_revision: The revision of that plan.
        problems: Those of the newest configuration.
        last_pass: The pass that ended last, of whatever kind.
        cluster: Whether the cluster can be relied on.
        decided_on: The configuration of the last pass that led.
        allocation: What that pass decided; None before the first one.
        observed: What it was decided on. Only with it the Services are listed one by one, as `/status` wants them.
        state_dir_problem: Why the last good configuration would not survive a restart.
    """
    newest_guard = (decided_on or in_force or _NOTHING).settings.guard
    return ControllerStatus(
        version=version,
        identity=identity,
        leading=leading,
        leader=leader,
        lb_class=lb_class,
        revision=in_force.revision if in_force else None,
        newest=newest,
        guard=_guard_state(verdict, held_revision, newest_guard.approved_plan),
        problems=tuple(map(problem_found, problems)),
        last_pass=last_pass,
        cluster=cluster,
        counts=counts_of(allocation) if allocation else Counts(),
        pools=tuple(pool_fills(decided_on.pools, allocation.assignments)) if decided_on and allocation else (),
        state_dir_problem=state_dir_problem,
        services=tuple(service_states(allocation, observed)) if allocation and observed else None,
    )


_NOTHING = DesiredState("")


def newest_revision(
    revision: str | None,
    verdict: str | None,
    message: str | None = None,
    *,
    before: NewestRevision | PublishedVerdict | None,
    now: datetime,
) -> NewestRevision:
    """What the files say now; `since` stays that of `before` while revision and verdict stay the same."""
    stands = before is not None and (before.revision or None, before.verdict or None) == (revision, verdict)
    since = before.since if before is not None and stands and before.since else now.replace(microsecond=0)
    return NewestRevision(revision=revision, verdict=verdict, since=since, message=message)


def document(status: ControllerStatus, limit: int = LARGEST_DOCUMENT) -> bytes:
    """
    The JSON to publish: the same octets as long as nothing has happened that anybody should know of.

    The Services and what changes with every pass are left out, except its error. It is cut to at most `limit` octets;
    below some 30 KiB there is nothing left to cut.
    """
    lasting = msgspec.structs.replace(status, services=None, last_pass=LastPass(error=status.last_pass.error))
    return encoded(fitted(_builtins(lasting), limit))


def status_json(status: ControllerStatus) -> bytes:
    """The JSON of `/status`, whole."""
    return encoded(_builtins(status))


def verdict_of(published: bytes) -> PublishedVerdict | None:
    """
    What a published document says of the newest configuration; None where it cannot be made out.

    Other parts of the document may be damaged, missing, or of a later version.
    """
    try:
        parts = _PARTS.decode(published)
        newest = msgspec.json.decode(parts["newest"], type=NewestRevision)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError):
        return None
    if newest.verdict not in {None, PASSED, HELD, REFUSED}:
        return None
    guard = _part(parts.get("guard"), GuardState)
    return PublishedVerdict(
        revision=newest.revision or "",
        verdict=newest.verdict or "",
        since=newest.since,
        in_force=_part(parts.get("revision"), str),
        held_revision=guard.revision if guard and guard.held else None,
        held_reason=guard.reason if guard and guard.held else None,
        digest=guard.digest if guard else None,
    )


_PARTS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_Part = TypeVar("_Part")


def _part(raw: msgspec.Raw | None, kind: type[_Part]) -> _Part | None:
    try:
        return None if raw is None else msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _builtins(status: ControllerStatus) -> dict[str, Any]:
    return cast(dict[str, Any], msgspec.to_builtins(status))


def _guard_state(verdict: Verdict, revision: str | None, approved_plan: str | None) -> GuardState:
    return GuardState(
        held=verdict.held,
        revision=revision if verdict.held else None,
        reason=verdict.reason,
        digest=verdict.digest if verdict.held else None,
        affected=tuple(sorted(verdict.affected)) if verdict.held else (),
        approved_plan=approved_plan,
    )


def problem_found(problem: Problem) -> ProblemFound:
    """A problem as a part of a status."""
    related = (
        RelatedPlace(path=r.origin.path, line=r.origin.line, column=r.origin.column, note=r.note)
        for r in problem.related
    )
    return ProblemFound(
        path=problem.origin.path,
        line=problem.origin.line,
        column=problem.origin.column,
        severity=problem.severity,
        code=problem.code,
        message=problem.message,
        related=tuple(related),
    )
